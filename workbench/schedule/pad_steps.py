"""Steps that make arrays longer than what is computed of them: `pad`.

What stands in the added elements is chosen so that sums over the array may run over them, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workbench.ir.expr import (
    Apply,
    Cast,
    Const,
    Expr,
    Load,
    Select,
    Var,
    apply,
    free_names,
    integer,
    loads,
    rebuild,
)
from workbench.ir.loops import Buffer, Loops
from workbench.ir.ops import OPS, zero
from workbench.ir.stmt import (
    Body,
    For,
    If,
    LoopKind,
    Stmt,
    Store,
    map_bodies,
    map_exprs,
    reads,
    walk_stmts,
)
from workbench.schedule.nests import (
    derived,
    fresh,
    literal,
    loops_in,
    positive,
    replaced,
    taken,
    with_loads,
)
from workbench.schedule.producers import Producer, producer
from workbench.schedule.reductions import TURNS, Reduction, reduction_over
from workbench.schedule.states import Fold
from workbench.schedule.step import YES, Verdict, no, step

Longer = Mapping[tuple[str, int], tuple[int, Const]]
"""For dimensions of arrays: from which index on all elements are one constant, and which."""


@step
@dataclass(frozen=True, slots=True)
class Pad:
    """Make a dimension of an array longer, up to a multiple, by elements that change nothing.

    before:  for i in range(10): h[i] = x[i] * x[i]
             for k in range(10): y[0] += h[k]
    after pad('h', 0, 8):
             for i in range(16): h[i] = x[i] * x[i] if i < 10 else 0.0
             for k in range(16): y[0] += h[k]

    A split by 8 of either loop then leaves no tail. The added elements are what a sum, product,
    max or min over the array takes in unchanged, and its loop runs over them; other loops that
    read the array end where they ended. An input is copied once, into `x_padded`. Two padded
    factors make a padded product: sums over products run longer once both are.
    """

    array: str
    dim: int
    multiple: int

    def check(self, loops: Loops) -> Verdict:
        """Refuses results, and arrays that are not computed element by element."""
        buffer = loops.buffer(self.array)
        if buffer is None:
            hint = ", ".join(repr(b.name) for b in loops.buffers)
            return no(f"no array '{self.array}' in storage", hint=hint)
        if buffer.role == "output" or (buffer.role != "input" and self.array in loops.outputs):
            reason = f"{self.array} is a result, which has the shape that the caller knows"
            return no(reason, buffer.origin, hint="an input, or an array between equations")
        rank = len(buffer.shape)
        if isinstance(self.dim, bool) or not 0 <= self.dim < rank:
            reason = f"{self.array} has no dimension {self.dim!r}, it has {rank}"
            return no(reason, buffer.origin, hint=f"pad({self.array!r}, 0, 16)")
        if not positive(self.multiple):
            return no(f"the multiple is {self.multiple!r}, not a positive int", buffer.origin)
        if not all(isinstance(x, int) for x in buffer.shape):
            reason = f"the extents of {self.array} are not literals"
            return no(reason, buffer.origin, hint="a dim that is not left open")
        extent = buffer.sizes[self.dim]
        if extent % self.multiple == 0:
            reason = f"dimension {self.dim} of {self.array} is {extent}: it needs no padding"
            return no(reason, buffer.origin)
        if not any(x.array == self.array for x in reads(loops.body)):
            return no(f"nothing reads {self.array}", buffer.origin)
        found = producer(loops, self.array) if buffer.role != "input" else None
        return found if isinstance(found, Verdict) else YES

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        buffer = loops.buffer(self.array)
        assert buffer is not None, "check has found it"
        extent = buffer.sizes[self.dim]
        length = -(-extent // self.multiple) * self.multiple
        shape = (*buffer.shape[: self.dim], length, *buffer.shape[self.dim + 1 :])
        longer = replace(buffer, shape=shape, origin=buffer.origin.derive(f"padded to {length}"))
        if buffer.role == "input":
            name = fresh(taken(loops), f"{self.array}_padded")
            longer = replace(longer, name=name, role="temporary", panels=None)
            body = tuple(_reading(s, self.array, name) for s in loops.body)
            loops = replace(loops, body=body, buffers=(*loops.buffers, longer))
        fill, over = self._filled(loops, longer, extent)
        loops = _run_on(loops, over, length)
        if buffer.role == "input":
            nest = _copy(loops, buffer, longer, self.dim, fill)
            return replace(loops, body=(nest, *loops.body))
        found = producer(loops, self.array)
        assert isinstance(found, Producer), "longer sums leave the nest of the array alone"
        old = found.body[found.place]
        body = replaced(loops.body, old, (_padded(found, self.dim, longer, fill),))
        buffers = tuple(longer if b is buffer else b for b in loops.buffers)
        return replace(loops, body=body, buffers=buffers)

    def _filled(self, loops: Loops, longer: Buffer, extent: int) -> tuple[Const, list[For]]:
        """The constant that most sums over the array take in unchanged, and their loops."""
        sums = list(_sums(loops, longer.name, self.dim, extent))
        known = {key: x for key, x in _longer(loops) if key[0] != longer.name}
        first = zero(longer.dtype)
        wishes = [
            first,
            *(r.state.cells[0].unit for r in sums if r.state.term.dtype == first.dtype),
        ]
        length = longer.sizes[self.dim]
        sizes = {b.name: b.sizes for b in loops.buffers if all(isinstance(x, int) for x in b.shape)}
        enough = {(n, d): first <= extent and sizes[n][d] >= length
                  for (n, d), (first, _) in known.items() if n in sizes}  # fmt: skip
        enough[longer.name, self.dim] = True
        ranked: list[tuple[int, Const, list[For]]] = []
        for fill in dict.fromkeys(wishes):
            there: Longer = {**known, (longer.name, self.dim): (extent, fill)}
            over = [r.loop for r in sums if _neutral(r, there, enough)]
            ranked.append((len(over), fill, over))
        _, fill, over = max(ranked, key=lambda x: x[0])
        return fill, over


def _sums(loops: Loops, array: str, dim: int, extent: int) -> Iterator[Reduction]:
    """The reductions with a loop that goes once along a dimension of an array."""
    for x in loops_in(loops.body):
        whole = literal(x.start) == 0 and literal(x.stop) == extent and x.step == 1
        if not whole or x.kind not in TURNS:
            continue
        found = reduction_over(loops, x, x.var)
        if isinstance(found, Verdict) or not isinstance(found.state, Fold):
            continue
        mine = [e for e in loads(found.state.term) if e.array == array]
        if any(e.index[dim] == Var(x.var) for e in mine):
            yield found


def _neutral(r: Reduction, there: Longer, enough: Mapping[tuple[str, int], bool]) -> bool:
    """Whether a reduction takes in unchanged what its term is past the end of arrays."""
    inside = [s for s in walk_stmts(r.loop.body) if isinstance(s, If | For)]
    bounds = (e for s in inside if isinstance(s, For) for e in (s.start, s.stop))
    if any(isinstance(s, If) for s in inside) or any(r.loop.var in free_names(e) for e in bounds):
        return False
    term = _value(_past(r.state.term, r.loop.var, there, enough))
    (cell,) = r.state.cells
    assert isinstance(r.state, Fold)
    if term is None or r.state.op != "add" or cell.dtype.kind != "f":
        return term == cell.unit
    return term.value == 0 and (r.plain or np.signbit(term.value))


def _past(e: Expr, var: str, there: Longer, enough: Mapping[tuple[str, int], bool]) -> Expr:
    """The expression where a variable is past the end: what arrays hold there is put in."""

    def visit(e: Expr) -> Expr:
        if not isinstance(e, Load):
            return rebuild(e, visit)
        along = [d for d, x in enumerate(e.index) if var in free_names(x)]
        match along:
            case [d] if e.index[d] == Var(var) and enough.get((e.array, d)):
                return there[e.array, d][1]
            case _:
                return e

    return visit(e)


def _value(e: Expr) -> Const | None:
    """The value of an expression of literals; None for others, and for what a target rounds."""
    match e:
        case Const():
            return e
        case Cast(dtype, arg):
            inner = _value(arg)
            return None if inner is None else Const(_as(inner.value, dtype.numpy), dtype)
        case Apply(op, args, dtype) if not OPS[op].ulp and not OPS[op].define:
            known = [_value(x) for x in args]
            parts = [np.asarray(x.value, x.dtype.numpy) for x in known if x is not None]
            if len(parts) < len(args):
                return None
            with np.errstate(all="ignore"):
                return Const(_as(OPS[op].numpy(*parts), dtype.numpy), dtype)
        case _:
            return None


def _as(value: object, dtype: np.dtype[np.generic]) -> bool | int | float:
    return np.asarray(value).astype(dtype).item()


def _longer(loops: Loops) -> Iterator[tuple[tuple[str, int], tuple[int, Const]]]:
    """The dimensions past whose ends arrays hold a constant, read off the nests that fill them."""
    for b in loops.buffers:
        found = producer(loops, b.name) if b.role == "temporary" else None
        if not isinstance(found, Producer):
            continue
        match found.element:
            case (Store(value=Select(cond, _, Const() as fill)),):
                pass
            case (If(cond, _, (Store(value=Const() as fill),)),):
                pass
            case _:
                continue
        match cond:
            case Apply("lt", (Var(name), Const(first))):
                dims = [d for d, x in enumerate(found.axes) if x.var == name]
                yield from (((b.name, d), (int(first), fill)) for d in dims)
            case _:
                pass


def _run_on(loops: Loops, over: Sequence[For], length: int) -> Loops:
    """The function with loops that run on to a longer end."""

    def visit(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda b: tuple(visit(x) for x in b))
        if isinstance(inner, For) and any(s is x for x in over):
            return replace(inner, stop=integer(length, inner.stop.origin))
        return inner

    return replace(loops, body=tuple(visit(s) for s in loops.body)) if over else loops


def _padded(p: Producer, dim: int, longer: Buffer, fill: Const) -> Stmt:
    """The nest of an array that also gives the added elements."""
    axis, origin = p.axes[dim], longer.origin
    cond = apply("lt", Var(axis.var), axis.stop)
    cond = derived(cond, origin)
    match p.element:
        case (Store(reduce=None) as store,):
            chosen = Select(cond, store.value, replace(fill, origin=origin), origin=origin)
            body: Body = (replace(store, value=chosen),)
        case element:
            index = tuple(Var(x.var, origin=origin) for x in p.axes)
            rest = Store(longer.name, index, replace(fill, origin=origin), origin=origin,
                         place=origin)  # fmt: skip
            body = (If(cond, element, (rest,), origin=origin),)
    size = longer.shape[dim]
    assert isinstance(size, int), "check has seen literal extents"
    for x in reversed(p.order):
        stop = integer(size, x.stop.origin) if x is axis else x.stop
        body = (replace(x, stop=stop, body=body),)
    return body[0]


def _copy(loops: Loops, buffer: Buffer, longer: Buffer, dim: int, fill: Const) -> Stmt:
    """The nest that copies an input into its longer array."""
    names, origin = taken(loops), longer.origin
    index = tuple(Var(fresh(names, f"pad_{d}"), origin=origin) for d in range(len(buffer.shape)))
    end = integer(buffer.sizes[dim], origin)
    cond = apply("lt", index[dim], end, origin=origin)
    load = Load(buffer.name, index, buffer.dtype, origin=origin)
    value = Select(cond, load, replace(fill, origin=origin), origin=origin)
    body: Body = (Store(longer.name, index, value, origin=origin, place=origin),)
    for v, size in zip(reversed(index), reversed(longer.sizes), strict=True):
        body = (For(v.name, integer(0), integer(size), body, LoopKind.PARALLEL, origin=origin),)
    return body[0]


def _reading(s: Stmt, array: str, name: str) -> Stmt:
    """The statement with each read of an array turned to another."""
    return map_exprs(s, lambda e: with_loads(e, array, lambda x: replace(x, array=name)))
