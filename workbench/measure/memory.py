"""`MemoryHistory`: the bytes in each place over the calls of a session; nothing is looked at here.

A place is the host or a device. What is there are the copies of arrays, what a device keeps for
the next results, and during a call the temporaries of its program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from workbench.base.units import columns, duration, quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

Bytes = Mapping[str, int]
"""Bytes by place."""
LEVELS = "▁▂▃▄▅▆▇█"
WIDTH = 40
"""Letters of a row's picture."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was where at one moment: `words` say what had just happened, "" for nothing by a call.

    `arrays`, `kept` and `temporaries` are bytes by place; the last are of the call that `words`
    name, and go with its end.
    """

    seconds: float
    words: str
    arrays: Bytes
    kept: Bytes = field(default_factory=dict[str, int])
    temporaries: Bytes = field(default_factory=dict[str, int])

    def held(self, place: str) -> int:
        """All bytes in a place."""
        return sum(x.get(place, 0) for x in (self.arrays, self.kept, self.temporaries))


@dataclass(frozen=True, slots=True)
class MemoryHistory:
    """The looks in order; prints as a table, shows as a chart in a notebook.

    A look is taken at each call, transfer, new array and `free()`; what Python's garbage
    collector takes is seen at the next one. The numbers are exact.
    """

    looks: tuple[Look, ...]

    def __iter__(self) -> Iterator[Look]:
        return iter(self.looks)

    @property
    def places(self) -> tuple[str, ...]:
        """Where anything was, in the order of its coming."""
        found = (p for x in self.looks for b in (x.arrays, x.kept, x.temporaries) for p in b)
        return tuple(dict.fromkeys(found))

    @property
    def calls(self) -> tuple[Look, ...]:
        """The looks at calls."""
        return tuple(x for x in self.looks if x.words)

    def peak(self, place: str) -> Look:
        """The first of the looks at which most was there."""
        return max(self.looks, key=lambda x: x.held(place))

    def grown(self, place: str) -> int:
        """Bytes that came, all together."""
        return sum(max(0, change) for change in self._changes(place))

    def shrunk(self, place: str) -> int:
        """Bytes that went, all together."""
        return sum(max(0, -change) for change in self._changes(place))

    def _changes(self, place: str) -> Iterator[int]:
        held = [x.held(place) for x in self.looks]
        after = [x.held(place) - x.temporaries.get(place, 0) for x in self.looks]
        for before, now in zip(after, held[1:], strict=False):
            yield now - before
        yield from (rest - now for now, rest in zip(held, after, strict=True))

    def rows(self) -> list[tuple[str, ...]]:
        """The head of the table, and a row for each place."""
        head = ("place", "at first", "peak", "at", "by", "at last", "came", "went", "over time")
        return [head, *(self._row(place) for place in self.places)]

    def _row(self, place: str) -> tuple[str, ...]:
        peak, last = self.peak(place), self.looks[-1]
        sizes = [self.looks[0].held(place), peak.held(place), last.held(place)]
        first, most, rest = (quantity(x, "B") for x in sizes)
        return (
            place, first, most, duration(peak.seconds), peak.words or "no call", rest,
            quantity(self.grown(place), "B"), quantity(self.shrunk(place), "B"),
            self._picture(place),
        )  # fmt: skip

    def _picture(self, place: str) -> str:
        """The most that was there in each of some stretches of the looks."""
        held = [x.held(place) for x in self.looks]
        most = max(held) or 1
        width = min(WIDTH, len(held))
        parts = [held[n * len(held) // width : (n + 1) * len(held) // width] for n in range(width)]
        return "".join(LEVELS[round((len(LEVELS) - 1) * max(part) / most)] for part in parts)

    def __repr__(self) -> str:
        if not self.looks:
            return "nothing was looked at"
        count = len(self.calls)
        many = f"{count} call{'' if count == 1 else 's'} in {duration(self.looks[-1].seconds)}"
        return "\n".join([*columns(self.rows()), f"{many}, exact"])

    def _repr_html_(self) -> str:
        chart = import_module("workbench.widget.charts.memory").memory_chart(self)
        head, *body = self.rows() if self.looks else [("place",)]
        style = "style='text-align:left'"
        top = "".join(f"<th {style}>{escape(c)}</th>" for c in head[:-1])
        rows = "".join(
            "<tr>" + "".join(f"<td {style}>{escape(c)}</td>" for c in row[:-1]) + "</tr>"
            for row in body
        )
        return f"{chart}<table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>"

    def show(self) -> None:
        """Draw it: the chart in a notebook, the table elsewhere."""
        import_module("workbench.widget.show").show_value(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON."""
        return asdict(self)
