"""Arrays written in parts: every element that is read or returned is proved written before."""

from __future__ import annotations

import pytest

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import parse

HEAD = "def f(x: f32[N], A: f32[N, M], m: i32[N], k: i32) -> f32[N]:\n"


def text(*lines: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in lines) + "    return y\n"


def messages(*lines: str) -> list[str]:
    with pytest.raises(SourceError) as error:
        parse(Source(text(*lines)))
    return [m.message for m in error.value.mistakes]


GRID = "for i in grid(N):"
PROVED = [
    ("y: f32[N] = 0", "for i in grid(N):", "    if i > k:", "        y[i] = x[i]"),
    ("for t in range(N):", "    y[t] = x[t]"),
    ("assert N > 0", "y[0] = x[0]", "for t in range(1, N):", "    y[t] = y[t - 1] * 0.5 + x[t]"),
    ("assert N > 0", "y[0] = x[0]", "for t in range(N - 1):", "    y[t + 1] = y[t] + x[t]"),
    ("assert N > 0", "y[N - 1] = 1.0", "for t in range(N - 1):", "    y[t] = 2.0",
     "y[i] = y[N - 1 - i] + y[i]"),
    ("T: f32[N, M]", "T[i, j] = A[i, j]", "T[i, j] = T[i, j] * 2",
     "y[i] = sum(T[i, j] for j in range(M))"),
    ("T: f32[N, M]", "for t in range(M):", "    T[i, t] = A[i, t] + (T[i, t - 1] if t > 0 else 0)",
     "y[i] = sum(T[i, j] for j in range(M))"),
    ("T: f32[N, M]", GRID, "    for j in range(M):",
     "        T[i, j] = A[i, j] + (T[i, j - 1] if j > 0 else 0.0)",
     "    y[i] = sum(T[i, j] for j in range(M))"),
    ("T: f32[2, N]", "T[0, i] = x[i]", "T[1, i] = T[0, N - 1 - i]", "y[i] = T[0, i] + T[1, i]"),
    ("T: f32[N, M]", "assert M > 1", GRID, "    T[i, 0] = x[i]", "    y[i] = T[i, 0]"),
    ("T: f32[N]", GRID, "    if x[i] > 0:", "        T[i] = 1", "    else:", "        T[i] = 2",
     "y[i] = T[N - 1 - i]"),
    ("T: f32[N, M]", GRID, "    for j in range(M):", "        if k < j:", "            break",
     "        T[i, j] = 1 if j < 1 else T[i, j - 1] + 1", "    y[i] = 0"),
    ("for t in range(0, N, 2):", "    y[t] = x[t]", "for t in range(1, N, 2):", "    y[t] = x[t]"),
]  # fmt: skip


@pytest.mark.parametrize("lines", PROVED, ids="; ".join)
def test_parts_that_make_a_whole_are_proved(lines: tuple[str, ...]) -> None:
    order = sorted(lines, key=lambda line: not line.startswith("assert"))

    assert parse(Source(text(*order))).kernels


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("assert N > 1", "y[0] = x[0]"), "y[1] is not proved to be written"),
        (("for t in range(1, N):", "    y[t] = x[t]"),
         "y[0] is not proved to be written"),
        (("for t in range(k):", "    y[i] = x[i]"),
         "y[0] is not proved to be written before it is returned"),
        (("assert N > 0", "y[0] = x[0]", "for t in range(1, N):", "    y[t] = y[N - 1] + x[t]"),
         "y[N - 1]: y[7] is not proved to be written before it is read"),
        (("T: f32[N, M]", "assert M > 1", GRID, "    T[i, 0] = x[i]", "    y[i] = T[i, 1]"),
         "T[i, 1]: T[0, 1] is not proved to be written before it is read"),
        (("T: f32[N, M]", GRID, "    for j in range(M):", "        if x[i] > j:",
          "            break", "        T[i, j] = 1",
          "    y[i] = sum(T[i, j] for j in range(M))"),
         "T[i, j]: T[0, 0] is not proved to be written before it is read"),
        (("T: f32[N]", GRID, "    if x[i] > 0:", "        T[i] = 1", "    y[i] = T[i]"),
         "T[i]: T[0] is not proved to be written before it is read"),
        (("T: f32[N]", GRID, "    y[i] = T[i]", "    T[i] = 1"),
         "T[i]: T[0] is not proved to be written before it is read"),
        (("T: f32[N]", "for t in range(N):", "    if_ = 0.0", "    T[t] = T[t] + if_",
          "y[i] = T[i]"), "T[t]: T[0] is not proved to be written before it is read"),
    ],
)  # fmt: skip
def test_parts_that_leave_elements_out_are_refused(lines: tuple[str, ...], message: str) -> None:
    order = sorted(lines, key=lambda line: not line.startswith("assert"))

    assert any(m.startswith(message) for m in messages(*order)), messages(*order)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("y[i] = y[max(i - 1, 0)]",
         "the iteration (i = 0) writes y[0], which the iteration (i = 1) reads"),
        ("y[i] = y[N - 1 - i]",
         "the iteration (i = 0) writes y[0], which the iteration (i = 7) reads"),
        ("y[i] = y[m[i]]", "another iteration of the grid may write this element (y[i] at line 4)"),
    ],
)  # fmt: skip
def test_reads_of_what_other_iterations_write_are_refused(line: str, message: str) -> None:
    found = messages("y[i] = x[i]", "for i in grid(N):", f"    {line}")

    assert found == [f"{message}; a grid has no order"]


def test_points_stand_in_arrays_that_have_a_type() -> None:
    assert messages("T[0] = x[0]", "y[i] = T[0] * x[i]") == [
        "'T' is written in parts and has no type"
    ]
