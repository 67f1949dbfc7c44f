"""Scans, histograms, sparse matrices, searching, sorting, dynamic programming."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests.conformance.case import Case, any_size, at_least_one


def starts(rng: np.random.Generator, R: int, Z: int, **_: int) -> np.ndarray:
    """Where each of the R - 1 rows begins among Z elements, and where the last ends."""
    return np.sort(np.append(rng.integers(0, Z + 1, max(0, R - 2)), [0, Z][:R]))


def csr(row: np.ndarray, col: np.ndarray, v: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.array([(v[a:b] * x[col[a:b]]).sum() for a, b in pairwise(row)])


def segments(x: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    parts = [x[a:b] for a, b in pairwise(row)]
    return np.array([p.sum() for p in parts]), np.array([p.max(initial=-np.inf) for p in parts])


def nearest(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    d = ((x[:, None] - y[None]) ** 2).sum(2)
    padded = np.pad(np.sqrt(d), ((0, 0), (0, 3)), constant_values=np.inf)
    return np.sort(padded, 1)[:, :3], d.argmin(1).astype(np.int32)


def k_means(x: np.ndarray, c: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    near = np.zeros(len(x), np.int32)
    for _ in range(steps):
        near = ((x[:, None] - c[None]) ** 2).sum(2).argmin(1).astype(np.int32)
        c = np.array([x[near == k].mean(0) if (near == k).any() else c[k] for k in range(len(c))])
    return c, near


def clusters(rng: np.random.Generator, N: int, K: int, **_: int) -> np.ndarray:
    return rng.integers(0, K, (N, 1)) * 10 + rng.uniform(-1, 1, (N, 2))


def centres(rng: np.random.Generator, K: int, **_: int) -> np.ndarray:
    return np.arange(K)[:, None] * 10 + rng.uniform(-2, 2, (K, 2))


def recurrence(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    y = np.zeros_like(b)
    for i in range(len(b)):
        for t in range(b.shape[1]):
            y[i, t] = (a[i, t] * y[i, t - 1] if t else 0) + b[i, t]
    return y


def edit_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    D = np.zeros((len(a) + 1, len(b) + 1), np.int32)
    D[:, 0], D[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = D[i - 1, j - 1] + (a[i - 1] != b[j - 1])
            D[i, j] = min(D[i - 1, j] + 1, D[i, j - 1] + 1, same)
    return D[-1, -1]


def viterbi(P: np.ndarray, E: np.ndarray, seen: np.ndarray) -> np.ndarray:
    v = np.zeros(len(P))
    for o in seen:
        v = (v[:, None] + P).max(0) + E[:, o]
    return v


def extremes(label: np.ndarray, x: np.ndarray, K: int) -> tuple[np.ndarray, np.ndarray]:
    top, low = np.full(K, -100, np.int32), np.full(K, 100, np.int32)
    np.maximum.at(top, label, x)
    np.minimum.at(low, label, x)
    return top, low


def found(table: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.searchsorted(table, x).astype(np.int32)


def shortest(D: np.ndarray) -> np.ndarray:
    for k in range(len(D)):
        D = np.minimum(D, D[:, k : k + 1] + D[k])
    return D


CASES = (
    Case(
        "prefix_sum",
        """\
def prefix(x: f32[N]) -> f32[N]:
    y[i] = sum(x[k] for k in range(i + 1))
    return y
""",
        np.cumsum,
        {"N": (5003, 1024, 257, 256, 2, 1, 0)},
        terms=5003,
        scale=70.0,
    ),
    Case(
        "prefix_sums_of_rows_before_each_element",
        """\
def before(x: f32[M, N]) -> f32[M, N]:
    y[i, j] = sum(x[i, k] for k in range(j))
    return y
""",
        lambda x: np.cumsum(x, 1) - x,
        {"M": any_size(3), "N": (1283, 1, 0)},
        terms=1283,
        scale=30.0,
    ),
    Case(
        "cumulative_maximum",
        """\
def top(x: f32[M, N]) -> f32[M, N]:
    y[i, j] = max(x[k, j] for k in range(i + 1))
    return y
""",
        lambda x: np.maximum.accumulate(x, 0),
        {"M": (1301, 1, 0), "N": any_size(3)},
    ),
    Case(
        "best_so_far",
        """\
def best(x: i32[N]) -> i32[N]:
    y[i] = argmax(x[k] for k in range(i + 1))
    return y
""",
        lambda x: np.array([x[: i + 1].argmax() for i in range(len(x))], np.int32),
        {"N": (1031, 2, 1, 0)},
    ),
    Case(
        "summed_area",
        """\
def area(x: f32[M, N]) -> f32[M, N]:
    y[i, j] = sum(x[u, v] for u in range(i + 1) for v in range(j + 1))
    return y
""",
        lambda x: np.cumsum(np.cumsum(x, 0), 1),
        {"M": any_size(37), "N": any_size(41)},
        scale=30.0,
    ),
    Case(
        "kept_elements_in_order",
        """\
def places(x: f32[N]) -> (i32[N], i32):
    before: i32[N]
    before[i] = sum(x[k] > 0 for k in range(i))
    place[i] = before[i] if x[i] > 0 else -1
    count = sum(x[i] > 0 for i in range(N))
    return place, count
""",
        lambda x: (
            np.where(x > 0, np.cumsum(x > 0) - 1, -1).astype(np.int32),
            np.int32((x > 0).sum()),
        ),
        {"N": (1409, 1, 0)},
    ),
    Case(
        "linear_recurrences",
        """\
def filtered(a: f32[M, N], b: f32[M, N]) -> f32[M, N]:
    for i in grid(M):
        h = 0.0
        for t in range(N):
            h = a[i, t] * h + b[i, t]
            y[i, t] = h
    return y
""",
        recurrence,
        {"M": any_size(7), "N": any_size(53)},
    ),
    Case(
        "histogram",
        """\
def histogram(b: i32[N], K: i32) -> i32[K]:
    h: i32[K]
    h[v] = 0
    for n in grid(N):
        h[b[n]] += 1
    return h
""",
        lambda b, K: np.bincount(b, minlength=K).astype(np.int32),
        {"N": any_size(331), "K": at_least_one(13)},
        given={"b": lambda rng, N, K: rng.integers(0, K, N)},
    ),
    Case(
        "greatest_of_each_class",
        """\
def greatest(label: i32[N], x: i32[N], K: i32) -> (i32[K], i32[K]):
    top: i32[K]
    low: i32[K]
    top[v] = -100
    low[v] = 100
    for n in grid(N):
        top[label[n]] = max(top[label[n]], x[n])
        low[label[n]] = min(low[label[n]], x[n])
    return top, low
""",
        extremes,
        {"N": any_size(211), "K": at_least_one(7)},
        given={"label": lambda rng, N, K: rng.integers(0, K, N)},
    ),
    Case(
        "histogram_by_comparison",
        """\
def histogram(b: i32[N], K: i32) -> i32[K]:
    h[v] = sum(b[n] == v for n in range(N))
    return h
""",
        lambda b, K: np.bincount(b, minlength=K).astype(np.int32),
        {"N": any_size(331), "K": at_least_one(13)},
        given={"b": lambda rng, N, K: rng.integers(0, K, N)},
    ),
    Case(
        "sparse_matrix_times_vector",
        """\
def spmv(row: i32[R], col: i32[Z], v: f32[Z], x: f32[N]) -> f32[R - 1]:
    y[i] = sum(v[p] * x[col[p]] for p in range(row[i], row[i + 1]))
    return y
""",
        csr,
        {"R": (19, 2), "Z": any_size(61), "N": at_least_one(23)},
        given={"row": starts, "col": lambda rng, N, Z, **_: rng.integers(0, N, Z)},
    ),
    Case(
        "sums_of_segments",
        """\
def segments(x: f32[Z], row: i32[R]) -> (f32[R - 1], f32[R - 1]):
    total[i] = sum(x[p] for p in range(row[i], row[i + 1]))
    top[i] = max(x[p] for p in range(row[i], row[i + 1]))
    return total, top
""",
        segments,
        {"Z": any_size(101), "R": (17, 2)},
        given={"row": starts},
    ),
    Case(
        "nearest_points",
        """\
def nearest(x: f32[M, D], y: f32[N, D]) -> (f32[M, 3], i32[M]):
    d[i, j] = sqrt(sum((x[i, k] - y[j, k]) ** 2 for k in range(D)))
    first[i] = argmin(d[i, j] for j in range(N))
    for i in grid(M):
        best: f32[3] = inf
        for j in range(N):
            v = d[i, j]
            for t in range(3):
                if v < best[t]:
                    v, best[t] = best[t], v
        for t in range(3):
            near[i, t] = best[t]
    return near, first
""",
        nearest,
        {"M": any_size(17), "N": at_least_one(29), "D": any_size(3)},
    ),
    Case(
        "k_means",
        """\
def k_means(x: f32[N, 2], c: f32[K, 2], steps: i32) -> (f32[K, 2], i32[N]):
    near: i32[N]
    near[n] = 0
    size: i32[K]
    for t in range(steps):
        near[n] = argmin(sum((x[n, d] - c[k, d]) ** 2 for d in range(2)) for k in range(K))
        size[k] = sum(near[n] == k for n in range(N))
        c[k, d] = (sum(x[n, d] for n in range(N) if near[n] == k) / size[k]
                   if size[k] > 0 else c[k, d])
    return c, near
""",
        k_means,
        {"N": any_size(41), "K": at_least_one(5), "steps": (4, 1, 0)},
        given={"x": clusters, "c": centres},
    ),
    Case(
        "edit_distance_over_anti_diagonals",
        """\
def edit(a: i32[M], b: i32[N]) -> i32:
    last: i32[M + 1]
    before: i32[M + 1]
    new: i32[M + 1]
    last[i] = 0
    before[i] = 0
    for d in range(1, M + N + 1):
        new[i] = (d if i == 0 or i == d
                  else min(min(last[i - 1], last[i]) + 1,
                           before[i - 1] + i32(a[i - 1] != b[d - i - 1]))
                  if i < d and d - i <= N else 0)
        before[i] = last[i]
        last[i] = new[i]
    distance = last[M]
    return distance
""",
        edit_distance,
        {"M": any_size(13), "N": any_size(17)},
    ),
    Case(
        "viterbi",
        """\
def viterbi(P: f32[S, S], E: f32[S, K], seen: i32[T]) -> f32[S]:
    v: f32[S]
    v[s] = 0.0
    for t in range(T):
        v[s] = max(v[r] + P[r, s] for r in range(S)) + E[s, seen[t]]
    return v
""",
        viterbi,
        {"S": at_least_one(7), "K": at_least_one(5), "T": any_size(19)},
        given={"seen": lambda rng, T, K, **_: rng.integers(0, K, T)},
    ),
    Case(
        "shortest_paths",
        """\
def shortest(D: f32[N, N]) -> f32[N, N]:
    for k in range(N):
        D[i, j] = min(D[i, j], D[i, k] + D[k, j])
    return D
""",
        shortest,
        {"N": any_size(17)},
        given={"D": lambda rng, N: rng.uniform(0, 10, (N, N)) * (1 - np.eye(N))},
    ),
    Case(
        "binary_search",
        """\
def find(table: f32[K], x: f32[N]) -> i32[N]:
    for i in grid(N):
        low, high = 0, K
        while low < high:
            middle = (low + high) // 2
            if table[middle] < x[i]:
                low = middle + 1
            else:
                high = middle
        at[i] = low
    return at
""",
        found,
        {"K": any_size(43), "N": any_size(37)},
        given={"table": lambda rng, K, **_: np.sort(rng.uniform(-1, 1, K))},
    ),
    Case(
        "ranks",
        """\
def sort(x: f32[N]) -> (f32[N], i32[N]):
    rank[i] = sum(x[j] < x[i] or (x[j] == x[i] and j < i) for j in range(N))
    at: i32[N]
    at[r] = argmax(rank[i] == r for i in range(N))
    y[r] = x[at[r]]
    return y, rank
""",
        lambda x: (np.sort(x), np.argsort(np.argsort(x)).astype(np.int32)),
        {"N": at_least_one(53)},
    ),
)
