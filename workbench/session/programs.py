"""Running a saved program: the artefact alone, without the text it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.base.dtypes import BOOL
from workbench.base.errors import CallError
from workbench.base.panels import plain
from workbench.runtime.arrays import Array, array
from workbench.runtime.device import default_device, open_device
from workbench.runtime.enqueue import enqueue

if TYPE_CHECKING:
    from workbench.program import Program


def run(program: Program, *args: Any, on: str | None = None) -> Array | tuple[Array, ...]:
    """Run a program on its inputs, then its scalars, in its order; an Array per output.

    `on` is a device of the program's target: native (the default) or browser for wgsl, cpu
    for llvm, wasm for wasm. Raises `CallError` where arguments do not fit.
    """
    names = [*program.inputs, *(p.name for p in program.arguments)]
    if len(args) != len(names):
        raise CallError(f"{program.name}({', '.join(names)}) was given {len(args)} arguments")
    device = open_device(on or default_device(program.target))
    if device.target != program.target:
        raise CallError(
            f"{program.name} is a program for {program.target}, '{device.name}' runs "
            f"{device.target}"
        )
    inputs: list[Array] = []
    for name, value in zip(program.inputs, args, strict=False):
        b = program.buffer(name)
        given, shape = array(value), plain(b.shape, b.panels)
        if given.shape != shape or given.dtype != b.dtype:
            raise CallError(
                f"{program.name}: {name} is {given.dtype}{list(given.shape)}, "
                f"the program was compiled for {b.dtype}{list(shape)}",
                hint="astype(bool)" if b.dtype is BOOL else f"astype(numpy.{b.dtype.numpy.name})",
            )
        inputs.append(given)
    scalars = list(args[len(program.inputs) :])
    outputs = enqueue(program, device, inputs, scalars, words=f"{program.name}(...)")
    return outputs[0] if len(outputs) == 1 else outputs
