"""A page without a browser, for tests of the process's side."""

from __future__ import annotations

import json
import struct
import time
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import websocket

from workbench.runtime import page_messages as messages
from workbench.runtime.page_server import PageServer

GPU = {
    "available": True,
    "adapter": {
        "vendor": "test",
        "architecture": "",
        "description": "a GPU",
        "software": False,
        "limits": {"maxBufferSize": 1 << 30},
        "features": [],
    },
}

NO_WASM = {"available": False, "cause": "it is old", "remedy": "a new one"}


class FakePage:
    """A page without a browser: says hello and answers requests as it is told."""

    def __init__(self, server: PageServer, *, origin: str | None = "http://localhost:8888") -> None:
        self.server = server
        self.requests: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.taken: list[dict[str, Any] | bytes] = []
        options: dict[str, Any] = {"origin": origin} if origin else {"suppress_origin": True}
        address = f"ws://127.0.0.1:{server.port}/{server.token}/ws"
        self.socket = websocket.create_connection(address, timeout=10, **options)
        # The process speaks first.
        assert json.loads(self.socket.recv())["kind"] == "ping"

    def hello(
        self, *, version: int = messages.PROTOCOL_VERSION, gpu: Any = GPU, wasm: Any = NO_WASM
    ) -> None:
        self.send(
            kind="hello", version=version, where="worker", user_agent="test", gpu=gpu, wasm=wasm
        )

    def send(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def send_together(self, *messages: dict[str, Any]) -> None:
        self.socket.send(json.dumps(messages))

    def send_frame(self, identity: int, offset: int, payload: bytes) -> None:
        self.socket.send_binary(struct.pack("<IIQ", identity, 0, offset) + payload)

    def take(self) -> dict[str, Any] | bytes:
        """The next frame: a request, or bytes; pings are answered on the way."""
        while True:
            if self.taken:
                return self.taken.pop(0)
            frame = self.socket.recv()
            if isinstance(frame, bytes):
                return frame
            message = json.loads(frame)
            if isinstance(message, dict) and message["kind"] == "ping":
                self.send(kind="pong", id=message["id"])
                continue
            for request in message if isinstance(message, list) else [message]:
                content = request.pop("content", None)
                self.taken.append(request)
                if content is not None:  # as it would come in a frame of its own
                    header = struct.pack("<IIQ", request["id"], 0, 0)
                    self.taken.append(header + b64decode(content))

    def answer_pings(self, seconds: float) -> int:
        """Answer nothing but pings for a while; gives their number."""
        deadline = time.monotonic() + seconds
        count = 0
        self.socket.settimeout(seconds)
        while time.monotonic() < deadline:
            ping = json.loads(self.socket.recv())
            assert ping["kind"] == "ping"
            self.send(kind="pong", id=ping["id"])
            count += 1
        self.socket.settimeout(10)
        return count

    def answer_pings_until(self, kind: str) -> None:
        """Answer nothing but pings until a request of that kind comes."""
        last: dict[str, Any] | bytes = b""
        while not (isinstance(last, dict) and last["kind"] == kind):
            last = self.take()

    def close(self) -> None:
        self.socket.close()
        self.socket.shutdown()


def wait_until(condition: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
