"""Kernels whose passes become one, and rows that a wrong one would show: for every device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import workbench as wb
from workbench.schedule.step import Schedule

S = Schedule()
inf, nan = float("inf"), float("nan")
SOFTMAX = """
def row(x: f32[M, N]) -> (f32[M], f32[M]):
    top[i] = max(x[i, j] for j in range(N))
    s[i] = sum(exp(x[i, k] - top[i]) for k in range(N))
    return top, s
"""
VARIANCE = """
def moments(x: f32[M, N]) -> (f32[M], f32[M]):
    mean[i] = sum(x[i, j] for j in range(N)) / N
    var[i] = sum((x[i, j] - mean[i]) ** 2 for j in range(N)) / N
    return mean, var
"""
ATTENTION = """
def attention(Q: f32[M, D], K: f32[N, D], V: f32[N, E]) -> f32[M, E]:
    s[i, j] = sum(Q[i, d] * K[j, d] for d in range(D))
    top[i] = max(s[i, j] for j in range(N))
    p[i, j] = exp(s[i, j] - top[i])
    total[i] = sum(p[i, j] for j in range(N))
    y[i, c] = sum(p[i, j] * V[j, c] for j in range(N)) / total[i]
    return y
"""
ONLINE, ONE_PASS = S.online_softmax("s.k"), S.welford("var.j")
ALONE = S.inline("p").compute_at("total", "y.i").compute_at("top", "y.i").compute_at("s", "y.i")
ROWS = {
    "ordinary": [0.5, -1.0, 3.0, 2.0, 3.0, -0.25, 1.0],
    "rising": [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0],
    "equal": [7.0] * 7,
    "tiny": [1e-38, -1e-37, 0.0, -0.0, 1e-36, 2e-38, 1e-38],
    "far apart": [-80.0, 10.0, -40.0, 40.0, 0.0, 39.0, 40.0],
    "large": [1e18, -1e18, 1e18, 0.0, 5e17, 1.0, -1.0],
}
NOT_FINITE = {
    "begins at -inf": [-inf, -inf, 1.0, -inf, 2.0, 2.0, -inf],
    "ends at -inf": [1.0, 2.0, -inf, -inf, -inf, -inf, -inf],
    "nothing finite": [-inf] * 7,
    "inf": [1.0, 2.0, inf, 3.0, -inf, 4.0, 5.0],
    "nan": [1.0, 2.0, nan, 3.0, 0.0, 4.0, 5.0],
    "nan behind -inf": [-inf, -inf, nan, 3.0, 0.0, 4.0, -inf],
}
"""What a GPU need not compute as the others; rows that begin or end at -inf it has to."""


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel with a schedule, its inputs, what NumPy gives, and the devices that take it."""

    name: str
    text: str
    schedule: Schedule
    inputs: dict[str, np.ndarray]
    reference: Callable[..., tuple[np.ndarray, ...]]
    gpu: bool = True
    cpu: bool = True

    def results(self, on: str) -> tuple[np.ndarray, ...]:
        """What a device gives."""
        found = wb.kernel(self.text)(**self.inputs, on=on, schedule=self.schedule)
        return tuple(np.asarray(x) for x in (found if isinstance(found, tuple) else (found,)))

    def check(self, on: str) -> None:
        """Raises AssertionError where a device gives something else than NumPy at float64."""
        with np.errstate(all="ignore"):
            wanted = self.reference(**{n: a.astype(float) for n, a in self.inputs.items()})
        for found, array in zip(self.results(on), wanted, strict=True):
            size = np.abs(array[np.isfinite(array)]).max(initial=0)
            np.testing.assert_allclose(found, array, rtol=2e-5, atol=1e-6 * min(size, 1))


def softmax(x: np.ndarray) -> tuple[np.ndarray, ...]:
    top = x.max(axis=1, initial=-inf)
    return top, np.exp(x - top[:, None]).sum(axis=1)


def moments(x: np.ndarray) -> tuple[np.ndarray, ...]:
    return x.mean(axis=1), x.var(axis=1)


def attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, ...]:
    s = Q @ K.T
    p = np.exp(s - s.max(axis=1, keepdims=True))
    return ((p / p.sum(axis=1, keepdims=True)) @ V,)


def _array(rows: dict[str, list[float]], *names: str) -> dict[str, np.ndarray]:
    return {"x": np.array([rows[n] for n in names or rows], np.float32)}


_rng = np.random.default_rng(3)
_LONG = {"x": _rng.normal(100, 3, (5, 300)).astype(np.float32)}
_SHAPES = {"Q": (9, 5), "K": (11, 5), "V": (11, 3)}
_ATTENTION = {n: _rng.normal(size=s).astype(np.float32) for n, s in _SHAPES.items()}
_FINITE = _array(ROWS)
_HALF = _array(NOT_FINITE, "begins at -inf", "ends at -inf")
CASES = (
    Case("softmax", SOFTMAX, ONLINE, _FINITE, softmax),
    Case("softmax with -inf", SOFTMAX, ONLINE, _HALF, softmax),
    Case("softmax with nan and inf", SOFTMAX, ONLINE, _array(NOT_FINITE), softmax, gpu=False),
    Case("softmax of one element", SOFTMAX, ONLINE, {"x": _FINITE["x"][:, :1]}, softmax),
    Case("softmax of nothing", SOFTMAX, ONLINE, {"x": _FINITE["x"][:, :0]}, softmax),
    Case("softmax in parts", SOFTMAX, ONLINE.split("j", 4).rfactor("j_i").unroll("j_o"), _HALF,
         softmax),
    Case("softmax by workgroups", SOFTMAX, ONLINE.split("j", 16)
         .rfactor("j_i", memory="workgroup").parallelize("i", "workgroup.x"), _LONG, softmax,
         cpu=False),
    Case("softmax in two nests", SOFTMAX, ONLINE.split("j", 64).rfactor("j_o", memory="storage"),
         _LONG, softmax),
    Case("softmax of rows on workers", SOFTMAX, ONLINE.parallelize("i", "worker"), _LONG, softmax,
         gpu=False),
    Case("moments", VARIANCE, ONE_PASS, _FINITE, moments),
    Case("moments of one element", VARIANCE, ONE_PASS, {"x": _FINITE["x"][:, :1]}, moments),
    Case("moments with nan and inf", VARIANCE, ONE_PASS, _array(NOT_FINITE), moments, gpu=False),
    Case("moments in parts", VARIANCE, ONE_PASS.split("mean.j", 8).rfactor("j_i"), _LONG, moments),
    Case("attention", ATTENTION, S.inline("p").online_softmax("total.j"), _ATTENTION, attention),
    Case("attention by rows", ATTENTION, ALONE.online_softmax("total.j"), _ATTENTION, attention),
)  # fmt: skip
