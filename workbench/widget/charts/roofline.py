"""The roofline: operations a second over operations for each byte, under the measured roofs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from workbench.base.units import between, quantity
from workbench.widget.charts.svg import Svg, look, spanning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.measure.roofs import Explanation

    _Place = Callable[[float, float], tuple[float, float]]

_LEFT, _RIGHT, _BOTTOM, _WIDTH = 96, 520, 300, 760


def roofline_chart(found: Sequence[Explanation]) -> str:
    """One SVG element with a mark for each explanation, which are all of one device.

    A mark stands where every byte travels once; the faint one left of it, where all reads and
    writes of the loops do. Kernels without operations are left out.
    """
    shown = [e for e in found if e.work.operations]
    if not shown:
        return ""
    roofs = shown[0].roofs
    rates = [e.work.operations / e.time.middle for e in shown]
    moved = [e.work.operations / max(1, e.work.moved) for e in shown]
    spread = [*(e.work.intensity for e in shown), *moved, roofs.ridge / 4, roofs.ridge * 4]
    across = spanning(spread, _LEFT, _RIGHT)
    heights = [*rates, roofs.arithmetic.per_second, roofs.attainable(across.low)]
    up = spanning(heights, _BOTTOM, 24)
    svg = Svg(f"roofline of {roofs.device}", _WIDTH, _BOTTOM + 44)
    svg.left(up, _LEFT, _RIGHT, lambda x: quantity(x, "op/s"))
    svg.bottom(across, _BOTTOM, lambda x: f"{x:g}", "operations for each byte")
    _roofs(svg, shown[0], across.low, across.high, lambda i, r: (across(i), up(r)))
    for number, (e, rate, faint) in enumerate(zip(shown, rates, moved, strict=True)):
        colour, shape = look(number)
        svg.begin(f"{e.name}: {quantity(rate, 'op/s')} at {e.work.intensity:.3g} op/B; {e.words}")
        x, y = across(e.work.intensity), up(rate)
        svg.line(x, y, across(faint), y, colour=colour, dashed=True)
        svg.mark(across(faint), y, colour, shape, opacity=0.4)
        svg.mark(x, y, colour, shape, size=5)
        svg.mark(_RIGHT + 24, 36 + 20 * number, colour, shape)
        svg.text(_RIGHT + 36, 40 + 20 * number, e.name[:28])
        svg.end()
    return svg.done()


def _roofs(svg: Svg, e: Explanation, low: float, high: float, place: _Place) -> None:
    """The sloping roof of memory, and the flat one of arithmetic."""
    roofs = e.roofs
    memory, arithmetic = roofs.memory.per_second, roofs.arithmetic.per_second
    svg.begin(f"roofs: memory {quantity(memory, 'B/s')}, arithmetic {quantity(arithmetic, 'op/s')}")
    corner = place(roofs.ridge, arithmetic)
    svg.line(*place(low, low * memory), *corner, width=2)
    svg.line(*corner, *place(high, arithmetic), width=2)
    svg.text(corner[0] + 8, corner[1] - 6, quantity(arithmetic, "op/s"))
    svg.text(place(low, 1)[0] + 8, place(low, low * memory)[1] - 16, quantity(memory, "B/s"))
    svg.end()


def explanation_html(e: Explanation) -> str:
    """The sentence, the roofline, the table, and the steps that might help."""
    head, *body = e.rows()
    top = "".join(f"<th style='text-align:left'>{escape(c)}</th>" for c in head)
    rows = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{escape(c)}</td>" for c in row) + "</tr>"
        for row in body
    )
    steps = "".join(f"<li><code>{escape(s.strip())}</code></li>" for s in e.next_steps)
    helps = f"<p>Legal steps that move less (counted, not measured):</p><ul>{steps}</ul>"
    return (
        f"<p><b>{escape(e.name)}</b> on {escape(e.roofs.device)}: {escape(e.words)} "
        f"<small>(95 %: {between(e.time.low, e.time.high)})</small></p>{roofline_chart([e])}"
        f"<table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>"
        + (helps if e.next_steps else "")
    )
