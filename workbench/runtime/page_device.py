"""One page of the device `browser`: a device of its own, for as long as its socket is open.

Calls are sent to the page and not waited for; reads and `Run.wait` wait, in short slices so that
an interrupt gets through. Which page is asked is decided in `browser.py`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections import OrderedDict, deque
from concurrent.futures import TimeoutError as FutureTimeoutError, wait as wait_some
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from workbench.base.errors import DeviceError
from workbench.base.progress import BOARD, Standing, Task
from workbench.program import steps
from workbench.runtime import page_messages as messages
from workbench.runtime.crossing import Crossing
from workbench.runtime.device import (
    Description,
    LaterError,
    Memory,
    Run,
    Single,
    StoppedError,
    Timing,
    check_limits,
)
from workbench.runtime.page_messages import Answer, Engine, PageFailure, PageReport, Request
from workbench.runtime.page_values import (
    LATE_HINT,
    device_error,
    limits_of,
    scalar_words,
    timing_of,
    wasm_words,
    whole_words,
)
from workbench.runtime.wasm_memory import FEATURES as WASM_FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from workbench.program import Program
    from workbench.runtime.device import Raw, Target
    from workbench.runtime.page_peer import Peer

DEADLINE = 60.0
"""Seconds that a call has, and that a read waits for the next sign of progress."""

KEPT_PROGRAMS = 100
"""Programs that a page is relied on to hold, the last used ones; others are sent again.

A page keeps 256, so that all that two devices of it rely on are among them: js/src/recent.ts.
"""

_PIECES_AHEAD = 8
_AHEAD_BYTES = 64 * 1024 * 1024
"""So many bytes of writes may be under way before the next has to wait."""

_SLICE_SECONDS = 0.05
_GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A program that a page was told to compile; `answer` fails where it refused."""

    key: str
    answer: Future[Answer]
    generation: int


class PageDevice(Single):
    """The GPU of one page, or its WebAssembly. Its memory lives as long as the page's socket."""

    def __init__(
        self,
        name: str,
        peer: Peer,
        report: PageReport,
        engine: Engine,
        *,
        handles: Iterator[int],
    ) -> None:
        """`handles` number buffers, no two of all pages alike: none takes another's for its own."""
        self.name = name
        self.peer = peer
        self._limits = limits_of(report, engine)
        self._report = report
        self._engine: Engine = engine
        self._handles = handles
        self._freed: deque[tuple[int, int]] = deque()
        self._uploads: deque[tuple[Future[Answer], int]] = deque()
        """Writes that may be on their way, with their bytes, oldest first."""
        self._unasked = 0
        """Bytes of the read that is under way that the page was not asked for yet."""
        self._crossing = Crossing()
        self._programs: OrderedDict[Program, _Compiled] = OrderedDict()

    @property
    def target(self) -> Target:
        """What the page runs: wgsl, or wasm."""
        return "wasm" if self._engine == "wasm" else "wgsl"

    @property
    def generation(self) -> int:
        """Another one once the page is gone, or what computes in it was lost."""
        return self.peer.generations[self._engine]

    def describe(self) -> Description:
        """What computes in the page, with its limits."""
        return self._description

    @cached_property
    def _description(self) -> Description:
        report, limits = self._report, self._limits
        if self._engine == "wasm":
            return Description(
                self.name, "wasm", available=True, adapter=wasm_words(report), limits=limits,
                features=WASM_FEATURES, route=self.peer.wire.route,
            )  # fmt: skip
        return Description(
            self.name, "wgsl", available=True, adapter=report.adapter,
            hardware=not report.software, limits=limits, features=report.features,
            route=self.peer.wire.route,
        )  # fmt: skip

    def allocate(self, size: int) -> Memory:
        """A buffer in the page; returns at once. Raises `DeviceError` for sizes over its limits."""
        for limit in ("max_buffer_size", "max_storage_buffer_binding_size"):
            if size > (value := int(getattr(self._limits, limit))):
                raise DeviceError(
                    f"a buffer of {size} bytes: {limit} is {value} on this device",
                    hint="smaller arrays, or on='cpu'",
                )
        handle = next(self._handles)
        memory = Memory(self, size, handle, self.generation)
        self._send(messages.Alloc(handle, size)).add_done_callback(_spoiling(memory))
        return memory

    def write(self, memory: Memory, content: memoryview, offset: int = 0) -> None:
        """Send bytes to the page, which takes whole words; returns at once.

        Waits only where as many bytes as these, and some megabytes at least, are on their way
        already: what comes next is sent while the page computes with the last, and no more.
        """
        handle = self._handle(memory)
        self._make_room(content.nbytes)
        whole = whole_words(content)
        self._crossing.add(whole.nbytes, "to the page", self.peer.left)
        sent = self._send(messages.Write(handle, offset, whole.nbytes), whole)
        sent.add_done_callback(_spoiling(memory))
        self._uploads.append((sent, whole.nbytes))

    def _make_room(self, size: int) -> None:
        """Wait for the oldest uploads while too many are under way; failures surface at reads."""
        while self._uploads:
            oldest, _ = self._uploads[0]
            ahead = sum(each for _, each in self._uploads)
            if not oldest.done():
                if ahead <= max(_AHEAD_BYTES, size) or not self.peer.wire.answers_now():
                    return
                self._wait_for(oldest)
            self._uploads.popleft()

    def _wait_for(self, future: Future[Answer]) -> None:
        """Wait, in slices, until a future is done either way."""
        self.peer.flush()
        try:
            with BOARD.task("waiting for the page") as task:
                look = self._looking(task)
                while not wait_some((future,), _SLICE_SECONDS).done:
                    look()
        except KeyboardInterrupt:
            self.peer.cancel()
            raise

    def read(self, memory: Memory, size: int) -> Raw:
        """The first bytes of a buffer, after everything enqueued before."""
        return self.ask(memory, size)()

    def ask(self, memory: Memory, size: int) -> Callable[[], Raw]:
        """Ask for the first bytes now: they come with the answer of the run that makes them."""
        content = np.empty(-(-size // 4) * 4, np.uint8).data
        self._crossing.add(len(content), "from the page", self.peer.left)
        pieces = self._asked_pieces(self._handle(memory), content)
        sent = deque(itertools.islice(pieces, 1))

        def wait() -> Raw:
            try:
                with BOARD.task("reading an array") as task:
                    self._read_pieces(sent, pieces, self._looking(task))
            finally:
                self._unasked = 0
            return content[:size]

        return wait

    def _asked_pieces(self, handle: int, into: memoryview) -> Iterator[Future[Answer]]:
        """Ask for piece after piece, whenever the next one is wanted."""
        # In pieces: a page that copies 256 MB at once could not say that it is alive.
        for start in range(0, len(into), messages.CHUNK_BYTES):
            piece = into[start : start + messages.CHUNK_BYTES]
            self._unasked = len(into) - start - len(piece)
            yield self._send(messages.Read(handle, start, len(piece)), piece)

    def _read_pieces(
        self,
        sent: deque[Future[Answer]],
        pieces: Iterator[Future[Answer]],
        look: Callable[[], None],
    ) -> None:
        sent.extend(itertools.islice(pieces, _PIECES_AHEAD - len(sent)))
        while sent:
            self._wait(sent.popleft(), DEADLINE, look=look)
            sent.extend(itertools.islice(pieces, 1))

    def _looking(
        self, task: Task, standing: Callable[[], Standing] = Standing
    ) -> Callable[[], None]:
        """What tells a task how far it is: first what crosses, then what `standing` gives."""
        crossing = self._crossing
        return lambda: task.at(crossing.standing(self.peer.left + self._unasked) or standing())

    def free(self, memory: Memory) -> None:
        """Give a buffer back with the next request: finalizers call this, from any thread."""
        if isinstance(memory.handle, int):
            self._freed.append((memory.generation, memory.handle))

    def give_back(self) -> None:
        """Send what was freed and is still there."""
        handles: list[int] = []
        while self._freed:
            generation, handle = self._freed.popleft()
            if generation == self.generation:
                handles.append(handle)
        if handles:
            self.peer.send(messages.Free(handles), None, self._engine)

    def prepare(self, program: Program) -> None:
        """Compile in the page, unless this page has done so, and wait for its verdict.

        Where no verdict can come now, it surfaces at the first read.
        """
        compiled = self._compile(program)
        answered = compiled.answer.done()
        sound = answered and compiled.answer.exception() is None
        if sound or not (answered or self.peer.wire.answers_now()):
            return
        try:
            with BOARD.task(f"compiling '{program.name}' in the page") as task:
                self._wait(compiled.answer, DEADLINE, program, self._looking(task))
        except DeviceError:
            self._programs.pop(program, None)
            raise

    def enqueue(
        self, program: Program, buffers: dict[str, Memory], scalars: Sequence[float], *,
        traced: bool = False,
    ) -> Run:  # fmt: skip
        """Send a run to the page; returns at once."""
        handles = {name: self._handle(memory) for name, memory in buffers.items()}
        compiled = self._compile(program)
        words = scalar_words(program, scalars)
        request = messages.Execute(
            compiled.key, handles, words, timed=True, traced=traced, deadline_ms=1000 * DEADLINE
        )
        future = self._send(request)
        total = steps(program.body)

        def standing() -> Standing:
            return Standing(self.peer.steps(future), total, "dispatches")

        def wait(deadline: float) -> Timing:
            with BOARD.task(f"waiting for '{program.name}' in the page") as task:
                answer = self._wait(future, deadline, program, self._looking(task, standing))
            return timing_of(answer, self._report, self._engine)

        return Run(wait=wait, done=future.done)

    def stop(self) -> None:
        """End every run that was enqueued so far, at its next slice."""
        self.peer.cancel()

    def close(self) -> None:
        """Forget what the page holds; its socket is the server's."""
        self._programs.clear()

    def ping(self) -> float:
        """Seconds that a question to the page and back takes."""
        started = time.perf_counter()
        self._wait(self._send(messages.Free(())), DEADLINE)
        return time.perf_counter() - started

    def _handle(self, memory: Memory) -> int:
        if not memory.alive:
            raise DeviceError("a buffer of a page that was closed, reloaded or lost its GPU since")
        assert isinstance(memory.handle, int)
        return memory.handle

    def _send(self, request: Request, content: memoryview | None = None) -> Future[Answer]:
        """Send a request, and before it what was freed meanwhile."""
        self.give_back()
        return self.peer.send(request, content, self._engine)

    def _compile(self, program: Program) -> _Compiled:
        known = self._programs.get(program)
        if known is not None and known.generation == self.generation:
            self._programs.move_to_end(program)
            return known
        if program.target != self.target:
            raise DeviceError(
                f"'{program.name}' is a program for {program.target}, {self.name} runs "
                f"{self.target}"
            )
        check_limits(program, self._limits)
        values = program.to_json()
        key = hashlib.sha256(json.dumps(values).encode()).hexdigest()
        answer = self._send(messages.Compile(key, values))
        compiled = self._programs[program] = _Compiled(key, answer, self.generation)
        self._programs.move_to_end(program)
        if len(self._programs) > KEPT_PROGRAMS:
            self._programs.popitem(last=False)
        return compiled

    def _wait(
        self,
        future: Future[Answer],
        deadline: float,
        program: Program | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> Answer:
        """The answer. Raises `DeviceError`; an interrupt stops what runs and goes on.

        Calls `look` while it waits.
        """
        peer = self.peer
        if not (future.done() or peer.wire.answers_now()):
            raise LaterError(
                f"this page is reached {peer.wire.route}: this cell would wait for ever",
                hint="await the array, or pip install jupyter-server-proxy beside the "
                "notebook server, and reload the page",
            )
        peer.flush()
        started = time.monotonic()
        cancelled = False
        try:
            while True:
                look()
                try:
                    return _sound(peer, future.result(_SLICE_SECONDS))
                except FutureTimeoutError:
                    late = time.monotonic() - max(started, peer.last_progress) - deadline
                    if late > 0 and not cancelled:
                        peer.cancel()
                        cancelled = True
                    if late > _GRACE_SECONDS:
                        raise StoppedError(_late(deadline), hint=LATE_HINT) from None
                except PageFailure as raised:
                    if raised.failure.kind == "dropped" and program is not None:
                        self._programs.pop(program, None)
                    if cancelled and raised.failure.kind == "cancelled":
                        raise StoppedError(_late(deadline), hint=LATE_HINT) from None
                    raise device_error(raised.failure, program) from None
        except KeyboardInterrupt:
            peer.cancel()
            raise


def _spoiling(memory: Memory) -> Callable[[Future[Answer]], None]:
    """What notes that the page did not make or fill a buffer; the runs that use it say why."""

    def note(answered: Future[Answer]) -> None:
        memory.spoilt = memory.spoilt or answered.exception() is not None

    return note


def _sound(peer: Peer, answer: Answer) -> Answer:
    """The answer, unless the page's GPU reported an error that belongs to no request."""
    if not peer.faults:
        return answer
    faults = "; ".join(peer.faults)
    peer.faults.clear()
    raise DeviceError(f"the page's GPU reported: {faults}", hint="run the cell again")


def _late(deadline: float) -> str:
    return f"the page gave no result within {deadline:g} s; the call was stopped"
