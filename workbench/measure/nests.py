"""The scheduled loops as rows: what each line is, how often it runs, and its share of the work.

Work is modelled: one for each float operation, and one for each access of an element that is
not in private memory, as often as it happens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, assert_never

from workbench.base.source import Origin, origin_field
from workbench.base.text import Writer
from workbench.ir.bound import bound
from workbench.ir.count import Count
from workbench.ir.executions import Execution, executions, float_operations, times
from workbench.ir.expr import loads
from workbench.ir.show import write_body
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Barrier,
    Break,
    Continue,
    For,
    If,
    Local,
    LoopKind,
    Memory,
    Outside,
    Store,
    While,
    expressions,
    walk_stmts,
)
from workbench.schedule.names import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.ir.loops import Loops
    from workbench.ir.stmt import Stmt

Kind = Literal["loop", "test", "array", "statement"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the loops.

    `loop` is the name by which schedules find a loop, "" for other lines; `runs_as` says how
    its iterations are run ("serial", "workgroup.x"), `memory` where a declared array lives.
    `times` is how often the line is reached; `work` what it and all lines inside it do, `share`
    that as a part of the whole.
    """

    depth: int
    kind: Kind
    text: str
    loop: str
    runs_as: str
    memory: str
    times: Count
    work: Count
    share: float
    origin: Origin = origin_field()


def rows(loops: Loops, dims: Mapping[str, int]) -> tuple[Row, ...]:
    """The rows of a function in text order, its open dims at these values."""
    known: Loops = bound(loops, dims)
    private = {
        s.name
        for s in walk_stmts(known.body)
        if isinstance(s, Alloc) and s.memory is Memory.PRIVATE
    }
    inner = {s.var: s for s in walk_stmts(known.body) if isinstance(s, For)}
    runs = list(executions(known.body))
    counts = [times(run, inner) for run in runs]
    own = [t.times(work_of(r.statement, private)) for r, t in zip(runs, counts, strict=True)]
    work = _summed(runs, own)
    whole = max(1, sum(x.value for x in own))
    return tuple(
        _row(loops, run, t, w, w.value / whole)
        for run, t, w in zip(runs, counts, work, strict=True)
    )


def work_of(s: Stmt, private: set[str]) -> int:
    """What one execution of a statement does, without the statements inside it."""
    moved = sum(x.array not in private for e in expressions(s) for x in loads(e))
    if isinstance(s, Store) and s.array not in private:
        moved += 1 if s.reduce is None else 2
    return moved + float_operations(s)


def _summed(runs: Sequence[Execution], own: Sequence[Count]) -> list[Count]:
    """The work of each row with that of the deeper rows that follow it."""
    total = list(own)
    for i, run in enumerate(runs):
        for j in range(i + 1, len(runs)):
            if runs[j].depth <= run.depth:
                break
            total[i] += own[j]
    return total


def _row(loops: Loops, run: Execution, count: Count, work: Count, share: float) -> Row:
    s = run.statement
    is_loop = isinstance(s, For)
    named = is_loop and s.kind is not LoopKind.REPEAT
    return Row(
        depth=run.depth,
        kind=_kind(s),
        text=_line(s),
        loop=shown(loops, s.var) if is_loop and named else "",
        runs_as=s.kind.value if is_loop else "",
        memory=s.memory.value if isinstance(s, Alloc) else "",
        times=count,
        work=work,
        share=share,
        origin=s.origin,
    )


def _kind(s: Stmt) -> Kind:
    match s:
        case For() | While():
            return "loop"
        case If():
            return "test"
        case Alloc():
            return "array"
        case Local() | Assign() | Store() | Break() | Continue() | Barrier() | Outside():
            return "statement"
        case _:
            assert_never(s)


def _line(s: Stmt) -> str:
    """The first line of a statement, without the note on how it is run."""
    w = Writer()
    match s:
        case For() | While():
            write_body(w, (replace(s, body=()),))
        case If():
            write_body(w, (replace(s, then=(), orelse=()),))
        case _:
            write_body(w, (s,))
    return w.text().value.partition("\n")[0].partition("  # ")[0]
