"""Textbook schedules: what books and papers on loop nests do to a dozen kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.end_to_end.algebra import ATTENTION, VARIANCE, attention, moments
from tests.end_to_end.kernels_steps import HEAT, heat
from tests.end_to_end.test_schedules import (
    BLUR,
    CONVOLUTION,
    NORMS,
    SOFTMAX,
    blurred,
    convolved,
    softmax,
)
from workbench.schedule.step import Schedule

S = Schedule()
X, Y = "workgroup.x", "workgroup.y"


@dataclass(frozen=True, slots=True)
class Book:
    """A kernel, the shapes of its arrays, its scalars, what NumPy gives, and schedules by name.

    The dims in `opened` are no literals.
    """

    text: str
    shapes: Mapping[str, tuple[int, ...]]
    reference: Callable[..., Any]
    schedules: Mapping[str, Schedule]
    scalars: Mapping[str, int] = field(default_factory=dict[str, int])
    dtype: str = "f4"
    opened: tuple[str, ...] = ()

    def inputs(self) -> dict[str, np.ndarray]:
        """Whole numbers, of which sums are exact."""
        rng = np.random.default_rng(5)
        return {n: rng.integers(0, 4, s).astype(self.dtype) for n, s in self.shapes.items()}


# Matrices -----------------------------------------------------------------------------------

_TILED = S.tile("i", 4, "j", 4)
_BLOCK = S.tile("i", 4, "j", 4).split("k", 5).reorder("i_o", "j_o", "k_o", "i_i", "k_i", "j_i")
_REGISTERS = S.tile("i", 3, "j", 4).reorder("i_o", "j_o", "k", "i_i", "j_i")
_ACCUMULATED = _REGISTERS.cache("C", "private", at="j_o")
_GROUPS = S.parallelize("i", Y, 4).parallelize("j", X, 4)
_STEPS = _GROUPS.split("k", 4)
_COPIED = _STEPS.cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o")
_MATMUL = {
    "as written": S,
    "j i k": S.reorder("j", "i"),
    "i k j": S.reorder("k", "j"),
    "k i j": S.reorder("k", "i", "j"),
    "k j i": S.reorder("k", "j", "i"),
    "j k i": S.reorder("j", "k", "i"),
    "rows and columns fused": S.fuse("i", "j"),
    "tiled 4x4": _TILED,
    "tiled 4x4, peeled": S.tile("i", 4, "j", 4, tail="peel"),
    "tiled 4x4, padded": S.tile("i", 4, "j", 4, tail="pad"),
    "tiled 2x3": S.tile("i", 2, "j", 3),
    "tiled 16x16": S.tile("i", 16, "j", 16),
    "tiles in column order": _TILED.reorder("j_o", "i_o"),
    "tiled in two levels": S.tile("i", 4, "j", 6).tile("i_i", 2, "j_i", 3),
    "sum blocked, guarded": S.split("k", 4),
    "sum blocked, peeled": S.split("k", 4, tail="peel"),
    "sum blocked, padded": S.split("k", 4, tail="pad"),
    "blocked in three dimensions": _BLOCK,
    "blocked, vectorized": _BLOCK.vectorize("j_i"),
    "blocked, unrolled": _BLOCK.unroll("k_i"),
    "vectorized columns": S.reorder("k", "j").vectorize("j", 4),
    "vectorized columns, peeled": S.reorder("k", "j").vectorize("j", 8, tail="peel"),
    "sum unrolled": S.unroll("k"),
    "sum unrolled by 4": S.unroll("k", 4),
    "sum unrolled by 4, peeled": S.unroll("k", 4, tail="peel"),
    "first of the sum peeled": S.peel("k", first=1),
    "last rows peeled": S.peel("i", last=1),
    "first values decomposed": S.decompose("j"),
    "outer products into registers": _REGISTERS,
    "register tile": _ACCUMULATED.unroll("i_i").unroll("j_i"),
    "register tile, vectorized": _ACCUMULATED.vectorize("C.j_i").unroll("i_i"),
    "register tile, A in registers": _ACCUMULATED.cache("A", "private", at="k"),
    "register tile, packed B": _REGISTERS.transform_layout("B", 1, 4)
    .cache("C", "private", at="j_o").vectorize("C.j_i").unroll("i_i"),
    "register tile, packed A and B": _REGISTERS.transform_layout("A", 0, 3)
    .transform_layout("B", 1, 4).cache("C", "private", at="j_o"),
    "packed result": S.transform_layout("C", 1, 4),
    "rows on workers": S.parallelize("i", "worker"),
    "tiles on workers": _TILED.parallelize("i_o", "worker"),
    "packed, on workers": S.tile("i", 3, "j", 4).reorder("j_o", "i_o", "k", "i_i", "j_i")
    .transform_layout("B", 1, 4).cache("C", "private", at="i_o").vectorize("C.j_i")
    .unroll("i_i").parallelize("j_o", "worker"),
    "operands padded": S.pad("A", 1, 4).pad("B", 0, 4).split("C.k", 4).unroll("k_i"),
    "split sum in lanes": S.split("k", 4).rfactor("k_i"),
    "split sum in lanes, padded": S.split("k", 4, tail="pad").rfactor("k_i"),
    "split sum in blocks": S.split("k", 4).rfactor("k_o"),
    "split sum in two nests": S.split("k", 4).rfactor("k_o", memory="storage"),
    "split sum by a workgroup": S.split("k", 4).rfactor("k_i", memory="workgroup"),
    "an element an invocation": S.parallelize("i", Y, 4).parallelize("j", X, 4),
    "rows on workgroups": S.parallelize("i", X, 4),
    "workgroup tiles": _COPIED,
    "workgroup tiles, padded sum": _GROUPS.split("k", 4, tail="pad")
    .cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o"),
    "workgroup tiles, sum unrolled": _COPIED.unroll("k_i"),
    "workgroup tile of A alone": _STEPS.cache("A", "workgroup", at="k_o"),
    "workgroup tiles, banks padded": _STEPS.cache("A", "workgroup", at="k_o", pad=1)
    .cache("B", "workgroup", at="k_o", pad=1),
    "workgroup tiles, A transposed": _STEPS
    .cache("A", "workgroup", at="k_o", transposed=True, pad=1).cache("B", "workgroup", at="k_o"),
    "workgroup tiles, double": _STEPS.cache("A", "workgroup", at="k_o", double=True)
    .cache("B", "workgroup", at="k_o", double=True),
    "workgroup tiles, result collected": _GROUPS.reorder("i_o", "j_o", "i_i", "j_i").split("k", 4)
    .cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o", pad=1)
    .cache("C", "workgroup", at="j_o", transposed=True),
}  # fmt: skip
MATMUL = """
def product(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
MATVEC = """
def matvec(A: f32[M, K], x: f32[K]) -> f32[M]:
    y[i] = sum(A[i, k] * x[k] for k in range(K))
    return y
"""
GRAM = """
def gram(A: f32[K, M], B: f32[N, K]) -> f32[M, N]:
    C[i, j] = sum(A[k, i] * B[j, k] for k in range(K))
    return C
"""
BATCHED = """
def batched(A: f32[B, M, K], X: f32[B, K, N]) -> f32[B, M, N]:
    Y[b, i, j] = sum(A[b, i, k] * X[b, k, j] for k in range(K))
    return Y
"""
LAYER = """
def layer(A: f32[M, K], B: f32[K, N], c: f32[N]) -> f32[M, N]:
    h[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    y[i, j] = max(h[i, j] + c[j], 0.0)
    return y
"""
TRANSPOSE = "def transpose(x: f32[M, N]) -> f32[N, M]:\n    y[j, i] = x[i, j]\n    return y\n"
_FLIPPED = S.parallelize("i", X, 4).parallelize("j", Y, 4).reorder("j_o", "i_o", "j_i", "i_i")
MATRICES = (
    Book(MATMUL, {"A": (9, 10), "B": (10, 12)}, lambda A, B: A @ B, _MATMUL),
    Book(MATMUL, {"A": (9, 10), "B": (10, 12)}, lambda A, B: A @ B, {
        "a version for one sum": S.specialize("k", "K", 10),
        "a version for another sum": S.specialize("k", "K", 8),
        "a version for one sum, rows blocked": S.specialize("k", "K", 10).split("i", 4),
    }, opened=("K",)),
    Book(MATVEC, {"A": (9, 14), "x": (14,)}, lambda A, x: A @ x, {
        "rows blocked": S.split("i", 4),
        "by columns": S.reorder("k", "i"),
        "by columns, vectorized": S.reorder("k", "i").vectorize("i", 4),
        "x in workgroup memory": S.parallelize("i", X, 4).split("k", 8)
        .cache("x", "workgroup", at="k_o"),
        "a row a workgroup": S.split("k", 4).rfactor("k_i", memory="workgroup")
        .parallelize("i", X),
        "row sums in lanes": S.split("k", 4, tail="pad").rfactor("k_i"),
        "rows four at a time": S.split("i", 4).reorder("i_o", "k", "i_i").unroll("i_i"),
    }),
    Book(GRAM, {"A": (7, 6), "B": (9, 7)}, lambda A, B: A.T @ B.T, {
        "outer products": S.reorder("k", "i", "j"),
        "tiled": S.tile("i", 4, "j", 4),
        "packed along the sum": S.transform_layout("B", 0, 3),
        "workgroup tiles": _STEPS.cache("A", "workgroup", at="k_o")
        .cache("B", "workgroup", at="k_o", transposed=True, pad=1),
    }),
    Book(BATCHED, {"A": (3, 5, 6), "X": (3, 6, 7)}, lambda A, X: A @ X, {
        "batches innermost": S.reorder("i", "j", "b"),
        "batches and rows fused": S.fuse("b", "i"),
        "batches on workers": S.parallelize("b", "worker"),
        "batches on z": S.parallelize("b", "workgroup.z").parallelize("i", Y, 4)
        .parallelize("j", X, 4),
        "workgroup tiles of each": S.parallelize("b", "workgroup.z").parallelize("i", Y, 4)
        .parallelize("j", X, 4).split("k", 4).cache("A", "workgroup", at="k_o")
        .cache("X", "workgroup", at="k_o"),
    }),
    Book(LAYER, {"A": (6, 5), "B": (5, 8), "c": (8,)},
         lambda A, B, c: np.maximum(A @ B + c, 0), {
        "epilogue at each element": S.compute_at("h", "y.j"),
        "epilogue at each row": S.compute_at("h", "y.i"),
        "epilogue at each tile": S.tile("y.i", 4, "y.j", 4).compute_at("h", "y.j_o"),
        "layers apart again": S.compute_at("h", "y.i").compute_root("h"),
        "intermediate packed": S.transform_layout("h", 1, 4),
        "intermediate in f16, on workers": S.cache("h", "private", at="h.j")
        .set_dtype("h", "f16").parallelize("y.i", "worker"),
        "intermediate padded": S.pad("h", 1, 3),
        "weights packed": S.transform_layout("B", 1, 4),
    }),
    Book(TRANSPOSE, {"x": (9, 6)}, lambda x: x.T, {
        "other order": S.reorder("i", "j"),
        "tiled": S.tile("i", 4, "j", 4),
        "tiled, unrolled": S.tile("i", 4, "j", 2).unroll("j_i"),
        "through workgroup memory": _FLIPPED.cache("x", "workgroup", at="i_i"),
        "through workgroup memory, padded": _FLIPPED.cache("x", "workgroup", at="i_i", pad=1),
    }),
)  # fmt: skip

# Windows ------------------------------------------------------------------------------------

POINTWISE = """
def pointwise(x: f32[C, H, W], w: f32[O, C]) -> f32[O, H, W]:
    y[o, r, c] = sum(x[d, r, c] * w[o, d] for d in range(C))
    return y
"""
DEPTHWISE = """
def depthwise(x: f32[C, H, W], w: f32[C, 3, 3]) -> f32[C, H - 2, W - 2]:
    y[d, r, c] = sum(x[d, r + u, c + v] * w[d, u, v] for u in range(3) for v in range(3))
    return y
"""
SIGNAL = """
def signal(x: f32[N], w: f32[K]) -> f32[N - K + 1]:
    y[i] = sum(x[i + k] * w[k] for k in range(K))
    return y
"""


def depthwise(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    return np.einsum("drcuv,duv->drc", windows, w)


_DIRECT = S.tile("o", 4, "c", 3).reorder("o_o", "r", "c_o", "d", "u", "v", "c_i", "o_i")
WINDOWS = (
    Book(CONVOLUTION, {"x": (2, 6, 8), "w": (4, 2, 3, 3)}, convolved, {
        "channels outermost": S.reorder("d", "u", "v", "o", "r", "c"),
        "tiled in space": S.tile("r", 2, "c", 3),
        "window unrolled": S.unroll("v").unroll("u"),
        "window fused": S.fuse("u", "v"),
        "direct": _DIRECT,
        "direct, packed, in registers": _DIRECT.transform_layout("w", 0, 4)
        .cache("y", "private", at="c_o").vectorize("o_i").unroll("c_i"),
        "direct, on workers": _DIRECT.transform_layout("w", 0, 4).parallelize("o_o", "worker"),
        "halo in workgroup memory": S.parallelize("r", Y, 4).parallelize("c", X, 4)
        .reorder("o", "r_o", "c_o", "r_i", "c_i").cache("x", "workgroup", at="d"),
    }),
    Book(POINTWISE, {"x": (5, 4, 6), "w": (6, 5)}, lambda x, w: np.einsum("dhw,od->ohw", x, w), {
        "as a matmul": S.fuse("r", "c"),
        "as a tiled matmul": S.fuse("r", "c").tile("o", 4, "r_c", 4),
        "channels blocked": S.split("d", 2).reorder("d_o", "o", "r", "c", "d_i"),
    }),
    Book(DEPTHWISE, {"x": (3, 6, 7), "w": (3, 3, 3)}, depthwise, {
        "window unrolled": S.unroll("v").unroll("u"),
        "channels on workers": S.parallelize("d", "worker"),
        "channels innermost": S.reorder("r", "c", "u", "v", "d"),
    }),
    Book(SIGNAL, {"x": (20,), "w": (5,)}, lambda x, w: np.convolve(x, w[::-1], "valid"), {
        "taps outermost": S.reorder("k", "i"),
        "window in registers": S.split("i", 4).cache("x", "private", at="i_o"),
        "window in workgroup memory": S.parallelize("i", X, 4).cache("x", "workgroup", at="i_i"),
        "taps in workgroup memory": S.parallelize("i", X, 4).cache("w", "workgroup", at="i_i"),
    }),
    Book(BLUR, {"x": (9, 11)}, blurred, {
        "inlined": S.inline("h"),
        "at each row": S.compute_at("h", "y.i"),
        "at each element": S.compute_at("h", "y.j"),
        "strips": S.split("y.i", 4).compute_at("h", "y.i_o"),
        "overlapped tiles": S.tile("y.i", 4, "y.j", 4).compute_at("h", "y.j_o"),
        "overlapped tiles on workers": S.tile("y.i", 4, "y.j", 4).compute_at("h", "y.j_o")
        .parallelize("y.i_o", "worker"),
        "strips, whole again": S.split("y.i", 4).compute_at("h", "y.i_o").compute_root("h"),
        "tiles in workgroup memory": S.parallelize("y.i", Y, 4).parallelize("y.j", X, 4)
        .compute_at("h", "y.j_i", memory="workgroup"),
        "borders peeled": S.peel("y.i", first=1, last=1),
        "rows vectorized": S.peel("h.j", first=1, last=1).vectorize("h.j", 4),
        "columns first": S.reorder("y.j", "y.i"),
    }),
    Book(HEAT, {"u": (13,)}, heat, {
        "blocked in space": S.split("i", 4),
        "by workgroups": S.parallelize("i", X, 4),
    }, {"steps": 3}),
)  # fmt: skip

# Rows, sums and tables ----------------------------------------------------------------------

LAYER_NORM = """
def layer_norm(x: f32[M, N]) -> f32[M, N]:
    mean[i] = sum(x[i, j] for j in range(N)) / N
    var[i] = sum((x[i, j] - mean[i]) ** 2 for j in range(N)) / N
    y[i, j] = (x[i, j] - mean[i]) / sqrt(var[i] + 0.5)
    return y
"""
TOTAL = """
def total(x: f32[M, N]) -> f32:
    y = sum(x[i, k] for i in range(M) for k in range(N))
    return y
"""
PREFIX = """
def prefix(x: f32[M, N]) -> f32[M, N]:
    y[i, j] = sum(x[i, k] for k in range(j + 1))
    return y
"""
HISTOGRAM = """
def histogram(b: i32[N]) -> i32[4]:
    h: i32[4] = 0
    for i in grid(N):
        h[b[i]] += 1
    return h
"""
SAXPY = "def saxpy(x: f32[N], y: f32[N]) -> f32[N]:\n    z[i] = 2.0 * x[i] + y[i]\n    return z\n"


def layer_norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 0.5)


_ONLINE = S.inline("e").online_softmax("y_sum.k")
_ALONE = S.inline("p").compute_at("total", "y.i").compute_at("top", "y.i").compute_at("s", "y.i")
ROWS = (
    Book(SOFTMAX, {"x": (5, 11)}, softmax, {
        "maximum at each row": S.compute_at("top", "y.i"),
        "all at each row": S.compute_at("e", "y.i").compute_at("top", "y.i"),
        "exponentials twice": S.inline("e").compute_at("top", "y.i"),
        "rows on workers": S.inline("e").compute_at("top", "y.i").parallelize("y.i", "worker"),
        "online": _ONLINE,
        "online, in parts": _ONLINE.split("top.j", 4).rfactor("top.j_i"),
        "online, by workgroups": _ONLINE.split("top.j", 4)
        .rfactor("top.j_i", memory="workgroup").parallelize("top.i", X),
    }),
    Book(LAYER_NORM, {"x": (4, 9)}, layer_norm, {
        "two passes at each row": S.compute_at("var", "y.i").compute_at("mean", "y.i"),
        "one pass": S.welford("var.j"),
        "one pass in parts": S.welford("var.j").split("mean.j", 4).rfactor("mean.j_i"),
    }),
    Book(VARIANCE, {"x": (4, 9)}, moments, {
        "one pass": S.welford("var.j"),
        "one pass, in parts": S.welford("var.j").split("mean.j", 4).rfactor("j_i"),
    }),
    Book(ATTENTION, {"Q": (5, 4), "K": (6, 4), "V": (6, 3)},
         lambda Q, K, V: attention(Q, K, V)[0], {
        "weights inlined": S.inline("p"),
        "a row at a time": _ALONE,
        "a row at a time, online": _ALONE.online_softmax("total.j"),
        "scores at each row": S.compute_at("p", "y.i"),
    }),
    Book(NORMS, {"x": (4, 22)}, lambda x: (x * x).sum(axis=1), {
        "in lanes": S.split("k", 4).rfactor("k_i"),
        "in lanes, padded": S.split("k", 4, tail="pad").rfactor("k_i"),
        "in blocks": S.split("k", 6).rfactor("k_o"),
        "a tree": S.split("k", 8).rfactor("k_i", memory="workgroup").parallelize("i", X),
        "in stages": S.split("k", 6).rfactor("k_o", memory="storage"),
        "four at a time": S.unroll("k", 4),
    }),
    Book(TOTAL, {"x": (5, 9)}, lambda x: x.sum(), {
        "fused": S.fuse("i", "k"),
        "columns first": S.reorder("k", "i"),
        "row sums": S.rfactor("i"),
        "a tree of columns": S.rfactor("k", memory="workgroup"),
        "fused, in two stages": S.fuse("i", "k").split("i_k", 8).rfactor("i_k_o", memory="storage"),
    }),
    Book(PREFIX, {"x": (4, 9)}, lambda x: x.cumsum(axis=1), {
        "rows side by side": S.parallelize("i", X, 4),
        "rows on workers": S.parallelize("i", "worker"),
        "rows blocked": S.split("i", 2),
    }),
    Book(HISTOGRAM, {"b": (20,)}, lambda b: np.bincount(b, minlength=4), {
        "blocked": S.split("i", 8),
        "by workgroups": S.parallelize("i", X, 8),
    }, dtype="i4"),
    Book(SAXPY, {"x": (13,), "y": (13,)}, lambda x, y: 2 * x + y, {
        "vectorized": S.vectorize("i", 4),
        "strip mined, vectorized": S.split("i", 8, tail="peel").vectorize("i_i", 4),
        "unrolled": S.unroll("i", 4),
        "grain of a workgroup": S.split("i", 8).parallelize("i_o", X),
        "on workers": S.split("i", 4).parallelize("i_o", "worker"),
    }),
)  # fmt: skip
BOOKS = (*MATRICES, *WINDOWS, *ROWS)
