"""Steps: how long they take to check and apply, and what they gain over the nest as written."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.row import Row, called, interleaved
from workbench.base.source import Source
from workbench.schedule.step import Schedule, step_text
from workbench.session.devices import devices
from workbench.session.kernel import Kernel, kernels

if TYPE_CHECKING:
    from workbench.ir.loops import Loops

TEXT = """def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C

def convolution(I: f32[C, H, W], F: f32[O, C, R, S]) -> f32[O, H - R + 1, W - S + 1]:
    assert H >= R
    assert W >= S
    T: f32[O, H - R + 1, W - S + 1]
    T[o, y, x] = sum(I[c, y + r, x + s] * F[o, c, r, s]
                     for c in range(C) for r in range(R) for s in range(S))
    return T
"""
SIDE = 512
S = Schedule()
TILE = (
    S.tile("i", 8, "j", 8)
    .reorder("i_o", "j_o", "k", "i_i", "j_i")
    .cache("C", "private", at="j_o")
    .split("k", 4)
    .cache("A", "private", at="k_o")
    .vectorize("fetch_1").unroll("fetch_0")
    .vectorize("C.j_i").vectorize("j_i_1").vectorize("keep_1")
    .unroll("i_i").unroll("i_i_1").unroll("keep_0").unroll("k_i")
)  # fmt: skip
TWELVE = (
    S.tile("i", 8, "j", 8)
    .reorder("i_o", "j_o", "k", "i_i", "j_i")
    .cache("C", "private", at="j_o")
    .vectorize("C.j_i").vectorize("j_i_1").vectorize("keep_1")
    .unroll("i_i").unroll("i_i_1").unroll("keep_0").unroll("k", 4)
    .parallelize("i_o", "workgroup.y", 4).parallelize("j_o", "workgroup.x", 4)
)  # fmt: skip
GPU = TILE.parallelize("i_o", "workgroup.y", 4).parallelize("j_o", "workgroup.x", 4)
CPU = (
    S.tile("i", 8, "j", 32)
    .reorder("j_o", "i_o", "k", "i_i", "j_i")
    .cache("B", "private", at="j_o")
    .cache("C", "private", at="i_o")
    .vectorize("fetch_1").vectorize("C.j_i").vectorize("j_i_1").vectorize("keep_1")
    .unroll("i_i").unroll("i_i_1").unroll("keep_0")
    .parallelize("j_o", "worker")
)  # fmt: skip
STEPS = (
    S.split("c", 8), S.split("c", 7, tail="peel"), S.split("c", 7, tail="pad"),
    S.tile("y", 4, "x", 4), S.reorder("s", "r", "c"), S.reorder("c", "x"), S.fuse("r", "s"),
    S.unroll("s"), S.peel("y", first=1, last=1),
    S.cache("F", "private", at="c"), S.cache("T", "private", at="x"),
    S.parallelize("x", "workgroup.x", 64),
)  # fmt: skip


def rows() -> list[Row]:
    found = kernels(Source(TEXT, "scheduling"))
    whole = [_whole(s) for s in (TWELVE, GPU)]
    return [*_steps(found["convolution"]), *whole, *_gains(found["matmul"])]


def _steps(k: Kernel) -> list[Row]:
    """One check and apply on six loops and three arrays, in processor time."""
    dims = {"C": 32, "H": 34, "W": 34, "O": 64, "R": 3, "S": 3}
    loops: Loops = k.loops(dims)
    seconds: dict[str, float] = {}
    for schedule in STEPS:
        (step,) = schedule.steps
        times: list[float] = []
        for _ in range(9):
            start = time.process_time()
            verdict = step.check(loops)
            assert verdict, (step_text(step), verdict.reason)
            step.apply(loops)
            times.append(time.process_time() - start)
        seconds[step_text(step)] = median(times)
    typical = median(seconds.values())
    worst = max(seconds, key=lambda name: seconds[name])
    return [
        Row("a step on six loops, median", typical * 1e3, "ms", 5.0, "5 ms", "at most 1 x"),
        Row(f"worst: {worst}", seconds[worst] * 1e3, "ms", 50.0, "50 ms", "at most 1 x"),
    ]


def _whole(schedule: Schedule) -> Row:
    """All steps of a tile applied, and its code made, from the text on; processor time."""
    count = len(schedule.steps)

    def compiled() -> Any:
        fresh = kernels(Source(TEXT, "scheduling"))["matmul"]
        return fresh.compile(schedule, dims={"M": SIDE, "K": SIDE, "N": SIDE})

    times: list[float] = []
    for _ in range(7):
        start = time.process_time()
        compiled()
        times.append(time.process_time() - start)
    best = median(times)
    name = f"matmul {SIDE}: {count} steps to wgsl"
    return Row(name, best * 1e3, "ms", 80.0, "80 ms", "at most 1 x")


def _gains(k: Kernel) -> list[Row]:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((SIDE, SIDE), dtype=np.float32) for _ in "ab")
    result: list[Row] = []
    for d in devices().rows:
        if not d.available:
            continue
        tile = GPU if d.target == "wgsl" else CPU
        calls = (called(k, (a, b), d.name, s) for s in (tile, None))
        tiled, naive = interleaved(*calls, repeats=5)
        rate = 2 * SIDE**3 / tiled / 1e9
        name = f"matmul {SIDE}, {d.name}: {rate:.0f} GFLOP/s"
        result.append(Row(name, tiled * 1e3, "ms", naive * 1e3, "the default rule"))
    return result
