"""Linear algebra: products, norms, solvers and iterations."""

from __future__ import annotations

import numpy as np

from tests.conformance.case import Case, any_size, at_least_one


def dominant(rng: np.random.Generator, N: int, **_: int) -> np.ndarray:
    """A symmetric matrix whose diagonal is larger than the rest of a row."""
    m = rng.uniform(-1, 1, (N, N))
    return (m + m.T) / 2 + (N + 1) * np.eye(N)


def lower(rng: np.random.Generator, N: int, **_: int) -> np.ndarray:
    return np.tril(rng.uniform(-1, 1, (N, N))) + 4 * np.eye(N)


def positive(rng: np.random.Generator, N: int, **_: int) -> np.ndarray:
    m = rng.uniform(0, 1, (N, N))
    return m + m.T + 0.1


def power(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    v, size = np.ones(len(A)), np.zeros(())
    for _ in range(10):
        w = A @ v
        size = np.sqrt((w * w).sum())
        v = w / size
    return v, size


def sor(A: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    x = np.zeros_like(b)
    for _ in range(steps):
        for colour in range(2):
            rest = A @ x - np.diag(A) * x
            new = -0.1 * x + 1.1 * (b - rest) / np.diag(A)
            x = np.where(np.arange(len(b)) % 2 == colour, new, x)
    return x


def eliminated(A: np.ndarray) -> np.ndarray:
    A = A.copy()
    for k in range(len(A)):
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k, k + 1 :])
    return A


def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    sizes = np.sqrt((x * x).sum(1))[:, None] * np.sqrt((y * y).sum(1))
    return x @ y.T / sizes


CASES = (
    Case(
        "matmul",
        """\
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
""",
        lambda A, B: A @ B,
        {"M": any_size(17), "K": any_size(23), "N": any_size(19)},
    ),
    Case(
        "matrix_times_vector",
        """\
def matvec(A: f32[M, N], x: f32[N]) -> f32[M]:
    y[i] = sum(A[i, j] * x[j] for j in range(N))
    return y
""",
        lambda A, x: A @ x,
        {"M": any_size(37), "N": any_size(41)},
    ),
    Case(
        "batched_matrix_times_vector",
        """\
def batched(A: f32[B, M, N], x: f32[B, N]) -> f32[B, M]:
    y[b, i] = sum(A[b, i, j] * x[b, j] for j in range(N))
    return y
""",
        lambda A, x: np.einsum("bij,bj->bi", A, x),
        {"B": any_size(5), "M": any_size(7), "N": any_size(11)},
    ),
    Case(
        "outer_product",
        """\
def outer(x: f32[M], y: f32[N]) -> f32[M, N]:
    A[i, j] = x[i] * y[j]
    return A
""",
        np.outer,
        {"M": any_size(13), "N": any_size(29)},
    ),
    Case(
        "dot_product",
        """\
def dot(x: f32[N], y: f32[N]) -> f32:
    s = sum(x[i] * y[i] for i in range(N))
    return s
""",
        lambda x, y: x @ y,
        {"N": (2053, 17, 1, 0)},
        terms=2053,
        scale=30.0,
    ),
    Case(
        "transpose",
        """\
def transpose(A: f32[M, N]) -> f32[N, M]:
    T[j, i] = A[i, j]
    return T
""",
        lambda A: A.T,
        {"M": any_size(31), "N": any_size(17)},
    ),
    Case(
        "transpose_of_four_axes",
        """\
def permute(x: f32[A, B, C, D]) -> f32[C, A, D, B]:
    y[c, a, d, b] = x[a, b, c, d]
    return y
""",
        lambda x: x.transpose(2, 0, 3, 1),
        {"A": any_size(3), "B": any_size(5), "C": any_size(7), "D": any_size(2)},
    ),
    Case(
        "cosine_similarity",
        """\
def cosines(x: f32[M, D], y: f32[N, D]) -> f32[M, N]:
    a[i] = sqrt(sum(x[i, d] * x[i, d] for d in range(D)))
    b[j] = sqrt(sum(y[j, d] * y[j, d] for d in range(D)))
    c[i, j] = sum(x[i, d] * y[j, d] for d in range(D)) / (a[i] * b[j])
    return c
""",
        cosines,
        {"M": any_size(11), "N": any_size(13), "D": at_least_one(23)},
    ),
    Case(
        "covariance",
        """\
def covariance(x: f32[N, D]) -> f32[D, D]:
    mean[d] = sum(x[n, d] for n in range(N)) / N
    c[d, e] = sum((x[n, d] - mean[d]) * (x[n, e] - mean[e]) for n in range(N)) / (N - 1)
    return c
""",
        lambda x: np.cov(x.T).reshape(x.shape[1], x.shape[1]),
        {"N": (43, 2), "D": any_size(7)},
    ),
    Case(
        "power_iteration",
        """\
def power(A: f32[N, N]) -> (f32[N], f32):
    v: f32[N]
    v[i] = 1.0
    size = 0.0
    for t in range(10):
        w[i] = sum(A[i, j] * v[j] for j in range(N))
        size = sqrt(sum(w[i] * w[i] for i in range(N)))
        v[i] = w[i] / size
    return v, size
""",
        power,
        {"N": at_least_one(13)},
        given={"A": positive},
    ),
    Case(
        "jacobi",
        """\
def jacobi(A: f32[N, N], b: f32[N]) -> f32[N]:
    x: f32[N]
    x[i] = 0.0
    for t in range(20):
        x[i] = (b[i] - sum(A[i, j] * x[j] for j in range(N) if j != i)) / A[i, i]
    return x
""",
        np.linalg.solve,
        {"N": any_size(13)},
        given={"A": lambda rng, N: dominant(rng, N) + 3 * N * np.eye(N)},
    ),
    Case(
        "successive_over_relaxation_in_two_colours",
        """\
def sor(A: f32[N, N], b: f32[N], steps: i32) -> f32[N]:
    x: f32[N]
    x[i] = 0.0
    for t in range(steps):
        for colour in range(2):
            rest[i] = sum(A[i, j] * x[j] for j in range(N) if j != i)
            x[i] = -0.1 * x[i] + 1.1 * (b[i] - rest[i]) / A[i, i] if i % 2 == colour else x[i]
    return x
""",
        sor,
        {"N": any_size(12), "steps": any_size(5)},
        given={"A": dominant},
    ),
    Case(
        "conjugate_gradient",
        """\
def solve(A: f32[N, N], b: f32[N]) -> f32[N]:
    x: f32[N]
    x[i] = 0.0
    r[i] = b[i]
    p[i] = b[i]
    rr = sum(r[i] * r[i] for i in range(N))
    for t in range(6):
        q[i] = sum(A[i, j] * p[j] for j in range(N))
        pq = sum(p[i] * q[i] for i in range(N))
        alpha = rr / pq if pq > 0 else 0.0
        x[i] += alpha * p[i]
        r[i] -= alpha * q[i]
        new = sum(r[i] * r[i] for i in range(N))
        beta = new / rr if rr > 0 else 0.0
        p[i] = r[i] + beta * p[i]
        rr = new
    return x
""",
        np.linalg.solve,
        {"N": any_size(17)},
        given={"A": dominant},
    ),
    Case(
        "forward_substitution",
        """\
def solve(L: f32[N, N], b: f32[N]) -> f32[N]:
    x: f32[N]
    x[i] = 0.0
    for k in range(N):
        x[i] = (b[k] - sum(L[k, j] * x[j] for j in range(k))) / L[k, k] if i == k else x[i]
    return x
""",
        np.linalg.solve,
        {"N": any_size(13)},
        given={"L": lower},
    ),
    Case(
        "lu_decomposition",
        """\
def lu(A: f32[N, N]) -> f32[N, N]:
    for k in range(N):
        A[i, j] = A[i, j] / A[k, k] if i > k and j == k else A[i, j]
        A[i, j] = A[i, j] - A[i, k] * A[k, j] if i > k and j > k else A[i, j]
    return A
""",
        eliminated,
        {"N": any_size(11)},
        given={"A": dominant},
    ),
    Case(
        "cholesky_columns",
        """\
def cholesky(A: f32[N, N]) -> f32[N, N]:
    L: f32[N, N]
    L[i, j] = 0.0
    for k in range(N):
        d = sqrt(A[k, k] - sum(L[k, j] * L[k, j] for j in range(k)))
        c[i] = (A[i, k] - sum(L[i, j] * L[k, j] for j in range(k))) / d
        L[i, j] = (d if i == k else c[i]) if j == k and i >= k else L[i, j]
    return L
""",
        np.linalg.cholesky,
        {"N": any_size(11)},
        given={"A": dominant},
    ),
    Case(
        "triangular_product",
        """\
def lower(A: f32[N, N], x: f32[N]) -> f32[N]:
    y[i] = sum(A[i, k] * x[k] for k in range(i + 1))
    return y
""",
        lambda A, x: np.tril(A) @ x,
        {"N": any_size(37)},
    ),
    Case(
        "pairwise_distances",
        """\
def distances(x: f32[M, D], y: f32[N, D]) -> f32[M, N]:
    d[i, j] = sqrt(sum((x[i, k] - y[j, k]) ** 2 for k in range(D)))
    return d
""",
        lambda x, y: np.sqrt(((x[:, None] - y[None]) ** 2).sum(2)),
        {"M": any_size(11), "N": any_size(17), "D": any_size(3)},
    ),
)
