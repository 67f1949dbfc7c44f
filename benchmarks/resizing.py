"""A call with a size that was not seen before: with the dim open, beside a compilation for it."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.row import Row, interleaved
from workbench.base.source import Source
from workbench.session.compilations import LITERALS
from workbench.session.devices import devices
from workbench.session.kernel import Kernel, kernels

SOFTMAX = """def softmax(x: f32[M, N]) -> f32[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y
"""
ROWS, FIRST = 32, 100


def rows() -> list[Row]:
    found: list[Row] = []
    for d in devices().rows:
        if not d.available:
            continue
        k, sizes = _fresh(), itertools.count(FIRST)
        for _ in range(LITERALS + 1):
            _call(k, next(sizes), on=d.name)
        others = ((_fresh(), n) for n in range(FIRST, FIRST + 20))
        waiting = iter(list(others))  # read before the clock runs
        uniform, literal = interleaved(
            lambda on=d.name, k=k, sizes=sizes: _call(k, next(sizes), on=on),
            lambda on=d.name, waiting=waiting: _call(*next(waiting), on=on),
            repeats=7,
        )
        name = f"softmax of a new length, {d.name}"
        found.append(Row(name, uniform * 1e3, "ms", literal * 1e3, "compiled for it"))
    return found


def _fresh() -> Kernel:
    """The kernel, with nothing compiled yet."""
    return kernels(Source(SOFTMAX))["softmax"]


def _call(k: Kernel, size: int, *, on: str) -> None:
    result = k(np.ones((ROWS, size), np.float32), on=on)
    assert not isinstance(result, tuple)
    assert result.call is not None
    result.call.wait()
