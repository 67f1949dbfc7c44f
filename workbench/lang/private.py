"""Private arrays of loop blocks: `acc: f32[8] = 0.0`, one for each innermost iteration.

Their elements are written before they are read: at once with a value, else by the statements
that follow, by their form alone.
"""

from __future__ import annotations

import ast
from math import prod
from typing import TYPE_CHECKING

from workbench.base.source import Origin, Span
from workbench.ir.expr import Const, Expr, Var, integer
from workbench.ir.graph import Array, Block, Definition, each
from workbench.ir.stmt import (
    Alloc,
    Body,
    Break,
    Continue,
    For,
    LoopKind,
    Memory,
    Stmt,
    Store,
    bodies,
    reads,
    walk_stmts,
)
from workbench.lang import lines
from workbench.lang.extents import Declared, shape_text
from workbench.lang.names import ArrayName, Context
from workbench.lang.signature import declared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LARGEST_PRIVATE = 1024
"""Elements that the private arrays of a block may have together: 4 KiB of each iteration."""


def private_names(node: ast.For) -> dict[str, ast.AnnAssign]:
    """The private arrays that a block declares, by their annotations."""
    return {
        x.target.id: x
        for x in ast.walk(node)
        if isinstance(x, ast.AnnAssign)
        and isinstance(x.target, ast.Name)
        and isinstance(x.annotation, ast.Subscript)
    }


def private_arrays(d: Definition) -> Iterator[Array]:
    """The private arrays of a definition, each with literal extents."""
    for x in each((d,)):
        for s in walk_stmts(x.body) if isinstance(x, Block) else ():
            if isinstance(s, Alloc):
                shape = tuple(integer(n) for n in s.shape)
                yield Array(s.name, s.dtype, shape, origin=s.origin)


def declare_private(
    c: Context, node: ast.AnnAssign, target: ast.Name, known: Mapping[str, Alloc]
) -> Alloc | None:
    """The array that a line declares; `known` are the others of its block."""
    said = declared(c, node.annotation)
    if said is None or c.clash(target, target.id, "an array"):
        return None
    if target.id in known:
        hint = c.report.mended(target, c.another(target.id))
        c.wrong(target, f"'{target.id}' is declared already", hint=hint)
        return None
    shape = tuple(int(x.value) for x in said.shape if isinstance(x, Const))
    if len(shape) != len(said.shape):
        c.wrong(node.annotation, f"'{target.id}' is private to an iteration: its extents are "
                "literals", hint=c.report.mended(node.annotation, f"{said.dtype}[8]"))  # fmt: skip
        return None
    if prod(shape) == 0:
        hint = c.report.mended(node.annotation, f"{said.dtype}[8]")
        c.wrong(node.annotation, f"'{target.id}' has no elements", hint=hint)
        return None
    total = prod(shape) + sum(prod(a.shape) for a in known.values())
    if total > LARGEST_PRIVATE:
        c.wrong(node.annotation, f"{total} private elements in one iteration, at most "
                f"{LARGEST_PRIVATE}", hint="an array of the kernel")  # fmt: skip
        return None
    return Alloc(target.id, said.dtype, shape, Memory.PRIVATE, origin=c.report.origin(node))


def names_of_private(c: Context, a: Alloc, span: Span) -> tuple[ArrayName, Declared]:
    """What the name of a private array stands for."""
    shape = tuple(integer(n) for n in a.shape)
    return ArrayName(Array(a.name, a.dtype, shape, origin=a.origin), span), Declared(
        a.dtype, shape, c.report.span(span)
    )


def filled(a: Alloc, value: Expr, variables: tuple[str, ...]) -> Stmt:
    """The statement that gives every element of a private array one value."""
    origin: Origin = value.origin.derive(f"fills {a.name}")
    index = tuple(Var(v, origin=origin) for v in variables)
    body: Stmt = Store(a.name, index, value, origin=origin, place=a.origin)
    for variable, extent in reversed(tuple(zip(variables, a.shape, strict=True))):
        bounds = integer(0, origin=origin), integer(extent, origin=origin)
        body = For(variable, *bounds, (body,), origin=origin)
    return body


def check_written(c: Context, body: Body) -> None:
    """Report each private array that may be read before it is written, by form alone."""
    for n, s in enumerate(body):
        if isinstance(s, Alloc) and not _written_first(s, body[n + 1 :]):
            span = s.origin.nearest_span()
            assert span is not None, "a private array has a line"
            said = shape_text(s.dtype, tuple(integer(x) for x in s.shape))
            c.wrong(span, f"'{s.name}' is not proved to be written before it is read",
                    hint=f"{s.name}: {said} = {lines.zero(s.dtype)}")  # fmt: skip
        for inner in bodies(s):
            check_written(c, inner)


def _written_first(a: Alloc, rest: Body) -> bool:
    """Whether the statements after a declaration write every element before they read one."""
    points: set[tuple[Expr, ...]] = set()
    for s in rest:
        if _fills(a, s, {}):
            return True
        if any(e.array == a.name for e in reads((s,))):
            return False
        if isinstance(s, Store) and s.array == a.name and _literal(s.index):
            points.add(s.index)
        if len(points) == prod(a.shape):
            return True
    return True


def _literal(index: tuple[Expr, ...]) -> bool:
    return all(isinstance(x, Const) for x in index)


def _fills(a: Alloc, s: Stmt, loops: Mapping[str, int]) -> bool:
    """Whether a statement, under serial loops from 0, writes every element and reads none."""
    match s:
        case For(var, Const(0), Const(stop), body, LoopKind.SERIAL, 1):
            early = any(isinstance(x, Break | Continue) for x in walk_stmts(body))
            read = any(e.array == a.name for e in reads(body))
            inner = {**loops, var: int(stop)}
            return not early and not read and any(_fills(a, x, inner) for x in body)
        case Store(array, index) if array == a.name:
            names = [x.name for x in index if isinstance(x, Var)]
            return (
                len(names) == len(index) == len(set(names))
                and tuple(loops.get(n) for n in names) == a.shape
            )
        case _:
            return False
