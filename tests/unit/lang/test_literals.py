"""Products of dims: neither proved nor refuted in the text, decided for literal dims."""

from __future__ import annotations

import pytest

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import parse, prove_literal
from workbench.passes.graph import specialise


def decide(text: str, **dims: int) -> None:
    """Parse a kernel and prove it for literal dims."""
    graph = parse(Source(text)).kernels[0]
    prove_literal(graph, specialise(graph, dims), dims)


def flat(body: str, signature: str = "x: f32[M, N]", result: str = "f32[M * N]") -> str:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return f"def f({signature}) -> {result}:\n{lines}    return y\n"


@pytest.mark.parametrize(
    "text",
    [
        flat("y[i] = x[i // N, i % N]"),
        flat("for i, j in grid(M, N):\n    y[i * N + j] = x[i, j]"),
        flat("y[i, j] = x[i * N + j] * r[i] * q[j]", "x: f32[M * N], r: f32[M], q: f32[N]",
             "f32[M, N]"),
        flat("assert 0 <= s and s < M * N\ny[i] = x[i // N, i % N] * x[s // N, s % N]",
             "x: f32[M, N], s: i32"),
    ],
)  # fmt: skip
def test_proved_for_literals(text: str) -> None:
    decide(text, M=3, N=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (flat("y[i] = x[i // N, i % N + 1]"),
         "x[i // N, i % N + 1] reads 1 past the end: i = 4 gives 5, extent 5 (for M = 3, N = 5)"),
        (flat("for i, j in grid(M, N):\n    y[i * N + j // 2] = x[i, j]"),
         "the iterations (i = 0, j = 0) and (i = 0, j = 1) both write y[0] (for M = 3, N = 5)"),
    ],
)  # fmt: skip
def test_refuted_for_literals(text: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        decide(text, M=3, N=5)

    assert [m.message for m in error.value.mistakes] == [message]
