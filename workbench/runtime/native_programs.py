"""Programs on the native device: compiling kernels, binding buffers, packing scalars, refusals.

Works on wgpu objects that `native.py` hands in, and imports no wgpu.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.base.errors import DeviceError, Mistake
from workbench.program import Binding, Kernel, Program
from workbench.runtime.native_runs import Pace
from workbench.runtime.rejected import rejected, written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PLACE = re.compile(r"┌─ \w*:(\d+):(\d+)")
_COMPUTE_STAGE = 4
_LLVMPIPE_ITERATIONS = 65535


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A compiled kernel and the layout of its bindings."""

    bindings: tuple[Binding, ...]
    pipeline: Any
    layout: Any


PipelineKey = tuple[str, str, tuple[Binding, ...]]
"""What a pipeline is made of: programs for other sizes have the same code and share it."""


def pipeline_key(kernel: Kernel) -> PipelineKey:
    """What the pipeline of a kernel depends on."""
    return kernel.code, kernel.entry, kernel.bindings


@dataclass(frozen=True, slots=True)
class Prepared:
    """A compiled program; `own` are the temporaries and scalars, by name, `pace` its slices.

    `budget` is what its loops are granted, 0 for the usual.
    """

    pipelines: dict[str, Pipeline]
    own: dict[str, Any]
    budget: int
    seconds: float
    pace: Pace


def loop_budget(program: Program, adapter: str) -> int:
    """The iteration budget to grant a program on this adapter; 0 for the usual one.

    llvmpipe, Mesa's software GPU, leaves every loop once an invocation has made 65535
    iterations of all its loops together, and says nothing. So it gets what fits, and a kernel
    that needs more is refused. Gone when Mesa drops LP_MAX_TGSI_LOOP_ITERATIONS.
    Raises `DeviceError` for such a kernel.
    """
    if "llvmpipe" not in adapter:
        return 0
    budget = 0
    for kernel in program.kernels:
        fixed, each = kernel.iterations
        left = (_LLVMPIPE_ITERATIONS - fixed) // max(1, each)
        if left < 1:
            raise DeviceError(
                f"kernel '{kernel.name}' makes up to {fixed} loop iterations in one invocation: "
                f"llvmpipe, the software driver here, leaves all loops after "
                f"{_LLVMPIPE_ITERATIONS}",
                hint="on='cpu', a real GPU, or a schedule with more parallel loops",
            )
        if each:
            budget = min(budget or left, left)
    return budget


def compile_kernel(device: Any, kernel: Kernel) -> Pipeline:
    """The pipeline of a kernel, its layout as the bindings say; wgpu's errors pass through."""
    module = device.create_shader_module(label=kernel.name, code=kernel.code)
    layout = device.create_bind_group_layout(entries=[_entry(b) for b in kernel.bindings])
    pipeline = device.create_compute_pipeline(
        layout=device.create_pipeline_layout(bind_group_layouts=[layout]),
        compute={"module": module, "entry_point": kernel.entry},
    )
    return Pipeline(kernel.bindings, pipeline, layout)


def bind_groups(
    device: Any,
    pipelines: Mapping[str, Pipeline],
    buffers: Mapping[str, Any],
    sizes: Mapping[str, int],
) -> dict[str, tuple[Any, Any]]:
    """Each kernel's pipeline with a bind group over the buffers of one run."""
    return {
        name: (
            p.pipeline,
            device.create_bind_group(
                layout=p.layout,
                entries=[_bound(b.index, buffers[b.buffer], sizes[b.buffer]) for b in p.bindings],
            ),
        )
        for name, p in pipelines.items()
    }


def _bound(index: int, buffer: Any, size: int) -> dict[str, Any]:
    return {"binding": index, "resource": {"buffer": buffer, "offset": 0, "size": size}}


def _entry(b: Binding) -> dict[str, Any]:
    kinds = {"read": "read-only-storage", "read_write": "storage", "uniform": "uniform"}
    return {"binding": b.index, "visibility": _COMPUTE_STAGE, "buffer": {"type": kinds[b.access]}}


def pack_scalars(program: Program, scalars: Sequence[float]) -> bytes:
    """Scalar arguments as the bytes of the program's uniform buffer: 4 each, padded to 16."""
    words = [p.word(value) for p, value in zip(program.scalars, scalars, strict=True)]
    packed = struct.pack(f"<{len(words)}I", *words)
    return packed + bytes(-len(packed) % 16)


def refused(kernel: Kernel, message: str) -> DeviceError:
    """The driver's refusal of a kernel, at the user's own expression where it names a place."""
    reason = _reason(message)
    place = _PLACE.search(message)
    if place is None:
        return DeviceError(f"the driver refused kernel '{kernel.name}': {reason}")
    line, column = int(place[1]), int(place[2])
    origin = kernel.text.at(kernel.text.offset(line, column))
    span = None if origin is None else origin.nearest_span()
    if written(kernel, span):
        return rejected(kernel, reason, line=line, column=column)
    code = kernel.code.splitlines()[line - 1].strip()
    return DeviceError(
        Mistake(
            f"the driver refused kernel '{kernel.name}': {reason}, "
            f"at line {line}, column {column} of its code: {code}",
            span,
            "please report it: the compiler wrote this code",
        )
    )


def _reason(message: str) -> str:
    """What is wrong, in the driver's words: its explanation, or the line with the error."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    explained = [line.removeprefix("= ") for line in lines if line.startswith("= ")]
    if explained:
        return "; ".join(explained)
    return next((line for line in lines if " error: " in line), lines[-1] if lines else "no reason")
