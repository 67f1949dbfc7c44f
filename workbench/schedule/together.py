"""Two reductions over the same terms, brought into one body and over one loop.

Pure questions and changes for `algebra_steps`: which terms the reductions have is asked there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.ir.access import accesses, leaves
from workbench.ir.deps import reordered
from workbench.ir.expr import Expr, Var, free_names, loads, substitute
from workbench.ir.loops import Loops
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Body,
    For,
    If,
    LoopKind,
    Memory,
    Stmt,
    Store,
    expressions,
    reads,
    walk_stmts,
)
from workbench.schedule.names import shown
from workbench.schedule.nests import loops_in, renamed, replaced
from workbench.schedule.reductions import Reduction, reduction_over
from workbench.schedule.states import Cell, State
from workbench.schedule.step import YES, Verdict, no

_PLAIN = {LoopKind.SERIAL, LoopKind.PARALLEL}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reductions that stand in one body of the function, `first` before `second`."""

    loops: Loops
    first: Reduction
    second: Reduction

    @property
    def body(self) -> Body:
        """The body in which both stand."""
        return self.first.body

    @property
    def between(self) -> Body:
        """What stands between them, without the first value of the second."""
        places = [n for n, s in enumerate(self.body) if s in (self.first.whole, self.second.whole)]
        inner = self.body[places[0] + 1 : places[1]]
        return tuple(s for s in inner if not any(s is x for x in self.second.starts))


def updating(loops: Loops, array: str) -> Reduction | None:
    """The reduction that alone updates an array."""
    found = [
        x for x in loops_in(loops.body)
        if any(isinstance(s, Store) and s.array == array and s.reduce for s in _direct(x.body))
    ]  # fmt: skip
    if len(found) != 1:
        return None
    made = reduction_over(loops, found[0], found[0].var)
    return None if isinstance(made, Verdict) else made


def _direct(body: Body) -> Body:
    """The statements of a body, those under its conditions among them."""
    inner = (x for s in body if isinstance(s, If) for x in _direct(s.then))
    return (*body, *inner)


def pair(loops: Loops, first: Reduction, second: Reduction) -> Pair | Verdict:
    """Both in one body; nests of their own whose outer loops agree become one nest before."""
    if first.body is second.body:
        order = [s for s in first.body if s is first.whole or s is second.whole]
        if order[0] is second.whole:
            return _late(first, second)
        return Pair(loops, first, second)
    fused = _fused(loops, first, second)
    if isinstance(fused, Verdict):
        return fused
    new = {x.var: x for x in loops_in(fused.body)}
    again = [reduction_over(fused, new[r.loop.var], r.loop.var) for r in (first, second)]
    a, b = again
    assert isinstance(a, Reduction), "fusing keeps the loops of a reduction"
    assert isinstance(b, Reduction), "fusing keeps the loops of a reduction"
    return Pair(fused, a, b)


def _late(first: Reduction, second: Reduction) -> Verdict:
    reason = f"{first.state.cells[0].array} is computed after {second.state.cells[0].array}"
    return no(reason, first.loop.origin, second.loop.origin)


def _fused(loops: Loops, first: Reduction, second: Reduction) -> Loops | Verdict:
    """The two nests as one, in the place of the first."""
    mine, its = list(first.outer), list(second.outer)
    while mine and its and mine[0] is its[0]:
        mine, its = mine[1:], its[1:]
    names = " and ".join(r.state.cells[0].array for r in (first, second))
    hint = f"compute_at({first.state.cells[0].array!r}, loop) brings them into one loop"
    where = (first.loop.origin, second.loop.origin)
    if not mine or len(mine) != len(its):
        return no(f"{names} stand in loops of different depth", *where, hint=hint)
    for a, b in zip(mine, its, strict=True):
        if not isinstance(a, For) or not isinstance(b, For) or not _alike(a, b):
            names = [f"'{shown(loops, s.var)}'" for s in (a, b) if isinstance(s, For)]
            reason = f"{' and '.join(names)} do not run alike" if names else "conditions differ"
            return no(reason, a.origin, b.origin, hint=hint)
    home = _home(loops.body, mine[0], its[0])
    if home is None:
        return no(f"{names} stand in different loops", *where, hint=hint)
    return _joined(loops, home, mine, its)


def _alike(a: For, b: For) -> bool:
    bounds = (a.start, a.stop, b.start, b.stop)
    steady = not any(True for e in bounds for _ in loads(e))
    same = (a.start, a.stop, a.step, a.kind) == (b.start, b.stop, b.step, b.kind)
    return steady and same and a.kind in _PLAIN


def _home(body: Body, first: Stmt, second: Stmt) -> Body | None:
    """The body in which both stand, the first before the second."""
    places = [n for s in (first, second) for n, x in enumerate(body) if x is s]
    if len(places) == 2 and places[0] < places[1]:
        return body
    inner = (_home(b, first, second) for s in body for b in _bodies(s))
    return next((b for b in inner if b is not None), None)


def _bodies(s: Stmt) -> tuple[Body, ...]:
    return (s.body,) if isinstance(s, For) else (s.then, s.orelse) if isinstance(s, If) else ()


def _joined(loops: Loops, home: Body, mine: Sequence[Stmt], its: Sequence[Stmt]) -> Loops | Verdict:
    """The loops `its` inside the loops `mine`, where no value is read too early for it."""
    names = {b.var: a.var for a, b in zip(mine, its, strict=True)
             if isinstance(a, For) and isinstance(b, For)}  # fmt: skip
    second = renamed(its[0], names, "in one pass")
    inner = _innermost(second, len(its))
    start, stop = (next(n for n, s in enumerate(home) if s is x) for x in (mine[0], its[0]))
    declared = [s for s in home[start + 1 : stop] if isinstance(s, Alloc)]
    rest = [s for s in home[start + 1 : stop] if not isinstance(s, Alloc)]
    last = mine[-1]
    assert isinstance(last, For)
    if any(map(leaves, (last.body, inner, tuple(rest)))):
        reason = "a break or continue ends an iteration of one of the two passes"
        return no(reason, mine[0].origin, its[0].origin)
    (fused,) = replaced((mine[0],), last, (replace(last, body=(*last.body, *inner)),))
    count = len(accesses((mine[0],))), len(accesses((second,)))
    new = accesses((fused, *rest))
    a, b, x = new[: count[0]], new[count[0] : sum(count)], new[sum(count) :]
    clash = reordered(accesses((mine[0], *rest, second)), (*a, *x, *b), commuting=False)
    if clash is not None:
        reason = f"{clash.array} would be read or written too early in one pass"
        return no(reason, *clash.where, example=clash.words)
    body = (*home[:start], *declared, fused, *rest, *home[stop + 1 :])
    return replace(loops, body=_with_body(loops.body, home, body))


def _innermost(s: Stmt, depth: int) -> Body:
    assert isinstance(s, For)
    return s.body if depth == 1 else _innermost(s.body[0], depth - 1)


def _with_body(body: Body, old: Body, new: Body) -> Body:
    if body is old:
        return new
    out: list[Stmt] = []
    for s in body:
        match s:
            case For():
                inner = _with_body(s.body, old, new)
                out.append(s if inner is s.body else replace(s, body=inner))
            case If():
                then, orelse = _with_body(s.then, old, new), _with_body(s.orelse, old, new)
                same = then is s.then and orelse is s.orelse
                out.append(s if same else replace(s, then=then, orelse=orelse))
            case _:
                out.append(s)
    return body if all(a is b for a, b in zip(out, body, strict=True)) else tuple(out)


def same_terms(p: Pair, term: Expr) -> bool:
    """Whether a term of the second, over its loops, is that of the first over its own."""
    names = _matched(p.first.whole, p.second.whole, p, {})
    return names is not None and substitute(term, names) == p.first.state.term


def same_ranges(p: Pair) -> bool:
    """Whether both run over the same iterations."""
    return _matched(p.first.whole, p.second.whole, p, {}) is not None


def _matched(a: Stmt, b: Stmt, p: Pair, names: dict[str, Expr]) -> dict[str, Expr] | None:
    """The variables of the second's loops as those of the first's, None where they differ."""
    match a, b:
        case For(), For():
            its = tuple(substitute(e, names) for e in (b.start, b.stop))
            if (a.start, a.stop, a.step, a.kind) != (*its, b.step, b.kind):
                return None
            inside, names = (a.body, b.body), {**names, b.var: Var(a.var)}
        case If(), If() if a.cond == substitute(b.cond, names):
            inside = (a.then, b.then)
        case _:
            return None
    if inside == (p.first.inner, p.second.inner):
        return names
    if any(len(x) != 1 for x in inside):
        return None
    return _matched(inside[0][0], inside[1][0], p, names)


def disturbed(p: Pair) -> Verdict:
    """Refuses what stands between and changes a term, or looks at the second's results."""
    own = {c.array for c in p.second.state.cells}
    used = [e for s in walk_stmts((p.first.whole,)) for e in expressions(s)]
    needed = {x.array for e in used for x in loads(e)} | {n for e in used for n in free_names(e)}
    needed |= {c.array for c in p.first.state.cells}
    if leaves(p.between):
        origin = next(s.origin for s in p.between if leaves((s,)))
        return no("a break or continue stands between the two passes", origin)
    for s in walk_stmts(p.between):
        match s:
            case Store(changed) | Assign(changed) if changed in needed | own:
                return no(f"{changed} changes between the two passes", s.origin)
            case _:
                pass
    read = next((x for x in reads(p.between) if x.array in own), None)
    return YES if read is None else no(f"{read.array} is read between the two passes", read.origin)


def over_one_loop(p: Pair, state: State, more: Sequence[Cell] = ()) -> Loops:
    """The function with both computed by the first's loops; `more` are private to them."""
    body = p.body
    own = {c.array for c in p.second.state.cells}
    moved = [s for s in p.between if isinstance(s, Alloc) and s.name in own]
    gone = [*moved, *p.second.starts, p.second.whole]
    declared = [Alloc(c.array, c.dtype, (), Memory.PRIVATE, origin=c.origin) for c in more]
    new: list[Stmt] = []
    for s in body:
        if any(s is x for x in gone):
            continue
        if s is p.first.starts[0]:
            new += [*moved, *declared]
        if s is p.first.whole:
            new += [*p.second.starts, *(c.store(c.unit) for c in more)]
            new += p.first.rewritten(state.body())
            continue
        new.append(s)
    return replace(p.loops, body=_with_body(p.loops.body, body, tuple(new)))


def trips_of(whole: For) -> tuple[For, ...] | None:
    """The loops of a reduction, None where a condition stands among them."""
    inner = [s for s in walk_stmts((whole,)) if isinstance(s, For | If)]
    found = tuple(s for s in inner if isinstance(s, For))
    return found if len(found) == len(inner) else None
