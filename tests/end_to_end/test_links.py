"""Each distinct subexpression of matmul and softmax is marked in every stage."""

from __future__ import annotations

import pytest

import workbench as wb
from tests.end_to_end.kernels import CASES
from workbench.base.link import joined, made_from
from workbench.base.source import Origin
from workbench.ir.expr import Apply, Load, Reduce, walk
from workbench.ir.graph import Equation, Graph
from workbench.pipeline import Compilation

TEXTS = {c.name: c.text for c in CASES if c.name in {"matmul", "softmax"}}
TARGETS = ("native", "cpu", "wasm")


def subexpressions(graph: Graph) -> dict[str, Origin]:
    """Loads, operations, reductions and left-hand sides, by their source text."""
    found: dict[str, Origin] = {}
    for d in graph.definitions:
        assert isinstance(d, Equation)
        for e in walk(d.value):
            if isinstance(e, Load | Apply | Reduce) and e.origin.span is not None:
                found.setdefault(e.origin.span.text, e.origin)
        assert d.place.span is not None
        found[d.place.span.text] = d.place
    return found


def roots(graph: Graph) -> set[str]:
    """The right-hand sides: the roots of their expressions."""
    spans = [d.value.origin.span for d in graph.definitions if isinstance(d, Equation)]
    return {s.text for s in spans if s is not None}


def compiled(name: str, on: str) -> Compilation:
    k = wb.kernel(TEXTS[name])
    return k.compile(on=on, dims=dict.fromkeys(k.graph.symbols(), 32))


@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("name", TEXTS)
def test_each_subexpression_is_marked_in_every_stage(name: str, on: str) -> None:
    c = compiled(name, on)
    missing = [
        (stage.name, words)
        for stage in c.stages.values()
        for words, origin in subexpressions(c.graph).items()
        if not made_from(stage.marked, origin)
    ]

    assert missing == []


@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("name", TEXTS)
def test_no_subexpression_but_the_roots_covers_a_third(name: str, on: str) -> None:
    c = compiled(name, on)
    found: list[tuple[str, str, float]] = []
    for stage in c.stages.values():
        length = len(stage.text)
        for words, origin in subexpressions(c.graph).items():
            covered = sum(end - start for start, end in joined(made_from(stage.marked, origin)))
            if words not in roots(c.graph) and covered > 0.3 * length:
                found.append((stage.name, words, covered / length))

    assert found == []


@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("name", TEXTS)
def test_distinct_subexpressions_are_marked_differently(name: str, on: str) -> None:
    c = compiled(name, on)
    for stage in c.stages.values():
        ranges: dict[object, str] = {}
        for words, origin in subexpressions(c.graph).items():
            place = joined(made_from(stage.marked, origin))
            other = ranges.setdefault(place, words)

            assert other == words, f"{stage.name}: '{other}' and '{words}' light the same"
