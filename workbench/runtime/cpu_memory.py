"""What the cpu has: memory for buffers and scalars, limits, a name. Knows nothing of LLVM."""

from __future__ import annotations

import os
import platform
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
    """Bytes that start where compiled code expects."""
    try:
        raw = np.empty(size + ALIGNMENT, np.uint8)
    except MemoryError as error:
        raise DeviceError(f"a buffer of {size} bytes: the machine has not so many free") from error
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


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
