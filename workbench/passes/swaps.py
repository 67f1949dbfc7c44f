"""Swapped buffers: an array that a turn copies into another changes places with it instead.

    for t in range(6):  # repeat             for t in range(3):  # repeat
        for i in range(N):                       for i in range(N):
            u_new[i] = f(u, i)                       u_new[i] = f(u, i)
        for i in range(N):                       for i in range(N):
            u[i] = u_new[i]                          u[i] = f(u_new, i)

Each array gets a place among the buffers of its group: a copy makes two arrays share one, and
what is written anew takes a free one. A group is swapped where it is proved that every array is
back in its own buffer after a few turns, the period: so many turns stand in the new repeat.
The turns left over run behind it as they were, with their copies.
Runs after the turns are counted, so only bounds of repeats name the variable of one around them;
where they do, its turns differ and it stays as it is. The turns of a new repeat
have loops of the same names; a statement that is the same in two turns is the same object.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.ir.access import accesses, before
from workbench.ir.deps import covered
from workbench.ir.expr import Expr, Load, Var, apply, integer, rebuild
from workbench.ir.extents import expression
from workbench.ir.repeats import conditional, count as count_of, is_repeat, steers
from workbench.ir.stmt import (
    Body,
    For,
    If,
    Outside,
    Stmt,
    Store,
    map_bodies,
    map_exprs,
    reads,
    walk_stmts,
    writes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from workbench.ir.access import Access
    from workbench.ir.loops import Buffer, Loops

MOST_TURNS = 4
"""Turns that may stand in one repeat; each brings kernels of its own."""


_Place = dict[str, str]
"""The buffers that hold the arrays of a group when a statement runs."""

_Turn = tuple[_Place | None, ...]
"""The places for each statement of a turn; None for a copy that is not needed."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What one statement of a turn does to the arrays of a group.

    `copy` is (target, source) where it copies one whole array and does nothing else. `anew` are
    the arrays it writes wholly without a look at what they held, `changed` the others it writes.
    """

    touched: frozenset[str]
    anew: frozenset[str]
    changed: frozenset[str]
    copy: tuple[str, str] | None


def swap_buffers(loops: Loops) -> Loops:
    """Buffers change places in repeats, where that can stand for a copy in each turn."""
    body = _swapped(loops.body, loops, frozenset(loops.outputs))
    return loops if body is loops.body else replace(loops, body=body)


def _swapped(body: Body, loops: Loops, outside: frozenset[str]) -> Body:
    """The body with its repeats swapped, inner ones first; `outside` are arrays used elsewhere."""
    out: list[Stmt] = []
    for n, s in enumerate(body):
        if not is_repeat(s):
            out.append(s)
            continue
        elsewhere = outside | _touched((*body[:n], *body[n + 1 :]))
        inner = _swapped(s.body, loops, elsewhere)
        out += _unrolled(s if inner is s.body else replace(s, body=inner), loops, elsewhere)
    same = len(out) == len(body) and all(a is b for a, b in zip(out, body, strict=True))
    return body if same else tuple(out)


def _unrolled(repeat: For, loops: Loops, outside: frozenset[str]) -> Body:
    """The repeat of whole periods, and the turns left over; itself where no group is swapped."""
    count = count_of(repeat)
    kept = [] if conditional(repeat) or count in {0, 1} else _kept(repeat, loops, outside)
    period = math.lcm(*map(len, kept))
    if not kept:
        return (repeat,)
    body = _turns(repeat.body, kept, period)
    zero = integer(0)
    if not isinstance(count, int):
        times, by = apply("max", count, zero), integer(period)
        whole, rest = apply("floordiv", times, by), apply("mod", times, by)
        return (
            replace(repeat, start=zero, stop=whole, body=body),
            replace(repeat, start=zero, stop=rest),
        )
    out: list[Stmt] = [replace(repeat, start=zero, stop=integer(count // period), body=body)]
    if count % period == 1:
        out += repeat.body
    elif count % period:
        out.append(replace(repeat, start=zero, stop=integer(count % period)))
    return tuple(out)


def _kept(repeat: For, loops: Loops, outside: frozenset[str]) -> list[tuple[_Turn, ...]]:
    """The turns of one period for each group that is swapped; all periods together fit."""
    if steers(repeat) or not all(isinstance(s, For | If | Store) for s in repeat.body):
        return []
    copies = tuple(_copy(s, loops) for s in repeat.body)
    kept: list[tuple[_Turn, ...]] = []
    for group in _groups(c for c in copies if c is not None):
        steps = [_step(s, c, group, loops) for s, c in zip(repeat.body, copies, strict=True)]
        found = _period(steps, group, outside)
        together = math.lcm(*map(len, kept), len(found))
        count = count_of(repeat)
        most = min(MOST_TURNS, count) if isinstance(count, int) else MOST_TURNS
        if found and together <= most:
            kept.append(found)
    return kept


def _period(
    steps: list[_Step], group: frozenset[str], outside: frozenset[str]
) -> tuple[_Turn, ...]:
    """Where the arrays of a group are, turn by turn until all are back; empty: it cannot be."""
    touching = {a: [n for n, s in enumerate(steps) if a in s.touched] for a in sorted(group)}
    carried = {a for a, at in touching.items() if a in outside or not _begins(steps[at[0]], a)}
    where: _Place = {a: a for a in carried}
    found: list[_Turn] = []
    while len(found) < MOST_TURNS:
        turn: list[_Place | None] = []
        for n, s in enumerate(steps):
            where = {a: p for a, p in where.items() if a in carried or touching[a][-1] >= n}
            if s.copy is not None:
                target, source = s.copy
                where[target] = where[source]
                turn.append(None)
                continue
            for a in sorted(s.anew):
                where[a] = _free(a, where, group)
            if any(list(where.values()).count(where[a]) > 1 for a in s.changed):
                return ()
            turn.append({a: where[a] for a in s.touched})
        found.append(tuple(turn))
        where = {a: p for a, p in where.items() if a in carried}
        if all(a == p for a, p in where.items()):
            return tuple(found)
    return ()


def _begins(s: _Step, array: str) -> bool:
    """Whether an array need not hold anything before the statement, the first that touches it."""
    return array in s.anew or (s.copy is not None and s.copy[0] == array)


def _free(array: str, where: Mapping[str, str], group: frozenset[str]) -> str:
    """A buffer that holds no other array: its own, if it can be."""
    held = {p for a, p in where.items() if a != array}
    return next(p for p in (where.get(array, array), *sorted(group)) if p not in held)


def _turns(body: Body, kept: list[tuple[_Turn, ...]], period: int) -> Body:
    """The statements of one period, each over the buffers where its arrays are."""
    made: dict[tuple[int, frozenset[tuple[str, str]]], Stmt] = {}
    out: list[Stmt] = []
    for turn in range(period):
        for n, s in enumerate(body):
            places = [group[turn % len(group)][n] for group in kept]
            if None in places:
                continue
            moved = {a: p for place in places if place for a, p in place.items() if a != p}
            key = (n, frozenset(moved.items()))
            made[key] = made.get(key) or _renamed(s, moved)
            out.append(made[key])
    return tuple(out)


def _groups(copies: Iterator[tuple[str, str]]) -> list[frozenset[str]]:
    """The arrays that copies connect."""
    groups: list[frozenset[str]] = []
    for copy in copies:
        joined = frozenset(copy).union(*(g for g in groups if g & set(copy)))
        groups = [*(g for g in groups if not g & joined), joined]
    return groups


def _copy(s: Stmt, loops: Loops) -> tuple[str, str] | None:
    """(target, source) where a nest copies the whole of one array into another, and only that."""
    stores = list(writes((s,)))
    if not isinstance(s, For) or is_repeat(s) or len(stores) != 1:
        return None
    (store,) = stores
    target, value = _own(store.array, loops), store.value
    if not isinstance(value, Load) or store.reduce is not None or value.index != store.index:
        return None
    source = _own(value.array, loops)
    if target is None or source is None or target.name == source.name or not target.shape:
        return None
    found = accesses((s,))
    only = len(found) == 2 and all(isinstance(x, For | If | Store) for x in walk_stmts((s,)))
    alike = (target.dtype, target.shape) == (source.dtype, source.shape)
    if not (only and alike and _whole([a for a in found if a.changes], target)):
        return None
    return target.name, source.name


def _own(name: str, loops: Loops) -> Buffer | None:
    """The buffer of that name, if the function may write it."""
    found = loops.buffer(name)
    return None if found is None or found.role == "input" else found


def _step(s: Stmt, copy: tuple[str, str] | None, group: frozenset[str], loops: Loops) -> _Step:
    touched = _touched((s,)) & group
    if copy is not None and copy[0] in group:
        return _Step(touched, frozenset(), frozenset(), copy)
    written = frozenset(x.array for x in writes((s,))) & group
    found = () if is_repeat(s) else accesses((s,))
    anew = frozenset(a for a in written if _anew(a, found, loops))
    return _Step(touched, anew, written - anew, None)


def _anew(array: str, found: Iterable[Access], loops: Loops) -> bool:
    """Whether every element is written, and none is read that was not written before."""
    mine = [a for a in found if a.array == array]
    plain = [a for a in mine if a.kind == "writes" and a.exact]
    buffer = loops.buffer(array)
    first = next((a for a in plain if buffer is not None and _whole([a], buffer)), None)
    return first is not None and all(
        a is first or a.kind == "writes" or _follows(a, first) for a in mine
    )


def _follows(a: Access, first: Access) -> bool:
    """Whether each access of `a` comes after one of `first` to the same element."""
    same = a.index == first.index and set(first.conditions) <= set(a.conditions)
    return same and any(
        set(first.loops) <= set(signs) and not any(signs.values()) for signs in before(first, a)
    )


def _whole(stores: list[Access], buffer: Buffer) -> bool:
    """Whether one of the stores, over all its iterations, writes every element."""
    names = [f"element {n}" for n in range(len(buffer.shape))]
    inside = [
        apply(op, Var(name), expression(limit))
        for name, extent in zip(names, buffer.shape, strict=True)
        for op, limit in (("ge", 0), ("lt", extent))
    ]
    for a in stores:
        known = [e for e in a.index if e is not None]
        if not a.exact or len(known) < len(names):
            continue
        meets = [apply("eq", Var(n), e) for n, e in zip(names, known, strict=True)]
        if covered(names, inside, a.loops, [*meets, *a.conditions]):
            return True
    return False


def _touched(body: Body) -> frozenset[str]:
    """The arrays that a body reads or writes."""
    watched = (s.array for s in walk_stmts(body) if isinstance(s, Outside))
    return frozenset((*(e.array for e in reads(body)), *(s.array for s in writes(body)), *watched))


def _renamed(s: Stmt, names: Mapping[str, str]) -> Stmt:
    """The statement over other buffers; itself where there are none."""
    if not names:
        return s

    def expression(e: Expr) -> Expr:
        inner = rebuild(e, expression)
        if isinstance(inner, Load) and inner.array in names:
            return replace(inner, array=names[inner.array])
        return inner

    def target(x: Stmt) -> Stmt:
        inner = map_bodies(x, lambda body: tuple(target(y) for y in body))
        if isinstance(inner, Store | Outside) and inner.array in names:
            return replace(inner, array=names[inner.array])
        return inner

    return map_exprs(target(s), expression)
