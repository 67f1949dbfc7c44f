"""The loop nest: the scheduled loops as rows, coloured by their share of the work."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.measure.nests import Row, rows
from workbench.widget.views import Arguments, View
from workbench.widget.views.traffic import said

if TYPE_CHECKING:
    from workbench.session.subject import Subject


@dataclass(frozen=True, slots=True)
class Line:
    """One row in words: `times` is how often it runs, `where` what runs or holds it."""

    depth: int
    kind: str
    text: str
    loop: str
    where: str
    times: str
    share: float


@dataclass(frozen=True, slots=True)
class LoopNest:
    """The lines in order; the shares are of modelled work."""

    lines: tuple[Line, ...]


def _draw(subject: Subject, _: Arguments) -> LoopNest:
    c = subject.compilation
    return LoopNest(tuple(map(_line, rows(c.stages["scheduled"].value, c.dims))))


def _line(r: Row) -> Line:
    where = r.runs_as if r.runs_as != "serial" else ""
    where = f"{r.memory} memory" if r.memory else where
    return Line(r.depth, r.kind, r.text, r.loop, where, said(r.times), r.share)


def _text(value: LoopNest) -> str:
    return "\n".join(
        f"{each.share:>5.0%} {each.times:>13}  {'    ' * each.depth}{each.text}"
        f"{f'  # {each.where}' if each.where else ''}"
        for each in value.lines
    )


def _html(value: LoopNest) -> str:
    body = "".join(
        f'<tr><td class="wb-number">{each.share:.0%}</td><td class="wb-number">{each.times}</td>'
        f'<td style="padding-inline-start:{each.depth * 1.5}em"><code>{html.escape(each.text)}'
        f"</code> {html.escape(each.where)}</td></tr>"
        for each in value.lines
    )
    return (
        "<table><thead><tr><th>work (modelled)</th><th>times</th><th>loops</th></tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


VIEW = View("nest", "loop nest", _draw, _text, _html)
