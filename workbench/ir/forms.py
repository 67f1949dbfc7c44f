"""How isl can say an expression: its form, and the parts that it cannot say.

Looks at expressions only; what isl makes of them is in `ir/affine.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, assert_never

from workbench.base.dtypes import BOOL, I32
from workbench.ir.expr import Apply, Cast, Const, Expr, Iterated, Load, Reduce, Select, Var, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Form = Literal["constant", "variable", "join", "scale", "split", "truth", "cases", "same", "part"]
"""How isl says an expression; "part" is what it cannot say."""

_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
_JOINS = frozenset({"add", "sub", "neg", "min", "max", "abs"})
_SPLITS = frozenset({"floordiv", "mod", "shr", "bitand"})


def constant(e: Expr) -> int | None:
    """The value of an i32 expression made of literals only, else None."""
    match e:
        case Const(number, dtype) if dtype is I32:
            return int(number)
        case Cast(dtype, Const(number, source)) if dtype is I32 and source.kind in "ub":
            return int(number)
        case Apply(op, args) if op in {"add", "sub", "mul", "neg", "min", "max"}:
            numbers = [constant(x) for x in args]
            return _fold(op, [n for n in numbers if n is not None], len(args))
        case _:
            return None


def opaque(e: Expr, variables: Iterable[str]) -> tuple[Expr, ...]:
    """The parts of an i32 or bool expression that isl cannot say; empty where it is affine."""
    return tuple(dict.fromkeys(parts_of(e, dict.fromkeys(variables, 0))))


def _fold(op: str, numbers: list[int], arity: int) -> int | None:
    if len(numbers) != arity:
        return None
    match op:
        case "neg":
            return -numbers[0]
        case "add":
            return numbers[0] + numbers[1]
        case "sub":
            return numbers[0] - numbers[1]
        case "mul":
            return numbers[0] * numbers[1]
        case "min":
            return min(numbers)
        case _:
            return max(numbers)


def form_of(e: Expr, positions: Mapping[str, int]) -> Form:
    """How isl says an i32 expression; the parts inside it are another question."""
    if e.dtype is not I32 or constant(e) is not None:
        return "part" if e.dtype is not I32 else "constant"
    match e:
        case Var(name) if name in positions:
            return "variable"
        case Apply(op) if op in _JOINS:
            return "join"
        case Apply("mul", (a, b)) if constant(a) is not None or constant(b) is not None:
            return "scale"
        case Apply(op, (_, b)) if op in _SPLITS and _splits(op, constant(b)):
            return "split"
        case Cast(_, arg) if arg.dtype is BOOL or arg.dtype is I32:
            return "truth" if arg.dtype is BOOL else "same"
        case Select():
            return "cases"
        case Const() | Var() | Load() | Apply() | Cast() | Reduce() | Iterated():
            return "part"
        case _:
            assert_never(e)


def _splits(op: str, by: int | None) -> bool:
    """Whether a division, remainder, right shift or mask by the literal `by` is affine."""
    if by is None:
        return False
    if op == "bitand":
        return by >= 0 and (by + 1) & by == 0
    return 0 <= by < I32.bits if op == "shr" else by > 0


def parts_of(e: Expr, positions: Mapping[str, int]) -> Iterator[Expr]:
    """The stand-ins that an i32 or bool expression needs, with those of what is known of them."""
    if e.dtype is BOOL:
        yield from _condition_parts(e, positions)
        return
    match form_of(e, positions), e:
        case (("join" | "scale" | "split"), Apply(_, args)):
            for x in args:
                yield from parts_of(x, positions)
        case (("truth" | "same"), Cast(_, arg)):
            yield from parts_of(arg, positions)
        case "cases", Select(cond, yes, no):
            for x in (cond, yes, no):
                yield from parts_of(x, positions)
        case "part", Apply(("mod" | "floordiv"), args):
            yield e
            for x in args:
                yield from parts_of(x, positions)
        case "part", _:
            yield e
        case _:
            return


def _condition_parts(e: Expr, positions: Mapping[str, int]) -> Iterator[Expr]:
    match e:
        case Const():
            return
        case Apply(("and" | "or" | "not"), args):
            inside = args
        case Apply(_, args) if compares_integers(e):
            inside = args
        case Select(cond, yes, no):
            inside = (cond, yes, no)
        case _:
            inside = ()
            yield e
    for x in inside:
        yield from parts_of(x, positions)


def compares_integers(e: Apply) -> bool:
    """Whether an operation is a comparison of two i32 values."""
    return e.op in _COMPARISONS and e.args[0].dtype is I32


def variables_of(expressions: Iterable[Expr]) -> tuple[str, ...]:
    """The i32 variables that expressions mention, in order of appearance."""
    found = (x.name for e in expressions for x in walk(e) if isinstance(x, Var) and x.dtype is I32)
    return tuple(dict.fromkeys(found))
