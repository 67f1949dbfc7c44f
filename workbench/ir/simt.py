"""The SIMT interpreter: device kernels run by workgroups and invocations, as a GPU may run them.

The invocations of a workgroup run in two groups, in shuffled order, that meet at barriers only:
where a barrier is missing, one group reads what the other has not written yet, so the numbers
are wrong, and the log names the two accesses that clash. It proves nothing about workgroups it
was not asked to run. An update is a read and a write unless it is atomic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.dtypes import I32
from workbench.base.progress import BOARD
from workbench.base.source import NOWHERE
from workbench.ir.device import LOCAL_IDS, WORKGROUP_IDS
from workbench.ir.extents import expression, size, value as value_of
from workbench.ir.findings import Findings, Id
from workbench.ir.interpret import given, given_buffer, in_order, scalar_values
from workbench.ir.interpret_expr import constant
from workbench.ir.interpret_stmt import Arrival, Flow, run_body
from workbench.ir.lanes import BUDGET, Lanes, Place, Value, poison
from workbench.ir.simt_log import Log, Recorder, coordinates, divergent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from workbench.base.source import Origin
    from workbench.ir.device import DeviceKernel, Mapped, Turns
    from workbench.ir.stmt import Barrier

    Arrays = Mapping[str, np.ndarray[Any, Any]]

AT_ONCE = 1 << 16
"""Invocations that run at once, in whole workgroups."""


@dataclass(slots=True, eq=False)
class _Group:
    """Some invocations of every workgroup of a batch, and where they wait."""

    lanes: Lanes
    flow: Flow
    waits: Arrival | None = None
    ended: bool = False

    def advance(self) -> None:
        """Run to the next barrier, or to the end."""
        self.waits = None
        try:
            self.waits = next(self.flow)
        except StopIteration:
            self.ended = True

    def present(self, workgroups: int) -> Value:
        """How many invocations of each workgroup of the batch wait at the barrier."""
        if self.waits is None:
            return np.zeros(workgroups, np.intp)
        mask = np.asarray(True if self.waits.mask is None else self.waits.mask)
        return np.broadcast_to(mask, self.lanes.shape).reshape(-1, workgroups).sum(axis=0)


def run_mapped(
    mapped: Mapped,
    inputs: Arrays,
    scalars: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    budget: int = BUDGET,
) -> tuple[dict[str, Value], Findings]:
    """Run every device kernel in order; gives the outputs by name and all faults.

    Raises `RunError` for a `while` beyond its budget.
    """
    arrays: dict[str, Value] = {}
    for b in mapped.buffers:
        if b.role == "input":
            arrays[b.name] = given_buffer(inputs, b).cells.reshape(b.sizes).copy()
        else:
            arrays[b.name] = poison(b.sizes, b.dtype.numpy).reshape(b.sizes)
    found = [
        run_kernel(mapped.kernels[n], arrays, scalars, seed=seed + number, budget=budget)
        for number, n in enumerate(_dispatched(mapped.order, {}))
    ]
    faults = tuple(f for findings in found for f in findings.faults)
    ran = tuple(w for findings in found for w in findings.workgroups)
    buffers = {b.name: b for b in mapped.buffers}
    results = {name: in_order(buffers[name], arrays[name]) for name in mapped.outputs}
    return results, Findings(faults, ran)


def _dispatched(order: Iterable[int | Turns], values: Mapping[str, int]) -> Iterator[int]:
    """The number of each kernel in turn, as often as it is dispatched in turns of these values."""
    for step in order:
        if isinstance(step, int):
            yield step
            continue
        start = value_of(expression(step.start), values)
        for turn in range(start, start + size(step.count, values)):
            yield from _dispatched(step.body, {**values, step.var: turn})


def run_some_workgroups(
    kernel: DeviceKernel,
    arrays: Arrays,
    scalars: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    supply: Mapping[str, Place] | None = None,
) -> Findings:
    """Run the first, the last and two random workgroups of a kernel, as `run_kernel` does."""
    count = math.prod(kernel.counts)
    middle = np.random.default_rng(seed).integers(0, max(1, count), 2)
    chosen = sorted({0, count - 1, *(int(n) for n in middle)} if count else set[int]())
    ids = [coordinates(n, kernel.counts) for n in chosen]
    return run_kernel(kernel, arrays, scalars, workgroups=ids, seed=seed, supply=supply)


def run_kernel(
    kernel: DeviceKernel,
    arrays: Arrays,
    scalars: Mapping[str, float] | None = None,
    *,
    workgroups: Sequence[Id] | None = None,
    seed: int = 0,
    budget: int = BUDGET,
    supply: Mapping[str, Place] | None = None,
) -> Findings:
    """Run whole workgroups (None: all of them), writing into `arrays`, and look for faults.

    `arrays` has every buffer of the kernel, in C order; those in `supply` are read from there
    instead. The order of workgroups and of
    invocations is shuffled by the seed. Raises `RunError` for a `while` beyond its budget.
    """
    random = np.random.default_rng(seed)
    places: dict[str, Place] = dict(supply or {})
    for b in kernel.buffers:
        if b.name in places:
            assert b.name not in kernel.written, f"'{b.name}' is written, so it is not supplied"
            continue
        places[b.name] = given(arrays, b.name, b.dtype, b.sizes)
        shared = np.shares_memory(places[b.name].cells, arrays[b.name])
        assert shared or not arrays[b.name].size, f"'{b.name}' does not lie in C order"
    values = scalar_values(kernel.scalars, scalars)
    log = Log(kernel)
    numbers = _numbers(kernel, workgroups)
    at_once = max(1, AT_ONCE // log.invocations)
    order = random.permutation(numbers)
    for first in range(0, len(order), at_once):
        BOARD.look()
        batch = order[first : first + at_once]
        with np.errstate(all="ignore"):
            _run_batch(log, places, values, batch, random=random, budget=budget)
    written = log.close()
    ran = tuple(coordinates(int(n), kernel.counts) for n in np.sort(numbers))
    return Findings(tuple(log.faults.values()), ran, written)


def _numbers(kernel: DeviceKernel, workgroups: Sequence[Id] | None) -> Value:
    x, y, _ = kernel.counts
    if workgroups is None:
        return np.arange(math.prod(kernel.counts))
    return np.array([i + x * (j + y * k) for i, j, k in workgroups], np.intp)


def _run_batch(
    log: Log,
    places: dict[str, Place],
    values: dict[str, Value],
    batch: Value,
    *,
    random: np.random.Generator,
    budget: int,
) -> None:
    """Run some workgroups to their end, group by group from barrier to barrier."""
    shared: dict[str, Place] = {}
    groups: list[_Group] = []
    for ids in _halves(log.kernel.workgroup_size, random):
        lanes = _lanes(log, places, values, batch, ids)
        lanes.shared, lanes.budget = shared, budget
        groups.append(_Group(lanes, run_body(lanes, log.kernel.body, None)))
    while not all(g.ended for g in groups):
        for n in random.permutation(len(groups)):
            group = groups[int(n)]
            if not group.ended:
                group.advance()
        _meet(log, groups, batch)


def _halves(
    size: tuple[int, int, int], random: np.random.Generator
) -> Iterator[tuple[Value, Value, Value]]:
    """The ids along x, y and z of two groups, shuffled; one group if there is one invocation."""
    ids = [random.permutation(n).astype(np.int32) for n in size]
    axis = int(random.choice([n for n in range(3) if size[n] > 1] or [0]))
    middle = (size[axis] + 1) // 2
    for half in (ids[axis][:middle], ids[axis][middle:]):
        if half.size:
            chosen = [half if n == axis else ids[n] for n in range(3)]
            yield chosen[0], chosen[1], chosen[2]


def _lanes(
    log: Log,
    places: dict[str, Place],
    values: dict[str, Value],
    batch: Value,
    ids: tuple[Value, Value, Value],
) -> Lanes:
    """The lanes of one group: axes z, y, x of the invocations, then the workgroups."""
    x, y, z = (v.reshape((-1,) + (1,) * n) for v, n in zip(ids, (1, 2, 3), strict=True))
    kernel, env = log.kernel, dict(values)
    groups = coordinates_of(batch, kernel.counts)
    for name, extent, value in zip(WORKGROUP_IDS, kernel.counts, groups, strict=True):
        env[name] = constant(0, I32) if extent == 1 else value.astype(np.int32)
    for name, value in zip(LOCAL_IDS, (x, y, z), strict=True):
        env[name] = constant(0, I32) if kernel.workgroup_size[LOCAL_IDS.index(name)] == 1 else value
    width, height, _ = kernel.workgroup_size
    local = x.astype(np.intp) + width * (y + height * z.astype(np.intp))
    shape = (len(ids[2]), len(ids[1]), len(ids[0]), len(batch))
    lanes = Lanes(dict(places), env, shape=shape, separate=(False, False, False, True))
    lanes.apart = log.apart
    lanes.watch = Recorder(log, lanes, np.broadcast_to(local + batch * log.invocations, shape))
    return lanes


def coordinates_of(numbers: Value, size: tuple[int, int, int]) -> tuple[Value, Value, Value]:
    """The x, y and z of numbers that count x fastest."""
    return numbers % size[0], numbers // size[0] % size[1], numbers // (size[0] * size[1])


def _meet(log: Log, groups: list[_Group], batch: Value) -> None:
    """Close the interval of the workgroups whose invocations all wait at the same barrier."""
    waiting = [g for g in groups if g.waits is not None]
    if not waiting:
        return
    barriers: dict[int, tuple[Barrier, Value]] = {}
    for g in waiting:
        assert g.waits is not None
        barrier, present = g.waits.barrier, g.present(len(batch))
        known = barriers.get(id(barrier))
        barriers[id(barrier)] = (barrier, present if known is None else known[1] + present)
    passed = np.zeros(math.prod(log.kernel.counts), np.bool_)
    for barrier, present in barriers.values():
        for slot in np.flatnonzero((present > 0) & (present < log.invocations)):
            divergent(log, int(batch[slot]), int(present[slot]), _named(log, barrier))
        passed[batch[present == log.invocations]] = True
    log.barrier(passed)


def _named(log: Log, barrier: Barrier) -> Origin:
    """The origin of a barrier, or the kernel's where it has none."""
    return log.kernel.origin if barrier.origin is NOWHERE else barrier.origin
