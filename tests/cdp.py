"""A Chromium driven by its own protocol, which mirrors no bytes: for transfers of megabytes.

`opened(executable)` starts one; `Chrome.open(address)` gives a Tab, `Tab.worker()` the Tab of its
worker; `evaluate` runs an expression there and waits for its promise. Playwright hears every
websocket frame of a page and dies of large ones; nothing here asks for them.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import websocket

from tests.lab import FLAGS, stop


@dataclass(slots=True)
class Chrome:
    """A running browser and the socket of its protocol."""

    socket: websocket.WebSocket
    last: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The result of a method; raises RuntimeError where the browser refuses it."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while (answer := json.loads(self.socket.recv())).get("id") != self.last:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, address: str) -> Tab:
        """A new page that shows an address."""
        target = self.call("Target.createTarget", url=address)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Tab(self, session, target)


@dataclass(frozen=True, slots=True)
class Tab:
    """A page or one of its workers."""

    chrome: Chrome
    session: str
    target: str

    def evaluate(self, expression: str) -> Any:
        """The JSON value of an expression, after its promise; raises RuntimeError as it throws."""
        answer = self.chrome.call(
            "Runtime.evaluate", self.session,
            expression=expression, awaitPromise=True, returnByValue=True,
        )  # fmt: skip
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def wait(self, condition: str, *, seconds: float = 60) -> Any:
        """The first value of an expression that is true; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not (value := self.evaluate(condition)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{condition}: still not so after {seconds:g} s")
            time.sleep(0.02)
        return value

    def worker(self) -> Tab:
        """The page's first worker, waited for."""
        self.chrome.call(
            "Target.setAutoAttach", self.session,
            autoAttach=True, waitForDebuggerOnStart=False, flatten=True,
        )  # fmt: skip
        while True:
            for event in self.chrome.events:
                found = event["params"].get("targetInfo", {})
                mine = event.get("sessionId") == self.session and found.get("type") == "worker"
                if event["method"] == "Target.attachedToTarget" and mine:
                    return Tab(self.chrome, event["params"]["sessionId"], found["targetId"])
            self.chrome.events.append(json.loads(self.chrome.socket.recv()))

    def close(self) -> None:
        """Close the page."""
        self.chrome.call("Target.closeTarget", targetId=self.target)


@contextmanager
def opened(executable: str, flags: Sequence[str] = ()) -> Iterator[Chrome]:
    """A headless browser of its own; `flags` are added to those that every test has."""
    # Processes of the browser outlive it by a moment, and still write there.
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [
            executable, "--headless=new", "--remote-debugging-port=0",
            f"--user-data-dir={folder}", *FLAGS, *flags, "about:blank",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            chrome = Chrome(_connect(process, Path(folder) / "DevToolsActivePort"))
            try:
                yield chrome
            finally:
                chrome.socket.shutdown()
        finally:
            stop(process)


def _connect(process: subprocess.Popen[bytes], said: Path) -> websocket.WebSocket:
    """The socket, whose address the browser writes to a file once it listens."""
    deadline = time.monotonic() + 60
    while not (said.exists() and said.read_text().count("\n")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the browser did not start: {process.args!r}")
        time.sleep(0.02)
    port, path = said.read_text().splitlines()[:2]
    return websocket.create_connection(
        f"ws://127.0.0.1:{port}{path}", timeout=120, suppress_origin=True
    )
