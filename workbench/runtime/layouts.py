"""How arrays lie in the memory of a device, and how they are laid out anew there."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.base.dtypes import DType
    from workbench.base.panels import Panels
    from workbench.program import Program
    from workbench.runtime.device import Memory


def room(nbytes: int) -> int:
    """Bytes of a device's memory for so many of an array: whole words."""
    return -(-nbytes // 4) * 4


def laid_out(
    memory: Memory,
    dtype: DType,
    shape: tuple[int, ...],
    old: Panels | None,
    new: Panels | None,
) -> Memory:
    """New memory of the same device with the same values in C order, or in panels; enqueued.

    Raises `DeviceError` where the device has no room.
    """
    device = memory.device
    # Compiling is a layer above this one: it is found by name, when something is laid out.
    compiled = import_module("workbench.session.panels").between
    program: Program = compiled(dtype, shape, old, new, device)
    assert math.prod(program.buffer(program.outputs[0]).shape) == math.prod(shape)
    made = device.allocate(memory.size)
    device.prepare(program)
    buffers = {program.inputs[0]: memory, program.outputs[0]: made}
    device.enqueue(program, buffers, program.filled(()))
    return made
