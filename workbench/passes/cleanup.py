"""Clean-ups of scheduled loops: what steps leave behind and a person would not write."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.ir.expr import Expr, Load, free_names, loads, rebuild
from workbench.ir.stmt import (
    Alloc,
    Body,
    If,
    Memory,
    Stmt,
    Store,
    map_bodies,
    map_exprs,
    walk_stmts,
)

if TYPE_CHECKING:
    from workbench.ir.loops import Loops


def clean(loops: Loops) -> Loops:
    """Single private elements become scalars; neighbouring guards that say the same, one.

    before:  C_private: f32[1, 1]; if g: C_private[0, 0] += x; if g: C[i, j] = C_private[0, 0]
    after:   C_private: f32; if g: C_private += x; C[i, j] = C_private
    """
    single = {
        s.name
        for s in walk_stmts(loops.body)
        if isinstance(s, Alloc) and s.memory is Memory.PRIVATE and _unit(s)
    }
    body = tuple(_scalar(s, single) for s in loops.body) if single else loops.body
    merged = _merged(body)
    return loops if merged is loops.body else replace(loops, body=merged)


def _unit(s: Alloc) -> bool:
    return len(s.shape) > 0 and math.prod(s.shape) == 1


def _scalar(s: Stmt, single: set[str]) -> Stmt:
    def place(inner: Stmt) -> Stmt:
        deeper = map_bodies(inner, lambda b: tuple(place(x) for x in b))
        if isinstance(deeper, Alloc) and deeper.name in single:
            return replace(deeper, shape=())
        if isinstance(deeper, Store) and deeper.array in single:
            return replace(deeper, index=())
        return deeper

    def value(e: Expr) -> Expr:
        inner = rebuild(e, value)
        if isinstance(inner, Load) and inner.array in single:
            return replace(inner, index=())
        return inner

    return map_exprs(place(s), value)


def _merged(body: Body) -> Body:
    """Runs of `if` with one condition joined, where nothing inside changes the condition."""
    out: list[Stmt] = []
    changed = False
    for s in body:
        inner = map_bodies(s, _merged)
        last = out[-1] if out else None
        changed = changed or inner is not s
        if isinstance(inner, If) and isinstance(last, If) and _same_guard(last, inner):
            out[-1] = replace(last, then=(*last.then, *inner.then))
            changed = True
        else:
            out.append(inner)
    return tuple(out) if changed else body


def _same_guard(a: If, b: If) -> bool:
    if a.cond != b.cond or a.orelse or b.orelse or any(loads(a.cond)):
        return False
    assigned = {getattr(s, "name", None) for s in walk_stmts(a.then)}
    return not free_names(a.cond) & {n for n in assigned if n is not None}
