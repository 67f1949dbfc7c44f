"""What each line of each stage costs: work that is counted, in seconds that were measured.

A model, calibrated by measurement. A statement's work is counted on the scheduled loops: one for
each float operation, one for each access outside private memory. The measured time of a kernel's
dispatches is shared out over the statements of its nest by their work; a line of a stage has the
time of the statements that it was written for, whose marks say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.errors import CodegenError
from workbench.base.link import lit
from workbench.base.units import columns, duration
from workbench.ir.bound import bound
from workbench.ir.executions import executions, times
from workbench.ir.expr import Const, Var, walk
from workbench.ir.stmt import Alloc, For, LoopKind, Memory, bodies, expressions, walk_stmts
from workbench.measure.nests import work_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workbench.base.source import Origin
    from workbench.base.text import Text
    from workbench.ir.stmt import Body, Stmt
    from workbench.measure.timeline import Timeline
    from workbench.pipeline import Compilation
    from workbench.stages import Snapshot

TAG = "modelled, calibrated by measurement"
BAR = 12
"""Letters of the longest bar of a text."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a stage: its seconds, and their share of all kernels' time."""

    text: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class StageCosts:
    """The lines of a stage; `elsewhere` is the share of what none of its lines was written for."""

    stage: str
    language: str
    lines: tuple[Line, ...]
    elsewhere: float

    def __repr__(self) -> str:
        most = max((x.share for x in self.lines), default=0.0) or 1.0
        rows = [
            (
                f"{x.share:.0%}" if x.seconds else "",
                duration(x.seconds) if x.seconds else "",
                "█" * round(BAR * x.share / most),
                x.text,
            )
            for x in self.lines
        ]
        foot = f"{self.elsewhere:.0%} in no line of this stage" if self.elsewhere >= 0.005 else ""
        return "\n".join(filter(None, [*columns(rows or [("",)]), foot]))


@dataclass(frozen=True, slots=True)
class Costs:
    """What the lines of each stage cost in one call on a device; `seconds` is all kernels' time."""

    name: str
    device: str
    seconds: float
    clock: str
    stages: tuple[StageCosts, ...]
    tag: str = TAG

    def __getitem__(self, stage: str) -> StageCosts:
        """The costs of a stage. Raises `KeyError` where there is none of that name."""
        found = next((s for s in self.stages if s.stage == stage), None)
        if found is None:
            raise KeyError(f"no stage '{stage}'; there are {[s.stage for s in self.stages]}")
        return found

    @property
    def words(self) -> str:
        """What the shares are of, and how they were found."""
        return f"shares of {duration(self.seconds)} on {self.device} ({self.clock}); {self.tag}"

    def __repr__(self) -> str:
        shown = [s for s in self.stages if s.stage in {"source", "scheduled"}]
        parts = [f"{self.name}, {self.words}", *(f"{s.stage}\n{s!r}" for s in shown)]
        return "\n\n".join(parts)


def costs(c: Compilation, when: Timeline) -> Costs:
    """The costs of all lines of a compilation, by a timeline of it.

    Raises `CodegenError` where it has no loops, or the timeline no time of its kernels.
    """
    if "scheduled" not in c.stages:
        raise CodegenError(f"{c.name} has no loops: it was written as a shader")
    clocks = {s.clock for s in when.of("dispatch")}
    if not clocks:
        raise CodegenError(f"{c.name}: no dispatch has a time; {'; '.join(when.notes)}")
    kernels = {k.name: k.text for k in c.program.kernels}
    measured = {name: seconds for name, (_, seconds) in when.by_kernel.items()}
    body = bound(c.stages["scheduled"].value, c.dims).body
    spent, around = _spent(body, kernels, measured), _around(body)
    whole = sum(measured.values())
    stages = tuple(
        _stage(s, [(_lines(s.marked, x, around), took) for x, took in spent], whole)
        for s in c.stages.values()
        if s.text
    )
    return Costs(c.name, when.device, whole, clocks.pop(), stages)


def _spent(
    body: Body, kernels: Mapping[str, Text], measured: Mapping[str, float]
) -> list[tuple[Stmt, float]]:
    """Each statement of the scheduled loops with its seconds."""
    inner = {s.var: s for s in walk_stmts(body) if isinstance(s, For)}
    private = {
        s.name for s in walk_stmts(body) if isinstance(s, Alloc) and s.memory is Memory.PRIVATE
    }
    often = {id(run.statement): times(run, inner).value for run in executions(body)}
    work = {id(s): often[id(s)] * work_of(s, private) for nest in body for s in walk_stmts((nest,))}
    nests = [list(walk_stmts((nest,))) for nest in _nests(body)]
    seconds = [0.0] * len(nests)
    for name, text in kernels.items():
        marked = {id(m.origin) for m in text.marks}
        likeness = [sum(id(s.origin) in marked for s in nest) / len(nest) for nest in nests]
        if any(likeness):
            seconds[likeness.index(max(likeness))] += measured.get(name, 0.0)
    found: list[tuple[Stmt, float]] = []
    for nest, took in zip(nests, seconds, strict=True):
        # Whole numbers in private memory are no work that is counted: there all statements are.
        counted = work if any(work[id(s)] for s in nest) else often
        units = sum(counted[id(s)] for s in nest)
        found += [(s, took * counted[id(s)] / units) for s in nest if units and counted[id(s)]]
    return found


def _nests(body: Sequence[Stmt]) -> Iterator[Stmt]:
    """What is dispatched: the statements outside of all loops of the host."""
    for s in body:
        if isinstance(s, For) and s.kind is LoopKind.REPEAT:
            yield from _nests(s.body)
        else:
            yield s


def _around(body: Body) -> dict[int, Stmt]:
    """The statement around each statement, by its identity."""
    return {id(s): outer for outer in walk_stmts(body) for inner in bodies(outer) for s in inner}


def _stage(s: Snapshot, spent: Sequence[tuple[list[int], float]], whole: float) -> StageCosts:
    """A stage whose lines have these seconds, each equally many."""
    texts = s.text.splitlines()
    seconds = [0.0] * len(texts)
    placed = 0.0
    for lines, took in spent:
        placed += took if lines else 0.0
        for line in lines:
            seconds[line] += took / len(lines)
    shown = (Line(t, x, x / whole if whole else 0.0) for t, x in zip(texts, seconds, strict=True))
    left = max(0.0, 1 - placed / whole) if whole else 0.0
    return StageCosts(s.name, s.language, tuple(shown), left)


def _lines(text: Text, s: Stmt, around: Mapping[int, Stmt]) -> list[int]:
    """The lines written for a statement; else for what it computes, it is of, or is around it.

    An array that is declared for a copy has the copy's origin: only in the copy others are named.
    """
    own = text.marked(s.origin)
    others = [m for m in text.marks if m.origin is not s.origin] if len(own) > 1 else []
    full = [(a, b) for a, b in own if any(a <= m.start and m.end <= b for m in others)]
    ranges = full or own or _computed(text, s) or lit(text, s.origin)
    outer = around.get(id(s))
    if not ranges and outer is not None:
        return _lines(text, outer, around)
    return sorted({text.value.count("\n", 0, start) for start, _ in ranges})


def _computed(text: Text, s: Stmt) -> list[tuple[int, int]]:
    """What was written for the expressions of a statement; variables are of their loops."""
    inside: dict[int, Origin] = {
        id(x.origin): x.origin
        for e in expressions(s)
        for x in walk(e)
        if not isinstance(x, Var | Const)
    }
    return [found for o in inside.values() for found in text.marked(o)]
