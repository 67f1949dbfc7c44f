"""Kernels of f16, f64, i8, u8 and i64 with NumPy references: what targets that hold them give.

References get floats at float64 and whole numbers in their own dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.end_to_end.kernels import Case, bools, given, softmax


def floats(dtype: str, *shape: int, size: float = 2) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(-size, size, shape).astype(dtype)


def every(dtype: str, *shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Whole numbers from all of a dtype, its ends among them."""
    ends = np.iinfo(np.dtype(dtype).type)

    def make(rng: np.random.Generator) -> np.ndarray:
        values = rng.integers(ends.min, ends.max, shape, np.dtype(dtype).type, endpoint=True)
        values.flat[0], values.flat[-1] = ends.min, ends.max
        return values

    return make


def wrapping(dtype: str) -> Callable[..., Any]:
    """What `WHOLE` computes: NumPy's arithmetic, and 0 where that has no answer."""

    def reference(a: np.ndarray, b: np.ndarray) -> Any:
        one = np.dtype(dtype).type(1)
        with np.errstate(all="ignore"):
            some = np.where(b == 0, one, b)
            quotient = np.where(b == 0, 0, a // some)
            rest = np.where(b == 0, 0, a % some)
            width = 8 * a.dtype.itemsize
            inside = (b >= 0) & (b < width)
            places = np.where(inside, b, 0).astype(dtype)
            left = np.where(inside, a << places, 0)
            right = np.where(inside, a >> places, 0)
            return a + b, a * b - one, quotient, rest, left, right, a**3, np.maximum(a, b) ^ ~a

    return reference


def whole(dtype: str) -> str:
    results = ", ".join([f"{dtype}[N]"] * 8)
    return f"""
def whole(a: {dtype}[N], b: {dtype}[N]) -> ({results}):
    p[i] = a[i] + b[i]
    q[i] = a[i] * b[i] - 1
    r[i] = a[i] // b[i]
    s[i] = a[i] % b[i]
    t[i] = a[i] << b[i]
    u[i] = a[i] >> b[i]
    v[i] = a[i] ** 3
    w[i] = max(a[i], b[i]) ^ ~a[i]
    return p, q, r, s, t, u, v, w
"""


def divisors(dtype: str, count: int) -> np.ndarray:
    """From -9 (or 0) to 70: zeros, minus ones, and shifts by the width and more."""
    least = 0 if dtype[0] == "u" else -9
    return np.resize(np.arange(least, 71), count).astype(dtype)


def reductions(x: np.ndarray) -> Any:
    least = np.iinfo(x.dtype).min
    chosen = np.where(x > 100, x, least).max(1)
    return x.sum(1), chosen, x.argmax(1), x.argmin(1), (x > 0).any(1)


def reducing(dtype: str) -> str:
    total = dtype if dtype == "i64" else "i32"
    return f"""
def reduce(x: {dtype}[M, N]) -> ({total}[M], {dtype}[M], i32[M], i32[M], bool[M]):
    total[i] = sum(x[i, j] for j in range(N))
    top[i] = max(x[i, j] for j in range(N) if x[i, j] > 100)
    at[i] = argmax(x[i, j] for j in range(N))
    low[i] = argmin(x[i, j] for j in range(N))
    some[i] = any(x[i, j] > 0 for j in range(N))
    return total, top, at, low, some
"""


def counts(x: np.ndarray) -> np.ndarray:
    return np.bincount(x, minlength=300)


def mixed(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> Any:
    long = b.astype(np.int64)
    return a + b, long * d, a / b, c + a, c.astype(np.float64) * d, long // 7


def halves(x: np.ndarray, c: float, b: np.ndarray) -> Any:
    ends = np.where(b, np.inf, 0.0)
    return np.exp(x) * c + ends, np.trunc(x * 100), np.clip(x, -0.5, 0.25) - x / 3, np.sqrt(x * x)


def black_scholes(s: np.ndarray, k: np.ndarray, t: float, r: float, v: float) -> np.ndarray:
    from math import erf

    def cdf(x: np.ndarray) -> np.ndarray:
        return 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))

    d = (np.log(s / k) + (r + v * v / 2) * t) / (v * np.sqrt(t))
    return s * cdf(d) - k * np.exp(-r * t) * cdf(d - v * np.sqrt(t))


def waves(x: np.ndarray) -> np.ndarray:
    n = len(x)
    i = np.arange(n)
    return x * (1 / 3) + np.sin(2 * np.pi * i / n) + np.sqrt(2.0) * (i * i + 1) // 3


def median(x: np.ndarray) -> np.ndarray:
    return np.sort(np.stack([np.roll(x, k) for k in (-1, 0, 1)]), axis=0)[1]


def heat(u: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        left, right = np.concatenate([u[:1], u[:-1]]), np.concatenate([u[1:], u[-1:]])
        u = u + 0.25 * (left - 2 * u + right)
    return u


CASES = (
    *(
        Case(f"whole numbers of {name}", whole(name),
             given(a=every(dtype, 241), b=divisors(dtype, 241)), wrapping(dtype))
        for name, dtype in (("i8", "int8"), ("u8", "uint8"), ("i64", "int64"))
    ),
    *(
        Case(f"reductions of {name}", reducing(name), given(x=every(dtype, 5, 333)), reductions)
        for name, dtype in (("i8", "int8"), ("u8", "uint8"))
    ),
    Case(
        "reductions of i64", reducing("i64"),
        given(x=lambda rng: rng.integers(-(2**40), 2**41, (5, 333))), reductions,
    ),
    Case(
        "a long sum of i64",
        "def total(x: i64[N]) -> i64:\n    y = sum(x[i] for i in range(N))\n    return y\n",
        given(x=lambda rng: rng.integers(2**40, 2**41, 5003)), lambda x: x.sum(),
    ),
    Case(
        "counts of u8",
        "def counts(x: u8[N]) -> i32[300]:\n"
        "    y[k] = sum(x[i] == k for i in range(N))\n    return y\n",
        given(x=every("uint8", 999)), counts,
    ),
    Case(
        "a brighter image",
        "def brighter(x: u8[H, W], gain: f32) -> u8[H, W]:\n"
        "    y[i, j] = u8(gain * x[i, j] + 0.5)\n    return y\n",
        given(x=every("uint8", 7, 9), gain=1.7),
        lambda x, gain: np.minimum(np.trunc(x * np.float32(gain) + np.float32(0.5)), 255),
    ),
    Case(
        "a median of u8, in a block",
        "def median(x: u8[N]) -> u8[N]:\n    for i in grid(N):\n        best: u8[3] = 0\n"
        "        for k in range(3):\n            best[k] = x[(i + k - 1 + N) % N]\n"
        "        low, high = min(best[0], best[1]), max(best[0], best[1])\n"
        "        y[i] = max(low, min(high, best[2]))\n    return y\n",
        given(x=every("uint8", 77)), median,
    ),
    Case(
        "dtypes that meet",
        "def mixed(a: i8[N], b: i32[N], c: f32[N], d: i64[N]) ->"
        " (i32[N], i64[N], f32[N], f32[N], f64[N], i64[N]):\n"
        "    p[i] = a[i] + b[i]\n    q[i] = b[i] * d[i]\n    r[i] = a[i] / b[i]\n"
        "    s[i] = c[i] + a[i]\n    t[i] = c[i] * d[i]\n    u[i] = i64(b[i]) // 7\n"
        "    return p, q, r, s, t, u\n",
        given(a=every("int8", 99), b=lambda rng: rng.integers(1, 2**20, 99).astype(np.int32),
              c=floats("f4", 99), d=lambda rng: rng.integers(2**33, 2**34, 99)), mixed,
    ),
    Case(
        "halves", """
def halves(x: f16[N], c: f16, b: bool[N]) -> (f16[N], i32[N], f16[N], f16[N]):
    p[i] = exp(x[i]) * c + (inf if b[i] else 0.0)
    q[i] = i32(f32(x[i]) * 100)
    r[i] = clip(x[i], -0.5, 0.25) - x[i] / 3
    s[i] = sqrt(x[i] * x[i])
    return p, q, r, s
""",
        given(x=floats("f2", 33), c=0.1, b=bools(33)), halves,
    ),
    Case(
        "a matmul of f16",
        "def matmul(A: f16[M, K], B: f16[K, N]) -> f16[M, N]:\n"
        "    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))\n    return C\n",
        given(A=floats("f2", 13, 257), B=floats("f2", 257, 11)), lambda A, B: A @ B, terms=257,
    ),
    Case(
        "a matmul of f16 into f32",
        "def matmul(A: f16[M, K], B: f16[K, N]) -> f32[M, N]:\n"
        "    C[i, j] = sum(f32(A[i, k]) * f32(B[k, j]) for k in range(K))\n    return C\n",
        given(A=floats("f2", 13, 257), B=floats("f2", 257, 11)), lambda A, B: A @ B, terms=257,
    ),
    Case(
        "a sum of f16 beyond 2048",
        "def total(x: f16[N]) -> f16:\n    y = sum(x[i] for i in range(N))\n    return y\n",
        given(x=np.ones(5001, np.float16)), lambda x: np.round(x.sum() / 4) * 4, terms=1,
    ),
    Case(
        "softmax of f64", """
def softmax(x: f64[M, N]) -> f64[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y
""",
        given(x=floats("f8", 9, 101, size=40)), softmax,
    ),
    Case(
        "literals and dims with f64", """
def waves(x: f64[N]) -> f64[N]:
    y[i] = x[i] * (1 / 3) + sin(2 * pi * i / N) + sqrt(2.0) * (i * i + 1) // f64(3)
    return y
""",
        given(x=floats("f8", 101)), waves,
    ),
    Case(
        "Black and Scholes at f64", """
def cdf(x):
    return 0.5 * (1 + erf(x / sqrt(2.0)))

def call(s: f64[N], k: f64[N], t: f64, r: f64, v: f64) -> f64[N]:
    d[i] = (log(s[i] / k[i]) + (r + v ** 2 / 2) * t) / (v * sqrt(t))
    y[i] = s[i] * cdf(d[i]) - k[i] * exp(-r * t) * cdf(d[i] - v * sqrt(t))
    return y
""",
        given(s=lambda rng: rng.uniform(50, 150, 67), k=lambda rng: rng.uniform(50, 150, 67),
              t=0.7, r=0.03, v=0.25), black_scholes,
    ),
    Case(
        "a running sum of f64",
        "def running(x: f64[N]) -> f64[N]:\n"
        "    y[i] = sum(x[k] for k in range(i + 1))\n    return y\n",
        given(x=floats("f8", 1500)), lambda x: x.cumsum(), terms=1500,
    ),
    Case(
        "a heat equation of f16",
        "def heat(u: f16[N], steps: i32) -> f16[N]:\n    for t in range(steps):\n"
        "        u[i] = u[i] + 0.25 * (u[max(i - 1, 0)] - 2 * u[i] + u[min(i + 1, N - 1)])\n"
        "    return u\n",
        given(u=floats("f2", 37), steps=3), heat,
    ),
)  # fmt: skip
