"""Steps that say where iterations run: `parallelize`.

Sizes are checked against the limits of a device when it is asked to run, not here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from workbench.ir.access import breaks
from workbench.ir.expr import Var, apply, integer
from workbench.ir.loops import Loops
from workbench.ir.stmt import (
    Alloc,
    Assign,
    For,
    Local,
    LoopKind,
    Memory,
    While,
    walk_stmts,
    writes,
)
from workbench.schedule.names import find, shown
from workbench.schedule.nests import (
    around,
    extent,
    fresh,
    literal,
    loops_in,
    nest_of,
    own_body,
    positive,
    repeated,
    replace_loop,
    taken,
    trips,
    with_values,
)
from workbench.schedule.places import independent, placed
from workbench.schedule.step import YES, Verdict, no, step
from workbench.schedule.tails import INNER, OUTER, split

AXES: dict[str, LoopKind] = {
    kind.value: kind
    for kind in LoopKind
    if kind.mapped or kind in {LoopKind.WORKER, LoopKind.PARALLEL}
}


@step
@dataclass(frozen=True, slots=True)
class Parallelize:
    """Run the iterations of a loop side by side, on an axis of the device or on CPU workers.

    before:  for i in range(n): s
    after parallelize('i', 'workgroup.x', 64):
             for i_o in range(ceil(n / 64)):  # workgroup.x
                 for i_i in range(64):  # invocation.x
                     if i_o * 64 + i_i < n: s[i := i_o * 64 + i_i]

    Without a size the loop as it is goes onto the axis: workgroup.x, .y, .z, invocation.x, .y,
    .z, worker, or parallel (side by side, where is left open).
    """

    loop: str
    axis: str
    size: int | None = None

    def check(self, loops: Loops) -> Verdict:
        """Refuses loops whose iterations clash, and places that the axis cannot have."""
        found = find(loops, self.loop)
        if isinstance(found, Verdict):
            return found
        questions = (
            self._misspelt,
            self._unfit,
            partial(independent, name=self.loop),
            _apart,
            self._misplaced,
        )
        return next((v for v in (q(loops, found) for q in questions) if not v), YES)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = find(loops, self.loop)
        assert isinstance(found, For)
        kinds = self._kinds()
        if self.size is None:
            return replace_loop(loops, found.var, lambda s: (_from_zero(loops, s, kinds[0]),))
        size, names, count = self.size, taken(loops), trips(loops, found)
        assert count is not None, "a loop on an axis has an extent"
        outer, inner = fresh(names, found.var + OUTER), fresh(names, found.var + INNER)

        def mapped(s: For) -> tuple[For]:
            both = split(s, count, size, outer, inner)
            inside = both.body[0]
            assert isinstance(inside, For)
            return (replace(both, kind=kinds[0], body=(replace(inside, kind=kinds[1]),)),)

        return replace_loop(loops, found.var, mapped)

    def _kinds(self) -> tuple[LoopKind, ...]:
        """The kinds that the step gives away: that of the loop, or of its two halves."""
        if self.size is None:
            return (AXES[self.axis],)
        return AXES[self.axis], AXES[self.axis.replace("workgroup", "invocation")]

    def _misspelt(self, _: Loops, found: For) -> Verdict:
        if self.axis not in AXES:
            return no(f"no axis '{self.axis}'", found.origin, hint=", ".join(map(repr, AXES)))
        if self.size is None:
            return YES
        if not self.axis.startswith("workgroup."):
            return no(
                f"a size goes with a workgroup axis, not with '{self.axis}'",
                found.origin,
                hint=f"split({self.loop!r}, {self.size!r}), then parallelize without a size",
            )
        if not positive(self.size):
            return no(f"the size is {self.size!r}, not a positive int", found.origin)
        return YES

    def _unfit(self, loops: Loops, found: For) -> Verdict:
        if placed(found) or found.kind is LoopKind.WORKER:
            return no(f"'{self.loop}' is already mapped onto {found.kind.value}", found.origin)
        if breaks(found.body):
            return no(f"a break ends '{self.loop}'", found.origin)
        sized = self.size is None and self.axis.startswith("invocation.")
        count = extent(found) if sized else trips(loops, found)
        if AXES[self.axis] is not LoopKind.PARALLEL and count is None:
            return no(f"the bounds of '{self.loop}' are not literals", found.origin)
        return YES

    def _misplaced(self, loops: Loops, found: For) -> Verdict:
        kinds = self._kinds()
        if kinds[0] is LoopKind.PARALLEL:
            return YES
        path = [s for s in around(loops.body, found.var)[:-1] if not repeated(s)]
        for s in path:
            if kinds[0] is LoopKind.WORKER and isinstance(s, For | While):
                name = f"'{shown(loops, s.var)}'" if isinstance(s, For) else "a while"
                return no(f"{name} stands around it; workers share the outermost loop", s.origin)
            if isinstance(s, While) or (isinstance(s, For) and not _side_by_side(s)):
                name = (
                    f"the serial loop '{shown(loops, s.var)}'" if isinstance(s, For) else "a while"
                )
                return no(
                    f"{name} stands around '{self.loop}'",
                    s.origin,
                    hint="reorder it inside first",
                )
        return _conflict(loops, found, kinds)


def _apart(loops: Loops, found: For) -> Verdict:
    """Refuses a nest that leaves something in what the body around it keeps for itself.

    Mapped it would be a kernel of its own, which sees storage and nothing else.
    """
    nest = (nest_of(loops, found.var),)
    hint = "parallelize a loop inside an equation with axes"
    around_it = list(own_body(loops.body))
    outside = {s.name for s in around_it if isinstance(s, Alloc)}
    for s in writes(nest):
        if s.array in outside:
            reason = f"{s.array} is private memory of what stands around the loop"
            return no(reason, s.origin, hint=hint)
    kept = {s.name for s in around_it if isinstance(s, Local)}
    for s in walk_stmts(nest):
        if isinstance(s, Assign) and s.name in kept:
            return no(f"'{s.name}' is a local of what stands around the loop", s.origin, hint=hint)
    return YES


def _side_by_side(s: For) -> bool:
    return s.kind.mapped or s.kind is LoopKind.PARALLEL


def _conflict(loops: Loops, found: For, kinds: tuple[LoopKind, ...]) -> Verdict:
    """Refusals that other loops and arrays of the nest give."""
    nest = nest_of(loops, found.var)
    for other in loops_in((nest,)):
        if other.kind in kinds:
            reason = f"{other.kind.value} is taken by '{shown(loops, other.var)}' in this nest"
            return no(reason, other.origin, hint="another axis: .x, .y or .z")
        worker = LoopKind.WORKER
        if (other.kind.mapped and worker in kinds) or (other.kind is worker and kinds[0].mapped):
            reason = f"'{shown(loops, other.var)}' is mapped onto {other.kind.value}"
            return no(f"{reason}; workers and workgroups do not mix", other.origin)
    if kinds[0] is LoopKind.WORKER:
        return YES
    own = {s.name: s.memory for s in walk_stmts((nest,)) if isinstance(s, Alloc)}
    private = {n for n, memory in own.items() if memory is Memory.PRIVATE}
    private -= {s.name for s in walk_stmts(found.body) if isinstance(s, Alloc)}
    for s in writes(found.body):
        if s.array in private:
            reason = f"{s.array} is private memory of what stands around the loop"
            return no(reason, s.origin, hint="parallelize before cache")
    once = {id(s) for s in writes(found.body)} | {id(s) for x in loops_in((nest,))
            if x.kind.together for s in writes(x.body)}  # fmt: skip
    for s in writes((nest,)):
        if id(s) not in once and own.get(s.array) is not Memory.PRIVATE:
            return no(
                f"{s.array} is also written beside the loop, where each invocation would repeat it",
                s.origin,
                hint="a loop around every write of the nest",
            )
    shared = any(
        isinstance(s, Alloc) and s.memory is Memory.WORKGROUP for s in walk_stmts(found.body)
    )
    if shared and any(k.on_invocations for k in kinds):
        reason = "it stands around an array that the workgroup shares"
        return no(reason, found.origin, hint="parallelize before cache")
    return YES


def _from_zero(loops: Loops, loop: For, kind: LoopKind) -> For:
    """The loop on an axis: from 0, by 1 (unless it stays open where it runs)."""
    if kind is LoopKind.PARALLEL or (literal(loop.start) == 0 and loop.step == 1):
        return replace(loop, kind=kind)
    count = trips(loops, loop)
    assert count is not None, "an axis has an extent"
    number = apply("mul", Var(loop.var), integer(loop.step)) if loop.step != 1 else Var(loop.var)
    index = apply("add", number, loop.start, origin=loop.origin)
    body = with_values(loop.body, {loop.var: index})
    return replace(loop, kind=kind, start=integer(0), stop=count, step=1, body=body)
