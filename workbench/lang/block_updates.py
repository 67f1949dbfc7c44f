"""Updates of arrays in loop blocks: `h[b[i]] += 1`, `h[e] = max(h[e], v)`.

The old value stands in no expression: the store reads and writes at once. Whether it has to be
atomic is asked when the whole block is known (`clashes`).
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.ir.expr import Apply, Const, Expr, Load, apply
from workbench.lang.expressions import expression
from workbench.lang.names import ArrayName, Bound
from workbench.lang.values import Value, fit

if TYPE_CHECKING:
    from workbench.base.source import Span
    from workbench.lang.names import Context

_FOLDS = frozenset({"max", "min", "maximum", "minimum"})
_OLD = "(the old value)"
"""What the expression around the old value calls it; no name of a source is spelled so."""


def written_here(name: ArrayName, write: Span) -> ArrayName:
    """An array with values as it stands in a block that writes it: it is not read there."""
    text = " ".join(write.text.split())
    why = (
        f"'{name.array.name}' is written in this grid ('{text}' at line {write.position[0]}), so "
        f"what it holds meanwhile is open: an element is read only to update it, as {text} += e, "
        f"-= e, or {text} = max({text}, e), min({text}, e)"
    )
    return replace(name, blocked=why)


def update(c: Context, target: ast.Subscript, value: ast.expr) -> tuple[str, Expr] | None:
    """The operation and the other operand of an update; None for anything else.

    Updates are `h[e] = h[e] + v`, `v + h[e]`, `h[e] - v`, `max(h[e], v)` and `min(v, h[e])`.
    After a mistake, which is reported, None, too.
    """
    around = _around(target, value)
    if around is None or not isinstance(target.value, ast.Name):
        return None
    name = c.names.get(target.value.id)
    if not isinstance(name, ArrayName):
        return None
    readable = c.adding({name.array.name: replace(name, blocked="")})
    old = expression(readable, ast.copy_location(_read(target), target))
    if old is None:
        return None
    v = expression(c.adding({_OLD: Bound(old, c.report.span(target))}), around)
    whole = None if v is None else fit(c, v, name.array.dtype, value, f"'{name.array.name}'")
    return None if whole is None else _operands(whole, old)


def _operands(whole: Expr, old: Value) -> tuple[str, Expr] | None:
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
            return None


def _is(e: Expr, old: Value) -> bool:
    return isinstance(e, Load) and e is old.expr


def _around(target: ast.Subscript, value: ast.expr) -> ast.expr | None:
    """The value of an update with a name in the place of the old element, once."""
    match value:
        case ast.BinOp(left, ast.Add(), right) if _same(right, target) and not _same(left, target):
            new: ast.expr = ast.BinOp(left, value.op, _name(right))
        case ast.BinOp(left, ast.Add() | ast.Sub(), right) if _same(left, target):
            new = ast.BinOp(_name(left), value.op, right)
        case ast.Call(func=ast.Name(id=name), args=[a, b], keywords=[]) if name in _FOLDS:
            if not _same(a, target) and not _same(b, target):
                return None
            first = _same(a, target)
            args = [_name(a), b] if first else [a, _name(b)]
            new = ast.Call(value.func, args, [])
        case _:
            return None
    return ast.copy_location(new, value)


def _same(e: ast.expr, target: ast.Subscript) -> bool:
    return isinstance(e, ast.Subscript) and ast.dump(_read(e)) == ast.dump(_read(target))


def _read(target: ast.Subscript) -> ast.Subscript:
    return ast.Subscript(target.value, target.slice, ast.Load())


def _name(e: ast.expr) -> ast.Name:
    return ast.copy_location(ast.Name(_OLD, ast.Load()), e)
