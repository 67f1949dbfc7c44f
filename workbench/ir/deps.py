"""Dependences: the only judge of what may be reordered, run side by side, or copied.

Atomic updates by one operation need no order among themselves. Plain stores that are not proved
to write elements of their own have none between two iterations of their grid: which value stays
is open by what the kernel says.

Questions are asked of isl one pair of accesses at a time, about concrete iterations; the answer
to a broken dependence is a `Clash`, an example of two of them. What isl cannot say counts as
"may clash". Steps of schedules stand on this file; it knows nothing of steps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.base.dtypes import I32
from workbench.base.source import Origin
from workbench.ir import affine
from workbench.ir.access import Access, Kind, accesses, before, breaks, number
from workbench.ir.expr import Apply, Const, Expr, Var, apply, substitute
from workbench.ir.forms import variables_of
from workbench.ir.loops import Loops
from workbench.ir.stmt import For, walk_stmts

if TYPE_CHECKING:
    import islpy as isl

_ANY = (-(2**31), 2**31)
OTHER = "'"
"""Marks the loop variables of the second of two iterations."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Two iterations that touch the same element, one of them writing it.

    `element` is None where it depends on values; `exact` is false where the two may, but need
    not, clash.
    """

    array: str
    element: tuple[int, ...] | None
    first: Mapping[str, int]
    second: Mapping[str, int]
    kinds: tuple[Kind, Kind]
    exact: bool
    where: tuple[Origin, Origin]

    @property
    def place(self) -> str:
        """The element as the loops write it."""
        if self.element is None:
            return f"an element of {self.array}"
        return f"{self.array}[{', '.join(map(str, self.element))}]" if self.element else self.array

    @property
    def words(self) -> str:
        """Both iterations and what they do, for a reader."""
        first, second = self.kinds
        may = "" if self.exact else "may be that "
        other = "it, too" if first == second else "it"
        mine, its = _point(self.first), _point(self.second)
        return f"{may}{mine} {first} {self.place} and {its} {second} {other}"


@dataclass(frozen=True, slots=True)
class Dependence:
    """`second` needs the element as `first` left it (or must not overtake it).

    `loop` is the loop that carries it, None where both are in the same iteration of all.
    """

    kind: Literal["flow", "anti", "output"]
    first: Access
    second: Access
    loop: str | None
    example: Clash


def dependences(loops: Loops) -> tuple[Dependence, ...]:
    """Every pair of accesses that must keep its order, once for each loop that carries it."""
    found: list[Dependence] = []
    for a, b in _pairs(accesses(loops.body)):
        for signs in before(a, b):
            clash = _clash(a, b, signs)
            if clash is not None:
                carrier = next((v for v, sign in signs.items() if sign), None)
                found.append(Dependence(_kind(a, b), a, b, carrier, clash))
    return tuple(found)


def parallel_loops(loops: Loops) -> frozenset[str]:
    """The loops whose iterations touch no element that another one writes."""
    found: set[str] = set()
    for nest in loops.body:
        touched = accesses((nest,))
        found |= {
            s.var
            for s in walk_stmts((nest,))
            if isinstance(s, For) and not breaks(s.body) and carried(touched, s.var) is None
        }
    return frozenset(found)


def carried(touched: Sequence[Access], loop: str) -> Clash | None:
    """Two iterations of `loop` that clash, or None where it may run in any order at once.

    `touched` are all accesses of the nest around the loop.
    """
    inside = [a for a in touched if loop in a.loops]
    for a, b in _pairs(inside):
        signs = dict.fromkeys(a.loops[: a.loops.index(loop)], 0) | {loop: -1}
        clash = _clash(a, b, signs)
        if clash is not None:
            return clash
    return None


def met(changes: Sequence[Access], uses: Sequence[Access]) -> Clash | None:
    """An element that one of `changes` writes before one of `uses` reads it, with both."""
    for a in changes:
        for b in uses:
            if a.array == b.array:
                clashes = (_clash(a, b, signs) for signs in before(a, b))
                clash = next((c for c in clashes if c is not None), None)
                if clash is not None:
                    return clash
    return None


def reordered(old: Sequence[Access], new: Sequence[Access], *, commuting: bool) -> Clash | None:
    """Two clashing iterations whose order differs between `old` and `new`.

    Both list the same accesses at the same places, with the times of before and after.
    Updates by one operation commute among themselves: `commuting` asks about those pairs only,
    else about all others only.
    """
    assert len(old) == len(new), "the two orders are of the same accesses"
    after = dict(zip(map(id, old), new, strict=True))
    for a, b in _pairs(old):
        if (a.op is not None and a.op == b.op) != commuting:
            continue
        ways = (
            _merged(signs, back)
            for signs in before(a, b)
            for back in before(after[id(b)], after[id(a)])
        )
        settled = (_settled(a, b, signs) for signs in ways if signs is not None)
        signs = _possible(a, b, [x for x in settled if x is not None])
        clash = None if signs is None else _clash(a, b, signs)
        if clash is not None:
            return clash
    return None


def _pairs(touched: Sequence[Access]) -> Iterator[tuple[Access, Access]]:
    """Ordered pairs of accesses to one array of which at least one changes it."""
    groups: dict[str, list[Access]] = {a.array: [] for a in touched if a.changes}
    for a in touched:
        if a.array in groups:
            groups[a.array].append(a)
    for group in groups.values():
        pairs = ((a, b) for a in group for b in group if a.changes or b.changes)
        yield from ((a, b) for a, b in pairs if not (a.atomic and b.atomic and a.op == b.op))


def _possible(a: Access, b: Access, ways: Sequence[dict[str, int]]) -> dict[str, int] | None:
    """The first of several ways in which the two may touch the same element."""
    if len(ways) < 2:
        return next(iter(ways), None)
    same = {v for v in ways[0] if all(way.get(v) == 0 for way in ways)}
    names, conditions = _meeting(a, b, same)
    signs = {(v, sign) for way in ways for v, sign in way.items() if v not in same}
    tests = {(v, sign): _apart(v, sign) for v, sign in signs}
    frame = affine.frame(names, [*conditions, *tests.values()])
    points = affine.known(frame)
    for c in conditions:
        points = points.intersect(affine.condition(frame, c))
    sets = {key: affine.condition(frame, test) for key, test in tests.items()}
    for way in ways:
        some = points
        for key in way.items():
            some = some.intersect(sets[key]) if key in sets else some
        if not some.is_empty():
            return way
    return None


def _merged(order: Mapping[str, int], back: Mapping[str, int]) -> dict[str, int] | None:
    """Signs of first against second when the second comes back first; None: never both."""
    merged = dict(order)
    for loop, sign in back.items():
        if merged.setdefault(loop, -sign) != -sign:
            return None
    return merged


def _clash(a: Access, b: Access, signs: Mapping[str, int]) -> Clash | None:
    """An instance of each, `signs` apart, on the same element."""
    known = _settled(a, b, signs)
    if known is None:
        return None
    same = {v for v, sign in known.items() if sign == 0}
    return touching(a, b, same, [_apart(v, sign) for v, sign in known.items() if sign])


def touching(
    a: Access, b: Access, same: Collection[str], also: Sequence[Expr] = ()
) -> Clash | None:
    """An instance of each on the same element, loops in `same` in the same iteration.

    `also` holds as well; there the other variables of `b` are marked with `OTHER`.
    """
    names, conditions = _meeting(a, b, same)
    found = holds_at(names, [*conditions, *also])
    if found is None:
        return None
    values, exact = found
    first = {v: values[v] for v in a.loops if not v.startswith("turn ")}
    second = {v: values.get(v + OTHER, values.get(v, 0)) for v in b.loops}
    second = {v: n for v, n in second.items() if not v.startswith("turn ")}
    element = [None if e is None else number(e, values) for e in a.index]
    numbers = tuple(n for n in element if n is not None)
    return Clash(
        array=a.array,
        element=numbers if len(numbers) == len(element) else None,
        first=first,
        second=second,
        kinds=(a.kind, b.kind),
        exact=exact and a.exact and b.exact,
        where=(a.origin, b.origin),
    )


def _meeting(a: Access, b: Access, same: Collection[str]) -> tuple[list[str], list[Expr]]:
    """The variables of an instance of each, and what makes them meet on an element.

    Loops in `same` are in the same iteration; other variables of `b` are marked.
    """
    rename = {v: Var(v + OTHER) for v in b.loops if v not in same}
    conditions = [*a.conditions, *(substitute(c, rename) for c in b.conditions)]
    for x, y in zip(a.index, b.index, strict=True):
        if x is not None and y is not None:
            other = substitute(y, rename)
            conditions += [] if other == x else [apply("eq", x, other)]
    if a.unproved and a.unproved == b.unproved:  # only within one iteration of their grid
        known = (e for e in a.unproved if e is not None)
        conditions += [apply("eq", e, substitute(e, rename)) for e in known]
    names = [*a.loops, *(v + OTHER for v in b.loops if v in rename)]
    return names, list(dict.fromkeys(conditions))


def _settled(a: Access, b: Access, signs: Mapping[str, int]) -> dict[str, int] | None:
    """The signs with those that the element itself settles; None where no instance is left.

    Each iteration of a loop around a declaration has an array of its own, and a subscript
    that is one loop variable on both sides is the same iteration of that loop.
    """
    same = set(a.home)
    for x, y in zip(a.index, b.index, strict=True):
        match x, y:
            case Var(v), Var(w) if v == w and v in a.loops and v in b.loops:
                same.add(v)
            case Const(v), Const(w) if v != w:
                return None
            case _:
                pass
    known = dict(signs)
    for v in same:
        if known.setdefault(v, 0) != 0:
            return None
    return known


def _apart(loop: str, sign: int) -> Apply:
    op = {-1: "lt", 0: "eq", 1: "gt"}[sign]
    return apply(op, Var(loop), Var(loop + OTHER))


def holds_at(
    names: Sequence[str], conditions: Sequence[Expr]
) -> tuple[dict[str, int], bool] | None:
    """The least point at which all conditions hold, or None where there is none.

    The point has a value for each name and each i32 parameter met; the flag is false where
    isl could not say a part of the conditions, and the point is only a possible one.
    """
    names = tuple(dict.fromkeys((*names, *variables_of(conditions))))
    alone = _alone(conditions)
    linked = [c for c in conditions if (_bounded(c) or "") not in alone]
    frame = affine.frame([n for n in names if n not in alone], linked)
    points = affine.known(frame)
    for c in linked:
        points = points.intersect(affine.condition(frame, c))
    found = affine.sample(frame, points)
    return None if found is None else ({n: (alone | found)[n] for n in names}, frame.exact)


def _alone(conditions: Sequence[Expr]) -> dict[str, int]:
    """Variables that no condition ties to another, each with its least value.

    isl takes longer with each variable, and most ids are in no subscript.
    """
    bounds: dict[str, tuple[int, int]] = {}
    tied: set[str] = set()
    for c in conditions:
        match c:
            case Apply("ge", (Var(v), Const(n))) if v == _bounded(c):
                low, end = bounds.get(v, _ANY)
                bounds[v] = max(low, int(n)), end
            case Apply("lt", (Var(v), Const(n))) if v == _bounded(c):
                low, end = bounds.get(v, _ANY)
                bounds[v] = low, min(end, int(n))
            case _:
                tied.update(variables_of((c,)))
    least, most = _ANY
    return {
        v: low for v, (low, end) in bounds.items() if v not in tied and least < low < end < most
    }


def _bounded(c: Expr) -> str | None:
    """The variable that a condition compares with a literal, and says nothing else."""
    match c:
        case Apply("ge" | "lt", (Var(v), Const(_, dtype))) if dtype is I32:
            return v
        case _:
            return None


def covered(
    shared: Sequence[str], wanted: Sequence[Expr], inner: Sequence[str], given: Sequence[Expr]
) -> bool:
    """Whether for each point of `shared` where `wanted` holds, some `inner` makes `given` hold.

    False where isl cannot say one of them.
    """
    import islpy as isl

    given = [c for c in given if c not in wanted]
    if not given:
        return True
    known = {*shared, *inner}
    others = [v for v in variables_of((*wanted, *given)) if v not in known]
    shared = [*shared, *others]
    frame = affine.frame((*shared, *inner), (*wanted, *given))
    if not frame.exact:
        return False
    wish, have = affine.everywhere(frame), affine.everywhere(frame)
    for c in wanted:
        wish = wish.intersect(affine.condition(frame, c))
    for c in given:
        have = have.intersect(affine.condition(frame, c))
    have = have.intersect(wish)

    def seen(points: isl.Set) -> isl.Set:
        return points.project_out(isl.dim_type.set, len(shared), len(inner))

    return bool(seen(wish).is_subset(seen(have)))


def _kind(a: Access, b: Access) -> Literal["flow", "anti", "output"]:
    if not a.changes:
        return "anti"
    return "output" if b.kind == "writes" else "flow"


def _point(values: Mapping[str, int]) -> str:
    inside = ", ".join(f"{name}={value}" for name, value in values.items())
    return f"({inside})" if inside else "the statement"
