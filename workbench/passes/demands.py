"""What device kernels demand of a device, against its limits: found before any code is emitted.

What depends on open dims is looked at for the values of each call, in `pipeline.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.base.limits import Limits
from workbench.base.source import Origin
from workbench.ir.device import DeviceKernel, Mapped
from workbench.ir.stmt import Alloc, Memory, Outside, walk_stmts
from workbench.program import Buffer


@dataclass(frozen=True, slots=True)
class Demand:
    """What something demands (`value`) of a limit, and how much a device has.

    `fact` is the value in words.
    """

    thing: str
    fact: str
    limit: str
    value: int
    have: int
    origin: Origin

    @property
    def held(self) -> bool:
        """Whether the device has as much."""
        return self.value <= self.have

    @property
    def words(self) -> str:
        """The thing, the fact, and the limit with its value."""
        return f"{self.thing} {self.fact}: {self.limit} is {self.have} on this device"


def demands(mapped: Mapped, limits: Limits) -> Iterator[Demand]:
    """Everything that some device kernels and their buffers demand."""
    for b in mapped.buffers:
        if all(isinstance(x, int) for x in b.shape):
            size = Buffer(b.name, b.dtype, b.sizes, b.role).size
            for limit in ("max_buffer_size", "max_storage_buffer_binding_size"):
                fact = f"has {size} bytes"
                have = getattr(limits, limit)
                yield Demand(f"buffer '{b.name}'", fact, limit, size, have, b.origin)
    for k in mapped.kernels:
        for limit, value, fact in _of(k):
            have = getattr(limits, limit)
            yield Demand(f"kernel '{k.name}'", fact, limit, value, have, k.origin)


def _of(k: DeviceKernel) -> Iterator[tuple[str, int, str]]:
    """The limits that one kernel meets, its value of each, and that in words."""
    x, y, z = k.workgroup_size
    yield (
        "max_compute_invocations_per_workgroup", x * y * z,
        f"has {x * y * z} invocations per workgroup",
    )  # fmt: skip
    for axis, size in zip("xyz", k.workgroup_size, strict=True):
        yield f"max_compute_workgroup_size_{axis}", size, f"has {size} invocations along {axis}"
    groups = [n for n in k.workgroups if isinstance(n, int)]
    most = max(groups, default=0)
    yield "max_compute_workgroups_per_dimension", most, f"has {most} workgroups along an axis"
    reports = any(isinstance(s, Outside) for s in walk_stmts(k.body))
    count = len(k.buffers) + reports
    yield "max_storage_buffers_per_shader_stage", count, f"has {count} storage buffers"
    shared = [
        (s, workgroup_bytes(s))
        for s in walk_stmts(k.body)
        if isinstance(s, Alloc) and s.memory is Memory.WORKGROUP
    ]
    total = sum(size for _, size in shared)
    listed = ", ".join(f"'{s.name}' {s.dtype}{list(s.shape)}: {size}" for s, size in shared)
    fact = f"needs {total} bytes of workgroup memory" + (f" ({listed})" if listed else "")
    yield "max_compute_workgroup_storage_size", total, fact


def workgroup_bytes(s: Alloc) -> int:
    """The bytes of an array in workgroup memory, rounded up to 16 as WebGPU counts."""
    return -(-math.prod(s.shape) * s.dtype.bits // 128) * 16
