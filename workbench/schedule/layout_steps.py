"""Steps that say how an array lies in storage: `transform_layout`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from workbench.base.panels import Panels
from workbench.ir.expr import Expr, Load, Select, Var, apply, integer
from workbench.ir.intervals import Interval, interval
from workbench.ir.linear import linear, total
from workbench.ir.loops import Buffer, Loops
from workbench.ir.ops import zero
from workbench.ir.stmt import (
    Body,
    For,
    LoopKind,
    Outside,
    Stmt,
    Store,
    map_bodies,
    map_exprs,
    reads,
    walk_stmts,
)
from workbench.schedule.decided import range_of
from workbench.schedule.nests import derived, fresh, loops_in, positive, taken, with_loads
from workbench.schedule.step import YES, Verdict, no, step

Ranges = Mapping[str, Interval]


@step
@dataclass(frozen=True, slots=True)
class TransformLayout:
    """Lay an array out in panels: one dimension is cut, and its inner part becomes the last.

    before:  for k in range(m): C[i, j] += A[i, k] * B[k, j]
    after transform_layout('B', 1, 32):
             for pack_o in range(ceil(n / 32)):
                 for pack_0 in range(m):
                     for pack_i in range(32): B_packed[pack_o, pack_0, pack_i] = B[pack_0, ...]
             for k in range(m): C[i, j] += A[i, k] * B_packed[j // 32, k, j % 32]

    An input is copied, once, by a nest of its own, with 0 where the last panel has no elements;
    `given` in such panels already, by the call before, it is not.
    An array between equations is computed into its panels right away, and so is a result, which
    stays in them on its device until somebody wants it in C order. Both need whole panels.
    Behind the tiles of a split, quotients and remainders are the loops themselves: `j_o`, `j_i`.
    """

    array: str
    dim: int
    size: int
    given: bool = field(default=False, kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses dimensions that are not there, panels in part, and accesses that are checked."""
        buffer = loops.buffer(self.array)
        if buffer is None:
            hint = ", ".join(repr(b.name) for b in loops.buffers)
            return no(f"no array '{self.array}' in storage", hint=hint)
        rank = len(buffer.shape)
        if isinstance(self.dim, bool) or not 0 <= self.dim < rank:
            reason = f"{self.array} has no dimension {self.dim!r}, it has {rank}"
            return no(reason, buffer.origin, hint=f"transform_layout({self.array!r}, 0, 16)")
        if not positive(self.size):
            return no(f"the size is {self.size!r}, not a positive int", buffer.origin)
        if not all(isinstance(x, int) for x in buffer.shape):
            reason = f"the extents of {self.array} are not literals"
            return no(reason, buffer.origin, hint="a dim that is not left open")
        if buffer.role != "output" and all(x.array != self.array for x in reads(loops.body)):
            return no(f"nothing reads {self.array}", buffer.origin)
        refused = self._with_the_caller(loops, buffer)
        if not refused:
            return refused
        checked = next((s for s in walk_stmts(loops.body) if _checks(s, self.array)), None)
        if not self._copies(buffer) and checked is not None:
            return no(f"an access of {self.array} is checked when it runs", checked.origin)
        return YES

    def _copies(self, buffer: Buffer) -> bool:
        return buffer.role == "input" and not self.given

    def _with_the_caller(self, loops: Loops, buffer: Buffer) -> Verdict:
        """Whether an array can cross the border of the function in panels."""
        if self.given and buffer.role != "input":
            return no(f"{self.array} is no input, so nobody gives it", buffer.origin)
        if self._copies(buffer) or buffer.role == "temporary":
            return YES
        if buffer.panels is not None:
            return no(f"{self.array} is in {buffer.panels.words} already", buffer.origin)
        if loops.outputs.count(self.array) != (buffer.role == "output"):
            reason = f"{self.array} is returned as a copy, in C order"
            return no(reason, buffer.origin, hint="another array, or each result once")
        if (extent := buffer.sizes[self.dim]) % self.size or not extent:
            reason = f"{self.size} does not divide the extent {extent} of {self.array}"
            return no(reason, buffer.origin, hint="whole panels, or an array in between")
        return YES

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        buffer = loops.buffer(self.array)
        assert buffer is not None, "check has found it"
        names = taken(loops)
        copies = self._copies(buffer)
        name = fresh(names, f"{self.array}_packed") if copies else self.array
        crosses = not copies and buffer.role != "temporary"
        panels = replace(
            buffer,
            name=name,
            role="temporary" if copies else buffer.role,
            panels=Panels(self.dim, self.size) if crosses else None,
            shape=_cut(buffer.sizes, self.dim, self.size),
            origin=buffer.origin.derive(f"in panels of {self.size}"),
        )
        ranges = _ranges(loops.body)
        body = tuple(self._turned(s, name, ranges) for s in loops.body)
        if copies:
            body = (self._packed(buffer, panels, names), *body)
            return replace(loops, body=body, buffers=(*loops.buffers, panels))
        buffers = tuple(panels if b is buffer else b for b in loops.buffers)
        return replace(loops, body=body, buffers=buffers)

    def _turned(self, s: Stmt, name: str, ranges: Ranges) -> Stmt:
        """The statement with each access of the array turned to its panels."""

        def index(old: tuple[Expr, ...]) -> tuple[Expr, ...]:
            e = old[self.dim]
            panel, place = _divided(e, self.size, ranges)
            rest = (*old[: self.dim], *old[self.dim + 1 :])
            return (derived(panel, e.origin), *rest, derived(place, e.origin))

        def stores(s: Stmt) -> Stmt:
            inner = map_bodies(s, lambda b: tuple(stores(x) for x in b))
            if isinstance(inner, Store) and inner.array == self.array:
                return replace(inner, array=name, index=index(inner.index))
            return inner

        def turned(x: Load) -> Expr:
            return replace(x, array=name, index=index(x.index))

        return stores(map_exprs(s, lambda e: with_loads(e, self.array, turned)))

    def _packed(self, buffer: Buffer, panels: Buffer, names: set[str]) -> Stmt:
        """The nest that copies an input into its panels."""
        origin = panels.origin
        rest = [d for d in range(len(buffer.shape)) if d != self.dim]
        wishes = ["pack_o", *(f"pack_{d}" for d in rest), "pack_i"]
        variables = [Var(fresh(names, wish), origin=origin) for wish in wishes]
        tiles = apply("mul", variables[0], integer(self.size, origin), origin=origin)
        place = apply("add", tiles, variables[-1], origin=origin)
        index: list[Expr] = list(variables[1:-1])
        index.insert(self.dim, place)
        value: Expr = Load(buffer.name, tuple(index), buffer.dtype, origin=origin)
        extent = buffer.sizes[self.dim]
        if extent % self.size:
            fits = apply("lt", place, integer(extent, origin), origin=origin)
            empty = replace(zero(buffer.dtype), origin=origin)
            value = Select(fits, value, empty, origin=origin)
        body: Body = (Store(panels.name, tuple(variables), value, origin=origin, place=origin),)
        for v, size in zip(reversed(variables), reversed(panels.sizes), strict=True):
            kind = LoopKind.PARALLEL
            body = (For(v.name, integer(0), integer(size), body, kind, origin=origin),)
        return body[0]


def _checks(s: Stmt, array: str) -> bool:
    return isinstance(s, Outside) and s.array == array


def _cut(shape: tuple[int, ...], dim: int, size: int) -> tuple[int, ...]:
    """The shape with a dimension cut: the panels first, the place in one last."""
    return (-(-shape[dim] // size), *shape[:dim], *shape[dim + 1 :], size)


def _ranges(body: Body) -> Ranges:
    """The least and the greatest value of every loop variable of a function."""
    ranges: dict[str, Interval] = {}
    for loop in loops_in(body):
        ranges[loop.var] = range_of(loop, ranges)
    return ranges


def _divided(e: Expr, by: int, ranges: Ranges) -> tuple[Expr, Expr]:
    """Quotient and remainder by a positive literal, as sums of the terms of `e` where these are."""
    terms, constant = linear(e)
    whole = {t: n // by for t, n in terms.items() if n % by == 0}
    rest = total({t: n for t, n in terms.items() if n % by}, constant % by)
    low, high = interval(rest, ranges)
    if low >= 0 and high < by:
        return total(whole, constant // by), rest
    number = integer(by)
    return apply("floordiv", e, number), apply("mod", e, number)
