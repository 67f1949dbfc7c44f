"""The bytes in each place over time: a row for each place, and the calls below."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from workbench.base.units import duration, quantity
from workbench.widget.charts.svg import Axis, Svg, look

if TYPE_CHECKING:
    from workbench.measure.memory import Look, MemoryHistory

_LEFT, _RIGHT, _WIDTH = 110, 700, 800
_ROW, _GAP = 64, 14
_MOST_CALLS = 60
"""Calls that are marked one by one; of more, every so many."""


def memory_chart(found: MemoryHistory) -> str:
    """One SVG element; nothing where nothing was looked at."""
    places = found.places
    if not places:
        return ""
    bottom = 18 + (_ROW + _GAP) * len(places)
    svg = Svg("memory over time", _WIDTH, bottom + 44)
    across = Axis(0.0, found.looks[-1].seconds or 1.0, _LEFT, _RIGHT, log=False)
    svg.bottom(across, bottom, duration, "since the watch began; dashed: calls")
    calls = found.calls
    for call in calls[:: max(1, len(calls) // _MOST_CALLS)]:
        svg.begin(_told(call, places))
        svg.line(across(call.seconds), 18, across(call.seconds), bottom, faint=True, dashed=True)
        svg.end()
    for number, place in enumerate(places):
        _place(svg, found, place, across, number)
    return svg.done()


def _told(call: Look, places: tuple[str, ...]) -> str:
    held = ", ".join(f"{p} {quantity(call.held(p), 'B')}" for p in places)
    return f"{call.words} at {duration(call.seconds)}: {held}"


def _place(svg: Svg, found: MemoryHistory, place: str, across: Axis, number: int) -> None:
    colour, _ = look(number)
    base = 18 + (_ROW + _GAP) * number + _ROW
    peak = found.peak(place)
    up = Axis(0.0, peak.held(place) or 1.0, base, base - _ROW + 6, log=False)
    most = quantity(peak.held(place), "B")
    svg.begin(f"{place}: peak {most} at {duration(peak.seconds)}, {peak.words or 'no call'}")
    svg.text(8, base - _ROW / 2, place)
    svg.text(_RIGHT + 10, base - _ROW + 12, f"peak {most}")
    svg.line(_LEFT, base, _RIGHT, base, faint=True)
    for here, after in pairwise(found.looks):
        left, right = across(here.seconds), across(after.seconds)
        rest = here.held(place) - here.temporaries.get(place, 0)
        svg.rect(left, up(rest), right - left, base - up(rest), colour, opacity=0.45)
        svg.line(left, up(rest), right, up(rest), colour=colour, width=1.5)
        svg.line(right, up(rest), right, up(after.held(place)), colour=colour, width=1.5)
    svg.end()
