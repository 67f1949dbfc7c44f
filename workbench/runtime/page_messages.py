"""The messages between this process and a page: the one place in Python that knows them.

Text frames hold one JSON message, or a list of them; binary frames hold a 16-byte header and up to
4 MiB of bytes.
The page's twin is `js/src/protocol.ts`; the two change together. No socket and no waiting here.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROTOCOL_VERSION = 8
CHUNK_BYTES = 4 * 1024 * 1024
"""Payload of a binary frame.

Far below the 10 MiB at which Jupyter's servers cut the socket, and small enough that signs of life
find their way between two frames.
"""

CLOSED_FOR = {"lost": 1001, "internal": 1002, "version": 4001}
"""The code with which a socket is closed, by the kind of failure; 4001 tells a page to go."""

REPLACED = 4003
"""The code that tells a page on a comm that another one has taken its place."""

SHORT_BYTES = 4096
"""A read or a write of so many bytes or fewer carries them in its message."""

_HEADER = struct.Struct("<IIQ")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True, slots=True)
class Compile:
    """Make a program ready under `key`; `program` is its JSON."""

    key: str
    program: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alloc:
    """Make a buffer of `bytes` bytes, contents undefined, under the number `buffer`."""

    buffer: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Write:
    """Fill a range of a buffer; the bytes follow in binary frames."""

    buffer: int
    offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Execute:
    """Run the program `key`; `scalars` are bit patterns, since JSON has no NaN and no infinity.

    `timed`, the answer has the time of each kernel, `traced` that of each dispatch and copy.
    """

    key: str
    buffers: Mapping[str, int]
    scalars: Sequence[int]
    timed: bool
    traced: bool
    deadline_ms: float


@dataclass(frozen=True, slots=True)
class Read:
    """Send a range of a buffer back in binary frames."""

    buffer: int
    offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Free:
    """Give buffers back."""

    buffers: Sequence[int]


Request = Compile | Alloc | Write | Execute | Read | Free

_KINDS: dict[type[Request], str] = {
    Compile: "compile",
    Alloc: "alloc",
    Write: "write",
    Execute: "run",
    Read: "read",
    Free: "free",
}


Engine = Literal["gpu", "wasm"]
"""What computes in a page; buffers and programs belong to one of them."""
ENGINES: tuple[Engine, ...] = ("gpu", "wasm")


def request_text(
    request: Request, identity: int, engine: Engine, content: memoryview | None = None
) -> str:
    """The JSON of a request to an engine; its answer will carry `identity`.

    `content` are the bytes of a short write; those of others follow in frames.
    """
    values = {field.name: getattr(request, field.name) for field in fields(request)}
    if content is not None:
        values["content"] = b64encode(content).decode()
    return json.dumps({"kind": _KINDS[type(request)], "id": identity, "engine": engine, **values})


def together(requests: Sequence[str]) -> str:
    """The text frame of several requests."""
    return requests[0] if len(requests) == 1 else f"[{','.join(requests)}]"


def ping_text(identity: int) -> str:
    """A question that overtakes all others, to see whether the page is alive."""
    return json.dumps({"kind": "ping", "id": identity})


def cancel_text(through: int) -> str:
    """Ends every run whose request has at most the identity `through`."""
    return json.dumps({"kind": "cancel", "id": 0, "through": through})


def frames(identity: int, content: memoryview) -> list[bytes]:
    """The binary frames of `content` (bytes, contiguous), in order; they are copies."""
    return [
        _HEADER.pack(identity, 0, start) + content[start : start + CHUNK_BYTES]
        for start in range(0, len(content), CHUNK_BYTES)
    ]


def unpack_frame(frame: bytes) -> tuple[int, int, memoryview]:
    """Identity of the request, offset in the transfer, and payload of a binary frame.

    Raises `ValueError` where there is no whole header.
    """
    if len(frame) < HEADER_BYTES:
        raise ValueError(f"a frame of {len(frame)} bytes, shorter than its header")
    identity, _, offset = _HEADER.unpack_from(frame)
    return identity, offset, memoryview(frame)[_HEADER.size :]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the page refused or could not finish a request.

    `kind`: shader, limit, out-of-memory, lost, dropped, budget, outside, deadline, cancelled,
    unavailable, internal, or version where the page's code is another one. `line` and `column`
    count from 1 in the code of `kernel`, columns in UTF-16 units; 0 where they are unknown.
    """

    kind: str
    message: str
    kernel: str = ""
    line: int = 0
    column: int = 0


class PageFailure(Exception):  # noqa: N818  (a failure the page reports; the user sees DeviceError)
    """What a future of a request raises; `failure` says which kind it is."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: the values of the page's reply."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PageReport:
    """What a page says of itself; `cause` and `remedy` are empty where it has a GPU.

    `wasm_workers` run its WebAssembly, 0 where it has none; where `wasm_shared`, at once.
    """

    where: str
    user_agent: str
    vendor: str = ""
    architecture: str = ""
    description: str = ""
    software: bool = False
    limits: Mapping[str, int] | None = None
    features: tuple[str, ...] = ()
    cause: str = ""
    remedy: str = ""
    wasm_workers: int = 0
    wasm_shared: bool = False
    wasm_cause: str = ""
    wasm_remedy: str = ""

    @property
    def engine(self) -> Engine | None:
        """What computes for device `browser`: the GPU, else WebAssembly, if there is one."""
        return "gpu" if not self.cause else "wasm" if self.wasm_workers else None

    @property
    def adapter(self) -> str:
        """The adapter in words."""
        words = (self.description, self.vendor, self.architecture)
        return " ".join(dict.fromkeys(word for word in words if word)) or "unnamed adapter"


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of a page."""

    report: PageReport


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request: `failure`, or the values of `result`.

    `content` are the bytes of a short read; those of others came in frames.
    """

    identity: int
    result: Mapping[str, Any]
    failure: Failure | None = None
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Received:
    """The page took so many bytes of a write."""

    identity: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """So many dispatches and copies of a run are done."""

    identity: int
    steps: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""


@dataclass(frozen=True, slots=True)
class Lost:
    """An engine of the page is gone, and every buffer with it."""

    engine: Engine
    message: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The page's GPU reported an error that belongs to no request."""

    message: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The page showed a panel of this process, or somebody turned to it."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody pressed the button beside the progress of this number."""

    number: int


PageMessage = Hello | Reply | Received | Progress | Pong | Lost | Fault | Shown | Stop


class OtherVersionError(ValueError):
    """The page's code is of another version of the package than this process."""


def parse_messages(text: str) -> list[PageMessage]:
    """The messages in a text frame of a page, in order.

    Raises `OtherVersionError` for a page of another protocol version, else `ValueError` for what
    is no message.
    """
    try:
        values = json.loads(text)
        if not isinstance(values, list):
            return [_message(values, text)]
        return [_message(each, text) for each in cast("list[Any]", values)]
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        msg = f"a message of the wrong form from the page: {text[:80]}"
        raise ValueError(msg) from error


def _message(values: Any, text: str) -> PageMessage:
    match values:
        case {"kind": "hello", "version": int(version)}:
            return Hello(_report(values, version))
        case {"kind": "reply", "id": int(identity), "error": error}:
            return Reply(identity, {}, _failure(error))
        case {"kind": "reply", "id": int(identity), "ok": {**result}}:
            content = b64decode(result.pop("content", ""), validate=True)
            return Reply(identity, _result(result), content=content)
        case {"kind": "received", "id": int(identity), "bytes": int(count)}:
            return Received(identity, count)
        case {"kind": "progress", "id": int(identity), "steps": int(steps)}:
            return Progress(identity, steps)
        case {"kind": "pong" | "shown" as kind}:
            return Pong() if kind == "pong" else Shown()
        case {"kind": "stop", "number": int(number)}:
            return Stop(number)
        case {"kind": "lost", "engine": ("gpu" | "wasm") as engine, "message": str(message)}:
            return Lost(engine, message)
        case {"kind": "fault", "message": str(message)}:
            return Fault(message)
        case _:
            raise ValueError(f"unknown message from the page: {text[:80]}")


def _result(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of a reply; raises where those that are read later are no numbers."""
    float(result.get("milliseconds", 0))
    for kernel in result.get("kernels", ()):
        float(kernel["nanoseconds"])
    float(result.get("step", 0))
    for stamp in result.get("stamps", ()):
        if stamp["op"] not in {"dispatch", "copy"}:
            raise ValueError(f"a stamp of {stamp['op']}")
        _ = float(stamp["begin"]), float(stamp["end"])
    return result


def _failure(error: Mapping[str, Any]) -> Failure:
    return Failure(
        kind=str(error["kind"]),
        message=str(error["message"]),
        kernel=str(error.get("kernel", "")),
        line=int(error.get("line", 0)),
        column=int(error.get("column", 0)),
    )


def _report(hello: Mapping[str, Any], version: int) -> PageReport:
    if version != PROTOCOL_VERSION:
        msg = f"the page speaks protocol {version}, this process {PROTOCOL_VERSION}"
        raise OtherVersionError(msg)
    where, user_agent, gpu = str(hello["where"]), str(hello["user_agent"]), hello["gpu"]
    wasm = hello["wasm"]
    workers = int(wasm["workers"]) if wasm["available"] else 0
    shared = bool(wasm["available"] and wasm["shared"])
    lack = ("", "") if wasm["available"] else (str(wasm["cause"]), str(wasm["remedy"]))
    if not gpu["available"]:
        return PageReport(
            where, user_agent, cause=str(gpu["cause"]), remedy=str(gpu["remedy"]),
            wasm_workers=workers, wasm_shared=shared, wasm_cause=lack[0], wasm_remedy=lack[1],
        )  # fmt: skip
    adapter = gpu["adapter"]
    return PageReport(
        where,
        user_agent,
        vendor=str(adapter["vendor"]),
        architecture=str(adapter["architecture"]),
        description=str(adapter["description"]),
        software=bool(adapter["software"]),
        limits={name: int(value) for name, value in adapter["limits"].items()},
        features=tuple(map(str, adapter["features"])),
        wasm_workers=workers,
        wasm_shared=shared,
        wasm_cause=lack[0],
        wasm_remedy=lack[1],
    )
