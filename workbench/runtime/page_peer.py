"""One connected page: requests go out in order, answers come back as futures.

Notices a page that is gone: at once where its socket closes, after two seconds of silence where
it does not. Runs on the event loop of `page_server.py`; only `send` and `cancel` are for others.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, assert_never

from tornado.websocket import WebSocketClosedError

from workbench.runtime import page_messages as messages
from workbench.runtime.page_messages import (
    Answer,
    Engine,
    Failure,
    PageFailure,
    PageReport,
    Request,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

PING_SECONDS = 0.5
"""While an answer is awaited, the page is asked this often whether it is alive."""

PINGS_MISSED = 3
"""So many pings without any sign of life, and the page counts as dead."""

_MOST_FAULTS = 8
"""So many errors of a page's GPU that nobody has asked for are kept, the last ones."""

_LONGEST_REASON = 120
"""Bytes of the reason with which a socket is closed."""

_QUIET_SECONDS = 0.005
"""Requests are held until none has come for so long, or somebody waits."""
_HELD_SECONDS = 0.025
"""They are held for so long at most, and so many of them."""
_MOST_HELD = 256
_WINDOW = 8 * messages.CHUNK_BYTES
_LARGE = messages.CHUNK_BYTES // 2
_generations = itertools.count(1)
_PATIENCE_WITH_BYTES = 5
"""While megabytes cross, a page that copies them may be silent so many times longer."""


@dataclass(slots=True)
class _Pending:
    """A request that is on its way; the bytes of a read go to `content`.

    `offsets` are those of the pieces that came, `missing` bytes did not come yet, and of a write
    `untaken` ones the page has not taken. Of a run, so many `steps` are done.
    """

    future: Future[Answer]
    content: memoryview
    missing: int
    untaken: int = 0
    steps: int = 0
    offsets: set[int] = field(default_factory=set[int])


@dataclass(frozen=True, slots=True)
class _Outgoing:
    text: str
    frames: deque[bytes]


class Wire(Protocol):
    """What carries frames to one page: a websocket, or the notebook's comm."""

    @property
    def route(self) -> str:
        """How the page is reached, in words that follow "reached"."""
        ...

    def listened(self) -> bool:
        """Whether a page that has been silent since this was asked last would have been heard."""
        ...

    def answers_now(self) -> bool:
        """Whether frames of the page arrive while this thread waits for them."""
        ...

    def send_frame(self, frame: str | bytes) -> Awaitable[None]:
        """Send a frame, text or binary, after those before; on the event loop only."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Part from the page, and tell it why; on the event loop only."""
        ...


class Peer:
    """One connected page. `send` may be called from any thread."""

    def __init__(self, wire: Wire, parted: Callable[[Peer], None], number: int = 1) -> None:
        """Wrap an open wire; on its event loop. `parted` hears of the end before anyone else.

        `number` tells the pages of a process apart.
        """
        loop = asyncio.get_running_loop()
        self._parted = parted
        self.wire = wire
        self.number = number
        self.generations: dict[Engine, int] = {e: next(_generations) for e in messages.ENGINES}
        """Another one, that no page had, whenever all that an engine held is gone."""
        self.report: PageReport | None = None
        self.last_heard = time.monotonic()
        self.last_progress = self.last_heard
        self.faults: list[str] = []
        self.messages = 0
        """Frames that went either way."""
        self.bytes = 0
        """Bytes of those frames."""
        self._loop = loop
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._last_identity = 0
        self._carrying: dict[int, _Pending] = {}
        """Those whose bytes cross in frames of their own."""
        self._held: list[str] = []
        self._held_since = self._held_last = self.last_heard
        self._unread: int = 0
        self._outgoing: asyncio.Queue[_Outgoing] = asyncio.Queue()
        self._room = asyncio.Event()
        self._missed = 0
        self._ended: Failure | None = None
        self._tasks = (loop.create_task(self._send_all()), loop.create_task(self._watch()))
        # That the wire is open may be a proxy's word: a page has reached us once it hears us.
        self._write_now(messages.ping_text(0))

    @property
    def alive(self) -> bool:
        """Whether requests can still be sent."""
        return self._ended is None

    def send(
        self, request: Request, content: memoryview | None = None, engine: Engine = "gpu"
    ) -> Future[Answer]:
        """Enqueue a request and return at once.

        `content` is what a write sends, which is copied, or what a read fills, of as many bytes
        as the request says. The future raises `PageFailure`; one whose page is gone fails at once.
        """
        given = memoryview(content or b"").cast("B")
        reads = isinstance(request, messages.Read)
        awaited = given if reads else memoryview(b"")
        sent = memoryview(b"") if reads else given
        short = 0 < len(sent) <= messages.SHORT_BYTES
        pending = _Pending(Future(), awaited, len(awaited), 0 if short else len(sent))
        with self._lock:
            if self._ended is not None:
                pending.future.set_exception(PageFailure(self._ended))
                return pending.future
            self._last_identity += 1
            identity = self._last_identity
            self._pending[identity] = pending
            if len(given) > messages.SHORT_BYTES:
                self._carrying[identity] = pending
            text = messages.request_text(request, identity, engine, sent if short else None)
            self._held.append(text)
            self._held_last = time.monotonic()
            if sent and not short:
                self._let_go(messages.frames(identity, sent))
            elif len(self._held) == 1:
                self._held_since = self._held_last
                self._loop.call_soon_threadsafe(
                    self._loop.call_later, _QUIET_SECONDS, self._look_at_held
                )
            elif len(self._held) >= _MOST_HELD:
                self._let_go()
        return pending.future

    def _look_at_held(self) -> None:
        """Send what is held unless more may come; on the event loop only."""
        with self._lock:
            due = min(self._held_last + _QUIET_SECONDS, self._held_since + _HELD_SECONDS)
            left = due - time.monotonic()
            if self._held and left > 0:
                self._loop.call_later(left, self._look_at_held)
            elif self._held:
                self._let_go()

    def flush(self) -> None:
        """Send the requests that are held: somebody waits. From any thread.

        Requests are held for a moment, so that those of a call, or of a chain of calls, cross in
        one frame: each is work for both sides, and a proxy may pass the second on 40 ms late.
        """
        with self._lock:
            if self._held:
                self._let_go()

    def _let_go(self, frames: Sequence[bytes] = ()) -> None:
        """Send what is held, and the bytes of the last of it; in the lock, to keep the order."""
        outgoing = _Outgoing(messages.together(self._held), deque(frames))
        self._held = []
        self._loop.call_soon_threadsafe(self._outgoing.put_nowait, outgoing)

    @property
    def left(self) -> int:
        """Bytes of reads and writes that are still to cross, without short ones."""
        with self._lock:
            return sum(p.missing + p.untaken for p in self._carrying.values())

    def steps(self, future: Future[Answer]) -> int:
        """How many dispatches and copies of a run are done, as far as the page has said."""
        with self._lock:
            return next((p.steps for p in self._pending.values() if p.future is future), 0)

    def cancel(self) -> None:
        """End every run that was enqueued so far; their futures raise."""
        with self._lock:
            through = self._last_identity
        self._loop.call_soon_threadsafe(self._write_now, messages.cancel_text(through))

    def end(self, failure: Failure) -> None:
        """Fail every open request and close the socket. On the event loop only."""
        with self._lock:
            if self._ended is not None:
                return
            self._ended = failure
            self.generations = {e: next(_generations) for e in messages.ENGINES}
            open_requests = list(self._pending.values())
            self._pending.clear()
            self._carrying.clear()
        # First, so that whoever sees a request fail sees a new generation, too.
        self._parted(self)
        for pending in open_requests:
            _settle(pending.future, PageFailure(failure))
        for task in self._tasks:
            task.cancel()
        code = messages.CLOSED_FOR.get(failure.kind, messages.CLOSED_FOR["lost"])
        reason = failure.message.encode()[:_LONGEST_REASON].decode(errors="ignore")
        self.wire.close(code, reason)

    def receive_text(self, text: str) -> list[messages.PageMessage]:
        """Take a text frame; gives its messages for those who listen. On the event loop only.

        Raises `ValueError` for what is no message, or not one that may come now.
        """
        self._heard(len(text))
        taken = messages.parse_messages(text)
        for message in taken:
            self._take(message)
        return taken

    def _take(self, message: messages.PageMessage) -> None:
        if isinstance(message, messages.Hello) and self.report is not None:
            raise ValueError("a page says hello once")
        if not isinstance(message, messages.Pong | messages.Progress):
            self.last_progress = self.last_heard
        match message:
            case messages.Reply():
                self._reply(message)
            case messages.Hello(report):
                self.report = report
            case messages.Received() | messages.Progress():
                self._goes_on(message)
            case messages.Fault(fault):
                self.faults.append(fault)
                del self.faults[:-_MOST_FAULTS]
            case messages.Lost(engine):
                self.generations[engine] = next(_generations)
            case messages.Pong() | messages.Shown() | messages.Stop():
                pass
            case _:
                assert_never(message)

    def receive_bytes(self, frame: bytes) -> None:
        """Take a binary frame; raises `ValueError` where it exceeds what was asked for.

        On the event loop only.
        """
        self._heard(len(frame))
        self.last_progress = self.last_heard
        self._bring(*messages.unpack_frame(frame))

    def _bring(self, identity: int, offset: int, payload: bytes | memoryview) -> None:
        """Put bytes of a read where they belong."""
        with self._lock:
            pending = self._pending.get(identity)
        size = len(payload)
        if pending is None or offset in pending.offsets or size > pending.missing:
            raise ValueError(f"bytes for request {identity}, which awaits none there")
        if offset + size > len(pending.content):
            raise ValueError(f"bytes behind the end of what request {identity} reads")
        pending.offsets.add(offset)
        pending.missing -= size
        pending.content[offset : offset + size] = payload

    def _goes_on(self, message: messages.Received | messages.Progress) -> None:
        match message:
            case messages.Received(identity, count):
                if not 0 <= count <= self._unread:
                    raise ValueError(f"the page took {count} bytes of {self._unread}")
                self._unread -= count
                with self._lock:
                    if identity in self._pending:
                        self._pending[identity].untaken -= count
                self._room.set()
            case messages.Progress(identity, steps):
                with self._lock:
                    if identity in self._pending:  # it may have failed meanwhile
                        self._pending[identity].steps = steps
            case _:
                assert_never(message)

    def _heard(self, size: int) -> None:
        self._count(size)
        self.last_heard = time.monotonic()
        self._missed = 0

    def _count(self, size: int) -> None:
        self.messages += 1
        self.bytes += size

    def _reply(self, reply: messages.Reply) -> None:
        identity, failure = reply.identity, reply.failure
        if reply.content:
            self._bring(identity, 0, reply.content)
        with self._lock:
            pending = self._pending.pop(identity, None)
            self._carrying.pop(identity, None)
        if pending is None:
            raise ValueError(f"an answer to request {identity}, which awaits none")
        if failure is None and pending.missing:
            failure = Failure("internal", f"the page left out {pending.missing} bytes of a read")
        if failure is None:
            _settle(pending.future, Answer(reply.result))
        else:
            _settle(pending.future, PageFailure(failure))

    def _write_now(self, text: str) -> None:
        if self._ended is None:
            self._count(len(text))
            self.wire.send_frame(text)

    async def _send_all(self) -> None:
        """Send what is enqueued, at most a window of bytes ahead of the page."""
        try:
            while True:
                outgoing = await self._outgoing.get()
                self._count(len(outgoing.text))
                await self.wire.send_frame(outgoing.text)
                while outgoing.frames:
                    frame = outgoing.frames.popleft()
                    while self._unread >= _WINDOW:
                        self._room.clear()
                        await self._room.wait()
                    self._unread += len(frame) - messages.HEADER_BYTES
                    self._count(len(frame))
                    await self.wire.send_frame(frame)
        except WebSocketClosedError:
            self.end(page_left())

    async def _watch(self) -> None:
        """Ping while something is awaited; pings are counted, so a busy process misjudges none."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            with self._lock:
                waiting = bool(self._pending)
                large = any(len(p.content) >= _LARGE for p in self._pending.values())
            patience = _PATIENCE_WITH_BYTES if large or self._unread >= _LARGE else 1
            if not (self.wire.listened() and waiting):
                self._missed = 0
            elif self._missed >= patience * PINGS_MISSED:
                seconds = time.monotonic() - self.last_heard
                self.end(Failure("lost", f"the page has not answered for {seconds:.1f} s"))
            else:
                self._missed += 1
                self._write_now(messages.ping_text(self._missed))


def _settle(future: Future[Answer], outcome: Answer | PageFailure) -> None:
    try:
        if isinstance(outcome, PageFailure):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except InvalidStateError:
        return  # whoever waited has given up


def page_left() -> Failure:
    """The failure of everything that a closed page still owed."""
    return Failure("lost", "the page was closed or reloaded")
