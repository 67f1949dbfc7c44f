"""Runs on the native device: encoding a program, waiting for it, and what its end says.

A long run is cut into submits of about 100 ms, and waits for each: so it can be stopped between
two of them, and a device that shows a screen has time for it. How many dispatches fit is learnt
from run to run; a run that fits is one submit, and nobody waits.

Works on wgpu objects that `native.py` hands in, and imports no wgpu.
"""

from __future__ import annotations

import math
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from workbench.base.errors import DeviceError
from workbench.base.progress import BOARD, Standing
from workbench.program import (
    LOOP_BUDGET,
    OUTSIDE_HINT,
    STATUS_WORDS,
    Action,
    CheckedAccess,
    Copy,
    Dispatch,
    Repeat,
    While,
    outside,
    steps,
)
from workbench.runtime.device import MOST_TRACED, Stamp, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workbench.runtime.native_memory import Opened

_POLL_SECONDS = 0.05
"""How often a wait looks whether it was stopped; the end of a run wakes it at once."""

FIRST_SLICE = 64
"""Dispatches and copies of the first slice of a program, before anything is known of it."""

_SLICE_SECONDS = 0.1
_LARGEST_SLICE = 4096
_SLICE_DEADLINE = 60.0
_STAMPED_PASSES = 16
_STATUS = struct.Struct(f"<{STATUS_WORDS}I")


@dataclass(slots=True, eq=False)
class Submitted:
    """A run on its way. `doubt` are the runs before whose failure would make its results wrong.

    `stamps` is a query set with a begin and an end for each of `passes`, in ticks of `period` ns.
    Where the run is `traced` each dispatch has a pass of its own, and its kernel a name in `names`.
    """

    name: str
    loops: tuple[str, ...]
    doubt: tuple[Submitted, ...]
    compile: float | None
    period: float
    budget: int = LOOP_BUDGET
    accesses: tuple[CheckedAccess, ...] = ()
    status: Any = None
    stamps: Any = None
    passes: int = 0
    traced: bool = False
    names: list[str] = field(default_factory=list[str])
    submits: int = 0
    started: float = 0.0
    timing: Timing | None = None
    error: DeviceError | None = None
    stopped: bool = False

    @property
    def room(self) -> int:
        """Passes that `stamps` has room for; a run with as many is not timed."""
        return MOST_TRACED + 1 if self.traced else _STAMPED_PASSES

    @property
    def doubtful(self) -> bool:
        """Whether its results may be wrong: it failed, or it or one before it still may."""
        return self.error is not None or self.status is not None or bool(self.doubt)


@dataclass(slots=True, eq=False)
class Pace:
    """How many dispatches and copies of a program fill a slice; learnt from run to run."""

    slice: int = FIRST_SLICE

    def learn(self, done: int, seconds: float) -> None:
        """Take in how long a slice took; the next is at most twice as long."""
        fitting = int(done * _SLICE_SECONDS / max(seconds, 1e-4))
        self.slice = max(1, min(fitting, 2 * self.slice, _LARGEST_SLICE))


class Recorder:
    """Encodes the actions of one run: dispatches that follow each other share a pass."""

    def __init__(self, opened: Opened, run: Submitted, pace: Pace) -> None:
        """Start an empty encoding, with the device's clock around each pass where it has one."""
        self._task = BOARD.task(f"running '{run.name}' on native")
        self._total: int | None = None
        self._done = 0
        self._opened = opened
        self._wgpu = opened.wgpu
        self._pace = pace
        self._pending = 0
        self._device = device = opened.device
        self._run = run
        self._encoder: Any = device.create_command_encoder()
        self._pass: Any = None
        run.started = time.perf_counter()

    def record(
        self,
        body: tuple[Action, ...],
        pipelines: Mapping[str, tuple[Any, Any]],
        buffers: Mapping[str, Any],
        sizes: Mapping[str, int],
    ) -> None:
        """Encode actions in order, and submit them.

        Waits where a slice is full, and for the flag of a `While`; says there how far it is.
        Raises `DeviceError` where the run was stopped, or a slice does not end.
        """
        self._total = steps(body)
        with self._task:
            self._actions(body, pipelines, buffers, sizes)
        self._submit()

    def _actions(
        self,
        body: tuple[Action, ...],
        pipelines: Mapping[str, tuple[Any, Any]],
        buffers: Mapping[str, Any],
        sizes: Mapping[str, int],
    ) -> None:
        for action in body:
            match action:
                case Dispatch(kernel, workgroups):
                    self._make_room()
                    self._dispatch(kernel, pipelines[kernel], workgroups)
                case Copy(source, target):
                    self._make_room()
                    self._leave_pass()
                    self._encoder.copy_buffer_to_buffer(
                        buffers[source], 0, buffers[target], 0, -(-sizes[source] // 4) * 4
                    )
                case Repeat(count, inner):
                    for _ in range(count):
                        self._actions(inner, pipelines, buffers, sizes)
                case While(flag, inner):
                    while self._flag(buffers[flag]):
                        self._actions(inner, pipelines, buffers, sizes)
                case _:
                    assert_never(action)

    def _submit(self) -> None:
        """Hand everything encoded so far to the queue."""
        self._leave_pass()
        self._device.queue.submit([self._encoder.finish()])
        self._run.submits += 1

    def _make_room(self) -> None:
        """Where the slice is full, submit it, wait for it, and learn from its time."""
        self._pending += 1
        if self._pending <= self._pace.slice:
            return
        done, started = self._pending - 1, time.perf_counter()
        self._leave_pass()
        usage = self._wgpu.BufferUsage
        token = self._device.create_buffer(size=4, usage=usage.MAP_READ | usage.COPY_DST)
        self._encoder.clear_buffer(token)
        self._submit()
        ended = wait_mapped(token, _SLICE_DEADLINE, self._given_up)
        if self._run.stopped:
            raise stopped(self._run)
        if self._opened.lost:
            raise DeviceError(f"'{self._run.name}': the device was lost")
        if not ended:
            raise _late(self._run, _SLICE_DEADLINE)
        token.destroy()
        self._done += done
        self._tell()
        self._pace.learn(done, time.perf_counter() - started)
        self._encoder = self._device.create_command_encoder()
        self._pending = 1

    def _tell(self) -> None:
        self._task.at(Standing(self._done, self._total, "dispatches"))

    def _given_up(self) -> bool:
        self._tell()
        return self._opened.lost or self._run.stopped

    def _dispatch(
        self, kernel: str, pipeline: tuple[Any, Any], workgroups: tuple[int, int, int]
    ) -> None:
        if 0 in workgroups:
            return
        if self._run.traced:
            self._leave_pass()
            self._run.names.append(kernel)
        if self._pass is None:
            self._pass = self._encoder.begin_compute_pass(**self._stamps())
        self._pass.set_pipeline(pipeline[0])
        self._pass.set_bind_group(0, pipeline[1])
        self._pass.dispatch_workgroups(*workgroups)

    def _stamps(self) -> dict[str, Any]:
        run = self._run
        if not self._opened.timestamps or run.passes >= run.room:
            return {}
        if run.stamps is None:
            run.stamps = self._device.create_query_set(type="timestamp", count=2 * run.room)
        first = 2 * run.passes
        run.passes += 1
        return {
            "timestamp_writes": {
                "query_set": run.stamps,
                "beginning_of_pass_write_index": first,
                "end_of_pass_write_index": first + 1,
            }
        }

    def _leave_pass(self) -> None:
        if self._pass is not None:
            self._pass.end()
            self._pass = None

    def _flag(self, buffer: Any) -> bool:
        self._submit()
        flag = any(self._device.queue.read_buffer(buffer, 0, 4))
        self._done += self._pending
        self._encoder, self._pending = self._device.create_command_encoder(), 0
        self._tell()
        if self._run.stopped:
            raise stopped(self._run)
        return flag


def settle(
    wgpu: Any,
    device: Any,
    runs: tuple[Submitted, ...],
    deadline: float | None,
    lost: Callable[[], bool],
) -> list[Any]:
    """Wait until the last run is finished and write into each how it ended.

    Gives back the status buffers, which are free again. Raises `DeviceError` where the deadline
    (seconds from now) passes or the run is stopped first.
    """
    last = runs[-1]
    open_runs = [r for r in runs if r.timing is None and r.error is None]
    with_status = [r for r in open_runs if r.status is not None]
    usage = wgpu.BufferUsage
    ticks_at = _STATUS.size * len(with_status)
    size = ticks_at + 16 * max(1, last.passes)
    staging = device.create_buffer(size=size, usage=usage.MAP_READ | usage.COPY_DST)
    encoder = device.create_command_encoder()
    for place, run in enumerate(with_status):
        at = _STATUS.size * place
        encoder.copy_buffer_to_buffer(run.status, 0, staging, at, _STATUS.size)
    if last.stamps is not None:
        resolved = device.create_buffer(
            size=16 * last.passes, usage=usage.QUERY_RESOLVE | usage.COPY_SRC
        )
        encoder.resolve_query_set(last.stamps, 0, 2 * last.passes, resolved, 0)
        encoder.copy_buffer_to_buffer(resolved, 0, staging, ticks_at, 16 * last.passes)
    device.queue.submit([encoder.finish()])
    with BOARD.task(f"waiting for '{last.name}' on native") as task:

        def given_up() -> bool:
            task.at(Standing())
            return lost() or last.stopped

        ended = wait_mapped(staging, deadline, given_up)
    if not ended:
        if lost():
            return []
        raise stopped(last) if last.stopped else _late(last, deadline)
    raw = bytes(staging.read_mapped())
    staging.unmap()
    staging.destroy()
    words = {
        id(r): _STATUS.unpack_from(raw, _STATUS.size * place) for place, r in enumerate(with_status)
    }
    statuses = [r.status for r in with_status]
    for run in open_runs:
        _conclude(run, words.get(id(run)), raw[ticks_at:] if run is last else b"")
    return statuses


def wait_mapped(staging: Any, deadline: float | None, given_up: Callable[[], bool]) -> bool:
    """Map a buffer for reading once everything before is done; False where it was given up.

    wgpu-py's `sync_wait` knows no deadline, so this waits on the event inside the promise; gone
    when `GPUPromise.sync_wait` takes a timeout. Ctrl-C works: the wait is Python's own.
    """
    promise = staging.map_async("READ")
    end = None if deadline is None else time.monotonic() + deadline
    while True:
        left = _POLL_SECONDS if end is None else end - time.monotonic()
        if promise._thread_event.wait(max(0.0, min(_POLL_SECONDS, left))):  # noqa: SLF001
            break
        if given_up() or left <= 0:
            return False
    promise.sync_wait()
    return True


def stopped(run: Submitted) -> DeviceError:
    """The error of a run that was asked to end."""
    return DeviceError(f"'{run.name}' was stopped")


def _late(run: Submitted, deadline: float | None) -> DeviceError:
    return DeviceError(
        f"'{run.name}' did not finish within {deadline} s",
        hint="a longer deadline, or smaller arrays",
    )


def _conclude(run: Submitted, words: tuple[int, ...] | None, ticks: bytes) -> None:
    failed = next((r.error for r in run.doubt if r.error is not None), None)
    run.doubt = ()
    said = None if words is None else outside(run.name, run.accesses, words)
    if said is not None:
        run.error = DeviceError(said, hint=OUTSIDE_HINT)
    elif words is not None and words[0]:
        loop = run.loops[words[1]] if words[1] < len(run.loops) else "a loop"
        run.error = DeviceError(
            f"'{run.name}': {loop} used up its budget of {run.budget} iterations",
            hint="a condition that becomes false, or on='cpu', which has no budget",
        )
    elif failed is not None:
        run.error = failed
    else:
        total = time.perf_counter() - run.started
        pairs = _pairs(run, ticks)
        clock = "timestamp-query" if pairs else "wall"
        kernel = sum(end - begin for begin, end in pairs) * run.period * 1e-9 if pairs else None
        stamps, step = _stamped(run, pairs) if run.traced and pairs else ((), 0.0)
        run.timing = Timing(
            compile=run.compile, kernel=kernel, total=total, clock=clock, submits=run.submits,
            stamps=stamps, step=step,
        )  # fmt: skip
    run.status = run.stamps = None


def _pairs(run: Submitted, ticks: bytes) -> tuple[tuple[int, int], ...]:
    """Begin and end of each pass in ticks; none where not every pass was stamped."""
    if not ticks or not run.passes or run.passes >= run.room:
        return ()
    stamps = struct.unpack_from(f"<{2 * run.passes}Q", ticks)
    return tuple(zip(stamps[::2], stamps[1::2], strict=True))


def _stamped(run: Submitted, pairs: Sequence[tuple[int, int]]) -> tuple[tuple[Stamp, ...], float]:
    """The dispatches of a traced run, and the seconds of which all their ticks are multiples."""
    each = run.period * 1e-9
    first = min(begin for begin, _ in pairs)
    step = math.gcd(*(tick for pair in pairs for tick in pair)) * each
    return tuple(
        Stamp("dispatch", name, (begin - first) * each, max(0, end - begin) * each)
        for name, (begin, end) in zip(run.names, pairs, strict=True)
    ), step
