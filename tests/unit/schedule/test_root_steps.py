"""What becomes of arrays that leave other loops again, and which cannot."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.unit.schedule.programs import Loops, halves, rows, smoothed, sums
from tests.unit.schedule.refused import assert_refused, each_refused
from tests.unit.schedule.test_steps import S, body_text
from workbench.ir.interpret import run_loops
from workbench.schedule.step import Schedule

SOFTMAX = """
def softmax(x: f32[M, N]) -> f32[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y
"""
TILES = S.parallelize("y.i", "workgroup.y", 4).parallelize("y.j", "workgroup.x", 3)
THERE_AND_BACK = {
    "inlined": (S.inline("h"), smoothed(1, m=9, n=7)),
    "in a row": (S.compute_at("h", "y.i"), smoothed(-1, m=9, n=7)),
    "a maximum": (S.compute_at("top", "y.i"), rows()),
    "a sum": (S.compute_at("r", "y.i"), sums()),
    "inlined, then split": (S.inline("h").split("y.i", 4).unroll("i_i"), smoothed(1, m=9, n=7)),
    "in a tile": (S.split("y.i", 4).compute_at("h", "y.i_o"), smoothed(1, m=9, n=7)),
    "then split": (S.compute_at("h", "y.i").split("y.i", 4, tail="peel"), smoothed(1, m=8, n=7)),
    "by a workgroup": (TILES.compute_at("h", "y.j_i", memory="workgroup"), smoothed(1, m=9, n=7)),
    "a sum by a workgroup": (TILES.compute_at("r", "y.j_i", memory="workgroup"), sums(m=8, n=6)),
}


def array(steps: Schedule) -> str:
    return next(s.array for s in steps.steps if hasattr(s, "array"))


@pytest.mark.parametrize("name", THERE_AND_BACK)
def test_an_array_that_was_moved_has_a_nest_of_its_own_again(name: str) -> None:
    steps, program = THERE_AND_BACK[name]
    moved = array(steps)
    after = steps.compute_root(moved).apply(program)
    rng = np.random.default_rng(0)
    given = {b.name: rng.integers(-9, 9, b.sizes).astype(np.float32) for b in program.buffers
             if b.role == "input"}  # fmt: skip

    assert after.buffer(moved) == program.buffer(moved)
    assert (after.inner, after.roots) == ((), ())
    assert after.body[0] == program.body[0]
    np.testing.assert_array_equal(run_loops(after, given)["y"], run_loops(program, given)["y"])


@pytest.mark.parametrize("name", ["inlined", "in a row", "a maximum", "a sum"])
def test_what_no_other_step_has_changed_is_as_it_was(name: str) -> None:
    steps, program = THERE_AND_BACK[name]

    assert body_text(steps.compute_root(array(steps)).apply(program)) == body_text(program)


def test_what_a_tile_computed_is_read_at_its_place_in_the_whole() -> None:
    steps = S.split("y.i", 4).compute_at("h", "y.i_o").compute_root("h")

    assert body_text(steps.apply(smoothed(1, m=8))) == (
        "for i in range(8):  # parallel\n"
        "    for j in range(5):  # parallel\n"
        "        h[i, j] = x[i, j] * f32(i)\n"
        "for i_1_o in range(2):  # parallel\n"
        "    for i_1_i in range(4):  # parallel\n"
        "        for j_1 in range(5):  # parallel\n"
        "            y[i_1_o * 4 + i_1_i, j_1] = h[i_1_o * 4 + i_1_i, j_1] + "
        "h[min(max(i_1_o * 4 + i_1_i + 1, 0), 7), j_1]"
    )


def test_arrays_that_came_along_leave_one_after_the_other() -> None:
    program = wb.kernel(SOFTMAX).loops({"M": 3, "N": 4})
    along = S.compute_at("top", "y.i")
    verdict = along.compute_root("e").check(program)

    assert verdict.reason == "top, of which e is computed, is inside a loop, too"
    assert verdict.hint == "compute_root('top') first"
    back = along.compute_root("top").compute_root("e").compute_root("y_sum")
    assert body_text(back.apply(program)) == body_text(program)


def test_a_sum_of_inlined_terms_reads_the_array_again() -> None:
    program = wb.kernel(SOFTMAX).loops({"M": 3, "N": 4})

    assert body_text(S.inline("e").compute_root("e").apply(program)) == body_text(program)


def test_the_same_words_of_another_line_do_not_read_the_array() -> None:
    text = (
        "def f(x: f32[N]) -> (f32[N], f32[N]):\n"
        "    s[i] = x[i] + 1.0\n"
        "    h[i] = s[i] * 2.0\n"
        "    y[i] = h[i] + 1.0\n"
        "    s[i] = s[i] + 1.0\n"
        "    z[i] = s[i] * 2.0\n"
        "    return y, z"
    )
    program = wb.kernel(text).loops({"N": 5})

    assert body_text(S.inline("h").compute_root("h").apply(program)) == body_text(program)


def test_an_array_in_a_repeat_stays_in_its_turn() -> None:
    text = (
        "def f(u: f32[N], T: i32) -> f32[N]:\n"
        "    for t in range(T):\n"
        "        d[i] = u[i] * 0.5\n"
        "        w[i] = d[i] + d[(i + 1) % N]\n"
        "        u[i] = w[i] - d[i]\n"
        "    return u"
    )
    program = wb.kernel(text).loops({"N": 6, "T": 3})
    for steps in (S.inline("w"), S.compute_at("w", "i_2")):
        assert body_text(steps.apply(program)) != body_text(program)
        assert body_text(steps.compute_root("w").apply(program)) == body_text(program)


REFUSED = [
    (S.compute_root("h"), smoothed(0), "no step has put h into other loops"),
    (
        S.inline("h").compute_root("y"),
        smoothed(0),
        "no step has put y into other loops\n  try: 'h'",
    ),
    (S.inline("h").compute_root("h"), halves(), "a read may lie outside of h"),
    (
        S.compute_at("top", "y.i").set_dtype("top_private", "f16").compute_root("top"),
        rows(),
        "no array 'top_private'",
    ),
    (
        S.compute_at("h", "y.i").set_dtype("h", "f16").compute_root("h"),
        smoothed(0),
        "h is kept otherwise by now",
    ),
    (
        S.inline("h").pad("x", 1, 8).compute_root("h"),
        smoothed(0),
        "no expression computes h as its nest did",
    ),
]


@each_refused(REFUSED)
def test_refusals_name_the_step_and_the_reason(
    schedule: Schedule, program: Loops, message: str
) -> None:
    assert_refused(schedule, program, message)
