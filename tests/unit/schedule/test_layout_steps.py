"""How arrays lie in storage once a step has laid them out in panels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.schedule.programs import blur, matmul, rows, smoothed
from tests.unit.schedule.refused import assert_refused, each_refused
from tests.unit.schedule.test_steps import S, body_text
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.schedule.step import Schedule


def test_an_input_is_copied_into_panels_by_a_nest_of_its_own() -> None:
    after = S.transform_layout("B", 1, 4).apply(matmul(m=2, n=10, p=3))

    assert body_text(after).startswith(
        "for pack_o in range(3):  # parallel\n"
        "    for pack_0 in range(3):  # parallel\n"
        "        for pack_i in range(4):  # parallel\n"
        "            B_packed[pack_o, pack_0, pack_i] = B[pack_0, pack_o * 4 + pack_i] "
        "if pack_o * 4 + pack_i < 10 else 0.0\n"
    )
    assert "C[i, j] += A[i, k] * B_packed[j // 4, k, j % 4]" in body_text(after)


def test_behind_a_split_the_panels_are_its_loops() -> None:
    text = body_text(S.split("j", 4).transform_layout("B", 1, 4).apply(matmul(n=10)))

    assert "A[i, k] * B_packed[j_o, k, j_i]" in text


def test_an_array_between_equations_is_computed_into_its_panels() -> None:
    after = S.transform_layout("h", 0, 4).apply(smoothed(1))

    assert after.buffer("h").sizes == (2, 5, 4)
    assert "h[i // 4, j, i % 4] = x[i, j] * f32(i)" in body_text(after)


@pytest.mark.parametrize("size", [1, 3, 4, 16])
@pytest.mark.parametrize(
    ("program", "array", "dim"),
    [(matmul(), "A", 0), (matmul(), "A", 1), (blur(), "x", 0), (smoothed(-1), "h", 1),
     (rows(), "top", 0), (rows(), "x", 1)],
    ids=["rows of A", "columns of A", "x", "h", "top", "columns of x"],
)  # fmt: skip
def test_panels_of_any_size_keep_the_result(
    program: Loops, array: str, dim: int, size: int
) -> None:
    rng = np.random.default_rng(0)
    inputs = {b.name: rng.random(b.sizes, np.float32) for b in program.buffers if b.role == "input"}
    after = S.transform_layout(array, dim, size).apply(program)

    for name, found in run_loops(after, inputs).items():
        np.testing.assert_array_equal(found, run_loops(program, inputs)[name])


REFUSED = [
    (S.transform_layout("q", 0, 4), matmul(), "no array 'q' in storage"),
    (S.transform_layout("C", 0, 4), matmul(), "C is a result"),
    (S.transform_layout("B", 2, 4), matmul(), "B has no dimension 2, it has 2"),
    (S.transform_layout("B", -1, 4), matmul(), "B has no dimension -1"),
    (S.transform_layout("B", 1, 0), matmul(), "the size is 0, not a positive int"),
]


@each_refused(REFUSED)
def test_refusals_name_the_step_and_the_reason(
    schedule: Schedule, program: Loops, message: str
) -> None:
    assert_refused(schedule, program, message)
