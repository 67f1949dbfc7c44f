"""Every origin that a graph's nodes carry: what the source text is marked with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.ir.expr import Iterated, Range, Reduce, walk
from workbench.ir.graph import Block, Graph, each, repeats
from workbench.ir.stmt import Store, expressions, walk_stmts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.base.source import Origin
    from workbench.ir.expr import Expr


def graph_origins(graph: Graph) -> tuple[Origin, ...]:
    """The origins of a graph and everything in it, each once."""
    return tuple({id(o): o for o in _all(graph)}.values())


def expr_origins(e: Expr) -> Iterator[Origin]:
    """The origins of an expression and everything inside it."""
    for x in walk(e):
        yield x.origin
        if isinstance(x, Reduce):
            yield from (r.origin for r in x.ranges)
        if isinstance(x, Iterated) and isinstance(x.over, Range):
            yield x.over.origin


def _all(graph: Graph) -> Iterator[Origin]:
    yield graph.origin
    for a in graph.arrays().values():
        yield a.origin
        for x in a.shape:
            yield from expr_origins(x)
    yield from (s.origin for s in graph.scalars)
    for fact in graph.facts:
        yield from expr_origins(fact)
    yield from _definitions(graph)


def _definitions(graph: Graph) -> Iterator[Origin]:
    for r in repeats(graph.definitions):
        yield r.origin
        for e in (r.start, r.stop):
            yield from expr_origins(e)
    for d in each(graph.definitions):
        yield d.origin
        if isinstance(d, Block):
            for s in walk_stmts(d.body):
                yield s.origin
                if isinstance(s, Store):
                    yield s.place
                for e in expressions(s):
                    yield from expr_origins(e)
        else:
            yield d.place
            for axis in d.axes:
                yield axis.origin
                yield from expr_origins(axis.extent)
            yield from expr_origins(d.value)
