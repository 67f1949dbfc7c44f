"""Kernels made of parts: inlined functions, tuples, private arrays, kernels that call kernels."""

from __future__ import annotations

import numpy as np

from tests.end_to_end.kernels import Case, f32, given, ints

MULTIPLY = "def multiply(ar, ai, br, bi):\n    return ar * br - ai * bi, ar * bi + ai * br\n\n"


def powers(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = (a + 1j * b) ** 4
    return z.real, z.imag


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
)
