"""What a device can do at most, measured on it by kernels of ours: `wb.roofs("cpu")`.

Three rates: how fast storage is copied, how fast multiplications and additions follow each other
in registers, and how often a kernel can be dispatched. They are the roofs of the roofline model
(Williams, Waterman, Patterson 2009); a kernel's time is at least what each of them makes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.progress import BOARD, Standing
from workbench.base.source import Source
from workbench.measure.roofs import Rate, Roofs
from workbench.measure.timing import experiment
from workbench.runtime.device import open_device
from workbench.session.contenders import KernelContender
from workbench.session.devices import choose
from workbench.session.kernel import Kernel, kernels

if TYPE_CHECKING:
    from workbench.measure.timing import Timed
    from workbench.runtime.device import Device
    from workbench.schedule.step import Schedule

SECONDS = 0.6
"""The budget of each roof."""
COPIED = {"wgsl": 1 << 23, "llvm": 1 << 25, "wasm": 1 << 23}
"""Elements of the array that is copied: far more than caches hold."""
TURNS = 512
"""Multiplications and additions in a row on each value."""
LANES = {"wgsl": 4, "llvm": 8, "wasm": 4}
WIDE = 16
"""Lanes of a processor that has AVX-512."""
VECTORS = {"wgsl": 4, "llvm": 16, "wasm": 16}
"""Vectors that an invocation or a worker keeps: enough that none waits for itself."""
RUNS = {"wgsl": 16384, "llvm": 2048, "wasm": 2048}
"""Invocations, or iterations that workers share."""

_COPY = """
def copied(x: f32[N]) -> f32[N]:
    y[i] = x[i]
    return y
"""
_SMALL = """
def small(x: f32[1]) -> f32[1]:
    y[i] = x[i] + 1.0
    return y
"""
_ARITHMETIC = """
def multiplied(x: f32[N], c: f32 = 0.999) -> f32[N]:
    for i in grid(N):
        kept: f32[{values}]
        for p in range({values}):
            kept[p] = x[i] + f32(p)
        for t in range({turns}):
            for q in range({values}):
                kept[q] = kept[q] * c + 0.5
        total = 0.0
        for r in range({values}):
            total = total + kept[r]
        y[i] = total
    return y
"""
_known: dict[tuple[str, int], Roofs] = {}
_parts: dict[tuple[str, int], dict[str, Timed]] = {}
"""What was measured of roofs that are not whole yet: an interrupted measurement goes on there."""


def roofs(on: str = "auto", *, again: bool = False) -> Roofs:
    """The roofs of a device, measured once while the process lives, or `again`.

    An interrupt ends it; what was measured before is kept for the next call. Raises `DeviceError`
    where the device is not here.
    """
    name = choose(on)[0]
    device = open_device(name)
    key = name, device.generation
    if again or key not in _known:
        _known[key] = _measured(device, _parts.setdefault(key, {}))
        del _parts[key]
    return _known[key]


def _measured(device: Device, parts: dict[str, Timed]) -> Roofs:
    """The roofs; `parts` has what is measured of them, and gets the rest."""
    name, target = device.name, device.target
    lanes = _lanes(device)
    values = lanes * VECTORS[target]
    arithmetic = _kernel(_ARITHMETIC.format(values=values, turns=TURNS))
    memory, small = _kernel(_COPY), _kernel(_SMALL)
    plan = _in_registers(arithmetic, lanes)
    many, ones = np.ones(COPIED[target], np.float32), np.ones(RUNS[target], np.float32)
    wanted: tuple[tuple[Kernel, Schedule | None, dict[str, Any]], ...] = (
        (memory, None, {"x": many}),
        (arithmetic, plan, {"x": ones, "c": 0.999}),
        (small, None, {"x": np.ones(1, np.float32)}),
    )
    with BOARD.task(f"measuring the roofs of {name}") as task:
        for k, steps, inputs in wanted:
            task.at(Standing(len(parts), len(wanted), "roofs"))
            if k.name not in parts:
                parts[k.name] = _timed(k, steps, inputs, name)
    copied, multiplied, dispatched = (parts[k.name] for k, _, _ in wanted)
    return Roofs(
        name,
        Rate(2 * 4 * COPIED[target], (copied.kernel or copied.wall).interval),
        Rate(2 * values * TURNS * RUNS[target], (multiplied.kernel or multiplied.wall).interval),
        dispatched.wall.interval,
    )


def _lanes(device: Device) -> int:
    return WIDE if "avx512f" in device.describe().features else LANES[device.target]


def _kernel(text: str) -> Kernel:
    (found,) = kernels(Source(text, "roofs")).values()
    return found


def _in_registers(k: Kernel, lanes: int) -> Schedule:
    """Every kept value in a register of its own, by vectors."""
    plan = k.schedule()
    for loop in ("p", "q"):
        plan = plan.split(loop, lanes).vectorize(f"{loop}_i").unroll(f"{loop}_o")
    return plan


def _timed(k: Kernel, plan: Schedule | None, inputs: dict[str, Any], on: str) -> Timed:
    ready = KernelContender(k.name, k, plan).ready(inputs, on)
    did = experiment([ready], seconds=SECONDS, words=f"measuring {on}: {k.name}")
    if did.ended == "interrupted":
        raise KeyboardInterrupt
    return did.only()
