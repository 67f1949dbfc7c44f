"""Time loops and updates with NumPy references at float64."""

from __future__ import annotations

import numpy as np

from tests.end_to_end.kernels import Case, bools, f32, given, ints


def heat(u: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps if u.size else 0):
        padded = np.pad(u, 1, mode="edge")
        u = u + 0.1 * (padded[:-2] - 2 * u + padded[2:])
    return u


def life(x: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        n = sum(
            np.roll(x, (a, b), (0, 1)).astype(int)
            for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)
        )  # fmt: skip
        x = (n == 3) | (x & (n == 2))
    return x


def power(A: np.ndarray, v: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    lam = np.zeros(())
    for _ in range(steps):
        w = A @ v
        lam = np.sqrt((w * w).sum())
        v = w / lam
    return v, lam


def jacobi(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.solve(A, b)


def horner(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    y = np.zeros_like(x)
    for k in range(len(c)):
        y = y * x + c[k]
    return y


def fibonacci(x: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = x
    for _ in range(steps):
        a, b = b, a + b
    return np.asarray(a, np.int32), np.asarray(b, np.int32)


def wavefront(x: np.ndarray, outer: int) -> np.ndarray:
    for s in range(outer):
        for t in range(1, 4):
            x = x + 0.01 * (10 * s + t) * np.arange(len(x))
        x = np.concatenate([x[-1:], x[:-1]])
    return x


def triangle(x: np.ndarray, S: int) -> np.ndarray:
    for s in range(1, S):
        for t in range(s, 2 * s - 1):
            x = x + np.roll(x, -1) * t - s
            for u in range(t - s, 2):
                x = np.concatenate([x[:1], x[:-1]]) + u * t
    return x


def branches(x: np.ndarray, T: int) -> np.ndarray:
    i = np.arange(len(x))
    w = x * 2
    for t in range(T):
        if 0 < t < len(x):
            x = np.roll(x, -1) + w[np.minimum(i + t, len(x) - 1)] - w[t - 1]
        elif t % 3 == 0:
            x = x * 2 + t
        else:
            for s in range(t - len(x) + 1):
                x = np.where(i % 2 == 0, x[np.maximum(i - 1, 0)] + s, x)
    return x


def private(x: np.ndarray) -> np.ndarray:
    for t in range(3):
        x = (6 * x + 4 * t)[::-1]
    return x


def _positive(rng: np.random.Generator) -> np.ndarray:
    m = rng.uniform(0, 1, (13, 13))
    return (m + m.T).astype(np.float32)


HEAT = (
    "def heat(u: f32[N], steps: i32) -> f32[N]:\n"
    "    for t in range(steps):\n"
    "        u[i] = u[i] + 0.1 * (u[max(i - 1, 0)] - 2.0 * u[i] + u[min(i + 1, N - 1)])\n"
    "    return u\n"
)

CASES = (
    Case("heat", HEAT, given(u=f32(101), steps=37), heat),
    Case("heat_no_step", HEAT, given(u=f32(11), steps=0), heat),
    Case("heat_one_step", HEAT, given(u=f32(7), steps=1), heat),
    Case("heat_one_element", HEAT, given(u=f32(1), steps=3), heat),
    Case("heat_no_element", HEAT, given(u=f32(0), steps=3), heat),
    Case(
        "life",
        "def life(x: bool[H, W], steps: i32) -> bool[H, W]:\n"
        "    n: i32[H, W]\n"
        "    for t in range(steps):\n"
        "        n[r, c] = sum(x[(r + a - 1) % H, (c + b - 1) % W] for a in range(3)\n"
        "                      for b in range(3) if a != 1 or b != 1)\n"
        "        x[r, c] = n[r, c] == 3 or (x[r, c] and n[r, c] == 2)\n"
        "    return x\n",
        given(x=bools(17, 19), steps=6),
        life,
    ),
    Case(
        "life_in_a_block",
        "def life(x: bool[H, W]) -> bool[H, W]:\n"
        "    y: bool[H, W]\n"
        "    for t in range(5):\n"
        "        for r, c in grid(H, W):\n"
        "            n = 0\n"
        "            for a in range(3):\n"
        "                for b in range(3):\n"
        "                    if (a != 1 or b != 1) and x[(r + a - 1) % H, (c + b - 1) % W]:\n"
        "                        n = n + 1\n"
        "            y[r, c] = n == 3 or (x[r, c] and n == 2)\n"
        "        x[r, c] = y[r, c]\n"
        "    return x\n",
        given(x=bools(8, 9)),
        lambda x: life(x, 5),
    ),
    Case(
        "power_iteration",
        "def power(A: f32[N, N], v: f32[N], steps: i32) -> (f32[N], f32):\n"
        "    lam = 0.0\n"
        "    for t in range(steps):\n"
        "        w[i] = sum(A[i, j] * v[j] for j in range(N))\n"
        "        lam = sqrt(sum(w[i] * w[i] for i in range(N)))\n"
        "        v[i] = w[i] / lam\n"
        "    return v, lam\n",
        given(A=_positive, v=lambda rng: rng.uniform(1, 2, 13).astype(np.float32), steps=8),
        power,
        terms=200,
    ),
    Case(
        "jacobi",
        "def jacobi(A: f32[N, N], b: f32[N]) -> f32[N]:\n"
        "    x[i] = b[i] * 0.0\n"
        "    for t in range(20):\n"
        "        x[i] = (b[i] - sum(A[i, j] * x[j] for j in range(N) if j != i)) / A[i, i]\n"
        "    return x\n",
        given(A=lambda rng: (_positive(rng) + 40 * np.eye(13)).astype(np.float32), b=f32(13)),
        jacobi,
    ),
    Case(
        "horner_over_time",
        "def horner(x: f32[N], c: f32[K]) -> f32[N]:\n"
        "    y[i] = 0.0 * x[i]\n"
        "    for k in range(K):\n        y[i] = y[i] * x[i] + c[k]\n    return y\n",
        given(x=f32(45), c=f32(6)),
        horner,
    ),
    Case(
        "scalars_over_time",
        "def fibonacci(x: i32[2], steps: i32) -> (i32, i32):\n"
        "    a = x[0]\n    b = x[1]\n"
        "    for t in range(steps):\n"
        "        c = a + b\n        a = b\n        b = c\n"
        "    return a, b\n",
        given(x=lambda _: np.array([0, 1], np.int32), steps=40),
        fibonacci,
    ),
    Case(
        "turns_in_turns",
        "def wavefront(x: f32[N], outer: i32) -> f32[N]:\n"
        "    for s in range(outer):\n"
        "        for t in range(1, 4):\n"
        "            x[i] = x[i] + 0.01 * (10 * s + t) * i\n"
        "        x[i] = x[(i - 1) % N]\n"
        "    return x\n",
        given(x=f32(29), outer=5),
        wavefront,
    ),
    Case(
        "update_reads_old_values",
        "def twice(v: f32[N]) -> f32[N]:\n"
        "    v[i] = v[i] + (v[i - 1] if i > 0 else 0.0)\n"
        "    v[i] += v[N - 1 - i]\n"
        "    v[i] *= 2.0\n"
        "    return v\n",
        given(v=f32(83)),
        lambda v: 2 * ((w := v + np.append(0, v[:-1])) + w[::-1]),
    ),
    Case(
        "update_with_a_sum",
        "def accumulate(A: f32[M, K], B: f32[K, N], C: f32[M, N]) -> f32[M, N]:\n"
        "    C[i, j] += sum(A[i, k] * B[k, j] for k in range(K))\n"
        "    return C\n",
        given(A=f32(5, 7), B=f32(7, 9), C=f32(5, 9)),
        lambda A, B, C: C + A @ B,
    ),
    Case(
        "update_is_a_sum_of_itself",
        "def square(A: i32[N, N]) -> i32[N, N]:\n"
        "    A[i, j] = sum(A[i, k] * A[k, j] for k in range(N))\n"
        "    A[i, j] -= A[j, i]\n"
        "    return A\n",
        given(A=ints(9, 9)),
        lambda A: (A @ A - (A @ A).T).astype(np.int32),
    ),
    Case(
        "old_and_new_are_both_used",
        "def both(u: f32[N]) -> (f32[N], f32[N], f32):\n"
        "    y[i] = 2.0 * u[i]\n"
        "    s = sum(u[i] for i in range(N))\n"
        "    u[i] = u[N - 1 - i] * s\n"
        "    s += sum(u[i] for i in range(N))\n"
        "    return y, u, s\n",
        given(u=f32(31)),
        lambda u: (2 * u, u[::-1] * u.sum(), u.sum() + (u * u.sum()).sum()),
        scale=31.0,
    ),
    Case(
        "bounds_need_the_turn_around",
        "def f(x: i32[N], S: i32) -> i32[N]:\n"
        "    y: i32[N]\n"
        "    for s in range(1, S):\n"
        "        for t in range(s, 2 * s - 1):\n"
        "            x[i] = x[i] + x[(i + 1) % N] * t - s\n"
        "            for u in range(t - s, 2):\n"
        "                for i in grid(N):\n"
        "                    y[i] = x[max(i - 1, 0)] + u * t\n"
        "                x[i] = y[i]\n"
        "    return x\n",
        given(x=ints(13), S=6),
        triangle,
    ),
    Case(
        "branches_around_equations",
        "def f(x: i32[N], T: i32) -> i32[N]:\n"
        "    w[i] = x[i] * 2\n"
        "    if T > N:\n"
        "        x[i] = -x[i]\n"
        "        x[i] = -x[i]\n"
        "    for t in range(T):\n"
        "        if 0 < t and t < N:\n"
        "            top[i] = w[min(i + t, N - 1)] - 0 * w[i]\n"
        "            x[i] = x[(i + 1) % N] + top[i] - w[t - 1]\n"
        "        elif t % 3 == 0:\n"
        "            x[i] = x[i] * 2 + t\n"
        "        else:\n"
        "            for s in range(t - N + 1):\n"
        "                for i in grid(N):\n"
        "                    if i % 2 == 0:\n"
        "                        x[i] = x[max(i - 1, 0)] + s\n"
        "    return x\n",
        given(x=ints(5), T=9),
        branches,
    ),
    Case(
        "private_arrays_over_time",
        "def f(x: f32[N]) -> f32[N]:\n"
        "    y: f32[N]\n"
        "    for t in range(3):\n"
        "        for i in grid(N):\n"
        "            acc: f32[4] = 0.0\n"
        "            for j in range(4):\n"
        "                acc[j] = x[i] * j + t\n"
        "            y[i] = sum(acc[j] for j in range(4))\n"
        "        x[i] = y[N - 1 - i]\n"
        "    return x\n",
        given(x=f32(9)),
        private,
    ),
)
