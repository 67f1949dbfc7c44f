"""A scan beside the same sums as a triangular reduction, and beside NumPy, in the same run."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row, interleaved
from workbench.base.source import Source
from workbench.runtime.arrays import array
from workbench.session.devices import devices
from workbench.session.kernel import Kernel, kernels

SCAN = """def scan(x: f32[N]) -> f32[N]:
    y[i] = sum(x[k] for k in range(i + 1))
    return y
"""
TRIANGLE = """def triangle(x: f32[N], one: f32[N]) -> f32[N]:
    y[i] = sum(x[k] * one[i] for k in range(i + 1))
    return y
"""
SIZE, LONG = 20_000, 1_000_000


def rows() -> list[Row]:
    rng = np.random.default_rng(0)
    x, long = (rng.standard_normal(n, dtype=np.float32) for n in (SIZE, LONG))
    scan, triangle = kernels(Source(SCAN))["scan"], kernels(Source(TRIANGLE))["triangle"]
    found: list[Row] = []
    for d in devices().rows:
        if not d.available:
            continue
        ours, quadratic, numpy = interleaved(
            lambda on=d.name: _wait(scan, x, on=on),
            lambda on=d.name: _wait(triangle, x, np.ones_like(x), on=on),
            lambda: np.cumsum(x),
            repeats=5,
        )
        name = f"scan of {SIZE}, {d.name}"
        found.append(Row(name, ours * 1e3, "ms", quadratic * 1e3, "a triangular reduction"))
        found.append(Row(name, ours * 1e3, "ms", numpy * 1e3, "numpy.cumsum"))
        resident = array(long)
        ours, numpy = interleaved(
            lambda on=d.name, x=resident: _wait(scan, x, on=on), lambda: np.cumsum(long), repeats=5
        )
        name = f"scan of {LONG}, {d.name}"
        found.append(Row(name, ours * 1e3, "ms", numpy * 1e3, "numpy.cumsum"))
    return found


def _wait(k: Kernel, *inputs: object, on: str) -> None:
    result = k(*inputs, on=on)
    assert not isinstance(result, tuple)
    assert result.call is not None
    result.call.wait()
