"""Equations that write a part of an array: `c[k] = ...`, `y[0] = ...`, `A[k, j] = ...`.

A parameter, a dim, the variable of a time loop, or arithmetic on them, on the left writes one
point, or one row where other indices are free. The rest of the array keeps its values. Every
read comes before any write, as in every update.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.base.source import Origin, Span
from workbench.ir.expr import Expr, Load, Var, integer, loads
from workbench.ir.graph import Array, Axis, Block, Definition, Equation
from workbench.ir.stmt import For, LoopKind, Stmt, Store
from workbench.lang import lines
from workbench.lang.cover import reads_apart
from workbench.lang.equations import twice, value_of
from workbench.lang.expressions import expression
from workbench.lang.extents import Declared, axes_of, shape_text
from workbench.lang.names import Context, Index
from workbench.lang.values import plural, whole

if TYPE_CHECKING:
    from workbench.lang.prove import World


def parts_of(target: ast.Subscript) -> list[ast.expr]:
    """The indices on the left."""
    return list(target.slice.elts) if isinstance(target.slice, ast.Tuple) else [target.slice]


def is_point(c: Context, target: ast.Subscript) -> bool:
    """Whether an index on the left is no new name, but made of what is known."""
    parts = [p for p in parts_of(target) if not _new(c, p)]
    used = [x for p in parts for x in ast.walk(p) if isinstance(x, ast.Name)]
    free = {p.id for p in parts_of(target) if isinstance(p, ast.Name) and _new(c, p)}
    slices = any(isinstance(x, ast.Slice) for p in parts for x in ast.walk(p))
    return bool(parts) and not slices and all(x.id in c.names and x.id not in free for x in used)


def point(
    c: Context, node: ast.Assign, target: ast.Subscript, said: Declared, world: World, fresh: str
) -> tuple[Definition, ...] | None:
    """What the line defines, or mistakes and None; `fresh` is a name for values kept meanwhile."""
    assert isinstance(target.value, ast.Name)
    name, parts = target.value.id, parts_of(target)
    if len(parts) != len(said.shape):
        given, count = [c.report.text(p) for p in parts], len(said.shape)
        hint = c.report.mended(
            target, lines.indexed(name, lines.as_many(given, c.free(count), count))
        )
        c.wrong(target, f"'{name}' is {shape_text(said.dtype, said.shape)}, here it has "
                f"{plural(len(parts), 'index')}", hint=hint)  # fmt: skip
        return None
    free: dict[str, Span] = {}
    for p in parts:
        if isinstance(p, ast.Name) and _new(c, p):
            if p.id in free:
                twice(c, p)
                return None
            if c.clash(p, p.id, "an index"):
                return None
            free[p.id] = c.report.span(p)
    inner = c.adding({k: Index(span) for k, span in free.items()})
    value = value_of(inner, node.value, said, name)
    index = [_index(inner, p) for p in parts]
    whole_index = tuple(x for x in index if x is not None)
    if value is None or len(whole_index) != len(parts):
        return None
    shape = tuple(x for p, x in zip(parts, said.shape, strict=True)
                  if isinstance(p, ast.Name) and p.id in free)  # fmt: skip
    axes = axes_of(inner, free, value, Declared(said.dtype, shape, said.span))
    if axes is None:
        return None
    array = Array(name, said.dtype, said.shape, origin=c.report.origin(target))
    return _definitions(
        world, array, axes, whole_index, value, origin=c.report.origin(node), fresh=fresh
    )


def _definitions(
    world: World,
    array: Array,
    axes: tuple[Axis, ...],
    index: tuple[Expr, ...],
    value: Expr,
    *,
    origin: Origin,
    fresh: str,
) -> tuple[Definition, ...]:
    """One block where no iteration reads what another writes, else the values first."""
    block = _block(array, axes, index, value, origin)
    elsewhere = [e for e in loads(value) if e.array == array.name and e.index != index]
    if not axes or not elsewhere or reads_apart(world, block, array):
        return (block,)
    place = array.origin.derive("the new values")
    kept = Equation(fresh, array.dtype, axes, value, origin=origin, place=place)
    read = Load(fresh, tuple(Var(a.name, origin=place) for a in axes), array.dtype, origin=place)
    return kept, _block(array, axes, index, read, place)


def _block(
    array: Array, axes: tuple[Axis, ...], index: tuple[Expr, ...], value: Expr, origin: Origin
) -> Block:
    around = tuple((a.name, Var(a.name)) for a in axes)
    store = Store(array.name, index, value, iteration=around, origin=origin, place=array.origin)
    body: tuple[Stmt, ...] = (store,)
    for a in reversed(axes):
        start = integer(0, origin=a.origin.derive("starts at 0"))
        body = (For(a.name, start, a.extent, body, LoopKind.PARALLEL, origin=a.origin),)
    return Block(body, (array,), origin=origin)


def _new(c: Context, part: ast.expr) -> bool:
    return isinstance(part, ast.Name) and part.id not in c.names


def _index(c: Context, part: ast.expr) -> Expr | None:
    v = expression(c, part)
    return None if v is None else whole(c, v, part, "an index")
