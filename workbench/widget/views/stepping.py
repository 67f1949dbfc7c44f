"""One invocation stepped through its kernel: the line, what it reached, the values it has."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.ir.stepping import Reached, Stepped, step_through
from workbench.widget.views import Arguments, View
from workbench.widget.workgroups import choose

if TYPE_CHECKING:
    from workbench.session.subject import Subject

SHOWN_MOST = 40
"""Lines in a twin."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line: its number in the text from 0, the values it changed, and what it reached."""

    line: int
    changed: tuple[tuple[str, str], ...]
    words: str


@dataclass(frozen=True, slots=True)
class Way:
    """The way of one invocation through the text of its kernel; values are words."""

    kernels: tuple[str, ...]
    kernel: int
    workgroups: tuple[int, int, int]
    workgroup: tuple[int, int, int]
    size: tuple[int, int, int]
    invocation: tuple[int, int, int]
    text: str
    start: tuple[tuple[str, str], ...]
    moments: tuple[Moment, ...]
    whole: bool


def _draw(subject: Subject, given: Arguments) -> Way:
    chosen = choose(subject, given, "stepping")
    kernel = chosen.kernel
    steps = step_through(kernel, chosen.workgroup, chosen.invocation, chosen.arrays, chosen.scalars)
    return Way(
        kernels=chosen.names,
        kernel=chosen.number,
        workgroups=kernel.counts,
        workgroup=chosen.workgroup,
        size=kernel.workgroup_size,
        invocation=chosen.invocation,
        text=steps.text,
        start=_words(steps.start),
        moments=tuple(map(_moment, steps.lines)),
        whole=steps.whole,
    )


def _moment(s: Stepped) -> Moment:
    return Moment(s.line, _words(s.changed), ", ".join(map(_reached, s.reached)))


def _words(values: tuple[tuple[str, float], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{value:.6g}") for name, value in values)


def _reached(r: Reached) -> str:
    index = f"[{', '.join(map(str, r.index))}]" if r.index else ""
    sign = "gives" if r.kind == "reads" else "is now"
    return f"{r.kind} {r.array}{index}, which {sign} {r.value:.6g}"


def _title(way: Way) -> str:
    ids = [", ".join(map(str, each)) for each in (way.invocation, way.workgroup)]
    cut = "" if way.whole else f", its first {len(way.moments)} lines"
    return f"invocation ({ids[0]}) of workgroup ({ids[1]}) in {way.kernels[way.kernel]}{cut}"


def _lines(way: Way) -> list[tuple[str, str]]:
    """The first lines as code and what they did."""
    code = way.text.split("\n")
    shown = [
        (code[m.line], "; ".join([*(f"{n} = {v}" for n, v in m.changed), m.words]).strip("; "))
        for m in way.moments[:SHOWN_MOST]
    ]
    left = len(way.moments) - len(shown)
    return [*shown, (f"… {left} more lines", "")] if left > 0 else shown


def _text(way: Way) -> str:
    lines = _lines(way)
    width = max((len(code) for code, _ in lines), default=0)
    return "\n".join([_title(way), *(f"  {code:<{width}}  {did}".rstrip() for code, did in lines)])


def _html(way: Way) -> str:
    rows = "".join(
        f"<tr><td><code style='white-space:pre'>{html.escape(code)}</code></td>"
        f"<td>{html.escape(did)}</td></tr>"
        for code, did in _lines(way)
    )
    return f"<p>{html.escape(_title(way))}</p><table><tbody>{rows}</tbody></table>"


VIEW = View("stepping", "one invocation", _draw, _text, _html)
