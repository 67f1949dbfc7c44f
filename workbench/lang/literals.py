"""What had to wait for literal dims is decided when a kernel is compiled for them.

isl has no products of symbols: `x[i // N, i % N]` over `M * N` elements is neither proved nor
refuted when the text is read. With literal dims it is affine, and the same questions are asked
again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.errors import SourceError
from workbench.ir.expr import Apply, Expr, free_names, integer, substitute, walk
from workbench.ir.forms import constant
from workbench.lang.accesses import accesses
from workbench.lang.bounds import check_bounds, checked, marks_of
from workbench.lang.cover import check_writes
from workbench.lang.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.ir.graph import Graph

_PRODUCTS = frozenset({"mul", "mod", "floordiv"})


def prove_literal(graph: Graph, special: Graph, dims: Mapping[str, int]) -> Graph:
    """Prove `special`, the graph with these literal dims, where something had to wait for them.

    Gives it with the marks of the accesses that are checked when they run, and of the stores
    that are atomic or not proved apart.

    Raises `SourceError` with every access that may leave its array and every element that a
    block may leave out or write twice. Where nothing waited, nothing is asked.
    """
    span = graph.origin.nearest_span()
    symbols = frozenset(graph.symbols())
    if span is None or not (checked(graph) or waits(graph)):
        return special
    values: dict[str, Expr] = {name: integer(int(dims[name])) for name in symbols}
    known = replace(special, facts=tuple(substitute(f, values) for f in graph.facts))
    report = Report.of(span.source)
    known = check_bounds(report, known)
    known = check_writes(report, known)
    if report.mistakes:
        shown = ", ".join(f"{name} = {dims[name]}" for name in graph.symbols())
        raise SourceError(
            *(replace(m, message=f"{m.message} (for {shown})") for m in report.mistakes)
        )
    return replace(known, facts=special.facts)


def waits(graph: Graph) -> bool:
    """Whether a proof about the graph waits for literal dims."""
    symbols = frozenset(graph.symbols())
    return any(_waits(e, symbols) for e in _said(graph))


def checks_more(graph: Graph, proved: Graph) -> bool:
    """Whether accesses are checked, or made atomic, in `proved` that are not so in the graph."""
    before = marks_of(graph)
    return any(not places <= before.get(k, set()) for k, places in marks_of(proved).items())


def _said(graph: Graph) -> Iterator[Expr]:
    """Every expression that a proof about the graph may meet."""
    for array in graph.arrays().values():
        yield from array.shape
    for a in accesses(graph):
        yield from a.index
        yield from a.scene.path
        for r in a.scene.ranges:
            yield from (r.start, r.stop)


def _waits(e: Expr, symbols: frozenset[str]) -> bool:
    """Whether a product or quotient stands in it that only literal dims make affine."""
    return any(
        isinstance(x, Apply)
        and x.op in _PRODUCTS
        and all(constant(a) is None for a in x.args[-1 if x.op != "mul" else 0 :])
        and bool(free_names(x) & symbols)
        for x in walk(e)
    )
