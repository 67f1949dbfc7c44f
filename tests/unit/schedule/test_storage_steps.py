"""What becomes of arrays that are kept as another float, and which cannot be."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.unit.schedule.programs import matmul, rows, smoothed, sums
from tests.unit.schedule.refused import assert_refused, each_refused
from tests.unit.schedule.test_steps import S, body_text
from workbench.base.errors import CodegenError
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.ir.simt import run_mapped
from workbench.passes.mapping import map_kernels
from workbench.schedule.step import Schedule

BLUR = """
def blur(x: f32[M, N]) -> f32[M, N]:
    h[i, j] = x[i, max(j - 1, 0)] + x[i, j] + x[i, min(j + 1, N - 1)]
    y[i, j] = h[max(i - 1, 0), j] + h[i, j] + h[min(i + 1, M - 1), j]
    return y
"""
IN_WORKGROUPS = S.parallelize("y.i", "workgroup.y", 4).parallelize("y.j", "workgroup.x", 3)


def test_an_array_between_equations_is_kept_short() -> None:
    after = S.set_dtype("h", "f16").apply(smoothed(1, m=3, n=4))

    assert str(after.buffer("h").dtype) == "f16"
    assert body_text(after) == (
        "for i in range(3):  # parallel\n"
        "    for j in range(4):  # parallel\n"
        "        h[i, j] = f16(x[i, j] * f32(i))\n"
        "for i_1 in range(3):  # parallel\n"
        "    for j_1 in range(4):  # parallel\n"
        "        y[i_1, j_1] = f32(h[i_1, j_1]) + f32(h[min(max(i_1 + 1, 0), 2), j_1])"
    )


def test_a_packed_operand_is_kept_short_and_summed_up_long() -> None:
    text = body_text(S.transform_layout("B", 1, 4).set_dtype("B_packed", "f16").apply(matmul()))

    assert "B_packed[pack_o, pack_0, pack_i] = f16(" in text
    assert "C[i, j] += A[i, k] * f32(B_packed[j // 4, k, j % 4])" in text


def test_a_sum_is_kept_short_once_it_is_whole() -> None:
    verdict = S.set_dtype("r", "f16").check(sums())

    assert verdict.reason == "r grows in its loops; as f16 it is rounded each time"
    assert verdict.hint == "cache('r', 'private', at='r.j') first"
    assert "r[j] = f16(r_private)" in body_text(
        S.cache("r", "private", at="r.j").set_dtype("r", "f16").apply(sums())
    )


@pytest.mark.parametrize("memory", ["private", "workgroup"])
def test_a_copy_in_nearer_memory_is_kept_short(memory: str) -> None:
    steps = IN_WORKGROUPS.compute_at("h", "y.j_i", memory=memory).set_dtype("h", "f16")
    program = smoothed(1, m=9, n=7)
    x = np.random.default_rng(0).integers(0, 9, (9, 7)).astype(np.float32)
    after = steps.apply(program)
    results, faults = run_mapped(map_kernels(after), {"x": x})

    (declared,) = (line for line in body_text(after).splitlines() if " h: " in line)
    assert declared.lstrip().startswith("h: f16[")
    assert declared.endswith(f"# {memory} memory")
    assert faults.ok, faults.words
    np.testing.assert_array_equal(results["y"], run_loops(program, {"x": x})["y"])


def test_rounding_is_noted_and_forbidden_where_sums_are_exact() -> None:
    assert S.set_dtype("h", "f16").check(smoothed(0)).notes == ("rounds the elements of h to f16",)
    assert S.set_dtype("h", "f64").check(smoothed(0)).notes == ()
    assert "rounds the elements of h to f16, which exact=True forbids" in (
        Schedule(exact=True).set_dtype("h", "f16").check(smoothed(0)).reason
    )


def test_what_is_rounded_on_the_way_is_allowed_for_in_checks() -> None:
    k = wb.kernel(BLUR)
    x = np.random.default_rng(0).random((9, 7), np.float32)
    steps = k.schedule().set_dtype("h", "f16")
    c = k.compile(steps, on="cpu", dims={"M": 9, "N": 7})
    found = run_loops(c.stages["scheduled"].value, {"x": x})["y"]

    assert abs(found - run_loops(c.stages["loops"].value, {"x": x})["y"]).max() > 1e-4
    assert c.check(inputs={"x": x}).ok


def test_a_device_without_f16_says_so() -> None:
    k = wb.kernel(BLUR)
    with pytest.raises(CodegenError, match="'h' is f16: this device has no shader-f16"):
        k.compile(k.schedule().set_dtype("h", "f16"), on="browser", dims={"M": 9, "N": 7})


REFUSED = [
    (S.set_dtype("q", "f16"), smoothed(0), "no array 'q'\n  try: 'h'"),
    (S.set_dtype("x", "f16"), smoothed(0), "x is an input, whose dtype the caller knows"),
    (S.set_dtype("y", "f16"), smoothed(0), "y is an output, whose dtype the caller knows"),
    (S.set_dtype("h", "f32"), smoothed(0), "h is f32 already"),
    (S.set_dtype("h", "i32"), smoothed(0), "h is f32, which does not become 'i32'"),
    (S.set_dtype("h", "half"), smoothed(0), "h is f32, which does not become 'half'"),
    (S.set_dtype("top", "f16"), rows(), "top grows in its loops; as f16 it is rounded each time"),
    (
        S.cache("C", "private", at="j").set_dtype("C_private", "f16"),
        matmul(),
        "C_private grows in its loops",
    ),
]


@each_refused(REFUSED)
def test_refusals_name_the_step_and_the_reason(
    schedule: Schedule, program: Loops, message: str
) -> None:
    assert_refused(schedule, program, message)
