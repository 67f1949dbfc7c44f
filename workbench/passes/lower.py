"""Lowering: a specialised graph becomes loop nests, one for each definition.

    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))

    for i in range(M):  # parallel
        for j in range(N):  # parallel
            C[i, j] = 0.0
            for k in range(K):
                C[i, j] += A[i, k] * B[k, j]

A reduction inside a larger expression gets an accumulator in private memory. Loop variables
and locals are made unique in the function: a second `i` becomes `i_1`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from workbench.base.dtypes import BOOL, I32
from workbench.base.errors import CodegenError
from workbench.ir.expr import (
    Apply,
    Cast,
    Const,
    Expr,
    Iterated,
    Load,
    Range,
    Reduce,
    Select,
    Var,
    apply,
    integer,
    rebuild,
    walk,
)
from workbench.ir.extents import uniform
from workbench.ir.graph import Block, Definition, Equation, Graph, Repeat, defined, each
from workbench.ir.loops import Loops
from workbench.ir.ops import unit, zero
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
    Memory,
    Outside,
    Stmt,
    Store,
    While,
    walk_stmts,
)
from workbench.passes.buffers import buffer, extent, private
from workbench.passes.checked import (
    found_something,
    inside,
    needs_statements,
    refuse_empty_range,
)
from workbench.passes.fold import literal_int
from workbench.passes.names import fresh_name
from workbench.passes.scopes import Scope, set_at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.base.source import Origin


def lower(graph: Graph) -> Loops:
    """The loops of a specialised graph. Raises `CodegenError` for arrays beyond 2^31 elements."""
    arrays = graph.arrays()
    scalars = tuple(s.name for s in graph.scalars)
    taken = set(arrays) | set(scalars) | private(graph)
    shapes = {a.name: tuple(extent(x) for x in a.shape) for a in arrays.values()}
    scope = Scope(taken, {}, shapes, graph.open, scalars)
    body: list[Stmt] = []
    for d in graph.definitions:
        body += _definition(d, scope)
    inputs = {a.name for a in graph.inputs}
    written = {a.name: a for d in each(graph.definitions) for a in defined(d)}.values()
    buffers = [buffer(a, "input") for a in graph.inputs]
    buffers += [
        buffer(a, "output" if a.name in graph.outputs else "temporary")
        for a in written
        if a.name not in inputs
    ]
    return Loops(
        graph.name, tuple(buffers), graph.scalars, tuple(body), graph.outputs, graph.open,
        origin=graph.origin,
    )  # fmt: skip


def _definition(d: Definition, scope: Scope) -> Body:
    match d:
        case Equation():
            return _equation(d, scope)
        case Block():
            private = {s.name: s.shape for s in walk_stmts(d.body) if isinstance(s, Alloc)}
            return _body(d.body, replace(scope, shapes={**scope.shapes, **private}))
        case Repeat():
            return _repeat(d, scope)
        case _:
            assert_never(d)


def _repeat(d: Repeat, scope: Scope) -> Body:
    """A serial loop around the nests; without a parallel loop inside, a loop like any other."""
    before: list[Stmt] = []
    start, stop = _expr(d.start, scope, before), _expr(d.stop, scope, before)
    name, inner = scope.bind(d.var)
    inner = replace(inner, known=(*scope.known, name))
    body = tuple(s for x in d.body for s in _definition(x, inner))
    parallel = any(isinstance(s, For) and s.kind is LoopKind.PARALLEL for s in walk_stmts(body))
    kind = LoopKind.REPEAT if parallel else LoopKind.SERIAL
    if parallel and not (uniform(start, scope.known) and uniform(stop, scope.known)):
        raise CodegenError(
            f"the bounds of '{d.var}' are known only when it runs, and it repeats whole nests",
            span=d.origin.nearest_span(),
            hint=f"for {d.var} in range(T): with a dim or an i32 parameter T",
        )
    return (*before, For(name, start, stop, body, kind, origin=d.origin))


def _equation(d: Equation, scope: Scope) -> Body:
    loops: list[tuple[str, Expr, Origin]] = []
    for a in d.axes:
        name, scope = scope.bind(a.name)
        loops.append((name, a.extent, a.origin))
    index = tuple(Var(name, origin=origin) for name, _, origin in loops)
    body = _assign_to(d, index, scope)
    for name, size, origin in reversed(loops):
        body = (For(name, integer(0), size, body, LoopKind.PARALLEL, origin=origin),)
    return body


def _assign_to(d: Equation, index: tuple[Expr, ...], scope: Scope) -> Body:
    value = d.value
    if isinstance(value, Reduce) and value.op not in {"argmax", "argmin"}:
        start = Store(
            d.target, index, unit(value.op, d.dtype),
            origin=value.origin.derive("before the first term"), place=d.place,
        )  # fmt: skip

        def update(term: Expr) -> Stmt:
            return Store(d.target, index, term, value.op, origin=value.origin, place=d.place)

        return (start, *_reduction_loops(value, update, scope))
    before: list[Stmt] = []
    final = _expr(value, scope, before)
    return (*before, Store(d.target, index, final, origin=d.origin, place=d.place))


def _reduction_loops(e: Reduce, update: Callable[[Expr], Stmt], scope: Scope) -> Body:
    """The loops over the ranges of a reduction, `update(term)` innermost."""

    def nest(ranges: tuple[Range, ...], scope: Scope) -> Body:
        if not ranges:
            before: list[Stmt] = []
            test = None if e.cond is None else _expr(e.cond, scope, before)
            inside: list[Stmt] = before if test is None else []
            term = _expr(e.body, scope, inside)
            fitted = term if term.dtype == e.dtype else Cast(e.dtype, term, origin=term.origin)
            inside.append(update(fitted))
            if test is None:
                return tuple(inside)
            return (*before, If(test, tuple(inside), origin=test.origin))
        outer, *rest = ranges
        before = []
        start, stop = _expr(outer.start, scope, before), _expr(outer.stop, scope, before)
        name, inner = scope.bind(outer.var)
        return (*before, For(name, start, stop, nest(tuple(rest), inner), origin=outer.origin))

    return nest(e.ranges, scope)


def _expr(e: Expr, scope: Scope, before: list[Stmt]) -> Expr:
    """The expression without reductions; the statements that compute those go to `before`."""
    match e:
        case Var(name):
            bound = scope.values.get(name)
            return e if bound is None else replace(bound, origin=e.origin)
        case Reduce(op):
            return (_best if op in {"argmax", "argmin"} else _accumulate)(e, scope, before)
        case Apply("and" | "or", (left, right)) if any(map(needs_statements, walk(right))):
            known = Const(e.op == "or", BOOL, origin=e.origin)
            yes, no = (right, known) if e.op == "and" else (known, right)
            return _expr(Select(left, yes, no, origin=e.origin), scope, before)
        case Iterated():
            return _iterated(e, scope, before)
        case Select() if any(needs_statements(x) for x in (*walk(e.yes), *walk(e.no))):
            return _select(e, scope, before)
        case Load() if e.checked:
            return _checked_load(e, scope, before)
        case Load():
            return replace(rebuild(e, lambda x: _expr(x, scope, before)), iteration=())
        case _:
            return rebuild(e, lambda x: _expr(x, scope, before))


def _checked_load(e: Load, scope: Scope, before: list[Stmt]) -> Expr:
    """An element that may not be there: 0 and a report where it is not.

    before:  y[i] = table[idx[i]]
    after:   at = idx[i]
             element = 0
             if 0 <= at and at < 5: element = table[at]
             else: outside(table, at, 5)
             y[i] = element
    """
    index = _held(e, scope, before)
    name = fresh_name("element", scope.taken)
    whole = replace(e, index=index, checked=(), iteration=())
    before.append(Local(name, zero(e.dtype), origin=e.origin.derive("where it is outside")))
    access = (Assign(name, whole, origin=e.origin),)
    before += inside(e, index, scope.shapes[e.array], scope.around(e.iteration), access)
    return Var(name, e.dtype, origin=e.origin)


def _held(e: Load | Store, scope: Scope, before: list[Stmt]) -> tuple[Expr, ...]:
    """The index of an access, what is checked of it in locals."""
    index: list[Expr] = []
    for place, x in enumerate(e.index):
        value = _expr(x, scope, before)
        if place in e.checked and not isinstance(value, Const | Var):
            name = fresh_name("at", scope.taken)
            before.append(Local(name, value, fixed=True, origin=x.origin))
            value = Var(name, value.dtype, origin=x.origin)
        index.append(value)
    return tuple(index)


def _accumulate(e: Reduce, scope: Scope, before: list[Stmt]) -> Expr:
    name = fresh_name("acc", scope.taken)
    place = e.origin.derive("its accumulator")
    before += [
        Alloc(name, e.dtype, (), Memory.PRIVATE, origin=place),
        Store(name, (), unit(e.op, e.dtype), origin=e.origin.derive("before the first term"),
              place=place),
    ]  # fmt: skip
    before += _reduction_loops(
        e, lambda term: Store(name, (), term, e.op, origin=e.origin, place=place), scope
    )
    return Load(name, (), e.dtype, origin=place)


def _best(e: Reduce, scope: Scope, before: list[Stmt]) -> Expr:
    """Argmax and argmin: the best value so far and its index, -1 before the first term."""
    value, index = fresh_name("best", scope.taken), fresh_name("best_index", scope.taken)
    dtype = e.body.dtype
    place = e.origin.derive("its best index so far")
    (over,) = e.ranges
    literal = literal_int(over.start) is not None and literal_int(over.stop) is not None
    if literal:
        refuse_empty_range(e, over)
    before += [
        Alloc(value, dtype, (), Memory.PRIVATE, origin=place),
        Alloc(index, I32, (), Memory.PRIVATE, origin=place),
        Store(value, (), Const(0.0 if dtype.kind == "f" else 0, dtype), origin=place, place=place),
        Store(index, (), integer(-1), origin=place, place=place),
    ]
    term_name = fresh_name("term", scope.taken)
    term = Var(term_name, dtype)
    best, so_far = Load(value, (), dtype), Load(index, (), I32)
    better = apply("gt" if e.op == "argmax" else "lt", term, best, origin=e.origin)
    if dtype.kind == "f":
        first_nan = apply("and", apply("ne", term, term), apply("eq", best, best))
        better = apply("or", better, first_nan, origin=e.origin)
    better = apply("or", apply("lt", so_far, integer(0)), better, origin=e.origin)
    start, stop = _expr(over.start, scope, before), _expr(over.stop, scope, before)
    loop, inner = scope.bind(over.var)
    keep: Body = (
        Store(value, (), term, origin=e.origin, place=place),
        Store(index, (), Var(loop), origin=e.origin, place=place),
    )
    inside: list[Stmt] = []
    body = _expr(e.body, inner, inside)
    inside += [Local(term_name, body, fixed=True, origin=body.origin)]
    inside += [If(better, keep, origin=e.origin)]
    if e.cond is not None:
        tests: list[Stmt] = []
        test = _expr(e.cond, inner, tests)
        inside = [*tests, If(test, tuple(inside), origin=test.origin)]
    before.append(For(loop, start, stop, tuple(inside), origin=over.origin))
    if not literal or e.cond is not None:
        before.append(found_something(e, so_far, scope.around(e.iteration)))
    return Load(index, (), I32, origin=place)


def _iterated(e: Iterated, scope: Scope, before: list[Stmt]) -> Expr:
    """What a value is after a loop: a local that the loop sets; one loop for all its values."""
    whole = replace(e, place=0)
    for place, made, known in scope.iterated:
        if place is before and made == whole:
            return known[e.place]
    first = [_expr(x, scope, before) for x in e.first]
    values: list[Var] = []
    inner = scope
    for name, value in zip(e.names, first, strict=True):
        fresh, inner = inner.bind(name, Var(name, value.dtype))
        values.append(Var(fresh, value.dtype, origin=e.origin))
        kept = e.following[len(values) - 1] == Var(name, value.dtype)
        before.append(Local(fresh, value, fixed=kept, origin=e.origin))
    if isinstance(e.over, Range):
        start, stop = _expr(e.over.start, scope, before), _expr(e.over.stop, scope, before)
        var, inner = inner.bind(e.over.var)
        body = _turn(e, values, inner)
        before.append(For(var, start, stop, body, origin=e.origin))
    else:
        loop = _while(While(e.over, (), origin=e.origin), inner.apart())
        before.append(replace(loop, body=(*loop.body, *_turn(e, values, inner))))
    scope.iterated.append((before, whole, tuple(values)))
    return values[e.place]


def _turn(e: Iterated, values: list[Var], scope: Scope) -> Body:
    """The statements of a turn."""
    out: list[Stmt] = []
    inner = scope.apart()
    new = [_expr(x, inner, out) for x in e.following]
    return (*out, *set_at_once(values, new, scope.taken))


def _select(e: Select, scope: Scope, before: list[Stmt]) -> Expr:
    """`yes if cond else no` with a reduction in a branch: an `if` that sets a local."""
    cond = _expr(e.cond, scope, before)
    name = fresh_name("chosen", scope.taken)
    branches: list[Body] = []
    for branch in (e.yes, e.no):
        inside: list[Stmt] = []
        value = _expr(branch, scope, inside)
        branches.append((*inside, Assign(name, value, origin=branch.origin)))
    before += [
        Local(name, zero(e.dtype), origin=e.origin),
        If(cond, branches[0], branches[1], origin=e.origin),
    ]
    return Var(name, e.dtype, origin=e.origin)


def _body(body: Body, scope: Scope) -> Body:
    """The statements of a block, reductions taken out and names made unique."""
    out: list[Stmt] = []
    for s in body:
        scope = _stmt(s, scope, out)
    return tuple(out)


def _stmt(s: Stmt, scope: Scope, out: list[Stmt]) -> Scope:
    """Append the lowered statement to `out`; gives the scope of the statements after it."""
    scope = scope.apart()
    match s:
        case For():
            start, stop = _expr(s.start, scope, out), _expr(s.stop, scope, out)
            name, inner = scope.bind(s.var)
            out.append(replace(s, var=name, start=start, stop=stop, body=_body(s.body, inner)))
        case While():
            out.append(_while(s, scope))
        case If():
            cond = _expr(s.cond, scope, out)
            then, orelse = _body(s.then, scope), _body(s.orelse, scope)
            out.append(replace(s, cond=cond, then=then, orelse=orelse))
        case Local(name, value):
            new = _expr(value, scope, out)
            fresh, scope = scope.bind(name, Var(name, value.dtype))
            out.append(replace(s, name=fresh, value=new))
        case Assign(name, value):
            target = scope.values[name]
            assert isinstance(target, Var), "an assigned name stands for a local"
            out.append(replace(s, name=target.name, value=_expr(value, scope, out)))
        case Store():
            index = _held(s, scope, out)
            value = _expr(s.value, scope, out)
            unproved = tuple(_expr(x, scope, out) for x in s.unproved)
            plain = replace(
                s, index=index, value=value, checked=(), unproved=unproved, iteration=()
            )
            out += inside(s, index, scope.shapes[s.array], scope.around(s.iteration), (plain,))
        case Alloc() | Break() | Continue() | Barrier() | Outside():
            out.append(s)
        case _:
            assert_never(s)
    return scope


def _while(s: While, scope: Scope) -> While:
    before: list[Stmt] = []
    cond = _expr(s.cond, scope, before)
    body = _body(s.body, scope)
    if not before:
        return replace(s, cond=cond, body=body)
    leave = If(apply("not", cond, origin=cond.origin), (Break(),), origin=cond.origin)
    return replace(s, cond=Const(value=True, dtype=BOOL), body=(*before, leave, *body))
