"""The table of memory: every array that is alive, where its copies are, and what they take."""

from __future__ import annotations

import inspect
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from workbench.base.units import columns
from workbench.measure.memory import Look, MemoryHistory
from workbench.runtime.device import opened_devices
from workbench.runtime.residency import live, watched
from workbench.runtime.transfers import size_text

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from workbench.runtime.arrays import Array
    from workbench.runtime.transfers import Transfer


@dataclass(frozen=True, slots=True)
class Row:
    """One array: its Python names, its type, its places (and whether current), its owner.

    `nbytes` is what each copy takes; `owner` is the call that made it; `transfers` say what went
    from place to place, and how it was converted; `layouts` where a copy is not in C order.
    """

    names: tuple[str, ...]
    type: str
    places: Mapping[str, bool]
    nbytes: int
    owner: str
    transfers: tuple[Transfer, ...] = ()
    layouts: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def shown(self) -> tuple[str, ...]:
        """The cells of the table."""
        said = {n: self.layouts.get(n, "") if now else "stale" for n, now in self.places.items()}
        places = ", ".join(f"{n} ({words})" if words else n for n, words in said.items())
        each = size_text(self.nbytes)
        many = len(self.places)
        size = each if many == 1 else f"{many} x {each}" if many else "0 B"
        names = ", ".join(self.names) or "no name"
        crossed = "; ".join(c.words for c in self.transfers)
        return names, self.type, places or "nowhere", size, self.owner, crossed


HEAD = ("array", "type", "places", "bytes", "owner", "crossed")


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """The arrays that are alive, oldest first; prints as text, shows as HTML in a notebook."""

    rows: tuple[Row, ...]
    kept: Mapping[str, int] = field(default_factory=dict[str, int])
    """Bytes of no array that devices keep for the next results."""

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def totals(self) -> dict[str, int]:
        """Bytes at each place, those of stale copies as well."""
        found: dict[str, int] = {}
        for row in self.rows:
            for place in row.places:
                found[place] = found.get(place, 0) + row.nbytes
        return found

    def __repr__(self) -> str:
        table = [HEAD, *(row.shown for row in self.rows)]
        return "\n".join([*columns(table), self._sum()])

    def _repr_html_(self) -> str:
        def line(cells: tuple[str, ...], tag: str) -> str:
            style = "style='text-align:left'"
            inner = "".join(f"<{tag} {style}>{escape(c)}</{tag}>" for c in cells)
            return f"<tr>{inner}</tr>"

        body = "".join(line(row.shown, "td") for row in self.rows)
        return (
            f"<table><thead>{line(HEAD, 'th')}</thead><tbody>{body}</tbody>"
            f"<caption style='caption-side:bottom'>{escape(self._sum())}</caption></table>"
        )

    def _sum(self) -> str:
        many = f"{len(self) or 'no'} array{'' if len(self) == 1 else 's'}"
        said = many + (f": {_sizes(self.totals)}" if self.totals else "")
        return said + (f"; kept for the next results: {_sizes(self.kept)}" if self.kept else "")


def _sizes(bytes_at: Mapping[str, int]) -> str:
    return ", ".join(f"{place} {size_text(n)}" for place, n in bytes_at.items())


class MemoryWatch:
    """What `watch_memory` gives: its `history` grows while the block runs, and is shown."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._looks: list[Look] = []

    @property
    def history(self) -> MemoryHistory:
        """What was where, so far."""
        return MemoryHistory(tuple(self._looks))

    def look(self, words: str = "", place: str = "", temporaries: int = 0) -> None:
        """Look at all arrays now; of a call, with its temporaries."""
        arrays: dict[str, int] = {}
        for a in live():
            for where in a.copies():
                arrays[where] = arrays.get(where, 0) + a.nbytes
        seconds = time.perf_counter() - self._began
        there = {place: temporaries} if temporaries else {}
        self._looks.append(Look(seconds, words, arrays, _kept(), there))

    def __repr__(self) -> str:
        return repr(self.history)


@contextmanager
def watch_memory() -> Generator[MemoryWatch]:
    """Note the bytes in each place at every call, transfer, new array and `free()` of the block.

    ```
    with wb.watch_memory() as seen:
        y = layer(x, w)
    seen.history.show()
    ```
    What is allocated outside of arrays and programs is not seen.
    """
    seen = MemoryWatch()
    seen.look()
    with watched(seen.look):
        yield seen
    seen.look()


def _kept() -> dict[str, int]:
    """Bytes that devices keep for the next results."""
    return {d.name: d.kept for d in opened_devices() if d.kept}


def memory(names: Mapping[str, object] | None = None) -> MemoryTable:
    """Every array that is alive: name, type, places, bytes, and the call that made it.

    Names are looked up in `names`; without it, in those of the caller. Nothing is computed or
    read back for it.
    """
    if names is None:
        frame = inspect.currentframe()
        caller = None if frame is None else frame.f_back
        names = {} if caller is None else {**caller.f_globals, **caller.f_locals}
    return MemoryTable(tuple(_row(a, names) for a in live()), _kept())


def _row(a: Array, names: Mapping[str, object]) -> Row:
    called = tuple(n for n, value in names.items() if value is a and not n.startswith("_"))
    extents = ", ".join(map(str, a.shape))
    owner = a.made_by or "the host"
    return Row(called, f"{a.dtype}[{extents}]", a.copies(), a.nbytes, owner, a.transfers, a.layouts)
