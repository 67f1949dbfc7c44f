"""The device `browser`: the page that shows the notebook, or `wb.connect()`'s page.

Its GPU computes; where it has no WebGPU, its WebAssembly does, and `describe` says why.

Calls are sent to the page and not waited for; reads and `Run.wait` wait, in short slices so that
an interrupt gets through. Buffers stay in the page, and are lost when it is reloaded: then the
generation grows. Who opens the page is not known here; the widget and `connect.py` do it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import time
from collections import deque
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.errors import DeviceError
from workbench.runtime import page_messages as messages
from workbench.runtime.device import (
    Description,
    Memory,
    Run,
    StoppedError,
    Timing,
    check_limits,
)
from workbench.runtime.page_messages import (
    Answer,
    Engine,
    PageFailure,
    PageReport,
    Request,
)
from workbench.runtime.page_values import (
    LATE_HINT,
    device_error,
    limits_of,
    scalar_words,
    timing_of,
    wasm_words,
)
from workbench.runtime.wasm_memory import FEATURES as WASM_FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from workbench.program import Program
    from workbench.runtime.device import Target
    from workbench.runtime.page_peer import Peer
    from workbench.runtime.page_server import PageServer

DEADLINE = 60.0
"""Seconds that a call has, and that a read waits for the next sign of progress."""

_OPENING_SECONDS = 10.0
"""How long a page that is just being opened, or reloaded, is waited for."""

_PIECES_AHEAD = 8
_SLICE_SECONDS = 0.05
_GRACE_SECONDS = 1.0
_PROXY_REMEDY = "pip install jupyter-server-proxy beside the notebook server, and reload the page"
_REMEDY = "%load_ext workbench in a notebook that is open in a browser, or workbench.connect()"


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A program that a page was told to compile; `answer` fails where it refused."""

    key: str
    answer: Future[Answer]
    generation: int


class BrowserDevice:
    """The GPU of a page, or its WebAssembly, driven from here. Opening it starts nothing."""

    name = "browser"

    def __init__(self, server: PageServer | None = None) -> None:
        """Use that server; without one, `serve` makes it when a page is wanted."""
        self._server = server
        self._expected_until = 0.0
        self._expected = False
        self._seen = False
        self._handles = itertools.count(1)
        self._freed: deque[tuple[int, int]] = deque()
        self._programs: dict[Program, _Compiled] = {}

    @property
    def generation(self) -> int:
        """Grows with every page that comes or goes, and with every GPU that is lost."""
        return 0 if self.pages is None else self.pages.generation

    @property
    def target(self) -> Target:
        """What the page runs: wgsl, or wasm where it has no GPU."""
        page = None if self.pages is None else self.pages.page
        report = None if page is None else page.report
        return "wasm" if report is not None and self._engine(report) == "wasm" else "wgsl"

    @property
    def pages(self) -> PageServer | None:
        """The server, if it was started."""
        return self._server

    def _engine(self, report: PageReport) -> Engine | None:
        """What of the page computes for this device."""
        return report.engine

    def serve(self, server: PageServer | None = None) -> PageServer:
        """The running server that pages connect to; the first call starts it.

        Raises `DeviceError` where tornado is not installed.
        """
        if self._server is None:
            self._server = server or _new_server()
        self._server.start()
        return self._server

    def expect_page(self, seconds: float | None = None) -> None:
        """Say that a page is being opened: the next calls wait that long for it.

        Without a number: ten seconds inside a Jupyter server, which names its sessions, and none
        where a notebook is executed without a browser.
        """
        if seconds is None:
            seconds = _OPENING_SECONDS if "JPY_SESSION_NAME" in os.environ else 0.0
        self._expected = seconds > 0
        self._expected_until = time.monotonic() + seconds

    def describe(self) -> Description:
        """The page's adapter; waits for a page only while one is being opened."""
        peer = self.find_page()
        report = None if peer is None else peer.report
        if report is None:
            cause, remedy = self.absence()
            return Description(self.name, self.target, available=False, cause=cause, remedy=remedy)
        engine = self._engine(report)
        if engine is None:
            cause, remedy = report.cause, report.remedy
            return Description(self.name, self.target, available=False, cause=cause, remedy=remedy)
        if engine == "wasm":
            return Description(
                self.name, "wasm", available=True, adapter=wasm_words(report),
                limits=limits_of(report, engine), features=WASM_FEATURES,
            )  # fmt: skip
        return Description(
            self.name,
            self.target,
            available=True,
            adapter=report.adapter,
            hardware=not report.software,
            limits=limits_of(report, engine),
            features=report.features,
        )

    def allocate(self, size: int) -> Memory:
        """A buffer in the page; returns at once. Raises `DeviceError` for sizes over its limits."""
        peer, report = self._page()
        limits = limits_of(report, self._engine(report))
        for limit in ("max_buffer_size", "max_storage_buffer_binding_size"):
            if size > (value := int(getattr(limits, limit))):
                raise DeviceError(
                    f"a buffer of {size} bytes: {limit} is {value} on this device",
                    hint="smaller arrays, or on='cpu'",
                )
        handle = next(self._handles)
        memory = Memory(self, size, handle, self.generation)
        self._send(peer, messages.Alloc(handle, size))
        return memory

    def write(self, memory: Memory, content: memoryview, offset: int = 0) -> None:
        """Send bytes to the page, which takes whole words; returns at once."""
        handle = self._handle(memory)
        peer, _ = self._page()
        copied = memoryview(bytes(content) + bytes(-content.nbytes % 4))
        self._send(peer, messages.Write(handle, offset, len(copied)), copied)

    def read(self, memory: Memory, size: int) -> bytearray:
        """The first bytes of a buffer, after everything enqueued before."""
        handle = self._handle(memory)
        peer, _ = self._page()
        content = bytearray(size)
        sent: deque[tuple[int, Future[Answer]]] = deque()
        for start in range(0, size, messages.CHUNK_BYTES):
            # In pieces: a page that copies 256 MB at once could not say that it is alive.
            bytes_wanted = -(-min(messages.CHUNK_BYTES, size - start) // 4) * 4
            request = messages.Read(handle, start, bytes_wanted)
            sent.append((start, self._send(peer, request)))
            if len(sent) == _PIECES_AHEAD:
                self._place(peer, sent, content)
        while sent:
            self._place(peer, sent, content)
        return content

    def _place(
        self, peer: Peer, sent: deque[tuple[int, Future[Answer]]], content: bytearray
    ) -> None:
        start, future = sent.popleft()
        piece = self._wait(peer, future, DEADLINE).content
        stop = min(start + len(piece), len(content))
        content[start:stop] = piece[: stop - start] if stop - start < len(piece) else piece

    def free(self, memory: Memory) -> None:
        """Give a buffer back with the next request: finalizers call this, from any thread."""
        if isinstance(memory.handle, int):
            self._freed.append((memory.generation, memory.handle))

    def prepare(self, program: Program) -> None:
        """Compile in the page, unless this page has done so, and wait for its verdict."""
        peer, report = self._page()
        compiled = self._compile(peer, program, report)
        try:
            self._wait(peer, compiled.answer, DEADLINE, program)
        except DeviceError:
            self._programs.pop(program, None)
            raise

    def enqueue(
        self, program: Program, buffers: dict[str, Memory], scalars: Sequence[float]
    ) -> Run:
        """Send a run to the page; returns at once."""
        handles = {name: self._handle(memory) for name, memory in buffers.items()}
        peer, report = self._page()
        compiled = self._compile(peer, program, report)
        request = messages.Execute(
            key=compiled.key,
            buffers=handles,
            scalars=scalar_words(program, scalars),
            timed=True,
            deadline_ms=1000 * DEADLINE,
        )
        future = self._send(peer, request)

        def wait(deadline: float) -> Timing:
            answer = self._wait(peer, future, deadline, program)
            return timing_of(answer, report, self._engine(report))

        return Run(wait=wait, done=future.done)

    def stop(self) -> None:
        """End every run that was enqueued so far, at its next slice."""
        page = None if self.pages is None else self.pages.page
        if page is not None:
            page.cancel()

    def close(self) -> None:
        """Part from all pages and stop serving."""
        if self._server is not None:
            self._server.stop()
        self._server = None
        self._programs.clear()

    def traffic(self) -> tuple[int, int]:
        """Messages and bytes that went between here and the page so far, either way."""
        peer, _ = self._page()
        return peer.messages, peer.bytes

    def ping(self) -> float:
        """Seconds that a question to the page and back takes."""
        peer, _ = self._page()
        started = time.perf_counter()
        self._wait(peer, self._send(peer, messages.Free(())), DEADLINE)
        return time.perf_counter() - started

    def absence(self) -> tuple[str, str]:
        """Why there is no page, and what to do about it."""
        if self._seen:
            return "the page that was connected is closed", _REMEDY
        if self._expected:
            return "the notebook's page was asked to join and did not come", _PROXY_REMEDY
        return "there is no page: no browser shows this process", _REMEDY

    def find_page(self) -> Peer | None:
        """The page, waited for only while one is being opened or reloaded."""
        server = self._server
        if server is None:
            return None
        page = server.page
        if page is None:
            left = self._expected_until - time.monotonic()
            if self._seen:
                left = max(left, server.parted_at + _OPENING_SECONDS - time.monotonic())
            page = server.wait_for_page(max(0.0, left))
        self._seen = self._seen or page is not None
        return page

    def _page(self) -> tuple[Peer, PageReport]:
        """The page and its report. Raises `DeviceError` where there is none or it has no GPU."""
        peer = self.find_page()
        if peer is None or peer.report is None:
            cause, remedy = self.absence()
            raise DeviceError(f"device '{self.name}': {cause}", hint=remedy)
        if self._engine(peer.report) is None:
            raise DeviceError(f"device '{self.name}': {peer.report.cause}", hint=peer.report.remedy)
        return peer, peer.report

    def _handle(self, memory: Memory) -> int:
        if not memory.alive:
            raise DeviceError("a buffer of a page that was closed, reloaded or lost its GPU since")
        assert isinstance(memory.handle, int)
        return memory.handle

    def _send(
        self, peer: Peer, request: Request, content: memoryview | None = None
    ) -> Future[Answer]:
        """Send a request, and before it what was freed meanwhile."""
        engine: Engine = (peer.report and self._engine(peer.report)) or "gpu"
        handles: list[int] = []
        while self._freed:
            generation, handle = self._freed.popleft()
            if generation == self.generation:
                handles.append(handle)
        if handles:
            peer.send(messages.Free(handles), None, engine)
        return peer.send(request, content, engine)

    def _compile(self, peer: Peer, program: Program, report: PageReport) -> _Compiled:
        known = self._programs.get(program)
        if known is not None and known.generation == self.generation:
            return known
        check_limits(program, limits_of(report, self._engine(report)))
        values = program.to_json()
        key = hashlib.sha256(json.dumps(values).encode()).hexdigest()
        answer = self._send(peer, messages.Compile(key, values))
        compiled = self._programs[program] = _Compiled(key, answer, self.generation)
        return compiled

    def _wait(
        self, peer: Peer, future: Future[Answer], deadline: float, program: Program | None = None
    ) -> Answer:
        """The answer. Raises `DeviceError`; an interrupt stops what runs and goes on."""
        started = time.monotonic()
        cancelled = False
        try:
            while True:
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
                    if cancelled and raised.failure.kind == "cancelled":
                        raise StoppedError(_late(deadline), hint=LATE_HINT) from None
                    raise device_error(raised.failure, program) from None
        except KeyboardInterrupt:
            peer.cancel()
            raise


def _sound(peer: Peer, answer: Answer) -> Answer:
    """The answer, unless the page's GPU reported an error that belongs to no request."""
    if not peer.faults:
        return answer
    faults = "; ".join(peer.faults)
    peer.faults.clear()
    raise DeviceError(f"the page's GPU reported: {faults}")


def _new_server() -> PageServer:
    try:
        from workbench.runtime.page_server import PageServer  # noqa: PLC0415  (loads tornado)
    except ImportError as error:
        raise DeviceError(
            f"device 'browser': {error.name} is not installed",
            hint="pip install 'wgpu-workbench[notebook]'",
        ) from error
    return PageServer()


def _late(deadline: float) -> str:
    return f"the page gave no result within {deadline:g} s; the call was stopped"


def open_device() -> BrowserDevice:
    """The device, without a page."""
    return BrowserDevice()
