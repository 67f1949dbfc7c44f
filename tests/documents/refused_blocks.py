"""Loops, blocks, accesses and writes that are refused."""

from __future__ import annotations

from tests.documents.examples import Cell, Group, block, kernel, lines

HISTOGRAM = """\
def histogram(b: i32[N]) -> i32[9]:
    h: i32[9]
    h[k] = 0
    for i in grid(N):
        {}
    return h
"""

BOUNDS = Group(
    "SourceError",
    "Bounds and clashes",
    (
        lines("y[i] = x[i + 1]"),
        lines("y[i] = x[-1]"),
        kernel("def f(x: f32[N]) -> f32:", "    y = x[0]", "    return y"),
        lines("y[i] = x[i - 1]"),
        lines("y[i] = sum(x[i + k] for k in range(3))"),
        kernel("def f(x: f32[4]) -> f32:", "    y = x[4]", "    return y"),
        block("x[i + 1] = 0.0", "y[i] = 1.0"),
        block("if i > 0:", "    y[i] = x[i]"),
        block("y[i // 2] = x[i]"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    assert N > 0", "    y[0] = x[0]",
               "    for t in range(2, N):", "        y[t] = y[t - 1] + x[t]", "    return y"),
        kernel("def f(x: f32[N]) -> f32[N]:", "    for i in grid(N):",
               "        x[i] = x[max(i - 1, 0)]", "    return x"),
    ),
)  # fmt: skip

SHARED = Group(
    "SourceError",
    "Elements that iterations share",
    (
        Cell(HISTOGRAM.format("h[b[i]] += 1\n        h[b[i]] = max(h[b[i]], 2)")),
        Cell(HISTOGRAM.format("h[b[i]] += h[0]")),
        Cell(HISTOGRAM.format("h[b[i]] *= 2")),
        Cell(HISTOGRAM.format("h[0] = b[i]")),
        kernel("def f(b: i32[N]) -> i32[9]:", "    for i in grid(N):", "        h[b[i]] += 1",
               "    return h"),
        kernel("def f(x: f32[N], h: f16[9]) -> f16[9]:", "    for i in grid(N):",
               "        h[i % 9] += x[i]", "    return h"),
    ),
)  # fmt: skip

GRIDS = Group(
    "SourceError",
    "Grids and loops",
    (
        block("y[i] = 0", "for j in grid(K):", "    y[i] += A[i, j]"),
        lines("for i, j in grid(N):", "    y[i] = x[i]"),
        lines("for i, i in grid(N, N):", "    y[i] = x[i]"),
        lines("for (i, j), k in grid(N, N):", "    y[i] = x[i]"),
        lines("for x in grid(N):", "    y[x] = 1"),
        lines("for i in grid(m[0]):", "    y[i] = x[i]"),
        lines("for i in grid(N):", "    y[i] = x[i]", "else:", "    y[i] = 0"),
        lines("for v in x:", "    y[i] = v"),
        lines("for k, v in range(3):", "    y[i] = x[i]"),
        lines("for t in range(3):", "    x[i] = 2 * x[i]", "else:", "    x[i] = 0.0",
              "y[i] = x[i]"),
        lines("for t in range(m[0], n, 2):", "    x[i] = t", "    m[i] = t", "y[i] = x[i]"),
        lines("if x[0] > 0:", "    x[i] = x[i] * 2", "y[i] = x[i]"),
        lines("for t in range(3):", "    w[i] = x[i]", "y[i] = w[i]"),
        lines("for t in range(3):", "    s = x[0] + 1", "y[i] = s"),
        lines("for t in range(3):", "    w[i] = x[i]", "for i in grid(N):", "    w[i] = 1",
              "    y[i] = 1"),
    ),
)  # fmt: skip

BLOCKS = Group(
    "SourceError",
    "Loop blocks",
    (
        block("if n > 0:", "    v = 1.0", "y[i] = v"),
        block("v = 0", "v = x[i]", "y[i] = v"),
        block("y[i] = 1", "break"),
        block("z[i] = 1", "y[i] = 1"),
        block("n[i] = 1", "y[i] = 1"),
        block("y = x[i]"),
        block("y[i, 0] = x[i]"),
        block("y[i]: f32 = x[i]"),
        block("A[i][0] = x[i]", "y[i] = 1"),
        block("A[i][0] += x[i]", "y[i] = 1"),
        block("N = 3", "y[i] = N"),
        block("n += 1", "y[i] = f32(n)"),
        block("v: f32", "y[i] = v"),
        block("v = x[i]", "v **= 2", "y[i] = v"),
        block("v = w = x[i]", "y[i] = v + w"),
        block("a, c = 1", "y[i] = a"),
        block("[a, c] = x[i], 1.0", "y[i] = a"),
        block("y[i] = 1", "return x"),
        block("t = 1", "for t in range(3):", "    y[i] = t"),
        block("for x in range(3):", "    y[i] = 1"),
        block("for k, v in range(3):", "    y[i] = v"),
        block("y[i] = 0", "for k in range(3):", "    y[i] = k", "else:", "    y[i] = 1"),
        block("y[i] = 0", "while y[i] < 3:", "    y[i] += 1", "else:", "    y[i] = 0"),
        block("y[i] = 0", "for v in x:", "    y[i] += v"),
        block("y[i] = 0", "v = 1", "for k in range(v, n, 2):", "    v = 2"),
        block("y[i] = 1 if n > 0 else (v := 2.0)"),
        block("v = 1.0", "y[i] = v + (v := 2.0)"),
    ),
)

PRIVATE = Group(
    "SourceError",
    "Private arrays",
    (
        block("acc: f32[8]", "y[i] = acc[0]"),
        block("acc: f32[n]", "y[i] = x[i]"),
        block("acc: f32[0]", "y[i] = x[i]"),
        block("acc: f32[2048]", "y[i] = x[i]"),
        block("acc: f32[8] = 0", "acc: f32[8] = 1", "y[i] = acc[0]"),
        block("if n > 0:", "    acc: f32[8] = 0", "    y[i] = acc[0]", "else:",
              "    acc: f32[8] = 1", "    y[i] = acc[1]"),
        block("x: f32[8] = 0", "y[i] = 1"),
        block("acc[0] = x[i]", "acc: f32[8] = 0", "y[i] = acc[0]"),
        block("acc: f32[8] = 1", "acc[0] **= 2", "y[i] = acc[0]"),
        lines("for i in grid(N):", "    acc: f32[8] = 0", "    y[i] = acc[0]", "z[i] = acc[i]"),
    ),
)  # fmt: skip

GROUPS = (BOUNDS, SHARED, GRIDS, BLOCKS, PRIVATE)
