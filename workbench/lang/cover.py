"""Loop blocks: each element of what a block defines is written, and by one parallel iteration.

An element is surely written where some iteration writes it whatever the values are that isl
cannot say; two iterations clash where both may write it. Counter-examples are isl's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from workbench.base.dtypes import BOOL
from workbench.ir import affine
from workbench.ir.expr import Const, Expr, Range, Var, apply, free_names, integer, substitute, walk
from workbench.ir.forms import opaque
from workbench.ir.graph import Array, Block, Equation, Graph, Repeat
from workbench.ir.stmt import Body, Break, For, If, LoopKind, Store, While, bodies, walk_stmts
from workbench.lang.accesses import Access, accesses_of
from workbench.lang.extents import same
from workbench.lang.prove import World, conditions_of, settled_by_literals, tame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.ir.affine import Points
    from workbench.ir.graph import Definition
    from workbench.lang.report import Report

_LIKED = (8, 4)
"""Sizes of dims that counter-examples take if they can."""


@dataclass(frozen=True, slots=True)
class _Writes:
    """The stores of one array in one block, each with its conditions; `element` its indices."""

    world: World
    array: Array
    parallel: tuple[Range, ...]
    stores: tuple[Access, ...]
    uncertain: frozenset[int]

    @property
    def element(self) -> tuple[str, ...]:
        return tuple(f"(element {n})" for n in range(len(self.array.shape)))

    @property
    def outer(self) -> tuple[str, ...]:
        """Dims and scalars."""
        return tuple(dict.fromkeys((*self.world.dims, *self.world.scalars)))

    @property
    def loops(self) -> tuple[str, ...]:
        return tuple(r.var for r in self.parallel)


def check_cover(report: Report, everywhere: World, graph: Graph) -> None:
    """Report arrays of blocks with elements not proved written, or written by two iterations."""
    for d, world in _blocks(graph.definitions, everywhere):
        found = tuple(accesses_of(d))
        uncertain = frozenset(id(s) for s in _uncertain(d.body))
        for array in d.defines:
            stores = tuple(a for a in found if a.store is not None and a.array == array.name)
            w = _Writes(world, array, _parallel(d), stores, uncertain)
            try:
                _check(report, d, w)
            except affine.EffortError:
                span = array.origin.nearest_span()
                assert span is not None, "an array of a block has a place"
                report.wrong(
                    span,
                    f"'{array.name}': not proved that every element is written by one iteration; "
                    "isl gave up",
                    hint=f"{array.name}[{', '.join(w.loops)}] = ... at the end of the block",
                )


def _blocks(definitions: tuple[Definition, ...], world: World) -> Iterator[tuple[Block, World]]:
    """The blocks, each with what holds around it: repeats give a number between their bounds."""
    for d in definitions:
        match d:
            case Block():
                yield d, world
            case Repeat():
                turn = Var(d.var)
                facts = (apply("le", d.start, turn), apply("lt", turn, d.stop))
                inner = World(world.dims, (*world.scalars, d.var), (*world.facts, *facts))
                yield from _blocks(d.body, inner)
            case Equation():
                pass
            case _:
                assert_never(d)


def _check(report: Report, d: Block, w: _Writes) -> None:
    apart = all(_pointwise(w, a) for a in w.stores) or not _clash_found(report, w)
    if apart and not (_fits(w) and _surely(w, d.body)):
        _check_missing(report, w)


def _parallel(d: Block) -> tuple[Range, ...]:
    return tuple(
        Range(s.var, s.start, s.stop)
        for s in walk_stmts(d.body)
        if isinstance(s, For) and s.kind is LoopKind.PARALLEL
    )


def _uncertain(body: Body) -> Iterator[Store]:
    """The stores in loops that may end early."""
    for s in body:
        inner = [x for b in bodies(s) for x in b]
        early = isinstance(s, While) or (
            isinstance(s, For)
            and s.kind is not LoopKind.PARALLEL
            and any(isinstance(x, Break) for x in walk_stmts(s.body))
        )
        if early:
            yield from (x for x in walk_stmts(tuple(inner)) if isinstance(x, Store))
        else:
            yield from _uncertain(tuple(inner))


def _pointwise(w: _Writes, a: Access) -> bool:
    """Whether the element is the parallel indices themselves, each once, in any order."""
    names = [x.name for x in a.index if isinstance(x, Var)]
    return len(names) == len(a.index) and sorted(names) == sorted(w.loops)


def _fits(w: _Writes) -> bool:
    """Whether the grid is the array: all stores pointwise, in one order, the extents the same."""
    stops = {r.var: r.stop for r in w.parallel}
    return all(
        isinstance(x, Var) and x.name in stops and same(stops[x.name], extent)
        for a in w.stores
        for x, extent in zip(a.index, w.array.shape, strict=True)
    ) and all(_pointwise(w, a) for a in w.stores)


def _surely(w: _Writes, body: Body) -> bool:
    """Whether a store of the array stands on every way through a body, by its form alone."""
    for s in body:
        match s:
            case Store(array) if array == w.array.name:
                return True
            case If(_, then, orelse) if _surely(w, then) and _surely(w, orelse):
                return True
            case For(_, _, _, inner) if s.kind is LoopKind.PARALLEL and _surely(w, inner):
                return True
            case _:
                continue
    return False


def _equal(w: _Writes, index: tuple[Expr, ...]) -> list[Expr]:
    return [apply("eq", Var(n), x) for n, x in zip(w.element, index, strict=True)]


def _happens(w: _Writes, a: Access) -> list[Expr]:
    """The conditions under which a store writes the element."""
    inner = tuple(r.var for r in a.scene.ranges)
    variables = tuple(dict.fromkeys((*w.outer, *w.element, *inner)))
    given = conditions_of(w.world, a.scene)
    conditions, index = tame(w.world, variables, given, a.index)
    return [*conditions, *_equal(w, index)]


def _clash_found(report: Report, w: _Writes) -> bool:
    """Report the first pair of stores that two parallel iterations may make to one element."""
    pairs = ((a, b) for place, a in enumerate(w.stores) for b in w.stores[place:])
    return any(_clashes(report, w, a, b) for a, b in pairs)


def _clashes(report: Report, w: _Writes, a: Access, b: Access) -> bool:
    first, second = _happens(w, a), [_primed(w, e) for e in _happens(w, b)]
    serial = [r.var for x in (a, b) for r in x.scene.ranges if r.var not in w.loops]
    inner = (*w.loops, *serial)
    variables = (*w.outer, *inner, *map(_other, inner), *w.element)
    apart: Expr = Const(value=False, dtype=BOOL)
    for n in w.loops:
        apart = apply("or", apart, apply("ne", Var(n), Var(_other(n))))
    everything = [*first, *second, apart]
    names = tuple(dict.fromkeys(variables))
    f = affine.frame(names, everything)
    with affine.bounded(f):
        points = _meet(f, everything)
        if points.is_empty() or (not f.exact and _waits(w, names, a, b)):
            return False
        example = affine.sample(f, points, likes=_likes(f, w))
    assert example is not None, "the set is not empty"
    one = ", ".join(f"{n} = {example[n]}" for n in w.loops)
    two = ", ".join(f"{n} = {example[_other(n)]}" for n in w.loops)
    word = "both write" if f.exact else "may both write"
    element = f"{w.array.name}[{', '.join(str(example[n]) for n in w.element)}]"
    span = b.origin.nearest_span()
    assert span is not None, "a store of a block has a place"
    report.wrong(
        span,
        f"the iterations ({one}) and ({two}) {word} {element}",
        hint=f"an element for each iteration: {w.array.name}[{', '.join(w.loops)}] = ...",
    )
    return True


def _waits(w: _Writes, variables: Sequence[str], *stores: Access) -> bool:
    """Whether literal dims will decide: what isl cannot say is arithmetic on dims only."""
    said = [e for a in stores for e in (*conditions_of(w.world, a.scene), *a.index)]
    return settled_by_literals(w.world, variables, [*said, *w.array.shape])


def _primed(w: _Writes, e: Expr) -> Expr:
    """The same condition in the second iteration: all but dims and scalars are its own."""
    fixed = {*w.outer, *w.element}
    names = free_names(e) - fixed
    return substitute(e, {n: _second(e, n) for n in names})


def _other(name: str) -> str:
    """The name of a variable in the second iteration."""
    return f"{name}'"


def _second(e: Expr, name: str) -> Var:
    dtype = next(x.dtype for x in walk(e) if isinstance(x, Var) and x.name == name)
    return Var(_other(name), dtype)


def _check_missing(report: Report, w: _Writes) -> None:
    """Report an element that no iteration is proved to write."""
    sure: list[tuple[Access, list[Expr]]] = []
    for a in w.stores:
        happens = _happens(w, a)
        serial = tuple(r.var for r in a.scene.ranges if r.var not in w.loops)
        known = (*w.outer, *w.element, *w.loops, *serial)
        unsaid = any(opaque(e, known) for e in happens)
        if id(a.store) not in w.uncertain and not (serial and unsaid):
            sure.append((a, happens))
    inner = [r.var for a, _ in sure for r in a.scene.ranges if r.var not in w.loops]
    variables = tuple(dict.fromkeys((*w.outer, *w.element, *w.loops, *inner)))
    everything = [e for _, happens in sure for e in happens]
    need = _needed(w)
    f = affine.frame(variables, [*everything, *need])
    if not f.exact and _waits(w, variables, *w.stores):
        return
    with affine.bounded(f):
        missing = _missing(f, w, [h for _, h in sure], need)
        _report_missing(report, w, f, missing)


def _needed(w: _Writes) -> list[Expr]:
    """The elements of the array, for all dims that the facts allow."""
    result: list[Expr] = []
    result += [apply("le", integer(0), Var(d)) for d in w.world.dims]
    for n, extent in zip(w.element, w.array.shape, strict=True):
        result += [apply("le", integer(0), Var(n)), apply("lt", Var(n), extent)]
    return [*result, *w.world.facts]


def _missing(f: affine.Frame, w: _Writes, sure: list[list[Expr]], need: list[Expr]) -> Points:
    """Elements that no iteration writes for all values of the parts, in the frame's space."""
    outer = len(w.outer) + len(w.element)
    loops = outer + len(w.loops)
    parts = len(f.variables)
    written = affine.nowhere(f)
    for happens in sure:
        written = written.union(_meet(f, happens))
    written = affine.freed(written, loops, parts)
    domain: list[Expr] = [
        e
        for r in w.parallel
        for e in (apply("le", r.start, Var(r.var)), apply("lt", Var(r.var), r.stop))
    ]
    iterations = _meet(f, domain)
    everything = parts + len(f.parts)
    failing = iterations.intersect(affine.known(f)).subtract(written)
    surely = affine.freed(iterations, loops, everything).subtract(
        affine.freed(failing, loops, everything)
    )
    reached = affine.freed(surely, outer, everything)
    return _meet(f, need).subtract(reached)


def _report_missing(report: Report, w: _Writes, f: affine.Frame, missing: Points) -> None:
    example = affine.sample(f, missing, likes=_likes(f, w))
    if example is None:
        return
    span = w.array.origin.nearest_span()
    assert span is not None, "an array of a block has a place"
    dims = ", ".join(f"{d} = {example[d]}" for d in w.outer)
    element = f"{w.array.name}[{', '.join(str(example[n]) for n in w.element)}]"
    report.wrong(
        span,
        f"{element} is not proved to be written{f' ({dims})' if dims else ''}; "
        "a block writes every element of what it defines",
        hint=f"{' '.join(span.text.split())} = ... in every branch, for every element",
    )


def _meet(f: affine.Frame, conditions: list[Expr]) -> Points:
    points = affine.everywhere(f)
    for c in conditions:
        points = points.intersect(affine.condition(f, c))
    return points


def _likes(f: affine.Frame, w: _Writes) -> list[Points]:
    return [
        affine.condition(f, apply("eq", Var(d), integer(size)))
        for size in _LIKED
        for d in w.world.dims
    ]
