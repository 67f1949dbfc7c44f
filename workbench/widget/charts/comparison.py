"""A comparison drawn: every reading, the interval of each median, the speedups, and each pair."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from workbench.base.units import between, duration
from workbench.measure.comparison import speedup
from workbench.widget.charts.page import page, table_html
from workbench.widget.charts.pair import pair_html
from workbench.widget.charts.svg import Svg, look, spanning

if TYPE_CHECKING:
    from workbench.measure.comparison import Comparison, Entry
    from workbench.measure.intervals import Interval
    from workbench.widget.charts.svg import Axis

_ROW = 34
_LEFT, _RIGHT, _WIDTH = 200, 540, 800
_RATIO_LEFT = 580


def comparison_chart(found: Comparison) -> str:
    """One SVG element; nothing where nothing was measured."""
    entries = found.measured
    if not entries:
        return ""
    all_values = [v for e in entries for v in found.series(e).values]
    axis = spanning(all_values, _LEFT, _RIGHT)
    bottom = 24 + _ROW * len(entries)
    svg = Svg(f"{len(entries)} things compared by {found.clock} time", _WIDTH, bottom + 44)
    svg.bottom(axis, bottom, duration, f"{found.clock} time of a run, less is better")
    speedups = {e: found.against(e) for e in entries}
    ends = [x for i in speedups.values() if i.known for x in (i.low, i.high)]
    ratios = spanning([0.9, *ends, 1.1], _RATIO_LEFT, _WIDTH - 20)
    svg.bottom(ratios, bottom, lambda x: f"{x:.3g}x", "speedup against the first, 95 %")
    svg.line(ratios(1.0), 18, ratios(1.0), bottom, dashed=True)
    labels = list(dict.fromkeys(e.label for e in entries))
    for number, (e, ratio) in enumerate(speedups.items()):
        y, place = 24 + _ROW * (number + 0.5), labels.index(e.label)
        svg.begin(_told(found, e))
        svg.text(8, y + 4, _short(e.words))
        _times(svg, found, e, axis, y, place)
        _interval(svg, ratios, ratio, y, look(place)[0])
        svg.end()
    return svg.done()


def _told(found: Comparison, e: Entry) -> str:
    """What the row says to who does not see it."""
    series = found.series(e)
    i = series.interval
    sure = f"95 % {between(i.low, i.high)}, {len(series.values)} readings"
    return f"{e.words}: median {duration(i.middle)}, {sure}; speedup {speedup(found, e)}"


def _times(svg: Svg, found: Comparison, e: Entry, axis: Axis, y: float, place: int) -> None:
    """Every reading, apart so that they are seen, and the interval of their median."""
    colour, shape = look(place)
    svg.line(axis.start, y, axis.end, y, faint=True)
    series = found.series(e)
    for number, value in enumerate(series.values):
        svg.mark(axis(value), y + (number % 7 - 3) * 2.2, colour, shape, size=2, opacity=0.4)
    _interval(svg, axis, series.interval, y, colour)


def _interval(svg: Svg, axis: Axis, found: Interval, y: float, colour: str) -> None:
    """A bar from its low to its high end, and a line at its middle."""
    if found.known:
        low, high = axis(found.low), axis(found.high)
        svg.rect(low, y - 4, high - low, 8, colour, opacity=0.65)
    svg.line(axis(found.middle), y - 9, axis(found.middle), y + 9, width=2.5)


def _short(words: str, most: int = 28) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def comparison_html(found: Comparison) -> str:
    """The chart, the table, the verdicts, the pairs to be opened, and the notes."""
    verdicts = "".join(f"<li>{escape(v)}</li>" for v in found.verdicts)
    pairs = "".join(
        f"<details><summary>{escape(p.first)} beside {escape(p.second)}: schedule, traffic, code"
        f"</summary>{pair_html(p)}</details>"
        for p in found.pairs
    )
    notes = "<br>".join(escape(n) for n in found.notes)
    return (
        f"{comparison_chart(found)}{table_html(found.rows())}<ul>{verdicts}</ul>{pairs}"
        f"<p><small>{notes}</small></p>"
    )


def comparison_page(found: Comparison) -> str:
    """The same as a page of its own."""
    labels = dict.fromkeys(e.label for e in found)
    return page(f"Comparison of {', '.join(labels)}", comparison_html(found), found.at)
