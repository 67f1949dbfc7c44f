"""What takes longer than a second says how far it is, in one line that goes when it ends.

Whoever works opens a task on the `BOARD`, and tells it now and then how far it is. Nothing runs
beside the work: a line is drawn when a task is told, and only where somebody looks. Who looks may
ask it to stop, from any thread: then the next telling is interrupted, as by the keyboard.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable

SILENT_SECONDS = 1.0
"""What takes less than this says nothing."""
EVERY_SECONDS = 0.2
"""A line is drawn again no sooner than this."""


BAR = 20
"""Letters of a bar of text."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far something is: `done` of `total` units; None where nobody knows how many.

    Without a unit, or with one in all, nothing is known but that it goes on. `part` is the share
    that is done, from 0 to 1, where something else than the units tells it.
    """

    done: int = 0
    total: int | None = None
    unit: str = ""
    part: float | None = None

    def share(self, inner: float | None) -> float | None:
        """The share that is done, if it is known; `inner` is that of the unit under way."""
        if self.part is not None:
            return self.part
        if not self.unit or self.total is None or self.total <= 1:
            return inner
        return min(1.0, (self.done + (inner or 0.0)) / self.total)

    def __str__(self) -> str:
        if not self.unit or (self.total is not None and self.total <= 1):
            return ""
        total = "" if self.total is None else f" of {self.total:,}"
        return f"{self.done:,}{total} {self.unit}"


class Screen(Protocol):
    """Where one line is shown; `stop` says what ends the work there, if that needs words."""

    @property
    def stop(self) -> str:
        """What somebody who looks has to do."""
        ...

    def show(self, words: str, share: float | None, number: int) -> None:
        """Put these words in place of those before; none take the line away.

        `share` of the work is done, where that is known; `number` is what `Board.stop` takes.
        """
        ...


class Terminal:
    """A line of standard error."""

    stop = "Ctrl-C stops it"

    def show(self, words: str, share: float | None, number: int) -> None:
        """Draw over the line."""
        del number
        done = None if share is None else round(BAR * share)
        bar = "" if done is None else f"[{'#' * done}{'.' * (BAR - done)}] "
        sys.stderr.write(f"\r{bar}{words}\x1b[K")
        sys.stderr.flush()


def terminal() -> Screen | None:
    """The terminal, where standard error is one."""
    return Terminal() if sys.stderr is not None and sys.stderr.isatty() else None


class Task:
    """Something that may take long, while its `with` lasts; `Board.task` makes them."""

    def __init__(self, words: str, board: Board) -> None:
        """`words` say what it is."""
        self._words = words
        self._board = board
        self.standing = Standing()

    def __enter__(self) -> Self:
        self._board.enter(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._board.leave(self)

    def at(self, standing: Standing) -> None:
        """Say how far it is, or that it goes on; cheap enough to be told twenty times a second.

        Raises `KeyboardInterrupt` where somebody has asked it to stop.
        """
        self.standing = standing
        self._board.look()

    def __str__(self) -> str:
        return ": ".join(filter(None, (self._words, str(self.standing))))


class Board:
    """The tasks of this process, the outer ones first, and where their line is drawn.

    Those of one thread at a time: what another one does meanwhile is not drawn.
    """

    def __init__(
        self,
        screen: Callable[[], Screen | None] = terminal,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`screen` is asked whenever there is something to say; None where nobody looks."""
        self.screen = screen
        self.clock = clock
        self._open: list[Task] = []
        self._thread = 0
        self._began = 0.0
        self._number = 0
        self._stopped = 0
        self._drawn: Screen | None = None
        self._drawn_at = 0.0

    def task(self, words: str) -> Task:
        """Something that may take long, for a `with`."""
        return Task(words, self)

    def enter(self, task: Task) -> None:
        """Begin a task."""
        if not self._open:
            self._thread, self._began = threading.get_ident(), self.clock()
            self._number += 1
        if self._thread == threading.get_ident():
            self._open.append(task)

    def leave(self, task: Task) -> None:
        """End a task; the line goes with the last."""
        if task in self._open:
            self._open.remove(task)
            if not self._open and self._drawn is not None:
                self._drawn.show("", None, self._number)
                self._drawn = None

    def stop(self, number: int) -> None:
        """Ask what was shown under this number to stop, if it goes on; from any thread."""
        self._stopped = number

    def look(self) -> None:
        """Draw the line anew where it is time. Raises `KeyboardInterrupt` if it is to stop."""
        if not self._open or self._thread != threading.get_ident():
            return
        if self._stopped == self._number:
            self._stopped = 0
            raise KeyboardInterrupt
        now = self.clock()
        seconds = now - self._began
        if seconds < SILENT_SECONDS or (self._drawn and now - self._drawn_at < EVERY_SECONDS):
            return
        self._drawn, self._drawn_at = self.screen(), now
        if self._drawn is not None:
            words = (*map(str, self._open), f"{seconds:.0f} s", self._drawn.stop)
            share = None
            for task in reversed(self._open):
                share = task.standing.share(share)
            self._drawn.show(" · ".join(filter(None, words)), share, self._number)


BOARD = Board()
"""The one of this process."""
