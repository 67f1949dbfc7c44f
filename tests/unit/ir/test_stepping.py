"""Stepping: one invocation's lines, in the order in which it runs them, with the values it has."""

from __future__ import annotations

import numpy as np

import workbench as wb
from workbench.ir.device import DeviceKernel
from workbench.ir.stepping import Steps, step_through

SUM = """
def rows(x: f32[M, N]) -> f32[M]:
    y[i] = sum(x[i, j] for j in range(N) if x[i, j] > 0)
    return y
"""
X = np.array([[1, -2, 3], [4, 5, -6]], np.float32)


def kernel(text: str, **dims: int) -> DeviceKernel:
    """The only device kernel of a text."""
    return wb.kernel(text).compile(on="native", dims=dims).stages["kernel"].value.kernels[0]


def code(steps: Steps) -> list[str]:
    """The lines in the order in which they ran."""
    text = steps.text.split("\n")
    return [text[s.line].strip() for s in steps.lines]


def test_only_the_lines_that_the_invocation_runs_are_there() -> None:
    steps = step_through(kernel(SUM, M=2, N=3), (0, 0, 0), (1, 0, 0), {"x": X})
    adds = [s for s, c in zip(steps.lines, code(steps), strict=True) if " += " in c]

    assert sum(c.startswith("for j in") for c in code(steps)) == 3
    assert [dict(s.changed) for s in adds] == [{"y_private": 4.0}, {"y_private": 9.0}]


def test_a_line_says_what_it_read_and_wrote() -> None:
    steps = step_through(kernel(SUM, M=2, N=3), (0, 0, 0), (0, 0, 0), {"x": X})
    last = steps.lines[-1]

    assert [(r.kind, r.array, r.index, r.value) for r in last.reached] == [
        ("reads", "y_private", (), 4.0),
        ("writes", "y", (0,), 4.0),
    ]


def test_an_invocation_beyond_the_edge_stops_at_the_guard() -> None:
    steps = step_through(kernel(SUM, M=2, N=3), (0, 0, 0), (5, 0, 0), {"x": X})

    assert code(steps)[-1].startswith("if ")
    assert not any("x[" in c for c in code(steps))


def test_the_start_is_what_the_invocation_knows_of_itself() -> None:
    steps = step_through(kernel(SUM, M=2, N=3), (0, 0, 0), (7, 0, 0), {"x": X})

    assert dict(steps.start)["local_id.x"] == 7.0


def test_a_value_is_the_one_before_where_a_line_reads_what_it_writes() -> None:
    twice = "def f(x: f32[N]) -> f32[N]:\n    x[i] = x[i] + x[i]\n    return x\n"
    k = wb.kernel(twice).compile(on="native", dims={"N": 2}).stages["kernel"].value.kernels[-1]
    written = next(iter(k.written))
    steps = step_through(k, (0, 0, 0), (1, 0, 0), {written: np.array([3, 4], np.float32)})
    kinds = [(r.kind, r.value) for r in steps.lines[-1].reached]

    assert kinds == [("reads", 4.0), ("reads", 4.0), ("writes", 8.0)]


def test_a_long_way_ends_and_says_so() -> None:
    steps = step_through(kernel(SUM, M=2, N=3), (0, 0, 0), (0, 0, 0), {"x": X}, most=4)

    assert len(steps.lines) == 4
    assert not steps.whole


def test_while_loops_are_followed_turn_by_turn() -> None:
    halve = """
def halvings(x: i32[N]) -> i32[N]:
    for i in grid(N):
        v, n = x[i], 0
        while v > 1:
            v, n = v // 2, n + 1
        y[i] = n
    return y
"""
    x = np.array([5, 1], np.int32)
    steps = step_through(kernel(halve, N=2), (0, 0, 0), (0, 0, 0), {"x": x})

    assert sum(c.startswith("while ") for c in code(steps)) == 3
    assert steps.lines[-1].reached[-1].value == 2.0
