"""Loop blocks: each element of what a block defines is written, and by one parallel iteration.

An element is surely written where some iteration writes it whatever the values are that isl
cannot say; whether two iterations write it is asked in `clashes`. Counter-examples are isl's.
An array that has values before the block keeps those that the block does not write.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from workbench.base.errors import Mistake
from workbench.ir import affine
from workbench.ir.expr import Expr, Range, Var, apply, integer
from workbench.ir.forms import opaque
from workbench.ir.graph import Block, Equation, Graph, Repeat, defined, each, expanded
from workbench.ir.stmt import Body, Break, For, If, LoopKind, Store, While, bodies, walk_stmts
from workbench.lang.accesses import Access, accesses_of
from workbench.lang.bounds import world_of
from workbench.lang.clashes import (
    Marks,
    Writes,
    apart,
    check_reads,
    clashes,
    happens,
    likes,
    meet,
    pointwise,
    waits,
)
from workbench.lang.extents import same, shape_text
from workbench.lang.lines import valued
from workbench.lang.prove import World
from workbench.lang.written import check_written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workbench.base.source import Span
    from workbench.ir.affine import Points
    from workbench.ir.graph import Array, Definition
    from workbench.lang.report import Report


def check_writes(report: Report, graph: Graph) -> Graph:
    """Report elements of blocks not proved written, or written by two iterations.

    Gives the graph with its stores marked, atomic and unproved ones; marks of before are gone.
    """
    marks = Marks()
    inputs = frozenset(a.name for a in graph.inputs)
    covered: set[tuple[int, str]] = set()
    lacking: dict[str, Mistake] = {}
    parts: set[str] = set()
    for d, world, known in _blocks(graph.definitions, world_of(graph), inputs):
        found = tuple(accesses_of(d))
        uncertain = frozenset(id(s) for s in _uncertain(d.body))
        for array in d.defines:
            stores = tuple(a for a in found if a.store is not None and a.array == array.name)
            again = array.name in known
            w = Writes(world, array, _parallel(d), stores, uncertain, again)
            found_marks = clashes(report, w)
            if found_marks is None:
                covered.add((id(d), array.name))
                continue
            marks |= found_marks
            check_reads(report, w, _loads(found, array.name))
            if again and array.name not in parts:
                continue
            missing = _missing_mistake(d, w)
            if missing is None:
                covered.add((id(d), array.name))
            else:
                parts.add(array.name)
                lacking[array.name] = missing

    definitions = [a.name for d in each(graph.definitions) for a in defined(d)]
    only = {k: m for k, m in lacking.items() if definitions.count(k) == 1}
    check_written(report, world_of(graph), graph, frozenset(covered), only)

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


def _missing_mistake(d: Block, w: Writes) -> Mistake | None:
    """What a block leaves out of an array, as a mistake; None where it writes every element."""
    if _fits(w) and _surely(w, d.body):
        return None
    try:
        return _check_missing(w)
    except affine.EffortError:
        span = w.array.origin.nearest_span()
        assert span is not None, "an array of a block has a place"
        name = w.array.name
        return Mistake(
            f"'{name}': not proved that every element is written; isl gave up",
            span,
            _filled(w, span),
        )


def _loads(found: Iterable[Access], name: str) -> list[Access]:
    return [a for a in found if a.store is None and a.array == name]


def reads_apart(world: World, d: Block, array: Array) -> bool:
    """Whether it is proved that no iteration reads of an array what another one writes."""
    found = tuple(accesses_of(d))
    stores = tuple(a for a in found if a.store is not None and a.array == array.name)
    w = Writes(world, array, _parallel(d), stores, frozenset(), again=True)
    return apart(w, _loads(found, array.name))


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


def _check_missing(w: Writes) -> Mistake | None:
    """An element that no iteration is proved to write."""
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
        return None
    with affine.bounded(f):
        missing = _missing(f, w, [h for _, h in sure], need)
        return _mistake(w, f, missing)


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


def _mistake(w: Writes, f: affine.Frame, missing: Points) -> Mistake | None:
    example = affine.sample(f, missing, likes=likes(f, w))
    if example is None:
        return None
    span = w.array.origin.nearest_span()
    assert span is not None, "an array of a block has a place"
    dims = ", ".join(f"{d} = {example[d]}" for d in w.outer)
    element = f"{w.array.name}[{', '.join(str(example[n]) for n in w.element)}]"
    return Mistake(
        f"{element} is not proved to be written{f' ({dims})' if dims else ''}; "
        "every element of what a block defines needs a value",
        span,
        _filled(w, span),
    )


def _filled(w: Writes, span: Span) -> str:
    """The declaration that gives every element a value before the block."""
    a = w.array
    return valued(span.source, a.name, shape_text(a.dtype, a.shape), a.dtype)
