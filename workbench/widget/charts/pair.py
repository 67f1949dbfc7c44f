"""Two things of a comparison beside each other: bars of what each moves, two columns of code."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from workbench.base.units import quantity
from workbench.measure.pair import Line
from workbench.widget.charts.page import table_html
from workbench.widget.charts.svg import Axis, Svg, look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.measure.pair import Pair

_LEFT, _RIGHT, _WIDTH, _ROW, _TOP = 180, 640, 760, 42, 46
_MOST = 400
"""Lines of a difference that a page shows; `Pair.code` has all."""
_MONO = (
    "font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12px;"
    "text-align:left;white-space:pre-wrap;vertical-align:top;padding:0 .5em"
)
_BACKGROUND = {"-": "#D55E0033", "+": "#0072B233", " ": "", "…": ""}


def pair_chart(found: Pair) -> str:
    """One SVG element: bytes of storage accesses of each array; nothing where none is counted."""
    if not found.moved:
        return ""
    values = [v for a in found.moved for v in (a.first, a.second) if v]
    axis = Axis(0.0, 1.05 * max(values, default=1.0), _LEFT, _RIGHT, log=False)
    bottom = _TOP + _ROW * len(found.moved)
    svg = Svg(f"what {found.first} and {found.second} move", _WIDTH, bottom + 44)
    for number, name in enumerate((found.first, found.second)):
        svg.mark(_LEFT + 230 * number, 10, *look(number))
        svg.text(_LEFT + 10 + 230 * number, 14, name[:32])
    svg.bottom(axis, bottom, lambda x: quantity(x, "B"), "bytes of storage accesses")
    for number, a in enumerate(found.moved):
        y = _TOP + _ROW * number
        told = [quantity(v, "B") if v is not None else "none" for v in (a.first, a.second)]
        svg.begin(f"{a.name}: {told[0]} and {told[1]}, {a.change} ({a.tag})")
        svg.text(8, y + 20, a.name[:24])
        for place, value in enumerate((a.first, a.second)):
            if value:
                colour = look(place)[0]
                svg.rect(_LEFT, y + 15 * place, axis(value) - _LEFT, 13, colour, opacity=0.8)
            svg.text(axis(value or 0) + 6, y + 11 + 15 * place, told[place])
        svg.end()
    return svg.done()


def pair_html(found: Pair) -> str:
    """The verdict, the steps, the counts with their bars, and the code."""
    counts = f"<p>{escape(found.note)}</p>"
    if found.traffic:
        counts = pair_chart(found) + table_html(found.rows())
    return (
        f"<p><b>{escape(found.first)}</b> (−) beside <b>{escape(found.second)}</b> (+): "
        f"{escape(found.said)}</p>"
        f"<h4>schedule</h4>{_columns(found, found.schedule)}"
        f"<h4>traffic</h4>{counts}"
        f"<h4>{escape(found.stage)}</h4>{_columns(found, found.code)}"
    )


def _columns(found: Pair, lines: Sequence[Line]) -> str:
    """The first's lines left, the second's right; a change stands beside what it replaces."""
    if not lines:
        return "<p>the same</p>"
    half = "width:50%;text-align:left"
    head = f"<th style='{half}'>− {escape(found.first)}</th>"
    head += f"<th style='{half}'>+ {escape(found.second)}</th>"
    rows: list[str] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in [*lines[:_MOST], *_rest(lines)]:
        if line.mark in "-+":
            (left if line.mark == "-" else right).append(line)
            continue
        rows += _beside(left, right)
        rows += _beside([line], [line])
    rows += _beside(left, right)
    return (
        "<table style='width:100%;table-layout:fixed;border-collapse:collapse'>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _rest(lines: Sequence[Line]) -> list[Line]:
    return [Line("…", f"{len(lines) - _MOST} more lines")] if len(lines) > _MOST else []


def _beside(left: list[Line], right: list[Line]) -> list[str]:
    """Rows of what was collected, which is empty then."""
    count = max(len(left), len(right))
    rows = [
        "<tr>" + "".join(_side(side[n] if n < len(side) else None) for side in (left, right))
        + "</tr>"
        for n in range(count)
    ]  # fmt: skip
    left.clear()
    right.clear()
    return rows


def _side(line: Line | None) -> str:
    if line is None:
        return f"<td style='{_MONO}'></td>"
    colour = _BACKGROUND[line.mark]
    background = f";background:{colour}" if colour else ""
    mark = "−" if line.mark == "-" else line.mark
    return f"<td style='{_MONO}{background}'>{escape(f'{mark} {line.text}')}</td>"
