"""Curves of a sweep: time over size or knob, with the interval at every point."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from workbench.base.units import duration
from workbench.widget.charts.page import table_html
from workbench.widget.charts.svg import Svg, look, spanning

if TYPE_CHECKING:
    from workbench.measure.intervals import Interval
    from workbench.measure.sweep import Sweep

_LEFT, _RIGHT, _BOTTOM, _WIDTH = 80, 520, 300, 760


def sweep_chart(found: Sweep) -> str:
    """One SVG element; nothing where nothing was measured."""
    curves = {key: found.curve(key) for key in found.keys}
    points = [p for curve in curves.values() for p in curve]
    if not points:
        return ""
    across = spanning([float(v) for v, _ in points], _LEFT, _RIGHT)
    up = spanning([x for _, i in points for x in _ends(i)], _BOTTOM, 24)
    svg = Svg(f"time over {found.name}", _WIDTH, _BOTTOM + 44)
    svg.left(up, _LEFT, _RIGHT, duration)
    values = sorted({float(v) for v, _ in points})
    svg.bottom(across, _BOTTOM, lambda x: f"{x:g}", found.name, values if len(values) < 9 else ())
    for number, ((label, device), curve) in enumerate(curves.items()):
        colour, shape = look(number)
        told = ", ".join(f"{v}: {duration(i.middle)}" for v, i in curve)
        svg.begin(f"{label} on {device}: {told or 'not timed'}")
        svg.mark(_RIGHT + 24, 36 + 20 * number, colour, shape)
        svg.text(_RIGHT + 36, 40 + 20 * number, f"{label} on {device}"[:28])
        for (v, i), (w, j) in pairwise(curve):
            svg.line(across(v), up(i.middle), across(w), up(j.middle), colour=colour, width=2)
        for v, i in curve:
            svg.line(across(v), up(_ends(i)[0]), across(v), up(_ends(i)[1]), colour=colour, width=3)
            svg.mark(across(v), up(i.middle), colour, shape)
        svg.end()
    return svg.done()


def sweep_html(found: Sweep) -> str:
    """The curves, the table, and that it was interrupted where it was."""
    words = f"<p>{escape(found.words)}</p>" if found.words else ""
    return sweep_chart(found) + table_html(found.rows()) + words


def _ends(found: Interval) -> tuple[float, float]:
    """Where an interval is drawn: a point, where it is unknown."""
    return (found.low, found.high) if found.known else (found.middle, found.middle)
