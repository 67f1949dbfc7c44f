"""The peer of all transfers: a bare HTTP server that sends and takes one block of bytes."""

from __future__ import annotations

import socket
import threading

HEAD = (
    b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: *\r\n"
    b"Access-Control-Allow-Headers: *\r\nCross-Origin-Resource-Policy: cross-origin\r\n"
)


def serve(content: memoryview) -> int:
    """Answer GET with `content`, and take a PUT of as many bytes; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection, content), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def answer(connection: socket.socket, content: memoryview) -> None:
    """Answer the requests of one connection until it is closed."""
    taken = memoryview(bytearray(len(content)))
    left = b""
    while True:
        while b"\r\n\r\n" not in left:
            come = connection.recv(65536)
            if not come:
                return
            left += come
        head, _, left = left.partition(b"\r\n\r\n")
        if head.startswith(b"GET"):
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(content))
            connection.sendall(content)
            continue
        if head.startswith(b"PUT"):
            taken[: len(left)] = left
            at = len(left)
            while at < len(taken):
                at += connection.recv_into(taken[at:])
            left = b""
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
