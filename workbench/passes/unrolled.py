"""Unrolled loops written out, and vectors of more lanes than a target's values have taken apart.

    for k in range(2):  # unrolled           s += x[i * 2]
        s += x[i * 2 + k]                    s += x[i * 2 + 1]

What a copy declares gets a name of its own. A loop that a break leaves stays a loop. A vector into
which later steps brought what lanes cannot do together is written out lane by lane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, assert_never

from workbench.ir.access import leaves
from workbench.ir.expr import Const, Expr, Load, Var, apply, integer, rebuild
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
    map_exprs,
    walk_stmts,
)
from workbench.passes.fold import fold, literal_int
from workbench.schedule.nests import extent, fresh, taken, with_nests
from workbench.schedule.vector_steps import uneven

if TYPE_CHECKING:
    from workbench.ir.loops import Loops


@dataclass(slots=True, eq=False)
class _Names:
    """The names of a function, and those of them that the statements written so far declare."""

    taken: set[str]
    written: set[str]

    def own(self, name: str) -> str:
        """The name for one more declaration."""
        if name in self.written:
            return fresh(self.taken, name)
        self.written.add(name)
        return name


Values = Mapping[str, Expr | str]
"""What stands for names: an expression for a variable, another name for an array."""


def write_out(loops: Loops, lanes: int | None = None) -> Loops:
    """The function without loops that are to be written out; a vector has at most `lanes`."""
    if not any(_expands(s, lanes) for s in walk_stmts(loops.body)):
        return loops
    names = _Names(taken(loops), set())

    def change(s: Stmt) -> Body:
        wanted = any(_expands(x, lanes) for x in walk_stmts((s,)))
        return tuple(_statement(_nest(s), {}, names, lanes)) if wanted else (s,)

    return replace(loops, body=with_nests(loops.body, change))


def _nest(s: Stmt) -> Stmt:
    """An outermost loop as it is written out: what declares something for its body stays one."""
    if not isinstance(s, For) or s.kind not in {LoopKind.UNROLLED, LoopKind.VECTOR}:
        return s
    if not any(isinstance(x, Local | Alloc) for x in walk_stmts(s.body)):
        return s
    return replace(s, kind=LoopKind.SERIAL)


def _expands(s: Stmt, lanes: int | None) -> bool:
    return isinstance(s, For) and _parts(s, lanes) is not None


def _parts(s: For, lanes: int | None) -> Sequence[tuple[Expr, int]] | None:
    """The first value of each copy of a loop and how many iterations it has; None: it stays."""
    count, start = extent(s), literal_int(s.start)
    if count is None or start is None or leaves(s.body):
        return None
    if s.kind is LoopKind.UNROLLED:
        return [(integer(start + n * s.step), 1) for n in range(count)]
    if s.kind is LoopKind.VECTOR and any(map(uneven, s.body)):
        return [(integer(start + n * s.step), 1) for n in range(count)]
    if s.kind is not LoopKind.VECTOR or lanes is None or (count <= lanes and s.step == 1):
        return None
    most = lanes if s.step == 1 else 1
    sizes = [min(most, count - first) for first in range(0, count, most)]
    return [(integer(start + n * most * s.step), size) for n, size in enumerate(sizes)]


def _body(body: Body, values: Values, names: _Names, lanes: int | None) -> Body:
    inner = dict(values)
    out: list[Stmt] = []
    for s in body:
        out += _statement(s, inner, names, lanes)
    return tuple(out)


def _statement(  # noqa: C901  (one case per statement)
    s: Stmt, values: dict[str, Expr | str], names: _Names, lanes: int | None
) -> list[Stmt]:
    """The statements in the place of one; what it declares is added to `values`."""
    match s:
        case For() if (parts := _parts(s, lanes)) is not None:
            return [x for first, size in parts for x in _copy(s, first, size, values, names, lanes)]
        case For(var):
            own = names.own(var)
            _declare(values, var, own)
            start, stop = _expr(s.start, values), _expr(s.stop, values)
            body = _body(s.body, values, names, lanes)
            return [replace(s, var=own, start=start, stop=stop, body=body)]
        case Local(name, value):
            own, value = names.own(name), _expr(value, values)
            _declare(values, name, own)
            return [replace(s, name=own, value=value)]
        case Alloc(name):
            own = names.own(name)
            _declare(values, name, own)
            return [replace(s, name=own)]
        case Assign(name, value):
            return [replace(s, name=_renamed(name, values), value=_expr(value, values))]
        case Store(array) | Outside(array):
            changed = map_exprs(s, partial(_expr, values=values))
            assert isinstance(changed, Store | Outside), "the same statement"
            return [replace(changed, array=_renamed(array, values))]
        case If(cond, then, orelse):
            test = _expr(cond, values)
            if isinstance(test, Const):
                return list(_body(then if test.value else orelse, values, names, lanes))
            both = [_body(b, values, names, lanes) for b in (then, orelse)]
            return [replace(s, cond=test, then=both[0], orelse=both[1])]
        case While(cond, body):
            test = _expr(cond, values)
            return [replace(s, cond=test, body=_body(body, values, names, lanes))]
        case Break() | Continue() | Barrier():
            return [s]
        case _:
            assert_never(s)


def _copy(
    s: For, first: Expr, size: int, values: Values, names: _Names, lanes: int | None
) -> list[Stmt]:
    """One iteration of an unrolled loop, or the lanes of one value."""
    inner = dict(values)
    if size == 1:
        inner[s.var] = first
        return list(_body(s.body, inner, names, lanes))
    var = names.own(s.var)
    lane = Var(var)
    inner[s.var] = lane if literal_int(first) == 0 else apply("add", lane, first)
    body = _body(s.body, inner, names, lanes)
    return [replace(s, var=var, start=integer(0), stop=integer(size), body=body)]


def _declare(values: dict[str, Expr | str], name: str, own: str) -> None:
    if name != own:
        values[name] = own
    else:
        values.pop(name, None)


def _renamed(name: str, values: Values) -> str:
    other = values.get(name, name)
    assert isinstance(other, str), "an array or a local"
    return other


def _expr(e: Expr, values: Values) -> Expr:
    return fold(_replaced(e, values))


def _replaced(e: Expr, values: Values) -> Expr:
    match e:
        case Var(name) if name in values:
            other = values[name]
            if isinstance(other, str):
                return replace(e, name=other)
            return replace(other, origin=e.origin)
        case Load(array) if array in values:
            inner = rebuild(e, lambda x: _replaced(x, values))
            assert isinstance(inner, Load), "the same node"
            return replace(inner, array=_renamed(array, values))
        case _:
            return rebuild(e, lambda x: _replaced(x, values))
