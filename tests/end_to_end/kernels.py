"""Kernels of the core language with NumPy references at float64: what every path must compute.

A `Case` is a text, inputs by name, and the reference as a function of the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    text: str
    inputs: Callable[[np.random.Generator], Mapping[str, Any]]
    reference: Callable[..., Any]
    terms: int = 64
    scale: float | None = None
    """The size of the terms where they cancel; None: that of the largest element."""


def f32(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(-1, 1, shape).astype(np.float32)


def ints(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.integers(-9, 10, shape).astype(np.int32)


def uints(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.integers(0, 2**32, shape, dtype=np.uint32)


def bools(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.integers(0, 2, shape).astype(bool)


def given(**makers: Any) -> Callable[[np.random.Generator], Mapping[str, Any]]:
    return lambda rng: {n: m(rng) if callable(m) else m for n, m in makers.items()}


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def blur(x: np.ndarray) -> np.ndarray:
    padded = np.pad(x, 1, mode="edge")
    rows, columns = x.shape
    parts = [padded[u : u + rows, v : v + columns] for u in range(3) for v in range(3)]
    return np.sum(parts, axis=0) / 9


def mandelbrot(h: int, w: int) -> np.ndarray:
    out = np.zeros((h, w), np.int32)
    for y in range(h):
        for x in range(w):
            cr, ci = np.float32(x) / w * 3 - 2, np.float32(y) / h * 2 - 1
            zr = zi = np.float32(0)
            n = 0
            while n < 40 and zr * zr + zi * zi < 4:
                zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
                n += 1
            out[y, x] = n
    return out


def collatz(n: int) -> np.ndarray:
    out = np.zeros(n, np.int32)
    for i in range(n):
        value, steps = i + 1, 0
        while value != 1:
            value = value // 2 if value % 2 == 0 else 3 * value + 1
            steps += 1
        out[i] = steps
    return out


CASES = (
    Case(
        "matmul",
        "def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:\n"
        "    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))\n    return C\n",
        given(A=f32(17, 23), B=f32(23, 19)),
        lambda A, B: A @ B,
    ),
    Case(
        "matmul_one",
        "def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:\n"
        "    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))\n    return C\n",
        given(A=f32(1, 1), B=f32(1, 1)),
        lambda A, B: A @ B,
    ),
    Case(
        "matmul_empty_sum",
        "def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:\n"
        "    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))\n    return C\n",
        given(A=f32(3, 0), B=f32(0, 5)),
        lambda A, B: A @ B,
    ),
    Case(
        "saxpy",
        "def saxpy(a: f32, x: f32[N], y: f32[N]) -> f32[N]:\n"
        "    z[i] = a * x[i] + y[i]\n    return z\n",
        given(a=2.5, x=f32(101), y=f32(101)),
        lambda a, x, y: a * x + y,
    ),
    Case(
        "transpose",
        "def transpose(x: f32[M, N]) -> f32[N, M]:\n    y[j, i] = x[i, j]\n    return y\n",
        given(x=f32(7, 13)),
        lambda x: x.T,
    ),
    Case(
        "softmax",
        "def softmax(x: f32[M, N]) -> f32[M, N]:\n"
        "    top[i] = max(x[i, j] for j in range(N))\n"
        "    e[i, j] = exp(x[i, j] - top[i])\n"
        "    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))\n    return y\n",
        given(x=f32(11, 37)),
        softmax,
    ),
    Case(
        "layer_norm",
        "def layer_norm(x: f32[M, N], g: f32[N], b: f32[N]) -> f32[M, N]:\n"
        "    mean[i] = sum(x[i, j] for j in range(N)) / N\n"
        "    var[i] = sum((x[i, j] - mean[i]) * (x[i, j] - mean[i]) for j in range(N)) / N\n"
        "    y[i, j] = (x[i, j] - mean[i]) / sqrt(var[i] + 1e-5) * g[j] + b[j]\n    return y\n",
        given(x=f32(6, 50), g=f32(50), b=f32(50)),
        lambda x, g, b: (
            (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * g + b
        ),
    ),
    Case(
        "blur_with_clamped_borders",
        "def blur(x: f32[H, W]) -> f32[H, W]:\n"
        "    y[r, c] = sum(x[min(max(r + u - 1, 0), H - 1), min(max(c + v - 1, 0), W - 1)]\n"
        "                  for u in range(3) for v in range(3)) / 9.0\n    return y\n",
        given(x=f32(12, 15)),
        blur,
    ),
    Case(
        "shift_with_select",
        "def shift(x: f32[N]) -> f32[N]:\n    y[i] = x[i - 1] if i > 0 else 0.0\n    return y\n",
        given(x=f32(70)),
        lambda x: np.concatenate([[0], x[:-1]]),
    ),
    Case(
        "rotate_with_modulo",
        "def rotate(x: f32[N]) -> f32[N]:\n    y[i] = x[(i - 1) % N]\n    return y\n",
        given(x=f32(67)),
        lambda x: np.roll(x, 1),
    ),
    Case(
        "valid_convolution",
        "def conv(x: f32[N]) -> f32[N - 2]:\n"
        "    y[i] = x[i] - 2.0 * x[i + 1] + x[i + 2]\n    return y\n",
        given(x=f32(40)),
        lambda x: x[:-2] - 2 * x[1:-1] + x[2:],
    ),
    Case(
        "two_layers",
        "def mlp(x: f32[B, P], W: f32[P, H], b: f32[H], V: f32[H, C]) -> f32[B, C]:\n"
        "    h[s, j] = max(sum(x[s, k] * W[k, j] for k in range(P)) + b[j], 0.0)\n"
        "    y[s, o] = sum(h[s, j] * V[j, o] for j in range(H))\n    return y\n",
        given(x=f32(9, 16), W=f32(16, 12), b=f32(12), V=f32(12, 5)),
        lambda x, W, b, V: np.maximum(x @ W + b, 0) @ V,
    ),
    Case(
        "total",
        "def total(x: f32[M, N]) -> f32:\n"
        "    s = sum(x[i, j] for i in range(M) for j in range(N))\n    return s\n",
        given(x=f32(13, 7)),
        lambda x: x.sum(),
        scale=50.0,
    ),
    Case(
        "long_total",
        "def norm(x: f32[N]) -> f32:\n"
        "    s = sqrt(sum(x[i] * x[i] for i in range(N) if x[i] > -0.9))\n    return s\n",
        given(x=f32(3001)),
        lambda x: np.sqrt((x[x > np.float32(-0.9)] ** 2).sum()),
        terms=3000,
    ),
    Case(
        "long_maximum",
        "def extremes(x: f32[M, N]) -> (f32, f32):\n"
        "    a = max(x[i, j] for i in range(M) for j in range(N))\n"
        "    b = min(x[i, j] for i in range(M) for j in range(N))\n    return a, b\n",
        given(x=f32(1024, 2)),
        lambda x: (x.max(), x.min()),
    ),
    Case(
        "filtered_sum",
        "def positive(x: f32[M, N]) -> f32[M]:\n"
        "    y[i] = sum(x[i, j] for j in range(N) if x[i, j] > 0.0)\n    return y\n",
        given(x=f32(8, 33)),
        lambda x: np.where(x > 0, x, 0).sum(1),
    ),
    Case(
        "argmax",
        "def best(x: f32[M, N]) -> i32[M]:\n"
        "    y[i] = argmax(x[i, j] for j in range(N))\n    return y\n",
        given(x=f32(9, 31)),
        lambda x: x.argmax(1).astype(np.int32),
    ),
    Case(
        "argmin_first_on_ties",
        "def least(x: i32[M, N]) -> i32[M]:\n"
        "    y[i] = argmin(x[i, j] for j in range(N))\n    return y\n",
        given(x=ints(40, 25)),
        lambda x: x.argmin(1).astype(np.int32),
    ),
    Case(
        "any_and_all",
        "def logic(x: bool[M, N]) -> (bool[M], bool[M]):\n"
        "    some[i] = any(x[i, j] for j in range(N))\n"
        "    every[i] = all(x[i, j] for j in range(N))\n    return some, every\n",
        given(x=bools(30, 3)),
        lambda x: (x.any(1), x.all(1)),
    ),
    Case(
        "any_and_all_of_everything",
        "def logic(x: bool[M, N]) -> (bool, bool):\n"
        "    some = any(x[i, j] for i in range(M) for j in range(N))\n"
        "    every = all(x[i, j] for i in range(M) for j in range(N))\n    return some, every\n",
        given(x=bools(5, 3)),
        lambda x: (x.any(), x.all()),
    ),
    Case(
        "count_true",
        "def count(x: bool[M, N]) -> i32[M]:\n"
        "    n[i] = sum(x[i, j] for j in range(N))\n    return n\n",
        given(x=bools(10, 21)),
        lambda x: x.sum(1).astype(np.int32),
    ),
    Case(
        "floor_division_and_modulo",
        "def divide(a: i32[N], b: i32[N]) -> (i32[N], i32[N]):\n"
        "    q[i] = a[i] // b[i]\n    r[i] = a[i] % b[i]\n    return q, r\n",
        given(a=ints(200), b=ints(200)),
        lambda a, b: (
            np.where(b == 0, 0, a // np.where(b == 0, 1, b)).astype(np.int32),
            np.where(b == 0, 0, a % np.where(b == 0, 1, b)).astype(np.int32),
        ),
    ),
    Case(
        "floor_division_of_floats",
        "def divide(a: f32[N], b: f32[M]) -> (f32[N, M], f32[N, M]):\n"
        "    q[i, j] = a[i] // b[j]\n    r[i, j] = a[i] % b[j]\n    return q, r\n",
        given(
            a=np.asarray([0.9, 1.0, 5.5, -5.5, 7.0, -7.0, 1e-3, 12345.678], np.float32),
            b=np.asarray([0.1, -0.1, 0.3, 2.0, 1e-2], np.float32),
        ),
        lambda a, b: (np.floor_divide.outer(a, b), np.mod.outer(a, b)),
    ),
    Case(
        "unsigned_mixing",
        "def mix(x: u32[N]) -> u32[N]:\n"
        "    y[i] = (x[i] ^ (x[i] >> u32(16))) * u32(73244475)\n    return y\n",
        given(x=uints(64)),
        lambda x: (x ^ (x >> np.uint32(16))) * np.uint32(73244475),
    ),
    Case(
        "functions",
        "def functions(x: f32[N]) -> f32[N]:\n"
        "    y[i] = sin(x[i]) + cos(x[i]) * tanh(x[i]) + sqrt(abs(x[i])) + exp(x[i])\n"
        "    z[i] = y[i] + floor(4.0 * x[i]) + ceil(4.0 * x[i]) + log(abs(x[i]) + 1.0)\n"
        "    return z\n",
        given(x=f32(90)),
        lambda x: (
            np.sin(x)
            + np.cos(x) * np.tanh(x)
            + np.sqrt(abs(x))
            + np.exp(x)
            + np.floor(4 * x)
            + np.ceil(4 * x)
            + np.log(abs(x) + 1)
        ),
    ),
    Case(
        "gelu",
        "def gelu(x: f32[N]) -> f32[N]:\n"
        "    y[i] = 0.5 * x[i] * (1.0 + erf(x[i] * 0.7071067811865476))\n    return y\n",
        given(x=f32(77)),
        lambda x: 0.5 * x * (1 + np.vectorize(__import__("math").erf)(x * 0.7071067811865476)),
    ),
    Case(
        "mandelbrot",
        "def mandelbrot(h: i32, w: i32) -> i32[h, w]:\n"
        "    for y, x in grid(h, w):\n"
        "        cr = f32(x) / f32(w) * 3.0 - 2.0\n        ci = f32(y) / f32(h) * 2.0 - 1.0\n"
        "        zr, zi, n = 0.0, 0.0, 0\n"
        "        while n < 40 and zr * zr + zi * zi < 4.0:\n"
        "            zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci\n"
        "            n = n + 1\n"
        "        out[y, x] = n\n    return out\n",
        given(h=12, w=20),
        mandelbrot,
    ),
    Case(
        "collatz",
        "def collatz(n: i32) -> i32[n]:\n"
        "    for i in grid(n):\n"
        "        value, steps = i + 1, 0\n"
        "        while value != 1:\n"
        "            if value % 2 == 0:\n                value = value // 2\n"
        "            else:\n                value = 3 * value + 1\n"
        "            steps = steps + 1\n"
        "        out[i] = steps\n    return out\n",
        given(n=50),
        collatz,
    ),
    Case(
        "horner_in_a_block",
        "def horner(x: f32[N], c: f32[K]) -> f32[N]:\n"
        "    for i in grid(N):\n"
        "        acc = 0.0\n"
        "        for k in range(K):\n            acc = acc * x[i] + c[k]\n"
        "        y[i] = acc\n    return y\n",
        given(x=f32(45), c=f32(6)),
        np.vectorize(lambda x, c: np.polyval(c, x), signature="(),(k)->()"),
    ),
    Case(
        "first_above",
        "def first(x: f32[M, N], level: f32 = 0.5) -> i32[M]:\n"
        "    for i in grid(M):\n"
        "        at = N\n"
        "        for j in range(N):\n"
        "            if x[i, j] > level:\n                at = j\n                break\n"
        "        out[i] = at\n    return out\n",
        given(x=f32(20, 12)),
        lambda x: np.where((x > 0.5).any(1), (x > 0.5).argmax(1), x.shape[1]).astype(np.int32),
    ),
    Case(
        "returned_parameter_is_copied",
        "def keep(x: f32[N]) -> (f32[N], f32[N]):\n    y[i] = 2.0 * x[i]\n    return x, y\n",
        given(x=f32(9)),
        lambda x: (x, 2 * x),
    ),
    Case(
        "three_dimensions",
        "def batched(A: f32[B, M, K], X: f32[B, K, N]) -> f32[B, M, N]:\n"
        "    C[b, i, j] = sum(A[b, i, k] * X[b, k, j] for k in range(K))\n    return C\n",
        given(A=f32(3, 5, 7), X=f32(3, 7, 4)),
        lambda A, X: A @ X,
    ),
    Case(
        "no_elements",
        "def double(x: f32[N]) -> f32[N]:\n    y[i] = 2.0 * x[i]\n    return y\n",
        given(x=f32(0)),
        lambda x: 2 * x,
    ),
)


def wide(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs at float64, for the reference."""
    return {
        n: v.astype(np.float64) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v
        for n, v in values.items()
    }
