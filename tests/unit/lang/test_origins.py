"""Origins: every node of a graph leads back to its own characters of the text."""

from __future__ import annotations

from workbench.base.source import Origin, Source
from workbench.ir.expr import Expr, Range, Reduce, walk
from workbench.ir.graph import Block, Equation, Graph
from workbench.ir.stmt import Store, expressions, walk_stmts
from workbench.lang import parse

SOFTMAX = '''\
def softmax(x: f32[M, N], ε: f32 = 0) -> f32[M, N]:
    """Zeilen summieren sich zu eins: größer"""
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / (sum(e[i, k] for k in range(N)) + ε)
    return y
'''


def graph_of(text: str) -> Graph:
    return parse(Source(text)).kernels[0]


def text_of(origin: Origin) -> str:
    span = origin.nearest_span()
    assert span is not None
    return span.text


def equations(graph: Graph) -> list[Equation]:
    return [d for d in graph.definitions if isinstance(d, Equation)]


def nodes(e: Expr) -> list[Expr | Range]:
    """An expression and everything inside it, ranges included."""
    found: list[Expr | Range] = list(walk(e))
    return found + [r for x in walk(e) if isinstance(x, Reduce) for r in x.ranges]


def test_each_node_of_softmax_marks_its_own_text() -> None:
    texts = [text_of(n.origin) for n in nodes(equations(graph_of(SOFTMAX))[2].value)]

    assert texts == [
        "e[i, j] / (sum(e[i, k] for k in range(N)) + ε)",
        "e[i, j]",
        "i",
        "j",
        "sum(e[i, k] for k in range(N)) + ε",
        "sum(e[i, k] for k in range(N))",
        "range(N)",
        "N",
        "e[i, k]",
        "i",
        "k",
        "ε",
        "k in range(N)",
    ]


def test_an_equation_marks_its_line_its_place_and_its_axes() -> None:
    equation = equations(graph_of(SOFTMAX))[1]

    assert text_of(equation.origin) == "e[i, j] = exp(x[i, j] - top[i])"
    assert text_of(equation.place) == "e[i, j]"
    assert [text_of(a.origin) for a in equation.axes] == ["i", "j"]


def test_places_are_distinct_even_where_nodes_are_equal() -> None:
    value = equations(
        graph_of("def f(x: f32[N]) -> f32[N]:\n    y[i] = x[i] * x[i]\n    return y")
    )[0].value
    spans = [n.origin.nearest_span() for n in walk(value)]

    assert len({(s.start, s.end) for s in spans if s}) == len(spans) == 5


def test_a_cast_that_was_inserted_leads_to_its_argument() -> None:
    value = equations(graph_of("def f(m: i32[N]) -> f32[N]:\n    y[i] = m[i] * 0.5\n    return y"))[
        0
    ].value
    cast = list(walk(value))[1]

    assert cast.origin.span is None
    assert cast.origin.note == "as f32"
    assert text_of(cast.origin) == "m[i]"


def test_statements_of_a_block_mark_their_lines() -> None:
    (block,) = graph_of("""\
def f(x: f32[N]) -> f32[N]:
    for i in grid(N):
        v = x[i]
        if v > 1:
            v = v * 0.5
        y[i] = v
    return y
""").definitions
    assert isinstance(block, Block)
    stores = [s for s in walk_stmts(block.body) if isinstance(s, Store)]

    assert [text_of(s.origin) for s in walk_stmts(block.body)] == [
        "i", "v = x[i]", "if v > 1", "v = v * 0.5", "y[i] = v",
    ]  # fmt: skip
    assert text_of(block.origin) == "for i in grid(N)"
    assert text_of(stores[0].place) == "y[i]"
    assert [text_of(e.origin) for e in expressions(stores[0])] == ["i", "v"]


def test_arrays_scalars_and_extents_mark_the_signature() -> None:
    graph = graph_of(SOFTMAX)

    assert text_of(graph.inputs[0].origin) == "x: f32[M, N]"
    assert [text_of(x.origin) for x in graph.inputs[0].shape] == ["M", "N"]
    assert text_of(graph.scalars[0].origin) == "ε: f32"
