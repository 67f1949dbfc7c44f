"""Pages that only the notebook's comm reaches: given up when they are silent, and only then."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from tests.unit.runtime.fake_page import GPU, NO_WASM, wait_until
from workbench.runtime import page_messages as messages, page_peer
from workbench.runtime.page_server import PageServer
from workbench.widget.comm import Comms

Heard = Callable[[object, dict[str, Any], list[memoryview]], None]


class Widget:
    """A widget without a page: what is sent to pages stays here."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.heard: Heard = lambda *_: None

    def send(self, content: dict[str, Any], _buffers: object = None) -> None:
        self.sent.append(content)

    def on_msg(self, heard: Heard) -> None:
        self.heard = heard

    def open(self, page: str) -> None:
        """What a page says at first."""
        hello = {"kind": "hello", "version": messages.PROTOCOL_VERSION, "where": "worker"}
        text = json.dumps({**hello, "user_agent": "test", "gpu": GPU, "wasm": NO_WASM})
        self.heard(self, {"page": page, "kind": "open"}, [])
        self.heard(self, {"page": page, "kind": "text", "text": text}, [])

    def answer_pings(self, page: str) -> None:
        """What a page that lives says all the time."""
        self.heard(self, {"page": page, "kind": "text", "text": '{"kind": "pong", "id": 0}'}, [])

    def closed(self) -> list[tuple[str, int]]:
        return [(m["page"], m["code"]) for m in list(self.sent) if m["kind"] == "close"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
    """A server whose pages are pinged ten times as often, to save the tests' time."""
    monkeypatch.setattr(page_peer, "PING_SECONDS", 0.05)
    running = PageServer()
    running.start()
    yield running
    running.stop()


def joined(server: PageServer, widget: Widget, page: str = "one") -> page_peer.Peer:
    widget.open(page)
    wait_until(lambda: server.page is not None)
    peer = server.page
    assert peer is not None
    return peer


async def given_up(server: PageServer, *, busy: float = 0, answers: float = 0) -> Widget:
    """A page is asked; the kernel is busy so long, and the page answers pings so long."""
    widget = Widget()
    Comms(cast("Any", widget), server)
    future = joined(server, widget).send(messages.Alloc(1, 16))
    until = time.monotonic() + busy
    while time.monotonic() < until:
        assert not future.done()
    until = time.monotonic() + answers
    while time.monotonic() < until:
        widget.answer_pings("one")
        await asyncio.sleep(0.02)
    assert answers == 0 or not future.done()
    with pytest.raises(messages.PageFailure, match="has not answered") as raised:
        await asyncio.wait_for(asyncio.wrap_future(future), 10)
    assert raised.value.failure.kind == "lost"
    return widget


def run(work: Coroutine[Any, Any, Widget]) -> Widget:
    """What a coroutine gives, in a thread of its own: this one may have a loop that runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def test_a_silent_page_is_given_up_and_told_to_open_again(server: PageServer) -> None:
    widget = run(given_up(server))
    wait_until(lambda: widget.closed() == [("one", 1001)])

    assert server.page is None


def test_a_page_that_answers_is_waited_for(server: PageServer) -> None:
    run(given_up(server, answers=0.6))


def test_a_kernel_that_is_busy_gives_no_page_up(server: PageServer) -> None:
    """It hears nothing then, whatever a page says."""
    run(given_up(server, busy=0.6))


def test_a_page_whose_place_another_takes_is_told_so(server: PageServer) -> None:
    async def two() -> Widget:
        widget = Widget()
        Comms(cast("Any", widget), server)
        first = joined(server, widget)
        widget.open("one")
        wait_until(lambda: not first.alive)
        second = joined(server, widget)
        widget.open("two")
        wait_until(lambda: not second.alive)
        return widget

    widget = run(two())
    wait_until(lambda: widget.closed() == [("one", messages.REPLACED)])
