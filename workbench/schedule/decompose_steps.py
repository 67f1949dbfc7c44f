"""Steps that take a reduction's first values apart from its updates: `decompose`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.ir.access import accesses, leaves
from workbench.ir.deps import reordered
from workbench.ir.expr import loads
from workbench.ir.loops import Loops
from workbench.ir.stmt import Body, For, LoopKind, Store
from workbench.schedule.names import find
from workbench.schedule.nests import copied, nest_of, replaced, taken
from workbench.schedule.step import YES, Verdict, no, step

_OPEN = {LoopKind.SERIAL, LoopKind.PARALLEL}


@step
@dataclass(frozen=True, slots=True)
class Decompose:
    """Give the first values of a reduction a loop of their own, before the updates.

    before:  for j in range(n):
                 C[j] = 0
                 for k in range(m): C[j] += A[j, k]
    after decompose('j'):
             for j_1 in range(n): C[j_1] = 0
             for j in range(n):
                 for k in range(m): C[j] += A[j, k]

    The loop of the first values is named with a number; the updates keep the loop's name.
    """

    loop: str

    def check(self, loops: Loops) -> Verdict:
        """Refuses loops without first values, and what a later update would see too early."""
        found = find(loops, self.loop)
        if isinstance(found, Verdict):
            return found
        if found.kind not in _OPEN:
            reason = f"'{self.loop}' is {found.kind.value}"
            return no(reason, found.origin, hint="decompose before it")
        first, rest = _parts(found)
        if not first or not rest:
            return no(f"'{self.loop}' does not begin with first values", found.origin)
        if leaves(found.body):
            return no(f"a break or continue belongs to '{self.loop}'", found.origin)
        if any(True for e in (found.start, found.stop) for _ in loads(e)):
            return no(f"an array says how often '{self.loop}' runs", found.origin)
        nest = nest_of(loops, found.var)
        new = replaced((nest,), found, (replace(found, body=first), replace(found, body=rest)))
        clash = reordered(accesses((nest,)), accesses(new), commuting=False)
        if clash is None:
            return YES
        reason = f"a first value of {clash.array} would be stored too early"
        return no(reason, *clash.where, example=clash.words)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = find(loops, self.loop)
        assert isinstance(found, For)
        first, rest = _parts(found)
        (own,) = copied((replace(found, body=first),), taken(loops), "first values")
        body = replaced(loops.body, found, (own, replace(found, body=rest)))
        return replace(loops, body=body)


def _parts(loop: For) -> tuple[Body, Body]:
    """The plain stores at the beginning of a body, and the rest."""
    place = 0
    while place < len(loop.body):
        s = loop.body[place]
        if not isinstance(s, Store) or s.reduce is not None:
            break
        place += 1
    return loop.body[:place], loop.body[place:]
