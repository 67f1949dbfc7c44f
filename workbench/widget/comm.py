"""Pages that no socket reaches, through the comm of the hidden widget: slow, and the last resort.

A kernel hears nothing of a comm while it runs a cell, so only what is awaited can be answered.
A widget's messages reach every page that shows its notebook: each says which page it is of or
for. The TypeScript twin is `js/src/comm.ts`.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from workbench.runtime.page_peer import page_left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from anywidget import AnyWidget

    from workbench.runtime.page_peer import Peer
    from workbench.runtime.page_server import PageServer


class CommWire:
    """Carries the frames of one page."""

    route = "through the notebook's comm, slowly, and only by what is awaited"

    watched = False  # a kernel that runs a cell hears nothing, whoever is there

    def __init__(self, widget: AnyWidget, page: str) -> None:
        self._widget = widget
        self._page = page

    def answers_now(self) -> bool:
        """Not in the thread that would have to hear the answer."""
        return threading.current_thread() is not threading.main_thread()

    def send_frame(self, frame: str | bytes) -> Awaitable[None]:
        """Send a frame; below the 10 MiB that notebook servers pass on, as all frames are."""
        if isinstance(frame, bytes):
            self._widget.send({"page": self._page, "kind": "bytes"}, [frame])
        else:
            self._widget.send({"page": self._page, "kind": "text", "text": frame})
        return asyncio.sleep(0)

    def close(self, code: int, reason: str) -> None:
        """Tell the page that it is not asked any more."""
        self._widget.send({"page": self._page, "kind": "close", "code": code, "reason": reason})


class Comms:
    """The pages behind a widget. One at a time: nothing tells when the last one is gone."""

    def __init__(self, widget: AnyWidget, server: PageServer) -> None:
        self._widget = widget
        self._server = server
        self._peers: dict[str, Peer] = {}
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
        for other in list(self._peers):
            self._end(other)
        self._peers[page] = self._server.joined(CommWire(self._widget, page))

    def _take(self, page: str, frame: str | bytes) -> None:
        peer = self._peers.get(page)
        if peer is not None:
            self._server.heard(peer, frame)

    def _end(self, page: str) -> None:
        peer = self._peers.pop(page, None)
        if peer is not None:
            peer.end(page_left())
