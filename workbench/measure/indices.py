"""Which inputs are used as indices, and of what extent: so that random ones mean something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.ir.expr import Expr, Load, Reduce, Var, loads, walk
from workbench.ir.graph import Block, Graph, each
from workbench.ir.stmt import Alloc, For, Store, expressions, walk_stmts
from workbench.passes.fold import literal_int

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def indexed(graph: Graph) -> dict[str, int]:
    """The smallest extent that the elements of an array index, for arrays that stand in indices.

    Elements that bound a range count as the index that runs over it.
    """
    limits: dict[str, int] = {}
    bounds = _bounds(graph)
    shapes = _shapes(graph)
    for array, index in _indices(graph):
        for place, e in enumerate(index):
            extent = shapes[array][place]
            for name in _sources(e, bounds):
                limits[name] = min(extent, limits.get(name, extent))
    return limits


def scattering(graph: Graph) -> frozenset[str]:
    """The arrays whose elements say where stores write that are not proved apart."""
    bounds = _bounds(graph)
    return frozenset(
        name
        for d in each(graph.definitions)
        if isinstance(d, Block)
        for s in walk_stmts(d.body)
        if isinstance(s, Store) and s.unproved
        for e in s.index
        for name in _sources(e, bounds)
    )


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    shapes = {n: tuple(literal_int(x) or 0 for x in a.shape) for n, a in graph.arrays().items()}
    for d in each(graph.definitions):
        if isinstance(d, Block):
            shapes |= {s.name: s.shape for s in walk_stmts(d.body) if isinstance(s, Alloc)}
    return shapes


def _bounds(graph: Graph) -> dict[str, set[str]]:
    """The arrays whose elements bound a range, by the index that runs over it."""
    found: dict[str, set[str]] = {}
    for var, ends in _ranges(graph):
        found.setdefault(var, set()).update(load.array for end in ends for load in loads(end))
    return found


def _sources(e: Expr, bounds: Mapping[str, set[str]]) -> Iterator[str]:
    """The arrays whose elements go into an index, or bound the index itself."""
    for x in walk(e):
        if isinstance(x, Load):
            yield x.array
        if isinstance(x, Var):
            yield from bounds.get(x.name, ())


def _expressions(graph: Graph) -> Iterator[Expr]:
    for d in each(graph.definitions):
        if isinstance(d, Block):
            for s in walk_stmts(d.body):
                yield from expressions(s)
        else:
            yield d.value


def _indices(graph: Graph) -> Iterator[tuple[str, tuple[Expr, ...]]]:
    for d in each(graph.definitions):
        if isinstance(d, Block):
            yield from ((s.array, s.index) for s in walk_stmts(d.body) if isinstance(s, Store))
    for e in _expressions(graph):
        yield from ((load.array, load.index) for load in loads(e))


def _ranges(graph: Graph) -> Iterator[tuple[str, tuple[Expr, Expr]]]:
    for d in each(graph.definitions):
        if isinstance(d, Block):
            for s in walk_stmts(d.body):
                if isinstance(s, For):
                    yield s.var, (s.start, s.stop)
    for e in _expressions(graph):
        for x in walk(e):
            if isinstance(x, Reduce):
                yield from ((r.var, (r.start, r.stop)) for r in x.ranges)
