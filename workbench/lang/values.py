"""Typed values: expressions with the rule that literals, dims and indices are weak.

A weak value takes the dtype of what it meets; alone a whole number is i32, another f32. One that
is computed of weak ones is computed anew in a wider dtype, so that `2 * pi * x` of an f64 is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, assert_never

from workbench.base.dtypes import (
    BOOL,
    F32,
    F64,
    I32,
    I64,
    NARROW,
    U32,
    DType,
    joined,
    largest,
    spread,
)
from workbench.ir.expr import Apply, Cast, Const, Expr, Select, loads, walk
from workbench.lang import lines

if TYPE_CHECKING:
    from workbench.base.source import Origin
    from workbench.lang.names import Context
    from workbench.lang.report import Place

LARGEST_COPY = 2000
"""Nodes that the copies of one expression may have together (`x ** 8`, `a < x < b`)."""


@dataclass(frozen=True, slots=True)
class Value:
    """An expression, and whether its dtype gives way to others."""

    expr: Expr
    weak: bool = False

    @property
    def dtype(self) -> DType:
        """The dtype it has alone."""
        return self.expr.dtype


def convert(
    c: Context, v: Value, dtype: DType, place: Place, met: Value | None = None
) -> Expr | None:
    """A number in another dtype: literals are written anew, anything else is cast.

    `met` is what it meets in an operation, for the hint.
    """
    e = v.expr
    if isinstance(e, Const) and v.weak:
        return _literal(c, e, dtype, place, met)
    if e.dtype == dtype:
        return e
    if isinstance(e, Select) and v.weak:
        yes = convert(c, Value(e.yes, weak=True), dtype, place)
        no = convert(c, Value(e.no, weak=True), dtype, place)
        return None if yes is None or no is None else replace(e, yes=yes, no=no)
    if isinstance(e, Apply) and v.weak and _better_in(e, dtype):
        args = tuple(convert(c, Value(x, weak=True), dtype, place) for x in e.args)
        found = tuple(x for x in args if x is not None)
        return replace(e, args=found, dtype=dtype) if len(found) == len(args) else None
    if isinstance(e, Cast) and v.weak:
        return convert(c, Value(e.arg, weak=True), dtype, place)
    return Cast(dtype, e, origin=e.origin.derive(f"as {dtype}"))


def _better_in(e: Apply, dtype: DType) -> bool:
    """Whether an operation on weak values loses nothing in this dtype that it has in its own."""
    if e.dtype.kind == dtype.kind:
        return e.dtype.bits < dtype.bits
    return dtype is F64 and e.op in {"add", "sub", "mul", "neg"}


def settle(c: Context, v: Value, place: Place) -> Expr | None:
    """The expression with the dtype it has alone, its literals checked to fit."""
    return convert(c, v, v.dtype, place)


def common(c: Context, a: Value, b: Value, place: Place) -> DType | None:
    """The dtype of two numbers that meet; a mistake where they have none."""
    if a.dtype == b.dtype:
        return a.dtype
    if BOOL in {a.dtype, b.dtype}:
        number, flag = (b, a) if a.dtype is BOOL else (a, b)
        c.wrong(
            place,
            f"a bool and a number ({flag.dtype} and {number.dtype}) do not mix",
            hint=_cast(c, flag, number.dtype, place),
        )
        return None
    met = _met(a, b)
    if met is None:
        c.wrong(
            place,
            f"{a.dtype} and {b.dtype} have no common dtype",
            hint=_cast(c, b if b.dtype.kind == "u" else a, I32, place),
        )
    return met


def _cast(c: Context, v: Value, dtype: DType, place: Place) -> str:
    """The line with `dtype(...)` around a value that stands somewhere at a place."""
    span, whole = v.expr.origin.nearest_span(), c.report.span(place)
    if span is None or not whole.start <= span.start < span.end <= whole.end:
        return f"{dtype}(...) around the {v.dtype}"
    return c.report.mended(span, f"{dtype}({' '.join(span.text.split())})")


def _met(a: Value, b: Value) -> DType | None:
    """What two numbers of unlike dtypes become: a weak one gives way, but no float to an int."""
    if a.weak == b.weak:
        return joined(a.dtype, b.dtype)
    weak, firm = (a.dtype, b.dtype) if a.weak else (b.dtype, a.dtype)
    return joined(weak, firm) if weak.kind == "f" and firm.kind != "f" else firm


def floating(v: Value) -> DType:
    """The float that a number counts as in `/` and in functions; a whole one is f32 at least."""
    return v.dtype if v.dtype.kind == "f" else joined(F32, v.dtype) or F32


def quotient_of(c: Context, a: Value, b: Value, place: Place) -> DType | None:
    """The dtype of `a / b`: a float always; a mistake for bools."""
    if "f" in {a.dtype.kind, b.dtype.kind} or BOOL in {a.dtype, b.dtype}:
        return common(c, a, b, place)
    return joined(floating(a), floating(b))


def narrow(a: Value, b: Value) -> bool:
    """Whether a dim or an index (or what is made of them) meets an i8 or a u8."""
    return any(
        v.weak and v.dtype is I32 and not isinstance(v.expr, Const) and other.dtype in NARROW
        for v, other in ((a, b), (b, a))
    )


WRAPPING = frozenset({"add", "sub", "mul", "bitand", "bitor", "bitxor"})
"""Operations whose lowest bits depend on nothing but the lowest bits of their arguments."""


def unwrapped(c: Context, op: str, a: Value, b: Value, place: Place) -> bool:
    """Whether an operation is the same with a dim or an index cut to 8 bits; else a mistake."""
    if op in WRAPPING or not narrow(a, b):
        return True
    met = next(v for v in (a, b) if v.dtype in NARROW)
    c.wrong(
        place,
        f"a dim or an index may not fit {met.dtype}, which ends at {spread(met.dtype)[1]}",
        hint=_cast(c, met, I32, place),
    )
    return False


def unified(
    c: Context, a: Value, b: Value, place: Place, dtype: DType | None = None
) -> tuple[Expr, Expr] | None:
    """Both values in their common dtype (or in `dtype`)."""
    met = dtype or common(c, a, b, place)
    if met is None:
        return None
    left, right = convert(c, a, met, place, b), convert(c, b, met, place, a)
    return None if left is None or right is None else (left, right)


def fit(
    c: Context, v: Value, dtype: DType, place: Place, what: str, *, hint: str = ""
) -> Expr | None:
    """The value for a target of a given dtype: weak ones convert, others must have it.

    `hint` is said in place of a cast.
    """
    number = v.dtype.kind in "iu" and dtype.kind in "fiu"
    if v.dtype == dtype or (v.weak and (number or v.dtype.kind == dtype.kind == "f")):
        return convert(c, v, dtype, place)
    c.wrong(
        place,
        f"{what} is {dtype}, the value is {v.dtype}",
        hint=hint or lines.cast_line(c.report, place, dtype),
    )
    return None


def truth(c: Context, v: Value, place: Place) -> Expr | None:
    """A condition: a bool."""
    if v.dtype is BOOL:
        return v.expr
    c.wrong(
        place,
        f"a condition is a bool, this is {v.dtype}",
        hint=c.report.mended(place, f"{lines.operand(c.report.text(place))} != 0"),
    )
    return None


def whole(c: Context, v: Value, place: Place, what: str) -> Expr | None:
    """A whole number as i32: an index or the bound of a range."""
    if v.dtype.kind in "iu" and v.dtype is not I64:
        return convert(c, v, I32, place)
    kind = "an i32" if v.dtype is I64 else "a whole number"
    new = f"i32({c.report.text(place)})"
    if isinstance(v.expr, Const) and v.dtype.kind == "f" and v.expr.value == v.expr.value // 1:
        new = str(int(v.expr.value))
    c.wrong(place, f"{what} is {kind}, this is {v.dtype}", hint=c.report.mended(place, new))
    return None


def repeatable(c: Context, e: Expr, copies: int, place: Place) -> bool:
    """Whether an expression may stand several times in another; a mistake where it is large."""
    if sum(copies for _ in islice(walk(e), LARGEST_COPY)) <= LARGEST_COPY:
        return True
    c.wrong(
        place, f"an expression of this size, {copies} times over, is too large",
        hint="an equation of its own for the part that is repeated",
    )  # fmt: skip
    return False


def both(left: Expr, right: Expr, late: Expr, origin: Origin) -> Expr:
    """`left and right`; where `late`, the part evaluated last, reads, only if `left` is true."""
    if next(loads(late), None) is None:
        return Apply("and", (left, right), BOOL, origin=origin)
    return Select(left, right, Const(value=False, dtype=BOOL), origin=origin)


def either(left: Expr, right: Expr, origin: Origin) -> Expr:
    """`left or right`; `right` is not evaluated where it reads and `left` is true."""
    if next(loads(right), None) is None:
        return Apply("or", (left, right), BOOL, origin=origin)
    return Select(left, Const(value=True, dtype=BOOL), right, origin=origin)


def plural(count: int, noun: str) -> str:
    """`1 index`, `2 indices`, `3 dimensions`."""
    several = "indices" if noun == "index" else f"{noun}s"
    return f"{count} {noun if count == 1 else several}"


def _literal(c: Context, e: Const, dtype: DType, place: Place, met: Value | None) -> Expr | None:
    match dtype.kind:
        case "f":
            return _real(c, e, dtype, place)
        case "i" | "u":
            return _integer(c, e, dtype, place, met)
        case "b":
            return replace(e, dtype=dtype)
        case _:
            assert_never(dtype.kind)


def _real(c: Context, e: Const, dtype: DType, place: Place) -> Expr | None:
    written = isinstance(e.value, int) or math.isfinite(e.value)
    most = largest(dtype)
    if written and abs(e.value) > most:
        c.wrong(place, f"{_short(e.value)} is beyond the largest {dtype}, {most}",
                hint=c.report.mended(e.origin.nearest_span() or place, "inf"))  # fmt: skip
        return None
    return replace(e, value=float(e.value), dtype=dtype)


def _integer(c: Context, e: Const, dtype: DType, place: Place, met: Value | None) -> Expr | None:
    """A whole number in this dtype; `met` is what it meets in an operation."""
    low, high = spread(dtype)
    if holds(dtype, e.value):
        return replace(e, value=int(e.value), dtype=dtype)
    span = e.origin.nearest_span() or c.report.span(place)
    firm = None if met is None else met.expr.origin.nearest_span()
    wide = holder(e.value)
    if firm is not None and wide is not None and (dtype in NARROW or e.value < 0):
        hint = c.report.mended(firm, f"{wide}({firm.text})")
    elif firm is not None:
        hint = c.report.mended(span, f"{e.value}.0")
    else:
        hint = c.report.mended(span, str(min(max(int(e.value), low), high)))
    c.wrong(span, f"{_short(e.value)} is outside {dtype}, {low} to {high}", hint=hint)
    return None


def holds(dtype: DType, value: float) -> bool:
    """Whether a dtype of whole numbers has this one."""
    low, high = spread(dtype)
    return low <= value <= high


def holder(value: float) -> DType | None:
    """A dtype that has a whole number, one of all targets if there is one."""
    return next((t for t in (I32, U32, I64) if holds(t, value)), None)


def _short(value: float) -> str:
    """A number in few characters, however many digits it has."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    return str(value)
