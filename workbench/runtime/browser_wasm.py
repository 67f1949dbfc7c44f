"""The WebAssembly of a page as device `browser-wasm`, beside its GPU, which is device `browser`.

Where wasmtime is not installed it stands in as device `wasm`, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from workbench.runtime import device
from workbench.runtime.browser import BrowserDevice

if TYPE_CHECKING:
    from workbench.runtime.device import Description, Target
    from workbench.runtime.page_messages import Engine, PageReport
    from workbench.runtime.page_peer import Peer
    from workbench.runtime.page_server import PageServer


class PageWasm(BrowserDevice):
    """Computes with the WebAssembly of the pages of another device; buffers are its own."""

    def __init__(
        self, browser: BrowserDevice, name: str = "browser-wasm", cause: str = "", remedy: str = ""
    ) -> None:
        """Beside `browser`; `cause` and `remedy` say why no other engine stands here."""
        super().__init__()
        self.name = name
        # Several of these may use the same engine of a page: no two number a buffer alike.
        self.handles = browser.handles
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

    def _lack(self, report: PageReport) -> tuple[str, str]:
        return report.wasm_cause, report.wasm_remedy

    def find_page(self) -> Peer | None:
        """The page of both devices."""
        return self._browser.find_page()

    def absence(self) -> tuple[str, str]:
        """Why there is no page, and what to do about it."""
        return self._browser.absence()


def open_page_wasm(name: str, cause: str = "", remedy: str = "") -> PageWasm:
    """Beside the process's own device `browser`, under a name."""
    browser = cast("BrowserDevice", device.open_device("browser"))
    return PageWasm(browser, name, cause, remedy)


def open_device() -> PageWasm:
    """The WebAssembly of the page that is device `browser`."""
    return open_page_wasm("browser-wasm")
