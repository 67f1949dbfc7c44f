"""Expressions: one closed sum of frozen values, each with its dtype and its origin.

`Reduce` and `Iterated` stand in graphs only; lowering turns them into loops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import is_
from typing import TYPE_CHECKING, assert_never

from workbench.base.dtypes import BOOL, I32, DType
from workbench.base.source import NOWHERE, Origin, origin_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Const:
    """A literal; `value` is a Python bool, int or float (inf and nan included)."""

    value: bool | int | float
    dtype: DType
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Var:
    """A name with one scalar value: an index, a dim, a scalar parameter, a local."""

    name: str
    dtype: DType = I32
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Load:
    """An element of an array; the rank of the array equals `len(index)`.

    `checked` are the dimensions along which it may leave the array: that is looked at when it
    runs, and reported with the `iteration`. Both stand in graphs only; lowering makes conditions
    of them.
    """

    array: str
    index: tuple[Expr, ...]
    dtype: DType
    checked: tuple[int, ...] = ()
    iteration: Iteration = ()
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Apply:
    """A row of the scalar operations table (`ir/ops.py`) applied to arguments of one dtype."""

    op: str
    args: tuple[Expr, ...]
    dtype: DType
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Cast:
    """A value in another dtype; float to int saturates, NaN gives 0, ints wrap."""

    dtype: DType
    arg: Expr
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Select:
    """`yes if cond else no`; only the branch taken is evaluated."""

    cond: Expr
    yes: Expr
    no: Expr
    origin: Origin = origin_field()

    @property
    def dtype(self) -> DType:
        """Both branches have this dtype."""
        return self.yes.dtype


@dataclass(frozen=True, slots=True)
class Range:
    """The index `var` running over `start <= var < stop`."""

    var: str
    start: Expr
    stop: Expr
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Reduce:
    """`op(body for ranges if cond)`; op is add, mul, max, min, any, all, argmax or argmin.

    argmax and argmin have exactly one range and give its index, the first on ties, as i32; that
    there is none is reported with the `iteration`.
    """

    op: str
    ranges: tuple[Range, ...]
    cond: Expr | None
    body: Expr
    dtype: DType
    iteration: Iteration = ()
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Iterated:
    """What the number `place` of some values is after a serial loop; it may not end.

    The `names` stand for the values: `first` before the first turn, `following` after each, all
    computed before one is set. There is a turn for each value of a range, or as long as a
    condition of the names holds.
    """

    names: tuple[str, ...]
    first: tuple[Expr, ...]
    over: Range | Expr
    following: tuple[Expr, ...]
    place: int
    origin: Origin = origin_field()

    @property
    def dtype(self) -> DType:
        """The dtype that the value keeps."""
        return self.first[self.place].dtype

    @property
    def bound(self) -> frozenset[str]:
        """The names that stand in a turn, and not outside."""
        own = {self.over.var} if isinstance(self.over, Range) else set[str]()
        return frozenset(self.names) | own


Expr = Const | Var | Load | Apply | Cast | Select | Reduce | Iterated
Iteration = tuple[tuple[str, Expr], ...]
"""The indices of the source around a place, outermost first: what it calls them, their values.

Rewrites keep the values up to date. They are no children: nothing is computed of them but a report.
"""


def integer(value: int, origin: Origin = NOWHERE) -> Const:
    """An i32 literal."""
    return Const(value, I32, origin=origin)


def apply(op: str, *args: Expr, origin: Origin = NOWHERE) -> Apply:
    """An operation; its dtype is bool for comparisons, else that of the first argument."""
    compares = op in {"eq", "ne", "lt", "le", "gt", "ge"}
    return Apply(op, args, BOOL if compares else args[0].dtype, origin=origin)


def children(e: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside, in the order in which they are written."""
    match e:
        case Const() | Var():
            return ()
        case Load(_, index):
            return index
        case Apply(_, args):
            return args
        case Cast(_, arg):
            return (arg,)
        case Select(cond, yes, no):
            return (cond, yes, no)
        case Reduce(_, ranges, cond, body):
            bounds = tuple(x for r in ranges for x in (r.start, r.stop))
            return (*bounds, *(() if cond is None else (cond,)), body)
        case Iterated(_, first, over, following):
            ends = (over.start, over.stop) if isinstance(over, Range) else (over,)
            return (*first, *ends, *following)
        case _:
            assert_never(e)


def walk(e: Expr) -> Iterator[Expr]:
    """The expression and everything inside it, outermost first."""
    waiting = [e]
    while waiting:
        x = waiting.pop()
        yield x
        if not isinstance(x, Var | Const):  # most are
            waiting.extend(children(x)[::-1])


def rebuild(e: Expr, f: Callable[[Expr], Expr]) -> Expr:
    """The same node with `f` applied to each child; the same object if nothing changed."""
    match e:
        case Const() | Var():
            return e
        case Load(_, index):
            new, iteration = tuple([f(x) for x in index]), map_iteration(e.iteration, f)
            if _same(new, index) and iteration is e.iteration:
                return e
            return Load(e.array, new, e.dtype, e.checked, iteration, origin=e.origin)
        case Apply(_, args):
            new = tuple([f(x) for x in args])
            return e if _same(new, args) else Apply(e.op, new, e.dtype, origin=e.origin)
        case Cast(_, arg):
            inner = f(arg)
            return e if inner is arg else replace(e, arg=inner)
        case Select(cond, yes, no):
            new = (f(cond), f(yes), f(no))
            return (
                e if _same(new, (cond, yes, no)) else replace(e, cond=new[0], yes=new[1], no=new[2])
            )
        case Reduce(_, ranges, cond, body):
            spans = tuple(_rebuild_range(r, f) for r in ranges)
            test = None if cond is None else f(cond)
            inner, iteration = f(body), map_iteration(e.iteration, f)
            same = test is cond and inner is body and iteration is e.iteration
            if _same(spans, ranges) and same:
                return e
            return replace(e, ranges=spans, cond=test, body=inner, iteration=iteration)
        case Iterated():
            return rebuild_turns(e, f, f)
        case _:
            assert_never(e)


def rebuild_turns(
    e: Iterated, outside: Callable[[Expr], Expr], inside: Callable[[Expr], Expr]
) -> Iterated:
    """The same loop with a function applied to what stands outside of its turns, one inside."""
    first = tuple(outside(x) for x in e.first)
    over = e.over
    over = _rebuild_range(over, outside) if isinstance(over, Range) else inside(over)
    following = tuple(inside(x) for x in e.following)
    if over is e.over and _same(first, e.first) and _same(following, e.following):
        return e
    return replace(e, first=first, over=over, following=following)


def map_iteration(iteration: Iteration, f: Callable[[Expr], Expr]) -> Iteration:
    """The same indices with `f` applied to their values; the same object if nothing changed."""
    if not iteration:
        return iteration
    new = tuple(f(x) for _, x in iteration)
    if _same(new, tuple(x for _, x in iteration)):
        return iteration
    return tuple((name, x) for (name, _), x in zip(iteration, new, strict=True))


def substitute(e: Expr, values: Mapping[str, Expr]) -> Expr:
    """Each `Var` named in `values` replaced; names bound by a `Reduce` inside are left alone."""
    match e:
        case Var(name):
            return values.get(name, e)
        case Reduce(_, ranges):
            bound = {r.var for r in ranges}
            inner = {k: v for k, v in values.items() if k not in bound}
            return rebuild(e, lambda x: substitute(x, inner))
        case Iterated():
            free = {k: v for k, v in values.items() if k not in e.bound}
            return rebuild_turns(e, lambda x: substitute(x, values), lambda x: substitute(x, free))
        case _:
            return rebuild(e, lambda x: substitute(x, values))


def free_names(e: Expr) -> frozenset[str]:
    """The names of variables used and not bound inside."""
    found: set[str] = set()
    waiting = [e]
    while waiting:
        match waiting.pop():
            case Var(name):
                found.add(name)
            case Reduce(_, ranges) as x:
                inside = frozenset[str]().union(*(free_names(c) for c in children(x)))
                found |= inside - {r.var for r in ranges}
            case Iterated(_, first, over, following) as x:
                waiting.extend(first)
                waiting.extend((over.start, over.stop) if isinstance(over, Range) else ())
                turns = following if isinstance(over, Range) else (over, *following)
                found |= frozenset[str]().union(*map(free_names, turns)) - x.bound
            case x:
                waiting.extend(children(x))
    return frozenset(found)


def loads(e: Expr) -> Iterator[Load]:
    """Every load, outermost first."""
    return (x for x in walk(e) if isinstance(x, Load))


def is_arithmetic(e: Expr) -> bool:
    """Whether an expression reads no array and runs no loop."""
    return not any(isinstance(x, Load | Reduce | Iterated) for x in walk(e))


def _rebuild_range(r: Range, f: Callable[[Expr], Expr]) -> Range:
    start, stop = f(r.start), f(r.stop)
    return r if start is r.start and stop is r.stop else replace(r, start=start, stop=stop)


def _same(new: tuple[object, ...], old: tuple[object, ...]) -> bool:
    return all(map(is_, new, old))
