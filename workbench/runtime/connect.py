"""A page without Jupyter: what `wb.connect()` opens so that a script has the device `browser`.

The page is served by `page_server.py` below its token and holds nothing but the GPU runtime.
"""

from __future__ import annotations

import math
import socket
import ssl
import webbrowser
from importlib.resources import files
from typing import TYPE_CHECKING

from workbench.base.errors import DeviceError
from workbench.runtime.device import open_device

if TYPE_CHECKING:
    from workbench.runtime.browser import BrowserDevice
    from workbench.runtime.device import Description

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104  (listened at only where asked for)
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
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
  const address = new URL("ws", location.href).href.replace(/^http/, "ws");
  const state = document.getElementById("state");
  joinPage({ port: Number(location.port), token, address }, {
    signal: new AbortController().signal,
    onState: (words) => {
      state.textContent = words === "outdated" ? "not, it is outdated: reload it" : words;
    },
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


def connect(
    *,
    open_browser: bool = True,
    seconds: float = 30.0,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: str | tuple[str, str] | None = None,
) -> Description:
    """Open a page in this machine's browser and wait until it is the device "browser".

    Without `open_browser` the address is printed, to be opened by hand. Pages of other machines
    may come where `host` names an address of this one ("0.0.0.0": all) and `certificate` a PEM
    file, or one of the certificate and one of its key: then the address is printed, and every
    byte crosses by TLS. `port` 0 takes one that is free.
    Without WebGPU the page's WebAssembly computes.
    Raises `DeviceError` where no page came within `seconds`, or one that can do neither; for
    another host without a certificate, and for a host, port or certificate that cannot be had.
    """
    device: BrowserDevice = open_device("browser")  # pyright: ignore[reportAssignmentType]
    if host in _LOOPBACK and certificate is None and port == 0:
        address = page_address(device)
    else:
        address, open_browser = _open_to(device, host, port, certificate), False
    if not (open_browser and webbrowser.open(address)):
        # Asks the user to act, and at once: a script's output may go through a pipe.
        print(f"open {address} in a browser with WebGPU", flush=True)  # noqa: T201
    device.expect_page(seconds)
    if device.find_page() is None and not device.serve().turned_away:
        raise DeviceError(
            f"no page came within {seconds:g} s to the address that was opened or printed",
            hint=f"workbench.connect(open_browser=False, seconds={math.ceil(2 * seconds)}), and "
            "meanwhile that address in a browser of this machine",
        )
    description = device.describe()
    if not description.available:
        raise DeviceError(f"no page: {description.cause}", hint=description.remedy)
    return description


def _open_to(
    device: BrowserDevice, host: str, port: int, certificate: str | tuple[str, str] | None
) -> str:
    """Serve the page at another address, over TLS; gives the page's address."""
    if certificate is None:
        raise DeviceError(
            f"connect(host={host!r}, port={port}) without TLS: whoever is on the way could read "
            "the token, and browsers offer WebGPU only over https",
            hint=f"workbench.connect(host={host!r}, certificate=('cert.pem', 'key.pem'))",
        )
    files_given = (certificate,) if isinstance(certificate, str) else certificate
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        tls.load_cert_chain(*files_given)
    except OSError as error:  # also ssl.SSLError
        raise DeviceError(
            f"certificate {', '.join(map(repr, files_given))}: {error.strerror or error}",
            hint="a PEM file with the certificate, and one with its key",
        ) from error
    page_address(device)
    try:
        found = device.serve().open_to(host, port, tls)
    except OSError as error:
        raise DeviceError(
            f"connect(host={host!r}, port={port}): {error.strerror or error}",
            hint="host='0.0.0.0' for all addresses of this machine, port=0 for a free port",
        ) from error
    name = socket.gethostname() if host in _EVERYWHERE else host
    return f"https://{f'[{name}]' if ':' in name else name}:{found}/{device.serve().token}/"
