"""Accesses: who touches which element of which array, when, and under which conditions.

Each load, store, and use of a changing local becomes one `Access`: the loops around it, what
must hold for it to happen, and its time, a vector in which text positions and loop variables
alternate. No isl here; `ir/deps.py` asks the questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from workbench.base.dtypes import BOOL, I32, DType, spread
from workbench.base.source import NOWHERE, Origin
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
    integer,
    substitute,
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
    writes,
)

Kind = Literal["reads", "writes", "updates"]


@dataclass(frozen=True, slots=True)
class Access:
    """One place in the text that touches an element.

    `index` holds None where the element depends on values that change in the region looked at.
    `op` is the operation of an update. `time` orders instances: numbers are text positions,
    names are loops. `loops` are the variables around it, outermost first, `conditions` what
    holds when it happens; `exact` is false where something else decides, too. `home` are the
    loops around the declaration of a private array or a local: each iteration has its own.
    `atomic` and `unproved` are those of the store, the latter in loop variables.
    """

    array: str
    kind: Kind
    index: tuple[Expr | None, ...]
    time: tuple[int | str, ...]
    loops: tuple[str, ...]
    conditions: tuple[Expr, ...]
    exact: bool
    home: frozenset[str]
    op: str | None
    origin: Origin
    atomic: bool = False
    unproved: tuple[Expr | None, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the element is written."""
        return self.kind != "reads"


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is known at a place in the text."""

    time: tuple[int | str, ...]
    loops: tuple[str, ...]
    conditions: tuple[Expr, ...]
    exact: bool
    homes: Mapping[str, frozenset[str]]
    values: Mapping[str, Expr]
    unsteady: frozenset[str]
    assigned: frozenset[str]

    def at(self, *time: int | str) -> _Scope:
        # Written out, for this is asked once for each statement, and `replace` is slow.
        return _Scope(
            (*self.time, *time), self.loops, self.conditions, self.exact, self.homes,
            self.values, self.unsteady, self.assigned,
        )  # fmt: skip

    def where(self, cond: Expr) -> _Scope:
        """The scope in which `cond` holds; forgotten where its value changes in the region."""
        known = self.known(cond)
        if known is None:
            return replace(self, exact=False)
        return replace(self, conditions=(*self.conditions, known))

    def known(self, e: Expr) -> Expr | None:
        """The expression in loop variables and parameters, None where its value changes."""
        inlined = substitute(e, self.values) if self.values else e
        for x in walk(inlined):
            if isinstance(x, Load) and x.array in self.unsteady:
                return None
            if isinstance(x, Var) and x.name in self.unsteady:
                return None
        return inlined


def accesses(body: Body) -> tuple[Access, ...]:
    """Every access in the body, in text order; expressions are read before they are stored."""
    assigned = frozenset(s.name for s in walk_stmts(body) if isinstance(s, Assign))
    unsteady = assigned | {s.array for s in writes(body)}
    scope = _Scope(
        time=(), loops=(), conditions=(), exact=True, homes={}, values={},
        unsteady=unsteady, assigned=assigned,
    )  # fmt: skip
    return tuple(_body(body, scope, 0))


def before(a: Access, b: Access) -> Iterator[dict[str, int]]:
    """The ways in which an instance of `a` comes before one of `b`.

    Each is a sign per loop: 0 where both are in the same iteration, -1 where `a` is in an
    earlier one; loops not named are free.
    """
    signs: dict[str, int] = {}
    for first, second in zip(a.time, b.time, strict=False):
        if isinstance(first, int) and isinstance(second, int):
            if first < second:
                yield signs
            if first != second:
                return
        else:
            assert isinstance(first, str), "times of one body alternate alike"
            assert first == second, "the same place holds the same loop"
            yield {**signs, first: -1}
            signs = {**signs, first: 0}


def number(e: Expr, values: Mapping[str, int]) -> int | None:
    """The value of an i32 or bool expression; None where it holds a load or an unknown name."""
    match e:
        case Const(value):
            return int(value)
        case Var(name):
            return values.get(name)
        case Apply(op, args):
            numbers = [number(x, values) for x in args]
            known = [x for x in numbers if x is not None]
            if len(known) < len(numbers) or e.args[0].dtype.kind not in "iub":
                return None
            return int(OPS[op].numpy(*(e.args[0].dtype.numpy.type(x) for x in known)))
        case Cast(dtype, arg):
            known = number(arg, values) if dtype.kind in "iub" else None
            return None if known is None else _wrapped(known, dtype)
        case Select(cond, yes, no):
            test = number(cond, values)
            return None if test is None else number(yes if test else no, values)
        case Load() | Reduce() | Iterated():
            return None
        case _:
            assert_never(e)


def _wrapped(value: int, dtype: DType) -> int:
    """A whole number in a dtype of integers or bools."""
    if dtype is BOOL:
        return int(value != 0)
    least, greatest = spread(dtype)
    return (value - least) % (greatest - least + 1) + least


def leaves(body: Body) -> bool:
    """Whether a break or continue in the body belongs to the loop around it."""
    return any(_leaves(s) for s in body)


def breaks(body: Body) -> bool:
    """Whether a break in the body ends the loop around it."""
    return any(
        isinstance(s, Break) or (isinstance(s, If) and (breaks(s.then) or breaks(s.orelse)))
        for s in body
    )


def _leaves(s: Stmt) -> bool:
    match s:
        case Break() | Continue():
            return True
        case If():
            return leaves(s.then) or leaves(s.orelse)
        case For() | While() | Local() | Assign() | Store() | Alloc() | Barrier() | Outside():
            return False
        case _:
            assert_never(s)


def _body(body: Body, scope: _Scope, first: int) -> Iterator[Access]:
    """The accesses of a body whose first statement stands at text position `first`."""
    if leaves(body):
        scope = replace(scope, exact=False)
    for place, s in enumerate(body, first):
        yield from _statement(s, scope, 2 * place)
        scope = _after(s, scope)


def _after(s: Stmt, scope: _Scope) -> _Scope:
    """The scope of the statements that follow `s` in its body."""
    match s:
        case Alloc(name):
            return replace(scope, homes={**scope.homes, name: frozenset(scope.loops)})
        case Local(name, value) if name in scope.assigned:
            return replace(scope, homes={**scope.homes, name: frozenset(scope.loops)})
        case Local(name, value):
            known = scope.known(value)
            if known is None:
                return replace(scope, unsteady=scope.unsteady | {name})
            return replace(scope, values={**scope.values, name: known})
        case _:
            return scope


def _statement(s: Stmt, scope: _Scope, place: int) -> Iterator[Access]:  # noqa: C901  (total)
    here, inside = scope.at(place), scope.at(place + 1)
    match s:
        case For():
            yield from _reads(s.start, here)
            yield from _reads(s.stop, here)
            yield from _body(s.body, _iteration(s, inside), 0)
        case While():
            turn = f"turn {sum(x.startswith('turn') for x in scope.loops)} of while"
            inner = replace(inside.at(turn), loops=(*scope.loops, turn), exact=False)
            inner = replace(inner, conditions=(*inner.conditions, _not_negative(turn)))
            yield from _reads(s.cond, inner.at(-1))
            yield from _body(s.body, inner, 0)
        case If():
            yield from _reads(s.cond, here)
            yield from _body(s.then, inside.where(s.cond), 0)
            otherwise = inside.where(apply("not", s.cond))
            yield from _body(s.orelse, otherwise, len(s.then))
        case Local(name, value) | Assign(name, value):
            yield from _reads(value, here)
            if name in scope.assigned:
                declared = _after(s, scope)
                yield _access(name, "writes", (), replace(inside, homes=declared.homes), s.origin)
        case Store():
            for e in (*s.index, s.value):
                yield from _reads(e, here)
            kind: Kind = "writes" if s.reduce is None else "updates"
            where = s.origin if s.place is NOWHERE else s.place
            found = _access(s.array, kind, s.index, inside, where)
            apart = tuple(inside.known(x) for x in s.unproved)
            yield replace(found, op=s.reduce, atomic=s.atomic, unproved=apart)
        case Outside():
            for e in s.index:
                yield from _reads(e, here)
        case Alloc() | Break() | Continue() | Barrier():
            return
        case _:
            assert_never(s)


def _iteration(s: For, scope: _Scope) -> _Scope:
    """The scope inside one iteration of a loop."""
    var = Var(s.var)
    tests = [apply("ge", var, s.start), apply("lt", var, s.stop)]
    if s.step > 1:
        rest = apply("mod", apply("sub", var, s.start), integer(s.step))
        tests.append(apply("eq", rest, integer(0)))
    known = [scope.known(test) for test in tests]
    return replace(
        scope,
        time=(*scope.time, s.var),
        loops=(*scope.loops, s.var),
        conditions=(*scope.conditions, *(c for c in known if c is not None)),
        exact=scope.exact and None not in known,
    )


def _not_negative(turn: str) -> Expr:
    return apply("ge", Var(turn), integer(0))


def _reads(e: Expr, scope: _Scope) -> Iterator[Access]:  # noqa: C901  (total)
    """The accesses of an expression; what is evaluated under a condition only, under it."""
    match e:
        case Const() | Reduce() | Iterated():
            return
        case Var(name):
            if name in scope.assigned:
                yield _access(name, "reads", (), scope, e.origin)
        case Load(array, index):
            for x in index:
                yield from _reads(x, scope)
            yield _access(array, "reads", index, scope, e.origin)
        case Apply(op, args):
            for x in args:
                yield from _reads(x, scope)
                if op in {"and", "or"}:  # the rest is evaluated where this does not settle it
                    scope = scope.where(x if op == "and" else apply("not", x))
        case Cast(_, arg):
            yield from _reads(arg, scope)
        case Select(cond, yes, no):
            yield from _reads(cond, scope)
            yield from _reads(yes, scope.where(cond))
            yield from _reads(no, scope.where(apply("not", cond)))
        case _:
            assert_never(e)


def _access(
    name: str, kind: Kind, index: tuple[Expr, ...], scope: _Scope, origin: Origin
) -> Access:
    known = tuple(scope.known(e) if e.dtype == I32 else None for e in index)
    return Access(
        array=name,
        kind=kind,
        index=known,
        time=scope.time,
        loops=scope.loops,
        conditions=scope.conditions,
        exact=scope.exact and None not in known,
        home=scope.homes.get(name, frozenset()),
        op=None,
        origin=origin,
    )
