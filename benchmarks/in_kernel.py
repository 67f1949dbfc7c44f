"""What the benchmark of pages runs in a notebook's kernel: transfers, calls and chains."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from statistics import median
from typing import Self

import anywidget
import numpy as np

import workbench as wb
from benchmarks import plain_http
from workbench.runtime.arrays import Array
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.device import open_device
from workbench.runtime.page_messages import Answer, Engine, Execute, Request, Write
from workbench.runtime.page_peer import Peer

BYTES = 64 << 20
PIECE = 8 << 20
"""Of a comm; notebook servers cut the connection at messages of 10 MiB."""

CONTENT = np.random.default_rng(0).integers(0, 256, BYTES, dtype=np.uint8)
TINY = wb.kernel("def tiny(x: f32[N]) -> f32[N]:\n    y[i] = 2.0 * x[i]\n    return y\n")
WAVES = wb.kernel(
    "def waves(x: f32[N]) -> f32[N]:\n"
    "    for i in grid(N):\n        v = x[i]\n"
    "        for t in range(4):\n            v = sin(v) + 0.5\n"
    "        y[i] = v\n    return y\n"
)
"""On a software GPU it takes about as long as its input does to cross."""


class Echo(anywidget.AnyWidget):
    """Takes bytes by comm, and sends as many back when asked."""

    _esm = f"""export default {{ initialize({{ model }}) {{
        const piece = new Uint8Array({PIECE});
        model.on("msg:custom", (content, buffers) => {{
            if (content.kind === "take") model.send({{ taken: buffers[0].byteLength }});
            else for (let sent = 0; sent < content.bytes; sent += {PIECE})
                model.send({{ sent: {PIECE} }}, undefined, [piece]);
        }});
    }} }};"""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0
        self.done = asyncio.Event()
        self.on_msg(self._heard)

    def _heard(self, _widget: object, content: dict[str, int], _buffers: object) -> None:
        self.left -= content.get("taken", content.get("sent", 0))
        if self.left <= 0:
            self.done.set()

    async def seconds(self, *, down: bool) -> float:
        """How long 64 MB take to the page or back."""
        self.left, self.done = BYTES, asyncio.Event()
        began = time.perf_counter()
        if down:
            for start in range(0, BYTES, PIECE):
                self.send({"kind": "take"}, [CONTENT[start : start + PIECE].data])
        else:
            self.send({"kind": "give", "bytes": BYTES})
        await asyncio.wait_for(self.done.wait(), 60)
        return time.perf_counter() - began


def device() -> BrowserDevice:
    found = open_device("browser")
    assert isinstance(found, BrowserDevice)
    return found


def serve() -> int:
    """The port of plain HTTP in this process."""
    return plain_http.serve(CONTENT.data)


def transfers() -> dict[str, float]:
    """Seconds of 64 MB into a buffer of the page's GPU, and back."""
    d = device()
    memory = d.allocate(BYTES)
    began = time.perf_counter()
    d.write(memory, CONTENT.data)
    d.read(memory, 4)  # which the GPU does once all is there
    between = time.perf_counter()
    d.read(memory, BYTES)
    ended = time.perf_counter()
    d.free(memory)
    return {"down": between - began, "up": ended - between}


def tiny(count: int = 100) -> float:
    """Median milliseconds of a tiny call, and of reading its result."""
    x = wb.array(np.ones(16, np.float32))
    seconds: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        np.asarray(TINY(x, on="browser"))
        seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds)


def chain(count: int = 50) -> float:
    """Milliseconds of a chain of tiny calls, and of reading the last result."""
    began = time.perf_counter()
    x = wb.array(np.ones(16, np.float32))
    for _ in range(count):
        x = TINY(x, on="browser")
    np.asarray(x)
    return 1000 * (time.perf_counter() - began)


class Ends:
    """When the page took each write of megabytes and had done each run, in their order."""

    def __init__(self, peer: Peer) -> None:
        self.peer, self.send = peer, peer.send
        self.writes: list[float] = []
        self.runs: list[float] = []

    def __enter__(self) -> Self:
        self.peer.send = self._noted
        return self

    def __exit__(self, *_: object) -> None:
        self.peer.send = self.send

    def _noted(
        self, request: Request, content: memoryview | None = None, engine: Engine = "gpu"
    ) -> Future[Answer]:
        future = self.send(request, content, engine)
        ends = {Write: self.writes, Execute: self.runs}.get(type(request))
        if ends is not None:
            future.add_done_callback(lambda _: ends.append(time.perf_counter()))
        return future

    @property
    def ahead(self) -> int:
        """How many inputs the page had while it still computed with the one before."""
        return sum(w < r for w, r in zip(self.writes[1:], self.runs, strict=False))


def stream(*, waiting: bool, count: int = 8) -> tuple[float, int]:
    """A loop of calls with new inputs of 16 MB, each waited for or only the last.

    Gives its seconds, and how many inputs were there before the run before was done.
    """
    inputs = [np.full(4 << 20, n, np.float32) for n in range(count)]
    began = time.perf_counter()
    last: Array | None = None
    with Ends(device().now().peer) as ends:
        for x in inputs:
            last = WAVES(x, on="browser")
            assert isinstance(last, Array)
            assert last.call is not None
            if waiting:
                last.call.wait()
        assert last is not None
        assert last.call is not None
        last.call.wait()
    return time.perf_counter() - began, ends.ahead
