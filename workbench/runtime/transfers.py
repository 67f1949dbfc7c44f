"""What crosses between the places of an array: bytes, and how their layout changes on the way.

A device holds an array in C order, bool as 32-bit words, padded to whole words; NumPy may hold it
in any order of axes and bytes. Nothing here knows a device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.base.dtypes import BOOL, DType, stored
from workbench.base.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.runtime.device import Raw


@dataclass(frozen=True, slots=True)
class Transfer:
    """An array went from a place to another, `times` times, `nbytes` bytes of the target in all.

    A place is "numpy" (an argument), "host" or the name of a device. `change` says how dtype or
    layout changed on the way, and is empty where the bytes are the same.
    """

    source: str
    target: str
    nbytes: int
    change: str = ""
    times: int = 1

    @property
    def words(self) -> str:
        """For a table: `host to cpu 2 x, 512 B, bool to 32-bit words`."""
        many = f" {self.times} x," if self.times > 1 else ""
        change = f", {self.change}" if self.change else ""
        return f"{self.source} to {self.target}{many} {size_text(self.nbytes)}{change}"


def joined(transfers: Sequence[Transfer]) -> tuple[Transfer, ...]:
    """Those of a kind as one."""
    found: dict[tuple[str, str, str], Transfer] = {}
    for c in transfers:
        key = c.source, c.target, c.change
        old = found.get(key, replace(c, nbytes=0, times=0))
        found[key] = replace(c, nbytes=old.nbytes + c.nbytes, times=old.times + c.times)
    return tuple(found.values())


def since(before: Sequence[Transfer], now: Sequence[Transfer]) -> tuple[Transfer, ...]:
    """What of `now` came after `before`, both joined."""
    old = {(c.source, c.target, c.change): c for c in before}
    new: list[Transfer] = []
    for c in now:
        known = old.get((c.source, c.target, c.change), replace(c, nbytes=0, times=0))
        if c.times > known.times:
            new.append(replace(c, nbytes=c.nbytes - known.nbytes, times=c.times - known.times))
    return tuple(new)


def transfer_words(transfers: Mapping[str, Sequence[Transfer]], device: str) -> tuple[str, ...]:
    """Sentences on what crossed, by array: how much went each way, then what was converted."""
    each = [(name, c) for name, found in transfers.items() for c in found]
    said: list[str] = []
    for verb, way in (
        (f"sent to {device}", [c for _, c in each if c.target not in {"host", "numpy"}]),
        ("read back", [c for _, c in each if c.target == "host" and c.source != "numpy"]),
    ):
        if way:
            said.append(f"{verb}: {size_text(sum(c.nbytes for c in way))}")
    return ("; ".join(said) or "nothing crossed", *(
        f"{name}: {c.words}" for name, c in each if c.change
    ))  # fmt: skip


def fetched(dtype: DType, count: int) -> str:
    """The same in the other direction."""
    if dtype is BOOL:
        return "32-bit words to bool" if count else ""
    return "padding left out" if stored(dtype, count) else ""


def taken(values: np.ndarray, dtype: DType) -> str:
    """How an argument differs from its copy on the host: dtype, order of bytes, order of axes."""
    native = values.dtype.newbyteorder("=")
    changes: list[str] = []
    if native != values.dtype:
        changes.append("swapped bytes")
    if native != dtype.numpy:
        changes.append(f"{native} to {dtype}")
    if not values.flags.c_contiguous:
        order = "Fortran order" if values.flags.f_contiguous else "strides"
        changes.append(f"{order} to C order")
    return ", ".join(changes)


def converted(values: np.ndarray, dtype: DType) -> np.ndarray:
    """A copy in C order. Raises `CallError` for a number that a whole-number dtype does not hold.

    Floats are rounded, as they are where a literal meets an array.
    """
    if values.dtype.newbyteorder("=") == dtype.numpy or dtype.kind == "f":
        return np.array(values, dtype.numpy, order="C")
    with np.errstate(invalid="ignore"):
        copy = np.array(values, order="C").astype(dtype.numpy)
    if (lost := values[copy != values]).size:
        raise CallError(f"{dtype} does not hold {lost[0]}")
    return copy


def to_words(values: np.ndarray, dtype: DType) -> memoryview:
    """The bytes a device holds: C order, bool as 32-bit words 0 or 1."""
    words = values.astype(np.uint32) if dtype is BOOL else np.ascontiguousarray(values)
    return memoryview(words.reshape(-1).view(np.uint8).data)


def from_words(raw: Raw, dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    """The values behind a device's bytes, of the given shape."""
    count = math.prod(shape)
    words = np.dtype(np.uint32) if dtype is BOOL else dtype.numpy
    values = np.frombuffer(raw, words, count).reshape(shape)
    return np.asarray(values != 0) if dtype is BOOL else values


def size_text(count: int) -> str:
    """Bytes in the unit that fits: 4 B, 1.5 KiB, 256 MiB."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.3g} {unit}"
