"""Triangular reductions, scans, and ranges and indices that depend on what arrays hold."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from tests.end_to_end.kernels import Case, f32, given, ints


def causal_attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray) -> np.ndarray:
    s = Q @ K.T / np.sqrt(Q.shape[1])
    s[np.triu_indices(len(s), 1)] = -np.inf
    e = np.exp(s - s.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True) @ V


TRIANGLES = (
    Case(
        "triangular_product",
        "def lower(A: f32[N, N], x: f32[N]) -> f32[N]:\n"
        "    y[i] = sum(A[i, k] * x[k] for k in range(i))\n    return y\n",
        given(A=f32(37, 37), x=f32(37)),
        lambda A, x: np.tril(A, -1) @ x,
    ),
    Case(
        "triangle_from_an_axis_on",
        "def upper(A: f32[N, N], X: f32[N, M]) -> f32[N, M]:\n"
        "    Y[i, j] = sum(A[i, k] * X[k, j] for k in range(i, N))\n    return Y\n",
        given(A=f32(23, 23), X=f32(23, 9)),
        lambda A, X: np.triu(A) @ X,
    ),
    Case(
        "triangle_along_the_inner_axis",
        "def lower(X: f32[M, N], A: f32[N, N]) -> f32[M, N]:\n"
        "    Y[i, j] = sum(X[i, k] * A[j, k] for k in range(j + 1))\n    return Y\n",
        given(X=f32(6, 31), A=f32(31, 31)),
        lambda X, A: X @ np.tril(A).T,
    ),
    Case(
        "triangle_inside_a_reduction",
        "def pairs(x: f32[N]) -> f32:\n"
        "    s = sum(x[i] * x[j] for i in range(N) for j in range(i))\n    return s\n",
        given(x=f32(41)),
        lambda x: (x.sum() ** 2 - (x * x).sum()) / 2,
        scale=100.0,
    ),
    Case(
        "band",
        "def band(A: f32[N, N], x: f32[N]) -> f32[N]:\n"
        "    y[i] = sum(A[i, k] * x[k] for k in range(max(i - 2, 0), min(i + 3, N)))\n"
        "    return y\n",
        given(A=f32(29, 29), x=f32(29)),
        lambda A, x: (np.tril(np.triu(A, -2), 2)) @ x,
    ),
    Case(
        "argmax_so_far",
        "def best(x: f32[N]) -> i32[N]:\n"
        "    y[i] = argmax(x[k] for k in range(i + 1))\n    return y\n",
        given(x=f32(40)),
        lambda x: np.array([x[: i + 1].argmax() for i in range(len(x))], np.int32),
    ),
    Case(
        "causal_attention",
        "def attention(Q: f32[N, D], K: f32[N, D], V: f32[N, D]) -> f32[N, D]:\n"
        "    s[i, j] = sum(Q[i, d] * K[j, d] for d in range(D)) / sqrt(f32(D))\n"
        "    top[i] = max(s[i, j] for j in range(i + 1))\n"
        "    e[i, j] = exp(s[i, j] - top[i])\n"
        "    y[i, d] = sum(e[i, j] * V[j, d] for j in range(i + 1))"
        " / sum(e[i, j] for j in range(i + 1))\n"
        "    return y\n",
        given(Q=f32(19, 8), K=f32(19, 8), V=f32(19, 8)),
        causal_attention,
    ),
)


def sparse(rng: np.random.Generator) -> dict[str, np.ndarray]:
    dense = rng.uniform(-1, 1, (13, 17)) * (rng.random((13, 17)) < 0.3)
    dense[4] = 0
    counts = np.cumsum([0, *(dense != 0).sum(1)])
    return {
        "row": counts.astype(np.int32),
        "col": np.nonzero(dense)[1].astype(np.int32),
        "v": dense[dense != 0].astype(np.float32),
        "x": rng.uniform(-1, 1, 17).astype(np.float32),
    }


def csr_product(row: np.ndarray, col: np.ndarray, v: np.ndarray, x: np.ndarray) -> np.ndarray:
    spans = pairwise(row)
    return np.array([(v[a:b] * x[col[a:b]]).sum() for a, b in spans])


def indices(count: int, extent: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.integers(0, extent, count).astype(np.int32)


DATA = (
    Case(
        "table_lookup",
        "def gather(table: f32[K], idx: i32[N]) -> f32[N]:\n"
        "    y[i] = table[idx[i]]\n    return y\n",
        given(table=f32(7), idx=indices(131, 7)),
        lambda table, idx: table[idx],
    ),
    Case(
        "rows_by_number",
        "def embed(E: f32[V, D], t: i32[N]) -> f32[N, D]:\n"
        "    y[i, d] = E[t[i], d]\n    return y\n",
        given(E=f32(11, 6), t=indices(29, 11)),
        lambda E, t: E[t],
    ),
    Case(
        "lookup_through_two_tables",
        "def twice(a: i32[K], b: f32[M], t: i32[N]) -> f32[N]:\n"
        "    y[i] = b[a[t[i]]] + 1.0\n    return y\n",
        given(a=indices(9, 5), b=f32(5), t=indices(23, 9)),
        lambda a, b, t: b[a[t]] + 1,
    ),
    Case(
        "looked_up_only_where_it_is_there",
        "def some(table: f32[K], t: i32[N]) -> f32[N]:\n"
        "    y[i] = table[t[i]] if t[i] >= 0 and t[i] < K else -1.0\n    return y\n",
        given(table=f32(6), t=ints(60)),
        lambda table, t: np.where((t >= 0) & (t < 6), table[np.clip(t, 0, 5)], -1.0),
    ),
    Case(
        "csr_times_vector",
        "def csr(row: i32[R], col: i32[Z], v: f32[Z], x: f32[N]) -> f32[R - 1]:\n"
        "    y[i] = sum(v[p] * x[col[p]] for p in range(row[i], row[i + 1]))\n    return y\n",
        sparse,
        csr_product,
    ),
    Case(
        "csr_in_a_block",
        "def csr(row: i32[R], col: i32[Z], v: f32[Z], x: f32[N]) -> f32[R - 1]:\n"
        "    for i in grid(R - 1):\n        acc = 0.0\n"
        "        for p in range(row[i], row[i + 1]):\n            acc = acc + v[p] * x[col[p]]\n"
        "        y[i] = acc\n    return y\n",
        sparse,
        csr_product,
    ),
    Case(
        "private_array_at_an_index_of_data",
        "def counts(b: i32[M, K]) -> i32[M, 5]:\n"
        "    for i in grid(M):\n        h: i32[5]\n"
        "        for j in range(5):\n            h[j] = 0\n"
        "        for k in range(K):\n            h[b[i, k]] = h[b[i, k]] + 1\n"
        "        for j in range(5):\n            y[i, j] = h[j]\n    return y\n",
        given(b=lambda rng: rng.integers(0, 5, (6, 31)).astype(np.int32)),
        lambda b: np.stack([np.bincount(r, minlength=5) for r in b]).astype(np.int32),
    ),
    Case(
        "butterfly",
        "def partner(x: f32[16]) -> f32[16]:\n    y[i] = x[i ^ 5] - x[i]\n    return y\n",
        given(x=f32(16)),
        lambda x: x[np.arange(16) ^ 5] - x,
    ),
    Case(
        "bounded_by_data",
        "def first(x: f32[M, N], n: i32[M]) -> f32[M]:\n"
        "    y[i] = max(x[i, k] for k in range(n[i]) if x[i, k] < 0.5)\n    return y\n",
        given(x=f32(12, 9), n=lambda rng: rng.integers(4, 10, 12).astype(np.int32)),
        lambda x, n: np.array(
            [max([a for a in r[:m] if a < 0.5], default=-np.inf) for r, m in zip(x, n, strict=True)]
        ),
    ),
)


def cumulative(x: np.ndarray) -> np.ndarray:
    return np.cumsum(x)


def running(size: int) -> Case:
    return Case(
        f"running_sum_of_{size}",
        "def running(x: f32[N]) -> f32[N]:\n"
        "    y[i] = sum(x[k] for k in range(i + 1))\n    return y\n",
        given(x=f32(size)),
        cumulative,
        terms=size,
        scale=max(1.0, float(size)) ** 0.5,
    )


def so_far(x: np.ndarray, *, best: Callable[[np.ndarray], int]) -> np.ndarray:
    return np.array([best(x[: i + 1]) for i in range(len(x))], np.int32)


SCANS = (
    *(running(n) for n in (0, 1, 2, 255, 256, 257, 1031, 70000)),
    Case(
        "sum_of_what_came_before",
        "def before(x: f32[M, N]) -> f32[M, N]:\n"
        "    y[i, j] = sum(x[i, k] for k in range(j))\n    return y\n",
        given(x=f32(3, 1031)),
        lambda x: np.cumsum(x, 1) - x,
        terms=1031,
        scale=30.0,
    ),
    Case(
        "sum_to_the_end_of_a_column",
        "def after(x: f32[M, N]) -> f32[M, N]:\n"
        "    y[i, j] = x[i, j] - sum(x[k, j] for k in range(i + 1, M))\n    return y\n",
        given(x=f32(1100, 3)),
        lambda x: 2 * x - np.cumsum(x[::-1], 0)[::-1],
        terms=1100,
        scale=30.0,
    ),
    Case(
        "greatest_so_far_of_some",
        "def top(x: f32[M, N]) -> f32[M, N]:\n"
        "    y[i, j] = max(x[i, k] for k in range(j + 1) if x[i, k] < 0.5)\n    return y\n",
        given(x=f32(4, 1093)),
        lambda x: np.maximum.accumulate(np.where(x < 0.5, x, -np.inf), 1),
    ),
    Case(
        "product_in_the_middle_axis",
        "def grow(x: f32[A, B, C]) -> f32[A, B, C]:\n"
        "    y[a, b, c] = prod(1.0 + 0.01 * x[a, k, c] for k in range(b + 1))\n    return y\n",
        given(x=f32(3, 67, 5)),
        lambda x: np.cumprod(1 + 0.01 * x, 1),
    ),
    Case(
        "any_before_and_all_after",
        "def logic(x: bool[N]) -> (bool[N], bool[N]):\n"
        "    some[i] = any(x[k] for k in range(i))\n"
        "    every[i] = all(x[k] or k % 2 == 0 for k in range(i, N))\n    return some, every\n",
        given(x=lambda rng: rng.random(1201) < 0.01),
        lambda x: (
            np.append(False, np.logical_or.accumulate(x)[:-1]),
            np.logical_and.accumulate((x | (np.arange(len(x)) % 2 == 0))[::-1])[::-1],
        ),
    ),
    Case(
        "summed_area",
        "def area(x: f32[M, N]) -> f32[M, N]:\n"
        "    y[i, j] = sum(x[u, v] for u in range(i + 1) for v in range(j + 1))\n    return y\n",
        given(x=f32(37, 23)),
        lambda x: np.cumsum(np.cumsum(x, 0), 1),
        scale=30.0,
    ),
    Case(
        "first_greatest_so_far",
        "def best(x: i32[N]) -> i32[N]:\n"
        "    y[i] = argmax(x[k] for k in range(i + 1))\n    return y\n",
        given(x=ints(1100)),
        lambda x: so_far(x, best=np.argmax),
    ),
    Case(
        "first_least_to_the_end",
        "def best(x: i32[N]) -> i32[N]:\n"
        "    y[i] = argmin(x[k] for k in range(i, N))\n    return y\n",
        given(x=ints(1100)),
        lambda x: np.array([i + x[i:].argmin() for i in range(len(x))], np.int32),
    ),
    Case(
        "greatest_before_or_none",
        "def best(x: f32[N]) -> i32[N]:\n"
        "    y[i] = argmax(x[k] for k in range(i)) if i > 0 else -1\n    return y\n",
        given(x=f32(300)),
        lambda x: np.append(-1, so_far(x, best=np.argmax)[:-1]).astype(np.int32),
    ),
    Case(
        "mean_of_what_came_before",
        "def mean(x: f32[N]) -> f32[N]:\n"
        "    y[i] = sum(x[k] for k in range(i)) / i if i > 0 else 0.0\n    return y\n",
        given(x=f32(500)),
        lambda x: np.append(0, np.cumsum(x)[:-1] / np.arange(1, len(x))),
    ),
    Case(
        "scan_over_time",
        "def pile(x: f32[N], steps: i32) -> f32[N]:\n"
        "    for t in range(steps):\n"
        "        x[i] = 0.1 * sum(x[k] for k in range(i + 1)) + t\n    return x\n",
        given(x=f32(30), steps=3),
        lambda x, steps: [x := 0.1 * np.cumsum(x) + t for t in range(steps)][-1],
        scale=30.0,
    ),
    Case(
        "scan_through_a_table",
        "def along(x: f32[K], order: i32[N]) -> f32[N]:\n"
        "    y[i] = sum(x[order[k]] for k in range(i + 1))\n    return y\n",
        given(x=f32(9), order=indices(1100, 9)),
        lambda x, order: np.cumsum(x[order]),
        terms=1100,
        scale=30.0,
    ),
)

CASES = (*TRIANGLES, *DATA, *SCANS)
