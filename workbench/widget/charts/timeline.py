"""The timeline of a call: all of it above, and the run alone, as wide as the chart, below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.base.units import duration
from workbench.measure.timeline import LANES, Span, lane_of, side_by_side
from workbench.widget.charts.svg import COLOURS, Axis, Svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.measure.timeline import Kind, Timeline

_LEFT, _RIGHT, _WIDTH = 80, 780, 800
_BAR = 18
_MOST = 400
"""Bars of a lane that are drawn one by one; of more, the longest."""
_ROOM = 6.2
"""Pixels that a letter takes."""
LOOKS: dict[Kind, str] = {
    "compile": COLOURS[3], "prepare": COLOURS[3], "first run": COLOURS[4], "upload": COLOURS[5],
    "run": COLOURS[0], "submit": COLOURS[1], "dispatch": COLOURS[1], "copy": COLOURS[2],
    "read": COLOURS[2],
}  # fmt: skip
"""The colour of each kind; its name stands in the bar or beside the lane, too."""


def timeline_chart(found: Timeline) -> str:
    """One SVG element; nothing where nothing was traced."""
    if not found.spans:
        return ""
    runs = found.of("run")
    parts: list[tuple[str, Sequence[Span], float, float]] = [
        ("all of it", found.spans, 0.0, found.end)
    ]
    if runs:
        inside = [s for s in found.spans if lane_of(s.kind) == "device"]
        parts.append(("the run", [runs[0], *inside], runs[0].start, runs[0].end))
    tracks = [_tracks(spans) for _, spans, _, _ in parts]
    heights = [58 + (_BAR + 4) * len(t) for t in tracks]
    svg = Svg(f"timeline of {found.name} on {found.device}", _WIDTH, sum(heights) + 24)
    top = 0.0
    for (name, _, start, end), lanes, height in zip(parts, tracks, heights, strict=True):
        svg.text(8, top + 14, name)
        _part(svg, lanes, start, Axis(0.0, end - start or 1.0, _LEFT, _RIGHT, log=False), top)
        top += height
    _key(svg, found, top + 14)
    return svg.done()


def _tracks(spans: Sequence[Span]) -> list[tuple[str, list[Span]]]:
    """The lanes from above, several where spans overlap."""
    found: list[tuple[str, list[Span]]] = []
    for lane in LANES:
        mine = [s for s in spans if lane_of(s.kind) == lane]
        found += [(lane, track) for track in side_by_side(mine)]
    return found


def _part(
    svg: Svg, tracks: Sequence[tuple[str, list[Span]]], start: float, axis: Axis, top: float
) -> None:
    """The lanes over an axis that begins with `start`."""
    bottom = top + 22 + (_BAR + 4) * len(tracks)
    for tick in axis.ticks():
        svg.line(axis(tick), top + 18, axis(tick), bottom, faint=True)
        svg.text(axis(tick), bottom + 14, duration(tick), anchor="middle")
    for number, (lane, spans) in enumerate(tracks):
        y = top + 22 + (_BAR + 4) * number
        svg.text(8, y + 13, lane)
        shown = spans if len(spans) <= _MOST else sorted(spans, key=lambda s: -s.seconds)[:_MOST]
        for s in shown:
            _bar(svg, s, axis(s.start - start), axis(s.end - start), y)


def _bar(svg: Svg, s: Span, left: float, right: float, y: float) -> None:
    width = right - left
    svg.begin(s.words)
    svg.rect(left, y, max(1.0, width - 0.5), _BAR, LOOKS[s.kind], opacity=0.45)
    svg.line(left, y, left, y + _BAR, colour=LOOKS[s.kind])
    letters = int((width - 6) / _ROOM)
    if letters >= min(3, len(s.name)):
        svg.text(left + 4, y + 13, s.name if len(s.name) <= letters else s.name[:letters])
    svg.end()


def _key(svg: Svg, found: Timeline, y: float) -> None:
    x = float(_LEFT)
    for kind in found.kinds:
        svg.rect(x, y - 10, 12, 12, LOOKS[kind], opacity=0.45)
        svg.text(x + 16, y, kind)
        x += 36 + _ROOM * len(kind)
