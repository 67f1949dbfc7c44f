"""Loop blocks: each element of what a block defines is written, and by one parallel iteration.

An element is surely written where some iteration writes it whatever the values are that isl
cannot say; whether two iterations write it is asked in `clashes`. Counter-examples are isl's.
An array that has values before the block keeps those that the block does not write.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from workbench.ir import affine
from workbench.ir.expr import Expr, Range, Var, apply, integer
from workbench.ir.forms import opaque
from workbench.ir.graph import Block, Equation, Graph, Repeat, defined, expanded
from workbench.ir.stmt import Body, Break, For, If, LoopKind, Store, While, bodies, walk_stmts
from workbench.lang.accesses import Access, accesses_of
from workbench.lang.bounds import world_of
from workbench.lang.clashes import Marks, Writes, clashes, happens, likes, meet, pointwise, waits
from workbench.lang.extents import same
from workbench.lang.prove import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.ir.affine import Points
    from workbench.ir.graph import Definition
    from workbench.lang.report import Report


def check_writes(report: Report, graph: Graph) -> Graph:
    """Report elements of blocks not proved written, or written by two iterations.

    Gives the graph with its stores marked, atomic and unproved ones; marks of before are gone.
    """
    marks = Marks()
    inputs = frozenset(a.name for a in graph.inputs)
    for d, world, known in _blocks(graph.definitions, world_of(graph), inputs):
        found = tuple(accesses_of(d))
        uncertain = frozenset(id(s) for s in _uncertain(d.body))
        for array in d.defines:
            stores = tuple(a for a in found if a.store is not None and a.array == array.name)
            again = array.name in known
            w = Writes(world, array, _parallel(d), stores, uncertain, again)
            marks |= _check(report, d, w)

    def put(d: Equation | Block) -> tuple[Definition]:
        return (replace(d, body=marks.put(d.body)) if isinstance(d, Block) else d,)

    return replace(graph, definitions=expanded(graph.definitions, put))


def _blocks(
    definitions: tuple[Definition, ...], world: World, known: frozenset[str]
) -> Iterator[tuple[Block, World, frozenset[str]]]:
    """The blocks, each with what holds around it and the arrays that have values before it.

    Repeats give a number between their bounds; what only they define is new in each turn.
    """
    for d in definitions:
        match d:
            case Block():
                yield d, world, known
            case Repeat():
                turn = Var(d.var)
                facts = (apply("le", d.start, turn), apply("lt", turn, d.stop))
                inner = World(world.dims, (*world.scalars, d.var), (*world.facts, *facts))
                yield from _blocks(d.body, inner, known)
            case Equation():
                pass
            case _:
                assert_never(d)
        known |= {a.name for a in defined(d)}


def _check(report: Report, d: Block, w: Writes) -> Marks:
    marks = clashes(report, w)
    if marks is None:
        return Marks()
    if not w.again and not (_fits(w) and _surely(w, d.body)):
        try:
            _check_missing(report, w)
        except affine.EffortError:
            span = w.array.origin.nearest_span()
            assert span is not None, "an array of a block has a place"
            name = w.array.name
            report.wrong(
                span,
                f"'{name}': not proved that every element is written; isl gave up",
                hint=f"{name}[{', '.join(w.loops)}] = ... at the end of the block",
            )
    return marks


def _parallel(d: Block) -> tuple[Range, ...]:
    return tuple(
        Range(s.var, s.start, s.stop, origin=s.origin)
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


def _fits(w: Writes) -> bool:
    """Whether the grid is the array: all stores pointwise, in one order, the extents the same."""
    stops = {r.var: r.stop for r in w.parallel}
    return all(
        isinstance(x, Var) and x.name in stops and same(stops[x.name], extent)
        for a in w.stores
        for x, extent in zip(a.index, w.array.shape, strict=True)
    ) and all(pointwise(w, a) for a in w.stores)


def _surely(w: Writes, body: Body) -> bool:
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


def _check_missing(report: Report, w: Writes) -> None:
    """Report an element that no iteration is proved to write."""
    sure: list[tuple[Access, list[Expr]]] = []
    for a in w.stores:
        conditions = happens(w, a)
        serial = tuple(r.var for r in a.scene.ranges if r.var not in w.loops)
        known = (*w.outer, *w.element, *w.loops, *serial)
        unsaid = any(opaque(e, known) for e in conditions)
        if id(a.store) not in w.uncertain and not (serial and unsaid):
            sure.append((a, conditions))
    inner = [r.var for a, _ in sure for r in a.scene.ranges if r.var not in w.loops]
    variables = tuple(dict.fromkeys((*w.outer, *w.element, *w.loops, *inner)))
    everything = [e for _, conditions in sure for e in conditions]
    need = _needed(w)
    f = affine.frame(variables, [*everything, *need])
    if not f.exact and waits(w, variables, *w.stores):
        return
    with affine.bounded(f):
        missing = _missing(f, w, [h for _, h in sure], need)
        _report_missing(report, w, f, missing)


def _needed(w: Writes) -> list[Expr]:
    """The elements of the array, for all dims that the facts allow."""
    result: list[Expr] = []
    result += [apply("le", integer(0), Var(d)) for d in w.world.dims]
    for n, extent in zip(w.element, w.array.shape, strict=True):
        result += [apply("le", integer(0), Var(n)), apply("lt", Var(n), extent)]
    return [*result, *w.world.facts]


def _missing(f: affine.Frame, w: Writes, sure: list[list[Expr]], need: list[Expr]) -> Points:
    """Elements that no iteration writes for all values of the parts, in the frame's space."""
    outer = len(w.outer) + len(w.element)
    loops = outer + len(w.loops)
    parts = len(f.variables)
    written = affine.nowhere(f)
    for conditions in sure:
        written = written.union(meet(f, conditions))
    written = affine.freed(written, loops, parts)
    domain: list[Expr] = [
        e
        for r in w.parallel
        for e in (apply("le", r.start, Var(r.var)), apply("lt", Var(r.var), r.stop))
    ]
    iterations = meet(f, domain)
    everything = parts + len(f.parts)
    failing = iterations.intersect(affine.known(f)).subtract(written)
    surely = affine.freed(iterations, loops, everything).subtract(
        affine.freed(failing, loops, everything)
    )
    reached = affine.freed(surely, outer, everything)
    return meet(f, need).subtract(reached)


def _report_missing(report: Report, w: Writes, f: affine.Frame, missing: Points) -> None:
    example = affine.sample(f, missing, likes=likes(f, w))
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
