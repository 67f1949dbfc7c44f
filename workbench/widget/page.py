"""The hidden widget that makes a notebook's page join this process as the device `browser`.

It need not be displayed: its code runs as soon as the page hears of it, finds the server directly,
through the notebook's proxy or else through the widget's own comm, and goes on serving until the
widget is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import traitlets
from IPython.core.getipython import get_ipython  # pyright: ignore[reportUnknownVariableType]

from workbench.base.progress import BOARD
from workbench.runtime.device import open_device
from workbench.widget.bundle import Bundled
from workbench.widget.comm import Comms

if TYPE_CHECKING:
    from workbench.runtime.browser import BrowserDevice
    from workbench.runtime.page_server import PageServer


class Page(Bundled):
    """Tells a page where this process listens. `close()` makes the page leave."""

    kind = traitlets.Unicode("page").tag(sync=True)
    port = traitlets.Int().tag(sync=True)
    token = traitlets.Unicode().tag(sync=True)


class Foot:
    """The line at the foot of a notebook's page: no output of a cell, so none is saved."""

    def __init__(self, page: Page, server: PageServer) -> None:
        self._page = page
        self._server = server

    @property
    def stop(self) -> str:
        """Nothing where a button is heard while this process is busy."""
        return "" if self._server.hears_now else "interrupt the kernel to stop"

    def show(self, words: str, share: float | None, number: int) -> None:
        """Put these words in place of those before, with a button that is heard."""
        button = number if words and self._server.hears_now else None
        self._page.send({"kind": "progress", "words": words, "share": share, "stop": button})


_open: list[Page] = []


def expect_return(*_cell: object) -> None:
    """Before each cell: let it wait for a page that was closed or reloaded meanwhile."""
    device: BrowserDevice = open_device("browser")  # pyright: ignore[reportAssignmentType]
    device.expect_return()


def open_page() -> Page:
    """Let the notebook's page join, and the device `browser` wait for it; returns at once.

    The same widget again while it is open. Raises `DeviceError` where tornado is missing.
    """
    device: BrowserDevice = open_device("browser")  # pyright: ignore[reportAssignmentType]
    server = device.serve()
    if _open and _open[0].comm is not None and _open[0].token == server.token:
        return _open[0]
    shell = cast("Any", get_ipython())
    if shell is not None:
        shell.events.register("pre_run_cell", expect_return)
    page = Page(port=server.port, token=server.token)
    Comms(page, server)
    _open[:] = [page]
    foot = Foot(page, server)
    BOARD.screen = lambda: foot
    device.expect_page()
    return page
