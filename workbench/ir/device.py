"""Device kernels: one parallel nest mapped onto workgroups and invocations.

Closed statements: serial loops, ifs, whiles, barriers; no parallel or cooperative loop left.
The ids are the variables `workgroup_id.x` .. `.z` and `local_id.x` .. `.z` (i32); the dot keeps
them apart from the names of a source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.source import Origin, origin_field
from workbench.ir.extents import Extent, literals

if TYPE_CHECKING:
    from workbench.ir.graph import Scalar
    from workbench.ir.loops import Buffer
    from workbench.ir.stmt import Body

WORKGROUP_IDS = ("workgroup_id.x", "workgroup_id.y", "workgroup_id.z")
LOCAL_IDS = ("local_id.x", "local_id.y", "local_id.z")
LOCAL_INDEX = "local_id.index"
"""The number of an invocation in its workgroup, where a kernel declares it."""


@dataclass(frozen=True, slots=True)
class DeviceKernel:
    """What every invocation runs.

    `workgroup_size` and `workgroups` are (x, y, z). `buffers` are the storage buffers it
    touches (in binding order), `written` the names of those it writes.
    Arrays in workgroup memory are `Alloc`s at the top of the body.
    """

    name: str
    buffers: tuple[Buffer, ...]
    written: frozenset[str]
    scalars: tuple[Scalar, ...]
    workgroup_size: tuple[int, int, int]
    workgroups: tuple[Extent, Extent, Extent]
    body: Body
    origin: Origin = origin_field()

    @property
    def counts(self) -> tuple[int, int, int]:
        """The workgroups, where no dim is open."""
        x, y, z = literals(self.workgroups)
        return x, y, z


@dataclass(frozen=True, slots=True)
class Turns:
    """Run some kernels `count` times: `body` has their numbers, in order, or turns again.

    `var` is named where counts inside need the number of a turn; the first is `start`.
    """

    count: Extent
    body: tuple[int | Turns, ...]
    var: str = ""
    start: Extent = 0
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Mapped:
    """A whole function as device kernels in order of dispatch.

    `turns` says the order where kernels run several times; empty: each once, as they stand.
    """

    name: str
    buffers: tuple[Buffer, ...]
    scalars: tuple[Scalar, ...]
    kernels: tuple[DeviceKernel, ...]
    outputs: tuple[str, ...]
    turns: tuple[int | Turns, ...] = ()
    open: tuple[str, ...] = ()
    origin: Origin = origin_field()

    @property
    def order(self) -> tuple[int | Turns, ...]:
        """The numbers of the kernels in order of dispatch."""
        return self.turns or tuple(range(len(self.kernels)))
