"""What the cpu has: memory for buffers and scalars, limits, a name. Knows nothing of LLVM."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from workbench.base.errors import DeviceError
from workbench.base.limits import Limits, unbounded
from workbench.program import Program
from workbench.runtime.device import Memory

ALIGNMENT = 64
"""Bytes; compiled code relies on it."""
SMALLEST = 1 << 16
"""Bytes from which on they are kept: the pages of fewer come from Python's own free lists."""
MOST_KEPT = 1 << 29
"""Bytes kept at most, and an eighth of the machine's: as many as the native device keeps."""


@dataclass(slots=True, eq=False)
class Bytes:
    """The handle of a `Memory`: the bytes, and why they are not what was asked for, if so."""

    array: np.ndarray
    error: Exception | None = None


def bytes_of(memory: Memory) -> Bytes:
    """The bytes of a buffer. Raises `DeviceError` where it was freed."""
    match memory.handle:
        case Bytes() as handle:
            return handle
        case _:
            raise DeviceError("the buffer was given back before this call")


def check_size(what: str, size: int, memory: Memory) -> None:
    """Raise `DeviceError` where so many bytes are not there."""
    if size > memory.size:
        raise DeviceError(f"{what}: {size} bytes do not fit a buffer of {memory.size}")


def aligned(size: int) -> np.ndarray:
    """Bytes that start where compiled code expects. Raises `MemoryError`."""
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


class Kept:
    """Bytes that nothing refers to any more, kept for who asks for as many next.

    The operating system fills the pages of new memory with zeros when they are first written to,
    which takes longer than writing a result does.
    """

    def __init__(self, most: int | None = None) -> None:
        """Nothing yet; of more than `most` bytes those given back first are let go."""
        self._most = min(MOST_KEPT, limits().max_buffer_size // 8) if most is None else most
        self._free: deque[np.ndarray] = deque()
        self._returned: deque[np.ndarray] = deque()
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """How many are kept."""
        with self._lock:
            self._sort()
            return sum(raw.size for raw in self._free)

    def array(self, size: int) -> np.ndarray:
        """So many bytes, of any content, which come back when nothing refers to them any more.

        A view, a memoryview and a `Memory` refer to them. Raises `DeviceError` where the machine
        has not so many.
        """
        try:
            if size < SMALLEST:
                return aligned(size)
            raw = self._found(size)
            raw = aligned(size) if raw is None else raw
        except MemoryError as error:
            with self._lock:
                self._free.clear()
            raise DeviceError(
                f"a buffer of {size} bytes: the machine has not so many free"
            ) from error
        content = (ctypes.c_ubyte * size).from_address(raw.ctypes.data)
        weakref.finalize(content, self._returned.append, raw).atexit = False
        return np.ctypeslib.as_array(content)

    def _found(self, size: int) -> np.ndarray | None:
        with self._lock:
            self._sort()
            for place, raw in enumerate(self._free):
                if raw.size == size:
                    del self._free[place]
                    return raw
        return None

    def _sort(self) -> None:
        """Take what came back, at any moment and from any thread, and let go of what is too much.

        What comes back while this runs waits in `_returned`, so that no finalizer needs the lock.
        """
        while self._returned:
            self._free.append(self._returned.popleft())
        held = sum(raw.size for raw in self._free)
        while held > self._most:
            held -= self._free.popleft().size


def packed(program: Program, scalars: Sequence[float]) -> np.ndarray:
    """The scalar parameters, 8 bytes each."""
    if len(scalars) != len(program.scalars):
        raise DeviceError(
            f"'{program.name}' takes {len(program.scalars)} scalars, {len(scalars)} were given"
        )
    given = zip(program.scalars, scalars, strict=True)
    content = b"".join(p.slot(value) for p, value in given)
    return np.frombuffer(bytearray(content or bytes(8)), np.uint64)


@cache
def limits() -> Limits:
    """The cpu has none but its memory."""
    return unbounded(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def processor() -> str:
    """What the processor calls itself."""
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text(encoding="utf-8").splitlines():
            key, _, name = line.partition(":")
            if key.strip() == "model name":
                return name.strip()
    return platform.processor() or platform.machine()


def workers() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
