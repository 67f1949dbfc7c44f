"""What could be done next at a loop: the legal steps, each with what it would change.

The numbers are counted in the loops before and after (`ir/count.py`): no device is asked, and
each says whether it is exact or modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.base.errors import Mistake, ScheduleError
from workbench.ir.access import accesses
from workbench.ir.count import NONE, Count
from workbench.ir.executions import executions, times
from workbench.ir.loops import Loops
from workbench.ir.stmt import Alloc, Assign, For, Local, LoopKind, Store, walk_stmts
from workbench.schedule.candidates import candidates
from workbench.schedule.history import applied, explained, judged
from workbench.schedule.names import find
from workbench.schedule.nests import extent
from workbench.schedule.step import Schedule, Verdict, step_text


@dataclass(frozen=True, slots=True)
class Effect:
    """What loops do, in whole numbers.

    `runs` are statements run (all lanes of a vector at once), `reads` and `writes` elements of
    arrays in storage, `bytes` both together, `code` the statements written once loops are
    unrolled.
    """

    runs: Count
    reads: Count
    writes: Count
    bytes: Count
    code: Count


@dataclass(frozen=True, slots=True)
class Next:
    """A legal step, its verdict with what it notes, and the effect before and after it."""

    step: Any
    verdict: Verdict
    before: Effect
    after: Effect

    @property
    def text(self) -> str:
        """The call that makes the step."""
        return step_text(self.step)

    @property
    def words(self) -> str:
        """What changes: `reads 4096 -> 512, code 3 -> 24`; numbers that are modelled say so.

        Bytes are said where no other number tells that they change.
        """
        before, after = self.before, self.after
        same = (before.reads, before.writes) == (after.reads, after.writes)
        names = ("runs", "reads", "writes", *(["bytes"] if same else []), "code")
        changed = [
            f"{name} {old.value} -> {new.value}" + (" (modelled)" if "modelled" in tags else "")
            for name in names
            if (old := getattr(self.before, name)) != (new := getattr(self.after, name))
            and (tags := {old.tag, new.tag})
        ]
        return ", ".join(changed) or "the same counts"


def steps_at(schedule: Schedule, name: str) -> tuple[Next, ...]:
    """The legal steps of a few usual kinds at a loop, after the steps of a schedule.

    Raises `ScheduleError` for a loop that is not there, and for a schedule that is refused.
    """
    loops = schedule.at_home.loops()
    past = list(applied(schedule.steps, loops, exact=schedule.exact))
    if past and not past[-1].verdict:
        schedule.apply(loops)  # raises what refuses it
    loops = past[-1].after if past else loops
    found = find(loops, name)
    if isinstance(found, Verdict):
        why = explained((name,), loops, found, past)
        span = next((o.nearest_span() for o in why.where if o.nearest_span()), None)
        raise ScheduleError(Mistake(why.reason, span, why.hint))
    before = effect(loops)
    legal = (
        (s, verdict)
        for s in candidates(loops, found, name)
        if (verdict := judged(s, loops, exact=schedule.exact))
    )
    return tuple(Next(s, v, before, effect(s.apply(loops))) for s, v in legal)


def effect(loops: Loops) -> Effect:
    """The counts of loops; open dims count once, as modelled."""
    stored = {b.name: b.dtype.bytes for b in loops.buffers}
    inner = {s.var: s for s in walk_stmts(loops.body) if isinstance(s, For)}
    runs, reads, writes, moved, code = NONE, NONE, NONE, NONE, NONE
    for x in executions(loops.body):
        if isinstance(x.statement, For | Alloc):
            continue
        around_it = [inner[v] for v in x.loops if v in inner]
        code += Count(_product(around_it, LoopKind.UNROLLED))
        if isinstance(x.statement, Store | Local | Assign):
            found, lanes = times(x, inner), _product(around_it, LoopKind.VECTOR)
            runs += Count(-(-found.value // lanes), found.tag)
    for a in accesses(loops.body):
        if a.array in stored:
            found = times(a, inner)
            reads += found if a.kind != "writes" else NONE
            writes += found if a.changes else NONE
            ways = (a.kind != "writes") + a.changes
            moved += Count(found.value * stored[a.array] * ways, found.tag)
    return Effect(runs, reads, writes, moved, code)


def _product(loops: list[For], kind: LoopKind) -> int:
    """How many iterations loops of a kind have together."""
    total = 1
    for x in loops:
        total *= (extent(x) or 1) if x.kind is kind else 1
    return total
