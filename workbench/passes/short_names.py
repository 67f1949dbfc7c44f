"""Short names in a device kernel: what was unique in the whole function need not be numbered here.

Renames loops, locals and private arrays; storage and scalars keep their names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from workbench.ir.device import LOCAL_IDS, LOCAL_INDEX, WORKGROUP_IDS
from workbench.ir.expr import Expr, Load, Var, rebuild
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Barrier,
    Body,
    Break,
    Continue,
    For,
    If,
    Local,
    Outside,
    Stmt,
    Store,
    While,
    map_bodies,
    map_exprs,
    walk_stmts,
)


def short_names(body: Body, taken: set[str]) -> Body:
    """Names made unique for the whole function (`i_1`) get their short form back (`i`)."""
    declared = [
        name
        for s in walk_stmts(body)
        if (name := getattr(s, "var", None) or getattr(s, "name", None)) is not None
    ]
    taken |= {*WORKGROUP_IDS, *LOCAL_IDS, LOCAL_INDEX}
    names: dict[str, str] = {}
    for name in declared:
        if name not in names and name != LOCAL_INDEX:
            stem, _, number = name.rpartition("_")
            wanted = stem if stem and number.isdigit() else name
            free = wanted not in taken and wanted not in declared
            names[name] = wanted if free else name
            taken.add(names[name])
    changed = {old: new for old, new in names.items() if old != new}
    return _renamed(body, changed) if changed else body


def _renamed(body: Body, names: dict[str, str]) -> Body:
    def rename(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda b: tuple(rename(x) for x in b))
        match inner:
            case For():
                return replace(inner, var=names.get(inner.var, inner.var))
            case Local() | Assign() | Alloc():
                return replace(inner, name=names.get(inner.name, inner.name))
            case Store() | Outside():
                return replace(inner, array=names.get(inner.array, inner.array))
            case While() | If() | Break() | Continue() | Barrier():
                return inner
            case _:
                assert_never(inner)

    return tuple(map_exprs(rename(s), lambda e: _rename_expr(e, names)) for s in body)


def _rename_expr(e: Expr, names: dict[str, str]) -> Expr:
    match e:
        case Var(name) if name in names:
            return replace(e, name=names[name])
        case Load(array) if array in names:
            index = tuple(_rename_expr(x, names) for x in e.index)
            return replace(e, array=names[array], index=index)
        case _:
            return rebuild(e, lambda x: _rename_expr(x, names))
