"""A time loop with buffers that change places, beside a copy in each turn, and NumPy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, assert_never

import numpy as np

from benchmarks.row import Row
from workbench.base.source import Source
from workbench.codegen import llvm, wasm, wgsl
from workbench.passes.mapping import map_kernels
from workbench.runtime.arrays import array
from workbench.runtime.device import open_device
from workbench.runtime.enqueue import enqueue
from workbench.session.devices import devices
from workbench.session.kernel import kernels

if TYPE_CHECKING:
    from workbench.pipeline import Compilation
    from workbench.program import Program

HEAT = """def heat(u: f32[M, N], steps: i32) -> f32[M, N]:
    for t in range(steps):
        u[i, j] = u[i, j] + 0.1 * (u[max(i - 1, 0), j] + u[min(i + 1, M - 1), j]
                                   + u[i, max(j - 1, 0)] + u[i, min(j + 1, N - 1)] - 4 * u[i, j])
    return u
"""
SIZE, STEPS = 1024, 1000


def rows() -> list[Row]:
    u = np.random.default_rng(0).random((SIZE, SIZE), np.float32)
    heat = kernels(Source(HEAT))["heat"]
    start = time.perf_counter()
    expected = _numpy(u, STEPS)
    numpy = time.perf_counter() - start
    found: list[Row] = []
    for d in devices().rows:
        if not d.available:
            continue
        c = heat.compile(on=d.name, dims={"M": SIZE, "N": SIZE, "steps": STEPS})
        swapped, copying = (_seconds(p, d.name, u, expected) for p in (c.program, _copying(c)))
        name = f"heat, {STEPS} steps of {SIZE} x {SIZE}, {d.name}"
        found.append(Row(name, swapped, "s", copying, "with a copy in each turn"))
        found.append(Row(name, swapped, "s", numpy, "NumPy"))
    return found


def _copying(c: Compilation) -> Program:
    """The program of the loops before buffers change places."""
    loops = c.stages["turns"].value
    match c.target:
        case "llvm":
            return llvm.emit(loops)
        case "wasm":
            return wasm.from_source(wasm.source(loops))
        case "wgsl":
            return wgsl.emit(map_kernels(loops))
        case _:
            assert_never(c.target)


def _seconds(program: Program, on: str, u: np.ndarray, expected: np.ndarray) -> float:
    device = open_device(on)
    resident, result, seconds = array(u), array(u), 0.0
    for _ in range(2):
        start = time.perf_counter()
        (result,) = enqueue(program, device, (resident,), (STEPS,), words="heat")
        assert result.call is not None
        result.call.wait()
        seconds = time.perf_counter() - start
    np.testing.assert_allclose(np.asarray(result), expected, rtol=1e-3, atol=1e-3)
    return seconds


def _numpy(u: np.ndarray, steps: int) -> np.ndarray:
    """The same sums over an array with a border, in place where NumPy can."""
    padded = np.pad(u, 1, "edge")
    for _ in range(steps):
        middle = padded[1:-1, 1:-1]
        around = padded[:-2, 1:-1] + padded[2:, 1:-1]
        around += padded[1:-1, :-2]
        around += padded[1:-1, 2:]
        around -= 4 * middle
        around *= np.float32(0.1)
        middle += around
        padded[0], padded[-1] = padded[1], padded[-2]
        padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    return padded[1:-1, 1:-1]
