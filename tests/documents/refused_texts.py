"""Texts that are refused for their form, their signatures, functions and schedules."""

from __future__ import annotations

from tests.documents.examples import Cell, Group, calling, kernel, lines

HALF = "def half(a):\n    return a / 2\n"
PAIR = "def pair(a):\n    return a, 2 * a\n"
ADD = "def add(u: f32[P], v: f32[P]) -> f32[P]:\n    w[i] = u[i] + v[i]\n    return w\n"
SCALED = """\
def scaled(u: f32[P], a: f32) -> f32[P]:
    assert P % 4 == 0
    v[i] = a * u[i]
    return v
"""
FIRST = "def first(u: f32[P], n: i32) -> f32[n]:\n    v[i] = u[i % P]\n    return v\n"
BOTH = "def both(u: f32[P]) -> (f32[P], f32[P]):\n    v[i] = 2 * u[i]\n    return u, v\n"
COPY = "def f(x: f32[N]) -> f32[N]:\n    y[i] = x[i]\n    return y\n"


def after(other: str, *text: str) -> Cell:
    """A kernel with these lines, after another function."""
    return Cell(f"{other}\n{lines(*text).text}")


def before(*text: str) -> Cell:
    """A kernel, and a schedule after it."""
    return Cell(COPY + "\n" + "".join(f"{x}\n" for x in text))


READING = Group(
    "SourceError",
    "Reading the text",
    (
        kernel("def f(x: f32[N]) -> f32[N]:", "    y[i] = (x[i]", "    return y"),
        kernel("import numpy"),
        Cell(""),
        Cell("# " + "a" * 200_000),
        Cell("def f(x: f32[N]) -> f32[N]:\n    y[i] = x[i]\0\n    return y\n"),
        lines("y[i] = __import__('os')"),
        lines("y[i] = " + "-" * 120 + "x[i]"),
        lines("y[i] = " + "-" * 5000 + "x[i]"),
        kernel("alpha = 0.5"),
        kernel("@jit", *COPY.splitlines()),
        Cell(f"{COPY}\n{COPY}"),
        Cell(f"{COPY}\nf(x)\n"),
    ),
)

SIGNATURES = Group(
    "SourceError",
    "Signatures",
    (
        kernel("def f(x: f32[N]):", "    return x"),
        kernel("def f(x: float[N]) -> f32[N]:", "    return x"),
        kernel("def f(x: f31[N]) -> f32[N]:", "    return x"),
        kernel("def f(x: np.float32[N]) -> f32[N]:", "    return x"),
        kernel("def f(x: 'f32[N]') -> f32[N]:", "    return x"),
        kernel("def f(x: f32[N], n: 8) -> f32[N]:", "    return x"),
        kernel("def f(x, w: f32[N]) -> f32[N]:", "    y[i] = x[i] * w[i]", "    return y"),
        kernel("def f(x: f32[N]) -> f32[L]:", "    return x"),
        kernel("def f(x: f32[Nx]) -> f32[nx]:", "    return x"),
        kernel("def f(x: f32[N]) -> f32[-1]:", "    return x"),
        kernel("def f(x: f32[N], a: f32) -> f32[a]:", "    y[i] = 1", "    return y"),
        kernel("def f(x: f32[N], m: i32[1]) -> f32[m[0]]:", "    y[i] = x[i]", "    return y"),
        kernel("def f(x: f32[N], a: f32, a: f32) -> f32[N]:", "    return x"),
        kernel("def f(x: f32[N]) -> i32[N]:", "    return x"),
        kernel("def f(x: f32[N]) -> (f32[N], f32[N]):", "    return x"),
        kernel("def f(x: f32[N]) -> (f32[N], i32[N]):", "    y[i] = x[i]", "    return y, y"),
        kernel("def f(on: f32[N]) -> f32[N]:", "    return on"),
        kernel("def f(x: f32[N], n: i32 = 1.5) -> f32[N]:", "    return x"),
        kernel("def f(x: f32[N], n: i32 = 2 * 4) -> f32[N]:", "    return x"),
        kernel("def f(x: f32[N], w: f32[N] = 1.0) -> f32[N]:", "    return x"),
        kernel("def f(x: f32[N], *args) -> f32[N]:", "    return x"),
        kernel("def f(x: f32[N], *, a: f32) -> f32[N]:", "    return x"),
    ),
)

RESULTS = Group(
    "SourceError",
    "Results",
    (
        kernel("def f(x: f32[N]) -> f32[N]:", "    y[i] = x[i]"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    y[i] = x[i]", "    return"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    y[i] = x[i]", "    return y[i]"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    y[i] = x[i]", "    return z"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    return 2 * x"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    return x[i] + 1"),
        kernel("def f(x: f32[N], n: i32) -> i32:", "    return n"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    return x", "    return x"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    z: f32[N]", "    return x"),
        kernel("def f(x: f32[N]) -> f32[8]:", "    for i in grid(N):", "        acc: f32[8] = 0",
               "        x[i] = acc[0]", "    return acc"),
    ),
)  # fmt: skip

NAMES = Group(
    "SourceError",
    "Names",
    (
        lines("y[i] = x[i] + foo"),
        lines("y[i] = exq(x[i])"),
        lines("y[i] = X[i]"),
        lines("y[i] = exp"),
        kernel("def f(x: f32[H, W], W: f32[N]) -> f32[N]:", "    y[i] = W[i]", "    return y"),
        kernel("def f(x: f32[H, W], W: f32) -> f32[H]:", "    y[i] = W * x[i, 0]", "    return y"),
        kernel("def f(x: f32[N], x: f32) -> f32[N]:", "    return x"),
        kernel("def f(x: f32[N], i: i32) -> f32[N]:", "    y[i] = x[i]", "    return y"),
        lines("N[i] = x[i]", "y[i] = x[i]"),
        lines("y[i] = sum(x[i] for i in range(N))"),
        lines("y[__i] = 1.0"),
        lines("for x in range(3):", "    y[i] = 1.0"),
    ),
)

FUNCTIONS = Group(
    "SourceError",
    "Functions that kernels inline",
    (
        calling("def g(a):\n    return g(a - 1) if a > 0 else 1.0\n"),
        calling("def g(a):\n    for k in range(500):\n        a = a * a + k\n    return a\n"),
        calling("def g(a):\n    for k in range(100):\n        a = a * a\n    return a\n"),
        calling("def range(a):\n    return a\n", "y[i] = x[i]"),
        calling("def g(a, a):\n    return a\n"),
        calling("def g(*a):\n    return a\n"),
        calling("def g(i):\n    return x[i]\n", "y[i] = g(i)"),
        calling("def g(a):\n    while a > 1.0:\n        a = a / 2\n        b = a\n    return b\n"),
        calling("def g(a):\n    b = 2 * a\n"),
        calling("def g(a):\n    return\n"),
        calling("def g(a):\n    return a\n    b = a\n"),
        calling("def g(a):\n    if a > 0:\n        return a, 1\n    return a\n"),
        calling("def g(a: f32) -> f32:\n    return a, a\n"),
        calling("def g(a):\n    b: f32 = 2 * a\n    return b\n"),
        calling("def g(a):\n    a.b = 1\n    return a\n"),
        calling("def g(a):\n    b, c = a\n    return b\n"),
        calling("def g(a):\n    if a > 0:\n        if a > 1:\n            return 1.0\n"
                "    return a\n"),
        calling("def g(a):\n    for j, k in range(3):\n        a = 2 * a\n    return a\n"),
        calling("def g(a):\n    for k in range(3):\n        a = 2 * a\n    else:\n        a = 1.0\n"
                "    return a\n"),
        calling("def g(a):\n    for k in range(3):\n        return a\n    return 2 * a\n"),
        calling("def g(a):\n    k = 9\n    for k in range(k):\n        a = 2 * a\n    return a\n"),
        calling("def g(a):\n    s = a\n    s = s > 0\n    return s\n"),
    ),
)  # fmt: skip

CALLS = Group(
    "SourceError",
    "Calls of these",
    (
        after(HALF, "y[i] = half(x[i], 2.0)"),
        after(HALF, "y[i] = half()"),
        after(HALF, "y[i] = half(a=x[i], b=2.0)"),
        after(HALF, "y[i] = half(x[i], a=2.0)"),
        after(HALF, "y[i], z[i] = half(x[i])"),
        after(PAIR, "y[i] = pair(x[i])"),
        lines("y[i], z[i] = exp(x[i])"),
        after(PAIR, "y[i], y[i] = pair(x[i])"),
        after(PAIR, "y[i], x.T = pair(x[i])"),
    ),
)

KERNEL_CALLS = Group(
    "SourceError",
    "Kernels that call kernels",
    (
        after(ADD, "y = add(x, x, x)"),
        after(ADD, "y = add(x)"),
        after(ADD, "y = add(x, 1.0)"),
        after(ADD, "y = add(x, m)"),
        Cell(f"{ADD}\ndef f(x: f32[N], w: f32[M]) -> f32[N]:\n    y = add(x, w)\n    return y\n"),
        Cell(f"{ADD}\ndef f(x: f32[N]) -> i32[N]:\n    y = add(x, x)\n    return y\n"),
        after(ADD, "y[i] = add(x, x)"),
        after(ADD, "y[i] = 2 * add(x, x)"),
        after(ADD, "y, z = add(x, x)"),
        after(BOTH, "y, y = both(x)"),
        Cell(f"{lines('y = add(x, x)').text}\n{ADD}"),
        Cell(f"{SCALED}\ndef f(x: f32[6]) -> f32[6]:\n    y = scaled(x, 2.0)\n    return y\n"),
        Cell(f"{FIRST}\ndef f(x: f32[8], m: i32[1]) -> f32[8]:\n    y = first(x, m[0])\n"
             "    return x\n"),
        Cell("def above(u: f32[P], n: i32) -> f32[P]:\n    assert n > 0\n    v[i] = n * u[i]\n"
             "    return v\n\ndef f(x: f32[8], m: i32[1]) -> f32[8]:\n    y = above(x, m[0])\n"
             "    return y\n"),
    ),
)  # fmt: skip

SCHEDULES = Group(
    "SourceError",
    "Schedules",
    (
        before("@schedule", "def fast(T=8):", "    split('i', T)"),
        before("@schedule(g)", "def fast(T=8):", "    split('i', T)"),
        before("@schedule(f)", "@cached", "def fast(T=8):", "    split('i', T)"),
        before("@schedule(f)", "def fast(T):", "    split('i', T)"),
        before("@schedule(f)", "def fast(T=2 * 8):", "    split('i', T)"),
        before("@schedule(f)", "def fast(T=8):", "    split('i', S)"),
        before("@schedule(f)", "def fast(T=8):", "    split('i', T / 2)"),
        before("@schedule(f)", "def fast(T=8):", "    split('i', **{'factor': T})"),
        before("@schedule(f)", "def fast(T=8):", "    T = 4", "    split('i', T)"),
    ),
)

GROUPS = (READING, SIGNATURES, RESULTS, NAMES, FUNCTIONS, CALLS, KERNEL_CALLS, SCHEDULES)
