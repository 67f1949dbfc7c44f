"""What neural networks are made of."""

from __future__ import annotations

import math

import numpy as np

from tests.conformance.case import Case, any_size, at_least_one


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True, initial=-np.inf))
    return e / e.sum(-1, keepdims=True)


def normed(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5)


def group_norm(x: np.ndarray) -> np.ndarray:
    n, c, h, w = x.shape
    return normed(x.reshape(n, c // 4, 4, h, w), (2, 3, 4)).reshape(x.shape)


def attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray, *, causal: bool = False) -> np.ndarray:
    s = Q @ np.swapaxes(K, -1, -2) / np.sqrt(Q.shape[-1])
    if causal:
        s[..., ~np.tri(*s.shape[-2:], dtype=bool)] = -np.inf
    return softmax(s) @ V


def rotary(x: np.ndarray) -> np.ndarray:
    n, d = x.shape
    angle = np.arange(n)[:, None] * 10000.0 ** (-np.arange(0, d, 2) / d)
    a, b = x[:, : d // 2], x[:, d // 2 :]
    return np.concatenate(
        [a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], 1
    )


def cross_entropy(x: np.ndarray, label: np.ndarray) -> np.ndarray:
    return -np.log(softmax(x)[np.arange(len(x)), label])


def quantized(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.abs(x).max(1) / 127
    q = np.clip(np.round(x / scale[:, None]), -127, 127).astype(np.int32)
    return q, q * scale[:, None]


def classes(rng: np.random.Generator, N: int, C: int, **_: int) -> np.ndarray:
    return rng.integers(0, C, N)


CASES = (
    Case(
        "softmax",
        """\
def softmax(x: f32[M, N]) -> f32[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y
""",
        softmax,
        {"M": any_size(11), "N": any_size(37)},
    ),
    Case(
        "layer_norm",
        """\
def layer_norm(x: f32[M, N], g: f32[N], b: f32[N]) -> f32[M, N]:
    mean[i] = sum(x[i, j] for j in range(N)) / N
    var[i] = sum((x[i, j] - mean[i]) ** 2 for j in range(N)) / N
    y[i, j] = (x[i, j] - mean[i]) / sqrt(var[i] + 1e-5) * g[j] + b[j]
    return y
""",
        lambda x, g, b: normed(x, (1,)) * g + b,
        {"M": any_size(7), "N": (53, 2)},
    ),
    Case(
        "rms_norm",
        """\
def rms_norm(x: f32[M, N], g: f32[N]) -> f32[M, N]:
    y[i, j] = x[i, j] / sqrt(sum(x[i, k] ** 2 for k in range(N)) / N + 1e-6) * g[j]
    return y
""",
        lambda x, g: x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-6) * g,
        {"M": any_size(7), "N": at_least_one(53)},
    ),
    Case(
        "group_norm",
        """\
def group_norm(x: f32[B, C, H, W]) -> f32[B, C, H, W]:
    assert C % 4 == 0
    mean: f32[B, C // 4]
    mean[b, g] = sum(x[b, 4 * g + c, i, j] for c in range(4) for i in range(H)
                     for j in range(W)) / (4 * H * W)
    var: f32[B, C // 4]
    var[b, g] = sum((x[b, 4 * g + c, i, j] - mean[b, g]) ** 2 for c in range(4)
                    for i in range(H) for j in range(W)) / (4 * H * W)
    y[b, c, i, j] = (x[b, c, i, j] - mean[b, c // 4]) / sqrt(var[b, c // 4] + 1e-5)
    return y
""",
        group_norm,
        {"B": any_size(3), "C": (8, 4), "H": (5, 2), "W": at_least_one(7)},
    ),
    Case(
        "attention",
        """\
def attention(Q: f32[M, D], K: f32[N, D], V: f32[N, D]) -> f32[M, D]:
    s[i, j] = sum(Q[i, d] * K[j, d] for d in range(D)) / sqrt(f32(D))
    top[i] = max(s[i, j] for j in range(N))
    e[i, j] = exp(s[i, j] - top[i])
    y[i, d] = sum(e[i, j] * V[j, d] for j in range(N)) / sum(e[i, j] for j in range(N))
    return y
""",
        attention,
        {"M": any_size(19), "N": at_least_one(23), "D": at_least_one(8)},
    ),
    Case(
        "causal_attention",
        """\
def attention(Q: f32[N, D], K: f32[N, D], V: f32[N, D]) -> f32[N, D]:
    s[i, j] = sum(Q[i, d] * K[j, d] for d in range(D)) / sqrt(f32(D))
    top[i] = max(s[i, j] for j in range(i + 1))
    e[i, j] = exp(s[i, j] - top[i])
    y[i, d] = sum(e[i, j] * V[j, d] for j in range(i + 1)) / sum(e[i, j] for j in range(i + 1))
    return y
""",
        lambda Q, K, V: attention(Q, K, V, causal=True),
        {"N": any_size(19), "D": at_least_one(8)},
    ),
    Case(
        "attention_by_kernels_that_it_calls",
        """\
def softmax(x: f32[M, N]) -> f32[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y

def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C

def attention(Q: f32[M, D], K: f32[N, D], V: f32[N, D]) -> f32[M, D]:
    s[i, j] = sum(Q[i, d] * K[j, d] for d in range(D)) / sqrt(f32(D))
    p = softmax(s)
    y = matmul(p, V)
    return y
""",
        attention,
        {"M": any_size(19), "N": at_least_one(23), "D": at_least_one(8)},
    ),
    Case(
        "grouped_query_attention",
        """\
def attention(Q: f32[H, M, D], K: f32[G, N, D], V: f32[G, N, D]) -> f32[H, M, D]:
    assert H == 3 * G
    s[h, i, j] = sum(Q[h, i, d] * K[h // 3, j, d] for d in range(D)) / sqrt(f32(D))
    top[h, i] = max(s[h, i, j] for j in range(N))
    e[h, i, j] = exp(s[h, i, j] - top[h, i])
    z[h, i] = sum(e[h, i, j] for j in range(N))
    y[h, i, d] = sum(e[h, i, j] * V[h // 3, j, d] for j in range(N)) / z[h, i]
    return y
""",
        lambda Q, K, V: attention(Q, np.repeat(K, 3, 0), np.repeat(V, 3, 0)),
        {"H": (6,), "G": (2,), "M": any_size(7), "N": at_least_one(11), "D": at_least_one(5)},
    ),
    Case(
        "linear_layer",
        """\
def linear(x: f32[B, P], W: f32[Q, P], b: f32[Q]) -> f32[B, Q]:
    y[s, q] = max(sum(x[s, p] * W[q, p] for p in range(P)) + b[q], 0)
    return y
""",
        lambda x, W, b: np.maximum(x @ W.T + b, 0),
        {"B": any_size(7), "P": any_size(19), "Q": any_size(11)},
    ),
    Case(
        "embedding_lookup",
        """\
def embed(E: f32[V, D], token: i32[N]) -> f32[N, D]:
    y[n, d] = E[token[n], d]
    return y
""",
        lambda E, token: E[token],
        {"V": at_least_one(31), "D": any_size(7), "N": any_size(19)},
        given={"token": lambda rng, V, N, **_: rng.integers(0, V, N)},
    ),
    Case(
        "one_hot",
        """\
def one_hot(label: i32[N], C: i32) -> f32[N, C]:
    y[n, c] = 1.0 if label[n] == c else 0.0
    return y
""",
        lambda label, C: np.eye(C)[label],
        {"N": any_size(13), "C": at_least_one(7)},
        given={"label": classes},
    ),
    Case(
        "cross_entropy",
        """\
def cross_entropy(x: f32[N, C], label: i32[N]) -> f32[N]:
    top[n] = max(x[n, c] for c in range(C))
    z[n] = log(sum(exp(x[n, c] - top[n]) for c in range(C)))
    loss[n] = z[n] + top[n] - x[n, label[n]]
    return loss
""",
        cross_entropy,
        {"N": any_size(17), "C": (10, 2)},
        given={"label": classes},
    ),
    Case(
        "gelu",
        """\
def gelu(x: f32[N]) -> f32[N]:
    y[i] = 0.5 * x[i] * (1 + erf(x[i] / sqrt(2.0)))
    return y
""",
        lambda x: 0.5 * x * (1 + np.array([math.erf(v / math.sqrt(2)) for v in x])),
        {"N": any_size(101)},
    ),
    Case(
        "rotary_embedding",
        """\
def rotary(x: f32[N, D]) -> f32[N, D]:
    assert D % 2 == 0
    for n, d in grid(N, D // 2):
        angle = n * 10000.0 ** (-2.0 * d / D)
        a, b = x[n, d], x[n, d + D // 2]
        y[n, d] = a * cos(angle) - b * sin(angle)
        y[n, d + D // 2] = b * cos(angle) + a * sin(angle)
    return y
""",
        rotary,
        {"N": any_size(29), "D": (10, 2, 0)},
    ),
    Case(
        "quantize_and_dequantize",
        """\
def quantize(x: f32[M, N]) -> (i32[M, N], f32[M, N]):
    scale[i] = max(abs(x[i, j]) for j in range(N)) / 127
    q[i, j] = i32(clip(round(x[i, j] / scale[i]), -127, 127))
    y[i, j] = q[i, j] * scale[i]
    return q, y
""",
        quantized,
        {"M": any_size(5), "N": at_least_one(23)},
        given={"x": lambda _, M, N: (np.arange(M * N) * 37 % 101 - 50.0).reshape(M, N)},
    ),
    Case(
        "top_values",
        """\
def top(x: f32[M, N]) -> f32[M, 3]:
    for i in grid(M):
        best: f32[3] = -inf
        for j in range(N):
            v = x[i, j]
            for t in range(3):
                if v > best[t]:
                    v, best[t] = best[t], v
        for t in range(3):
            y[i, t] = best[t]
    return y
""",
        lambda x: np.sort(np.pad(x, ((0, 0), (0, 3)), constant_values=-np.inf), 1)[:, :-4:-1],
        {"M": any_size(9), "N": any_size(13)},
    ),
    Case(
        "argmax",
        """\
def best(x: f32[M, N]) -> i32[M]:
    y[i] = argmax(x[i, j] for j in range(N))
    return y
""",
        lambda x: x.argmax(1).astype(np.int32),
        {"M": any_size(23), "N": at_least_one(17)},
    ),
    Case(
        "mixture_of_two_experts",
        """\
def mix(x: f32[B, P], G: f32[P, E], W: f32[E, P, Q]) -> f32[B, Q]:
    gate[b, e] = sum(x[b, p] * G[p, e] for p in range(P))
    first[b] = argmax(gate[b, e] for e in range(E))
    second[b] = argmax(gate[b, e] for e in range(E) if e != first[b])
    y[b, q] = (sum(x[b, p] * W[first[b], p, q] for p in range(P))
               + sum(x[b, p] * W[second[b], p, q] for p in range(P))) / 2
    return y
""",
        lambda x, G, W: np.einsum("bp,btpq->bq", x, W[np.argsort(-(x @ G), 1)[:, :2]]) / 2,
        {"B": any_size(5), "P": any_size(7), "E": (4, 2), "Q": any_size(3)},
    ),
)
