"""Device code made ready for WGSL, statements to statements: values that WGSL cannot write.

`Select` evaluates only the branch taken, WGSL's `select` evaluates both: where a branch loads
from an array, the choice becomes an `if` that sets a local. Operations on literals alone are
evaluated here, because WGSL compilers refuse constants that overflow and compute the others in
a precision of their own. The bound of a loop is read once, before the loop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

import numpy as np

from workbench.base.dtypes import BOOL, F16, F32, DType
from workbench.ir.expr import (
    Apply,
    Cast,
    Const,
    Expr,
    Iterated,
    Load,
    Reduce,
    Select,
    Var,
    apply,
    children,
    free_names,
    map_iteration,
    rebuild,
    walk,
)
from workbench.ir.ops import OPS
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
    walk_stmts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class _Scope:
    """Names taken in the kernel (grows as fresh ones are made), and locals that change."""

    taken: set[str]
    assigned: frozenset[str]

    def fresh(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}_{number}", number + 1
        self.taken.add(name)
        return name


def prepare(body: Body, taken: Iterable[str]) -> Body:
    """The same statements in the forms above; `taken` are names that fresh locals must avoid."""
    assigned = frozenset(s.name for s in walk_stmts(body) if isinstance(s, Assign))
    return _body(body, _Scope(set(taken), assigned))


def declared_names(body: Body) -> tuple[str, ...]:
    """The names of loops, locals and arrays declared in a body, in text order."""
    return tuple(
        s.var if isinstance(s, For) else s.name
        for s in walk_stmts(body)
        if isinstance(s, For | Local | Alloc)
    )


def literal_zero(dtype: DType) -> Const:
    """The zero of a dtype."""
    return Const({"f": 0.0, "b": False}.get(dtype.kind, 0), dtype)


def fold_literals(e: Expr) -> Expr:
    """Operations, casts and choices among literals alone evaluated, in their dtype, by NumPy."""
    inner = rebuild(e, fold_literals)
    if not children(inner) or not all(isinstance(x, Const) for x in children(inner)):
        return inner
    match inner:
        case Apply(op, args):
            with np.errstate(all="ignore"):
                value = OPS[op].numpy(*(_scalar(x) for x in args)).astype(inner.dtype.numpy)
            return Const(value.item(), inner.dtype, origin=e.origin)
        case Cast(dtype, arg):
            return Const(_cast(_scalar(arg), dtype).item(), dtype, origin=e.origin)
        case Select(Const(value), yes, no):
            return yes if value else no
        case _:
            return inner


def _scalar(e: Expr) -> np.ndarray:
    assert isinstance(e, Const), "only literals are evaluated"
    return np.asarray(e.value).astype(e.dtype.numpy)


def _cast(value: np.ndarray, dtype: DType) -> np.ndarray:
    if value.dtype.kind == "f" and dtype.kind in "iu":
        bounds = np.iinfo(str(dtype.numpy))
        number = 0.0 if np.isnan(value) else float(value)
        return np.asarray(int(min(max(number, bounds.min), bounds.max)), dtype.numpy)
    return value.astype(dtype.numpy)


def _body(body: Body, scope: _Scope) -> Body:
    out: list[Stmt] = []
    for s in body:
        _stmt(s, scope, out)
    return tuple(out)


def _stmt(s: Stmt, scope: _Scope, out: list[Stmt]) -> None:
    match s:
        case For():
            start, stop = _value(s.start, scope, out), _value(s.stop, scope, out)
            if not _stable(stop, scope):
                name = scope.fresh(f"{s.var}_stop")
                out.append(Local(name, stop, fixed=True, origin=stop.origin))
                stop = Var(name, stop.dtype, origin=stop.origin)
            out.append(replace(s, start=start, stop=stop, body=_body(s.body, scope)))
        case While():
            out.append(_while(s, scope))
        case If():
            cond = _value(s.cond, scope, out)
            then, orelse = _body(s.then, scope), _body(s.orelse, scope)
            out.append(replace(s, cond=cond, then=then, orelse=orelse))
        case Local() | Assign():
            out.append(replace(s, value=_value(s.value, scope, out)))
        case Store():
            index = tuple(_value(x, scope, out) for x in s.index)
            out.append(replace(s, index=index, value=_value(s.value, scope, out)))
        case Outside():
            index = tuple(_value(x, scope, out) for x in s.index)
            iteration = map_iteration(s.iteration, lambda x: _value(x, scope, out))
            out.append(replace(s, index=index, iteration=iteration))
        case Alloc() | Break() | Continue() | Barrier():
            out.append(s)
        case _:
            assert_never(s)


def _while(s: While, scope: _Scope) -> While:
    """A condition that needs statements of its own is computed inside, and leaves by `break`."""
    before: list[Stmt] = []
    cond = _value(s.cond, scope, before)
    body = _body(s.body, scope)
    if not before:
        return replace(s, cond=cond, body=body)
    leave = If(_not(cond), (Break(origin=s.origin),), origin=s.cond.origin)
    return replace(s, cond=Const(value=True, dtype=BOOL), body=(*before, leave, *body))


def _stable(stop: Expr, scope: _Scope) -> bool:
    loaded = any(isinstance(x, Load) for x in walk(stop))
    return not loaded and not (free_names(stop) & scope.assigned)


def _value(e: Expr, scope: _Scope, before: list[Stmt]) -> Expr:
    return _plain(fold_literals(e), scope, before)


def _plain(e: Expr, scope: _Scope, before: list[Stmt]) -> Expr:
    """The expression without lazy choices; the statements that make them go to `before`."""
    match e:
        case Select() if _loads(e.yes) or _loads(e.no):
            return _choice(e, scope, before)
        case Apply("and" | "or", (left, right)):
            first = _plain(left, scope, before)
            inside: list[Stmt] = []
            second = _plain(right, scope, inside)
            if inside:
                return _short_circuit(e, (first, second), inside, scope, before)
            same = first is left and second is right
            return e if same else replace(e, args=(first, second))
        case Cast(dtype, arg) if arg.dtype is F16 and dtype.kind in "iu":
            wide = Cast(F32, _plain(arg, scope, before), origin=arg.origin)
            return replace(e, arg=wide)
        case Reduce() | Iterated():
            raise AssertionError("lowering turned every reduction into loops")
        case _:
            return rebuild(e, lambda x: _plain(x, scope, before))


def _loads(e: Expr) -> bool:
    """Whether evaluating `e` reads an array at an index, which the other branch may forbid."""
    return any(isinstance(x, Load) and x.index for x in walk(e))


def _choice(e: Select, scope: _Scope, before: list[Stmt]) -> Expr:
    cond = _plain(e.cond, scope, before)
    name = scope.fresh("picked")
    branches: list[Body] = []
    for branch in (e.yes, e.no):
        inside: list[Stmt] = []
        value = _plain(branch, scope, inside)
        branches.append((*inside, Assign(name, value, origin=branch.origin)))
    yes, no = branches
    if isinstance(e.no, Const | Var):
        first, choice = e.no, If(cond, yes, origin=e.origin)
    elif isinstance(e.yes, Const | Var):
        first, choice = e.yes, If(_not(cond), no, origin=e.origin)
    else:
        first, choice = literal_zero(e.dtype), If(cond, yes, no, origin=e.origin)
    before += [Local(name, first, origin=e.origin), choice]
    return Var(name, e.dtype, origin=e.origin)


def _short_circuit(
    e: Apply, sides: tuple[Expr, Expr], inside: list[Stmt], scope: _Scope, before: list[Stmt]
) -> Expr:
    """`left and right` whose right side needs statements: they run only where it is asked for."""
    name = scope.fresh("holds")
    so_far = Var(name, BOOL, origin=e.origin)
    asked = so_far if e.op == "and" else _not(so_far)
    right = Assign(name, sides[1], origin=e.origin)
    before += [
        Local(name, sides[0], origin=e.origin),
        If(asked, (*inside, right), origin=e.origin),
    ]
    return so_far


def _not(cond: Expr) -> Expr:
    return apply("not", cond, origin=cond.origin)
