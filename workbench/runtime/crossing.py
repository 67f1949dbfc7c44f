"""How far bytes have come on their way to a page or from it, said once that takes a second."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

_SILENT_SECONDS = 1.0
_LEAST = 4 * 1024 * 1024
"""Of fewer bytes nothing is said: what takes long is something else."""


def terminal() -> TextIO | None:
    """Where a script says how far it is: the terminal, if there is one."""
    return sys.stderr if sys.stderr.isatty() else None


class Crossing:
    """The bytes that cross together, from when there were none."""

    def __init__(self, console: Callable[[], TextIO | None]) -> None:
        """`console` is asked for whenever there is something to say; None where nobody looks."""
        self._console = console
        self._words = ""
        self._began = 0.0
        self._total = 0
        self._said = False

    def add(self, size: int, words: str, left: int) -> None:
        """So many more bytes are to cross, "to" or "from" somewhere; `left` were before."""
        if not left:
            self.look(0)
            self._began = time.monotonic()
        self._words = words
        self._total += size

    def look(self, left: int) -> None:
        """Say how far they are where that takes long; `left` are still to come, 0 ends it."""
        words = self._words
        seconds = time.monotonic() - self._began
        if left and seconds > _SILENT_SECONDS and self._total >= _LEAST:
            come = max(0, self._total - left)
            self._say(f"\r{words}: {come / 1e6:.0f} of {self._total / 1e6:.0f} MB")
            self._said = True
        elif not left:
            if self._said:
                self._say(f"\r{words}: {self._total / 1e6:.0f} MB in {seconds:.1f} s    \n")
            self._total = 0
            self._said = False

    def _say(self, words: str) -> None:
        console = self._console()
        if console is not None:
            console.write(words)
            console.flush()
