"""The number of a turn, kept in memory: what the nests of a repeat see of its variable.

    for t in range(5):  # repeat             t_turn = 0
        for i in range(N):  # parallel       for t in range(5):  # repeat
            y[i] = x[i] * t                      for i in range(N):  # parallel
                                                     t_1 = t_turn
                                                     y[i] = x[i] * t_1
                                                 t_turn += 1

A device runs the same kernels in each turn, so the number has to be somewhere they can read.
Repeats whose variable nobody reads stay as they are. Runs after the schedule, before mapping.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import I32
from workbench.ir.expr import Expr, Load, Var, free_names, integer, substitute
from workbench.ir.loops import Buffer, Loops
from workbench.ir.repeats import is_repeat
from workbench.ir.stmt import For, Local, LoopKind, Store, expressions, map_exprs, walk_stmts
from workbench.passes.names import fresh_name

if TYPE_CHECKING:
    from workbench.ir.stmt import Body, Stmt


def keep_turns(loops: Loops) -> Loops:
    """The variable of each repeat that its nests read, in a 0-d array that counts the turns."""
    taken = {b.name for b in loops.buffers} | {s.name for s in loops.scalars}
    for s in walk_stmts(loops.body):
        taken |= {getattr(s, "var", ""), getattr(s, "name", "")}
    counters: list[Buffer] = []
    body = _counted(loops.body, counters, taken)
    if not counters:
        return loops
    return replace(loops, buffers=(*loops.buffers, *counters), body=body)


def _counted(body: Body, counters: list[Buffer], taken: set[str]) -> Body:
    out: list[Stmt] = []
    for s in body:
        if not is_repeat(s):
            out.append(s)
            continue
        inner = _counted(s.body, counters, taken)
        if not _uses(inner, s.var):
            out.append(replace(s, body=inner))
            continue
        name = fresh_name(f"{s.var}_turn", taken)
        origin = s.origin.derive("the number of the turn")
        counters.append(Buffer(name, I32, (), "temporary", origin=origin))
        read = Load(name, (), I32, origin=origin)
        out.append(Store(name, (), s.start, origin=origin, place=origin))
        more = Store(name, (), integer(1), "add", origin=origin, place=origin)
        out.append(replace(s, body=(*_reading(inner, s.var, read, taken), more)))
    return tuple(out)


def _uses(body: Body, name: str) -> bool:
    """Whether nests read the name; bounds of repeats are known before anything runs."""
    nests = (s for s in walk_stmts(body) if not is_repeat(s))
    return any(name in free_names(e) for s in nests for e in expressions(s))


def _reading(body: Body, var: str, read: Load, taken: set[str]) -> Body:
    """The nests with the counter read in place of the variable: once in each parallel loop."""
    out: list[Stmt] = []
    for s in body:
        if not _uses((s,), var):
            out.append(s)
        elif is_repeat(s):
            out.append(replace(s, body=_reading(s.body, var, read, taken)))
        elif isinstance(s, For) and s.kind is not LoopKind.SERIAL:
            name = fresh_name(var, taken)
            inner = _said(s.body, var, Var(name, I32))
            out.append(replace(s, body=(Local(name, read, fixed=True, origin=read.origin), *inner)))
        else:
            out += _said((s,), var, read)
    return tuple(out)


def _said(body: Body, var: str, value: Expr) -> Body:
    return tuple(map_exprs(s, lambda e: substitute(e, {var: value})) for s in body)
