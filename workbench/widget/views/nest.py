"""The loop nest: the scheduled loops as rows, coloured by their share of the work.

Asked with a loop, it gives the legal next steps there; asked with a step, what that would do.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.ir.count import NONE, Count
from workbench.measure.nests import Row, rows
from workbench.measure.traffic import traffic
from workbench.session.edits import AddStep, edited, next_steps
from workbench.session.written import lines_of
from workbench.widget.states import origins_of
from workbench.widget.views import Arguments, View
from workbench.widget.views.traffic import said

if TYPE_CHECKING:
    from workbench.session.subject import Subject


@dataclass(frozen=True, slots=True)
class Line:
    """One row in words: `times` is how often it runs, `where` what runs or holds it.

    `origin` is the number by which the panel's stages know where it comes from, -1 for none.
    """

    depth: int
    kind: str
    text: str
    loop: str
    where: str
    times: str
    share: float
    origin: int


@dataclass(frozen=True, slots=True)
class LoopNest:
    """The lines in order; the shares are of modelled work."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class NextStep:
    """A legal step: the line that takes it, what it changes, and what it notes of the numbers."""

    text: str
    words: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NextSteps:
    """The legal next steps at a loop."""

    loop: str
    steps: tuple[NextStep, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a step would do: the scheduled loops and the traffic of arrays, before and after.

    A row is an array, its memory, its reads and its writes before, and both after; a number is
    "" where the array is not there.
    """

    before: str
    after: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_HEADS = ("array", "memory", "reads", "then", "writes", "then")


def _draw(subject: Subject, given: Arguments) -> LoopNest | NextSteps | Preview:
    match given:
        case {"step": str(line)}:
            return _preview(subject, edited(subject, AddStep(line)))
        case {"loop": str(loop)}:
            found = next_steps(subject, loop)
            return NextSteps(
                loop,
                tuple(NextStep(lines_of([n.step])[0], n.words, n.verdict.notes) for n in found),
            )
        case _:
            return _nest(subject)


def _preview(before: Subject, after: Subject) -> Preview:
    old, new = _moved(before), _moved(after)
    none = ("", "")
    return Preview(
        before=before.compilation.stages["scheduled"].text,
        after=after.compilation.stages["scheduled"].text,
        heads=_HEADS,
        rows=tuple(
            (*key, old.get(key, none)[0], new.get(key, none)[0],
             old.get(key, none)[1], new.get(key, none)[1])
            for key in dict.fromkeys([*old, *new])
        ),
    )  # fmt: skip


def _moved(subject: Subject) -> dict[tuple[str, str], tuple[str, str]]:
    """Reads and writes of each array and its memory, of all nests together."""
    totals: dict[tuple[str, str], tuple[Count, Count]] = {}
    for nest in traffic(subject.compilation).nests:
        for a in nest.arrays:
            reads, writes = totals.get((a.array, a.memory), (NONE, NONE))
            totals[a.array, a.memory] = (reads + a.reads, writes + a.writes)
    return {key: (said(reads), said(writes)) for key, (reads, writes) in totals.items()}


def _nest(subject: Subject) -> LoopNest:
    c = subject.compilation
    known = origins_of([s.marked for s in c.stages.all])
    ids = {id(each): number for number, each in enumerate(known)}
    found = rows(c.stages["scheduled"].value, c.dims)
    return LoopNest(tuple(_line(r, ids.get(id(r.origin), -1)) for r in found))


def _line(r: Row, origin: int) -> Line:
    where = r.runs_as if r.runs_as != "serial" else ""
    where = f"{r.memory} memory" if r.memory else where
    return Line(r.depth, r.kind, r.text, r.loop, where, said(r.times), r.share, origin)


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
