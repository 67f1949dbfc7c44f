"""Expressions as isl sees them: integer points, piecewise affine values, sets.

A `Frame` fixes the integers that sets range over: the variables, and one fresh integer for
each part that isl cannot say (`e % N`, `table[i]`, `i * j`). The same part stands for the same
integer, and `known` tells what is true of it. Proofs and dependences are made of these in
`ir/deps.py` and `lang/prove.py`; isl itself is imported here and in `ir/deps.py`, when used.

Values are whole numbers without wrap: who lets a value leave i32 has to say so elsewhere.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL, I32
from workbench.ir.expr import Apply, Cast, Const, Expr, Select, Var
from workbench.ir.forms import compares_integers, constant, form_of, parts_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    import islpy as isl

    Points = isl.Set

EFFORT = 400_000
"""Operations of isl after which a bounded question is given up: a second or two."""


class EffortError(Exception):
    """A question was too hard for the effort allowed; not an answer."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The integers that points consist of: named variables, then the parts isl cannot say."""

    variables: tuple[str, ...]
    parts: tuple[Expr, ...]
    positions: Mapping[str, int]
    standins: Mapping[Expr, int]
    local: isl.LocalSpace

    @property
    def exact(self) -> bool:
        """True where no part is a stand-in: a point of a set is then a real example."""
        return not self.parts


def frame(variables: Sequence[str], expressions: Iterable[Expr]) -> Frame:
    """The frame in which all of `expressions` (i32 or bool) can be said.

    A `Var` that is not among `variables` becomes a part, as everything opaque does.
    """
    import islpy as isl

    positions = {name: place for place, name in enumerate(variables)}
    parts = dict.fromkeys(p for e in expressions for p in parts_of(e, positions))
    standins = {p: len(positions) + place for place, p in enumerate(parts)}
    space = isl.Space.create_from_names(
        isl.Context(), set=[f"v{place}" for place in range(len(positions) + len(standins))]
    )
    local = isl.LocalSpace.from_space(space)
    return Frame(tuple(variables), tuple(parts), positions, standins, local)


@contextmanager
def bounded(f: Frame) -> Generator[None]:
    """Questions inside end in `EffortError` once isl has used up `EFFORT`."""
    import islpy as isl

    context = f.local.get_ctx()
    context.reset_operations()
    context.set_max_operations(EFFORT)
    try:
        yield
    except isl.Error as error:
        raise EffortError from error
    finally:
        context.set_max_operations(0)


def value(f: Frame, e: Expr) -> isl.PwAff:
    """An i32 expression as a piecewise affine function of the frame's integers."""
    match form_of(e, f.positions):
        case "constant":
            number = constant(e)
            assert number is not None
            return number_value(f, number)
        case "variable":
            assert isinstance(e, Var)
            return _coordinate(f, f.positions[e.name])
        case "join":
            assert isinstance(e, Apply)
            return _join(e.op, [value(f, x) for x in e.args])
        case "scale":
            assert isinstance(e, Apply)
            return _scale(f, e)
        case "split":
            assert isinstance(e, Apply)
            return _split(f, e)
        case "truth":
            assert isinstance(e, Cast)
            return _cases(condition(f, e.arg), number_value(f, 1), number_value(f, 0))
        case "cases":
            assert isinstance(e, Select)
            return _cases(condition(f, e.cond), value(f, e.yes), value(f, e.no))
        case "same":
            assert isinstance(e, Cast)
            return value(f, e.arg)
        case "part":
            return _coordinate(f, f.standins[e])


def condition(f: Frame, e: Expr) -> isl.Set:
    """The points at which a bool expression is true."""
    match e:
        case Const(truth):
            return everywhere(f) if truth else nowhere(f)
        case Apply("and", (a, b)):
            return condition(f, a).intersect(condition(f, b))
        case Apply("or", (a, b)):
            return condition(f, a).union(condition(f, b))
        case Apply("not", (a,)):
            return condition(f, a).complement()
        case Apply(op, (a, b)) if compares_integers(e):
            return compare(op, value(f, a), value(f, b))
        case Select(cond, yes, no):
            test = condition(f, cond)
            taken = condition(f, yes).intersect(test)
            return taken.union(condition(f, no).intersect(test.complement()))
        case _:
            return compare("eq", _coordinate(f, f.standins[e]), number_value(f, 1))


def compare(op: str, a: isl.PwAff, b: isl.PwAff) -> isl.Set:
    """The points at which `a op b`; op is eq, ne, lt, le, gt or ge."""
    match op:
        case "eq":
            return a.eq_set(b)
        case "ne":
            return a.ne_set(b)
        case "lt":
            return a.lt_set(b)
        case "le":
            return a.le_set(b)
        case "gt":
            return a.gt_set(b)
        case _:
            assert op == "ge", op
            return a.ge_set(b)


def between(f: Frame, low: Expr, e: Expr, high: Expr) -> isl.Set:
    """The points at which `low <= e < high`."""
    middle = value(f, e)
    return middle.ge_set(value(f, low)).intersect(middle.lt_set(value(f, high)))


def everywhere(f: Frame) -> isl.Set:
    """All points."""
    import islpy as isl

    return isl.Set.universe(f.local.get_space())


def nowhere(f: Frame) -> isl.Set:
    """No point."""
    import islpy as isl

    return isl.Set.empty(f.local.get_space())


def freed(points: isl.Set, first: int, stop: int) -> isl.Set:
    """The points with the integers at the places `first` to `stop` (exclusive) set free."""
    import islpy as isl

    kind, count = isl.dim_type.set, stop - first
    return points.project_out(kind, first, count).insert_dims(kind, first, count)


def number_value(f: Frame, number: int) -> isl.PwAff:
    """The same number at every point."""
    import islpy as isl

    return isl.PwAff.from_aff(
        isl.Aff.val_on_domain(f.local, isl.Val.int_from_si(f.local.get_ctx(), number))
        if abs(number) < 2**62
        else isl.Aff.val_on_domain(f.local, isl.Val.read_from_str(f.local.get_ctx(), str(number)))
    )


def known(f: Frame) -> isl.Set:
    """What is true of the parts: `0 <= e % N < N`, `0 <= e // N <= e` for e >= 0, and so on."""
    result = everywhere(f)
    for part in f.parts:
        result = result.intersect(_known_of(f, part))
    return result


def sample(f: Frame, points: isl.Set, *, likes: Sequence[isl.Set] = ()) -> dict[str, int] | None:
    """The variables' values at one point, the least in order of the frame; None where empty.

    Of `likes`, each in turn is honoured as far as points remain.
    """
    import islpy as isl

    if points.is_empty():
        return None
    for wish in likes:
        fewer = points.intersect(wish)
        points = points if fewer.is_empty() else fewer
    small = [_box(f, 0, 2**31), _box(f, -(2**31), 2**31)]
    fewer = next((x for box in small if not (x := points.intersect(box)).is_empty()), None)
    point = (points if fewer is None else fewer.lexmin()).sample_point()
    return {
        name: int(point.get_coordinate_val(isl.dim_type.set, place).to_python())
        for name, place in f.positions.items()
    }


def _coordinate(f: Frame, place: int) -> isl.PwAff:
    import islpy as isl

    return isl.PwAff.from_aff(isl.Aff.var_on_domain(f.local, isl.dim_type.set, place))


def _join(op: str, args: list[isl.PwAff]) -> isl.PwAff:
    first, second = args[0], args[-1]
    match op:
        case "neg":
            return first.neg()
        case "abs":
            return first.max(first.neg())
        case "add":
            return first.add(second)
        case "sub":
            return first.sub(second)
        case "min":
            return first.min(second)
        case _:
            return first.max(second)


def _scale(f: Frame, e: Apply) -> isl.PwAff:
    a, b = e.args
    number = constant(a)
    if number is None:
        a, b, number = b, a, constant(b)
    assert number is not None
    return value(f, b).mul(number_value(f, number))


def _split(f: Frame, e: Apply) -> isl.PwAff:
    """Quotient towards minus infinity or its remainder, by a positive literal."""
    import islpy as isl

    number = constant(e.args[1])
    assert number is not None
    if e.op == "shr":
        number = 2**number
    elif e.op == "bitand":
        number += 1
    by = isl.Val.int_from_si(f.local.get_ctx(), number)
    whole = value(f, e.args[0])
    rest = e.op in {"mod", "bitand"}
    return whole.mod_val(by) if rest else whole.scale_down_val(by).floor()


def _cases(test: isl.Set, yes: isl.PwAff, no: isl.PwAff) -> isl.PwAff:
    return yes.intersect_domain(test).union_add(no.intersect_domain(test.complement()))


def _known_of(f: Frame, part: Expr) -> isl.Set:
    result = _coordinate(f, f.standins[part])
    zero = number_value(f, 0)
    match part:
        case Apply("mod", (_, by)) if part.dtype is I32:
            size = value(f, by)
            up = zero.le_set(result).intersect(result.lt_set(size))
            down = size.lt_set(result).intersect(result.le_set(zero))
            return up.union(down).union(size.eq_set(zero).intersect(result.eq_set(zero)))
        case Apply("floordiv", (top, by)) if part.dtype is I32:
            whole, size = value(f, top), value(f, by)
            up = zero.le_set(result).intersect(result.le_set(whole))
            down = whole.le_set(result).intersect(result.lt_set(zero))
            return up.union(down).union(size.le_set(zero))
        case Apply("bitand", (_, Const(mask, dtype))) if dtype is I32 and mask >= 0:
            return zero.le_set(result).intersect(result.le_set(number_value(f, int(mask))))
        case _ if part.dtype is BOOL:
            return zero.le_set(result).intersect(result.le_set(number_value(f, 1)))
        case _:
            low, high = number_value(f, -(2**31)), number_value(f, 2**31)
            return low.le_set(result).intersect(result.lt_set(high))


def _box(f: Frame, low: int, high: int) -> isl.Set:
    """The points all of whose integers lie in `low <= v < high`."""
    result = everywhere(f)
    least, end = number_value(f, low), number_value(f, high)
    for place in range(len(f.positions) + len(f.standins)):
        v = _coordinate(f, place)
        result = result.intersect(v.ge_set(least)).intersect(v.lt_set(end))
    return result
