"""The server inside this process that pages connect to: a daemon thread with a websocket.

It listens on 127.0.0.1 at a random port, below a random token; a notebook reaches it directly or
through jupyter-server-proxy. Other machines reach it only where `open_to` was asked for, over TLS.
Of several pages with a GPU the one is asked that last showed a panel, else the earliest; the
others keep what they hold. What all this guards against is in docs/security.md.

Not here: what goes over a socket (`page_peer.py`), and what it is for (`browser.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import itertools
import math
import secrets
import socket
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from workbench.base.errors import DeviceError
from workbench.base.progress import BOARD
from workbench.runtime import page_messages as messages
from workbench.runtime.page_messages import Failure
from workbench.runtime.page_peer import Peer, Wire, page_left

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ssl import SSLContext

_LARGEST_FRAME = 2 * messages.CHUNK_BYTES
_READ_BYTES = 128 * 1024
"""Taken from a socket at once; it seldom has more, and each reading fills so many with zeros."""
_ADDRESS = "127.0.0.1"
_LOOPBACK = frozenset({"localhost", _ADDRESS, "::1"})


def allowed_origin(origin: str | None, host: str) -> bool:
    """Whether a page of that origin may connect to a server that it addressed as `host`.

    Pages of this machine may, on any port, and pages of the very host they address (a notebook
    behind its proxy). Foreign pages, files and sandboxed frames (origin "null") may not. A
    request without an origin does not come from a page; the token alone decides.
    """
    if origin is None:
        return True
    parts = urlsplit(origin)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return False
    return parts.hostname in _LOOPBACK or parts.netloc.lower() == host.lower()


def allowed_host(host: str, port: int) -> bool:
    """Whether a request that addresses this server as `host` may come to `port`.

    Whoever comes directly names this very port, and then has to name this machine as well: a name
    of elsewhere that leads here (DNS rebinding) may not. Another port is that of the notebook's
    server, whose proxy has let the request through.
    """
    try:
        parts = urlsplit(f"//{host}")
        return bool(parts.hostname) and (parts.hostname in _LOOPBACK or parts.port != port)
    except ValueError:
        return False


def listening(port: int = 0) -> socket.socket:
    """A socket that listens on this machine's loopback; without a number at a port that is free.

    Raises `OSError` where there is none, or that one is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind((_ADDRESS, port))
        listener.listen()
        listener.settimeout(0.0)
    except OSError:
        listener.close()
        raise
    return listener


class PageServer:
    """The server of this process. Start it once; pages come and go."""

    def __init__(self, content: Callable[[str], tuple[str, bytes] | None] | None = None) -> None:
        """`content` answers GET below the token: path to media type and body, or None."""
        self.token = secrets.token_urlsafe(32)
        self.port = 0
        self.ports: set[int] = set()
        """Where it listens: `port` of 127.0.0.1, and those of `open_to`."""
        self.parted_at = -math.inf
        self.content = content
        self.turned_away = ""
        """Why the last page could not join, where it is of another version of the package."""
        self.turned_away_at = -math.inf
        self._loop: asyncio.AbstractEventLoop | None = None
        self._peers: list[Peer] = []
        """Those that showed a panel last come first, those that never did last."""
        self._page: Peer | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self._servers: list[HTTPServer] = []

    @property
    def address(self) -> str:
        """Where a browser of this machine finds the server's own page."""
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    @property
    def page(self) -> Peer | None:
        """The page that is asked now."""
        page = self._page
        return page if page is not None and page.alive else None

    @property
    def count(self) -> int:
        """How many pages there are."""
        return sum(peer.report is not None for peer in self._peers)

    def start(self) -> None:
        """Listen, and return once pages can connect; does nothing where it listens already.

        Raises `DeviceError` where the system lets it not listen.
        """
        if self._thread is not None:
            return
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)),
            name="workbench-page-server",
            daemon=True,
        )
        self._thread.start()
        try:
            started.result()
        except OSError as error:
            self._thread = self._loop = self._stop = None
            raise DeviceError(
                f"cannot listen on {_ADDRESS}: {error}",
                hint="%reload_ext workbench once a port is free, or on='cpu'",
            ) from error

    def open_to(self, host: str, port: int, tls: SSLContext) -> int:
        """Listen at another address of this machine, too; gives the port, one that is free for 0.

        There is no way to do so without TLS. Raises `OSError` where the address cannot be had.
        """
        self.start()
        assert self._loop is not None
        coming = self._listen(host, port, tls)
        return asyncio.run_coroutine_threadsafe(coming, self._loop).result()

    def stop(self) -> None:
        """Close every page's socket and end the thread."""
        loop, stop, thread = self._loop, self._stop, self._thread
        if loop is None or stop is None or thread is None:
            return
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        self._thread = self._loop = self._stop = None

    @property
    def hears_now(self) -> bool:
        """Whether a page is heard while the thread that asks is busy."""
        return any(peer.alive and peer.wire.answers_now() for peer in tuple(self._peers))

    def wait_for_page(self, seconds: float) -> Peer | None:
        """The page, waiting so long for one to come; None where none did, or a wrong one.

        One that was turned away before does not end the waiting: it may have been reloaded since.
        Waits in short slices, so that an interrupt gets through on every system.
        """
        began = time.monotonic()
        while (page := self.page) is None:
            left = began + seconds - time.monotonic()
            if left <= 0 or self.turned_away_at >= began:
                return None
            with self._changed:
                self._changed.wait(min(left, 0.05))
        return page

    async def _serve(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        routes: list[Any] = [
            (r"/([^/]+)/ws", _Socket, {"server": self}),
            (r"/([^/]+)/(.*)", _Content, {"server": self}),
        ]
        self._application = Application(routes, log_function=_log_nothing)
        try:
            self.port = self._take(listening(), None)
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stop.wait()
        for server in self._servers:
            server.stop()
        for peer in list(self._peers):
            peer.end(Failure("lost", "the server was stopped"))
        for server in self._servers:
            await server.close_all_connections()
        self._servers.clear()
        self.ports.clear()

    async def _listen(self, host: str, port: int, tls: SSLContext) -> int:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
        listener.settimeout(0.0)
        return self._take(listener, tls)

    def _take(self, listener: socket.socket, tls: SSLContext | None) -> int:
        server = HTTPServer(self._application, ssl_options=tls, chunk_size=_READ_BYTES)
        server.add_socket(listener)
        self._servers.append(server)
        found = int(listener.getsockname()[1])
        self.ports.add(found)
        return found

    # What follows is for the request handlers below.

    def admits(self, token: str, host: str) -> bool:
        """Whether that is the token and the host; takes the same time for every wrong token."""
        known = hmac.compare_digest(token.encode(errors="replace"), self.token.encode())
        return known and allowed_host(host, self.port)

    def soon(self, work: Callable[..., object], *arguments: object) -> None:
        """Do something on the event loop; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(work, *arguments)

    def joined(self, wire: Wire) -> Peer:
        """A page opened its wire; it gets the least number that is free."""
        with self._changed:
            taken = {peer.number for peer in self._peers}
            free = next(n for n in itertools.count(1) if n not in taken)
            peer = Peer(wire, self.parted, free)
            self._peers.append(peer)
            return peer

    def heard(self, peer: Peer, frame: str | bytes) -> None:
        """Take a frame of a page; one that sends what it should not is parted from."""
        if not peer.alive:
            return
        try:
            if isinstance(frame, bytes):
                peer.receive_bytes(frame)
            else:
                for message in peer.receive_text(frame):
                    self._note(peer, message)
        except messages.OtherVersionError as error:
            self.turned_away, self.turned_away_at = str(error), time.monotonic()
            peer.end(Failure("version", str(error)))
        except ValueError as error:
            peer.end(Failure("internal", f"the page sent what it should not: {error}"))

    def _note(self, peer: Peer, message: messages.PageMessage) -> None:
        """Take what concerns more than one request."""
        if isinstance(message, messages.Stop):
            BOARD.stop(message.number)
        if not isinstance(message, messages.Hello | messages.Shown):
            return
        with self._changed:
            if isinstance(message, messages.Shown) and peer in self._peers:
                self._peers.remove(peer)
                self._peers.insert(0, peer)
            self._choose()

    def parted(self, peer: Peer) -> None:
        """A page is gone."""
        with self._changed:
            self._peers.remove(peer)
            self.parted_at = time.monotonic()
            self._choose()

    def _choose(self) -> None:
        ready = [(peer, report) for peer in self._peers if (report := peer.report) is not None]
        ready.sort(key=lambda each: each[1].cause != "")  # stable: those shown last stay first
        self._page = ready[0][0] if ready else None
        if self._page is not None:
            self.turned_away = ""
        self._changed.notify_all()


class _Content(RequestHandler):
    """Serves the page of `wb.connect()`; everything else is not found."""

    def initialize(self, server: PageServer) -> None:
        self._server = server

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")
        # An isolated page may share memory between its workers.
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.clear_header("Server")

    def get(self, token: str, path: str) -> None:
        server = self._server
        known = server.admits(token, self.request.host)
        found = server.content(path) if known and server.content is not None else None
        if found is None:
            self.set_status(404 if known else 403)
            return
        media_type, body = found
        self.set_header("Content-Type", media_type)
        self.finish(body)  # pyright: ignore[reportUnknownMemberType]


class _Socket(WebSocketHandler):
    """The socket of one page."""

    def initialize(self, server: PageServer) -> None:
        self._server = server
        self._peer: Peer | None = None

    def check_origin(self, origin: str) -> bool:
        return allowed_origin(origin, self.request.host)

    async def get(self, *args: Any, **kwargs: Any) -> None:
        if not self._server.admits(str(args[0]), self.request.host):
            self.set_status(403)
            self.finish("wrong token or host")  # pyright: ignore[reportUnknownMemberType]
            return
        await super().get(*args, **kwargs)

    def get_compression_options(self) -> None:
        return None

    @property
    def route(self) -> str:
        """Directly, or by the proxy of the notebook server, whose address the page was told."""
        host = self.request.host
        if urlsplit(f"//{host}").port in self._server.ports:
            return "directly"
        return f"through the notebook server's proxy, {host}"

    def listened(self) -> bool:
        return True

    def answers_now(self) -> bool:
        return True

    def send_frame(self, frame: str | bytes) -> Awaitable[None]:
        return self.write_message(frame, binary=isinstance(frame, bytes))

    @property
    def max_message_size(self) -> int:
        return _LARGEST_FRAME

    def open(self, *_args: str, **_kwargs: str) -> None:
        self.set_nodelay(True)
        self._peer = self._server.joined(self)

    def on_message(self, message: str | bytes) -> None:
        _acknowledge(self.ws_connection)
        if self._peer is not None:
            self._server.heard(self._peer, message)

    def on_close(self) -> None:
        if self._peer is not None:
            self._peer.end(page_left())


def _acknowledge(connection: Any) -> None:
    """Acknowledge at once what came: a proxy that collects small messages waits for that, 40 ms."""
    if (option := getattr(socket, "TCP_QUICKACK", None)) is not None:  # Linux forgets it again
        with contextlib.suppress(OSError, AttributeError):  # a socket that is closed meanwhile
            connection.stream.socket.setsockopt(socket.IPPROTO_TCP, option, 1)


def _log_nothing(_handler: RequestHandler) -> None:
    """Addresses hold the token, and belong in no log."""
