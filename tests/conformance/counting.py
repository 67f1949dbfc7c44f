"""Whole numbers and careful arithmetic: loops that end when they are done."""

from __future__ import annotations

import math

import numpy as np

from tests.conformance.case import Case, any_size


def collatz(n: int) -> np.ndarray:
    out = np.zeros(n, np.int32)
    for i in range(n):
        value, steps = i + 1, 0
        while value != 1:
            value, steps = value // 2 if value % 2 == 0 else 3 * value + 1, steps + 1
        out[i] = steps
    return out


def primes(n: int) -> np.ndarray:
    return np.array(
        [i > 1 and all(i % d for d in range(2, math.isqrt(i) + 1)) for i in range(n)], bool
    )


CASES = (
    Case(
        "greatest_common_divisor",
        """\
def gcd(a: i32[N], b: i32[N]) -> i32[N]:
    for i in grid(N):
        x, y = abs(a[i]), abs(b[i])
        while y != 0:
            x, y = y, x % y
        g[i] = x
    return g
""",
        lambda a, b: np.gcd(a, b).astype(np.int32),
        {"N": any_size(71)},
        given={n: lambda rng, N: rng.integers(-5000, 5000, N) for n in "ab"},
    ),
    Case(
        "collatz",
        """\
def collatz(n: i32) -> i32[n]:
    for i in grid(n):
        value, steps = i + 1, 0
        while value != 1:
            value = value // 2 if value % 2 == 0 else 3 * value + 1
            steps = steps + 1
        out[i] = steps
    return out
""",
        collatz,
        {"n": any_size(67)},
    ),
    Case(
        "population_count",
        """\
def bits(x: u32[N]) -> i32[N]:
    for i in grid(N):
        rest, n = x[i], 0
        while rest != 0:
            rest = rest & (rest - 1)
            n = n + 1
        count[i] = n
    return count
""",
        lambda x: np.array([v.bit_count() for v in x.tolist()], np.int32),
        {"N": any_size(73)},
    ),
    Case(
        "primes",
        """\
def primes(n: i32) -> bool[n]:
    for i in grid(n):
        found, d = i > 1, 2
        while found and d * d <= i:
            found = i % d != 0
            d = d + 1
        prime[i] = found
    return prime
""",
        primes,
        {"n": any_size(199)},
    ),
    Case(
        "power_modulo",
        """\
def power(b: i32[N], e: i32[N]) -> i32[N]:
    for i in grid(N):
        base, left, result = b[i] % 9973, e[i], 1
        while left > 0:
            if left % 2 == 1:
                result = result * base % 9973
            base, left = base * base % 9973, left // 2
        p[i] = result
    return p
""",
        lambda b, e: np.array(
            [pow(x, y, 9973) for x, y in zip(b.tolist(), e.tolist(), strict=True)], np.int32
        ).reshape(b.shape),
        {"N": any_size(41)},
        given={
            "b": lambda rng, N: rng.integers(0, 30000, N),
            "e": lambda rng, N: rng.integers(0, 1000, N),
        },
    ),
    Case(
        "newton_iterations",
        """\
def root(x: f32[N]) -> f32[N]:
    for i in grid(N):
        r = max(x[i], 1.0)
        for t in range(20):
            r = (r + x[i] / r) / 2
        y[i] = r
    return y
""",
        np.sqrt,
        {"N": any_size(61)},
        given={"x": lambda rng, N: rng.uniform(0.1, 1000, N)},
    ),
    Case(
        "bisection",
        """\
def solve(c: f32[N]) -> f32[N]:
    for i in grid(N):
        low, high = 0.0, 2.0
        for t in range(30):
            middle = (low + high) / 2
            if middle ** 3 + middle < c[i]:
                low = middle
            else:
                high = middle
        x[i] = (low + high) / 2
    return x
""",
        lambda c: np.array(
            [next(r.real for r in np.roots([1, 0, 1, -v]) if abs(r.imag) < 1e-9) for v in c]
        ).reshape(c.shape),
        {"N": any_size(37)},
        given={"c": lambda rng, N: rng.uniform(0.5, 9, N)},
    ),
    Case(
        "kahan_sum",
        """\
def total(x: f32[M, N]) -> f32[M]:
    for i in grid(M):
        s, lost = 0.0, 0.0
        for j in range(N):
            y = x[i, j] - lost
            t = s + y
            lost, s = (t - s) - y, t
        r[i] = s
    return r
""",
        lambda x: x.sum(1),
        {"M": any_size(3), "N": any_size(997)},
        given={"x": lambda rng, M, N: rng.uniform(0, 1, (M, N))},
        terms=1,
    ),
    Case(
        "day_of_the_week",
        """\
def weekday(y: i32[N], m: i32[N], d: i32[N]) -> i32[N]:
    for i in grid(N):
        a = (14 - m[i]) // 12
        b = y[i] - a
        c = m[i] + 12 * a - 2
        w[i] = (d[i] + b + b // 4 - b // 100 + b // 400 + 31 * c // 12) % 7
    return w
""",
        lambda y, m, d: np.array(
            [
                (np.datetime64(f"{a:04}-{b:02}-{c:02}").astype(int) + 4) % 7
                for a, b, c in zip(y, m, d, strict=True)
            ],
            np.int32,
        ).reshape(y.shape),
        {"N": any_size(43)},
        given={
            "y": lambda rng, N: rng.integers(1900, 2100, N),
            "m": lambda rng, N: rng.integers(1, 13, N),
            "d": lambda rng, N: rng.integers(1, 29, N),
        },
    ),
    Case(
        "sum_of_digits",
        """\
def digits(x: i32[N]) -> i32[N]:
    for i in grid(N):
        rest, s = x[i], 0
        while True:
            s = s + rest % 10
            rest = rest // 10
            if rest == 0:
                break
        y[i] = s
    return y
""",
        lambda x: np.array([sum(map(int, str(v))) for v in x.tolist()], np.int32),
        {"N": any_size(29)},
        given={"x": lambda rng, N: rng.integers(0, 10**9, N)},
    ),
)
