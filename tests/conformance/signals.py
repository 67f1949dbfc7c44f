"""Signals and images: convolutions, pooling, filters, transforms."""

from __future__ import annotations

import numpy as np

from tests.conformance.case import Case, any_size, at_least_one


def windows(x: np.ndarray, kh: int, kw: int, step: int = 1) -> np.ndarray:
    """Every window of the last two axes: [..., y, x, kh, kw]."""
    view = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(-2, -1))
    return view[..., ::step, ::step, :, :]


def padded(x: np.ndarray) -> np.ndarray:
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)])


def edged(x: np.ndarray) -> np.ndarray:
    return np.pad(x, 1, mode="edge") if x.size else np.zeros((x.shape[0] + 2, x.shape[1] + 2))


def bilinear(x: np.ndarray, h: int, w: int) -> np.ndarray:
    H, W = x.shape

    def places(n: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.clip((np.arange(n) + 0.5) * size / n - 0.5, 0, size - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, size - 1), at - low

    (a, b, u), (c, d, v) = places(h, H), places(w, W)
    u = u[:, None]
    upper = x[a][:, c] * (1 - v) + x[a][:, d] * v
    lower = x[b][:, c] * (1 - v) + x[b][:, d] * v
    return upper * (1 - u) + lower * u


def bilateral(x: np.ndarray) -> np.ndarray:
    p, (H, W) = edged(x), x.shape
    top, bottom = np.zeros_like(x), np.zeros_like(x)
    for a in range(3):
        for b in range(3):
            v = p[a : a + H, b : b + W]
            weight = np.exp(-((a - 1) ** 2 + (b - 1) ** 2) / 2 - (v - x) ** 2 / 0.5)
            top, bottom = top + weight * v, bottom + weight
    return top / bottom


def sobel(x: np.ndarray) -> np.ndarray:
    w = windows(x, 3, 3)
    k = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    return np.hypot((w * k).sum((-2, -1)), (w * k.T).sum((-2, -1)))


def fft(re: np.ndarray, im: np.ndarray, stages: int) -> tuple[np.ndarray, np.ndarray]:
    z = np.fft.fft(re + 1j * im, 2**stages)
    return z.real, z.imag


CASES = (
    Case(
        "convolution",
        """\
def conv(x: f32[N], w: f32[K]) -> f32[N - K + 1]:
    y[i] = sum(x[i + k] * w[k] for k in range(K))
    return y
""",
        lambda x, w: np.convolve(x, w[::-1], "valid"),
        {"N": (43, 5), "K": at_least_one(5)},
    ),
    Case(
        "convolution_strided_and_padded",
        """\
def conv(x: f32[C, N], w: f32[D, C, 5]) -> f32[D, (N + 1) // 2]:
    y[d, i] = sum((x[c, 2 * i + k - 2] if 0 <= 2 * i + k - 2 < N else 0.0) * w[d, c, k]
                  for c in range(C) for k in range(5))
    return y
""",
        lambda x, w: np.einsum(
            "cik,dck->di",
            np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (2, 2))), 5, 1)[:, ::2],
            w,
        ),
        {"C": any_size(3), "N": at_least_one(23), "D": any_size(7)},
    ),
    Case(
        "convolution_2d",
        """\
def conv(x: f32[C, H, W], w: f32[D, C, 3, 3]) -> f32[D, H - 2, W - 2]:
    y[d, i, j] = sum(x[c, i + u, j + v] * w[d, c, u, v]
                     for c in range(C) for u in range(3) for v in range(3))
    return y
""",
        lambda x, w: np.einsum("cijuv,dcuv->dij", windows(x, 3, 3), w),
        {"C": any_size(5), "D": any_size(7), "H": (13, 3), "W": (11, 3)},
    ),
    Case(
        "convolution_2d_strided_and_padded",
        """\
def conv(x: f32[B, C, H, W], w: f32[D, C, 3, 3]) -> f32[B, D, (H + 1) // 2, (W + 1) // 2]:
    p: f32[B, C, H + 2, W + 2]
    p[b, c, i, j] = x[b, c, i - 1, j - 1] if 0 < i <= H and 0 < j <= W else 0.0
    y[b, d, i, j] = sum(p[b, c, 2 * i + u, 2 * j + v] * w[d, c, u, v]
                        for c in range(C) for u in range(3) for v in range(3))
    return y
""",
        lambda x, w: np.einsum("bcijuv,dcuv->bdij", windows(padded(x), 3, 3, 2), w),
        {"B": any_size(2), "C": any_size(3), "D": any_size(5), "H": (9, 1), "W": (11, 1)},
    ),
    Case(
        "convolution_depthwise",
        """\
def conv(x: f32[C, H, W], w: f32[C, 3, 3]) -> f32[C, H, W]:
    y[c, i, j] = sum((x[c, i + u - 1, j + v - 1] if 0 < i + u <= H and 0 < j + v <= W else 0.0)
                     * w[c, u, v] for u in range(3) for v in range(3))
    return y
""",
        lambda x, w: np.einsum("cijuv,cuv->cij", windows(padded(x), 3, 3), w),
        {"C": any_size(5), "H": at_least_one(13), "W": at_least_one(11)},
    ),
    Case(
        "convolution_grouped",
        """\
def conv(x: f32[C, H, W], w: f32[D, C // 2, 3, 3]) -> f32[D, H - 2, W - 2]:
    assert C % 2 == 0
    assert D % 2 == 0
    y[d, i, j] = sum(x[d // (D // 2) * (C // 2) + c, i + u, j + v] * w[d, c, u, v]
                     for c in range(C // 2) for u in range(3) for v in range(3))
    return y
""",
        lambda x, w: np.concatenate(
            [
                np.einsum("cijuv,dcuv->dij", windows(a, 3, 3), b)
                for a, b in zip(np.split(x, 2), np.split(w, 2), strict=True)
            ]
        ),
        {"C": (6, 2), "D": (4, 2), "H": (9, 3), "W": (7, 3)},
    ),
    Case(
        "stencil_of_five_points",
        """\
def laplace(u: f32[H, W]) -> f32[H, W]:
    y[i, j] = (u[max(i - 1, 0), j] + u[min(i + 1, H - 1), j] + u[i, max(j - 1, 0)]
               + u[i, min(j + 1, W - 1)] - 4 * u[i, j])
    return y
""",
        lambda u: (p := edged(u))[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u,
        {"H": any_size(19), "W": any_size(23)},
    ),
    Case(
        "moving_average",
        """\
def average(x: f32[N]) -> f32[N]:
    y[i] = sum(x[k] for k in range(max(i - 4, 0), i + 1)) / min(i + 1, 5)
    return y
""",
        lambda x: np.array([x[max(i - 4, 0) : i + 1].mean() for i in range(len(x))]),
        {"N": any_size(71)},
    ),
    Case(
        "max_pooling",
        """\
def pool(x: f32[C, H, W]) -> f32[C, H // 2, W // 2]:
    y[c, i, j] = max(x[c, 2 * i + u, 2 * j + v] for u in range(2) for v in range(2))
    return y
""",
        lambda x: windows(x, 2, 2, 2).max((-2, -1)),
        {"C": any_size(3), "H": (13, 2), "W": (11, 3)},
    ),
    Case(
        "average_pooling",
        """\
def pool(x: f32[C, H, W]) -> f32[C]:
    y[c] = sum(x[c, i, j] for i in range(H) for j in range(W)) / (H * W)
    return y
""",
        lambda x: x.mean((1, 2)),
        {"C": any_size(5), "H": at_least_one(7), "W": at_least_one(11)},
    ),
    Case(
        "bilinear_resize",
        """\
def resize(x: f32[H, W], h: i32, w: i32) -> f32[h, w]:
    for i, j in grid(h, w):
        r = clip((i + 0.5) * H / h - 0.5, 0, H - 1)
        c = clip((j + 0.5) * W / w - 0.5, 0, W - 1)
        a, b = i32(floor(r)), i32(floor(c))
        u, v = r - a, c - b
        upper = x[a, b] * (1 - v) + x[a, min(b + 1, W - 1)] * v
        lower = x[min(a + 1, H - 1), b] * (1 - v) + x[min(a + 1, H - 1), min(b + 1, W - 1)] * v
        y[i, j] = upper * (1 - u) + lower * u
    return y
""",
        bilinear,
        {"H": at_least_one(7), "W": at_least_one(5), "h": (11, 1, 0), "w": (13, 2)},
    ),
    Case(
        "columns_of_an_image",
        """\
def im2col(x: f32[C, H, W]) -> f32[9 * C, (H - 2) * (W - 2)]:
    assert W > 2
    y[r, s] = x[r // 9, s // (W - 2) + r % 9 // 3, s % (W - 2) + r % 3]
    return y
""",
        lambda x: windows(x, 3, 3).transpose(0, 3, 4, 1, 2).reshape(9 * len(x), -1),
        {"C": at_least_one(2), "H": (7, 3), "W": (5, 3)},
    ),
    Case(
        "sobel",
        """\
def sobel(x: f32[H, W]) -> f32[H - 2, W - 2]:
    gx: f32[H - 2, W - 2]
    gx[i, j] = (x[i, j + 2] + 2 * x[i + 1, j + 2] + x[i + 2, j + 2]
                - x[i, j] - 2 * x[i + 1, j] - x[i + 2, j])
    gy: f32[H - 2, W - 2]
    gy[i, j] = (x[i + 2, j] + 2 * x[i + 2, j + 1] + x[i + 2, j + 2]
                - x[i, j] - 2 * x[i, j + 1] - x[i, j + 2])
    g[i, j] = sqrt(gx[i, j] ** 2 + gy[i, j] ** 2)
    return g
""",
        sobel,
        {"H": (13, 3), "W": (17, 3)},
    ),
    Case(
        "bilateral_filter",
        """\
def bilateral(x: f32[H, W]) -> f32[H, W]:
    for i, j in grid(H, W):
        top, bottom = 0.0, 0.0
        for a in range(3):
            for b in range(3):
                v = x[clip(i + a - 1, 0, H - 1), clip(j + b - 1, 0, W - 1)]
                weight = exp(-((a - 1) ** 2 + (b - 1) ** 2) / 2 - (v - x[i, j]) ** 2 / 0.5)
                top, bottom = top + weight * v, bottom + weight
        y[i, j] = top / bottom
    return y
""",
        bilateral,
        {"H": any_size(11), "W": any_size(7)},
    ),
    Case(
        "fast_fourier_transform",
        """\
def multiply(ar, ai, br, bi):
    return ar * br - ai * bi, ar * bi + ai * br

def fft(re: f32[N], im: f32[N], stages: i32) -> (f32[N], f32[N]):
    \"\"\"Radix 2; N is 2 ** stages\"\"\"
    for i in grid(N):
        from_end, rest = 0, i
        for s in range(stages):
            from_end, rest = 2 * from_end + rest % 2, rest // 2
        a[i] = re[from_end]
        b[i] = im[from_end]
    c: f32[N]
    d: f32[N]
    for s in range(stages):
        half = 1 << s
        for i in grid(N):
            low = i - (i & half)
            angle = -pi * (i % half) / half
            wr, wi = multiply(cos(angle), sin(angle), a[low + half], b[low + half])
            sign = 1.0 if i & half == 0 else -1.0
            c[i] = a[low] + sign * wr
            d[i] = b[low] + sign * wi
        a[i] = c[i]
        b[i] = d[i]
    return a, b
""",
        fft,
        {"N": (32,), "stages": (5,)},
    ),
    Case(
        "bitonic_sort",
        """\
def sort(x: f32[N], stages: i32) -> f32[N]:
    for s in range(1, stages + 1):
        for t in range(s):
            far = 1 << (s - 1 - t)
            x[i] = (min(x[i], x[i ^ far]) if (i & far == 0) == ((i >> s) & 1 == 0)
                    else max(x[i], x[i ^ far]))
    return x
""",
        lambda x, stages: np.sort(x)[: 2**stages],
        {"N": (64,), "stages": (6,)},
    ),
    Case(
        "horner",
        """\
def horner(x: f32[N], c: f32[K]) -> f32[N]:
    for i in grid(N):
        value = 0.0
        for k in range(K):
            value = value * x[i] + c[k]
        y[i] = value
    return y
""",
        lambda x, c: np.polyval(c, x) if c.size else 0 * x,
        {"N": any_size(45), "K": any_size(7)},
    ),
)
