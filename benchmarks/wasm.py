"""WebAssembly beside the cpu, in the same run: the same loops, through the same LLVM."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row, interleaved
from workbench.base.source import Source
from workbench.runtime.arrays import Array, array
from workbench.runtime.device import open_device
from workbench.session.kernel import Kernel, kernels

MATMUL = """def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
CHAIN = """def chain(x: f32[N]) -> f32[N]:
    a[i] = x[i] * 2.0 + 1.0
    b[i] = max(a[i], 0.0) * x[i]
    c[i] = sqrt(abs(b[i])) - x[i]
    y[i] = min(c[i], 6.0) / 6.0
    return y
"""
GELU = """def gelu(x: f32[N]) -> f32[N]:
    y[i] = 0.5 * x[i] * (1.0 + tanh(0.7978845608 * (x[i] + 0.044715 * x[i] * x[i] * x[i])))
    return y
"""
SIZE, LONG = 512, 1_000_000


def rows() -> list[Row]:
    if not open_device("wasm").describe().available:
        return []
    rng = np.random.default_rng(0)
    A, B = (array(rng.standard_normal((SIZE, SIZE), dtype=np.float32)) for _ in range(2))
    x = array(rng.standard_normal(LONG, dtype=np.float32))
    found: list[Row] = []
    for text, inputs, words in (
        (MATMUL, (A, B), f"matmul of {SIZE}, by the rule"),
        (CHAIN, (x,), f"four equations of {LONG}"),
        (GELU, (x,), f"gelu of {LONG}"),
    ):
        (k,) = kernels(Source(text)).values()
        wasm, cpu = interleaved(
            lambda k=k, inputs=inputs: _wait(k, *inputs, on="wasm"),
            lambda k=k, inputs=inputs: _wait(k, *inputs, on="cpu"),
            repeats=7,
        )
        found.append(Row(words, wasm * 1e3, "ms", cpu * 1e3, "the cpu"))
    return found


def _wait(k: Kernel, *inputs: Array, on: str) -> None:
    result = k(*inputs, on=on)
    assert not isinstance(result, tuple)
    assert result.call is not None
    result.call.wait()
