"""Kernels that call kernels: arguments fit, facts hold, and the called one stands before."""

from __future__ import annotations

import pytest

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.ir.show import expr_text
from workbench.lang import parse

HALF = (
    "def half(x: f32[N], w: f32[K], s: f32 = 1.0) -> f32[N]:\n    assert N % 2 == 0\n"
    "    y[i] = x[i] * s * sum(w[k] for k in range(K))\n    return y\n\n"
)
OTHERS = (
    "def wide(x: f32[N]) -> f32[N + 1]:\n    y[i] = f32(i)\n    return y\n\n"
    "def spread(x: f32[N], n: i32) -> f32[n]:\n    y[i] = f32(i)\n    return y\n\n"
    "def near(x: f32[N], k: i32) -> f32[N]:\n    assert k < N\n    assert k >= 0\n"
    "    y[i] = x[k]\n    return y\n\n"
)


def kernel(line: str, *, returned: str = "h", others: str = "") -> str:
    return (
        f"{HALF}{others}def f(a: f32[P], b: f32[6], c: i32[P], e: f32[P, P]) -> f32[P]:\n"
        f"    assert P % 4 == 0\n    {line}\n    return {returned}\n"
    )


def test_what_is_called_stands_under_new_names_with_its_facts() -> None:
    text = kernel("h = half(a, b, 2)")
    graph = parse(Source(text)).kernels[-1]

    assert [a.name for a in graph.arrays().values()] == ["a", "b", "c", "e", "h"]
    assert [expr_text(f) for f in graph.facts] == ["P % 4 == 0", "P % 2 == 0"]


def test_a_called_line_leads_to_the_call() -> None:
    graph = parse(Source(kernel("h = half(a, b, 2)"))).kernels[-1]
    spans = [o.span.text for o in graph.definitions[0].origin.ancestors() if o.span is not None]

    assert spans == ["y[i] = x[i] * s * sum(w[k] for k in range(K))", "half(a, b, 2)"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("h = half(a)", "'half' is called without 'w'"),
        ("h = half(a, b, 1.0, 2.0)", "'half' takes x, w, s, each once"),
        ("h = half(a, b, x=a)", "'half' takes x, w, s, each once"),
        ("h = half(c, b)", "'c' is i32[P], 'x' is f32[N]"),
        ("h = half(e, b)", "'e' is f32[P, P], 'x' is f32[N]"),
        ("h = half(a + a, b)", "'a + a' is no array; 'x' is f32[N]"),
        ("h = half(a, b, a)", "'a' is an array with 1 dimension, used here without indices"),
        ("h, g = half(a, b)", "2 targets, 'half' returns 1 array"),
        ("h = half(a, b)\n    h = half(b, a)", "'h' is f32[P], 'half' returns f32[6] here"),
        ("a = wide(a)", "'a' is f32[P], 'wide' returns f32[P + 1] here"),
        ("h = spread(a, c[0])", "'n' is an extent: made of dims, i32 scalars and whole numbers"),
        ("h = near(a, c[0])", "'near' asserts something of 'k', which is known only when it runs"),
        (
            "for t in range(P):\n        a = near(a, t + 1)",
            "assert k < N of 'near' is not proved to hold here, with N = P, k = t + 1",
        ),
        (
            "for t in range(P):\n        h = spread(a, t)",
            "'n' is an extent: made of dims, i32 scalars and whole numbers",
        ),
        ("h = f(a, b)", "'f' stands after this kernel, or calls it"),
        ("h = later(a)", "'later' stands after this kernel, or calls it"),
        ("h = half(b, a)", "'h' is f32[P], 'half' returns f32[6] here"),
    ],
)
def test_wrong_calls_are_refused(line: str, message: str) -> None:
    later = "def later(x: f32[N]) -> f32[N]:\n    y[i] = x[i]\n    return y\n"
    with pytest.raises(SourceError) as error:
        parse(Source(kernel(line, others=OTHERS) + later))

    assert error.value.mistakes[0].message == message


def test_a_fact_that_never_holds_is_refused_at_the_call() -> None:
    text = f"{HALF}def g(x: f32[5], w: f32[2]) -> f32[5]:\n    h = half(x, w)\n    return h\n"
    with pytest.raises(SourceError) as error:
        parse(Source(text))

    assert [m.message for m in error.value.mistakes] == [
        "assert N % 2 == 0 of 'half' does not hold here, with N = 5"
    ]


def test_shapes_that_share_a_dim_agree() -> None:
    text = (
        "def dot(x: f32[N], y: f32[N]) -> f32:\n    s = sum(x[i] * y[i] for i in range(N))\n"
        "    return s\n\n"
        "def g(a: f32[P], b: f32[Q]) -> f32:\n    h = dot(a, b)\n    return h\n"
    )
    with pytest.raises(SourceError) as error:
        parse(Source(text))

    assert [m.message for m in error.value.mistakes] == [
        "'b' is f32[Q], 'dot' takes f32[P] for 'y' here"
    ]


def test_a_mistake_of_what_is_called_is_said_once() -> None:
    text = kernel("h = half(a, b, 2)").replace("sum(w[k] for k", "sum(v[k] for k")
    with pytest.raises(SourceError) as refused:
        parse(Source(text))

    assert [m.message for m in refused.value.mistakes] == ["array 'v' is not known"]
