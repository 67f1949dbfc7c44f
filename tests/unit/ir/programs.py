"""Programs of the interpreters' tests, built by hand: no parser, no pass, no schedule."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from workbench.base.dtypes import F32, I32, DType
from workbench.base.source import Origin, Source, Span
from workbench.ir.device import DeviceKernel, Mapped
from workbench.ir.expr import Apply, Const, Expr, Load, Range, Reduce, Var, apply, integer, rebuild
from workbench.ir.graph import Array, Axis, Equation, Graph
from workbench.ir.loops import Buffer, Loops, Role
from workbench.ir.stmt import (
    Alloc,
    Barrier,
    Body,
    For,
    Local,
    LoopKind,
    Memory,
    Stmt,
    Store,
    map_bodies,
    map_exprs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = Source("C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))")


def at(text: str) -> Origin:
    """The origin of a piece of `SOURCE`."""
    start = SOURCE.text.index(text)
    return Origin(Span(SOURCE, start, start + len(text)))


def var(name: str) -> Var:
    return Var(name)


def add(a: Expr, b: Expr) -> Expr:
    return apply("add", a, b)


def mul(a: Expr, b: Expr) -> Expr:
    return apply("mul", a, b)


def f32(value: float) -> Const:
    return Const(value, F32)


def load(array: str, *index: Expr, dtype: DType = F32) -> Load:
    return Load(array, index, dtype)


def array(name: str, *shape: int, dtype: DType = F32) -> Array:
    return Array(name, dtype, tuple(integer(n) for n in shape))


def axes(**extents: int) -> tuple[Axis, ...]:
    return tuple(Axis(name, integer(n)) for name, n in extents.items())


def span(name: str, stop: int | Expr, start: int | Expr = 0) -> Range:
    def bound(x: int | Expr) -> Expr:
        return integer(x) if isinstance(x, int) else x

    return Range(name, bound(start), bound(stop))


def fold(op: str, body: Expr, *ranges: Range, cond: Expr | None = None) -> Reduce:
    dtype = I32 if op in {"argmax", "argmin"} else body.dtype
    return Reduce(op, ranges, cond, body, dtype)


def loop(name: str, stop: int | Expr, *body: Stmt, kind: LoopKind = LoopKind.SERIAL) -> For:
    return For(name, integer(0), integer(stop) if isinstance(stop, int) else stop, body, kind)


def graph(*definitions: Equation, inputs: tuple[Array, ...], outputs: tuple[str, ...]) -> Graph:
    return Graph("program", (), inputs, (), (), definitions, outputs)


def buffers(**shapes: tuple[Role, tuple[int, ...]]) -> tuple[Buffer, ...]:
    return tuple(Buffer(name, F32, shape, role) for name, (role, shape) in shapes.items())


def matmul(m: int, n: int, k: int) -> Graph:
    product = mul(load("A", var("i"), var("k")), load("B", var("k"), var("j")))
    c = Equation("C", F32, axes(i=m, j=n), fold("add", product, span("k", k)))
    return graph(c, inputs=(array("A", m, k), array("B", k, n)), outputs=("C",))


def softmax(m: int, n: int) -> Graph:
    i, j, k = var("i"), var("j"), var("k")
    top = Equation("top", F32, axes(i=m), fold("max", load("x", i, j), span("j", n)))
    e = Equation(
        "e", F32, axes(i=m, j=n), apply("exp", apply("sub", load("x", i, j), load("top", i)))
    )
    y = Equation(
        "y", F32, axes(i=m, j=n),
        apply("div", load("e", i, j), fold("add", load("e", i, k), span("k", n))),
    )  # fmt: skip
    return graph(top, e, y, inputs=(array("x", m, n),), outputs=("y",))


def shape_of(a: Array) -> tuple[int, ...]:
    """The literal extents of an array."""
    return tuple(int(x.value) for x in a.shape if isinstance(x, Const))


def tiled_matmul(n: int, tile: int) -> Loops:
    """Matmul by tiles in workgroup memory, as a schedule would make it."""
    body = (
        Alloc("total", F32, (), Memory.PRIVATE),
        Alloc("A_tile", F32, (tile, tile), Memory.WORKGROUP),
        Alloc("B_tile", F32, (tile, tile), Memory.WORKGROUP),
        Store("total", (), f32(0.0)),
        loop(
            "k_o", n // tile,
            _copy("A_tile", "a", tile, "A", "i_o", "k_o"),
            _copy("B_tile", "b", tile, "B", "k_o", "j_o"),
            loop("k_i", tile, _multiply()),
        ),
        Store("C", (_joined("i", tile), _joined("j", tile)), load("total"), place=at("C[i, j]")),
    )  # fmt: skip
    nest = loop("j_i", tile, *body, kind=LoopKind.INVOCATION_X)
    nest = loop("i_i", tile, nest, kind=LoopKind.INVOCATION_Y)
    nest = loop("j_o", n // tile, nest, kind=LoopKind.WORKGROUP_X)
    nest = loop("i_o", n // tile, nest, kind=LoopKind.WORKGROUP_Y)
    shape = (n, n)
    arrays = buffers(A=("input", shape), B=("input", shape), C=("output", shape))
    return Loops("matmul", arrays, (), (nest,), ("C",))


def _joined(name: str, tile: int) -> Expr:
    return add(mul(var(f"{name}_o"), integer(tile)), var(f"{name}_i"))


def _copy(target: str, e: str, tile: int, source: str, rows: str, columns: str) -> For:
    row = apply("floordiv", var(e), integer(tile))
    column = apply("mod", var(e), integer(tile))
    index = (
        add(mul(var(rows), integer(tile)), row),
        add(mul(var(columns), integer(tile)), column),
    )
    text = at("A[i, k]" if source == "A" else "B[k, j]")
    store = Store(target, (row, column), Load(source, index, F32, origin=text), place=text)
    return loop(e, tile * tile, store, kind=LoopKind.COOPERATIVE)


def _multiply() -> Store:
    a = Load("A_tile", (var("i_i"), var("k_i")), F32, origin=at("A[i, k]"))
    b = Load("B_tile", (var("k_i"), var("j_i")), F32, origin=at("B[k, j]"))
    return Store("total", (), mul(a, b), "add")


def one_kernel(mapped: Mapped, body: Body) -> Mapped:
    """The same function with another body of its only kernel."""
    (kernel,) = mapped.kernels
    return replace(mapped, kernels=(replace(kernel, body=body),))


def kernel(
    *body: Stmt, arrays: tuple[Buffer, ...], size: int = 8, workgroups: int = 1
) -> DeviceKernel:
    """A kernel of one-dimensional workgroups; everything but inputs counts as written."""
    written = frozenset(b.name for b in arrays if b.role != "input")
    grid = ((size, 1, 1), (workgroups, 1, 1))
    start = Local("i", add(mul(var("workgroup_id.x"), integer(size)), var("local_id.x")))
    return DeviceKernel("kernel", arrays, written, (), *grid, (start, *body))


def without_barrier(body: Body, number: int) -> Body:
    """The body with its barrier of that number, in text order, deleted."""
    numbers = count()

    def strip(inner: Body) -> Body:
        kept: list[Stmt] = []
        for s in inner:
            if isinstance(s, Barrier) and next(numbers) == number:
                continue
            kept.append(map_bodies(s, strip))
        return tuple(kept)

    return strip(body)


OTHER = {
    "add": "sub", "sub": "add", "mul": "add", "div": "mul", "max": "min", "exp": "exp2",
    "floordiv": "mod", "mod": "floordiv",
}  # fmt: skip
"""What each operation is changed to by a fault."""
OTHER_FOLD = {"add": "max", "mul": "add", "max": "min"}
"""What each reduction is changed to."""


class Change:
    """Changes the operation of number `wanted` among those it meets, and counts them."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.met = wanted, 0

    def op(self, name: str, others: dict[str, str]) -> str:
        if name not in others:
            return name
        self.met += 1
        return others[name] if self.met - 1 == self.wanted else name

    def expr(self, e: Expr) -> Expr:
        inner = rebuild(e, self.expr)
        match inner:
            case Apply(op):
                return replace(inner, op=self.op(op, OTHER))
            case Reduce(op):
                return replace(inner, op=self.op(op, OTHER_FOLD))
            case _:
                return inner

    def body(self, body: Body) -> Body:
        return tuple(map_exprs(s, self.expr) for s in self.stores(body))

    def stores(self, body: Body) -> Body:
        inner = tuple(map_bodies(s, self.stores) for s in body)
        return tuple(
            replace(s, reduce=self.op(s.reduce, OTHER_FOLD))
            if isinstance(s, Store) and s.reduce
            else s
            for s in inner
        )

    def graph(self, g: Graph) -> Graph:
        equations = [d for d in g.definitions if isinstance(d, Equation)]
        return replace(
            g, definitions=tuple(replace(d, value=self.expr(d.value)) for d in equations)
        )


T = TypeVar("T")


def faults(change: Callable[[Change], T]) -> Iterator[T]:
    """Every way to change one operation: `change` applies a `Change` to a program."""
    counter = Change(-1)
    change(counter)
    assert counter.met
    for wanted in range(counter.met):
        yield change(Change(wanted))
