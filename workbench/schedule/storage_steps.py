"""Steps that say with what an array is kept: `set_dtype`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.base.dtypes import DTYPES, DType
from workbench.base.source import Origin
from workbench.ir.expr import Cast, Expr, Load, free_names, loads
from workbench.ir.loops import Loops
from workbench.ir.stmt import (
    Alloc,
    Body,
    Stmt,
    Store,
    bodies,
    expressions,
    map_bodies,
    map_exprs,
    walk_stmts,
    writes,
)
from workbench.schedule.names import shown
from workbench.schedule.nests import loops_in, with_loads
from workbench.schedule.step import YES, Verdict, no, step

FLOATS = tuple(t.name for t in DTYPES.values() if t.kind == "f")


@step
@dataclass(frozen=True, slots=True)
class SetDtype:
    """Keep the elements of an array as another float; what is computed of them stays as it is.

    before:  h: f32[n]
             for i in range(n): h[i] = x[i] * 2.0
             for j in range(n): y[j] = h[j] + 1.0
    after set_dtype('h', 'f16'):
             h: f16[n]
             for i in range(n): h[i] = f16(x[i] * 2.0)
             for j in range(n): y[j] = f32(h[j]) + 1.0

    For arrays between equations, packed copies of inputs, and what `cache` and `compute_at` keep.
    A sum is not kept short while it grows: `cache` it first, then only its result is rounded.
    f16 ends at 65504, beyond which it is infinite; a device has to have it.
    """

    array: str
    dtype: str

    def check(self, loops: Loops) -> Verdict:
        """Refuses results, inputs and sums that grow; what becomes shorter is noted."""
        found = kept(loops, self.array)
        if isinstance(found, Verdict):
            return found
        old, origin = found
        if self.dtype not in FLOATS or old.kind != "f":
            reason = f"{self.array} is {old}, which does not become {self.dtype!r}"
            return no(reason, origin, hint=", ".join(map(repr, FLOATS)))
        new = DTYPES[self.dtype]
        if new == old:
            return no(f"{self.array} is {old} already", origin)
        grows = self._grows(loops, loops.body)
        if not grows:
            return grows
        rounds = f"rounds the elements of {self.array} to {new}"
        return Verdict(notes=(rounds,) if new.bits < old.bits else ())

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = kept(loops, self.array)
        assert not isinstance(found, Verdict)
        old, new = found[0], DTYPES[self.dtype]
        buffers = tuple(replace(b, dtype=new) if b.name == self.array else b for b in loops.buffers)
        return replace(loops, body=tuple(self._kept(s, old, new) for s in loops.body),
                       buffers=buffers)  # fmt: skip

    def _kept(self, s: Stmt, old: DType, new: DType) -> Stmt:
        """The statement with the array's elements in the new dtype."""

        def widened(x: Load) -> Expr:
            return Cast(old, replace(x, dtype=new), origin=x.origin)

        def declared(s: Stmt) -> Stmt:
            match map_bodies(s, lambda b: tuple(declared(x) for x in b)):
                case Store(array) as store if array == self.array:
                    value = store.value
                    return replace(store, value=Cast(new, value, origin=value.origin))
                case Alloc(name) as alloc if name == self.array:
                    return replace(alloc, dtype=new)
                case other:
                    return other

        return declared(map_exprs(s, lambda e: with_loads(e, self.array, widened)))

    def _grows(self, loops: Loops, body: Body) -> Verdict:
        """Refuses elements that are rounded again and again while they are made."""
        for s in body:
            update = s if isinstance(s, Store) and s.array == self.array else None
            if update and (update.reduce or self._read_in(body)):
                reason = f"{self.array} grows in its loops; as {self.dtype} it is rounded each time"
                return no(reason, update.origin, hint=self._private(loops))
            for inner in bodies(s):
                verdict = self._grows(loops, inner)
                if not verdict:
                    return verdict
        return YES

    def _read_in(self, body: Body) -> bool:
        """Whether an element is read by a statement that stands beside those that write it."""
        direct = (e for s in body for e in expressions(s))
        return any(x.array == self.array for e in direct for x in loads(e))

    def _private(self, loops: Loops) -> str:
        """A call that keeps the sum elsewhere while it grows."""
        all_of_them = [s for s in writes(loops.body) if s.array == self.array]
        names = frozenset[str]().union(*(free_names(e) for s in all_of_them for e in s.index))
        around_it = [
            x for x in loops_in(loops.body)
            if x.var in names
            and sum(s.array == self.array for s in writes(x.body)) == len(all_of_them)
        ]  # fmt: skip
        if not around_it or loops.buffer(self.array) is None:
            return ""
        return f"cache({self.array!r}, 'private', at={shown(loops, around_it[-1].var)!r}) first"


def kept(loops: Loops, array: str) -> tuple[DType, Origin] | Verdict:
    """The dtype of an array that is neither input nor result, and where it comes from."""
    names = [*_between(loops), *(s.name for s in walk_stmts(loops.body) if isinstance(s, Alloc))]
    hint = ", ".join(map(repr, names)) or "a kernel of several equations"
    buffer = loops.buffer(array)
    if buffer is not None:
        if array in _between(loops):
            return buffer.dtype, buffer.origin
        if buffer.role == "input":
            hint = f"transform_layout({array!r}, 0, 16) makes {array}_packed"
        reason = f"{array} is an {'input' if buffer.role == 'input' else 'output'}"
        return no(f"{reason}, whose dtype the caller knows", buffer.origin, hint=hint)
    found = next(
        (s for s in walk_stmts(loops.body) if isinstance(s, Alloc) and s.name == array), None
    )
    return no(f"no array '{array}'", hint=hint) if found is None else (found.dtype, found.origin)


def _between(loops: Loops) -> tuple[str, ...]:
    """The arrays in storage that are neither input nor result."""
    named = (b.name for b in loops.buffers if b.role == "temporary")
    return tuple(n for n in named if n not in loops.outputs)
