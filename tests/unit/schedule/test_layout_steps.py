"""How arrays lie in storage once a step has laid them out in panels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.schedule.programs import blur, matmul, rows, smoothed
from tests.unit.schedule.refused import assert_refused, each_refused
from tests.unit.schedule.test_steps import S, body_text
from workbench.base.panels import Panels
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


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize(("array", "dim"), [("C", 0), ("C", 1), ("A", 0), ("A", 1), ("B", 0)])
def test_results_and_inputs_cross_in_panels_and_mean_the_same(
    array: str, dim: int, size: int
) -> None:
    program = matmul(m=4, n=8, p=12)
    rng = np.random.default_rng(0)
    inputs = {b.name: rng.random(b.sizes, np.float32) for b in program.buffers if b.role == "input"}
    after = S.transform_layout(array, dim, size, given=array != "C").apply(program)
    found = run_loops(after, inputs)

    assert after.buffer(array).panels == Panels(dim, size)
    assert [b.name for b in after.buffers] == ["A", "B", "C"]
    np.testing.assert_array_equal(found["C"], run_loops(program, inputs)["C"])


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_panels_lie_as_the_step_says(dim: int) -> None:
    x = np.arange(4 * 6 * 8).reshape(4, 6, 8)
    panels = Panels(dim, 2)
    packed = panels.pack(x)
    at = (3, 5, 6)
    rest = [i for d, i in enumerate(at) if d != dim]

    assert packed.shape == panels.stored(x.shape)
    assert panels.plain(packed.shape) == x.shape
    assert packed[at[dim] // 2, *rest, at[dim] % 2] == x[at]
    np.testing.assert_array_equal(panels.unpack(packed), x)


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
    (S.transform_layout("C", 0, 5), matmul(), "5 does not divide the extent 12 of C"),
    (
        S.transform_layout("C", 0, 4).transform_layout("C", 1, 4),
        matmul(),
        "C is in panels of 4 along axis 0 already",
    ),
    (S.transform_layout("A", 0, 5, given=True), matmul(), "5 does not divide the extent 12 of A"),
    (S.transform_layout("C", 0, 4, given=True), matmul(), "C is no input, so nobody gives it"),
    (S.transform_layout("h", 0, 4, given=True), smoothed(1), "h is no input"),
    (
        S.transform_layout("A", 0, 4, given=True),
        replace(matmul(), outputs=("C", "A")),
        "A is returned as a copy, in C order",
    ),
    (
        S.transform_layout("C", 0, 4),
        replace(matmul(), outputs=("C", "C")),
        "C is returned as a copy, in C order",
    ),
    (S.transform_layout("B", 2, 4), matmul(), "B has no dimension 2, it has 2"),
    (S.transform_layout("B", -1, 4), matmul(), "B has no dimension -1"),
    (S.transform_layout("B", 1, 0), matmul(), "the size is 0, not a positive int"),
]


@each_refused(REFUSED)
def test_refusals_name_the_step_and_the_reason(
    schedule: Schedule, program: Loops, message: str
) -> None:
    assert_refused(schedule, program, message)
