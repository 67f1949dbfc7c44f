"""A device whose kernels run in this process: one thread takes work, a pool of workers shares it.

The thread takes what is enqueued in its order and shares the iterations of each dispatch out to
workers; calls into compiled code release Python's lock. Every run has a stop word of its own,
which compiled loops and the sharing out look at. What compiles and calls kernels, and where
bytes lie, is the business of an `Engine`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, assert_never

import numpy as np

from workbench.base.errors import DeviceError
from workbench.base.limits import Limits
from workbench.base.progress import Standing
from workbench.program import (
    OUTSIDE_HINT,
    Action,
    Copy,
    Dispatch,
    Kernel,
    Program,
    Repeat,
    While,
    outside,
    steps,
)
from workbench.runtime.cpu_memory import Bytes, bytes_of, check_size, packed
from workbench.runtime.cpu_pool import Job, Pool, Queue, Share
from workbench.runtime.device import (
    Description,
    Memory,
    Run,
    Single,
    Stamp,
    Target,
    Timing,
    check_limits,
    is_traceable,
)

DEADLINE = 60.0
"""Seconds that a read waits for each run before it."""
_TINY_SECONDS = 50e-6
"""What takes less than this is not shared out."""


class Loaded(Protocol):
    """A kernel that can be called; `pace` is seconds an iteration, or 0 before it is known."""

    pace: float

    def bound(
        self, arrays: Sequence[np.ndarray], scalars: np.ndarray, stop: np.ndarray
    ) -> Callable[[int, int], None]:
        """What runs the iterations from one number to another, called by any worker."""
        ...


class Engine(Protocol):
    """What a device of this kind is made of; everything it allocates lies where kernels see it."""

    @property
    def name(self) -> str:
        """The device's name."""
        ...

    @property
    def target(self) -> Target:
        """What it runs."""
        ...

    @property
    def workers(self) -> int:
        """How many may run a kernel at once."""
        ...

    def describe(self) -> Description:
        """What `Device.describe` gives."""
        ...

    def limits(self) -> Limits:
        """The limits. Raises `DeviceError` where the engine is not there."""
        ...

    def allocate(self, size: int) -> np.ndarray:
        """Bytes, aligned as compiled code expects, given back with the last reference to them.

        Raises `DeviceError` where there are not so many.
        """
        ...

    @property
    def kept(self) -> int:
        """Bytes that were given back and are kept for what is allocated next."""
        ...

    def load(self, kernel: Kernel) -> Loaded:
        """Compile, or find what was compiled before. Raises `DeviceError`."""
        ...


@dataclass(frozen=True, slots=True)
class _Call:
    """A program with all that its run needs."""

    program: Program
    buffers: dict[str, Bytes]
    scalars: np.ndarray
    kernels: dict[str, Loaded]
    done: Done


@dataclass(slots=True, eq=False)
class Done:
    """How much of a run is done: dispatches and copies of `total`, and of the one that goes on."""

    total: int | None
    steps: int = 0
    share: Share | None = None

    def standing(self) -> Standing:
        """The same, for who waits; a run of one dispatch is as far as its iterations are."""
        share = self.share
        if self.total != 1 or share is None:
            return Standing(self.steps, self.total, "dispatches")
        return Standing(share.taken, share.count, "iterations")


class CompiledDevice(Single):
    """Runs programs of its engine's target in this process."""

    def __init__(self, engine: Engine) -> None:
        """A device whose threads start when they are needed."""
        self.name = engine.name
        self.target: Target = engine.target
        self.generation = 0
        self._engine = engine
        self._queue = Queue(f"workbench-{engine.name}")
        self._pool: Pool | None = None

    def describe(self) -> Description:
        """What the engine says of itself, or what is missing."""
        return self._engine.describe()

    @property
    def kept(self) -> int:
        """What the engine keeps."""
        return self._engine.kept

    def allocate(self, size: int) -> Memory:
        """Aligned bytes; raises `DeviceError` where the machine has not so many."""
        most = self._engine.limits().max_buffer_size
        if size > most:
            raise DeviceError(f"a buffer of {size} bytes: max_buffer_size is {most} on {self.name}")
        return Memory(self, size, Bytes(self._engine.allocate(size)), self.generation)

    def write(self, memory: Memory, content: memoryview, offset: int = 0) -> None:
        """Copy host bytes into the buffer, after the runs enqueued before."""
        target, source = bytes_of(memory), np.asarray(content).reshape(-1).view(np.uint8)
        check_size("write", offset + source.size, memory)
        if not self._queue.pending():
            target.array[offset : offset + source.size] = source
            target.error = None
            return
        copy = source.copy()

        def work(_: Job) -> None:
            target.array[offset : offset + copy.size] = copy
            target.error = None

        self._queue.put(self._job("write", work))

    def read(self, memory: Memory, size: int) -> bytearray:
        """The first bytes, after everything enqueued before; raises the error of the run."""
        target = bytes_of(memory)
        check_size("read", size, memory)
        self._queue.wait(None, DEADLINE)
        if target.error is not None:
            raise target.error
        if stuck := self._queue.pending():
            raise _stuck(stuck[0])
        return bytearray(target.array[:size].data)

    def free(self, memory: Memory) -> None:
        """Give the buffer back; runs already enqueued keep it alive."""
        memory.handle = None

    def prepare(self, program: Program) -> None:
        """Compile every kernel. Raises `DeviceError`."""
        self._load(program)

    def enqueue(
        self, program: Program, buffers: dict[str, Memory], scalars: Sequence[float], *,
        traced: bool = False,
    ) -> Run:  # fmt: skip
        """Run the program after everything enqueued before; returns at once."""
        began = time.perf_counter()
        kernels = self._load(program)
        compiled = time.perf_counter() - began
        given = {b.name: buffers[b.name] for b in program.buffers if b.role in _GIVEN}
        for name, memory in given.items():
            check_size(f"buffer '{name}'", program.buffer(name).size, memory)
        _check_apart(program, given)
        handles = {name: bytes_of(memory) for name, memory in given.items()}
        done = Done(steps(program.body))
        call = _Call(program, handles, self._words(packed(program, scalars)), kernels, done)
        job = self._job(program.name, lambda job: self._run(job, call))
        job.standing = done.standing
        job.compile_seconds = compiled
        job.stamps = [] if traced and is_traceable(program) else None
        self._queue.put(job)

        def wait(deadline: float) -> Timing:
            self._queue.wait(job, deadline)
            if job.error is not None:
                raise job.error
            if not job.finished.is_set():
                raise _stuck(job)
            stamps = tuple(job.stamps or ())
            return Timing(job.compile_seconds, None, job.kernel_seconds, job.seconds, stamps=stamps)

        return Run(wait, job.finished.is_set)

    def stop(self) -> None:
        """Ask everything enqueued to end."""
        self._queue.stop()

    def close(self) -> None:
        """Stop everything and let the threads end; a later call starts new ones."""
        self._queue.close()
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _words(self, content: np.ndarray) -> np.ndarray:
        """A copy of words, where compiled code sees it."""
        words = self._engine.allocate(content.nbytes).view(content.dtype)
        words[:] = content
        return words

    def _job(self, name: str, work: Callable[[Job], None]) -> Job:
        return Job(name, work, stop=self._words(np.zeros(1, np.uint32)))

    def _load(self, program: Program) -> dict[str, Loaded]:
        if program.target != self.target:
            raise DeviceError(
                f"'{program.name}' is a program for {program.target}, the {self.name} runs "
                f"{self.target}",
                hint=f"compile it with on='{self.name}'",
            )
        check_limits(program, self._engine.limits())
        return {k.name: self._engine.load(k) for k in program.kernels}

    def _run(self, job: Job, call: _Call) -> None:
        """Do a whole program, in the queue's thread."""
        program = call.program
        outputs = [call.buffers[b.name] for b in program.buffers if b.role == "output"]
        try:
            job.check()
            _check_inputs(call)
            for b in program.buffers:
                if b.role not in _GIVEN:
                    call.buffers[b.name] = Bytes(self._engine.allocate(b.size))
                if b.role == "status":
                    call.buffers[b.name].array[:] = 0
            self._do(job, call, program.body)
            _check_status(call)
        except Exception as error:
            for output in outputs:
                output.error = error
            raise
        for output in outputs:
            output.error = None

    def _do(self, job: Job, call: _Call, actions: tuple[Action, ...]) -> None:
        for action in actions:
            job.check()
            match action:
                case Dispatch(kernel, workgroups):
                    began = time.perf_counter()
                    self._dispatch(job, call, kernel, workgroups[0])
                    job.kernel_seconds += _stamped(job, "dispatch", kernel, began)
                    call.done.steps += 1
                    job.check()
                case Copy(source, target):
                    began = time.perf_counter()
                    size = call.program.buffer(target).size
                    call.buffers[target].array[:size] = call.buffers[source].array[:size]
                    _stamped(job, "copy", target, began)
                    call.done.steps += 1
                case Repeat(count, body):
                    for _ in range(count):
                        self._do(job, call, body)
                case While(flag, body):
                    while call.buffers[flag].array[:4].view(np.uint32)[0]:
                        self._do(job, call, body)
                case _:
                    assert_never(action)

    def _dispatch(self, job: Job, call: _Call, kernel: str, count: int) -> None:
        """Run the iterations of a kernel, shared out to the workers where that pays."""
        loaded = call.kernels[kernel]
        arrays = [call.buffers[b.buffer].array for b in call.program.kernel(kernel).bindings]
        run = loaded.bound(arrays, call.scalars, job.stop)
        workers = self._engine.workers
        if count < 2 or 0 < loaded.pace * count < _TINY_SECONDS:
            share = Share(run, count, count, 1, job.stop)
            share.run()
        else:
            self._pool = self._pool or Pool(workers, f"workbench-{self.name}")
            share = Share(run, count, max(1, count // 256), workers, job.stop)
            call.done.share = share
            self._pool.run(share)
        loaded.pace = share.seconds / max(1, count)


def _stamped(job: Job, kind: Literal["dispatch", "copy"], name: str, began: float) -> float:
    """Seconds since then; kept where the job is traced, from the beginning of the first."""
    seconds = time.perf_counter() - began
    if job.stamps is not None:
        job.began = job.began if job.stamps else began
        job.stamps.append(Stamp(kind, name, began - job.began, seconds))
    return seconds


def _check_apart(program: Program, given: dict[str, Memory]) -> None:
    """Refuse an output that is another buffer, too: compiled code reads and writes at will."""
    for b in program.buffers:
        same = [n for n in given if n != b.name and given[n] is given.get(b.name)]
        if b.role == "output" and same:
            raise DeviceError(
                f"'{program.name}' writes '{b.name}', and '{same[0]}' is the same memory",
                hint="a buffer of its own for each output",
            )


def _stuck(job: Job) -> DeviceError:
    return DeviceError(f"'{job.name}' does not stop", hint="restart the Python kernel")


def _check_inputs(call: _Call) -> None:
    """Raise the error of the run that was to make an input."""
    for b in call.program.buffers:
        if b.role == "input" and (error := call.buffers[b.name].error) is not None:
            raise error


def _check_status(call: _Call) -> None:
    """Raise `DeviceError` if an access left its array."""
    for b in call.program.buffers:
        if b.role == "status":
            words = tuple(int(x) for x in call.buffers[b.name].array[: b.size].view(np.uint32))
            if (said := outside(call.program.name, call.program.accesses, words)) is not None:
                raise DeviceError(said, hint=OUTSIDE_HINT)


_GIVEN = ("input", "output")
"""The roles of the buffers that a caller gives."""
