"""Schedules of tiles, vectors and registers: right on every device, and what their code holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import workbench as wb
from workbench.ir.compare import agreement
from workbench.runtime.device import open_device
from workbench.schedule.step import Schedule

S = Schedule()
MATMUL = """def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
WGSL_TILE = (
    S.tile("i", 8, "j", 8)
    .reorder("i_o", "j_o", "k", "i_i", "j_i")
    .cache("C", "private", at="j_o")
    .split("k", 4)
    .cache("A", "private", at="k_o")
    .vectorize("fetch_1").unroll("fetch_0")
    .vectorize("C.j_i").vectorize("j_i_1").vectorize("keep_1")
    .unroll("i_i").unroll("i_i_1").unroll("keep_0").unroll("k_i")
    .parallelize("i_o", "workgroup.y", 8).parallelize("j_o", "workgroup.x", 8)
)  # fmt: skip
"""The 8x8 tile of vec4 with named accumulators."""

CPU_TILE = (
    S.tile("i", 8, "j", 32)
    .reorder("i_o", "j_o", "k", "i_i", "j_i")
    .cache("C", "private", at="j_o")
    .vectorize("C.j_i").vectorize("j_i_1").vectorize("keep_1")
    .unroll("i_i").unroll("i_i_1").unroll("keep_0")
    .parallelize("i_o", "worker")
)  # fmt: skip
"""The 8x32 tile of a CPU, without packing."""


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel, its inputs, a schedule for every device, and what NumPy gives."""

    name: str
    text: str
    inputs: dict[str, np.ndarray]
    schedule: Schedule
    reference: Callable[..., np.ndarray]


def _floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape, np.float32)


def _ints(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(-50, 50, shape).astype(np.int32)


def one(body: str, signature: str = "x: f32[N]", result: str = "f32[N]") -> str:
    return f"def f({signature}) -> {result}:\n    y[i] = {body}\n    return y\n"


TILED = S.tile("i", 4, "j", 4, tail="peel").reorder("i_o", "j_o", "k", "i_i", "j_i")
CASES = (
    Case("elementwise", one("sqrt(abs(x[i])) * 2 - min(x[i], 0.5) / 3"), {"x": _floats(37)},
         S.vectorize("i", 8), lambda x: np.sqrt(abs(x)) * 2 - np.minimum(x, 0.5) / 3),
    Case("functions of their own", one("exp(x[i]) + sin(x[i]) + x[i] // 0.3"), {"x": _floats(16)},
         S.vectorize("i"), lambda x: np.exp(x) + np.sin(x) + x // 0.3),
    Case("ints", one("-x[i] * 3 + i - (x[i] >> 1)", "x: i32[N]", "i32[N]"), {"x": _ints(24)},
         S.vectorize("i", 4), lambda x: -x * 3 + np.arange(24, dtype=np.int32) - (x >> 1)),
    Case("neither beside nor aligned", one("x[N - 1 - i] + x[(i + 1) % N]"), {"x": _floats(18)},
         S.vectorize("i", 3), lambda x: x[::-1] + np.roll(x, -1)),
    Case("choices", one("x[i] + (2 * i if i > 5 else -1)", "x: i32[N]", "i32[N]"), {"x": _ints(12)},
         S.vectorize("i"), lambda x: x + np.where(np.arange(12) > 5, 2 * np.arange(12), -1)),
    Case("bools", one("x[i] > 0", "x: f32[N]", "bool[N]"), {"x": _floats(12)},
         S.vectorize("i", 4), lambda x: x > 0),
    Case("doubles of lanes", one("f32(x[i]) * 0.5", "x: i32[N]"), {"x": _ints(8)},
         S.vectorize("i"), lambda x: x * np.float32(0.5)),
    Case("largest", "def f(x: f32[M, N]) -> f32[M]:\n    t[i] = max(x[i, k] for k in range(N))\n"
         "    return t\n", {"x": _floats(8, 5)},
         S.reorder("k", "i").vectorize("i").vectorize("i_1"), lambda x: x.max(1)),
    Case("peeled tiles", MATMUL, {"A": _floats(11, 5), "B": _floats(5, 10)},
         TILED.vectorize("j_i").unroll("i_i"), lambda A, B: A @ B),
    Case("padded sum", MATMUL, {"A": _floats(6, 7), "B": _floats(7, 8)},
         S.split("k", 4, tail="pad").unroll("k_i"), lambda A, B: A @ B),
    Case("fused and split", MATMUL, {"A": _floats(6, 7), "B": _floats(7, 9)},
         S.fuse("i", "j").split("i_j", 5, tail="pad"), lambda A, B: A @ B),
    Case("ends", one("x[i] - (x[i - 1] if i > 0 else 0.0)"), {"x": _floats(13)},
         S.peel("i", first=1).vectorize("i", 4), lambda x: np.diff(x, prepend=np.float32(0))),
    Case("a choice comes into a vector", "def f(x: f32[N]) -> f32[N]:\n"
         "    h: f32[N]\n    h[i] = x[i - 1] if i > 0 else 0.0\n"
         "    y[i] = 2 * h[i] + x[i]\n    return y\n",
         {"x": _floats(12)}, S.vectorize("y.i", 4).inline("h"),
         lambda x: 2 * np.concatenate([[np.float32(0)], x[:-1]]) + x),
    Case("tiles in registers", MATMUL, {"A": _floats(16, 8), "B": _floats(8, 64)},
         CPU_TILE[:-1], lambda A, B: A @ B),
)  # fmt: skip


@pytest.mark.parametrize("on", ["cpu", "wasm", "native"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_schedule_gives_what_numpy_gives_at_every_stage(case: Case, on: str) -> None:
    description = open_device(on).describe()
    if not description.available:
        pytest.skip(f"{on}: {description.cause}")
    k = wb.kernel(case.text)
    found = np.asarray(k(**case.inputs, on=on, schedule=case.schedule))
    result = agreement(found, case.reference(**case.inputs), found.dtype, terms=64)
    assert k.last is not None
    checks = k.last.compilation.check(dict(case.inputs))

    assert result.ok, result.words
    assert checks.ok, checks


def test_the_tile_of_vec4_keeps_its_accumulators_in_registers() -> None:
    k = wb.kernel(MATMUL)
    c = k.compile(WGSL_TILE, dims={"M": 64, "K": 16, "N": 64})
    body = c.stages["wgsl"].text.partition("fn main")[2]
    accumulators = re.findall(r"var (C_private_\w+): vec4<f32>;", body)
    a, b = _floats(64, 16), _floats(16, 64)

    assert len(accumulators) == 16
    assert "array<" not in body
    assert body.count("+=") == 4 * 16
    assert body.count("= A[") == 8
    np.testing.assert_allclose(k(a, b, on="native", schedule=WGSL_TILE), a @ b, atol=1e-4)


def test_the_tile_of_a_cpu_keeps_its_accumulators_in_vectors() -> None:
    """LLVM's own listing has no memory left for them, on any processor."""
    c = wb.kernel(MATMUL).compile(CPU_TILE, on="cpu", dims={"M": 16, "K": 8, "N": 64})
    text = c.stages["llvm"].text

    assert text.count("fmul <32 x float>") == 8
    assert text.count("alloca [32 x float]") == 8
    assert "alloca" not in c.stages["llvm-opt"].text
