"""Executions: every statement of a body with the loops around it and what must hold there.

`times` counts them, and accesses as well: the one place that says how often something happens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from workbench.ir.access import Access, leaves
from workbench.ir.count import Count, count_points
from workbench.ir.expr import Apply, Expr, Var, apply, integer, substitute, walk
from workbench.ir.stmt import (
    Assign,
    For,
    If,
    Local,
    Stmt,
    Store,
    While,
    expressions,
    walk_stmts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workbench.ir.stmt import Body


@dataclass(frozen=True, slots=True)
class Execution:
    """A statement, and when it runs: `exact` is false where something else decides, too.

    `conditions` are in loop variables and parameters, with the locals put in that stay as they
    are. `depth` counts the bodies around the statement.
    """

    statement: Stmt
    loops: tuple[str, ...] = ()
    conditions: tuple[Expr, ...] = ()
    exact: bool = True
    depth: int = 0


def executions(body: Body) -> Iterator[Execution]:
    """Every statement of a body and of the bodies inside, in text order."""
    assigned = frozenset(s.name for s in walk_stmts(body) if isinstance(s, Assign))
    yield from _inside(body, Execution(body[0]), {}, assigned) if body else ()


def _inside(
    body: Body, at: Execution, values: Mapping[str, Expr], assigned: frozenset[str]
) -> Iterator[Execution]:
    at = replace(at, exact=at.exact and not leaves(body))
    for s in body:
        here = replace(at, statement=s)
        yield here
        below = replace(here, depth=at.depth + 1)
        match s:
            case For():
                tests = tuple(substitute(x, values) for x in range_of(s))
                below = replace(below, loops=(*at.loops, s.var))
                below = replace(below, conditions=(*at.conditions, *tests))
                yield from _inside(s.body, below, values, assigned)
            case If():
                cond = substitute(s.cond, values)
                for part, test in ((s.then, cond), (s.orelse, apply("not", cond))):
                    there = replace(below, conditions=(*at.conditions, test))
                    yield from _inside(part, there, values, assigned)
            case While():
                yield from _inside(s.body, replace(below, exact=False), values, assigned)
            case Local(name, value) if name not in assigned:
                values = {**values, name: substitute(value, values)}
            case _:
                pass


def range_of(s: For) -> tuple[Expr, ...]:
    """What holds for the variable of a loop in each of its iterations."""
    tests = (apply("ge", Var(s.var), s.start), apply("lt", Var(s.var), s.stop))
    if s.step == 1:
        return tests
    rest = apply("mod", apply("sub", Var(s.var), s.start), integer(s.step))
    return (*tests, apply("eq", rest, integer(0)))


def times(x: Execution | Access, loops: Mapping[str, For]) -> Count:
    """How often a statement runs or an access happens; `loops` has those around it by variable.

    A cooperative copy is made once by all invocations. Modelled where something else decides.
    """
    once: dict[str, Expr] = {n: integer(0) for n in repeated_by_all(x.loops, loops)}
    names = [n for n in x.loops if n not in once]
    found = _counted(tuple(names), tuple(substitute(c, once) for c in x.conditions))
    return found if x.exact else replace(found, tag="modelled")


@lru_cache(maxsize=1024)
def _counted(names: tuple[str, ...], conditions: tuple[Expr, ...]) -> Count:
    """The count of points; what a step leaves as it was is not counted again."""
    return count_points(names, conditions)


def repeated_by_all(names: Sequence[str], loops: Mapping[str, For]) -> tuple[str, ...]:
    """The invocation loops around a cooperative copy, which all invocations make together once.

    `names` are the loops around a place, outermost first; none where it is in no such copy.
    """
    around = [loops[n] for n in names if n in loops]
    if not any(s.kind.together for s in around):
        return ()
    return tuple(s.var for s in around if s.kind.on_invocations)


def float_operations(s: Stmt) -> int:
    """Operations on floats in one execution of a statement; of a choice both sides count."""
    each = [x for e in expressions(s) for x in walk(e)]
    ops = sum(isinstance(x, Apply) and x.args[0].dtype.kind == "f" for x in each)
    update = isinstance(s, Store) and s.reduce is not None and s.value.dtype.kind == "f"
    return ops + update
