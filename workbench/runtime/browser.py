"""The device `browser`: the pages that show the notebook, or `wb.connect()`'s page.

A page's GPU computes; where it has no WebGPU, its WebAssembly does, and `describe` says why. Of
several pages the one that last showed a panel is asked; what another one holds stays there, and
crosses where it is wanted. Buffers are lost with their page (`page_device.py`). Who opens a page
is not known here; the widget and `connect.py` do it.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.errors import DeviceError
from workbench.runtime.device import Description, Memory, Run
from workbench.runtime.front_end import here
from workbench.runtime.page_device import PageDevice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.program import Program
    from workbench.runtime.device import Raw, Target
    from workbench.runtime.page_messages import Engine, PageReport
    from workbench.runtime.page_peer import Peer
    from workbench.runtime.page_server import PageServer

_OPENING_SECONDS = 10.0
"""How long a page that is just being opened is waited for, or in a new cell one that left."""

_RETURN_SECONDS = 1.5
"""How long one that left is waited for by what it has left alone: its socket may have been cut."""

_RELOADED_SECONDS = 2.0
"""How long the page is waited for that a page of another version has been reloaded to."""

_PROXY_REMEDY = (
    "run the cell again: a page that is reached by comm joins between cells; "
    "or pip install jupyter-server-proxy beside the notebook server, and reload the page"
)
_REOPEN = "the cell again, once a browser shows the notebook again; or workbench.connect()"
_RELOAD = "reload the page, and run the cell again"
_REMEDY = "%load_ext workbench in a notebook that is open in a browser, or workbench.connect()"


class BrowserDevice:
    """The GPU of a page, or its WebAssembly, driven from here. Opening it starts nothing."""

    def __init__(self, server: PageServer | None = None) -> None:
        """Use that server; without one, `serve` makes it when a page is wanted."""
        self.name = "browser"
        self._server = server
        self._expected_until = 0.0
        self._expected = False
        self._refused: tuple[str, str] | None = None
        self._seen = False
        self._awaited = -math.inf
        """When the page had left that was last waited for in a new cell."""
        self.handles = itertools.count(1)
        self._devices: dict[Peer, PageDevice] = {}
        self._lock = threading.Lock()

    @property
    def generation(self) -> int:
        """Another one with another page that is asked, and with every GPU that is lost."""
        page = None if self.pages is None else self.pages.page
        report = None if page is None else page.report
        engine = None if report is None else self._engine(report)
        return 0 if page is None or engine is None else page.generations[engine]

    @property
    def target(self) -> Target:
        """What the page runs: wgsl, or wasm where it has no GPU."""
        page = None if self.pages is None else self.pages.page
        report = None if page is None else page.report
        return "wasm" if report is not None and self._engine(report) == "wasm" else "wgsl"

    @property
    def kept(self) -> int:
        """None here: a page keeps its own."""
        return 0

    @property
    def pages(self) -> PageServer | None:
        """The server, if it was started."""
        return self._server

    def _engine(self, report: PageReport) -> Engine | None:
        """What of the page computes for this device."""
        return report.engine

    def _lack(self, report: PageReport) -> tuple[str, str]:
        """Why a page has nothing that computes, and the remedy."""
        return report.cause, report.remedy

    def serve(self, server: PageServer | None = None) -> PageServer:
        """The running server that pages connect to; the first call starts it.

        Raises `DeviceError` where tornado is not installed, or the system gives no port.
        """
        if self._server is None:
            self._server = server or _new_server()
        try:
            self._server.start()
        except DeviceError as error:
            self._refused = error.mistakes[0].message, error.mistakes[0].hint
            raise
        self._refused = None
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

    def expect_return(self) -> None:
        """Say that a new cell begins: it waits, once, for a page that has left to come back."""
        server = self._server
        if not self._seen or server is None or server.page is not None:
            return
        if server.parted_at > self._awaited:
            self._awaited = server.parted_at
            self.expect_page()

    def describe(self) -> Description:
        """The page's adapter; waits for a page only while one is being opened."""
        page = self._asked()
        if not isinstance(page, PageDevice):
            cause, remedy = page
            return Description(self.name, self.target, available=False, cause=cause, remedy=remedy)
        found, count = page.describe(), 0 if self.pages is None else self.pages.count
        if count == 1 and found.name == self.name:
            return found
        which = f"; page {page.peer.number} of {count}" if count > 1 else ""
        return replace(found, name=self.name, adapter=found.adapter + which)

    def now(self) -> PageDevice:
        """The page that is asked now. Raises `DeviceError` where there is none that can compute."""
        page = self._asked()
        if isinstance(page, PageDevice):
            return page
        cause, remedy = page
        raise DeviceError(f"device '{self.name}': {cause}", hint=remedy)

    def _asked(self) -> PageDevice | tuple[str, str]:
        """The page that is asked now, or why there is none that can compute, and the remedy."""
        peer = self.find_page()
        if peer is None or peer.report is None:
            return self.absence()
        engine = self._engine(peer.report)
        if engine is None:
            return self._lack(peer.report)
        with self._lock:
            self._devices = {p: d for p, d in self._devices.items() if p.alive}
            if peer not in self._devices:
                name = self.name if peer.number == 1 else f"{self.name} (page {peer.number})"
                device = PageDevice(name, peer, peer.report, engine, handles=self.handles)
                self._devices[peer] = device
            for device in self._devices.values():
                device.give_back()
            return self._devices[peer]

    def allocate(self, size: int) -> Memory:
        """A buffer in the page that is asked now."""
        return self.now().allocate(size)

    def write(self, memory: Memory, content: memoryview, offset: int = 0) -> None:
        """Send bytes to the page of a buffer."""
        memory.device.write(memory, content, offset)

    def read(self, memory: Memory, size: int) -> Raw:
        """The first bytes of a buffer, of whichever page."""
        return memory.device.read(memory, size)

    def ask(self, memory: Memory, size: int) -> Callable[[], Raw]:
        """Ask the page of a buffer for its first bytes; what it gives waits for them."""
        return memory.device.ask(memory, size)

    def free(self, memory: Memory) -> None:
        """Give a buffer back to its page."""
        memory.device.free(memory)

    def prepare(self, program: Program) -> None:
        """Compile in the page that is asked now."""
        self.now().prepare(program)

    def enqueue(
        self, program: Program, buffers: dict[str, Memory], scalars: Sequence[float], *,
        traced: bool = False,
    ) -> Run:  # fmt: skip
        """Send a run to the page that holds the buffers; returns at once."""
        device = next((m.device for m in buffers.values()), None) or self.now()
        return device.enqueue(program, buffers, scalars, traced=traced)

    def stop(self) -> None:
        """End every run that was enqueued so far, in every page, at its next slice."""
        for device in list(self._devices.values()):
            device.stop()

    def close(self) -> None:
        """Part from all pages and stop serving."""
        if self._server is not None:
            self._server.stop()
        self._server = None
        self._devices.clear()

    def traffic(self) -> tuple[int, int]:
        """Messages and bytes that went between here and the page so far, either way."""
        peer = self.now().peer
        return peer.messages, peer.bytes

    def ping(self) -> float:
        """Seconds that a question to the page and back takes."""
        return self.now().ping()

    def absence(self) -> tuple[str, str]:
        """Why there is no page, and what to do about it."""
        if self._refused is not None:
            return self._refused
        if self._server is not None and self._server.turned_away:
            return self._server.turned_away, _RELOAD
        if self._seen:
            return "the page that was connected was closed or reloaded", _REOPEN
        shown_in = here()
        if shown_in is not None:
            return shown_in.cause, shown_in.remedy
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
                left = max(left, server.parted_at + _RETURN_SECONDS - time.monotonic())
            if server.turned_away:
                left = _RELOADED_SECONDS
            page = server.wait_for_page(max(0.0, left))
        if page is not None:
            self._seen, self._expected_until = True, -math.inf
        return page


def _new_server() -> PageServer:
    try:
        from workbench.runtime.page_server import PageServer  # noqa: PLC0415  (loads tornado)
    except ImportError as error:
        raise DeviceError(
            f"device 'browser': {error.name} is not installed",
            hint="pip install 'wgpu-workbench[notebook]'",
        ) from error
    return PageServer()


def open_device() -> BrowserDevice:
    """The device, without a page."""
    return BrowserDevice()
