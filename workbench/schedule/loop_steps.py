"""Steps that change the order in which iterations run: `split` and `reorder`.

Neither decides where a loop runs (`parallel_steps`) nor where values live (`memory_steps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.ir.access import accesses, breaks, leaves
from workbench.ir.deps import Clash, reordered
from workbench.ir.expr import Expr, Var, apply, free_names, integer, loads
from workbench.ir.loops import Loops
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Body,
    For,
    If,
    Local,
    LoopKind,
    Stmt,
    writes,
)
from workbench.schedule.names import INNER, OUTER, find, shown
from workbench.schedule.nests import (
    around,
    extent,
    fresh,
    literal,
    loops_in,
    nest_of,
    renamed,
    replace_loop,
    taken,
    with_values,
)
from workbench.schedule.step import YES, Verdict, no, step

REORDERED = "reordered"


@step
@dataclass(frozen=True, slots=True)
class Split:
    """Split one loop in two; the inner one, `k_i`, runs `factor` times.

    before:  for k in range(n): s
    after:   for k_o in range(ceil(n / factor)):
                 for k_i in range(factor):
                     if k_o * factor + k_i < n: s[k := k_o * factor + k_i]

    The guard is left out where the factor divides the extent.
    """

    loop: str
    factor: int
    tail: str = "guard"

    def check(self, loops: Loops) -> Verdict:
        """Refuses loops without literal bounds, mapped loops, and loops that a break ends."""
        found = find(loops, self.loop)
        if isinstance(found, Verdict):
            return found
        if self.tail != "guard":
            return no(f"tail={self.tail!r} is not known", found.origin, hint="tail='guard'")
        if isinstance(self.factor, bool) or not isinstance(self.factor, int) or self.factor < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            return no(f"the factor is {self.factor!r}, not a positive int", found.origin)
        if extent(found) is None:
            return no(f"the bounds of '{self.loop}' are not literals", found.origin)
        if found.kind.mapped or found.kind is LoopKind.COOPERATIVE:
            return no(
                f"'{self.loop}' is already mapped onto {found.kind.value}",
                found.origin,
                hint="split before parallelize",
            )
        if breaks(found.body):
            return no(f"a break ends '{self.loop}', it would end the inner loop only", found.origin)
        return YES

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = find(loops, self.loop)
        assert isinstance(found, For)
        names = taken(loops)
        outer, inner = fresh(names, found.var + OUTER), fresh(names, found.var + INNER)
        return replace_loop(loops, found.var, lambda s: (split(s, self.factor, outer, inner),))


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
        top = chain[0]
        nest = nest_of(loops, top.var)
        new = replace_loop(replace(loops, body=(nest,)), top.var, lambda _: _moved(chain, order))
        old_times, new_times = accesses((nest,)), accesses(new.body)
        clash = reordered(old_times, new_times, commute=True)
        if clash is not None:
            return _refuse_clash(clash)
        loose = reordered(old_times, new_times, commute=False)
        return YES if loose is None else Verdict(notes=_notes(loops, loose))

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        path = self._path(loops)
        assert not isinstance(path, Verdict)
        chain, order = path
        if not chain:
            return loops
        kept = {s.var for s in chain if isinstance(s, For)}
        names = taken(loops)

        def finish(body: Body) -> Body:
            return tuple(
                s if not isinstance(s, For) or s is body[main] else _copied(s, kept, names)
                for s in body
            )

        body = _moved(chain, order)
        main = _main(body, kept)
        return replace_loop(loops, chain[0].var, lambda _: finish(body))

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
                return no(f"'{name}' does not stand in the same nest as '{_last(longest)}'", x.origin)
        places = iter(named)
        inside = {x.var for x in named}
        chain = [s for s in longest if isinstance(s, For)]
        order = [next(places) if s.var in inside else s for s in chain]
        moved = [n for n, (a, b) in enumerate(zip(chain, order, strict=True)) if a is not b]
        if not moved:
            return (), ()
        first, last = longest.index(chain[moved[0]]), longest.index(chain[moved[-1]])
        between = longest[first : last + 1]
        for s in between:
            if not isinstance(s, For) and not (isinstance(s, If) and not s.orelse):
                return no("a while or an else stands between the loops", s.origin)
        kept = tuple(s for s in between if isinstance(s, For | If))
        return kept, tuple(order[moved[0] : moved[-1] + 1])


def split(loop: For, factor: int, outer: str, inner: str) -> For:
    """The two loops that do what one with literal bounds does; the guard is innermost."""
    count = extent(loop)
    assert count is not None, "split wants literal bounds"
    origin = loop.origin.derive(f"split by {factor}")
    number: Expr = apply(
        "add",
        apply("mul", Var(outer, origin=origin), integer(factor, origin), origin=origin),
        Var(inner, origin=origin),
        origin=origin,
    )
    index, start = number, literal(loop.start)
    if loop.step != 1:
        index = apply("mul", index, integer(loop.step, origin), origin=origin)
    if start:
        index = apply("add", index, loop.start, origin=origin)
    body = with_values(loop.body, {loop.var: index})
    if count % factor:
        fits = apply("lt", number, integer(count, origin), origin=origin)
        body = (If(fits, body, guard=True, origin=origin.derive("the tail")),)
    parts = LoopKind.PARALLEL if loop.kind is LoopKind.WORKER else loop.kind
    inside = For(inner, integer(0), integer(factor), body, parts, origin=origin)
    outside = integer(-(-count // factor))
    return For(outer, integer(0), outside, (inside,), loop.kind, origin=origin)


def _cannot_move(loops: Loops, chain: Sequence[For | If], order: Sequence[For]) -> Verdict:
    """Refusals that need no dependence: bounds, breaks, declarations, mapped loops."""
    positions = {x.var: n for n, x in enumerate(order)}
    changing = {a.array for a in accesses((nest_of(loops, order[0].var),)) if a.changes}
    for x in order:
        if changing & (_names(x.start) | _names(x.stop)):
            return no(f"the bounds of '{shown(loops, x.var)}' change in the nest", x.origin)
        if x.kind is LoopKind.COOPERATIVE:
            return no(f"'{shown(loops, x.var)}' is a copy shared by the workgroup", x.origin)
        for used in free_names(x.start) | free_names(x.stop):
            if positions.get(used, -1) > positions[x.var]:
                name = shown(loops, x.var)
                return no(f"the bounds of '{name}' use '{shown(loops, used)}'", x.origin)
    apart = any(len(_inside(s)) > 1 for s in chain[:-1])
    for s in chain:
        if isinstance(s, For) and (breaks(s.body) or (apart and leaves(s.body))):
            return no(f"a break or continue belongs to '{shown(loops, s.var)}'", s.origin)
        if isinstance(s, If) and changing & _names(s.cond):
            return no("a condition that changes in the nest stands between the loops", s.origin)
        if isinstance(s, For) and apart and s is not chain[-1] and s.kind.mapped:
            name = shown(loops, s.var)
            return no(f"'{name}' is mapped and holds more than one loop", s.origin)
    for s in chain[:-1]:
        for beside in _inside(s):
            if isinstance(beside, Alloc | Local | Assign):
                reason = f"'{beside.name}' is declared between the loops; they cannot be taken apart"
                return no(reason, s.origin, beside.origin)
    repeated = {LoopKind.SERIAL, LoopKind.UNROLLED}
    serial = next((x for x in order if x.kind in repeated), None)
    late = [x for x in order if x.kind.mapped or x.kind is LoopKind.WORKER]
    if serial is not None and any(positions[x.var] > positions[serial.var] for x in late):
        name = shown(loops, serial.var)
        inner = shown(loops, late[-1].var)
        return no(
            f"the serial loop '{name}' would stand around the mapped loop '{inner}'",
            serial.origin,
            hint="reorder before parallelize",
        )
    return YES


def _names(e: Expr) -> frozenset[str]:
    """The variables and arrays that an expression uses."""
    return free_names(e) | {x.array for x in loads(e)}


def _inside(s: For | If) -> Body:
    return s.body if isinstance(s, For) else s.then


def _with_inside(s: For | If, body: Body) -> For | If:
    return replace(s, body=body) if isinstance(s, For) else replace(s, then=body)


def _moved(chain: Sequence[For | If], order: Sequence[For]) -> Body:
    """The loops of `chain` taken apart around what stands beside them, the rest in `order`.

    Copies still have the variables of the loops that they copy.
    """
    first: list[Stmt] = []
    last: list[Stmt] = []
    for depth, s in enumerate(chain[:-1]):
        inside = _inside(s)
        place = next(n for n, x in enumerate(inside) if x is chain[depth + 1])
        first += _wrapped(chain[: depth + 1], inside[:place])
        last = [*_wrapped(chain[: depth + 1], inside[place + 1 :]), *last]
    guards = [s for s in chain if isinstance(s, If)]
    body = _inside(chain[-1])
    for loop in reversed(order):
        held = [g for g in guards if loop.var in free_names(g.cond)]
        guards = [g for g in guards if g not in held]
        for g in reversed(held):
            body = (replace(g, then=body),)
        body = (replace(loop, body=body),)
    for g in reversed(guards):
        body = (replace(g, then=body),)
    return (*first, *body, *last)


def _wrapped(chain: Sequence[For | If], body: Body) -> Body:
    if not body:
        return ()
    for s in reversed(chain):
        body = (_with_inside(s, body),)
    return body


def _main(body: Body, kept: set[str]) -> int:
    """Which of the statements has all the loops that moved."""
    counts = [len(kept & {x.var for x in loops_in((s,))}) for s in body]
    return counts.index(max(counts))


def _copied(loop: For, kept: set[str], names: set[str]) -> For:
    """A loop split off, with variables of its own."""
    mine = [x.var for x in loops_in((loop,)) if x.var in kept]
    return renamed(loop, {var: fresh(names, var) for var in mine}, "its own loop")


def _last(path: Sequence[Stmt]) -> str:
    loop = path[-1]
    assert isinstance(loop, For)
    return loop.var


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
