"""Who accessed which element since the last barrier, and the clashes among those accesses.

A log belongs to one run of a kernel. Between two barriers, accesses of one element by two
invocations clash if one of them writes; in storage, accesses of two workgroups clash at any
time. Atomic updates by one operation do not clash among themselves, and of plain stores that
are not proved apart the iterations are compared instead (`apart`).
Accesses to arrays in storage that the kernel never writes are not kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.ir.apart import Apart
from workbench.ir.findings import (
    Access,
    DivergentBarrier,
    Fault,
    Id,
    OutOfBounds,
    Race,
)
from workbench.ir.lanes import Kind, Lanes, Mask, Place, Value, Where, first_lane
from workbench.ir.stmt import Memory

if TYPE_CHECKING:
    from workbench.base.source import Origin
    from workbench.ir.device import DeviceKernel

Peace = str
"""What accesses of a kind that do not clash among themselves are called; "" for all others."""
MOST_FAULTS = 16
"""Faults kept of one run; the first ones say enough."""
LONGEST = 1 << 22
"""Accesses kept of one array before those of the same kind by the same lane are merged."""


@dataclass(frozen=True, slots=True, eq=False)
class Accesses:
    """Accesses as columns: the flat element, the lane, and the number of the source."""

    element: Value
    lane: Value
    source: Value

    def __len__(self) -> int:
        return len(self.element)

    def repeats(self, new: Accesses) -> bool:
        """Whether other accesses of one source are the same."""
        return np.array_equal(self.element, new.element) and np.array_equal(self.lane, new.lane)

    def take(self, which: Value) -> Accesses:
        """The rows chosen by a mask or by positions."""
        return Accesses(self.element[which], self.lane[which], self.source[which])


@dataclass(slots=True, eq=False)
class Interval:
    """The accesses of one array since a barrier, merged when they become many."""

    parts: list[Accesses] = field(default_factory=list[Accesses])
    length: int = 0
    limit: int = LONGEST

    def add(self, new: Accesses) -> None:
        """Keep some more."""
        self.parts.append(new)
        self.length += len(new)
        if self.length > self.limit:
            self.parts = [merged(joined(self.parts))]
            self.length = len(self.parts[0])
            self.limit = max(LONGEST, 2 * self.length)


def joined(parts: list[Accesses]) -> Accesses:
    """The accesses of several logs, in order."""
    return Accesses(
        np.concatenate([p.element for p in parts]),
        np.concatenate([p.lane for p in parts]),
        np.concatenate([p.source for p in parts]),
    )


@dataclass(slots=True, eq=False)
class Log:
    """The accesses and faults of one run of a kernel."""

    kernel: DeviceKernel
    faults: dict[tuple[object, ...], Fault] = field(default_factory=dict[Any, Any])
    sources: dict[tuple[Kind, Origin, Peace], int] = field(default_factory=dict[Any, int])
    apart: Apart = field(default_factory=Apart)
    since_barrier: dict[str, Interval] = field(default_factory=dict[str, Any])
    latest: dict[tuple[str, int], Accesses] = field(default_factory=dict[Any, Any])
    whole_run: dict[str, list[Accesses]] = field(default_factory=dict[str, Any])
    places: dict[str, Place] = field(default_factory=dict[str, Place])

    @property
    def invocations(self) -> int:
        """The number of invocations of a workgroup."""
        x, y, z = self.kernel.workgroup_size
        return x * y * z

    def source(self, kind: Kind, origin: Origin, peace: Peace = "") -> int:
        """The number under which accesses of this kind and origin are kept."""
        return self.sources.setdefault((kind, origin, peace), len(self.sources))

    def access(self, lane: int, source: int) -> Access:
        """One access in words: lanes count invocations through all workgroups."""
        kind, origin, _ = list(self.sources)[source]
        group, invocation = divmod(lane, self.invocations)
        return Access(
            coordinates(invocation, self.kernel.workgroup_size),
            coordinates(group, self.kernel.counts),
            kind,
            origin,
        )

    def add(self, name: str, place: Place, new: Accesses) -> None:
        """Keep accesses to an array, unless the same statement just made the very same."""
        source = int(new.source[0]) if len(new) else -1
        known = self.latest.get((name, source))
        if source < 0 or (known is not None and known.repeats(new)):
            return
        self.latest[name, source] = new
        self.places[name] = place
        interval = self.since_barrier.setdefault(name, Interval())
        interval.add(new)

    def report(self, key: tuple[object, ...], fault: Fault) -> None:
        """Keep a fault; one per key, and not too many."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.setdefault(key, fault)

    def barrier(self, passed: Value | None) -> None:
        """Check and close the interval of the workgroups in `passed` (a flag each; None: all)."""
        self.latest.clear()
        intervals, self.since_barrier = self.since_barrier, {}
        for name, interval in intervals.items():
            found = joined(interval.parts)
            self._report_clash(name, found, found.lane)
            if self.places[name].memory is Memory.STORAGE:
                self.whole_run.setdefault(name, []).append(found)
            if passed is not None:
                waiting = found.take(~passed[found.lane // self.invocations])
                if len(waiting):
                    self.since_barrier[name] = Interval()
                    self.since_barrier[name].add(waiting)

    def close(self) -> dict[str, Value]:
        """Check what workgroups did to one another; gives the elements written per array."""
        self.barrier(None)
        written: dict[str, Value] = {}
        writing = self._writing()
        for name, parts in self.whole_run.items():
            found = joined(parts)
            self._report_clash(name, found, found.lane // self.invocations)
            written[name] = np.unique(found.element[writing[found.source]])
        shapes = {name: place.shape for name, place in self.places.items()}
        for n, fault in enumerate(self.apart.faults(shapes)):
            self.report(("apart", n), fault)
        return written

    def _writing(self) -> Value:
        return np.array([kind != "reads" for kind, _, _ in self.sources], np.bool_)

    def _report_clash(self, name: str, found: Accesses, owner: Value) -> None:
        """Report the first element that two owners access and one writes."""
        writes = self._writing()[found.source]
        names = [peace for _, _, peace in self.sources]
        groups = np.array([names.index(peace) for peace in names], np.intp)[found.source]
        plain = np.array([not peace for peace in names], np.bool_)[found.source]
        pairs = [_plain(found, owner, writes, plain)]
        pairs += [
            _mixed(found, owner, writes, groups == n)
            for n in np.flatnonzero(np.bincount(groups, minlength=len(names)))
            if names[n]
        ]
        for pair in pairs:
            if pair is not None:
                self._report_race(name, found.take(np.sort(np.array(pair))))

    def _report_race(self, name: str, pair: Accesses) -> None:
        first, second = (
            self.access(int(lane), int(source))
            for lane, source in zip(pair.lane, pair.source, strict=True)
        )
        place = self.places[name]
        element = place.element(int(pair.element[0]))
        race = Race(name, place.memory, element, first, second)
        self.report(("race", name, first.kind, first.origin, second.kind, second.origin), race)


def _plain(found: Accesses, owner: Value, writes: Value, plain: Value) -> tuple[int, int] | None:
    """Two of the `plain` accesses that clash: one that writes, and another one."""
    rows = np.flatnonzero(plain)
    element = first_clash(found.element[rows], owner[rows], writes[rows])
    if element is None:
        return None
    here = rows[found.element[rows] == element]
    return _two_owners(here[writes[here]], here, owner)


def _mixed(found: Accesses, owner: Value, writes: Value, own: Value) -> tuple[int, int] | None:
    """An access of `own`, which are at peace among themselves, and another one that clash."""
    both = np.isin(found.element, np.intersect1d(found.element[own], found.element[~own]))
    rows = np.flatnonzero(both)
    element = first_clash(found.element[rows], owner[rows], writes[rows]) if rows.size else None
    if element is None:
        return None
    here = rows[found.element[rows] == element]
    return _two_owners(here[own[here]], here[~own[here]], owner)


def _two_owners(ones: Value, others: Value, owner: Value) -> tuple[int, int]:
    """One of each that belong to different owners; there are some."""
    different = others[owner[others] != owner[ones[0]]]
    if different.size:
        return int(ones[0]), int(different[0])
    return int(ones[owner[ones] != owner[others[0]]][0]), int(others[0])


@dataclass(slots=True, eq=False)
class Recorder:
    """The watch of one group of lanes: writes what they do into the log.

    `lane_ids` has the number of each lane of the grid, counted through all workgroups.
    """

    log: Log
    lanes: Lanes
    lane_ids: Value

    def touch(
        self, name: str, at: Value, mask: Mask, kind: Kind, origin: Origin, peace: Peace = ""
    ) -> None:
        """Keep an access, unless it is private, or to an array nobody writes."""
        place = self.lanes.arrays[name]
        log = self.log
        if place.memory is Memory.PRIVATE:
            return
        if place.memory is Memory.STORAGE and name not in log.kernel.written:
            return
        at = np.broadcast_to(at, self.lane_ids.shape)
        element, lane = at.reshape(-1), self.lane_ids.reshape(-1)
        if mask is not None:
            here = np.broadcast_to(mask, at.shape).reshape(-1)
            element, lane = element[here], lane[here]
        source = np.full(element.shape, log.source(kind, origin, peace), np.int32)
        log.add(name, place, Accesses(element, lane, source))

    def outside(self, name: str, index: tuple[Value, ...], hit: Value, where: Where) -> None:
        """Report the first lane that reaches outside an array."""
        hit = np.broadcast_to(hit, self.lane_ids.shape)
        (lane,) = first_lane((self.lane_ids,), hit)
        access = self.log.access(lane, self.log.source(where.kind, where.origin))
        shape = self.lanes.arrays[name].shape
        at = first_lane(index, hit)
        fault = OutOfBounds(name, at, shape, access, where.iteration(hit))
        self.log.report(("outside", name, where.kind, where.origin), fault)


def merged(found: Accesses) -> Accesses:
    """Each access once: same element, lane and source."""
    columns = (found.source, found.lane, found.element)
    order = np.lexsort(columns)
    new = np.zeros(len(found), np.bool_)
    new[0] = True
    for column in columns:
        new[1:] |= np.diff(column[order]) != 0
    return found.take(np.sort(order[new]))


def first_clash(element: Value, owner: Value, writes: Value) -> int | None:
    """The smallest element that two owners access, one of them writing; None if there is none."""
    if not writes.any():
        return None
    names: Value | None = None
    slots = element
    size = int(element.max()) + 1
    if size > 4 * len(element) + 4096:
        names, slots = np.unique(element, return_inverse=True)
        size = len(names)
    last = np.zeros(size, owner.dtype)
    last[slots] = owner
    written = np.zeros(size, np.bool_)
    written[slots[writes]] = True
    clash = slots[(last[slots] != owner) & written[slots]]
    if not clash.size:
        return None
    slot = clash.min()
    return int(slot if names is None else names[slot])


def coordinates(number: int, size: tuple[int, int, int]) -> Id:
    """The (x, y, z) of a number that counts x fastest."""
    return (
        number % size[0],
        number // size[0] % size[1],
        number // (size[0] * size[1]),
    )


def divergent(log: Log, workgroup: int, arrived: int, origin: Origin) -> None:
    """Report a barrier that only some invocations of a workgroup reach."""
    where = coordinates(workgroup, log.kernel.counts)
    fault = DivergentBarrier(where, arrived, log.invocations, origin)
    log.report(("barrier", origin), fault)
