"""Arrays written in parts and in place, steps of ranges, and `:=`."""

from __future__ import annotations

import numpy as np

from tests.end_to_end.kernels import Case, f32, given, ints


def cholesky(A: np.ndarray) -> np.ndarray:
    return np.linalg.cholesky(positive(A))


def positive(A: np.ndarray) -> np.ndarray:
    return A @ A.T + 3 * np.eye(len(A))


def recurrence(x: np.ndarray, a: float) -> np.ndarray:
    y = x.copy()
    for t in range(1, x.shape[1]):
        y[:, t] += y[:, t - 1] * a
    return y


def cache(K: np.ndarray, k: np.ndarray, p: int) -> np.ndarray:
    K = K.copy()
    K[p] = k
    return K


def reversed_row(A: np.ndarray) -> np.ndarray:
    A = A.copy()
    A[1] = A[1, ::-1] + A[0]
    A[:, 2] = A[:, 2] * 2 + A[::-1, 2]
    A[0, 0] += A[0, 1]
    return A


def gcd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.gcd(a, b)


def thresholded(x: np.ndarray) -> np.ndarray:
    u = x.copy()
    u[x > 0] *= 2
    u[2:] = np.where(x[2:] < 0, u[2:] - 1, u[2:])
    return u


def fibonacci(n: int) -> np.ndarray:
    y = np.ones(n, np.int32)
    for t in range(2, n):
        y[t] = y[t - 1] + y[t - 2]
    return y


def sieve(n: int) -> np.ndarray:
    p = np.ones(n, bool)
    p[:2] = False
    for q in range(2, n):
        p[2 * q :: q] = False
    return p


def eliminated(A: np.ndarray) -> np.ndarray:
    A = A + 4 * np.eye(len(A))
    for k in range(len(A)):
        for i in range(k + 1, len(A)):
            A[i, k] /= A[k, k]
            A[i, k + 1 :] -= A[i, k] * A[k, k + 1 :]
    return A


def red_black(u: np.ndarray, T: int) -> np.ndarray:
    u = u.copy()
    for t in range(T):
        for i in range(1, len(u) - 1):
            if i % 2 == t % 2:
                u[i] = (u[i - 1] + u[i + 1]) / 2
    return u


CASES = (
    Case(
        "cholesky_columns",
        "def f(A: f32[N, N]) -> f32[N, N]:\n"
        "    S[i, j] = sum(A[i, k] * A[j, k] for k in range(N)) + (3.0 if i == j else 0.0)\n"
        "    L: f32[N, N] = 0.0\n    for k in range(N):\n"
        "        L[k, k] = sqrt(S[k, k] - sum(L[k, p] ** 2 for p in range(k)))\n"
        "        for i in grid(N):\n            if i > k:\n"
        "                s = sum(L[i, p] * L[k, p] for p in range(k))\n"
        "                L[i, k] = (S[i, k] - s) / L[k, k]\n    return L\n",
        given(A=f32(9, 9)),
        cholesky,
    ),
    Case(
        "a_recurrence_in_a_declared_array",
        "def f(x: f32[M, N], a: f32) -> f32[M, N]:\n    assert N > 0\n"
        "    for i in grid(M):\n        y[i, 0] = x[i, 0]\n        for t in range(1, N):\n"
        "            y[i, t] = y[i, t - 1] * a + x[i, t]\n    return y\n",
        given(x=f32(5, 17), a=0.5),
        recurrence,
    ),
    Case(
        "columns_over_time",
        "def f(x: f32[M, N], a: f32) -> f32[M, N]:\n    assert N > 0\n    y[i, 0] = x[i, 0]\n"
        "    for t in range(1, N):\n        y[i, t] = y[i, t - 1] * a + x[i, t]\n    return y\n",
        given(x=f32(5, 17), a=0.5),
        recurrence,
    ),
    Case(
        "a_row_of_a_cache",
        "def f(K: f32[C, D], k: f32[D], p: i32) -> f32[C, D]:\n    assert p >= 0\n"
        "    assert p < C\n    K[p, j] = k[j]\n    return K\n",
        given(K=f32(7, 4), k=f32(4), p=5),
        cache,
    ),
    Case(
        "points_and_rows_read_the_old_values",
        "def f(A: f32[M, N]) -> f32[M, N]:\n    assert M > 1\n    assert N > 2\n"
        "    A[1, j] = A[1, N - 1 - j] + A[0, j]\n    A[i, 2] = A[i, 2] * 2 + A[M - 1 - i, 2]\n"
        "    A[0, 0] += A[0, 1]\n    return A\n",
        given(A=f32(6, 11)),
        reversed_row,
    ),
    Case(
        "a_recurrence_over_time",
        "def f(n: i32) -> i32[n]:\n    assert n > 1\n    y[0] = 1\n    y[1] = 1\n"
        "    for t in range(2, n):\n        y[t] = y[t - 1] + y[t - 2]\n    return y\n",
        given(n=20),
        fibonacci,
    ),
    Case(
        "a_block_that_keeps_other_elements",
        "def f(x: f32[N]) -> f32[N]:\n    u[i] = x[i]\n    for i in grid(N):\n"
        "        if x[i] > 0:\n            u[i] *= 2\n        elif i > 1:\n"
        "            u[i] = u[i] - 1\n    return u\n",
        given(x=f32(33)),
        thresholded,
    ),
    Case(
        "gcd_with_named_values",
        "def f(a: i32[N], b: i32[N]) -> i32[N]:\n    for i in grid(N):\n"
        "        p, q = abs(a[i]), abs(b[i])\n"
        "        while q > 0 and (r := p % q) >= 0:\n            p, q = q, r\n"
        "        y[i] = p\n    return y\n",
        given(a=ints(40), b=ints(40)),
        gcd,
    ),
    Case(
        "a_named_value_of_itself",
        "def f(x: i32[N]) -> i32[N]:\n    for i in grid(N):\n        n = x[i]\n        c = 0\n"
        "        while (n := n - 1) >= 0:\n            if n % 2 == 0:\n"
        "                continue\n            c += n\n        y[i] = c\n    return y\n",
        given(x=ints(30)),
        lambda x: np.array([sum(n for n in range(v) if n % 2) for v in x], np.int32),
    ),
    Case(
        "named_values",
        "def f(x: f32[N]) -> (f32[N], i32[N]):\n    for i in grid(N):\n        n = 0\n"
        "        if (v := x[i] * 2) > 0 and (w := v * v) > 0.5:\n"
        "            v = w + (u := v + 1) * u\n        if (s := v * 3) < -1:\n"
        "            v = s\n        for k in range((m := i % 4) + 1):\n            n += k * m\n"
        "        y[i] = v\n        c[i] = n\n    return y, c\n",
        given(x=f32(50)),
        lambda x: (
            np.where(x > np.sqrt(0.125), 4 * x * x + (2 * x + 1) ** 2,
                     np.where((x <= 0) & (6 * x < -1), 6 * x, 2 * x)),
            np.array([sum(k * (i % 4) for k in range(i % 4 + 1)) for i in range(len(x))], "i4"),
        ),
    ),
    Case(
        "ranges_with_a_step",
        "def f(x: f32[N], a: i32) -> (f32[N], i32[N], f32[N], f32):\n    assert a >= 0\n"
        "    y[i] = sum(x[k] for k in range(i % 3, N, 3)) + sum(x[k] for k in range(N, i, 2))\n"
        "    b[i] = argmax(x[k] * (i + 1) for k in range(1, N, 4))\n"
        "    for i in grid(N):\n        s = 0.0\n        for k in range(i, N, 5):\n"
        "            if k > 20:\n                break\n            for j in range(k, 30, 7):\n"
        "                s += x[k] * j\n        z[i] = s\n    v = 0.0\n"
        "    for t in range(a, 9, 2):\n        v = v + t\n    return y, b, z, v\n",
        given(x=f32(23), a=2),
        lambda x, a: (
            np.array([x[i % 3 :: 3].sum() for i in range(len(x))]),
            np.full(len(x), 1 + 4 * np.argmax(x[1::4]), np.int32),
            np.array([sum(x[k] * j for k in range(i, min(21, len(x)), 5) for j in range(k, 30, 7))
                      for i in range(len(x))]),
            np.float64(sum(range(a, 9, 2))),
        ),
        scale=60.0,
    ),
    Case(
        "a_sieve",
        "def f(n: i32) -> bool[n]:\n    p: bool[n] = True\n    assert_ = 0\n"
        "    for i in grid(n):\n        if i < 2:\n            p[i] = False\n"
        "    for q in range(2, n):\n        for i in grid(n):\n"
        "            if i > q and i % q == 0:\n                p[i] = False\n    return p\n",
        given(n=40),
        sieve,
    ),
    Case(
        "ranges_near_the_end_of_i32",
        "def f(n: i32, a: i32) -> (i32[4], f32[4]):\n"
        "    c[k] = sum(1 for j in range(-2000000000, 2000000000, 1000000000))\n"
        "    for i in grid(4):\n        s = 0.0\n        for j in range(a, n + i, 1000000000):\n"
        "            s += j * 1e-9\n        d[i] = s\n    return c, d\n",
        given(n=2147483640, a=-2147483648),
        lambda n, a: (np.full(4, 4), np.full(4, sum(range(int(a), int(n), 10**9)) * 1e-9)),
        scale=9.0,
    ),
    Case(
        "elimination_in_place",
        "def f(A: f32[N, N]) -> f32[N, N]:\n    A[i, j] = A[i, j] + (4.0 if i == j else 0.0)\n"
        "    for k in range(N):\n        for i in grid(N):\n            if i > k:\n"
        "                A[i, k] = A[i, k] / A[k, k]\n"
        "                for j in range(k + 1, N):\n"
        "                    A[i, j] = A[i, j] - A[i, k] * A[k, j]\n    return A\n",
        given(A=f32(7, 7)),
        eliminated,
    ),
    Case(
        "pairs_exchanged_in_place",
        "def f(x: f32[N]) -> f32[N]:\n    for i in grid(N):\n"
        "        if i % 2 == 0 and i + 1 < N:\n            if x[i] > x[i + 1]:\n"
        "                x[i], x[i + 1] = x[i + 1], x[i]\n    return x\n",
        given(x=f32(20)),
        lambda x: np.sort(x.reshape(-1, 2), 1).reshape(-1),
    ),
    Case(
        "red_and_black",
        "def f(u: f32[N], T: i32) -> f32[N]:\n    for t in range(T):\n"
        "        for i in grid(N):\n            if i > 0 and i < N - 1 and i % 2 == t % 2:\n"
        "                u[i] = (u[i - 1] + u[i + 1]) / 2\n    return u\n",
        given(u=f32(15), T=5),
        red_black,
    ),
)  # fmt: skip
