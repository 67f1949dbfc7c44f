"""Bounds against replays: what is refuted does leave its array, and what is proved never does.

What is neither is checked when it runs, and reported exactly where it leaves.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tests.laws import direct
from workbench.base.errors import RunError, SourceError
from workbench.base.source import Source
from workbench.ir.interpret import run_graph
from workbench.lang import bounds, parse
from workbench.lang.prove import Proved, Refuted
from workbench.passes.graph import specialise

SIGNATURE = "def f(x: f32[N], m: i32[N], img: f32[H, W], s: i32) -> f32[N]:\n"

OUTSIDE = (
    "y[i] = x[i + 1]",
    "y[i] = x[i - 1]",
    "y[i] = x[2 * i]",
    "y[i] = x[i * 3 - 2]",
    "y[i] = x[N - i]",
    "y[i] = x[N]",
    "y[i] = x[N - 2 - i]",
    "y[i] = x[i // 2 + 1]",
    "y[i] = x[i % 4 + 1]",
    "y[i] = x[(i + 2) % 5]",
    "y[i] = x[max(i - 1, -1)]",
    "y[i] = x[min(i + 1, N)]",
    "y[i] = x[max(i, 5)]",
    "y[i] = x[min(i, 3) + 2]",
    "y[i] = x[abs(i - 3)]",
    "y[i] = x[clip(i + 2, 1, N)]",
    "y[i] = x[i + 1] if i > 0 else x[i]",
    "y[i] = x[i - 1] if i >= 0 else x[i]",
    "y[i] = x[i + 2] if i + 1 < N else x[i]",
    "y[i] = x[i - 2] if i > 0 else x[i]",
    "y[i] = x[i] if i < N - 1 else x[i + 1]",
    "y[i] = x[i - 1] if i != 1 else x[i]",
    "y[i] = x[i + 1] if i != N - 2 else x[i]",
    "y[i] = x[i + 1] if i > 2 or i + 1 < N else x[i]",
    "y[i] = x[i + 1] if not i + 2 > N + 1 else x[i]",
    "y[i] = x[s]",
    "y[i] = x[s] if s < N else x[i]",
    "y[i] = x[s] if s >= 0 else x[i]",
    "y[i] = x[i + s] if 0 <= s < 4 else x[i]",
    "y[i] = sum(x[k] for k in range(N + 1))",
    "y[i] = sum(x[k + 1] for k in range(N))",
    "y[i] = sum(x[k - 1] for k in range(N))",
    "y[i] = sum(x[k + q] for k in range(N) for q in range(2))",
    "y[i] = sum(x[k] for k in range(s)) + x[i]",
    "y[i] = sum(img[q, k] for k in range(H) for q in range(H)) + x[i]",
    "y[i] = sum(img[k + 1, q] for k in range(H) for q in range(W) if k < H) + x[i]",
    "y[i] = x[i] + sum(img[r, c + 1] for r in range(H) for c in range(1, W))",
    "assert N > 3\ny[i] = x[i] + x[4]",
    "assert N % 2 == 0\ny[i] = x[i + i % 2 + 1]",
    "assert s > 0 and s < N\ny[i] = x[i] + x[s + 1]",
    "for i in grid(N + 1):\n    y[i] = 1.0",
    "for i in grid(N):\n    v = i + 1\n    y[i] = x[v]",
    "for i in grid(N):\n    for t in range(2):\n        y[i] = x[i + t]",
    "for i in grid(N):\n    if i > 0:\n        y[i] = x[i]\n    else:\n        y[i] = x[i - 1]",
)

INSIDE = (
    "y[i] = x[max(i - 1, 0)]",
    "y[i] = x[min(i + 3, N - 1)]",
    "y[i] = x[(i - 1) % N]",
    "y[i] = x[(i * 5 + 2) % N]",
    "y[i] = x[(3 - i) % N]",
    "y[i] = x[N - 1 - i]",
    "y[i] = x[i // 3]",
    "y[i] = x[i - i % 4]",
    "y[i] = x[i // 4 * 4]",
    "y[i] = x[(i + N) // 2 - N // 2] if N % 2 == 0 else x[i]",
    "y[i] = x[i * 2] if 2 * i < N else x[i]",
    "y[i] = x[clip(i - 2, 0, N - 1)]",
    "y[i] = x[clip(s, 0, N - 1)]",
    "y[i] = x[min(max(m[i], 0), N - 1)]",
    "y[i] = x[m[i]] if 0 <= m[i] < N else 0.0",
    "y[i] = x[i - 1] if i > 0 else 0.0",
    "y[i] = x[i + 1] if i < N - 1 else x[0]",
    "y[i] = x[i + 1] if not i + 1 >= N else 0.0",
    "y[i] = 0.0 if i == 0 or i == N - 1 else x[i - 1] + x[i + 1]",
    "y[i] = x[i - 2] if i > 1 and x[i - 1] > 0.0 else 0.0",
    "y[i] = x[i + 1] if i + 1 != N else 0.0",
    "y[i] = x[i - 1] if i != 0 else 0.0",
    "y[i] = x[abs(i - 2)] if N > 2 else x[i]",
    "y[i] = x[max(i, 5)] if N > 5 else x[i]",
    "y[i] = x[i % 8] if N >= 8 else x[i]",
    "y[i] = x[s] if s >= 0 and s < N else x[i]",
    "y[i] = x[N - 1 - s] if 0 <= s < N else x[i]",
    "y[i] = x[i + s] if 0 <= i + s < N else x[i]",
    "y[i] = x[s % N]",
    "y[i] = x[i] + sum(x[k + 1] - x[k] for k in range(N - 1))",
    "y[i] = x[i] + sum(x[k - 1] for k in range(1, N))",
    "y[i] = x[i] + sum(x[k] for k in range(s) if k < N)",
    "y[i] = x[i] + sum(x[i + t - 1] for t in range(3) if i + t >= 1 if i + t <= N)",
    "y[i] = x[i] + sum(img[r, min(q + 1, W - 1)] for r in range(H) for q in range(W))",
    "y[i] = x[i] + sum(img[(r + i) % H, q] for r in range(H) for q in range(W))",
    "assert N > 4\ny[i] = x[i] + x[4] + x[N - 5]",
    "assert N % 2 == 0\ny[i] = x[i - i % 2 + 1]",
    "assert 0 <= s and s < N - 2\ny[i] = x[i] + x[s + 2]",
    "assert N == 4 * H\ny[i] = x[i] + sum(img[i // 4, q] for q in range(W))",
    "for i in grid(N):\n    v = max(i - 1, 0)\n    y[i] = x[v]",
    "for i in grid(N):\n    v = i + 1\n    if v == N:\n        v = 0\n    y[i] = x[v]",
    "for i in grid(N):\n    a = 0.0\n    for t in range(i):\n        a += x[t]\n    y[i] = a",
    ("for i in grid(N):\n    a = 0.0\n    for t in range(i, N):\n        a += x[N - 1 - t + i]\n"
    "    y[i] = a"),
    ("for i in grid(N):\n    a = 0.0\n    for t in range(s):\n        if i + t >= N:\n"
    "            break\n        a += x[i + t]\n    y[i] = a"),
)  # fmt: skip

UNKNOWN = (
    "y[i] = x[m[i]]",
    "y[i] = x[abs(m[i])]",
    "y[i] = x[N - 1 - m[i]]",
    "y[i] = x[m[i] // 2]",
    "y[i] = x[m[i] & 7]",
    "y[i] = x[i ^ 1]",
    "y[i] = x[m[m[i]]]",
    "y[i] = x[max(m[i], 0)]",
    "y[i] = x[min(m[i], N - 1)]",
    "y[i] = x[m[i]] if m[i] >= 0 else 0.0",
    "y[i] = x[m[i]] if x[i] > 0.0 else 0.0",
    "y[i] = x[i] + sum(img[m[i], q] for q in range(W))",
    "y[i] = sum(x[k] for k in range(m[i]))",
    "y[i] = x[i] + sum(x[k] for k in range(m[i], N))",
    "y[i] = x[i] + max(x[m[k]] for k in range(N))",
    "y[i] = x[i * i]",
    "for i in grid(N):\n    v = m[i]\n    y[i] = x[v]",
    "for i in grid(N):\n    v = 0\n    while v * v < m[i]:\n        v = v + 1\n    y[i] = x[v]",
    "for i in grid(N):\n    a = 0.0\n    for t in range(m[i]):\n        a += x[t]\n    y[i] = a",
    "for i in grid(N):\n    q: f32[3] = 1.0\n    q[m[i]] = x[i]\n    y[i] = q[0]",
)


def text_of(body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return f"{SIGNATURE}{lines}    return y\n"


def inputs_for(dims: dict[str, int], s: int) -> dict[str, Any]:
    n, h, w = (dims[d] for d in "NHW")
    rng = np.random.default_rng(n)
    return {
        "x": np.ones(n, np.float32),
        "m": rng.integers(-5, 15, n).astype(np.int32),
        "img": np.ones((h, w), np.float32),
        "s": s,
    }


@pytest.mark.parametrize("body", OUTSIDE)
def test_the_example_of_a_refusal_leaves_the_array(
    body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError) as refused:
        parse(Source(text_of(body)))
    assert " gives " in str(refused.value) or "the index is" in str(refused.value)

    verdicts: list[Any] = []
    prove = bounds.prove_inside

    def recorded(*arguments: Any) -> Any:
        verdicts.append(prove(*arguments))
        return Proved()

    monkeypatch.setattr(bounds, "prove_inside", recorded)
    graph = parse(Source(text_of(body))).kernels[-1]
    example = next(v.example for v in verdicts if isinstance(v, Refuted))
    dims = {d: example.get(d, 4) for d in "NHW"}
    inputs = inputs_for(dims, example.get("s", 0))

    with pytest.raises(direct.OutsideError):
        direct.run(text_of(body), dims, inputs)
    arrays = {a.name: inputs[a.name] for a in graph.inputs}
    with pytest.raises(RunError):
        run_graph(specialise(graph, dims), arrays, {"s": inputs["s"]})


@pytest.mark.parametrize("body", INSIDE)
def test_what_is_proved_stays_inside(body: str) -> None:
    assert not bounds.checked(parse(Source(text_of(body))).kernels[-1])
    ran = 0
    for n, h, s in itertools.product((1, 2, 5, 8, 9, 12), (1, 3), (-2, 0, 1, 3)):
        dims = {"N": n, "H": h if "4 * H" not in body else n // 4, "W": 2}
        try:
            direct.run(text_of(body), dims, inputs_for(dims, s))
        except direct.AssumptionError:
            continue
        ran += 1

    assert ran > 0


@pytest.mark.parametrize("body", UNKNOWN)
def test_what_is_not_known_is_checked_when_it_runs(body: str) -> None:
    """For data of every kind: reported where it leaves, and computed where it does not."""
    graph = parse(Source(text_of(body))).kernels[-1]
    answers: set[str] = set()
    for n, low, high in itertools.product((1, 2, 3, 4, 6, 9), (-3, 0), (1, 2, 9)):
        dims = {"N": n, "H": 2, "W": 2}
        inputs = inputs_for(dims, 0)
        inputs["m"] = np.random.default_rng(n).integers(low, high, n).astype(np.int32)
        arrays = {a.name: inputs[a.name] for a in graph.inputs}
        scalars = {s.name: inputs[s.name] for s in graph.scalars}
        try:
            wanted, _ = direct.run(text_of(body), dims, inputs)
        except direct.OutsideError:
            answers.add("reported")
            with pytest.raises(RunError):
                run_graph(specialise(graph, dims), arrays, scalars)
            continue
        answers.add("computed")
        (found,) = run_graph(specialise(graph, dims), arrays, scalars).values()
        np.testing.assert_array_equal(found, wanted[0])

    assert bounds.checked(graph)
    assert answers == {"reported", "computed"}


def test_there_are_enough() -> None:
    assert len(OUTSIDE) >= 40
    assert len(INSIDE) >= 40
    assert len(UNKNOWN) >= 20
