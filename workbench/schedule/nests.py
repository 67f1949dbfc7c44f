"""Loop nests as trees: find a loop with what stands around it, replace it, pick fresh names.

Every function gives new values and shares what did not change; none asks whether a change
keeps the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import assert_never

from workbench.base.source import NOWHERE, Origin
from workbench.ir.expr import Const, Expr, Load, Var, apply, integer, rebuild
from workbench.ir.extents import uniform
from workbench.ir.loops import Loops
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
    LoopKind,
    Outside,
    Stmt,
    Store,
    While,
    bodies,
    map_bodies,
    map_exprs,
    walk_stmts,
    writes,
)


def around(body: Body, var: str) -> tuple[Stmt, ...]:
    """The statements around the loop `var`, outermost first, the loop itself last."""
    for s in body:
        if isinstance(s, For) and s.var == var:
            return (s,)
        for inner in bodies(s):
            found = around(inner, var)
            if found:
                return (s, *found)
    return ()


def nest_of(loops: Loops, var: str) -> Stmt:
    """The statement of the function's own body, or of a repeat's, in which the loop stands."""
    path = around(loops.body, var)
    return next((s for s in path if not repeated(s)), path[-1])


def own_body(body: Body) -> Iterator[Stmt]:
    """The statements of a function's own body and of its repeats'."""
    for s in body:
        yield s
        if isinstance(s, For) and repeated(s):
            yield from own_body(s.body)


def repeated(s: Stmt) -> bool:
    """Whether a statement is a loop around whole nests."""
    return isinstance(s, For) and s.kind is LoopKind.REPEAT


def loops_in(body: Body) -> Iterator[For]:
    """Every loop of a body, outermost first, in text order."""
    return (s for s in walk_stmts(body) if isinstance(s, For))


def replace_loop(loops: Loops, var: str, change: Callable[[For], Body]) -> Loops:
    """The function with the loop `var` replaced by the statements that `change` gives."""
    path = around(loops.body, var)

    def visit(body: Body, depth: int) -> Body:
        out: list[Stmt] = []
        for s in body:
            if s is not path[depth]:
                out.append(s)
            elif isinstance(s, For) and s.var == var:
                out += change(s)
            else:
                out.append(map_bodies(s, lambda b: visit(b, depth + 1)))
        same = len(out) == len(body) and all(a is b for a, b in zip(out, body, strict=True))
        return body if same else tuple(out)

    return replace(loops, body=visit(loops.body, 0)) if path else loops


def replaced(body: Body, old: Stmt, new: Body) -> Body:
    """The body with one statement, at any depth, replaced."""
    out: list[Stmt] = []
    for s in body:
        out += new if s is old else (map_bodies(s, lambda b: replaced(b, old, new)),)
    same = len(out) == len(body) and all(a is b for a, b in zip(out, body, strict=True))
    return body if same else tuple(out)


def taken(loops: Loops) -> set[str]:
    """Every name of the function: arrays, scalars, loops, locals."""
    names = {b.name for b in loops.buffers} | {s.name for s in loops.scalars}
    return names | {n for s in walk_stmts(loops.body) if (n := declared(s)) is not None}


def fresh(names: set[str], wish: str) -> str:
    """`wish`, or with the first free number behind it; the name is added to `names`."""
    name, count = wish, 0
    while name in names:
        count += 1
        name = f"{wish}_{count}"
    names.add(name)
    return name


def literal(e: Expr) -> int | None:
    """The value of an integer literal, None for anything else."""
    return int(e.value) if isinstance(e, Const) and e.dtype.kind in "iu" else None


def extent(loop: For) -> int | None:
    """How often a loop with literal bounds runs, else None."""
    start, stop = literal(loop.start), literal(loop.stop)
    if start is None or stop is None:
        return None
    return max(0, -(-(stop - start) // loop.step))


def trips(loops: Loops, loop: For) -> Expr | None:
    """How often a loop runs, at most 0 where it does not; None where only a run can say.

    A literal, or an expression over the open dims of the function.
    """
    count = extent(loop)
    if count is not None:
        return integer(count)
    known = uniform(loop.start, loops.open) and uniform(loop.stop, loops.open)
    if not known or loop.step != 1:
        return None
    return loop.stop if literal(loop.start) == 0 else apply("sub", loop.stop, loop.start)


def positive(value: object) -> bool:
    """Whether a value is a whole number from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def with_values(body: Body, values: dict[str, Expr]) -> Body:
    """The body with variables replaced; what replaces one keeps the origin of its use."""

    def visit(e: Expr) -> Expr:
        if isinstance(e, Var):
            return replace(values[e.name], origin=e.origin) if e.name in values else e
        return rebuild(e, visit)

    return tuple(map_exprs(s, visit) for s in body)


def renamed(statement: Stmt, names: dict[str, str], note: str) -> Stmt:
    """A copy of a statement in which the loops named in `names` have new variables."""

    def visit(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda b: tuple(visit(x) for x in b))
        if isinstance(inner, For) and inner.var in names:
            return replace(inner, var=names[inner.var], origin=inner.origin.derive(note))
        return inner

    return visit(map_exprs(statement, lambda e: _renamed_vars(e, names)))


def copied(body: Body, names: set[str], note: str) -> Body:
    """A copy of statements in which loops, locals and arrays have fresh names of their own.

    The names are added to `names`. Arrays that are declared outside keep theirs.
    """
    own = dict.fromkeys(n for s in walk_stmts(body) if (n := declared(s)) is not None)
    fresh_names = {n: fresh(names, n) for n in own}

    def stmt(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda b: tuple(stmt(x) for x in b))
        match inner:
            case For(var):
                return replace(inner, var=fresh_names[var], origin=inner.origin.derive(note))
            case Local(name) | Assign(name) | Alloc(name):
                return replace(inner, name=fresh_names.get(name, name))
            case Store(array) | Outside(array):
                return replace(inner, array=fresh_names.get(array, array))
            case While() | If() | Break() | Continue() | Barrier():
                return inner
            case _:
                assert_never(inner)

    def expr(e: Expr) -> Expr:
        inner = rebuild(e, expr)
        match inner:
            case Var(name) if name in fresh_names:
                return replace(inner, name=fresh_names[name])
            case Load(array) if array in fresh_names:
                return replace(inner, array=fresh_names[array])
            case _:
                return inner

    return tuple(map_exprs(stmt(s), expr) for s in body)


def declared(s: Stmt) -> str | None:
    """The name that a statement declares: a loop's variable, a local, an array."""
    match s:
        case For(var):
            return var
        case Local(name) | Alloc(name):
            return name
        case While() | If() | Assign() | Store() | Break() | Continue() | Barrier() | Outside():
            return None
        case _:
            assert_never(s)


def stored(loops: Loops, body: Body) -> tuple[str, ...]:
    """The arrays of the source that a body writes, in order of first writing."""
    names = dict.fromkeys(s.array for s in writes(body))
    return tuple(n for n in names if loops.buffer(n) is not None or n in loops.inner)


def with_loads(e: Expr, array: str, change: Callable[[Load], Expr]) -> Expr:
    """The expression with each load of `array` changed; subscripts inside first."""
    inner = rebuild(e, lambda x: with_loads(x, array, change))
    return change(inner) if isinstance(inner, Load) and inner.array == array else inner


def derived(e: Expr, origin: Origin) -> Expr:
    """The same expression; what has no origin in it was made for `origin`."""
    inner = rebuild(e, lambda x: derived(x, origin))
    return replace(inner, origin=origin) if inner.origin is NOWHERE else inner


def _renamed_vars(e: Expr, names: dict[str, str]) -> Expr:
    if isinstance(e, Var):
        return replace(e, name=names[e.name]) if e.name in names else e
    return rebuild(e, lambda x: _renamed_vars(x, names))


def with_nests(body: Body, change: Callable[[Stmt], Body]) -> Body:
    """The body with each nest changed, those in repeats in their place.

    A nest that stands in several places as the same object is changed once and stays one.
    """
    done: dict[int, Body] = {}

    def nests(inner: Body) -> Body:
        out: list[Stmt] = []
        for s in inner:
            if repeated(s):
                out.append(map_bodies(s, nests))
                continue
            if id(s) not in done:
                done[id(s)] = change(s)
            out += done[id(s)]
        return tuple(out)

    return nests(body)
