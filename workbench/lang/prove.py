"""Whether an index stays inside its extent: proved, refuted by an example, or unknown.

isl thinks in whole numbers without end; where arithmetic could leave i32 and wrap, the result
counts as unknown instead. Indices and dims are taken to be at most `LARGEST_DIM`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL, I32
from workbench.ir import affine
from workbench.ir.expr import (
    Apply,
    Cast,
    Const,
    Expr,
    Range,
    Select,
    Var,
    apply,
    free_names,
    integer,
    rebuild,
    substitute,
    walk,
)
from workbench.ir.forms import opaque
from workbench.lang.extents import same

if TYPE_CHECKING:
    from workbench.ir.affine import Points
    from workbench.lang.accesses import Scene

LARGEST_DIM = 2**27
_END = 2**31
_SOME_DIM = 6
INDEX, EXTENT = "(index)", "(extent)"


@dataclass(frozen=True, slots=True)
class Proved:
    """For all values."""


@dataclass(frozen=True, slots=True)
class Refuted:
    """An example: values of the variables, and what the index and the extent are there.

    `only_empty` where every example has an extent of 0.
    """

    example: Mapping[str, int]
    index: int
    extent: int
    only_empty: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither: `parts` are what isl cannot say, `gave_up` where it took too long."""

    parts: tuple[Expr, ...]
    gave_up: bool = False


@dataclass(frozen=True, slots=True)
class Waits:
    """Decided once the dims are literals: products of dims, `e % N`, `e // N`."""


Verdict = Proved | Refuted | Unknown | Waits


@dataclass(frozen=True, slots=True)
class World:
    """What holds everywhere in a kernel: its dims, its i32 scalars, its facts.

    `dims` hold the scalars that stand in extents; a call refuses any of `dims` below 0.
    """

    dims: tuple[str, ...]
    scalars: tuple[str, ...]
    facts: tuple[Expr, ...]


def prove_inside(world: World, scene: Scene, index: Expr, extent: Expr) -> Verdict:
    """Whether `0 <= index < extent` wherever the scene's ranges and conditions hold."""
    if _plain(scene, index, extent):
        return Proved()
    try:
        return _decided(world, scene, index, extent)
    except affine.EffortError:
        return Unknown((), gave_up=True)


def _decided(world: World, scene: Scene, index: Expr, extent: Expr) -> Verdict:
    variables = (*world.dims, *world.scalars, *(r.var for r in scene.ranges))
    variables = tuple(dict.fromkeys(variables))
    conditions = conditions_of(world, scene)
    waits = settled_by_literals(world, variables, [*conditions, index, extent])
    near = _related(conditions, (index, extent))
    if _holds(world, variables, near, index, extent):
        return Proved()
    conditions, (index, extent) = tame(world, variables, conditions, (index, extent))
    equal = [apply("eq", Var(INDEX), index), apply("eq", Var(EXTENT), extent)]
    everything = [*conditions, *equal]
    f = affine.frame((*variables, INDEX, EXTENT), everything)
    with affine.bounded(f):
        inside = affine.between(f, integer(0), Var(INDEX), Var(EXTENT))
        outside = meet(f, everything).subtract(inside)
        if outside.is_empty():
            return Proved()
        if not f.exact:
            return Waits() if waits else Unknown(f.parts)
        return _example(f, world, outside)


def prove_fact(world: World, ranges: tuple[Range, ...], fact: Expr) -> bool:
    """Whether a condition on dims, scalars and loops around it holds for all of them."""
    variables = tuple(dict.fromkeys((*world.dims, *world.scalars, *(r.var for r in ranges))))
    given: list[Expr] = [apply("le", integer(0), Var(d)) for d in world.dims]
    for r in ranges:
        given += [apply("le", r.start, Var(r.var)), apply("lt", Var(r.var), r.stop)]
    for c in world.facts:
        given += _conjuncts(c)
    conditions, (said,) = tame(world, variables, given, (fact,))
    f = affine.frame(variables, [*conditions, said])
    try:
        with affine.bounded(f):
            return bool(meet(f, conditions).is_subset(affine.condition(f, said)))
    except affine.EffortError:
        return False


def meet(f: affine.Frame, conditions: Sequence[Expr]) -> Points:
    """The points at which all conditions hold, and what is known of the frame's parts."""
    points = affine.known(f)
    for c in conditions:
        points = points.intersect(affine.condition(f, c))
    return points


def settled_by_literals(
    world: World, variables: Sequence[str], expressions: Sequence[Expr]
) -> bool:
    """Whether isl can say all of the expressions once the dims are literals, but not before."""
    dims: dict[str, Expr] = {d: integer(_SOME_DIM) for d in world.dims}
    inner = [v for v in variables if v not in dims]
    return any(opaque(e, variables) for e in expressions) and not any(
        opaque(substitute(e, dims), inner) for e in expressions
    )


def _related(conditions: Sequence[Expr], expressions: Sequence[Expr]) -> list[Expr]:
    """The conditions that share a variable with the expressions, or with one that does."""
    names = frozenset[str]().union(*map(free_names, expressions))
    rest = [(c, free_names(c)) for c in conditions]
    while True:
        wider = names.union(*(n for _, n in rest if n & names))
        if wider == names:
            return [c for c, n in rest if n & names]
        names = wider


def _holds(
    world: World, variables: Sequence[str], conditions: Sequence[Expr], index: Expr, extent: Expr
) -> bool:
    """Whether the conditions given are enough for a proof."""
    used = frozenset[str]().union(*map(free_names, (*conditions, index, extent)))
    variables = [v for v in variables if v in used]
    conditions, (index, extent) = tame(world, variables, conditions, (index, extent))
    f = affine.frame(variables, [*conditions, index, extent])
    with affine.bounded(f):
        inside = affine.between(f, integer(0), index, extent)
        return bool(meet(f, conditions).is_subset(inside))


def _example(f: affine.Frame, world: World, outside: Points) -> Refuted:
    some = affine.condition(f, apply("gt", Var(EXTENT), integer(0)))
    wishes = [some]
    for size in (8, 4):
        wishes += [affine.condition(f, apply("eq", Var(d), integer(size))) for d in world.dims]
    point = affine.sample(f, outside, likes=wishes)
    assert point is not None, "the set is not empty"
    values = {k: v for k, v in point.items() if k not in {INDEX, EXTENT}}
    empty = outside.intersect(some).is_empty()
    return Refuted(values, point[INDEX], point[EXTENT], only_empty=bool(empty))


def _plain(scene: Scene, index: Expr, extent: Expr) -> bool:
    """The common case, without isl: a literal, or an index that runs over exactly the extent."""
    match index:
        case Const(value) if isinstance(extent, Const):
            return 0 <= value < extent.value
        case Var(name):
            r = next((r for r in reversed(scene.ranges) if r.var == name), None)
            if r is None or not isinstance(r.start, Const) or r.start.value < 0:
                return False
            return same(r.stop, extent)
        case _:
            return False


def conditions_of(world: World, scene: Scene) -> list[Expr]:
    """Ranges, facts and the path as conditions, conjunctions taken apart."""
    result: list[Expr] = []
    result += [apply("le", integer(0), Var(d)) for d in world.dims]
    for r in scene.ranges:
        result += [apply("le", r.start, Var(r.var)), apply("lt", Var(r.var), r.stop)]
    for c in (*world.facts, *scene.path):
        result += _conjuncts(c)
    return result


def _conjuncts(e: Expr) -> list[Expr]:
    match e:
        case Apply("and", (a, b)):
            return [*_conjuncts(a), *_conjuncts(b)]
        case Select(a, b, Const(False)):
            return [*_conjuncts(a), *_conjuncts(b)]
        case Apply("not", (Apply("or", (a, b)),)):
            return [*_conjuncts(apply("not", a)), *_conjuncts(apply("not", b))]
        case _:
            return [e]


def tame(
    world: World,
    variables: Sequence[str],
    conditions: Sequence[Expr],
    expressions: Sequence[Expr],
) -> tuple[list[Expr], tuple[Expr, ...]]:
    """The same with arithmetic that may leave i32 replaced by names of which nothing is known.

    Only what is already tame counts as known while the rest is examined.
    """
    narrow = frozenset(variables) - frozenset(world.scalars)
    known = [c for c in conditions if not _wild(c, narrow)]
    wild = [c for c in conditions if _wild(c, narrow)]
    if not wild and not any(_wild(e, narrow) for e in expressions):
        return list(conditions), tuple(expressions)
    for name in variables:
        end = LARGEST_DIM if name in narrow else _END - 1
        known.append(apply("le", Var(name), integer(end)))
        known.append(apply("le", integer(-end if name in narrow else -_END), Var(name)))
    for c in wild:
        known.append(_tamed(c, narrow, variables, known))
    return known, tuple(_tamed(e, narrow, variables, known) for e in expressions)


def _tamed(
    e: Expr, narrow: frozenset[str], variables: Sequence[str], known: Sequence[Expr]
) -> Expr:
    inner = rebuild(e, lambda x: _tamed(x, narrow, variables, known))
    if not _suspicious(inner, narrow) or opaque(inner, variables)[:1] == (inner,):
        return inner
    f = affine.frame(variables, [*known, inner])
    with affine.bounded(f):
        inside = affine.between(f, integer(-_END), inner, integer(_END))
        if meet(f, known).is_subset(inside):
            return inner
    return Var(f"wraps {inner!r}", I32)


def _wild(e: Expr, narrow: frozenset[str]) -> bool:
    return any(_suspicious(x, narrow) for x in walk(e))


def _suspicious(e: Expr, narrow: frozenset[str]) -> bool:
    """Whether arithmetic could leave i32, judged by the sizes of its operands alone."""
    match e:
        case Apply("add" | "sub" | "mul" | "neg" | "abs") if e.dtype is I32:
            return _size(e, narrow) >= _END
        case _:
            return False


def _size(e: Expr, narrow: frozenset[str]) -> int:
    """A bound of the absolute value."""
    match e:
        case Const(value):
            return abs(int(value)) if e.dtype is I32 else 1
        case Var(name):
            return LARGEST_DIM if name in narrow else _END
        case Apply(("add" | "sub"), (a, b)):
            return _fit(a, narrow) + _fit(b, narrow)
        case Apply("mul", (a, b)):
            return _fit(a, narrow) * _fit(b, narrow)
        case Apply(("neg" | "abs" | "floordiv" | "shr"), (a, *_)):
            return _fit(a, narrow)
        case Apply("mod", (_, b)):
            return _fit(b, narrow)
        case Apply(("min" | "max"), (a, b)) | Select(_, a, b):
            return max(_fit(a, narrow), _fit(b, narrow))
        case Cast(_, arg) if arg.dtype is BOOL:
            return 1
        case _:
            return _END


def _fit(e: Expr, narrow: frozenset[str]) -> int:
    return min(_size(e, narrow), _END)
