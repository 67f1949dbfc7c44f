"""Steps that make lanes of iterations: `vectorize`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from workbench.ir.access import leaves
from workbench.ir.expr import Apply, Expr, Select, loads, walk
from workbench.ir.loops import Loops
from workbench.ir.stmt import For, Local, LoopKind, Stmt, Store, expressions
from workbench.schedule.loop_steps import Split
from workbench.schedule.names import find, shown
from workbench.schedule.nests import extent, fresh, loops_in, replace_loop, taken
from workbench.schedule.places import independent, unplaced
from workbench.schedule.step import YES, Verdict, no, step
from workbench.schedule.tails import INNER

MOST_LANES = 64


@step
@dataclass(frozen=True, slots=True)
class Vectorize:
    """Do each statement of an innermost loop for all its iterations at once.

    before:  for j in range(4): C[i, j] = A[i] * B[j]
    after:   C[i, 0:4] = A[i] * B[0:4]

    With a number of lanes the loop is split and the inner one, `j_i`, becomes the vector; `tail`
    is that of `split`, of which a vector takes 'peel' only. WGSL holds up to four lanes in one
    value and takes several for more; elements that lie side by side are read and written at once.
    """

    loop: str
    lanes: int | None = None
    tail: str = field(default="peel", kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses iterations that need each other, and what has no form for lanes."""
        found = find(loops, self.loop)
        if isinstance(found, Verdict):
            return found
        if self.lanes is not None:
            verdict = Split(self.loop, self.lanes, self.tail).check(loops)
            if not verdict:
                return verdict
        lanes = extent(found) if self.lanes is None else self.lanes
        if lanes is None:
            hint = f"vectorize({self.loop!r}, 4)"
            return no(f"the bounds of '{self.loop}' are not literals", found.origin, hint=hint)
        if not 2 <= lanes <= MOST_LANES:
            reason = f"{lanes} lanes; a vector has 2 to {MOST_LANES}"
            return no(reason, found.origin, hint=f"vectorize({self.loop!r}, 4)")
        placed = unplaced(loops, found, hint="vectorize before parallelize, or a loop inside")
        questions = (placed, independent(loops, found, self.loop), self._mixed(loops, found))
        return next((v for v in questions if not v), YES)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = find(loops, self.loop)
        assert isinstance(found, For)
        var = found.var
        if self.lanes is not None:
            var = fresh(taken(loops), var + INNER)
            loops = Split(self.loop, self.lanes, self.tail).apply(loops)
        return replace_loop(loops, var, lambda s: (replace(s, kind=LoopKind.VECTOR),))

    def _mixed(self, loops: Loops, found: For) -> Verdict:
        """Refusals of what lanes cannot do together."""
        inner = next(loops_in(found.body), None)
        if inner is not None:
            name = shown(loops, inner.var)
            return no(
                f"'{name}' stands inside '{self.loop}'; a vector is innermost",
                inner.origin,
                hint=f"reorder({name!r}, {self.loop!r})",
            )
        if leaves(found.body) or found.kind is LoopKind.WORKER:
            return no(f"'{self.loop}' is left by a break or shared to workers", found.origin)
        if self.lanes is not None and self.tail != "peel" and self._ragged(found):
            reason = f"tail={self.tail!r} asks in each lane whether there is an iteration"
            return no(reason, found.origin, hint="tail='peel'")
        for s in found.body:
            reason = uneven(s)
            if reason:
                return no(reason, s.origin, hint="split(..., tail='peel') leaves no guard")
        return YES

    def _ragged(self, found: For) -> bool:
        count = extent(found)
        return count is None or self.lanes is None or count % self.lanes != 0


def uneven(s: Stmt) -> str:
    """Why a statement is not the same for each lane, one operation after the other."""
    match s:
        case Store(atomic=True) | Store(unproved=(_, *_)):
            return f"{s.array} is updated atomically, or by iterations that may meet"
        case Local(fixed=False):
            return f"'{s.name}' changes inside of it"
        case Store() | Local() if all(_straight(e) for e in expressions(s)):
            return ""
        case Store() | Local():
            return "what a lane reads there depends on a condition"
        case _:
            return "a condition stands inside of it, and lanes go one way"


def _straight(e: Expr) -> bool:
    """Whether no lane reads an element only under a condition."""
    for x in walk(e):
        match x:
            case Select(_, yes, no):
                parts: tuple[Expr, ...] = (yes, no)
            case Apply("and" | "or", (_, right)):
                parts = (right,)
            case _:
                continue
        if any(True for part in parts for _ in loads(part)):
            return False
    return True
