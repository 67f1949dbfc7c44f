"""A tape of one workgroup: every access of memory and every barrier, in the order of execution.

The invocations run in step, as if a workgroup were one subgroup; what they reach, and between
which barriers, is the same in every order. Private memory is left out. Faults are not looked
for: that is the SIMT interpreter's work (`ir/simt.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.ir.apart import Apart
from workbench.ir.device import LOCAL_IDS, WORKGROUP_IDS
from workbench.ir.interpret import given, scalar_values
from workbench.ir.interpret_stmt import run_body
from workbench.ir.lanes import Lanes, Place, Value
from workbench.ir.stmt import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.source import Origin
    from workbench.ir.device import DeviceKernel
    from workbench.ir.findings import Id
    from workbench.ir.lanes import Kind, Mask, Where
    from workbench.ir.loops import Buffer

    Arrays = Mapping[str, np.ndarray[Any, Any]]

MOST = 4096
"""Events after which a tape ends, unless another number is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Touch:
    """One statement reaches an array: the flat element of each invocation, -1 where it does not.

    Invocations count x fastest.
    """

    array: str
    kind: Kind
    elements: Value
    origin: Origin


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """A barrier, and which invocations came to it."""

    present: Value
    origin: Origin


Event = Touch | Meeting


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """The events of a workgroup in order; `whole` is false where there were more than asked for.

    `shapes` are those of the arrays that were reached, `memories` where they live.
    """

    kernel: DeviceKernel
    workgroup: Id
    events: tuple[Event, ...]
    shapes: Mapping[str, tuple[int, ...]]
    memories: Mapping[str, Memory]
    whole: bool


class _FullError(Exception):
    """The tape is as long as it may be."""


@dataclass(slots=True, eq=False)
class _Head:
    """The watch that writes the tape."""

    lanes: Lanes
    most: int
    events: list[Event] = field(default_factory=list[Event])
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict[str, Any])
    memories: dict[str, Memory] = field(default_factory=dict[str, Memory])

    def add(self, event: Event) -> None:
        """Write one event. Raises where there is no room for it."""
        if len(self.events) == self.most:
            raise _FullError
        self.events.append(event)

    def touch(
        self, name: str, at: Value, mask: Mask, kind: Kind, origin: Origin, peace: str = ""
    ) -> None:
        """Keep an access, unless it is private."""
        del peace
        place = self.lanes.arrays[name]
        if place.memory is Memory.PRIVATE:
            return
        self.shapes[name], self.memories[name] = place.shape, place.memory
        runs = np.broadcast_to(np.asarray(True if mask is None else mask), self.lanes.shape)
        elements = np.where(runs, np.broadcast_to(at, self.lanes.shape), -1)
        if runs.any():
            self.add(Touch(name, kind, elements.reshape(-1).astype(np.int64), origin))

    def outside(self, name: str, index: tuple[Value, ...], hit: Value, where: Where) -> None:
        """What reaches outside is no element; the checks report it."""


def tape_of(
    kernel: DeviceKernel,
    workgroup: Id,
    arrays: Arrays,
    scalars: Mapping[str, float] | None = None,
    *,
    most: int = MOST,
) -> Tape:
    """Run one workgroup and keep what it reaches, at most so many events.

    Arrays that are not in `arrays` hold zeros. Raises `RunError` for a `while` beyond its budget.
    """
    lanes = one_workgroup(kernel, workgroup, arrays, scalars)
    head = _Head(lanes, most)
    lanes.watch = head
    whole = True
    try:
        with np.errstate(all="ignore"):
            for arrival in run_body(lanes, kernel.body, None):
                mask = np.asarray(True if arrival.mask is None else arrival.mask)
                present = np.broadcast_to(mask, lanes.shape).reshape(-1)
                head.add(Meeting(present, arrival.barrier.origin))
    except _FullError:
        whole = False
    return Tape(kernel, workgroup, tuple(head.events), head.shapes, head.memories, whole)


def one_workgroup(
    kernel: DeviceKernel, workgroup: Id, arrays: Arrays, scalars: Mapping[str, float] | None
) -> Lanes:
    """The invocations of one workgroup as lanes, in order; arrays that are not given hold zeros."""
    places = {b.name: _place(b, arrays, written=b.name in kernel.written) for b in kernel.buffers}
    return Lanes(
        dict(places),
        {**scalar_values(kernel.scalars, scalars), **_ids(kernel, workgroup)},
        shape=(*reversed(kernel.workgroup_size), 1),
        separate=(False, False, False, True),
        shared={},
        apart=Apart(),
    )


def _ids(kernel: DeviceKernel, workgroup: Id) -> dict[str, Value]:
    ids: dict[str, Value] = {
        name: np.int32(value) for name, value in zip(WORKGROUP_IDS, workgroup, strict=True)
    }  # pyright: ignore[reportAssignmentType]
    for axis, (name, size) in enumerate(zip(LOCAL_IDS, kernel.workgroup_size, strict=True)):
        ids[name] = np.arange(size, dtype=np.int32).reshape((-1,) + (1,) * (axis + 1))
    return ids


def _place(b: Buffer, arrays: Arrays, *, written: bool) -> Place:
    if b.name in arrays:
        place = given(arrays, b.name, b.dtype, b.sizes)
        return place if not written else Place(place.cells.copy(), place.shape)
    dtype = b.dtype.numpy
    if written:
        return Place(np.zeros(math.prod(b.sizes), dtype), b.sizes)
    return Place(np.zeros(0, dtype), b.sizes, demand=lambda at: np.zeros(at.shape, dtype))
