"""Schedules that place values: each kernel beside the same one under the default rule."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row, interleaved
from workbench.runtime.arrays import Array, array
from workbench.session.kernel import Kernel, kernel

MATMUL = """
def product(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C

@schedule(product)
def packed(R=8, V=32):
    tile("i", R, "j", V)
    reorder("j_o", "i_o", "k", "i_i", "j_i")
    transform_layout("B", 1, V)
    cache("C", "private", at="i_o")
    unroll("i_i_1")
    vectorize("j_i_1")
    unroll("i_i")
    vectorize("j_i")
    unroll("keep_0")
    vectorize("keep_1")
    parallelize("j_o", "worker")
"""
CONVOLUTION = """
def convolution(x: f32[C, H, W], w: f32[O, C, 3, 3]) -> f32[O, H - 2, W - 2]:
    y[o, r, c] = sum(x[d, r + u, c + v] * w[o, d, u, v]
                     for d in range(C) for u in range(3) for v in range(3))
    return y

@schedule(convolution)
def direct(V=16, T=14):
    tile("o", V, "c", T)
    reorder("o_o", "r", "c_o", "d", "u", "v", "c_i", "o_i")
    transform_layout("w", 0, V)
    cache("y", "private", at="c_o")
    vectorize("o_i")
    unroll("c_i")
    parallelize("o_o", "worker")
"""
BLUR = """
def blur(x: f32[M, N]) -> f32[M, N]:
    h[i, j] = x[i, max(j - 1, 0)] + x[i, j] + x[i, min(j + 1, N - 1)]
    y[i, j] = h[max(i - 1, 0), j] + h[i, j] + h[min(i + 1, M - 1), j]
    return y

@schedule(blur)
def strips(T=16):
    split("y.i", T)
    compute_at("h", "y.i_o")
    parallelize("y.i_o", "worker")
"""
SUMS = """
def sums(x: f32[M, N]) -> f32[M]:
    y[i] = sum(x[i, k] for k in range(N))
    return y

@schedule(sums)
def lanes(L=32):
    split("k", L)
    rfactor("k_i")
    vectorize("k_i_1")
    vectorize("k_i")
    unroll("k_i_2")
    parallelize("i", "worker")
"""
SIZES: tuple[tuple[str, str, tuple[tuple[int, ...], ...]], ...] = (
    (MATMUL, "packed", ((512, 512), (512, 512))),
    (CONVOLUTION, "direct", ((64, 58, 58), (64, 64, 3, 3))),
    (BLUR, "strips", ((1024, 1024),)),
    (SUMS, "lanes", ((1024, 1024),)),
)


def rows() -> list[Row]:
    rng = np.random.default_rng(0)
    found: list[Row] = []
    for text, name, shapes in SIZES:
        k = kernel(text)
        inputs = [array(rng.random(shape, np.float32)) for shape in shapes]
        ours, rule = interleaved(
            lambda k=k, s=k.schedules[name], x=inputs: _wait(k, x, s),
            lambda k=k, x=inputs: _wait(k, x, None),
            repeats=7,
        )
        title = f"{k.name}, {name}, cpu"
        found.append(Row(title, ours * 1e3, "ms", rule * 1e3, "the default rule"))
    return found


def _wait(k: Kernel, inputs: list[Array], schedule: object) -> None:
    result = k(*inputs, on="cpu", schedule=schedule)
    assert not isinstance(result, tuple)
    assert result.call is not None
    result.call.wait()
