"""Steps that change the order in which iterations run: `split` and `reorder`.

Neither decides where a loop runs (`parallel_steps`) nor where values live (`memory_steps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.ir.access import accesses, breaks, leaves
from workbench.ir.deps import Clash, reordered
from workbench.ir.expr import Expr, free_names, loads
from workbench.ir.loops import Loops
from workbench.ir.stmt import (
    Alloc,
    Assign,
    For,
    If,
    Local,
    LoopKind,
    Stmt,
    writes,
)
from workbench.schedule.moves import inside, moved, taken_apart
from workbench.schedule.names import find, shown
from workbench.schedule.nests import (
    around,
    extent,
    fresh,
    loops_in,
    nest_of,
    positive,
    renamed,
    replace_loop,
    replaced,
    taken,
    trips,
)
from workbench.schedule.places import repeatable, unplaced
from workbench.schedule.step import YES, Verdict, no, step
from workbench.schedule.tails import INNER, OUTER, TAILS, peeled, split


@step
@dataclass(frozen=True, slots=True)
class Split:
    """Split one loop in two; the inner one, `k_i`, runs `factor` times.

    before:  for k in range(n): s
    after:   for k_o in range(ceil(n / factor)):
                 for k_i in range(factor):
                     if k_o * factor + k_i < n: s[k := k_o * factor + k_i]

    The guard is left out where the factor divides the extent. tail='peel' runs floor(n / factor)
    tiles without it and the rest in a loop behind them, `k_t`; tail='pad' runs every tile whole
    and adds the identity of the update (0 to a sum) where there is no iteration.
    """

    loop: str
    factor: int
    tail: str = "guard"

    def check(self, loops: Loops) -> Verdict:
        """Refuses loops that end where a run says, mapped loops, and loops that a break ends."""
        found = find(loops, self.loop)
        if isinstance(found, Verdict):
            return found
        if self.tail not in TAILS:
            hint = " or ".join(f"tail={x!r}" for x in TAILS)
            return no(f"tail={self.tail!r} is not known", found.origin, hint=hint)
        if not positive(self.factor):
            return no(f"the factor is {self.factor!r}, not a positive int", found.origin)
        if trips(loops, found) is None:
            return no(f"the bounds of '{self.loop}' are not literals", found.origin)
        placed = unplaced(loops, found, hint="split before parallelize and vectorize")
        if not placed:
            return placed
        if breaks(found.body):
            return no(f"a break ends '{self.loop}', it would end the inner loop only", found.origin)
        return self._unpeeled(loops, found) if self.tail == "peel" else YES

    def _unpeeled(self, loops: Loops, found: For) -> Verdict:
        """Refusals of a tail of its own, which repeats the body."""
        count = extent(found)
        if count is not None and count < self.factor:
            reason = f"no whole tile of {self.factor} fits into the extent {count} of '{self.loop}'"
            return no(reason, found.origin, hint=f"split({self.loop!r}, {max(1, count)})")
        return YES if count is not None and count % self.factor == 0 else repeatable(loops, found)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = find(loops, self.loop)
        assert isinstance(found, For)
        names, count = taken(loops), trips(loops, found)
        assert count is not None, "split knows how often the loop runs"
        if self.tail == "peel":
            return replace_loop(loops, found.var, lambda s: peeled(s, count, self.factor, names))
        outer, inner = fresh(names, found.var + OUTER), fresh(names, found.var + INNER)
        pad = self.tail == "pad"
        return replace_loop(
            loops, found.var, lambda s: (split(s, count, self.factor, outer, inner, pad=pad),)
        )


@step
@dataclass(frozen=True, slots=True)
class Reorder:
    """Put nested loops in the order named, outermost first; others keep their places.

    before:  for j in range(n):
                 C[j] = 0
                 for k in range(m): C[j] += A[j, k]
    after reorder('k', 'j'):
             for j_1 in range(n): C[j_1] = 0
             for k in range(m):
                 for j in range(n): C[j] += A[j, k]

    What stands beside an inner loop gets loops of its own, named with a number.
    """

    loops: tuple[str, ...]

    def check(self, loops: Loops) -> Verdict:
        """Refuses what changes an element's history; float sums in another order are noted."""
        path = self._path(loops)
        if isinstance(path, Verdict):
            return path
        chain, order = path
        if not chain:
            return YES
        refusal = _cannot_move(loops, chain, order)
        if not refusal:
            return refusal
        old = nest_of(loops, order[0].var)
        new = replaced((old,), chain[0], moved(chain, order, lambda s: s))
        old_times, new_times = accesses((old,)), accesses(new)
        clash = reordered(old_times, new_times, commuting=False)
        if clash is not None:
            return _refuse_clash(clash)
        loose = reordered(old_times, new_times, commuting=True)
        return YES if loose is None else Verdict(notes=_notes(loops, loose))

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        path = self._path(loops)
        assert not isinstance(path, Verdict)
        chain, order = path
        if not chain:
            return loops
        names, variables = taken(loops), {x.var for x in order}
        body = moved(chain, order, lambda s: _copied(s, variables, names))
        return replace(loops, body=replaced(loops.body, chain[0], body))

    def _path(self, loops: Loops) -> tuple[tuple[For | If, ...], tuple[For, ...]] | Verdict:
        """The statements from the first loop that moves to the last, and the loops' new order."""
        named: list[For] = []
        for name in self.loops:
            found = find(loops, name)
            if isinstance(found, Verdict):
                return found
            named.append(found)
        if len({x.var for x in named}) != len(named) or not named:
            return no("reorder wants each loop once", hint="reorder('k', 'j')")
        paths = [around(loops.body, x.var) for x in named]
        longest = max(paths, key=len)
        for name, x in zip(self.loops, named, strict=True):
            if x not in longest:
                other = self.loops[paths.index(longest)]
                return no(f"'{name}' and '{other}' do not stand in one another", x.origin)
        places = iter(named)
        own = {x.var for x in named}
        chain = [s for s in longest if isinstance(s, For)]
        order = [next(places) if s.var in own else s for s in chain]
        changed = [n for n, (a, b) in enumerate(zip(chain, order, strict=True)) if a is not b]
        if not changed:
            return (), ()
        first, last = longest.index(chain[changed[0]]), longest.index(chain[changed[-1]])
        between = longest[first : last + 1]
        for s in between:
            if not isinstance(s, For) and not (isinstance(s, If) and not s.orelse):
                return no("a while or an else stands between the loops", s.origin)
        kept = tuple(s for s in between if isinstance(s, For | If))
        return kept, tuple(order[changed[0] : changed[-1] + 1])


def _cannot_move(loops: Loops, chain: Sequence[For | If], order: Sequence[For]) -> Verdict:
    """Refusals that need no dependence: bounds, breaks, declarations, mapped loops."""
    for refusal in (
        _bad_bounds(loops, order),
        _bad_links(loops, chain, order),
        _bad_parts(loops, taken_apart(chain, order)),
        _bad_places(loops, order),
    ):
        if not refusal:
            return refusal
    return YES


def _changing(loops: Loops, loop: For) -> set[str]:
    """The arrays and locals that change in the nest of a loop."""
    return {a.array for a in accesses((nest_of(loops, loop.var),)) if a.changes}


def _bad_bounds(loops: Loops, order: Sequence[For]) -> Verdict:
    positions = {x.var: n for n, x in enumerate(order)}
    changing = _changing(loops, order[0])
    for x in order:
        used = _names(x.start) | _names(x.stop)
        if changing & used:
            return no(f"the bounds of '{shown(loops, x.var)}' change in the nest", x.origin)
        for name in used:
            if positions.get(name, -1) > positions[x.var]:
                reason = f"the bounds of '{shown(loops, x.var)}' use '{shown(loops, name)}'"
                return no(reason, x.origin)
    return YES


def _bad_links(loops: Loops, chain: Sequence[For | If], order: Sequence[For]) -> Verdict:
    apart = taken_apart(chain, order)
    changing = _changing(loops, order[0])
    for s in chain:
        if isinstance(s, If):
            if changing & _names(s.cond):
                reason = "a condition that changes in the nest stands between the loops"
                return no(reason, s.origin)
        elif breaks(s.body) or (s in apart and leaves(s.body)):
            return no(f"a break or continue belongs to '{shown(loops, s.var)}'", s.origin)
        elif s.kind.together:
            return no(f"'{shown(loops, s.var)}' is a copy shared by the workgroup", s.origin)
        elif s.kind is LoopKind.VECTOR:
            reason = f"'{shown(loops, s.var)}' is a vector, which stays innermost"
            return no(reason, s.origin, hint="reorder before vectorize")
    return YES


def _bad_parts(loops: Loops, apart: Sequence[For | If]) -> Verdict:
    for s in apart[:-1]:
        if isinstance(s, For) and s.kind.mapped:
            return no(f"'{shown(loops, s.var)}' is mapped and holds more than one loop", s.origin)
        for beside in inside(s):
            if isinstance(beside, Alloc | Local | Assign):
                reason = f"'{beside.name}' is declared between the loops; they stay together"
                return no(reason, s.origin, beside.origin)
    return YES


def _bad_places(loops: Loops, order: Sequence[For]) -> Verdict:
    """Loops that repeat stand inside those that are mapped."""
    repeats = {LoopKind.SERIAL, LoopKind.UNROLLED, LoopKind.VECTOR}
    first = next((n for n, x in enumerate(order) if x.kind in repeats), len(order))
    for x in order[first:]:
        if x.kind.mapped or x.kind is LoopKind.WORKER:
            outer, inner = shown(loops, order[first].var), shown(loops, x.var)
            return no(
                f"the serial loop '{outer}' would stand around the mapped loop '{inner}'",
                order[first].origin,
                hint="reorder before parallelize",
            )
    return YES


def _names(e: Expr) -> frozenset[str]:
    """The variables and arrays that an expression uses."""
    return free_names(e) | {x.array for x in loads(e)}


def _copied(s: Stmt, variables: set[str], names: set[str]) -> Stmt:
    """A statement taken out of a nest, with loop variables of its own."""
    mine = [x.var for x in loops_in((s,)) if x.var in variables]
    return renamed(s, {var: fresh(names, var) for var in mine}, "its own loop")


def _refuse_clash(clash: Clash) -> Verdict:
    first, second = clash.kinds
    then = "the second comes first" if first == second else f"what {second} it comes first"
    return no(
        f"it would change the order in which {clash.array} is used",
        *clash.where,
        example=f"{clash.words}; after the step {then}",
    )


def _notes(loops: Loops, clash: Clash) -> tuple[str, ...]:
    """What commuting updates in another order mean for the numbers: nothing for ints."""
    found = [
        s.reduce
        for s in writes(loops.body)
        if s.array == clash.array and s.reduce is not None and s.value.dtype.kind == "f"
    ]
    words = {"add": "additions", "mul": "multiplications"}
    return tuple(
        f"changes the order of the float {words[op]} of {clash.array}"
        for op in dict.fromkeys(found)
        if op in words
    )
