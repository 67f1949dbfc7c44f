"""A TLS server in front of another, as a hub's proxy is, with a certificate of its own making."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

REQUEST = (
    *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
    *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    *("-addext", "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1"),
)


def certificate(folder: Path) -> tuple[str, str]:
    """The paths of a new certificate for this machine and of its key."""
    paths = str(folder / "cert.pem"), str(folder / "key.pem")
    command = [*REQUEST, "-out", paths[0], "-keyout", paths[1]]
    subprocess.run(command, check=True, capture_output=True)
    return paths


@contextmanager
def in_front_of(port: int, folder: Path) -> Iterator[int]:
    """The port of a server that speaks TLS and passes everything on to `port` of this machine."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate(folder))
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))

    async def serve() -> None:
        server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
        stop = asyncio.Event()
        started.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    found, loop, stop = started.result(10)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):  # either side may go at any time
            while content := await reader.read(1 << 20):
                writer.write(content)
                await writer.drain()
    finally:
        writer.transport.abort()
