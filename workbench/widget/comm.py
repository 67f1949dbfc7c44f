"""Pages that no socket reaches, through the comm of the hidden widget: slow, and the last resort.

A kernel hears nothing of a comm while it runs a cell, so only what is awaited can be answered.
Nothing tells when a page is gone, either: it is pinged while the kernel is free to hear it, and one
that was given up too early opens anew.
A widget's messages reach every page that shows its notebook: each says which page it is of or
for. The TypeScript twin is `js/src/comm.ts`.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from workbench.runtime.page_messages import REPLACED
from workbench.runtime.page_peer import page_left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Mapping, Sequence

    from anywidget import AnyWidget

    from workbench.runtime.page_peer import Peer
    from workbench.runtime.page_server import PageServer


class _Sent:
    """To be awaited or not: a frame is sent at once."""

    def __await__(self) -> Generator[None]:
        yield from ()


class CommWire:
    """Carries the frames of one page."""

    route = "through the notebook's comm, slowly, and only by what is awaited"

    def __init__(
        self, widget: AnyWidget, page: str, kernel: asyncio.AbstractEventLoop | None
    ) -> None:
        """`kernel` is the loop of the thread that hears the comm; None where it is not known."""
        self._widget = widget
        self._page = page
        self._kernel = kernel
        self._free = threading.Event()
        self._farewell: int | None = 0

    def listened(self) -> bool:
        """Whether the kernel was free since this was asked last: while it runs a cell it is not."""
        was_free = self._free.is_set()
        self._free.clear()
        if self._kernel is not None and not self._kernel.is_closed():
            self._kernel.call_soon_threadsafe(self._free.set)
        return was_free

    def answers_now(self) -> bool:
        """Not in the thread that would have to hear the answer."""
        return threading.current_thread() is not threading.main_thread()

    def send_frame(self, frame: str | bytes) -> Awaitable[None]:
        """Send a frame; below the 10 MiB that notebook servers pass on, as all frames are."""
        if isinstance(frame, bytes):
            self._widget.send({"page": self._page, "kind": "bytes"}, [frame])
        else:
            self._widget.send({"page": self._page, "kind": "text", "text": frame})
        return _Sent()

    def leave(self, *, to_another: bool) -> None:
        """What `close` is to say: that another page has opened, or nothing to one that is gone."""
        self._farewell = REPLACED if to_another else None

    def close(self, code: int, reason: str) -> None:
        """Tell the page that it is not asked any more."""
        if self._farewell is not None:
            code = self._farewell or code
            self._widget.send({"page": self._page, "kind": "close", "code": code, "reason": reason})


class Comms:
    """The pages behind a widget. One at a time: nothing tells when the last one is gone."""

    def __init__(self, widget: AnyWidget, server: PageServer) -> None:
        self._widget = widget
        self._server = server
        self._pages: dict[str, tuple[Peer, CommWire]] = {}
        self._kernel = _running_loop()
        widget.on_msg(self._heard)

    def _heard(
        self, _widget: object, content: Mapping[str, Any], buffers: Sequence[memoryview]
    ) -> None:
        match content:
            case {"page": str(page), "kind": "open"}:
                self._server.soon(self._open, page)
            case {"page": str(page), "kind": "text", "text": str(text)}:
                self._server.soon(self._take, page, text)
            case {"page": str(page), "kind": "bytes"} if buffers:
                self._server.soon(self._take, page, bytes(buffers[0]))
            case {"page": str(page), "kind": "close"}:
                self._server.soon(self._end, page)
            case _:
                return  # a page of another version; it never joins

    def _open(self, page: str) -> None:
        for other in list(self._pages):
            self._end(other, to_another=other != page)
        wire = CommWire(self._widget, page, self._kernel)
        self._pages[page] = self._server.joined(wire), wire

    def _take(self, page: str, frame: str | bytes) -> None:
        if page in self._pages:
            peer, _ = self._pages[page]
            self._server.heard(peer, frame)

    def _end(self, page: str, *, to_another: bool = False) -> None:
        if page in self._pages:
            peer, wire = self._pages.pop(page)
            wire.leave(to_another=to_another)
            peer.end(page_left())


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop of this thread, where it runs one: a kernel's main thread does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
