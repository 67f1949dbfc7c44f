"""`Pair`: two things of a comparison side by side: schedules, code, and what each of them moves.

The counts are `measure.traffic`'s, of the scheduled loops; a shader written by hand has code only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from workbench.base.errors import CallError
from workbench.base.units import columns
from workbench.ir.count import NONE, Count, worse
from workbench.measure.traffic import traffic
from workbench.program import Program
from workbench.schedule.step import step_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.ir.count import Tag
    from workbench.measure.comparison import Entry
    from workbench.measure.traffic import ArrayTraffic, Traffic
    from workbench.pipeline import Compilation

AROUND = 3
"""Lines that both have which are shown around those that only one has."""
BEFORE_CODE = "scheduled"
"""The stage that is compared unless told otherwise: the same language for every target."""

Mark = Literal[" ", "-", "+", "…"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of both texts (" "), of the first ("-"), of the second ("+"); "…" for those left."""

    mark: Mark
    text: str

    def __str__(self) -> str:
        return f"{self.mark} {self.text}".rstrip()


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something each of the two has; None where it has no such array."""

    name: str
    first: float | None
    second: float | None
    tag: Tag

    @property
    def change(self) -> str:
        """From the first to the second, in words."""
        a, b = self.first, self.second
        if a is None or b is None:
            return "-" if a is b else "only the second" if a is None else "only the first"
        if a == b:
            return "the same"
        if not a or not b:
            return "none before" if not a else "none any more"
        return f"{b / a:.3g}x more" if b > a else f"{a / b:.3g}x less"

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        return self.name, _said(self.first), _said(self.second), self.change, self.tag


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entries beside each other; prints as differences, shows as two columns in a notebook.

    `said` is the verdict; `stage` names the code that is compared. `moved` are the bytes of
    storage accesses by array, for the bars.
    """

    first: str
    second: str
    said: str
    stage: str
    schedule: tuple[Line, ...]
    code: tuple[Line, ...]
    traffic: tuple[Amount, ...]
    moved: tuple[Amount, ...]
    note: str = field(default="")

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table of counts, its head first."""
        head = ("count", self.first, self.second, "change", "tag")
        return [head, *(a.cells for a in self.traffic)]

    def __repr__(self) -> str:
        counts = columns(self.rows()) if self.traffic else [self.note]
        parts = {
            "schedule": [str(line) for line in self.schedule] or ["  the same"],
            "traffic": counts,
            self.stage: [str(line) for line in self.code] or ["  the same"],
        }
        told = [f"{title}:\n" + "\n".join(lines) for title, lines in parts.items()]
        return "\n\n".join([f"{self.first} (-) beside {self.second} (+): {self.said}", *told])

    def _repr_html_(self) -> str:
        return import_module("workbench.widget.charts.pair").pair_html(self)

    def show(self) -> None:
        """Draw it: two columns in a notebook, the differences as text elsewhere."""
        import_module("workbench.widget.show").show_value(self)


def paired(first: Entry, second: Entry, said: str, stage: str | None = None) -> Pair:
    """Two entries with code beside each other, by a stage that both have.

    Raises `CallError` where one has no code, or not that stage.
    """
    a, b = _made(first), _made(second)
    note = ""
    amounts: tuple[Amount, ...] = ()
    moved: tuple[Amount, ...] = ()
    if isinstance(a, Program) or isinstance(b, Program):
        note = "a shader written by hand: what it moves is not counted"
    else:
        both = traffic(a), traffic(b)
        amounts, moved = tuple(_amounts(*both)), tuple(_moved(*both))
    chosen = stage or ("wgsl" if note else BEFORE_CODE)
    same = first.label == second.label
    return Pair(
        first.words if same else first.label,
        second.words if same else second.label,
        said,
        chosen,
        changes(_steps(a), _steps(b)),
        changes(_code(first, a, chosen), _code(second, b, chosen)),
        amounts,
        moved,
        note,
    )


def changes(before: Sequence[str], after: Sequence[str]) -> tuple[Line, ...]:
    """What differs between two texts, with some lines around; nothing where they are the same."""
    found: list[Line] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    at = 0
    for group in matcher.get_grouped_opcodes(AROUND):
        for kind, a, b, c, d in group:
            if a > at:
                found.append(Line("…", f"{a - at} lines that both have"))
            at = b
            if kind == "equal":
                found += [Line(" ", text) for text in before[a:b]]
                continue
            found += [Line("-", text) for text in before[a:b]]
            found += [Line("+", text) for text in after[c:d]]
    if found and at < len(before):
        found.append(Line("…", f"{len(before) - at} lines that both have"))
    return tuple(found)


def _made(e: Entry) -> Compilation | Program:
    if e.made is None:
        why = e.refused or "it is a function of the host"
        raise CallError(f"compare: {e.words} has no code to look at: {why}")
    return e.made


def _steps(made: Compilation | Program) -> list[str]:
    return [] if isinstance(made, Program) else [step_text(s) for s in made.schedule.steps]


def _code(e: Entry, made: Compilation | Program, stage: str) -> list[str]:
    if isinstance(made, Program):
        stages = {made.target: "\n".join(k.code for k in made.kernels)}
    else:
        stages = {s.name: s for s in made.stages.all}
    found = stages.get(stage)
    if found is None:
        raise CallError(
            f"compare: {e.words} has no stage '{stage}'", hint="stage= one of " + ", ".join(stages)
        )
    return (found if isinstance(found, str) else found.text).splitlines()


def _said(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def _amounts(first: Traffic, second: Traffic) -> Iterator[Amount]:
    """Operations, bytes and intensity of all nests together, then each array's."""
    a, b = (_total([n.operations for n in t.nests]) for t in (first, second))
    x, y = (_total([c.bytes for c in _storage(t)]) for t in (first, second))
    yield Amount("operations", a.value, b.value, worse(a.tag, b.tag))
    yield Amount("bytes of storage accesses", x.value, y.value, worse(x.tag, y.tag))
    shares = [o.value / m.value if m.value else None for o, m in ((a, x), (b, y))]
    tag = worse(a.tag, b.tag, x.tag, y.tag)
    yield Amount("operations a byte of them", shares[0], shares[1], tag)
    for array, memory in _keys(first, second):
        name = array if memory == "storage" else f"{array} in {memory} memory"
        mine, other = (_of(t, array, memory) for t in (first, second))
        reads = _amount(f"{name}: reads", [c.reads for c in mine], [c.reads for c in other])
        writes = _amount(f"{name}: writes", [c.writes for c in mine], [c.writes for c in other])
        yield from (a for a in (reads, writes) if a.first or a.second)
        uses = [each[0].reuse if len(each) == 1 else None for each in (mine, other)]
        tags: list[Tag] = [c.distinct.tag for c in (*mine, *other) if c.distinct is not None]
        if uses != [None, None]:
            yield Amount(f"{name}: uses of an element in a tile", uses[0], uses[1], worse(*tags))


def _moved(first: Traffic, second: Traffic) -> Iterator[Amount]:
    for array, memory in _keys(first, second):
        if memory == "storage":
            mine, other = (_of(t, array, memory) for t in (first, second))
            yield _amount(array, [c.bytes for c in mine], [c.bytes for c in other])


def _keys(first: Traffic, second: Traffic) -> list[tuple[str, str]]:
    """Arrays with their memory: those of storage first."""
    found = dict.fromkeys((a.array, a.memory) for t in (first, second) for a in _arrays(t))
    return sorted(found, key=lambda key: key[1] != "storage")


def _of(t: Traffic, array: str, memory: str) -> list[ArrayTraffic]:
    return [a for a in _arrays(t) if (a.array, a.memory) == (array, memory)]


def _storage(t: Traffic) -> list[ArrayTraffic]:
    return [a for a in _arrays(t) if a.memory == "storage"]


def _arrays(t: Traffic) -> list[ArrayTraffic]:
    return [a for n in t.nests for a in n.arrays]


def _total(counts: Sequence[Count]) -> Count:
    return sum(counts, NONE)


def _amount(name: str, first: Sequence[Count], second: Sequence[Count]) -> Amount:
    """The sum of each; None where there is nothing to add up."""
    a, b = (_total(counts).value if counts else None for counts in (first, second))
    tags: list[Tag] = [c.tag for c in (*first, *second)]
    return Amount(name, a, b, worse(*tags))
