"""The one memory that every module works in: which parts of it are taken. Knows no engine."""

from __future__ import annotations

from bisect import insort
from collections import deque

from workbench.base.errors import DeviceError
from workbench.base.limits import unbounded

PAGE = 65536
"""Bytes of a page, by which memory grows."""
MOST = 65536 * PAGE
"""What 32-bit addresses reach: 4 GiB."""
LARGEST = 2**31 - PAGE
"""The most bytes of one buffer: compiled code counts within one in 32 bits, with a sign."""
ALIGNMENT = 64
"""Bytes; compiled code relies on it."""

FEATURES = ("simd128", "threads")
"""What compiled code needs of an engine."""

LIMITS = unbounded(LARGEST)
"""What every engine of WebAssembly holds, if the machine has the memory."""


class Spaces:
    """The parts of a memory: first fit, and neighbours that are free become one.

    `end` is behind everything that was ever taken: the memory must reach so far.
    """

    def __init__(self, start: int = ALIGNMENT) -> None:
        """Everything from `start` on is free: at 0 nothing lies."""
        self.end = start
        self.taken = 0
        self._free: list[tuple[int, int]] = []
        self._returned: deque[tuple[int, int]] = deque()

    def take(self, size: int) -> int:
        """The address of so many bytes. Raises `DeviceError` where they do not fit."""
        self.join()
        size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        place = next((n for n, (a, b) in enumerate(self._free) if b - a >= size), None)
        if place is not None:
            start, stop = self._free.pop(place)
            if stop - start > size:
                insort(self._free, (start + size, stop))
        else:
            last = self._free[-1] if self._free else (self.end, self.end)
            start = last[0] if last[1] == self.end else self.end
            if start + size > MOST:
                raise DeviceError(
                    f"a buffer of {size} bytes: wasm reaches 4 GiB of memory, of which "
                    f"{self.taken} bytes are taken",
                    hint="fewer or smaller arrays, or on='cpu'",
                )
            if start < self.end:
                self._free.pop()
            self.end = start + size
        self.taken += size
        return start

    def give(self, start: int, size: int) -> None:
        """Bytes that were taken are free again; called from any thread, at any moment."""
        self._returned.append((start, size))

    def join(self) -> None:
        """Put what was given back among what is free."""
        while self._returned:
            start, size = self._returned.popleft()
            size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
            self.taken -= size
            insort(self._free, (start, start + size))
            joined: list[tuple[int, int]] = []
            for a, b in self._free:
                if joined and joined[-1][1] == a:
                    joined[-1] = (joined[-1][0], b)
                else:
                    joined.append((a, b))
            self._free = joined
