"""The server that pages connect to: who may, what crosses, and how a lost page is noticed."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
import websocket

from tests.unit.runtime.fake_page import FakePage, wait_until
from workbench.runtime import page_messages as messages
from workbench.runtime.page_messages import CHUNK_BYTES, Answer, PageFailure
from workbench.runtime.page_peer import Peer
from workbench.runtime.page_server import PageServer, allowed_origin


@pytest.fixture
def server() -> Iterator[PageServer]:
    running = PageServer(lambda path: ("text/plain", b"page") if path == "" else None)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def join(server: PageServer) -> Iterator[Callable[..., FakePage]]:
    pages: list[FakePage] = []

    def make(**options: Any) -> FakePage:
        before = server.count
        page = FakePage(server)
        page.hello(**options)
        pages.append(page)
        wait_until(lambda: server.count > before)
        return page

    yield make
    for page in pages:
        page.close()


def asked(server: PageServer) -> Peer:
    peer = server.page
    assert peer is not None
    return peer


def failure_of(future: Future[Answer]) -> messages.Failure:
    error = future.exception(5)
    assert isinstance(error, PageFailure)
    return error.failure


def status_of(server: PageServer, token: str, **headers: str) -> int:
    """The status with which a websocket is answered: 101 where it may connect."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    }
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
        connection.request("GET", f"/{token}/ws", headers={**upgrade, **headers})
        with connection.getresponse() as response:
            return response.status


def test_a_wrong_token_is_refused(server: PageServer) -> None:
    assert status_of(server, "x" * len(server.token), Origin="http://localhost:8888") == 403


def test_a_foreign_origin_is_refused_with_the_right_token(server: PageServer) -> None:
    assert status_of(server, server.token, Origin="https://evil.example") == 403


def test_a_sandboxed_frame_or_file_is_refused(server: PageServer) -> None:
    assert status_of(server, server.token, Origin="null") == 403


def test_a_notebook_of_this_machine_may_connect(server: PageServer) -> None:
    assert status_of(server, server.token, Origin="http://localhost:8888") == 101


def test_a_notebook_behind_its_own_proxy_may_connect(server: PageServer) -> None:
    headers = {"Origin": "https://hub.example", "Host": "hub.example"}

    assert status_of(server, server.token, **headers) == 101


def test_a_program_with_the_token_may_connect(server: PageServer) -> None:
    assert status_of(server, server.token) == 101


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://127.0.0.1:8888", "127.0.0.1:5000", True),
        ("http://[::1]:8888", "127.0.0.1:5000", True),
        ("http://localhost.evil.example", "127.0.0.1:5000", False),
        ("https://evil.example/localhost", "127.0.0.1:5000", False),
        ("https://hub.example:444", "hub.example", False),
        ("file://", "127.0.0.1:5000", False),
        ("", "127.0.0.1:5000", False),
    ],
)
def test_origins(origin: str, host: str, *, allowed: bool) -> None:
    assert allowed_origin(origin, host) is allowed


def test_content_is_below_the_token_only(server: PageServer) -> None:
    with urllib.request.urlopen(server.address) as response:
        assert response.read() == b"page"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/wrong/")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(server.address + "other")


def test_a_request_is_a_future_of_its_answer(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page = join()
    future = asked(server).send(messages.Alloc(1, 16))
    request = page.take()
    assert isinstance(request, dict)
    assert not future.done()
    page.send(kind="reply", id=request["id"], ok={"x": 1})

    assert request == {
        "kind": "alloc", "id": 1, "engine": "gpu", "buffer": 1, "bytes": 16,
    }  # fmt: skip
    assert future.result(5).values == {"x": 1}


def test_requests_that_come_together_are_one_frame_once_somebody_waits(
    server: PageServer, join: Callable[..., FakePage], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_QUIET_SECONDS", "_HELD_SECONDS"):
        monkeypatch.setattr(f"workbench.runtime.page_peer.{name}", 60.0)
    page, peer = join(), asked(server)
    before = peer.messages
    for number in range(100):
        peer.send(messages.Alloc(number, 16))
    peer.flush()

    taken = [page.take() for _ in range(100)]
    assert [t["buffer"] for t in taken if isinstance(t, dict)] == list(range(100))
    assert peer.messages == before + 1


def test_a_request_that_nobody_waits_for_is_sent_all_the_same(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page = join()
    future = asked(server).send(messages.Alloc(1, 16))
    page.take()
    page.send(kind="reply", id=1, ok={})

    assert future.result(5).values == {}


def test_answers_come_in_one_frame_with_the_bytes_of_a_short_read(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page, content = join(), bytearray(6)
    peer = asked(server)
    ran = peer.send(messages.Alloc(1, 16))
    read = peer.send(messages.Read(1, 0, 6), memoryview(content))
    page.take()
    page.send_together(
        {"kind": "reply", "id": 1, "ok": {"x": 1}},
        {"kind": "reply", "id": 2, "ok": {"content": b64encode(b"abcdef").decode()}},
    )
    read.result(5)

    assert ran.result(0).values == {"x": 1}
    assert content == b"abcdef"


def test_a_failure_is_raised_with_its_place(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page = join()
    future = asked(server).send(messages.Compile("key", {}))
    page.take()
    error = {"kind": "shader", "message": "no", "kernel": "k", "line": 3, "column": 7}
    page.send(kind="reply", id=1, error=error)

    assert failure_of(future) == messages.Failure("shader", "no", "k", 3, 7)


def test_bytes_of_a_read_are_put_together(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page = join()
    content = bytearray(6)
    future = asked(server).send(messages.Read(1, 0, 6), memoryview(content))
    page.take()
    page.send_frame(1, 3, b"def")
    page.send_frame(1, 0, b"abc")
    page.send(kind="reply", id=1, ok={})
    future.result(5)

    assert content == b"abcdef"


def test_a_page_that_sends_more_than_was_asked_for_is_turned_away(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page = join()
    future = asked(server).send(messages.Read(1, 0, 4), memoryview(bytearray(4)))
    page.take()
    page.send_frame(1, 3, b"xyz")

    assert failure_of(future).kind == "internal"


def test_large_writes_run_at_most_a_window_ahead(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page = join()
    content = bytes(range(256)) * (10 * CHUNK_BYTES // 256)
    future = asked(server).send(messages.Write(1, 0, len(content)), memoryview(content))
    page.take()
    arrived = [page.take() for _ in range(8)]
    page.socket.settimeout(0.3)
    with pytest.raises(websocket.WebSocketTimeoutException):
        page.take()
    page.socket.settimeout(10)
    for _ in range(2):
        page.send(kind="received", id=1, bytes=CHUNK_BYTES)
        arrived.append(page.take())
    page.send(kind="reply", id=1, ok={})
    future.result(5)
    parts = [messages.unpack_frame(frame) for frame in arrived if isinstance(frame, bytes)]

    assert [(identity, offset) for identity, offset, _ in parts] == [
        (1, n * CHUNK_BYTES) for n in range(10)
    ]
    assert b"".join(payload for _, _, payload in parts) == content


def test_a_closed_page_fails_its_requests_at_once(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page = join()
    future = asked(server).send(messages.Alloc(1, 16))
    page.take()
    started = time.monotonic()
    page.close()

    assert failure_of(future).kind == "lost"
    assert time.monotonic() - started < 0.5
    assert server.page is None


def test_a_silent_page_is_given_up_in_about_two_seconds(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    join()
    started = time.monotonic()
    failure = failure_of(asked(server).send(messages.Alloc(1, 16)))

    assert failure.kind == "lost"
    assert "has not answered" in failure.message
    assert time.monotonic() - started < 3
    wait_until(lambda: server.page is None)


def test_a_slow_page_that_answers_pings_is_waited_for(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page = join()
    future = asked(server).send(messages.Alloc(1, 16))
    page.take()
    pings = page.answer_pings(3)
    assert not future.done()
    page.send(kind="reply", id=1, ok={})

    assert pings >= 4
    assert future.result(5).values == {}


def test_requests_to_a_page_that_is_gone_fail(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page = join()
    peer = asked(server)
    page.close()
    wait_until(lambda: not peer.alive)

    assert failure_of(peer.send(messages.Alloc(1, 16))).kind == "lost"


def test_a_second_page_stands_by(server: PageServer, join: Callable[..., FakePage]) -> None:
    first = join()
    peer = asked(server)
    join()
    assert asked(server) is peer
    first.close()
    wait_until(lambda: server.page not in {None, peer})

    assert asked(server).number == 2


def test_the_page_that_last_showed_a_panel_is_asked(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    pages = [join(), join(), join()]
    order: list[int] = []
    for n in (2, 1, 0, 1):
        pages[n].send(kind="shown")
        wait_until(lambda wanted=n + 1: asked(server).number == wanted)
        order.append(asked(server).number)
    pages[1].close()
    wait_until(lambda: asked(server).number != 2)

    assert order == [3, 2, 1, 2]
    assert asked(server).number == 1, "of those that are left it was shown last"


def test_a_page_takes_the_number_of_one_that_is_gone(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    first, _ = join(), join()
    first.close()
    wait_until(lambda: server.count == 1)
    join().send(kind="shown")
    wait_until(lambda: asked(server).number == 1)

    assert server.count == 2


def test_a_page_with_a_gpu_is_preferred(server: PageServer, join: Callable[..., FakePage]) -> None:
    join(gpu={"available": False, "cause": "no WebGPU", "remedy": "another browser"})
    poor = asked(server)
    join()
    wait_until(lambda: asked(server) is not poor)
    report = asked(server).report

    assert report is not None
    assert report.cause == ""


def test_a_lost_gpu_makes_a_new_generation(
    server: PageServer, join: Callable[..., FakePage]
) -> None:
    page, _ = join(), join()
    peer = asked(server)
    before = dict(peer.generations)
    page.send(kind="lost", engine="gpu", message="driver reset")
    wait_until(lambda: peer.generations["gpu"] > before["gpu"])

    assert server.page is peer
    assert peer.generations["wasm"] == before["wasm"], "the other engine keeps its buffers"


def test_a_page_of_another_version_is_turned_away(server: PageServer) -> None:
    page = FakePage(server)
    page.hello(version=999)

    assert page.socket.recv() == ""
    assert server.page is None
    page.close()


def test_a_page_that_was_turned_away_is_waited_for_once_it_is_reloaded(server: PageServer) -> None:
    old, new = FakePage(server), FakePage(server)
    old.hello(version=999)
    assert old.socket.recv() == ""
    threading.Timer(0.2, new.hello).start()
    peer = server.wait_for_page(5)
    old.close()
    new.close()

    assert peer is not None


def test_waiting_for_a_page_ends_when_a_wrong_one_comes(server: PageServer) -> None:
    page = FakePage(server)
    threading.Timer(0.2, lambda: page.hello(version=999)).start()
    began = time.monotonic()

    assert server.wait_for_page(30) is None
    assert time.monotonic() - began < 10
    page.close()


def test_waiting_for_a_page_ends_when_one_comes(server: PageServer) -> None:
    page = FakePage(server)
    threading.Timer(0.2, page.hello).start()
    peer = server.wait_for_page(5)
    page.close()

    assert peer is not None


def test_waiting_for_no_page_takes_no_longer_than_asked(server: PageServer) -> None:
    started = time.monotonic()

    assert server.wait_for_page(0) is None
    assert time.monotonic() - started < 0.1
