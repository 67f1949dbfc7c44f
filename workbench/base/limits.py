"""What a device allows: WebGPU's limits under WebGPU's names, snake-cased."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a device; the defaults are the minimum that WebGPU guarantees. Sizes in bytes."""

    max_compute_workgroup_size_x: int = 256
    max_compute_workgroup_size_y: int = 256
    max_compute_workgroup_size_z: int = 64
    max_compute_invocations_per_workgroup: int = 256
    max_compute_workgroups_per_dimension: int = 65535
    max_compute_workgroup_storage_size: int = 16384
    max_storage_buffers_per_shader_stage: int = 8
    max_storage_buffer_binding_size: int = 134217728
    max_buffer_size: int = 268435456


GUARANTEED = Limits()
"""What every WebGPU device offers; stands in where the device is not there to ask."""
