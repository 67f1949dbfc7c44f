"""Work in its order, and its sharing out: what `CompiledDevice` is made of besides its engine.

Knows nothing of programs or of LLVM; what it calls must release Python's lock to gain anything.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np

from workbench.base.errors import DeviceError
from workbench.base.progress import BOARD, Standing
from workbench.runtime.device import Stamp

CHUNK_SECONDS = 0.01
"""About so long a worker computes before it looks at the stop word."""
SLICE = 0.1
"""Seconds after which a wait looks for an interrupt."""
GRACE = 10.0
"""Seconds that a run which was asked to stop may take to do so."""


@dataclass(slots=True, eq=False)
class Job:
    """Something enqueued: `seconds` is from then to its end, `error` how it failed.

    Compiled code looks at `stop`, a word that is not 0 when it is to end. `work` is called even
    if it is to stop before it began: what waits for bytes must learn that there are none.
    `standing` says how far it is, to any thread. `stamps` are kept of a run that is traced.
    """

    name: str
    work: Callable[[Job], None]
    stop: np.ndarray = field(default_factory=lambda: np.zeros(1, np.uint32))
    reason: str = "was stopped"
    enqueued: float = field(default_factory=time.perf_counter)
    compile_seconds: float = 0.0
    kernel_seconds: float = 0.0
    seconds: float = 0.0
    stamps: list[Stamp] | None = None
    began: float = 0.0
    """When the first of the stamps began."""
    error: Exception | None = None
    standing: Callable[[], Standing] = Standing
    finished: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise `DeviceError` if it is to stop."""
        if self.stop[0]:
            raise DeviceError(
                f"'{self.name}' {self.reason}",
                hint="a loop that ends, smaller sizes, or a longer deadline",
            )

    def end(self, reason: str) -> None:
        """Ask it to stop."""
        self.reason = reason
        self.stop[0] = 1


@dataclass(slots=True, eq=False)
class Share:
    """The iterations of a dispatch, taken by `workers` in portions, of `size` at first and least.

    `seconds` is the sum over the workers of the time spent in `call`.
    """

    call: Callable[[int, int], None]
    count: int
    size: int
    workers: int
    stop: np.ndarray
    taken: int = 0
    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Take iterations and run them until none are left, or the run is to stop."""
        size = self.size
        while not self.stop[0]:
            with self.lock:
                begin = self.taken
                left = self.count - begin
                if left <= 0:
                    return
                self.taken = begin + min(left, max(self.size, min(size, left // self.workers)))
                end = self.taken
            began = time.perf_counter()
            self.call(begin, end)
            took = time.perf_counter() - began
            with self.lock:
                self.seconds += took
            size = int((end - begin) * min(4.0, CHUNK_SECONDS / max(took, 1e-9))) or 1


class Pool:
    """Threads that run shares; they end with the process, and with `close`."""

    def __init__(self, workers: int, name: str) -> None:
        """Start the threads, of that name; the caller of `run` is a worker, too."""
        self.workers = workers
        self._queue: SimpleQueue[tuple[Share, threading.Semaphore] | None] = SimpleQueue()
        for n in range(workers - 1):
            threading.Thread(target=self._serve, name=f"{name}-{n + 1}", daemon=True).start()

    def run(self, share: Share) -> None:
        """Run a share on all workers, the caller's included."""
        ended = threading.Semaphore(0)
        for _ in range(self.workers - 1):
            self._queue.put((share, ended))
        share.run()
        for _ in range(self.workers - 1):
            ended.acquire()

    def close(self) -> None:
        """Let the threads end."""
        for _ in range(self.workers - 1):
            self._queue.put(None)

    def _serve(self) -> None:
        while (item := self._queue.get()) is not None:
            share, ended = item
            try:
                share.run()
            finally:
                ended.release()


def _worked(_: Job) -> None:
    """The work of a job that is finished."""


def _finished(job: Job, seconds: float) -> bool:
    """Wait for a job; gives whether it is finished.

    In slices: a signal that another thread was given is seen only between two waits.
    """
    end = time.perf_counter() + seconds
    with BOARD.task(f"waiting for '{job.name}'") as task:
        while not job.finished.wait(min(SLICE, max(0.0, end - time.perf_counter()))):
            task.at(job.standing())
            if time.perf_counter() >= end:
                return job.finished.is_set()
    return True


class Queue:
    """Jobs, done one after the other by a thread of its own, which starts with the first."""

    def __init__(self, name: str) -> None:
        """An empty queue."""
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._pending: deque[Job] = deque()
        self._started = False

    def put(self, job: Job) -> None:
        """Do a job after everything put before."""
        if not self._started:
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
            self._started = True
        while self._pending and self._pending[0].finished.is_set():
            self._pending.popleft()
        self._pending.append(job)
        self._jobs.put(job)

    def pending(self) -> tuple[Job, ...]:
        """The jobs that are not finished, in their order."""
        return tuple(j for j in self._pending if not j.finished.is_set())

    def wait(self, last: Job | None, deadline: float) -> None:
        """Wait until the jobs up to `last` (all, without it) are finished.

        Each may run for `deadline` seconds, then it is stopped; an interrupt stops them all.
        The errors of the jobs are not raised here.
        """
        jobs = self.pending()
        try:
            for job in jobs:
                if not _finished(job, deadline):
                    job.end(f"was stopped after its deadline of {deadline:g} s")
                    _finished(job, GRACE)
                if job is last:
                    break
        except KeyboardInterrupt:
            for job in jobs:
                job.end("was interrupted")
            raise

    def stop(self) -> None:
        """Ask everything that is not finished to stop."""
        for job in self.pending():
            job.end("was stopped")

    def close(self) -> None:
        """Stop everything and let the thread end."""
        self.stop()
        self.wait(None, 1.0)
        if self._started:
            self._jobs.put(None)
            self._started = False

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job.work(job)
            except Exception as error:  # noqa: BLE001  (raised where the job is waited for)
                job.error = error
            job.work, job.standing = _worked, Standing  # what they held is not needed any more
            job.seconds = time.perf_counter() - job.enqueued
            job.finished.set()
