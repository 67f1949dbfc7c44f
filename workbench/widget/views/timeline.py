"""When each part of a call was done: one call is traced when somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.measure.timeline import LANES, Kind, Timeline, lane_of, side_by_side
from workbench.session.timeline import timeline
from workbench.widget.charts.timeline import LOOKS
from workbench.widget.views import Arguments, View

if TYPE_CHECKING:
    from workbench.measure.timeline import Span
    from workbench.session.subject import Subject


@dataclass(frozen=True, slots=True)
class Bar:
    """A span as it is drawn; `words` say all of it."""

    kind: Kind
    name: str
    start: float
    seconds: float
    colour: str
    words: str


@dataclass(frozen=True, slots=True)
class Track:
    """Spans that do not overlap, of one lane."""

    lane: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """The tracks from above; `run` is from when to when the traced run went, `end` the last."""

    timeline: Timeline
    tracks: tuple[Track, ...]
    run: tuple[float, float]
    end: float
    foot: str


def _draw(subject: Subject, _: Arguments) -> Drawn:
    run = subject.fresh
    inputs = None if run is None else run.arguments
    found = timeline(subject.compilation, inputs, subject.device or None)
    tracks = tuple(
        Track(lane, tuple(map(_bar, spans)))
        for lane in LANES
        for spans in side_by_side([s for s in found if lane_of(s.kind) == lane])
    )
    (traced,) = found.of("run")
    foot = "; ".join(("measured", *found.clocks, *found.notes))
    return Drawn(found, tracks, (traced.start, traced.end), found.end, foot)


def _bar(s: Span) -> Bar:
    return Bar(s.kind, s.name, s.start, s.seconds, LOOKS[s.kind], s.words)


VIEW = View(
    "timeline", "timeline", _draw,
    lambda value: repr(value.timeline), lambda value: value.timeline._repr_html_(),
)  # fmt: skip
