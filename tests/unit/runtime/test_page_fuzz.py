"""Whatever a page sends, the process closes that page's socket and goes on, or takes no notice."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
import websocket

from tests.unit.runtime.fake_page import GPU, NO_WASM, FakePage, wait_until
from tests.unit.runtime.test_page_server import status_of
from workbench.base.errors import DeviceError
from workbench.runtime import page_messages as messages, page_server
from workbench.runtime.page_messages import PageFailure, parse_messages
from workbench.runtime.page_peer import Peer
from workbench.runtime.page_server import PageServer, allowed_host

HELLO: dict[str, Any] = {
    "kind": "hello", "version": messages.PROTOCOL_VERSION, "where": "worker",
    "user_agent": "test", "gpu": GPU, "wasm": NO_WASM,
}  # fmt: skip
SOUND: tuple[dict[str, Any], ...] = (
    HELLO,
    HELLO | {"gpu": {"available": False, "cause": "old", "remedy": "a new one"}},
    {"kind": "reply", "id": 1, "ok": {"milliseconds": 1, "kernels": [{"nanoseconds": 5}]}},
    {"kind": "reply", "id": 1, "error": {"kind": "shader", "message": "no", "line": 3}},
    {"kind": "reply", "id": 1, "ok": {"content": "YWJj"}},
    {"kind": "received", "id": 1, "bytes": 4},
    {"kind": "pong", "id": 1},
    {"kind": "lost", "engine": "gpu", "message": "gone"},
    {"kind": "fault", "message": "bad"},
    {"kind": "shown"},
    {"kind": "stop", "number": 3},
    {
        "kind": "reply",
        "id": 1,
        "ok": {
            "stamps": [{"op": "dispatch", "name": "k", "begin": 0, "end": 5}],
            "step": 1,
        },
    },
)
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "x" * 99,
    [],
    {},
)


@pytest.fixture
def server(caplog: pytest.LogCaptureFixture) -> Iterator[PageServer]:
    """A running server that has logged no error in the end."""
    running = PageServer()
    running.start()
    yield running
    running.stop()
    assert [r.message for r in caplog.records if r.levelno >= logging.ERROR] == []


def joined(server: PageServer) -> tuple[FakePage, Peer]:
    """A page that said hello, and the process's end of it."""
    page = FakePage(server)
    page.hello()
    wait_until(lambda: server.page is not None)
    assert server.page is not None
    return page, server.page


def closing(page: FakePage) -> tuple[int, str]:
    """The code and the reason with which the process closes the socket of a page."""
    code, content = page.socket.recv_data()
    while code != websocket.ABNF.OPCODE_CLOSE:
        code, content = page.socket.recv_data()
    page.close()
    return int.from_bytes(content[:2], "big"), content[2:].decode()


def changed(rng: random.Random, value: Any) -> Any:
    """The value with one thing in it left out, doubled or of another type."""
    match value:
        case dict() if value and rng.random() < 0.8:
            key = rng.choice(list(value))
            if rng.random() < 0.2:
                return {k: v for k, v in value.items() if k != key}
            return value | {key: changed(rng, value[key])}
        case list() if value and rng.random() < 0.8:
            place = rng.randrange(len(value))
            return [*value[:place], changed(rng, value[place]), *value[place:]]
        case _:
            return rng.choice(ODD)


def test_no_text_makes_the_reader_fail_otherwise_than_by_value_error() -> None:
    rng = random.Random(4)
    refused = 0
    for _ in range(5000):
        text = json.dumps(changed(rng, rng.choice(SOUND)))
        if rng.random() < 0.3:
            text = text[: rng.randrange(len(text))]
        try:
            parse_messages(text)
        except ValueError:
            refused += 1
    assert refused > 1000


@pytest.mark.parametrize("text", ["", "[" * 100_000, "1" * 5000, "null", '"hello"', "\x00", "NaN"])
def test_a_text_that_is_no_message_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_messages(text)


def test_random_bytes_and_texts_only_close_their_socket(server: PageServer) -> None:
    rng = random.Random(5)
    good, peer = joined(server)
    for _ in range(60):
        page = FakePage(server)
        if rng.random() < 0.5:
            page.hello()
        if rng.random() < 0.5:
            page.socket.send_binary(rng.randbytes(rng.choice([0, 3, 15, 16, 40, 5000])))
        else:
            page.socket.send(json.dumps(changed(rng, rng.choice(SOUND))))
        page.close()
    future = peer.send(messages.Alloc(1, 16))
    request = good.take()
    assert isinstance(request, dict)
    good.send(kind="reply", id=request["id"], ok={})

    assert future.result(5).values == {}
    assert server.page is peer
    good.close()


def test_a_malformed_message_closes_the_socket_and_says_why(server: PageServer) -> None:
    page, peer = joined(server)
    future = peer.send(messages.Alloc(1, 16))
    page.send(kind="reply", id=[1], ok=None)
    code, reason = closing(page)

    assert code == 1002
    assert "sent what it should not" in reason
    assert "sent what it should not" in str(future.exception(5))


def test_an_oversized_message_closes_the_socket(server: PageServer) -> None:
    page, peer = joined(server)
    future = peer.send(messages.Alloc(1, 16))
    page.take()
    with suppress(OSError):
        page.socket.send_binary(bytes(3 * messages.CHUNK_BYTES))

    assert isinstance(future.exception(5), PageFailure)
    page.close()


Send = Callable[[FakePage], None]


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (lambda page: page.hello(), "says hello once"),
        (lambda page: page.send(kind="reply", id=1, ok={}), "an answer to request 1"),
        (lambda page: page.send(kind="reply", id=9, ok={}), "an answer to request 9"),
        (lambda page: page.send(kind="received", id=2, bytes=4), "took 4 bytes of 0"),
        (lambda page: page.send(kind="received", id=2, bytes=-4), "took -4 bytes of 0"),
        (lambda page: page.send_frame(2, 0, b"abcd"), "bytes for request 2"),
        (lambda page: page.send_frame(2, 1 << 62, b"efgh"), "bytes behind the end"),
        (lambda page: page.send_frame(2, 0, b"abcdefghi"), "bytes for request 2"),
        (lambda page: page.send_frame(1, 0, b"abcd"), "bytes for request 1"),
        (lambda page: page.send_frame(7, 0, b"abcd"), "bytes for request 7"),
        (lambda page: page.send(kind="reply", id=2, ok={"content": "YWJj"}), "bytes for request 2"),
        (lambda page: page.send(kind="reply", id=2, ok={"content": "*"}), "what it should not"),
        (lambda page: page.send_together({"kind": "pong"}, {"kind": "no"}), "unknown message"),
        (lambda page: page.socket.send_binary(b"abc"), "shorter than its header"),
    ],
)  # fmt: skip
def test_replayed_and_stray_messages_close_the_socket(
    server: PageServer, send: Send, words: str
) -> None:
    page, peer = joined(server)
    answered = peer.send(messages.Alloc(1, 16))
    awaited = peer.send(messages.Read(1, 0, 8), memoryview(bytearray(8)))
    page.send(kind="reply", id=1, ok={})
    answered.result(5)
    page.send_frame(2, 0, b"abcd")
    send(page)
    _, reason = closing(page)

    assert words in reason
    assert words in str(awaited.exception(5))


def test_a_read_whose_bytes_did_not_come_is_no_zeros(server: PageServer) -> None:
    page, peer = joined(server)
    future = peer.send(messages.Read(1, 0, 8), memoryview(bytearray(8)))
    page.take()
    page.send_frame(1, 0, b"abcd")
    page.send(kind="reply", id=1, ok={})

    assert "left out 4 bytes" in str(future.exception(5))
    page.close()


def test_a_page_of_an_older_version_is_told_to_go_and_the_process_says_why(
    server: PageServer,
) -> None:
    page = FakePage(server)
    page.hello(version=1)
    code, reason = closing(page)

    assert code == 4001
    assert reason == f"the page speaks protocol 1, this process {messages.PROTOCOL_VERSION}"
    assert server.turned_away == reason
    joined(server)[0].close()
    assert server.turned_away == ""


def test_many_errors_of_a_page_s_gpu_are_not_kept(server: PageServer) -> None:
    page, peer = joined(server)
    for number in range(100):
        page.send(kind="fault", message=f"fault {number}")
    wait_until(lambda: peer.faults and peer.faults[-1] == "fault 99")

    assert len(peer.faults) == 8
    page.close()


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:5000", True),
        ("localhost:5000", True),
        ("[::1]:5000", True),
        ("hub.example", True),
        ("lab.example:8888", True),
        ("evil.example:5000", False),
        ("127.0.0.1.evil.example:5000", False),
        ("evil.example:99999", False),
        ("", False),
        (":5000", False),
        ("[::1", False),
    ],
)
def test_hosts(host: str, *, allowed: bool) -> None:
    assert allowed_host(host, 5000) is allowed


def test_a_name_that_was_made_to_lead_here_is_refused(server: PageServer) -> None:
    name = f"evil.example:{server.port}"
    headers = {"Origin": f"http://{name}", "Host": name}

    assert status_of(server, server.token, **headers) == 403


def test_a_port_that_is_taken_is_an_error_and_not_a_hang(
    server: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = page_server.listening
    with monkeypatch.context() as patched:
        patched.setattr(page_server, "listening", lambda: listening(server.port))
        second = PageServer()
        started = time.monotonic()
        with pytest.raises(DeviceError, match=r"cannot listen on 127\.0\.0\.1: .*in use"):
            second.start()

        assert time.monotonic() - started < 2
    second.start()
    assert second.port not in {0, server.port}
    second.stop()


def test_every_process_has_a_token_of_its_own_of_256_bits() -> None:
    tokens = {PageServer().token for _ in range(20)}

    assert len(tokens) == 20
    assert all(len(token) >= 43 for token in tokens)


def test_the_server_listens_on_loopback_only(server: PageServer) -> None:
    sockets = [c.laddr for c in psutil.Process().net_connections("inet") if c.status == "LISTEN"]

    assert [address.ip for address in sockets if address.port == server.port] == ["127.0.0.1"]
