"""`Sweep`: comparisons at several sizes, or at several values of a knob."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from workbench.base.units import columns, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.measure.comparison import Comparison, Entry
    from workbench.measure.intervals import Interval


@dataclass(frozen=True, slots=True)
class Point:
    """One value of what is swept, and what was measured there."""

    value: int
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Sweep:
    """The same things at several values of `name`; prints as a table, draws as curves.

    An interrupted sweep has fewer points than were `wanted`, and says so.
    """

    name: str
    points: tuple[Point, ...]
    wanted: int = 0

    @property
    def words(self) -> str:
        """That it was interrupted, and where; nothing where it was not."""
        last = self.points[-1].comparison.ended if self.points else ""
        if len(self.points) >= self.wanted and last != "interrupted":
            return ""
        return f"interrupted: {len(self.points)} of {self.wanted} points begun"

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Label and device of every entry, in order."""
        return tuple(dict.fromkeys((e.label, e.device) for p in self.points for e in p.comparison))

    def curve(self, key: tuple[str, str]) -> tuple[tuple[int, Interval], ...]:
        """The times of an entry at every point at which it has one."""
        found: list[tuple[int, Interval]] = []
        for p in self.points:
            e = self._entry(p, key)
            if e is not None and e.timed is not None:
                found.append((p.value, p.comparison.series(e).interval))
        return tuple(found)

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table, its head first: a row for each point."""
        head = (self.name, *(f"{label} on {device}" for label, device in self.keys))
        return [head, *(self._row(p) for p in self.points)]

    def _row(self, p: Point) -> tuple[str, ...]:
        cells: list[str] = []
        for key in self.keys:
            e = self._entry(p, key)
            if e is None or e.timed is None:
                cells.append("-" if e is None else e.refused)
            else:
                cells.append(duration(p.comparison.series(e).interval.middle))
        return (str(p.value), *cells)

    def _entry(self, p: Point, key: tuple[str, str]) -> Entry | None:
        return next((e for e in p.comparison if (e.label, e.device) == key), None)

    def __repr__(self) -> str:
        return "\n".join([*columns(self.rows()), *filter(None, [self.words])])

    def _repr_html_(self) -> str:
        return import_module("workbench.widget.charts.sweep").sweep_html(self)

    def to_html(self) -> str:
        """A page of its own: one file that loads nothing."""
        draw = import_module("workbench.widget.charts.page").page
        return draw(f"{self.name} swept", self._repr_html_(), self.points[0].comparison.at)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON."""
        return {
            "over": self.name,
            "wanted": self.wanted,
            "points": [{"value": p.value, **p.comparison.to_dict()} for p in self.points],
        }

    def show(self) -> None:
        """Draw it: the curves in a notebook, the table elsewhere."""
        import_module("workbench.widget.show").show_value(self)
