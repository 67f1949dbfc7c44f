"""`Timeline`: when each part of a call was done, from compiling to reading back.

A value that tables, charts and trace files are made from; nothing is measured here. Three lanes:
what the compiler did, what the host saw, and what the device did by its own clock. The clocks of
a host and a device share no zero: the device's first action stands where the run begins.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

from workbench.base.units import columns, duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Kind = Literal["compile", "prepare", "first run", "upload", "run", "submit", "dispatch", "copy",
               "read"]  # fmt: skip
Lane = Literal["compiler", "host", "device"]
LANES: tuple[Lane, ...] = ("compiler", "host", "device")
SHOWN = 40
"""Dispatches and copies that a table lists one by one; more are summed for each kernel."""


def lane_of(kind: Kind) -> Lane:
    """Where spans of a kind are drawn."""
    match kind:
        case "compile":
            return "compiler"
        case "prepare" | "first run" | "upload" | "run" | "read":
            return "host"
        case "submit" | "dispatch" | "copy":
            return "device"
        case _:
            assert_never(kind)


@dataclass(frozen=True, slots=True)
class Span:
    """Something that was done: `start` is seconds after the timeline's, `clock` took both."""

    kind: Kind
    name: str
    start: float
    seconds: float
    clock: str = "wall"
    tag: Literal["measured"] = "measured"

    @property
    def end(self) -> float:
        """When it was over."""
        return self.start + self.seconds

    @property
    def words(self) -> str:
        """It in one line."""
        return (
            f"{self.kind} {self.name}: {duration(self.seconds)} from {duration(self.start)}, "
            f"{self.tag} by {self.clock}"
        )


@dataclass(frozen=True, slots=True)
class Timeline:
    """The spans of one call in their order; prints as a table, shows as a chart in a notebook.

    `steps` are the seconds by which each clock goes on, 0 where that is not known.
    """

    name: str
    device: str
    spans: tuple[Span, ...]
    steps: Mapping[str, float] = field(default_factory=dict[str, float])
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Span]:
        return iter(self.spans)

    def of(self, *kinds: Kind) -> tuple[Span, ...]:
        """The spans of some kinds."""
        return tuple(s for s in self.spans if s.kind in kinds)

    def seconds(self, *kinds: Kind) -> float:
        """The time of all spans of some kinds together."""
        return sum(s.seconds for s in self.of(*kinds))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of spans that there are, in order."""
        return tuple({s.kind: None for s in self.spans})

    @property
    def by_kernel(self) -> Mapping[str, tuple[int, float]]:
        """How often each kernel was dispatched, and the seconds of its dispatches together."""
        found: dict[str, tuple[int, float]] = {}
        for s in self.of("dispatch"):
            count, seconds = found.get(s.name, (0, 0.0))
            found[s.name] = count + 1, seconds + s.seconds
        return found

    @property
    def end(self) -> float:
        """When the last span is over."""
        return max((s.end for s in self.spans), default=0.0)

    @property
    def clocks(self) -> tuple[str, ...]:
        """In words: what each clock is, and how finely it tells time."""
        said: list[str] = []
        for clock in dict.fromkeys(s.clock for s in self.spans):
            step = self.steps.get(clock, 0.0)
            fine = "a step that is not known" if not step else f"steps of {_step(step)}"
            said.append(f"{clock}: {fine}")
        return tuple(said)

    def rows(self) -> list[tuple[str, ...]]:
        """The head of the table, and a row for each span; many dispatches as one for a kernel."""
        many = len(self.of("dispatch", "copy")) > SHOWN
        shown = [s for s in self.spans if not (many and s.kind in {"dispatch", "copy"})]
        found = [("lane", "what", "from", "time", "clock")]
        for s in shown:
            what = f"{s.kind} {s.name}"
            found.append((lane_of(s.kind), what, duration(s.start), duration(s.seconds), s.clock))
        for name, (count, seconds) in self.by_kernel.items() if many else ():
            clock = self.of("dispatch")[0].clock
            found.append(("device", f"{count} dispatches {name}", "", duration(seconds), clock))
        return found

    def __repr__(self) -> str:
        head = f"{self.name} on {self.device}, measured"
        return "\n".join([head, *columns(self.rows()), *self.clocks, *self.notes])

    def _repr_html_(self) -> str:
        chart = import_module("workbench.widget.charts.timeline").timeline_chart(self)
        head, *body = self.rows()
        top = "".join(f"<th style='text-align:left'>{escape(c)}</th>" for c in head)
        rows = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{escape(c)}</td>" for c in row) + "</tr>"
            for row in body
        )
        notes = "; ".join(map(escape, (*self.clocks, *self.notes)))
        return (
            f"{chart}<details><summary>{len(body)} spans</summary>"
            f"<table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></details>"
            f"<p><small>{notes}</small></p>"
        )

    def show(self) -> None:
        """Draw it: the chart in a notebook, the table elsewhere."""
        import_module("workbench.widget.show").show_value(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON."""
        return asdict(self)

    def to_trace(self) -> dict[str, Any]:
        """It in the Trace Event Format of Chrome, which Perfetto and its kin read as well."""
        process = {"ph": "M", "pid": 1, "tid": 0, "name": "process_name"}
        events: list[dict[str, Any]] = [
            {**process, "args": {"name": f"{self.name} on {self.device}"}}
        ]
        track = 0
        for lane in LANES:
            mine = [s for s in self.spans if lane_of(s.kind) == lane]
            for spans in side_by_side(mine):
                track += 1
                named = {"ph": "M", "pid": 1, "tid": track, "name": "thread_name"}
                events.append({**named, "args": {"name": lane}})
                events += [_event(s, track) for s in spans]
        notes = [*self.clocks, *self.notes]
        return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": {"notes": notes}}

    def save(self, path: str | Path) -> Path:
        """Write the trace to a file that Perfetto and `chrome://tracing` open; gives the path."""
        target = Path(path)
        target.write_text(json.dumps(self.to_trace()), encoding="utf-8")
        return target


def side_by_side(spans: Sequence[Span]) -> list[list[Span]]:
    """The spans on as few tracks as none overlaps another on; dispatches may, on a GPU."""
    tracks: list[list[Span]] = []
    for s in sorted(spans, key=lambda s: s.start):
        free = next((t for t in tracks if t[-1].end <= s.start + 1e-12), None)
        if free is None:
            tracks.append([s])
        else:
            free.append(s)
    return tracks


def _event(s: Span, track: int) -> dict[str, Any]:
    """A complete event; its times are microseconds, to whole nanoseconds."""
    start, end = round(1e9 * s.start), round(1e9 * s.end)
    return {
        "ph": "X", "pid": 1, "tid": track, "cat": s.kind, "name": f"{s.kind} {s.name}",
        "ts": start / 1e3, "dur": (end - start) / 1e3,
        "args": {"clock": s.clock, "tag": s.tag},
    }  # fmt: skip


def _step(seconds: float) -> str:
    """The step of a clock; below 1 µs it is one that does not matter here."""
    return f"{1e9 * seconds:,.0f} ns" if seconds >= 1e-6 else "less than 1 µs"
