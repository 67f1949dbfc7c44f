"""A hand-written shader and the sizes of one call as a `Program`.

What a written buffer holds before the run is an input of its own, copied first: a run changes no
array of the caller, and starts from the same bytes whatever ran before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.base.dtypes import U32
from workbench.base.errors import CallError
from workbench.program import Binding, Buffer, Copy, Dispatch, Kernel, Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.frontends.wgsl import Shader, Storage

_SCALARS = "scalars of the call"
"""Not a name of WGSL, so no buffer of the shader has it."""


def before(name: str) -> str:
    """The buffer with what `name` holds before the run."""
    return f"{name} before"


def fitting(s: Storage, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape, where it fills the type of a buffer. Raises `CallError` where it does not."""
    size = math.prod(shape)
    fixed = math.prod(x for x in s.shape if x is not None)
    if size == 0:
        raise CallError(f"{s.name} is empty (shape {shape}): WGSL has no empty buffers")
    if None in s.shape and size % fixed:
        raise CallError(
            f"{s.name} has {size} elements, its type takes {fixed} at a time", span=s.span
        )
    if None not in s.shape and size != fixed:
        raise CallError(f"{s.name} has {size} elements, its type has {fixed}", span=s.span)
    return shape


def program_of(
    shader: Shader,
    name: str,
    shapes: Mapping[str, tuple[int, ...]],
    workgroups: tuple[int, int, int],
) -> Program:
    """The program that runs a shader on buffers of these shapes (in elements)."""
    buffers: list[Buffer] = []
    for s in shader.storage:
        shape = fitting(s, shapes[s.name])
        if s.access == "read":
            buffers.append(Buffer(s.name, s.dtype, shape, "input"))
        else:
            buffers.append(Buffer(before(s.name), s.dtype, shape, "input"))
            buffers.append(Buffer(s.name, s.dtype, shape, "output"))
    bindings = [Binding(s.index, s.name, s.access) for s in shader.storage]
    if shader.uniform is not None:
        words = max(4, -(-len(shader.scalars) // 4) * 4)
        buffers.append(Buffer(_SCALARS, U32, (words,), "scalars"))
        bindings.append(Binding(shader.uniform, _SCALARS, "uniform"))
    code = Kernel(
        name, shader.source.text, tuple(bindings), shader.workgroup_size, entry=shader.entry,
        text=shader.text,
    )  # fmt: skip
    written = [s.name for s in shader.outputs]
    return Program(
        name=name,
        target="wgsl",
        buffers=tuple(buffers),
        scalars=shader.scalars,
        inputs=(*(s.name for s in shader.inputs), *map(before, written)),
        outputs=tuple(written),
        kernels=(code,),
        body=(*(Copy(before(w), w) for w in written), Dispatch(name, workgroups)),
    )
