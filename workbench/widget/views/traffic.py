"""What a kernel moves and computes, a table for each nest; `measure.traffic` has the numbers."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.units import duration
from workbench.ir.count import NONE
from workbench.measure.traffic import NestTraffic, traffic
from workbench.widget.twins import aligned
from workbench.widget.views import Arguments, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.ir.count import Count
    from workbench.session.subject import Subject

HEADS = ("array", "memory", "reads", "writes", "bytes", "per output", "in a tile", "reuse")
"""The columns of a table; "in a tile" are the different elements that one tile touches."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A number with its name; `share` is how much of a limit it takes, where it has one."""

    name: str
    words: str
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One nest: a row of words for each array; `bytes` are what each moves, for bars."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    bytes: tuple[int, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """The nests in order; `foot` says which numbers are modelled, and what was measured."""

    heads: tuple[str, ...]
    tables: tuple[Table, ...]
    foot: str


def _draw(subject: Subject, _: Arguments) -> Tables:
    nests = traffic(subject.compilation).nests
    return Tables(HEADS, tuple(map(_table, nests)), f"{_TAGS}{_measured(subject, nests)}")


_TAGS = "≈ modelled, all others exact"


def _measured(subject: Subject, nests: Sequence[NestTraffic]) -> str:
    """The rates of the last run, where it was of this code and timed."""
    timing = None if subject.fresh is None else subject.fresh.timing
    seconds = 0.0 if timing is None else timing.kernel or timing.total
    if not seconds:
        return ""
    operations = sum((n.operations for n in nests), NONE)
    moved = sum((a.bytes for n in nests for a in n.arrays if a.memory == "storage"), NONE)
    return (
        f"; measured: {duration(seconds)} a run, which is {_rate(operations, seconds)} GFLOP/s "
        f"and {_rate(moved, seconds)} GB/s of storage accesses"
    )


def _rate(count: Count, seconds: float) -> str:
    return f"{'≈' if count.tag == 'modelled' else ''}{count.value / seconds / 1e9:.3g}"


def _table(nest: NestTraffic) -> Table:
    rows = tuple(
        (
            a.array, a.memory, said(a.reads), said(a.writes), said(a.bytes),
            _ratio(a.reads.value + a.writes.value, nest.outputs),
            "" if a.distinct is None else said(a.distinct),
            "" if a.reuse is None else f"{a.reuse:.4g}",
        )
        for a in nest.arrays
    )  # fmt: skip
    intensity = "" if nest.intensity is None else f"{nest.intensity:.3g} per byte of storage"
    facts = [
        Fact("outputs", f"{nest.outputs:,}"),
        Fact("operations", f"{said(nest.operations)}, {intensity}".rstrip(", ")),
        Fact("tiles", f"{said(nest.tiles)}, each of {nest.invocations} invocations"),
        Fact("registers of an invocation", said(nest.registers)),
        *(Fact(u.limit, f"{u.value:,} of {u.most:,}", u.value / u.most) for u in nest.uses),
    ]
    if nest.turns.value != 1:
        facts.insert(0, Fact("turns", said(nest.turns)))
    title = ", ".join(nest.computes)
    return Table(title, rows, tuple(a.bytes.value for a in nest.arrays), tuple(facts))


def said(count: Count) -> str:
    """A number with its thousands apart, and `≈` where it is modelled."""
    return f"{'≈' if count.tag == 'modelled' else ''}{count.value:,}"


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.4g}" if whole else ""


def _text(value: Tables) -> str:
    lines: list[str] = []
    for t in value.tables:
        lines += [t.title, *(f"  {row}" for row in aligned([value.heads, *t.rows]))]
        lines += [f"  {f.name}: {f.words}" for f in t.facts]
    return "\n".join([*lines, value.foot])


def _html(value: Tables) -> str:
    return (
        "".join(_table_html(value.heads, t) for t in value.tables)
        + f"<p>{html.escape(value.foot)}</p>"
    )


def _table_html(heads: tuple[str, ...], t: Table) -> str:
    head = "".join(f"<th>{html.escape(h)}</th>" for h in heads)
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(word)}</td>' for word in row)}</tr>" for row in t.rows
    )
    facts = "<br>".join(f"{html.escape(f.name)}: {html.escape(f.words)}" for f in t.facts)
    return (
        f"<p><b>{html.escape(t.title)}</b></p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table><p>{facts}</p>"
    )


VIEW = View("traffic", "traffic", _draw, _text, _html)
