"""Steps that take an array out of the loops again: `compute_root`.

What `inline` and `compute_at` put into other nests is remembered as it was (`Loops.roots`); where
it stands now is read off the loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from workbench.ir.access import accesses
from workbench.ir.deps import holds_at
from workbench.ir.expr import Expr, Load, Var, apply, children, integer, loads, rebuild, substitute
from workbench.ir.extents import expression
from workbench.ir.linear import linear, total
from workbench.ir.loops import Loops, Root
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Body,
    For,
    Store,
    bodies,
    map_bodies,
    map_exprs,
    reads,
    subscript,
    walk_stmts,
    writes,
)
from workbench.schedule.nests import copied, declared, repeated, taken, with_loads
from workbench.schedule.producers import Producer, changed, producer, refuse_change
from workbench.schedule.step import YES, Verdict, no, step


@step
@dataclass(frozen=True, slots=True)
class ComputeRoot:
    """Give an array that is computed inside other loops a nest of its own again.

    before:  for i in range(n):
                 for a in range(3): b[a] = x[i + a] * x[i + a]
                 y[i] = b[0] + b[2]
    after compute_root('b'):
             for a in range(n + 2): b[a] = x[a] * x[a]
             for i in range(n): y[i] = b[i] + b[i + 2]

    It undoes `compute_at` and `inline` also where other steps have come after them: the array is
    whole in storage, its nest stands before its first reader, and every place that computed it
    reads it.
    """

    array: str

    def check(self, loops: Loops) -> Verdict:
        """Refuses arrays that no step has moved, and what cannot be read from a whole one."""
        made = self._made(loops)
        return made if isinstance(made, Verdict) else YES

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        made = self._made(loops)
        assert isinstance(made, Loops)
        return made

    def _made(self, loops: Loops) -> Loops | Verdict:
        root = self._root(loops)
        if isinstance(root, Verdict):
            return root
        inside = self.array in loops.inner
        read = _outside(loops, root) if inside else _recognised(loops, root)
        if isinstance(read, Verdict):
            return read
        home = _home(read, loops.body, self.array)
        if home is None:
            return no(f"{self.array} is read in several repeats", root.buffer.origin)
        old, new, place = home
        rest = replace(
            loops,
            body=_with_body(loops.body, old, new) if old is not loops.body else new,
            inner=tuple(n for n in loops.inner if n != self.array),
            roots=tuple(r for r in loops.roots if r is not root),
        )
        (nest,) = copied((root.nest,), taken(rest) - {self.array}, "in a nest of its own")
        whole = (*new[:place], nest, *new[place:])
        after = replace(
            rest, body=_with_body(rest.body, new, whole), buffers=(*loops.buffers, root.buffer)
        )
        return self._sure(after, old[place:], whole[place + 1 :])

    def _root(self, loops: Loops) -> Root | Verdict:
        """The nest as it was, where all that it reads is still there."""
        found = next((r for r in reversed(loops.roots) if r.buffer.name == self.array), None)
        if found is None or loops.buffer(self.array) is not None:
            names = [r.buffer.name for r in loops.roots]
            hint = ", ".join(map(repr, names)) or "what inline and compute_at have moved"
            return no(f"no step has put {self.array} into other loops", hint=hint)
        for b in found.inputs:
            now = loops.buffer(b.name)
            if now is None:
                reason = f"{b.name}, of which {self.array} is computed, is inside a loop, too"
                return no(reason, b.origin, hint=f"compute_root({b.name!r}) first")
            if (now.shape, now.dtype) != (b.shape, b.dtype):
                reason = f"{b.name}, of which {self.array} is computed, is kept otherwise by now"
                return no(reason, b.origin, hint=f"compute_root({self.array!r}) before that")
        return found

    def _sure(self, after: Loops, before: Body, later: Body) -> Loops | Verdict:
        """The function, where every read is inside and what the nest reads is the same there."""
        found = producer(after, self.array)
        if isinstance(found, Verdict):
            return found
        clash = changed(found, before)
        if clash is not None:
            return refuse_change(found, clash)
        for a in accesses(later):
            if a.array != self.array:
                continue
            for e, size in zip(a.index, found.buffer.shape, strict=True):
                if e is None:
                    return no(f"which element of {self.array} is read only a run says", a.origin)
                ends = (apply("lt", e, integer(0)), apply("ge", e, expression(size)))
                if any(holds_at(a.loops, [*a.conditions, test]) is not None for test in ends):
                    return no(f"a read may lie outside of {self.array}", a.origin)
        return after


def _outside(loops: Loops, root: Root) -> Body | Verdict:
    """The function's body with what a loop keeps of an array read from the whole one."""
    name = root.buffer.name
    allocs = [s for s in walk_stmts(loops.body) if isinstance(s, Alloc) and s.name == name]
    if len(allocs) != 1:
        return no(f"{name} is computed in {len(allocs)} places", root.buffer.origin)
    (alloc,) = allocs
    places = {x.name for e in alloc.part for x in _variables(e)}
    given = {subscript(d).name for d in range(len(alloc.shape))}
    if alloc.dtype != root.buffer.dtype or not alloc.part or not given <= places:
        return no(f"{name} is kept otherwise by now", alloc.origin, hint="before that")
    made = _kept(loops.body, alloc)
    if made is None:
        return no(f"what computes {name} computes something else, too", alloc.origin)

    def whole(x: Load) -> Expr:
        values: dict[str, Expr] = {subscript(d).name: e for d, e in enumerate(x.index)}
        index = (substitute(e, values) for e in alloc.part)
        return replace(x, index=tuple(_short(e, x) for e in index))

    def read(body: Body) -> Body:
        return tuple(map_exprs(s, lambda e: with_loads(e, name, whole)) for s in body)

    return _with_body(loops.body, made[0], read(made[1]))


def _variables(e: Expr) -> Iterator[Var]:
    if isinstance(e, Var):
        yield e
    for x in children(e):
        yield from _variables(x)


def _short(e: Expr, x: Load) -> Expr:
    """A subscript whose terms are added up."""
    return replace(total(*linear(e)), origin=x.origin)


def _kept(body: Body, alloc: Alloc) -> tuple[Body, Body] | None:
    """The body in which an array is declared, and that without what fills it."""
    for s in body:
        for inner in bodies(s):
            found = _kept(inner, alloc)
            if found is not None:
                return found
    start = next((n for n, s in enumerate(body) if s is alloc), None)
    if start is None:
        return None
    stop = max(
        (n for n, s in enumerate(body) if any(w.array == alloc.name for w in writes((s,)))),
        default=start,
    )
    block, rest = body[start : stop + 1], (*body[:start], *body[stop + 1 :])
    own = {n for s in walk_stmts(block) if (n := declared(s)) is not None}
    changes = {s.array for s in writes(block)}
    changes |= {s.name for s in walk_stmts(block) if isinstance(s, Assign)}
    used = {x.array for x in reads(rest)} | _names(rest)
    if not changes <= own or (own - {alloc.name}) & used:
        return None
    return body, rest


def _names(body: Body) -> set[str]:
    found: set[str] = set()

    def visit(e: Expr) -> Expr:
        found.update(x.name for x in _variables(e))
        return e

    for s in body:
        map_exprs(s, visit)
    return found


def _recognised(loops: Loops, root: Root) -> Body | Verdict:
    """The function's body with every expression that an inlined array has read from it.

    It is one whose elements come from the array's line: the same words elsewhere may mean inputs
    that have changed meanwhile.
    """
    alone = replace(loops, body=(root.nest,), buffers=(*loops.buffers, root.buffer))
    found = producer(alone, root.buffer.name)
    assert isinstance(found, Producer), "the nest was moved as a producer"
    (store,) = found.element
    assert isinstance(store, Store)
    axes = [x.var for x in found.axes]
    name, dtype = root.buffer.name, root.buffer.dtype

    inputs = {id(x.origin) for x in loads(store.value)}

    def visit(e: Expr) -> Expr:
        values = _match(store.value, e, frozenset(axes), {})
        own = all(id(x.origin) in inputs for x in loads(e))
        if own and values is not None and set(values) == set(axes):
            return Load(name, tuple(values[a] for a in axes), dtype, origin=e.origin)
        return rebuild(e, visit)

    body = tuple(map_exprs(s, visit) for s in loops.body)
    if any(x.array == name for x in reads(body)):
        return body
    reason = f"no expression computes {name} as its nest did"
    return no(reason, root.buffer.origin, hint="before the steps that have changed it")


def _match(
    pattern: Expr, e: Expr, axes: frozenset[str], values: Mapping[str, Expr]
) -> Mapping[str, Expr] | None:
    """The values of the axes for which the pattern is the expression; None if there are none."""
    if isinstance(pattern, Var) and pattern.name in axes:
        known = values.get(pattern.name, e)
        return {**values, pattern.name: e} if known == e and e.dtype == pattern.dtype else None
    if type(pattern) is not type(e) or len(children(pattern)) != len(children(e)):
        return None
    for a, b in zip(children(pattern), children(e), strict=True):
        found = _match(a, b, axes, values)
        if found is None:
            return None
        values = found
    filled = iter(children(e))
    return values if rebuild(pattern, lambda _: next(filled)) == e else None


def _home(body: Body, old: Body, array: str) -> tuple[Body, Body, int] | None:
    """The body whose nests read an array, before and after, and the place of the first."""
    users = [n for n, s in enumerate(body) if any(x.array == array for x in reads((s,)))]
    only = body[users[0]]
    if isinstance(only, For) and repeated(only):
        before = old[users[0]]
        assert isinstance(before, For)
        return _home(only.body, before.body, array) if len(users) == 1 else None
    return old, body, users[0]


def _with_body(body: Body, old: Body, new: Body) -> Body:
    """The body with another in place of one, at any depth."""
    if body is old:
        return new
    out = tuple(map_bodies(s, lambda b: _with_body(b, old, new)) for s in body)
    return body if all(a is b for a, b in zip(out, body, strict=True)) else out
