"""Loops of inlined functions that are run: `while`, and `for` over a range that is not of numbers.

A loop stands for the values that its locals have behind it, each an `Iterated`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.ir.expr import Const, Expr, Iterated, Range, Var
from workbench.lang.names import Bound, Context, Function, Name
from workbench.lang.reductions import bounds_of, named
from workbench.lang.values import Value, settle, truth
from workbench.passes.names import fresh_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.lang.calls import Check


def iterated(
    c: Context,
    function: Function,
    node: ast.For | ast.While,
    check: Check,
    turn: Callable[[Context], Context | tuple[Value, ...] | None],
) -> Context | None:
    """The names behind a loop, None after a mistake; `turn` gives those behind its lines.

    What no turn changes is computed once, before the first.
    """
    before = _held(c, node)
    if before is None:
        return None
    new = _fresh(c, function, node, [*before, *_target(node)])
    held = {n: _stands(v, new[n]) for n, v in before.items()}
    inner = c.adding({n: replace(bound, value=held[n]) for n, bound in _bound(c, before).items()})
    opened = _opened(c, inner, node, check, new)
    if opened is None:
        return None
    over, inner = opened
    behind = turn(inner)
    if behind is None:
        return None
    assert isinstance(behind, Context), "no line of a loop returns"
    names = tuple(new[n] for n in before)
    first = tuple(v.expr for v in before.values())
    following = tuple(bound.value.expr for bound in _bound(behind, before).values())
    origin = c.report.origin(node.iter if isinstance(node, ast.For) else node.test)
    changed = {
        n: replace(
            bound, value=Value(Iterated(names, first, over, following, place, origin=origin))
        )
        for place, (n, bound) in enumerate(_bound(c, before).items())
        if n in _changed(node)
    }
    return c.adding(changed)


def _bound(c: Context, names: dict[str, Value]) -> dict[str, Bound]:
    """What these locals stand for."""
    found = {n: c.names[n] for n in names}
    return {n: bound for n, bound in found.items() if isinstance(bound, Bound)}


def _held(c: Context, node: ast.For | ast.While) -> dict[str, Value] | None:
    """The locals of before that turns change, and those they use that are more than a name."""
    found: dict[str, Value] = {}
    lines = [*([node.test] if isinstance(node, ast.While) else []), *node.body]
    used = (x.id for line in lines for x in ast.walk(line) if isinstance(x, ast.Name))
    for name in dict.fromkeys(used):
        match c.names.get(name):
            case Bound(value) if name in _changed(node):
                e = settle(c, value, node)
                if e is None:
                    return None
                found[name] = Value(e)
            case Bound(value) if not isinstance(value.expr, Const | Var):
                found[name] = value
            case _:
                pass
    return found


def _changed(node: ast.For | ast.While) -> set[str]:
    """The names to which the lines of a loop give values."""
    names = (x for line in node.body for x in ast.walk(line) if isinstance(x, ast.Name))
    return {x.id for x in names if isinstance(x.ctx, ast.Store)}


def _target(node: ast.For | ast.While) -> list[str]:
    return (
        [node.target.id] if isinstance(node, ast.For) and isinstance(node.target, ast.Name) else []
    )


def _fresh(
    c: Context, function: Function, node: ast.For | ast.While, names: list[str]
) -> dict[str, str]:
    """A name for each that stands nowhere else: no line begins two loops."""
    taken = set(re.findall(r"\w+", c.report.source.text))
    for other in c.functions.values():
        taken |= set(other.indices.values()) if isinstance(other, Function) else set()
    head = function.node.name
    return {n: fresh_name(f"{head}_{n}_{node.lineno}", taken) for n in names}


def _stands(value: Value, name: str) -> Value:
    """The variable that stands for a value in a turn."""
    return Value(Var(name, value.dtype, origin=value.expr.origin), value.weak)


def _opened(
    c: Context, inner: Context, node: ast.For | ast.While, check: Check, new: dict[str, str]
) -> tuple[Range | Expr, Context] | None:
    """What decides how many turns there are, and the names that stand in one."""
    if isinstance(node, ast.While):
        v = check(inner, node.test)
        test = None if v is None else truth(inner, v, node.test)
        return None if test is None else (test, inner)
    assert isinstance(node.target, ast.Name)
    name = node.target.id
    if c.clash(node.target, name, "a loop"):
        return None
    bounds = bounds_of(c, node.iter, node.target, check)
    if bounds is None:
        return None
    index: Name = named(c, bounds.index, node.target, new[name])
    over = Range(new[name], bounds.start, bounds.stop, origin=c.report.origin(node.iter))
    return over, inner.adding({name: index})
