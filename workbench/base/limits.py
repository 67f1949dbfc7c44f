"""What a device allows: WebGPU's limits under WebGPU's names, snake-cased."""

from __future__ import annotations

from dataclasses import dataclass, fields

from workbench.base.dtypes import CORE, F16, DType


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a device; the defaults are the minimum that WebGPU guarantees. Sizes in bytes.

    `shader_f16` is the feature of that name: whether WGSL has f16 there.
    """

    max_compute_workgroup_size_x: int = 256
    max_compute_workgroup_size_y: int = 256
    max_compute_workgroup_size_z: int = 64
    max_compute_invocations_per_workgroup: int = 256
    max_compute_workgroups_per_dimension: int = 65535
    max_compute_workgroup_storage_size: int = 16384
    max_storage_buffers_per_shader_stage: int = 8
    max_storage_buffer_binding_size: int = 134217728
    max_buffer_size: int = 268435456
    shader_f16: bool = False


GUARANTEED = Limits()
"""What every WebGPU device offers; stands in where the device is not there to ask."""


def unbounded(memory: int) -> Limits:
    """The limits of a device that has none but the bytes of its memory."""
    many = 2**31 - 1
    return Limits(
        max_compute_workgroup_size_x=many,
        max_compute_workgroup_size_y=many,
        max_compute_workgroup_size_z=many,
        max_compute_invocations_per_workgroup=many,
        max_compute_workgroups_per_dimension=many,
        max_compute_workgroup_storage_size=memory,
        max_storage_buffers_per_shader_stage=many,
        max_storage_buffer_binding_size=memory,
        max_buffer_size=memory,
    )


NUMBERS = tuple(f.name for f in fields(Limits) if f.name != "shader_f16")
"""The limits that are numbers."""


def lacks(target: str, limits: Limits, dtype: DType) -> str:
    """Why a target cannot hold a dtype, '' where it can."""
    if dtype in CORE or target in {"llvm", "wasm"}:
        return ""
    if dtype is not F16:
        return f"WGSL has no {dtype}"
    return "" if limits.shader_f16 else "this device has no shader-f16"
