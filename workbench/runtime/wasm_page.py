"""The WebAssembly of a page as device `wasm`, beside its GPU, which is device `browser`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from workbench.runtime.browser import BrowserDevice
from workbench.runtime.device import open_device

if TYPE_CHECKING:
    from workbench.runtime.device import Description, Target
    from workbench.runtime.page_messages import Engine, PageReport
    from workbench.runtime.page_peer import Peer
    from workbench.runtime.page_server import PageServer


class PageWasm(BrowserDevice):
    """Computes with the WebAssembly of the pages of another device; buffers are its own."""

    name = "wasm"

    def __init__(self, browser: BrowserDevice, cause: str = "", remedy: str = "") -> None:
        """Beside `browser`; `cause` and `remedy` say why no other engine stands here."""
        super().__init__()
        self._browser = browser
        self._cause = cause
        self._remedy = remedy

    @property
    def target(self) -> Target:
        """WebAssembly."""
        return "wasm"

    def describe(self) -> Description:
        """The page's WebAssembly, or what is missing here."""
        found = super().describe()
        if found.available or not self._cause:
            return found
        return replace(found, cause=f"{self._cause}; {found.cause}", remedy=self._remedy)

    def serve(self, server: PageServer | None = None) -> PageServer:
        """The server of both devices."""
        return self._browser.serve(server)

    def close(self) -> None:
        """Forget what the pages hold; their sockets are the other device's."""
        self._devices.clear()

    @property
    def pages(self) -> PageServer | None:
        """The server of both devices, if it was started."""
        return self._browser.pages

    def _engine(self, report: PageReport) -> Engine | None:
        return "wasm" if report.wasm_workers else None

    def find_page(self) -> Peer | None:
        """The page of both devices."""
        return self._browser.find_page()

    def absence(self) -> tuple[str, str]:
        """Why there is no page, and what to do about it."""
        return self._browser.absence()


def open_page_wasm(cause: str, remedy: str) -> PageWasm:
    """Beside the process's own device `browser`."""
    return PageWasm(cast("BrowserDevice", open_device("browser")), cause, remedy)
