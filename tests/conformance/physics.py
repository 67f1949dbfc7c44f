"""Simulations: fields, particles, automata, random numbers, finance."""

from __future__ import annotations

import math

import numpy as np

from tests.conformance.case import Case, any_size


def heat(u: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps if u.size else 0):
        p = np.pad(u, 1, mode="edge")
        u = u + 0.1 * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u)
    return u


def wave(u: np.ndarray, steps: int) -> np.ndarray:
    v = u
    for _ in range(steps):
        near = np.roll(u, 1) + np.roll(u, -1)
        u, v = 2 * u - v + 0.25 * (near - 2 * u), u
    return u


def life(x: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        n = sum(
            np.roll(x, (a, b), (0, 1)).astype(int)
            for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)
        )  # fmt: skip
        x = (n == 3) | (x & (n == 2))
    return x


def bodies(p: np.ndarray, v: np.ndarray, m: np.ndarray, steps: int) -> tuple[np.ndarray, ...]:
    for _ in range(steps):
        d = p[None] - p[:, None]
        r = np.sqrt((d * d).sum(2) + 0.01)
        v = v + 0.01 * (m[None, :, None] * d / r[:, :, None] ** 3).sum(1)
        p = p + 0.01 * v
    return p, v


def normal(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.array([math.erf(v / math.sqrt(2)) for v in x]).reshape(x.shape))


def black_scholes(
    s: np.ndarray, k: np.ndarray, t: np.ndarray, r: float, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    root = sigma * np.sqrt(t)
    d1 = (np.log(s / k) + (r + sigma * sigma / 2) * t) / root
    d2 = d1 - root
    late = k * np.exp(-r * t)
    return s * normal(d1) - late * normal(d2), late * normal(-d2) - s * normal(-d1)


def mandelbrot(h: int, w: int) -> np.ndarray:
    out = np.zeros((h, w), np.int32)
    for y in range(h):
        for x in range(w):
            c = complex(3 * np.float32(x) / w - 2.2, 2.4 * np.float32(y) / h - 1.2)
            z, n = 0j, 0
            while n < 30 and z.real * z.real + z.imag * z.imag < 4:
                z, n = z * z + c, n + 1
            out[y, x] = n
    return out


def xorshift(seed: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    x = seed.astype(np.uint64)
    for _ in range(rounds):
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
    return x.astype(np.uint32), (x >> 8) / 2**24


def pi_by_chance(N: int) -> tuple[np.ndarray, np.ndarray]:
    i = np.arange(N, dtype=np.uint64)
    x, y = ((i * a + b) & 0xFFFFFFFF for a, b in ((1664525, 1013904223), (22695477, 1)))
    u, v = (((z >> 8) / 2**24).astype(np.float32).astype(np.float64) for z in (x, y))
    inside = u * u + v * v < 1
    return inside, np.array(4.0 * inside.sum() / N)


def reaction(u: np.ndarray, v: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    def laplace(x: np.ndarray) -> np.ndarray:
        return sum(np.roll(x, s, a) for s in (1, -1) for a in (0, 1)) - 4 * x

    for _ in range(steps):
        f = u * v * v
        u, v = (
            u + 0.16 * laplace(u) - f + 0.06 * (1 - u),
            v + 0.08 * laplace(v) + f - 0.122 * v,
        )
    return u, v


def oscillator(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    for _ in range(50):

        def slope(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return b, -a - 0.1 * b

        k1 = slope(x, v)
        k2 = slope(x + 0.05 * k1[0], v + 0.05 * k1[1])
        x, v = x + 0.1 * k2[0], v + 0.1 * k2[1]
    return x


CASES = (
    Case(
        "heat_over_many_steps",
        """\
def heat(u: f32[H, W], steps: i32) -> f32[H, W]:
    for t in range(steps):
        u[i, j] = u[i, j] + 0.1 * (u[max(i - 1, 0), j] + u[min(i + 1, H - 1), j]
                                   + u[i, max(j - 1, 0)] + u[i, min(j + 1, W - 1)]
                                   - 4 * u[i, j])
    return u
""",
        heat,
        {"H": any_size(13), "W": any_size(11), "steps": (100, 1, 0)},
    ),
    Case(
        "wave_equation",
        """\
def wave(u: f32[N], steps: i32) -> f32[N]:
    before[i] = u[i]
    for t in range(steps):
        new[i] = 2 * u[i] - before[i] + 0.25 * (u[(i - 1) % N] + u[(i + 1) % N] - 2 * u[i])
        before[i] = u[i]
        u[i] = new[i]
    return u
""",
        wave,
        {"N": any_size(53), "steps": (60, 1, 0)},
    ),
    Case(
        "game_of_life",
        """\
def life(x: bool[H, W], steps: i32) -> bool[H, W]:
    n: i32[H, W]
    for t in range(steps):
        n[i, j] = sum(x[(i + a - 1) % H, (j + b - 1) % W]
                      for a in range(3) for b in range(3) if a != 1 or b != 1)
        x[i, j] = n[i, j] == 3 or (x[i, j] and n[i, j] == 2)
    return x
""",
        life,
        {"H": any_size(17), "W": any_size(13), "steps": (20, 1, 0)},
    ),
    Case(
        "reaction_and_diffusion",
        """\
def react(u: f32[H, W], v: f32[H, W], steps: i32) -> (f32[H, W], f32[H, W]):
    a: f32[H, W]
    b: f32[H, W]
    for t in range(steps):
        for i, j in grid(H, W):
            up, down, left, right = (i - 1) % H, (i + 1) % H, (j - 1) % W, (j + 1) % W
            du = u[up, j] + u[down, j] + u[i, left] + u[i, right] - 4 * u[i, j]
            dv = v[up, j] + v[down, j] + v[i, left] + v[i, right] - 4 * v[i, j]
            f = u[i, j] * v[i, j] ** 2
            a[i, j] = u[i, j] + 0.16 * du - f + 0.06 * (1 - u[i, j])
            b[i, j] = v[i, j] + 0.08 * dv + f - 0.122 * v[i, j]
        u[i, j] = a[i, j]
        v[i, j] = b[i, j]
    return u, v
""",
        reaction,
        {"H": any_size(11), "W": any_size(13), "steps": (15, 0)},
        given={
            "u": lambda rng, H, W, **_: rng.uniform(0, 1, (H, W)),
            "v": lambda rng, H, W, **_: rng.uniform(0, 0.5, (H, W)),
        },
    ),
    Case(
        "n_bodies",
        """\
def move(p: f32[N, 3], v: f32[N, 3], m: f32[N], steps: i32) -> (f32[N, 3], f32[N, 3]):
    for t in range(steps):
        r[i, j] = sqrt(sum((p[j, c] - p[i, c]) ** 2 for c in range(3)) + 0.01)
        v[i, c] += 0.01 * sum(m[j] * (p[j, c] - p[i, c]) / r[i, j] ** 3 for j in range(N))
        p[i, c] += 0.01 * v[i, c]
    return p, v
""",
        bodies,
        {"N": any_size(19), "steps": (3, 0)},
    ),
    Case(
        "harmonic_oscillators",
        """\
def slope(x, v):
    return v, -x - 0.1 * v

def swing(x: f32[N], v: f32[N]) -> f32[N]:
    for i in grid(N):
        a, b = x[i], v[i]
        for t in range(50):
            da, db = slope(a, b)
            da, db = slope(a + 0.05 * da, b + 0.05 * db)
            a, b = a + 0.1 * da, b + 0.1 * db
        y[i] = a
    return y
""",
        oscillator,
        {"N": any_size(31)},
    ),
    Case(
        "black_scholes",
        """\
def normal(x):
    return 0.5 * (1 + erf(x / sqrt(2.0)))

def price(s, k, t, r, sigma):
    root = sigma * sqrt(t)
    d = (log(s / k) + (r + sigma * sigma / 2) * t) / root
    late = k * exp(-r * t)
    return (s * normal(d) - late * normal(d - root),
            late * normal(root - d) - s * normal(-d))

def options(s: f32[N], k: f32[N], t: f32[N], r: f32 = 0.02,
            sigma: f32 = 0.3) -> (f32[N], f32[N]):
    call[i], put[i] = price(s[i], k[i], t[i], r, sigma)
    return call, put
""",
        black_scholes,
        {"N": any_size(97)},
        given={
            "s": lambda rng, N: rng.uniform(20, 100, N),
            "k": lambda rng, N: rng.uniform(20, 100, N),
            "t": lambda rng, N: rng.uniform(0.2, 2, N),
            "r": 0.02,
            "sigma": 0.3,
        },
    ),
    Case(
        "mandelbrot",
        """\
def mandelbrot(h: i32, w: i32) -> i32[h, w]:
    for y, x in grid(h, w):
        cr, ci = 3.0 * x / w - 2.2, 2.4 * y / h - 1.2
        zr, zi, n = 0.0, 0.0, 0
        while n < 30 and zr * zr + zi * zi < 4:
            zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
            n = n + 1
        out[y, x] = n
    return out
""",
        mandelbrot,
        {"h": any_size(11), "w": any_size(17)},
    ),
    Case(
        "escape_times",
        """\
def escape(cr, ci, limit):
    zr, zi, n = 0.0, 0.0, 0
    while n < limit and zr * zr + zi * zi < 4:
        zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
        n += 1
    return n

def times(h: i32, w: i32) -> i32[h, w]:
    out[y, x] = escape(3.0 * x / w - 2.2, 2.4 * y / h - 1.2, 30)
    return out
""",
        mandelbrot,
        {"h": any_size(11), "w": any_size(17)},
    ),
    Case(
        "random_numbers",
        """\
def random(seed: u32[N], rounds: i32) -> (u32[N], f32[N]):
    for i in grid(N):
        x = seed[i]
        for t in range(rounds):
            x = x ^ (x << 13)
            x = x ^ (x >> 17)
            x = x ^ (x << 5)
        state[i] = x
        uniform[i] = f32(x >> 8) / 16777216
    return state, uniform
""",
        xorshift,
        {"N": any_size(59)},
        given={"rounds": 9},
    ),
    Case(
        "area_by_chance",
        """\
def area(N: i32) -> (bool[N], f32):
    for i in grid(N):
        a = u32(i) * 1664525 + 1013904223
        b = u32(i) * 22695477 + 1
        x, y = f32(a >> 8) / 16777216, f32(b >> 8) / 16777216
        inside[i] = x * x + y * y < 1
    area = 4 * sum(inside[i] for i in range(N)) / N
    return inside, area
""",
        pi_by_chance,
        {"N": (3001, 1)},
    ),
)
