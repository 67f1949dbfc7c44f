"""Kernels with the schedules that a person would write, at every stage and on every device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end.kernels import wide
from workbench.ir.compare import agreement
from workbench.runtime.device import open_device

BLUR = """
def blur(x: f32[M, N]) -> f32[M, N]:
    h[i, j] = (x[i, max(j - 1, 0)] + x[i, j] + x[i, min(j + 1, N - 1)]) / 3.0
    y[i, j] = (h[max(i - 1, 0), j] + h[i, j] + h[min(i + 1, M - 1), j]) / 3.0
    return y

@schedule(blur)
def inlined():
    inline("h")

@schedule(blur)
def strips(T=4):
    split("y.i", T)
    compute_at("h", "y.i_o")

@schedule(blur)
def whole(T=4):
    split("y.i", T)
    compute_at("h", "y.i_o")
    compute_root("h")

@schedule(blur)
def tiles(Y=4, X=8):
    parallelize("y.i", "workgroup.y", Y)
    parallelize("y.j", "workgroup.x", X)
    compute_at("h", "y.j_i", memory="workgroup")
"""
SOFTMAX = """
def softmax(x: f32[M, N]) -> f32[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y

@schedule(softmax)
def rows(T=4):
    compute_at("top", "y.i")
    parallelize("y.i", "workgroup.x", T)

@schedule(softmax)
def workers():
    inline("e")
    compute_at("top", "y.i")
    parallelize("y.i", "worker")
"""
NORMS = """
def norms(x: f32[M, N]) -> f32[M]:
    y[i] = sum(x[i, k] * x[i, k] for k in range(N))
    return y

@schedule(norms)
def lanes(L=4):
    split("k", L, tail="pad")
    rfactor("k_i")

@schedule(norms)
def tree(T=16):
    split("k", T)
    rfactor("k_i", memory="workgroup")
    parallelize("i", "workgroup.x")

@schedule(norms)
def stages(T=6):
    split("k", T)
    rfactor("k_o", memory="storage")
"""
ANY = """
def some(x: f32[M, N]) -> bool:
    y = any(x[i, k] > 0.999 for i in range(M) for k in range(N))
    return y

@schedule(some)
def tree():
    rfactor("k", memory="workgroup")
"""
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
    vectorize("C.j_i")
    unroll("i_i")
    parallelize("j_o", "worker")

@schedule(product)
def ahead(T=4):
    parallelize("i", "workgroup.y", T)
    parallelize("j", "workgroup.x", T)
    split("k", T)
    cache("A", "workgroup", at="k_o", double=True)
    cache("B", "workgroup", at="k_o", double=True, pad=1)

@schedule(product)
def collected(T=4):
    parallelize("i", "workgroup.y", T)
    parallelize("j", "workgroup.x", T)
    reorder("i_o", "j_o", "i_i", "j_i")
    split("k", T)
    cache("A", "workgroup", at="k_o")
    cache("B", "workgroup", at="k_o", pad=1)
    cache("C", "workgroup", at="j_o", transposed=True)

@schedule(product)
def padded(V=8):
    pad("A", 1, V)
    pad("B", 0, V)
    split("C.k", V)
    unroll("k_i")
"""
CONVOLUTION = """
def convolution(x: f32[C, H, W], w: f32[O, C, 3, 3]) -> f32[O, H - 2, W - 2]:
    y[o, r, c] = sum(x[d, r + u, c + v] * w[o, d, u, v]
                     for d in range(C) for u in range(3) for v in range(3))
    return y

@schedule(convolution)
def direct(V=16, T=6):
    tile("o", V, "c", T)
    reorder("o_o", "r", "c_o", "d", "u", "v", "c_i", "o_i")
    transform_layout("w", 0, V)
    cache("y", "private", at="c_o")
    vectorize("o_i")
    unroll("c_i")
    parallelize("o_o", "worker")
"""


def convolved(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    return np.einsum("drcuv,oduv->orc", windows, w)


def blurred(x: np.ndarray) -> np.ndarray:
    for axis in (1, 0):
        padded = np.pad(x, [(1, 1) if n == axis else (0, 0) for n in (0, 1)], mode="edge")
        shifted = [np.take(padded, range(d, d + x.shape[axis]), axis) for d in range(3)]
        x = np.mean(shifted, axis=0)
    return x


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Case:
    """A kernel with schedules, the devices that each is for, and what it computes."""

    text: str
    schedules: dict[str, tuple[str, ...]]
    reference: Callable[..., np.ndarray]
    shapes: dict[str, tuple[int, ...]]


GPU, CPU = ("native",), ("cpu", "wasm")
CASES = (
    Case(
        BLUR,
        {"inlined": GPU + CPU, "strips": GPU + CPU, "whole": GPU + CPU, "tiles": GPU},
        blurred,
        {"x": (13, 21)},
    ),
    Case(SOFTMAX, {"rows": GPU, "workers": CPU}, softmax, {"x": (9, 17)}),
    Case(
        NORMS,
        {"lanes": GPU + CPU, "tree": GPU, "stages": GPU + CPU},
        lambda x: (x * x).sum(axis=1),
        {"x": (5, 70)},
    ),
    Case(
        MATMUL,
        {"packed": CPU, "padded": GPU + CPU},
        lambda A, B: A @ B,
        {"A": (24, 20), "B": (20, 64)},
    ),
    Case(
        MATMUL, {"collected": GPU, "ahead": GPU}, lambda A, B: A @ B, {"A": (13, 10), "B": (10, 11)}
    ),
    Case(CONVOLUTION, {"direct": CPU}, convolved, {"x": (5, 8, 14), "w": (32, 5, 3, 3)}),
    Case(ANY, {"tree": GPU + CPU}, lambda x: np.asarray((x > 0.999).any()), {"x": (9, 17)}),
)
CALLS = [(c, s, on) for c in CASES for s, devices in c.schedules.items() for on in devices]


@pytest.mark.parametrize(("case", "name", "on"), CALLS, ids=[f"{s}-{on}" for _, s, on in CALLS])
def test_a_schedule_gives_what_numpy_gives_at_every_stage(case: Case, name: str, on: str) -> None:
    description = open_device(on).describe()
    if not description.available:
        pytest.skip(f"{on}: {description.cause}")
    k = wb.kernel(case.text)
    values = drawn(case)
    given = {d: s for n, shape in case.shapes.items() for d, s in _dims(k, n, shape)}
    dims = {d: given[d] for d in k.graph.symbols()}
    checks = k.compile(schedule=k.schedules[name](), on=on, dims=dims).check(inputs=values)

    assert [c for c in checks.checks if c.state == "cross"] == []
    assert_right(case, name, on)


def drawn(case: Case) -> dict[str, np.ndarray]:
    """Arrays that a case is called with."""
    rng = np.random.default_rng(1)
    return {n: rng.random(shape, np.float32) for n, shape in case.shapes.items()}


def assert_right(case: Case, name: str, on: str) -> None:
    """A schedule gives what NumPy gives on a device."""
    k, values = wb.kernel(case.text), drawn(case)
    result = np.asarray(k(**values, on=on, schedule=k.schedules[name]()))
    found = agreement(result, case.reference(**wide(values)), result.dtype, terms=100)

    assert found.ok, found.words


def _dims(k: wb.Kernel, name: str, shape: tuple[int, ...]) -> list[tuple[str, int]]:
    array = next(a for a in k.graph.inputs if a.name == name)
    return [(str(getattr(x, "name", "")), s) for x, s in zip(array.shape, shape, strict=True)]
