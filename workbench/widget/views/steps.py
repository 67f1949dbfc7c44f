"""The steps of a schedule: the loops before and after each, its time and its verdict."""

from __future__ import annotations

import html
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING

from workbench.base.units import duration
from workbench.widget.views import Arguments, View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.pipeline import Compilation
    from workbench.session.subject import Subject

LINES_MOST = 40
"""Lines of one difference in a twin."""


@dataclass(frozen=True, slots=True)
class TakenStep:
    """One step: the call that makes it, who took it, and what it did.

    `before` and `after` are the loops as text; `seconds` is what checking and applying took;
    `notes` say what the step changes in the numbers.
    """

    number: int
    text: str
    note: str
    seconds: float
    before: str
    after: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepStrip:
    """The steps in the order in which they were taken."""

    steps: tuple[TakenStep, ...]


def strip_of(c: Compilation) -> StepStrip:
    """The steps of a compilation, the default rule's included."""
    snapshots = c.stages.all
    names = [s.name for s in snapshots]
    first = names.index("loops")
    taken = snapshots[first + 1 : first + 1 + len(c.schedule.steps)]
    before = snapshots[first : first + len(taken)]
    return StepStrip(
        tuple(
            TakenStep(n, s.name, s.note, s.seconds, b.text, s.text, step.check(b.value).notes)
            for n, (step, b, s) in enumerate(zip(c.schedule.steps, before, taken, strict=True), 1)
        )
    )


def _draw(subject: Subject, _: Arguments) -> StepStrip:
    return strip_of(subject.compilation)


def _differences(s: TakenStep) -> Iterator[str]:
    """The lines of a difference, without the names of files."""
    lines = list(unified_diff(s.before.splitlines(), s.after.splitlines(), lineterm="", n=1))[2:]
    yield from (x for x in lines[:LINES_MOST] if not x.startswith("@@"))
    if len(lines) > LINES_MOST:
        yield f"… {len(lines) - LINES_MOST} more lines"


def _text(strip: StepStrip) -> str:
    if not strip.steps:
        return "no steps"
    parts: list[str] = []
    for s in strip.steps:
        parts.append(f"{s.number}. {s.text}  {duration(s.seconds)}, {s.note}")
        parts += [f"   {note}" for note in s.notes]
        parts += [f"   {line}" for line in _differences(s)]
    return "\n".join(parts)


def _html(strip: StepStrip) -> str:
    items = "".join(
        f"<li><details><summary><code>{html.escape(s.text)}</code> {duration(s.seconds)}, "
        f"{html.escape(s.note)}{''.join(f'; {html.escape(note)}' for note in s.notes)}</summary>"
        f"<pre>{html.escape(chr(10).join(_differences(s)))}</pre></details></li>"
        for s in strip.steps
    )
    return f"<ol>{items}</ol>" if items else "<p>no steps</p>"


VIEW = View("steps", "steps", _draw, _text, _html)
