"""Steps that make other loops of loops, in the same order: `tile`, `fuse`, `unroll`, `peel`.

`specialize`, which makes two versions of a loop, stands here too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce

from workbench.ir.access import breaks, leaves
from workbench.ir.expr import Expr, Var, apply, integer
from workbench.ir.intervals import Interval
from workbench.ir.loops import Loops
from workbench.ir.stmt import Body, For, If, LoopKind, Stmt, map_exprs, walk_stmts
from workbench.passes.fold import fold
from workbench.schedule.decided import decided, range_of
from workbench.schedule.loop_steps import Reorder, Split
from workbench.schedule.names import find, shown
from workbench.schedule.nests import (
    around,
    copied,
    extent,
    fresh,
    literal,
    loops_in,
    positive,
    repeated,
    replace_loop,
    taken,
    trips,
    with_values,
)
from workbench.schedule.places import placed, repeatable, unplaced
from workbench.schedule.step import YES, Step, Verdict, no, step
from workbench.schedule.tails import INNER, OUTER, iteration

FIRST, LAST = "_f", "_l"
"""What `peel` adds to the name of a loop."""

LARGEST_CODE = 4096
"""Statements that a loop may hold once it is written out."""


@step
@dataclass(frozen=True, slots=True)
class Tile:
    """Split several nested loops and put the inner halves inside all outer ones.

    before:  for i in range(n):
                 for j in range(m): s
    after tile('i', 8, 'j', 4):
             for i_o in range(ceil(n / 8)):
                 for j_o in range(ceil(m / 4)):
                     for i_i in range(8):
                         for j_i in range(4):
                             if i_o * 8 + i_i < n and ...: s[i := i_o * 8 + i_i, ...]

    Each loop is followed by its size; `tail` is that of `split`.
    """

    sizes: tuple[str | int, ...]
    tail: str = field(default="guard", kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses what one of its splits, or the reorder after them, is refused for."""
        names, sizes = self.sizes[::2], self.sizes[1::2]
        if len(names) != len(sizes) or not names or not all(isinstance(x, str) for x in names):
            return no("tile wants each loop with its size", hint="tile('i', 8, 'j', 8)")
        notes: tuple[str, ...] = ()
        for s in self._steps(loops):
            verdict = s.check(loops)
            if not verdict:
                return verdict
            notes, loops = (*notes, *verdict.notes), s.apply(loops)
        return Verdict(notes=notes)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        return reduce(lambda after, s: s.apply(after), self._steps(loops), loops)

    def _steps(self, loops: Loops) -> Iterator[Step]:
        """The splits, each for the loops after those before it, and the reorder."""
        outer: list[str] = []
        inner: list[str] = []
        for name, size in zip(self.sizes[::2], self.sizes[1::2], strict=True):
            assert isinstance(name, str), "check has seen it"
            split = Split(name, size, self.tail)  # pyright: ignore[reportArgumentType]
            yield split
            found, names = find(loops, name), taken(loops)
            assert isinstance(found, For), "split has found it"
            outer.append(fresh(names, found.var + OUTER))
            inner.append(fresh(names, found.var + INNER))
            loops = split.apply(loops)
        yield Reorder(tuple(shown(loops, var) for var in (*outer, *inner)))


@step
@dataclass(frozen=True, slots=True)
class Fuse:
    """Make one loop of loops that stand directly inside one another.

    before:  for i in range(n):
                 for j in range(8): s
    after fuse('i', 'j'):
             for i_j in range(n * 8): s[i := i_j // 8, j := i_j % 8]

    The order of the iterations stays. The inner extents are literals, so that quotient and
    remainder stay exact for later steps.
    """

    loops: tuple[str, ...]

    def check(self, loops: Loops) -> Verdict:
        """Refuses loops with something between them, and inner loops that vary."""
        if len(self.loops) < 2:
            return no("fuse wants two loops or more", hint="fuse('i', 'j')")
        found: list[For] = []
        for name in self.loops:
            loop = find(loops, name)
            if isinstance(loop, Verdict):
                return loop
            found.append(loop)
        for name, outer, inner in zip(self.loops, found, found[1:], strict=False):
            if outer.body != (inner,):
                reason = f"'{shown(loops, inner.var)}' does not stand alone in '{name}'"
                return no(reason, outer.origin, inner.origin, hint=_inside(loops, outer))
        verdicts = (_unfused(loops, x, outermost=x is found[0]) for x in found)
        return next((v for v in verdicts if not v), YES)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        outer, *others = (find(loops, name) for name in self.loops)
        assert isinstance(outer, For)
        for inner in others:
            assert isinstance(inner, For)
            name = fresh(taken(loops), f"{outer.var}_{inner.var}")
            fused = _fused(loops, outer, inner, name)
            loops, outer = replace_loop(loops, outer.var, lambda _, f=fused: (f,)), fused
        return loops


@step
@dataclass(frozen=True, slots=True)
class Unroll:
    """Write a loop out: each iteration has statements of its own.

    before:  for k in range(3): s
    after:   s[k := 0]; s[k := 1]; s[k := 2]

    The loops text keeps the loop, marked as unrolled, so that later steps find it; the stage
    `unrolled` has it written out. With a factor the loop is split and the inner one, `k_i`, is
    written out; `tail` is that of `split`. Private arrays whose every index is a literal then
    become values in registers (stage `registers`).
    """

    loop: str
    factor: int | None = None
    tail: str = field(default="guard", kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses loops that end where a run says, or by a break, and too much code."""
        found = find(loops, self.loop)
        if isinstance(found, Verdict):
            return found
        if self.factor is not None:
            verdict = Split(self.loop, self.factor, self.tail).check(loops)
            if not verdict:
                return verdict
        questions = (
            unplaced(loops, found, hint="unroll before parallelize and vectorize"),
            repeatable(loops, found),
            self._endless(loops, found),
        )
        return next((v for v in questions if not v), YES)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = find(loops, self.loop)
        assert isinstance(found, For)
        var = found.var
        if self.factor is not None:
            var = fresh(taken(loops), var + INNER)
            loops = Split(self.loop, self.factor, self.tail).apply(loops)
        return replace_loop(loops, var, lambda s: (replace(s, kind=LoopKind.UNROLLED),))

    def _endless(self, loops: Loops, found: For) -> Verdict:
        count = extent(found) if self.factor is None else self.factor
        if count is None:
            hint = f"unroll({self.loop!r}, 4)"
            return no(f"the bounds of '{self.loop}' are not literals", found.origin, hint=hint)
        if leaves(found.body):
            return no(f"a break or continue belongs to '{self.loop}'", found.origin)
        if found.kind is LoopKind.WORKER:
            return no(f"'{self.loop}' is shared out to workers", found.origin)
        statements = count * _written(found.body) * _copies(loops, found)
        if statements > LARGEST_CODE:
            reason = f"it would be {statements} statements; {LARGEST_CODE} are the most"
            fits = max(1, count * LARGEST_CODE // statements)
            return no(reason, found.origin, hint=f"unroll({self.loop!r}, {fits})")
        return YES


@step
@dataclass(frozen=True, slots=True)
class Peel:
    """Give the first and the last iterations of a loop loops of their own.

    before:  for i in range(n): y[i] = x[i - 1] if i > 0 else 0.0
    after peel('i', first=1):
             for i_f in range(0, 1): y[i_f] = 0.0
             for i in range(1, n): y[i] = x[i - 1]

    What the new ranges decide is decided: conditions that always hold are gone. The loop over
    the last iterations is `i_l`.
    """

    loop: str
    first: int = field(default=0, kw_only=True)
    last: int = field(default=0, kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses loops without a literal extent, and more iterations than there are."""
        found = find(loops, self.loop)
        if isinstance(found, Verdict):
            return found
        wrong = next((n for n in (self.first, self.last) if not (positive(n) or n == 0)), None)
        if wrong is not None or not (self.first or self.last):
            reason = f"first and last say how many: {self.first!r} and {self.last!r} do not"
            return no(reason, found.origin, hint=f"peel({self.loop!r}, first=1)")
        if breaks(found.body):
            return no(f"a break ends '{self.loop}', it would end one part only", found.origin)
        placed = unplaced(loops, found, hint="peel before parallelize and vectorize")
        questions = (placed, repeatable(loops, found), self._short(found))
        return next((v for v in questions if not v), YES)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = find(loops, self.loop)
        assert isinstance(found, For)
        count = extent(found)
        assert count is not None, "peel knows how often the loop runs"
        names = taken(loops)
        ranges = _ranges(loops, found.var)
        parts = [self._part(found, FIRST, 0, self.first, names)] if self.first else []
        parts.append(_between(found, self.first, count - self.last))
        if self.last:
            parts.append(self._part(found, LAST, count - self.last, count, names))
        return replace_loop(loops, found.var, lambda _: decided(tuple(parts), ranges))

    def _short(self, found: For) -> Verdict:
        count = extent(found)
        if count is None:
            return no(f"the bounds of '{self.loop}' are not literals", found.origin)
        if self.first + self.last >= count:
            reason = f"'{self.loop}' has {count} iterations, none would be left"
            return no(reason, found.origin, hint=f"unroll({self.loop!r})")
        return YES

    def _part(self, loop: For, end: str, first: int, stop: int, names: set[str]) -> For:
        var, note = fresh(names, loop.var + end), "peeled"
        value = Var(var, origin=loop.origin)
        body = copied(with_values(loop.body, {loop.var: value}), names, note)
        return replace(
            _between(loop, first, stop), var=var, body=body, origin=loop.origin.derive(note)
        )


@step
@dataclass(frozen=True, slots=True)
class Specialize:
    """A version of a loop for one value of an open dim or whole-number scalar.

    before:  for k in range(K): s
    after specialize('k', 'K', 64):
             if K == 64:
                 for k in range(64): s[K := 64]
             else:
                 for k_1 in range(K): s

    Later steps change the special version; the name of the other one has a number.
    """

    loop: str
    name: str
    value: int

    def check(self, loops: Loops) -> Verdict:
        """Refuses names that are no scalar of this function, and outermost loops."""
        found = find(loops, self.loop)
        if isinstance(found, Verdict):
            return found
        scalars = [s.name for s in loops.scalars if s.dtype.kind in "iu"]
        if self.name not in scalars:
            reason = f"'{self.name}' is no open dim and no whole-number scalar of these loops"
            return no(reason, found.origin, hint=", ".join(map(repr, scalars)))
        if isinstance(self.value, bool) or self.value < 0:
            return no(f"the value is {self.value!r}, below 0", found.origin)
        around_it = [s for s in around(loops.body, found.var)[:-1] if not repeated(s)]
        if not any(isinstance(s, For) for s in around_it):
            reason = f"'{self.loop}' is outermost, and a program runs every nest"
            return no(reason, found.origin, hint=_inside(loops, found))
        if leaves(found.body) or placed(found):
            reason = f"'{self.loop}' is left by a break or placed on the device"
            return no(reason, found.origin, hint="specialize first")
        return repeatable(loops, found)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = find(loops, self.loop)
        assert isinstance(found, For)
        dtype = next(s.dtype for s in loops.scalars if s.name == self.name)
        origin = found.origin.derive(f"for {self.name} = {self.value}")
        number = replace(integer(self.value, origin), dtype=dtype)
        cond = apply("eq", Var(self.name, dtype, origin=origin), number, origin=origin)
        (special,) = with_values((found,), {self.name: number})
        other = copied((found,), taken(loops), "for other values")
        versions = If(cond, (map_exprs(special, fold),), other, origin=origin)
        return replace_loop(loops, found.var, lambda _: (versions,))


def _inside(loops: Loops, loop: For) -> str:
    names = [shown(loops, x.var) for x in loops_in(loop.body)]
    return ", ".join(map(repr, names))


def _unfused(loops: Loops, loop: For, *, outermost: bool) -> Verdict:
    """Refusals of one loop of a fused nest."""
    name = shown(loops, loop.var)
    if not outermost and extent(loop) is None:
        return no(f"the bounds of '{name}' are not literals", loop.origin)
    if trips(loops, loop) is None:
        return no(f"the bounds of '{name}' are not literals", loop.origin)
    if loop.kind not in {LoopKind.SERIAL, LoopKind.PARALLEL}:
        return no(f"'{name}' is already {loop.kind.value}", loop.origin, hint="fuse first")
    if breaks(loop.body):
        return no(f"a break ends '{name}', it would end the fused loop", loop.origin)
    return YES


def _fused(loops: Loops, outer: For, inner: For, name: str) -> For:
    count, size = trips(loops, outer), extent(inner)
    assert count is not None, "check has seen it"
    assert size is not None, "check has seen it"
    origin = outer.origin.derive(f"fused with {inner.var}")
    number, length = Var(name, origin=origin), integer(max(1, size), origin)
    values = {
        outer.var: iteration(outer, apply("floordiv", number, length, origin=origin), origin),
        inner.var: iteration(inner, apply("mod", number, length, origin=origin), origin),
    }
    whole = literal(count)
    stop: Expr = integer(whole * size) if whole is not None else apply("mul", count, integer(size))
    both = outer.kind is LoopKind.PARALLEL and inner.kind is LoopKind.PARALLEL
    kind = LoopKind.PARALLEL if both else LoopKind.SERIAL
    return For(name, integer(0), stop, with_values(inner.body, values), kind, origin=origin)


def _between(loop: For, first: int, stop: int) -> For:
    """The iterations of a loop with literal bounds from the number `first` to `stop`."""
    start = literal(loop.start)
    assert start is not None, "the bounds are literals"
    ends = (start + first * loop.step, start + stop * loop.step)
    return replace(loop, start=integer(ends[0]), stop=integer(ends[1]))


def _ranges(loops: Loops, var: str) -> dict[str, Interval]:
    """What the variables of the loops around a loop take."""
    ranges: dict[str, Interval] = {}
    for s in around(loops.body, var)[:-1]:
        if isinstance(s, For):
            ranges[s.var] = range_of(s, ranges)
    return ranges


def _written(body: Body) -> int:
    """Statements of a body once its unrolled loops are written out."""
    return sum(_statements(s) for s in body)


def _statements(s: Stmt) -> int:
    if isinstance(s, For):
        count = extent(s) if s.kind is LoopKind.UNROLLED else 1
        return (count or 1) * _written(s.body)
    return sum(1 for _ in walk_stmts((s,)))


def _copies(loops: Loops, found: For) -> int:
    """How often the loop stands once the unrolled loops around it are written out."""
    unrolled = (
        extent(s) or 1
        for s in around(loops.body, found.var)[:-1]
        if isinstance(s, For) and s.kind is LoopKind.UNROLLED
    )
    return math.prod(unrolled)
