"""Kernels made of parts: inlined functions, tuples, private arrays, kernels that call kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.end_to_end.kernels import Case, f32, given, ints

MULTIPLY = "def multiply(ar, ai, br, bi):\n    return ar * br - ai * bi, ar * bi + ai * br\n\n"

CONVOLUTION = (
    "def convolve(x: f32[N], w: f32[K], s: f32 = 2.0) -> f32[N - K + 1]:\n"
    "    assert K > 0\n    assert N >= K\n    z[j] = x[j] * s\n"
    "    y[i] = sum(z[i + k] * w[k] for k in range(K))\n    return y\n\n"
)


def convolve(x: np.ndarray, w: np.ndarray, s: float) -> np.ndarray:
    return np.correlate(x * s, w, "valid")


CALLED = (
    "def third(x: f32[N]) -> f32:\n    s = sum(x[i] for i in range(N)) / 3\n    return s\n\n"
    "def pair(x: f32[M], k: i32 = 1) -> (f32[M], f32):\n    assert k > 0\n    s = third(x)\n"
    "    for i in grid(M):\n        w: f32[2] = s\n        w[1] += x[i]\n        i_1 = w[0]\n"
    "        y[i] = i_1 + w[1] / k\n    return y, s\n\n"
)


def pair(x: np.ndarray, k: int) -> tuple[np.ndarray, Any]:
    s = x.sum() / 3
    return s + (s + x) / k, s


def both(x: np.ndarray, k: int) -> tuple[np.ndarray, Any]:
    z, t = pair(x, k)
    y, s = pair(z, k + 1)
    return y, s + t


def cool(u: np.ndarray, r: float, steps: int) -> np.ndarray:
    for _ in range(steps):
        u = u + r * (np.concatenate([u[:1], u[:-1]]) - u)
    return u


def turns(u: np.ndarray, end: int) -> tuple[np.ndarray, Any]:
    total = 0.5
    for t in range(1, end):
        u = u[np.minimum(np.arange(u.size) + t, u.size - 1)] * (u[0] * 0.25) + t
        total = total + u.sum()
    return u, total


def mixed(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x + y[::-1], x - y


def powers(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = (a + 1j * b) ** 4
    return z.real, z.imag


def squared(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    for _ in range(2):
        a, b = a * a - b[::-1] * b, a * b + b[::-1] * a
    return a, b - 2 * a, 2 * b + a


def step(v: float) -> float:
    return 1.0 if v > 0.5 else 2 * v + 1 if v < 0.2 else v * 4 if v > 0.3 else v * -3


def root(a: float) -> float:
    s = 1.0
    for k in range(4):
        s = (s + a / s) / 2 + (0.5 if k == 2 else 0.0)
    return s


def share(a: float, n: int) -> tuple[float, int]:
    total = sum(a * j for j in range(0, n, 2))
    return (total, n) if total > a else (a, n + 1)


def ways(x: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y = [step(step(v) + (root(v) if n > 1 else 0.0)) for v, n in zip(x, c, strict=True)]
    z, m = zip(*(share(share(v, 3)[0], n) for v, n in zip(x, c, strict=True)), strict=True)
    return np.array(y), np.array(z), np.array(m, np.int32)


CASES = (
    Case(
        "a_function_in_an_equation",
        "def relu(x: f32) -> f32:\n    return x if x > 0.0 else 0.0\n\n"
        "def leaky(x, slope=0.1):\n    low = slope * (x - relu(x))\n    return relu(x) + low\n\n"
        "def activate(x: f32[N]) -> f32[N]:\n    y[i] = leaky(x[i]) + leaky(x[i], slope=2)\n"
        "    return y\n",
        given(x=f32(37)),
        lambda x: 2 * np.maximum(x, 0) + 2.1 * np.minimum(x, 0),
    ),
    Case(
        "a_tuple_in_equations",
        MULTIPLY + "def square(a: f32[N], b: f32[N]) -> (f32[N], f32[N]):\n"
        "    r[i], m[i] = multiply(a[i], b[i], a[i], b[i])\n    return r, m\n",
        given(a=f32(23), b=f32(23)),
        lambda a, b: (a * a - b * b, 2 * a * b),
    ),
    Case(
        "a_tuple_over_arrays_with_values",
        MULTIPLY + "def square(a: f32[N], b: f32[N]) -> (f32[N], f32[N], f32[N]):\n"
        "    for t in range(2):\n"
        "        a[i], b[i] = multiply(a[i], b[N - 1 - i], a[i], b[i])\n"
        "    b[i], c[i] = multiply(b[i], a[i], 1.0, 2.0)\n    return a, b, c\n",
        given(a=f32(23), b=f32(23)),
        squared,
    ),
    Case(
        "a_tuple_in_a_block",
        MULTIPLY + "def power(a: f32[N], b: f32[N]) -> (f32[N], f32[N]):\n"
        "    for i in grid(N):\n        x, y = a[i], b[i]\n"
        "        for t in range(3):\n            x, y = multiply(x, y, a[i], b[i])\n"
        "        r[i] = x\n        m[i] = y\n    return r, m\n",
        given(a=f32(19), b=f32(19)),
        powers,
    ),
    Case(
        "functions_that_call_functions",
        "def step(a: i32, b: i32) -> (i32, i32):\n    return b, a % b\n\n"
        "def guarded(a, b):\n    c, d = step(a, b)\n"
        "    c, d = c + 0, d\n    return c, d\n\n"
        "def gcd(a: i32[N], b: i32[N]) -> i32[N]:\n    for i in grid(N):\n"
        "        x, y = abs(a[i]), abs(b[i])\n"
        "        while y != 0:\n            x, y = guarded(x, y)\n"
        "        g[i] = x\n    return g\n",
        given(a=ints(50), b=ints(50)),
        lambda **values: np.gcd(values["a"], values["b"]),
    ),
    Case(
        "three_largest_in_a_private_array",
        "def top(x: f32[M, N]) -> f32[M]:\n    for i in grid(M):\n"
        "        best: f32[3] = -inf\n"
        "        for j in range(N):\n            v = x[i, j]\n"
        "            for t in range(3):\n                if v > best[t]:\n"
        "                    v, best[t] = best[t], v\n"
        "        y[i] = sum(best[t] for t in range(3))\n    return y\n",
        given(x=f32(9, 13)),
        lambda x: np.sort(x, axis=1)[:, -3:].sum(1),
    ),
    Case(
        "a_private_histogram",
        "def count(x: i32[M, N]) -> i32[M, 4]:\n    for i in grid(M):\n"
        "        h: i32[4]\n        for t in range(4):\n            h[t] = 0\n"
        "        for j in range(N):\n            h[x[i, j] % 4] += 1\n"
        "        for t in range(4):\n            y[i, t] = h[t]\n    return y\n",
        given(x=ints(7, 31)),
        lambda x: np.stack([np.bincount(row % 4, minlength=4) for row in x]).astype(np.int32),
    ),
    Case(
        "a_private_matrix_swapped",
        "def square(x: f32[M, 2, 2]) -> f32[M, 2, 2]:\n    for i in grid(M):\n"
        "        a: f32[2, 2]\n        for u in range(2):\n            for v in range(2):\n"
        "                a[u, v] = x[i, u, v]\n"
        "        a[0, 0], a[0, 1], a[1, 0], a[1, 1] = a[1, 1], -a[0, 1], -a[1, 0], a[0, 0]\n"
        "        for u in range(2):\n            for v in range(2):\n"
        "                y[i, u, v] = a[u, v]\n    return y\n",
        given(x=f32(8, 2, 2)),
        lambda x: np.array([[[m[1, 1], -m[0, 1]], [-m[1, 0], m[0, 0]]] for m in x]),
    ),
    Case(
        "a_kernel_called_twice",
        CONVOLUTION + "def twice(x: f32[k], w: f32[3], s: f32) -> (f32[k - 4], f32[k - 2]):\n"
        "    assert k >= 5\n    h = convolve(x, w)\n    y = convolve(h, w, s=s + 1.0)\n"
        "    return y, h\n",
        given(x=f32(29), w=f32(3), s=1.5),
        lambda x, w, s: (convolve(convolve(x, w, 2), w, s + 1), convolve(x, w, 2)),
    ),
    Case(
        "a_called_block_and_a_returned_parameter",
        "def parts(x: f32[N], v: f32) -> (f32[N], f32[N]):\n    for i in grid(N):\n"
        "        p: f32[2] = x[i]\n        t = p[1] + v\n        d[i] = t\n    return x, d\n\n"
        "def join(t: f32[p], v: f32[p]) -> f32[p]:\n    x, d = parts(t, 1.0)\n"
        "    e, f = parts(v, 2.0)\n"
        "    for i in grid(p):\n        u = x[i] + d[i]\n        y[i] = u * (e[i] - f[i])\n"
        "    return y\n",
        given(t=f32(21), v=f32(21)),
        lambda t, v: (2 * t + 1) * (v - (v + 2)),
    ),
    Case(
        "a_scalar_as_an_extent_of_a_called_kernel",
        "def spread(x: f32[M], n: i32) -> f32[M, n]:\n    y[i, j] = x[i] * j\n    return y\n\n"
        "def total(x: f32[n]) -> f32[n]:\n    j = spread(x, n + 1)\n"
        "    y[i] = sum(j[i, k] for k in range(n + 1))\n    return y\n",
        given(x=f32(11)),
        lambda x: x * 66,
    ),
    Case(
        "kernels_in_kernels_in_kernels",
        CALLED + "def h(x: f32[N], k: i32) -> (f32[N], f32):\n    z, t = pair(x, k)\n"
        "    y, s = pair(z, k + 1)\n    u = s + t\n    return y, u\n\n"
        "def f(x: f32[Q]) -> (f32[Q], f32):\n    y, s = h(x, 3)\n"
        "    z, t = h(y, 2)\n    return z, t\n",
        given(x=f32(13)),
        lambda x: both(both(x, 3)[0], 2),
    ),
    Case(
        "a_called_kernel_that_updates_its_parameter",
        "def cool(u: f32[N], r: f32 = 0.5, steps: i32 = 3) -> f32[N]:\n"
        "    for t in range(steps):\n        u[i] = u[i] + r * (u[max(i - 1, 0)] - u[i])\n"
        "    return u\n\n"
        "def f(x: f32[N]) -> (f32[N], f32[N], f32[N]):\n    y = cool(x, steps=2)\n"
        "    z = cool(y, 0.25)\n    y = cool(y)\n    return x, y, z\n",
        given(x=f32(19)),
        lambda x: (x, cool(cool(x, 0.5, 2), 0.5, 3), cool(cool(x, 0.5, 2), 0.25, 3)),
    ),
    Case(
        "calls_in_a_time_loop",
        "def step(u: f32[N], t: i32, s: f32) -> (f32[N], f32):\n"
        "    v[i] = u[min(i + t, N - 1)] * s + t\n    r = sum(v[i] for i in range(N))\n"
        "    return v, r\n\n"
        "def f(u: f32[N], T: i32) -> (f32[N], f32):\n    assert N > 0\n    total = 0.5\n"
        "    for t in range(1, T):\n        u, r = step(u, t, u[0] * 0.25)\n"
        "        total = total + r\n    return u, total\n",
        given(u=f32(12), T=5),
        lambda u, T: turns(u, end=T),
        scale=60.0,
    ),
    Case(
        "called_kernels_that_swap",
        "def swap(x: f32[N], y: f32[N]) -> (f32[N], f32[N]):\n    return y, x\n\n"
        "def mix(x: f32[N], y: f32[N]) -> (f32[N], f32[N]):\n    a[i] = x[i] + y[N - 1 - i]\n"
        "    b[i] = x[i] - y[i]\n    return a, b\n\n"
        "def f(x: f32[N], y: f32[N]) -> (f32[N], f32[N]):\n    x, y = swap(x, y)\n"
        "    x, y = mix(x, y)\n    x, y = mix(y, x)\n    x, y = swap(y, x)\n    return x, y\n",
        given(x=f32(9), y=f32(9)),
        lambda x, y: mixed(*mixed(y, x)[::-1]),
    ),
    Case(
        "a_kernel_of_its_own_target",
        "def back(x: f32[N]) -> f32[N]:\n    y[i] = x[N - 1 - i] + x[i] * 2\n    return y\n\n"
        "def add(x: f32[N], y: f32[N]) -> f32[N]:\n    for t in range(2):\n"
        "        x[i] = x[i] + y[i]\n    return x\n\n"
        "def f(x: f32[N]) -> f32[N]:\n    x = back(x)\n    x = add(x, x)\n"
        "    x = add(x=x, y=x)\n    return x\n",
        given(x=f32(15)),
        lambda x: 9 * (x[::-1] + 2 * x),
    ),
    Case(
        "an_update_of_a_parameter_into_another",
        "def add(x: f32[N], y: f32[N]) -> f32[N]:\n    x[i] = x[i] + 2 * y[N - 1 - i]\n"
        "    return x\n\n"
        "def f(x: f32[N], y: f32[N]) -> (f32[N], f32[N]):\n    x = add(y, x)\n"
        "    z = add(x, y)\n    return x, z\n",
        given(x=f32(15), y=f32(15)),
        lambda x, y: (y + 2 * x[::-1], y + 2 * x[::-1] + 2 * y[::-1]),
    ),
    Case(
        "ways_through_inlined_functions",
        "def step(v):\n    if v > 0.5:\n        return 1.0\n    elif v < 0.2:\n        w = v * 2\n"
        "        w += 1.0\n        return w\n    u = -3\n    if v > 0.3:\n        u = 4\n"
        "    return v * u\n\n"
        "def root(a):\n    s = 1.0\n    for k in range(4):\n        s = (s + a / s) / 2\n"
        "        if k == 2:\n            s += 0.5\n    return s\n\n"
        "def share(a, n: i32 = 3):\n    total = sum(a * j for j in range(0, n, 2))\n"
        "    if total > a:\n        return total, n\n    return a, n + 1\n\n"
        "def f(x: f32[N], c: i32[N]) -> (f32[N], f32[N], i32[N]):\n"
        "    for i in grid(N):\n"
        "        v = step(x[i])\n"
        "        if c[i] > 1:\n"
        "            v += root(x[i])\n"
        "        y[i] = step(v)\n"
        "    s[i], r[i] = share(x[i])\n"
        "    z[i], m[i] = share(s[i], c[i])\n"
        "    return y, z, m\n",
        lambda rng: {
            "x": rng.uniform(0.02, 1, 12).astype(np.float32),
            "c": np.arange(12, dtype=np.int32),
        },
        ways,
    ),
)
