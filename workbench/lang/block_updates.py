"""Updates of arrays in loop blocks: `h[b[i]] += 1`, `h[e] = max(h[e], v)`.

The old value stands in no expression: the store reads and writes at once. Whether it has to be
atomic is asked when the whole block is known (`clashes`).
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.ir.expr import Apply, Const, Expr, Load, apply
from workbench.lang import lines
from workbench.lang.expressions import expression
from workbench.lang.names import ArrayName, Bound
from workbench.lang.values import Value, fit

if TYPE_CHECKING:
    from workbench.lang.names import Context

_FOLDS = frozenset({"max", "min", "maximum", "minimum"})
_OLD = "(the old value)"
"""What the expression around the old value calls it; no name of a source is spelled so."""


def around_old(target: ast.Subscript, value: ast.expr) -> ast.expr | None:
    """The value of an update with a name in the place of the old element; None for no update.

    Updates are `h[e] = h[e] + v`, `v + h[e]`, `h[e] - v`, `max(h[e], v)` and `min(v, h[e])`.
    """
    match value:
        case ast.BinOp(left, ast.Add(), right) if _same(right, target) and not _same(left, target):
            new: ast.expr = ast.BinOp(left, value.op, _old(right))
        case ast.BinOp(left, ast.Add() | ast.Sub(), right) if _same(left, target):
            new = ast.BinOp(_old(left), value.op, right)
        case ast.Call(func=ast.Name(id=name), args=[a, b], keywords=[]) if name in _FOLDS:
            if _same(a, target):
                new = ast.Call(value.func, [_old(a), b], [])
            elif _same(b, target):
                new = ast.Call(value.func, [a, _old(b)], [])
            else:
                return None
        case _:
            return None
    return ast.copy_location(new, value)


def operands(
    c: Context, name: ArrayName, target: ast.Subscript, around: ast.expr
) -> tuple[str, Expr] | None:
    """The operation and the other operand of an update; None after a mistake."""
    readable = c.adding({name.array.name: replace(name, blocked="")})
    old = expression(readable, ast.copy_location(_read(target), target))
    if old is None:
        return None
    v = expression(c.adding({_OLD: Bound(old, c.report.span(target))}), around)
    dtype = name.array.dtype
    if v is None:
        return None
    if v.dtype.kind == dtype.kind and v.dtype != dtype:
        c.wrong(around, f"'{name.array.name}' is {dtype}, the update computes in {v.dtype}",
                hint=lines.cast_line(c.report, around, dtype))  # fmt: skip
        return None
    whole = fit(c, v, dtype, around, f"'{name.array.name}'")
    return None if whole is None else _operands(whole, old)


def _operands(whole: Expr, old: Value) -> tuple[str, Expr]:
    match whole:
        case Apply("add" | "max" | "min" as op, (a, b)) if _is(a, old):
            return op, b
        case Apply("add" | "max" | "min" as op, (a, b)) if _is(b, old):
            return op, a
        case Apply("sub", (a, b)) if _is(a, old):
            zero = Const(0, b.dtype, origin=whole.origin)
            if b.dtype.kind == "u":
                return "add", apply("sub", zero, b, origin=whole.origin)
            return "add", apply("neg", b, origin=whole.origin)
        case _:
            message = f"an update is an operation on the old value, not {whole}"
            raise AssertionError(message)


def _is(e: Expr, old: Value) -> bool:
    return isinstance(e, Load) and e is old.expr


def _same(e: ast.expr, target: ast.Subscript) -> bool:
    return isinstance(e, ast.Subscript) and ast.dump(_read(e)) == ast.dump(_read(target))


def _read(target: ast.Subscript) -> ast.Subscript:
    return ast.Subscript(target.value, target.slice, ast.Load())


def _old(e: ast.expr) -> ast.Name:
    return ast.copy_location(ast.Name(_OLD, ast.Load()), e)
