"""A page without Jupyter: what `wb.connect()` opens so that a script has the device `browser`.

The page is served by `page_server.py` below its token and holds nothing but the GPU runtime.
"""

from __future__ import annotations

import time
import webbrowser
from importlib.resources import files
from typing import TYPE_CHECKING

from workbench.base.errors import DeviceError
from workbench.runtime.device import open_device

if TYPE_CHECKING:
    from workbench.runtime.browser import BrowserDevice
    from workbench.runtime.device import Description

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>workbench</title>
<link rel="icon" href="data:,">
<style>
  body { font: 15px/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 36rem; padding: 0 1rem;
         color-scheme: light dark; }
  output { font-weight: 600; }
</style>
<h1>workbench</h1>
<p>This page computes for Python: <output id="state" aria-live="polite">connecting</output>.
<p>Leave it open while the script runs.
<script type="module">
  import { joinPage } from "./workbench.js";
  const [token] = location.pathname.split("/").slice(-2);
  const state = document.getElementById("state");
  joinPage({ port: Number(location.port), token }, {
    signal: new AbortController().signal,
    onState: (words) => { state.textContent = words; },
  });
</script>
</html>
"""


def bundle() -> bytes:
    """The page's code, built from js/. Raises `DeviceError` where it was not built."""
    path = files("workbench") / "widget" / "static" / "workbench.js"
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DeviceError(
            "the page's code is not built", hint="pip install -e . in the repository"
        ) from error


def content(path: str) -> tuple[str, bytes] | None:
    """What the server answers below its token: media type and body; None: not found."""
    match path:
        case "":
            return "text/html; charset=utf-8", _PAGE.encode()
        case "workbench.js":
            return "text/javascript; charset=utf-8", bundle()
        case _:
            return None


def page_address(device: BrowserDevice) -> str:
    """The address of a page that becomes `device`; starts its server. Opens nothing."""
    server = device.serve()
    server.content = content
    return server.address


def connect(*, open_browser: bool = True, seconds: float = 30.0) -> Description:
    """Open a page in this machine's browser and wait until it is the device "browser".

    Without `open_browser` the address is printed, to be opened by hand.
    Without WebGPU the page's WebAssembly computes.
    Raises `DeviceError` where no page came within `seconds`, or one that can do neither.
    """
    device: BrowserDevice = open_device("browser")  # pyright: ignore[reportAssignmentType]
    address = page_address(device)
    if not (open_browser and webbrowser.open(address)):
        print(f"open {address} in a browser with WebGPU")  # noqa: T201  (asks the user to act)
    deadline = time.monotonic() + seconds
    device.expect_page(seconds)
    description = device.describe()
    if not description.available:
        waited = f" ({seconds:g} s waited)" if time.monotonic() >= deadline else ""
        raise DeviceError(f"no page: {description.cause}{waited}", hint=description.remedy)
    return description
