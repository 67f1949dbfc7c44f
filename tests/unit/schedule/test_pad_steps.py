"""What becomes of arrays that are made longer, and which sums run on over what is added."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.unit.schedule.programs import matmul, rows, smoothed, sums
from tests.unit.schedule.refused import assert_refused, each_refused
from tests.unit.schedule.test_steps import S, body_text
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.schedule import pad_steps
from workbench.schedule.step import Schedule


def over(op: str, term: str, dtype: str = "f32") -> Loops:
    """A reduction of terms of `h`, a square, along a row of five."""
    return wb.kernel(
        f"def f(x: {dtype}[M, N], z: {dtype}[N]) -> {dtype}[M]:\n"
        "    h[i, j] = x[i, j] * x[i, j]\n"
        f"    y[i] = {op}({term} for k in range(N))\n"
        "    return y"
    ).loops({"M": 3, "N": 5})


def ends(loops: Loops) -> list[str]:
    """The ends of the loops over k."""
    lines = (line.strip() for line in body_text(loops).splitlines())
    return [line.removeprefix("for k in range(").rstrip("):") for line in lines if " k in" in line]


def test_added_elements_are_what_a_maximum_takes_in_unchanged() -> None:
    assert body_text(S.pad("h", 1, 4).split("k", 4).apply(over("max", "h[i, k]"))) == (
        "for i in range(3):  # parallel\n"
        "    for j in range(8):  # parallel\n"
        "        h[i, j] = x[i, j] * x[i, j] if j < 5 else -inf\n"
        "for i_1 in range(3):  # parallel\n"
        "    y[i_1] = -inf\n"
        "    for k_o in range(2):\n"
        "        for k_i in range(4):\n"
        "            y[i_1] = max(y[i_1], h[i_1, k_o * 4 + k_i])"
    )


def test_a_product_runs_on_once_both_of_its_factors_are_longer() -> None:
    one, both = S.pad("A", 1, 4), S.pad("A", 1, 4).pad("B", 0, 4)
    program = matmul(3, 2, 5)

    assert ends(one.apply(program)) == ["5"]
    assert ends(both.apply(program)) == ["8"]
    assert "if" not in body_text(both.split("C.k", 4).apply(program)).partition("C[i, j] = 0")[2]


@pytest.mark.parametrize(
    ("op", "term", "dtype", "end"),
    [
        ("sum", "h[i, k]", "f32", "8"),
        ("prod", "h[i, k]", "f32", "8"),
        ("min", "h[i, k]", "f32", "8"),
        ("max", "h[i, k]", "i32", "8"),
        ("sum", "abs(h[i, k]) * h[i, k]", "f32", "8"),
        ("sum", "h[i, k] + 1", "i32", "5"),
        ("sum", "h[i, k] * z[k]", "f32", "5"),
        ("sum", "h[i, k] * x[i, 0]", "f32", "5"),
        ("sum", "h[i, k] * k", "f32", "5"),
        ("sum", "h[i, N - 1 - k]", "f32", "5"),
        ("sum", "exp(h[i, k]) - 1.0", "f32", "5"),
        ("max", "h[i, k] / h[i, k]", "f32", "5"),
    ],
)
def test_a_loop_runs_on_where_its_terms_change_nothing_there(
    op: str, term: str, dtype: str, end: str
) -> None:
    program = over(op, term, dtype)
    after = S.pad("h", 1, 4).apply(program)
    rng = np.random.default_rng(0)
    given = {b.name: rng.integers(1, 5, b.sizes).astype(b.dtype.numpy) for b in program.buffers
             if b.role == "input"}  # fmt: skip

    assert ends(after) == [end]
    np.testing.assert_array_equal(run_loops(after, given)["y"], run_loops(program, given)["y"])


def test_a_sum_of_nan_and_infinities_takes_the_added_zeros_in_unchanged() -> None:
    program = over("sum", "h[i, k]")
    x = np.array([[np.nan, 1, 2, 3, 4], [np.inf, 1, 2, 3, 4], [-0.0] * 5], np.float32)
    given = {"x": x, "z": x[0]}
    found = run_loops(S.pad("h", 1, 4).apply(program), given)["y"]

    np.testing.assert_array_equal(found, run_loops(program, given)["y"])
    assert not np.signbit(found[2])


def test_elements_that_need_a_loop_are_computed_under_a_condition() -> None:
    text = body_text(S.pad("r", 0, 8).apply(sums()))

    assert "for j in range(8):  # parallel\n    if j < 4:\n        r[j] = 0.0" in text
    assert "    else:\n        r[j] = 0.0" in text


def test_an_input_is_copied_and_the_copy_is_longer() -> None:
    program = smoothed(0, m=3, n=5)
    after = S.pad("x", 1, 4).apply(program)

    assert after.buffer("x_padded").shape == (3, 8)
    assert "x_padded[pad_0, pad_1] = x[pad_0, pad_1] if pad_1 < 5 else 0.0" in body_text(after)


def test_a_loop_that_ran_on_though_its_terms_count_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = over("sum", "h[i, k] + 1", "i32")
    given = {"x": np.ones((3, 5), np.int32), "z": np.ones(5, np.int32)}
    monkeypatch.setattr(pad_steps, "_neutral", lambda *_: True)
    found = run_loops(S.pad("h", 1, 4).apply(program), given)["y"]

    assert (found != run_loops(program, given)["y"]).all()


REFUSED = [
    (S.pad("q", 0, 4), rows(), "no array 'q' in storage"),
    (S.pad("y", 1, 4), rows(), "y is a result, which has the shape that the caller knows"),
    (S.pad("top", 1, 4), rows(), "top has no dimension 1, it has 1"),
    (S.pad("top", 0, 0), rows(), "the multiple is 0, not a positive int"),
    (S.pad("top", 0, 7), rows(), "dimension 0 of top is 7: it needs no padding"),
    (S.split("h.i", 2).pad("h", 0, 4), smoothed(0), "its subscripts are no plain loops"),
]


@each_refused(REFUSED)
def test_refusals_name_the_step_and_the_reason(
    schedule: Schedule, program: Loops, message: str
) -> None:
    assert_refused(schedule, program, message)


def test_an_open_extent_is_not_padded() -> None:
    k = wb.kernel(
        "def f(x: f32[N]) -> f32[N]:\n    h[i] = x[i] * 2.0\n    y[i] = h[i] + x[i]\n    return y"
    )
    verdict = k.schedule({"N": None}).pad("h", 0, 8).check()

    assert verdict.reason == "the extents of h are not literals"
