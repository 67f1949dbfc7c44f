"""`Comparison`: what was measured of several things on several devices, and what it shows.

A value that tables, charts, files and reports are made from; nothing is measured here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from workbench.base.units import between, columns, duration
from workbench.measure.intervals import Interval, ratio_interval, shows_difference, verdict
from workbench.measure.pair import paired
from workbench.measure.plain import comparison_dict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.measure.pair import Pair
    from workbench.measure.timing import Ended, Series, Timed
    from workbench.pipeline import Compilation
    from workbench.program import Program

    Made = Compilation | Program

COARSE = 0.02
"""The share of a reading that a device's clock may step by, for the readings to be used."""

Clock = Literal["wall", "kernel"]
"""Calls as the host sees them, one after another; or what the kernels alone took."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing on one device: its times, or why it has none.

    `agreed` says how its answer was compared before it was timed; `refused` why it was not timed.
    `identity` is the same for the same code on the same kind of device, on any day.
    """

    label: str
    device: str
    timed: Timed | None = None
    agreed: str = ""
    refused: str = ""
    identity: str = ""
    compile: float | None = None
    """Seconds to a runnable program; None where nothing was compiled."""
    transfer: int = 0
    """Bytes that a first call with fresh inputs takes to the device."""
    made: Made | None = field(default=None, compare=False, repr=False)
    """What its device runs, with all stages; a shader's program; None for functions."""

    @property
    def words(self) -> str:
        """Its name with the device, as verdicts say it."""
        return f"{self.label} on {self.device}" if self.device else self.label


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the results file says of the same code, measured before on the same machine."""

    label: str
    device: str
    at: str
    interval: Interval
    ratio: Interval
    """How many times today's time is that one: by both intervals, not side by side."""
    changed: tuple[str, ...] = ()
    """What of the environment is different since."""

    @property
    def words(self) -> str:
        """What can be said of two times that were not taken in the same rounds."""
        changed = f"; since then {', '.join(self.changed)}" if self.changed else ""
        return (
            f"{self.label} on {self.device}: {self.ratio.middle:.3g}x of its time at {self.at} "
            f"(95 % by the readings of both: {self.ratio.low:.3g} to {self.ratio.high:.3g}; not "
            f"side by side, so the machine may be what differs){changed}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Things measured side by side, in rounds; prints as a table, shows as HTML in a notebook.

    `ended` says why the rounds ended: every interval was narrow, the budget was spent, or it was
    interrupted or failed (`error`), and then what had been measured is kept.
    """

    entries: tuple[Entry, ...]
    environment: Mapping[str, str]
    rounds: int
    seconds: float
    ended: Ended
    error: str = ""
    at: str = ""
    load: float | None = None
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    earlier: tuple[Earlier, ...] = ()
    kept: str = ""
    """In which file it is kept, or why it is in none."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def measured(self) -> tuple[Entry, ...]:
        """The entries that have times."""
        return tuple(e for e in self.entries if e.timed is not None)

    @property
    def clock(self) -> Clock:
        """What the times are of: of kernels where every entry has them, by a clock fine enough.

        A call's time and a kernel's are never compared with each other.
        """
        for e in self.measured:
            kernel = None if e.timed is None else e.timed.kernel
            if kernel is None or kernel.step > COARSE * kernel.interval.middle:
                return "wall"
        return "kernel" if self.measured else "wall"

    def series(self, e: Entry) -> Series:
        """The readings that the comparison is by. Raises `ValueError` for one without."""
        if e.timed is None:
            raise ValueError(f"{e.words} was not timed: {e.refused}")
        by_device = e.timed.kernel if self.clock == "kernel" else None
        return by_device or e.timed.wall

    def ratio(self, first: Entry, second: Entry) -> Interval:
        """How many times `first` takes the time of `second`, by the rounds of both."""
        return ratio_interval(self.series(first).values, self.series(second).values)

    def find(self, label: str, device: str | None = None) -> Entry:
        """The entry of that name. Raises `KeyError` where there is none, or several."""
        found = [e for e in self.entries if e.label == label and device in {None, e.device}]
        if len(found) != 1:
            names = ", ".join(e.words for e in self.entries)
            raise KeyError(f"{len(found)} entries '{label}' on {device}; there are {names}")
        return found[0]

    def pair(
        self, first: str, second: str, *, on: str | None = None, stage: str | None = None
    ) -> Pair:
        """Two entries beside each other: how schedules, code (of a stage) and traffic differ.

        `on` is the device where they are on several. Raises `KeyError` for unknown labels,
        `CallError` for what has no code.
        """
        a, b = self.find(first, on), self.find(second, on)
        return paired(a, b, self._said_of(a, b), stage)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """On each device, the first thing with code beside each other one."""
        coded = [e for e in self.measured if e.made is not None]
        found: list[Pair] = []
        for device in dict.fromkeys(e.device for e in coded):
            first, *others = (e for e in coded if e.device == device)
            found += [paired(first, e, self._said_of(first, e)) for e in others]
        return tuple(found)

    def _said_of(self, a: Entry, b: Entry) -> str:
        if a.timed is None or b.timed is None:
            return "not both were timed"
        return verdict(a.words, b.words, self.ratio(a, b))

    @property
    def verdicts(self) -> tuple[str, ...]:
        """In words: each entry against the first of its device, and each device's best."""
        said: list[str] = []
        leaders: list[Entry] = []
        for device in dict.fromkeys(e.device for e in self.measured):
            here = [e for e in self.measured if e.device == device]
            said += [verdict(here[0].words, e.words, self.ratio(here[0], e)) for e in here[1:]]
            leaders.append(min(here, key=lambda e: self.series(e).interval.middle))
        leaders.sort(key=lambda e: self.series(e).interval.middle)
        said += [verdict(e.words, leaders[0].words, self.ratio(e, leaders[0])) for e in leaders[1:]]
        return tuple(dict.fromkeys(said))

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known of the numbers: clock, rounds, outliers, load, what was refused."""
        rounds = f"{self.rounds} rounds in {self.seconds:.1f} s, {_ENDED[self.ended]}"
        found = [f"measured: {self._told_by()}; {rounds}"]
        if self.error:
            found.append(self.error)
        found += [f"{e.words}: not timed: {e.refused}" for e in self.entries if e.refused]
        for e in self.measured:
            series = self.series(e)
            if far := series.outliers:
                times = ", ".join(duration(series.values[n]) for n in far[:3])
                found.append(f"{e.words}: {len(far)} outliers kept, such as {times}")
        if self.load is not None and self.load > 1.0:
            found.append(f"the machine was busy: {self.load:.1f} processes a core")
        found += [old.words for old in self.earlier]
        found += [f"{d}: {told['adapter']}, {told['kind']}" for d, told in self.devices.items()]
        if self.environment:
            found.append(", ".join(f"{n} {told}" for n, told in self.environment.items()))
        if self.kept:
            found.append(self.kept)
        return tuple(found)

    def _told_by(self) -> str:
        if self.clock == "kernel":
            clocks = {e.device: self.series(e).clock for e in self.measured}
            return "kernel time (" + ", ".join(f"{d}: {c}" for d, c in clocks.items()) + ")"
        coarse = {
            f"{e.device}'s steps by {duration(e.timed.kernel.step)}"
            for e in self.measured
            if e.timed is not None and e.timed.kernel is not None and e.timed.kernel.step > 0
        }
        why = f", as the clock of {', '.join(sorted(coarse))}" if coarse else ""
        return f"wall time of calls one after another{why}"

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table, its head first."""
        head = ("what", "where", "time", "95 %", "speedup", "call", "compile", "answer")
        return [head, *(self._row(e) for e in self.entries)]

    def _row(self, e: Entry) -> tuple[str, ...]:
        if e.timed is None:
            return e.label, e.device, "-", "-", "-", "-", "-", e.refused
        found = self.series(e).interval
        sure, fast = between(found.low, found.high), speedup(self, e)
        call = "-" if e.timed.call is None else duration(e.timed.call)
        made = "-" if e.compile is None else duration(e.compile)
        return e.label, e.device, duration(found.middle), sure, fast, call, made, e.agreed

    def table(self) -> str:
        """The table, the verdicts and the notes as text."""
        return "\n".join([*columns(self.rows()), "", *self.verdicts, "", *self.notes])

    def __repr__(self) -> str:
        return self.table()

    def to_markdown(self) -> str:
        """The same for a document."""
        head, *body = (" | ".join(c.replace("|", "\\|") for c in row) for row in self.rows())
        ruler = " | ".join("---" for _ in self.rows()[0])
        rows = [f"| {line} |" for line in (head, ruler, *body)]
        verdicts = [f"- {v}" for v in self.verdicts]
        return "\n".join([*rows, "", *verdicts, "", *self.notes]) + "\n"

    def show(self) -> None:
        """Draw it: the chart and the table in a notebook, the table elsewhere."""
        import_module("workbench.widget.show").show_value(self)

    def to_html(self) -> str:
        """A page of its own: one file that loads nothing, light or dark as its reader is."""
        return _charts().comparison_page(self)

    def _repr_html_(self) -> str:
        return _charts().comparison_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON, as `docs/comparison.schema.json` describes them."""
        return comparison_dict(self)

    def against(self, e: Entry) -> Interval:
        """How many times an entry is faster than the first of its device; 1 for that."""
        first = next(x for x in self.measured if x.device == e.device)
        return Interval(1.0, 1.0, 1.0) if e is first else self.ratio(first, e)


def _charts() -> Any:
    """Drawing is a layer above this one: it is found by name, when somebody looks."""
    return import_module("workbench.widget.charts.comparison")


_ENDED = {
    "narrow": "until every interval was narrow",
    "budget": "until the budget was spent",
    "interrupted": "until it was interrupted",
    "failed": "until one failed",
}


def speedup(c: Comparison, e: Entry) -> str:
    """How many times an entry is faster than the first of its device, in words."""
    found = c.against(e)
    if found.low == found.high == 1.0:
        return "1"
    if not found.known:
        return f"{found.middle:.3g}x, too few readings"
    mark = "" if shows_difference(found) else ", no difference shown"
    return f"{found.middle:.3g}x ({found.low:.3g} to {found.high:.3g}){mark}"
