"""Arrays that a schedule keeps as f16, on the devices that have it."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.runtime.device import open_device
from workbench.schedule.step import Schedule

S = Schedule()
BLUR = """
def blur(x: f32[M, N]) -> f32[M, N]:
    h[i, j] = x[i, max(j - 1, 0)] + x[i, j] + x[i, min(j + 1, N - 1)]
    y[i, j] = h[max(i - 1, 0), j] + h[i, j] + h[min(i + 1, M - 1), j]
    return y
"""
PRODUCT = """
def product(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
DOUBLE = """
def twice(x: f32[N]) -> f32[N]:
    h[i] = 2.0 * x[i]
    y[i] = h[i] + 0.0 * i
    return y
"""
TILES = S.parallelize("y.i", "workgroup.y", 4).parallelize("y.j", "workgroup.x", 8)
PACKED = (
    S.tile("i", 4, "j", 8).reorder("j_o", "i_o", "k", "i_i", "j_i")
    .transform_layout("B", 1, 8).set_dtype("B_packed", "f16")
    .cache("C", "private", at="i_o").vectorize("C.j_i").unroll("i_i")
)  # fmt: skip
SCHEDULES = {
    "between": (BLUR, S.set_dtype("h", "f16")),
    "private": (BLUR, S.split("y.i", 4).compute_at("h", "y.i_o").set_dtype("h", "f16")),
    "workgroup": (BLUR, TILES.compute_at("h", "y.j_i", memory="workgroup").set_dtype("h", "f16")),
    "packed": (PRODUCT, PACKED),
}
DEVICES = ("cpu", "wasm", "native")
ON_GPUS = {("workgroup", "cpu"), ("workgroup", "wasm")}
"""What is no case: a CPU has no workgroups."""


def _has_f16(on: str) -> None:
    description = open_device(on).describe()
    if not description.available:
        pytest.skip(f"{on}: {description.cause}")
    if on == "native" and not description.limits.shader_f16:
        pytest.skip("native: no shader-f16")


@pytest.mark.parametrize(
    ("name", "on"), [(n, on) for n in SCHEDULES for on in DEVICES if (n, on) not in ON_GPUS]
)
def test_each_element_is_rounded_once_at_every_stage(name: str, on: str) -> None:
    _has_f16(on)
    text, steps = SCHEDULES[name]
    k = wb.kernel(text)
    rng = np.random.default_rng(0)
    shapes = {"x": (13, 21)} if text == BLUR else {"A": (8, 9), "B": (9, 16)}
    inputs = {n: rng.random(s, np.float32) for n, s in shapes.items()}
    exact = np.asarray(k(**inputs, on="cpu"))
    found = np.asarray(k(**inputs, on=on, schedule=steps))
    dims = {"M": 13, "N": 21} if text == BLUR else {"M": 8, "K": 9, "N": 16}

    assert [c for c in k.compile(steps, on=on, dims=dims).check(inputs=inputs).checks
            if c.state == "cross"] == []  # fmt: skip
    assert 0 < (abs(found - exact) / exact).max() < 2**-11


@pytest.mark.parametrize("on", DEVICES)
def test_elements_are_what_numpy_rounds_to(on: str) -> None:
    """Beyond the largest f16 they are infinite."""
    _has_f16(on)
    k = wb.kernel(DOUBLE)
    x = np.array([0.1, 1 / 3, -2049.0, 30000.0, 32752.0, 33000.0, -1e30, 1e-3], np.float32)
    with np.errstate(over="ignore"):
        wanted = (2 * x).astype(np.float16).astype(np.float32)

    np.testing.assert_array_equal(k(x, on=on, schedule=k.schedule().set_dtype("h", "f16")), wanted)
