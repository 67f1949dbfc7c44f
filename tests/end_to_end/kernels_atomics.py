"""Updates and scattered writes in loop blocks, with NumPy references at float64.

Many clashes: few elements, many iterations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.end_to_end.kernels import Case, f32, given, ints, uints

Maker = Callable[[np.random.Generator], np.ndarray]


def below(limit: int, *shape: int) -> Maker:
    return lambda rng: rng.integers(0, limit, shape).astype(np.int32)


def shuffled(count: int) -> Maker:
    return lambda rng: rng.permutation(count).astype(np.int32)


def rows(count: int, most: int) -> Callable[[np.random.Generator], Mapping[str, Any]]:
    """Starts of rows of random lengths, and as many columns and values as they hold."""

    def make(rng: np.random.Generator) -> Mapping[str, Any]:
        lengths = rng.integers(0, most, count)
        start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        return {
            "start": start,
            "col": rng.integers(0, count, start[-1]).astype(np.int32),
            "v": rng.uniform(-1, 1, start[-1]).astype(np.float32),
        }

    return make


def counts(b: np.ndarray, bins: int) -> np.ndarray:
    return np.bincount(b, minlength=bins)


def folded(op: np.ufunc, start: float, count: int, at: np.ndarray, v: np.ndarray) -> np.ndarray:
    out = np.full(count, start)
    op.at(out, at, v)
    return out


def image_counts(img: np.ndarray, mask: np.ndarray) -> np.ndarray:
    out = np.zeros((4, 8), np.int64)
    np.add.at(out, (mask, img), 1)
    return out


def columns(start: np.ndarray, col: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.bincount(col, v, minlength=len(start) - 1)


def labels(src: np.ndarray, dst: np.ndarray, steps: int) -> np.ndarray:
    label = np.arange(40)
    for _ in range(steps):
        old = label.copy()
        np.minimum.at(label, dst, old[src])
        np.minimum.at(label, src, old[dst])
    return label


def decayed(b: np.ndarray, steps: int) -> np.ndarray:
    h = np.zeros(7, np.int64)
    for t in range(steps):
        h = h // 2 + t * np.bincount(b, minlength=7)
    return h


def _histogram(bins: int) -> str:
    return (
        f"def histogram(b: i32[N]) -> i32[{bins}]:\n"
        "    h[k] = 0\n"
        "    for i in grid(N):\n"
        "        h[b[i]] += 1\n"
        "    return h\n"
    ).replace("    h[k]", f"    h: i32[{bins}]\n    h[k]")


CASES = (
    Case("histogram", _histogram(256), given(b=below(256, 5000)), lambda b: counts(b, 256)),
    Case("histogram_one_bin", _histogram(1), given(b=below(1, 3001)), lambda b: counts(b, 1)),
    Case("histogram_of_nothing", _histogram(5), given(b=below(5, 0)), lambda b: counts(b, 5)),
    Case("histogram_of_one", _histogram(5), given(b=below(5, 1)), lambda b: counts(b, 5)),
    Case(
        "histogram_weighted",
        "def f(b: i32[N], w: f32[N]) -> f32[9]:\n"
        "    h: f32[9]\n    h[k] = 0.5\n"
        "    for i in grid(N):\n"
        "        h[b[i]] = w[i] + h[b[i]]\n"
        "    return h\n",
        given(b=below(9, 4001), w=f32(4001)),
        lambda b, w: 0.5 + np.bincount(b, w, minlength=9),
        terms=4001,
        scale=250.0,
    ),
    Case(
        "count_down",
        "def f(h: u32[11], b: i32[N]) -> u32[11]:\n"
        "    for i in grid(N):\n"
        "        h[b[i]] -= 3\n"
        "    return h\n",
        given(h=uints(11), b=below(11, 700)),
        lambda h, b: (h - np.uint32(3) * counts(b, 11).astype(np.uint32)).astype(np.uint32),
    ),
    Case(
        "subtract_floats",
        "def f(h: f32[3], b: i32[N], w: f32[N]) -> f32[3]:\n"
        "    for i in grid(N):\n"
        "        h[b[i]] = h[b[i]] - w[i]\n"
        "    return h\n",
        given(h=f32(3), b=below(3, 300), w=f32(300)),
        lambda h, b, w: h - np.bincount(b, w, minlength=3),
        terms=300,
        scale=60.0,
    ),
    Case(
        "scatter_max",
        "def f(b: i32[N], v: f32[N]) -> f32[13]:\n"
        "    top: f32[13]\n    top[k] = -inf\n"
        "    for i in grid(N):\n"
        "        top[b[i]] = max(top[b[i]], v[i])\n"
        "    return top\n",
        given(b=below(12, 2000), v=f32(2000)),
        lambda b, v: folded(np.maximum, -np.inf, 13, b, v),
    ),
    Case(
        "scatter_min_of_ints",
        "def f(b: i32[N], v: i32[N]) -> i32[13]:\n"
        "    low: i32[13]\n    low[k] = 100\n"
        "    for i in grid(N):\n"
        "        low[b[i]] = minimum(v[i], low[b[i]])\n"
        "    return low\n",
        given(b=below(12, 500), v=ints(500)),
        lambda b, v: folded(np.minimum, 100, 13, b, v),
    ),
    Case(
        "scatter_max_of_uints",
        "def f(b: i32[N], v: u32[N]) -> u32[6]:\n"
        "    top: u32[6]\n    top[k] = u32(0)\n"
        "    for i in grid(N):\n"
        "        top[b[i]] = max(v[i], top[b[i]])\n"
        "    return top\n",
        given(b=below(6, 400), v=uints(400)),
        lambda b, v: folded(np.maximum, 0, 6, b, v),
    ),
    Case(
        "degrees_of_edges",
        "def f(src: i32[E], dst: i32[E]) -> i32[50]:\n"
        "    degree: i32[50]\n    degree[k] = 0\n"
        "    for e in grid(E):\n"
        "        degree[src[e]] += 1\n"
        "        if src[e] != dst[e]:\n"
        "            degree[dst[e]] += 1\n"
        "    return degree\n",
        given(src=below(50, 900), dst=below(50, 900)),
        lambda src, dst: counts(src, 50) + counts(dst[src != dst], 50),
    ),
    Case(
        "histogram_of_two_axes",
        "def f(img: i32[H, W], mask: i32[H, W]) -> i32[4, 8]:\n"
        "    h: i32[4, 8]\n    h[a, c] = 0\n"
        "    for y, x in grid(H, W):\n"
        "        h[mask[y, x], img[y, x]] += 1\n"
        "    return h\n",
        given(img=below(8, 37, 41), mask=below(4, 37, 41)),
        image_counts,
    ),
    Case(
        "sum_per_segment",
        "def f(seg: i32[N], x: f32[N, M]) -> f32[5, M]:\n"
        "    s: f32[5, M]\n    s[k, j] = 0.0\n"
        "    for i, j in grid(N, M):\n"
        "        s[seg[i], j] += x[i, j]\n"
        "    return s\n",
        given(seg=below(5, 300), x=f32(300, 7)),
        lambda seg, x: np.stack([x[seg == k].sum(0) for k in range(5)]),
        terms=300,
        scale=60.0,
    ),
    Case(
        "columns_of_a_sparse_matrix",
        "def f(start: i32[R], col: i32[Z], v: f32[Z]) -> f32[R - 1]:\n"
        "    assert R > 0\n"
        "    s: f32[R - 1]\n    s[k] = 0.0\n"
        "    for r in grid(R - 1):\n"
        "        for k in range(start[r], start[r + 1]):\n"
        "            s[col[k]] += v[k]\n"
        "    return s\n",
        rows(60, 9),
        columns,
        scale=20.0,
    ),
    Case(
        "affine_clash",
        "def f(x: i32[M, N]) -> i32[M]:\n"
        "    s: i32[M]\n    s[i] = 0\n"
        "    for i, j in grid(M, N):\n"
        "        s[i] += x[i, j]\n"
        "    return s\n",
        given(x=ints(23, 57)),
        lambda x: x.sum(1),
    ),
    Case(
        "no_clash",
        "def f(x: f32[N], y: f32[N]) -> f32[N]:\n"
        "    for i in grid(N):\n"
        "        y[N - 1 - i] += x[i]\n"
        "        y[N - 1 - i] = max(y[N - 1 - i], 0.0)\n"
        "    return y\n",
        given(x=f32(77), y=f32(77)),
        lambda x, y: np.maximum(y + x[::-1], 0),
    ),
    Case(
        "no_clash_on_even_elements",
        "def f(x: i32[N], y: i32[2 * N]) -> i32[2 * N]:\n"
        "    for i in grid(N):\n"
        "        y[2 * i] -= x[i]\n"
        "    return y\n",
        given(x=ints(30), y=ints(60)),
        lambda x, y: y - np.stack([x, 0 * x], 1).reshape(-1),
    ),
    Case(
        "connected_components",
        "def f(src: i32[E], dst: i32[E], steps: i32) -> i32[40]:\n"
        "    label: i32[40]\n    label[v] = v\n"
        "    old: i32[40]\n    old[v] = v\n"
        "    for t in range(steps):\n"
        "        old[v] = label[v]\n"
        "        for e in grid(E):\n"
        "            label[dst[e]] = min(label[dst[e]], old[src[e]])\n"
        "            label[src[e]] = min(label[src[e]], old[dst[e]])\n"
        "    return label\n",
        given(src=below(40, 35), dst=below(40, 35), steps=12),
        labels,
    ),
    Case(
        "histograms_over_time",
        "def f(b: i32[N], steps: i32) -> i32[7]:\n"
        "    h: i32[7]\n    h[k] = 0\n"
        "    for t in range(steps):\n"
        "        h[k] = h[k] // 2\n"
        "        for i in grid(N):\n"
        "            h[b[i]] += t\n"
        "    return h\n",
        given(b=below(7, 130), steps=5),
        decayed,
    ),
    Case(
        "several_histograms",
        "def f(b: i32[N]) -> (i32[4], i32[4], i32):\n"
        "    h: i32[4]\n    low: i32[4]\n    h[k] = 0\n    low[k] = 9999\n"
        "    for i in grid(N):\n"
        "        h[b[i]] += 1\n"
        "        low[b[i]] = min(low[b[i]], i)\n"
        "    for i in grid(N):\n"
        "        h[(b[i] + 1) % 4] += 10\n"
        "    n = sum(h[k] for k in range(4))\n"
        "    return h, low, n\n",
        given(b=below(4, 222)),
        lambda b: (
            counts(b, 4) + 10 * np.roll(counts(b, 4), 1),
            folded(np.minimum, 9999, 4, b, np.arange(222)),
            np.asarray(11 * 222),
        ),
    ),
    Case(
        "scatter",
        "def f(p: i32[N], x: f32[N]) -> f32[N]:\n"
        "    y: f32[N]\n    y[k] = 0.0\n"
        "    for i in grid(N):\n"
        "        y[p[i]] = x[i]\n"
        "    return y\n",
        given(p=shuffled(333), x=f32(333)),
        lambda p, x: x[np.argsort(p)],
    ),
    Case(
        "scatter_of_bools",
        "def f(p: i32[N], q: i32[M]) -> bool[N]:\n"
        "    y: bool[N]\n    y[k] = False\n"
        "    for i in grid(M):\n"
        "        if q[i] >= 0:\n"
        "            y[p[q[i]]] = True\n"
        "    return y\n",
        given(p=shuffled(50), q=lambda rng: (rng.permutation(50)[:30] - 9).astype(np.int32)),
        lambda p, q: np.isin(np.arange(50), p[q[q >= 0]]),
    ),
)
