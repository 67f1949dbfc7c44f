"""Statements: the closed sum that loops and device kernels are made of.

A loop's name is its variable; names of loops, locals and arrays are unique in a function.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Literal, assert_never

from workbench.base.source import NOWHERE, Origin, origin_field
from workbench.ir.expr import Expr, Iteration, Load, Var, loads, map_iteration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workbench.base.dtypes import DType
    from workbench.ir.extents import Extent


class LoopKind(Enum):
    """How the iterations of a loop are run; the value is the name used in schedules."""

    SERIAL = "serial"
    REPEAT = "repeat"
    """Serial, around parallel nests: one program action runs the nests again and again."""
    PARALLEL = "parallel"
    """Iterations are independent and not mapped yet."""
    WORKGROUP_X = "workgroup.x"
    WORKGROUP_Y = "workgroup.y"
    WORKGROUP_Z = "workgroup.z"
    INVOCATION_X = "invocation.x"
    INVOCATION_Y = "invocation.y"
    INVOCATION_Z = "invocation.z"
    WORKER = "worker"
    """Iterations are shared out to the workers of a CPU pool."""
    COOPERATIVE = "cooperative"
    """A copy shared out to all invocations of a workgroup, with a barrier before and after;
    read as a serial loop that every invocation runs, it means the same."""
    PREFETCH = "prefetch"
    """A cooperative copy of what the next iteration of the loop around it needs, into memory that
    this one does not read; the barrier stands at the end of the iteration."""
    UNROLLED = "unrolled"
    """Serial, written out: each iteration has statements of its own."""
    VECTOR = "vector"
    """Iterations are lanes: each statement is done for all of them before the next one."""

    @property
    def mapped(self) -> bool:
        """True for workgroup and invocation axes."""
        return self.on_workgroups or self.on_invocations

    @property
    def together(self) -> bool:
        """True for copies that a workgroup shares out to its invocations."""
        return self in {LoopKind.COOPERATIVE, LoopKind.PREFETCH}

    @property
    def on_workgroups(self) -> bool:
        """True for the axes of workgroups."""
        return self.value.startswith("workgroup.")

    @property
    def on_invocations(self) -> bool:
        """True for the axes of invocations inside a workgroup."""
        return self.value.startswith("invocation.")


class Memory(Enum):
    """Where an array lives."""

    STORAGE = "storage"
    WORKGROUP = "workgroup"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class For:
    """`for var in range(start, stop, step)`; var is i32; step is a positive literal."""

    var: str
    start: Expr
    stop: Expr
    body: tuple[Stmt, ...]
    kind: LoopKind = LoopKind.SERIAL
    step: int = 1
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class While:
    """`while cond`; on GPUs it carries an iteration budget, on CPUs it polls a stop word."""

    cond: Expr
    body: tuple[Stmt, ...]
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class If:
    """`if cond: then else: orelse`; `guard` is true for the tail guards that splits make."""

    cond: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...] = ()
    guard: bool = False
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Local:
    """Declare the scalar `name` (of the value's dtype) in the rest of this body.

    `fixed` is true where it is never assigned again.
    """

    name: str
    value: Expr
    fixed: bool = False
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a declared local a new value of its dtype."""

    name: str
    value: Expr
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Store:
    """`array[index] = value`, or with `reduce` (an operation) `array[index] = op(old, value)`.

    `place` is the origin of the left-hand side. A 0-d array has an empty index. `checked` and
    `iteration` are what they are for a `Load`.
    An `atomic` update reads and writes at once, whatever other iterations do meanwhile.
    `unproved` holds the indices of the grid around a plain store of which it is not proved that
    no two iterations write the same element: which value stays is then open, and whoever can
    watch does. No device computes them.
    """

    array: str
    index: tuple[Expr, ...]
    value: Expr
    reduce: str | None = None
    checked: tuple[int, ...] = ()
    iteration: Iteration = ()
    atomic: bool = False
    unproved: tuple[Expr, ...] = ()
    origin: Origin = origin_field()
    place: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Alloc:
    """An array that exists in the rest of this body, undefined until written.

    Storage stands only at the top of a function; workgroup memory is one per workgroup;
    private memory is one per innermost iteration (per invocation).
    `part` says of which element of the source's array of this name it holds the value at the
    places `subscript(0)`, `subscript(1)` and so on; it is empty for arrays that are no part of one.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    memory: Memory
    part: tuple[Expr, ...] = ()
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Break:
    """Leave the innermost serial loop or while."""

    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with the next iteration of the innermost serial loop or while."""

    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Barrier:
    """All invocations of the workgroup meet here; stands in device kernels only.

    `why` names two accesses that it keeps apart, where somebody asked (`passes/legality.py`).
    """

    why: str = field(default="", compare=False)
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Outside:
    """An access that left `array` along the dimension `place` is reported; it is not made.

    Stands where `0 <= index[place] < extent` does not hold. The first report of a run is an
    error when a result of the run is read, and names the `iteration`. `kind` is "finds" for an
    argmax or argmin of nothing, whose best index `array` holds.
    """

    array: str
    index: tuple[Expr, ...]
    place: int
    extent: Extent
    kind: Literal["reads", "writes", "finds"] = "reads"
    iteration: Iteration = ()
    origin: Origin = origin_field()


Stmt = For | While | If | Local | Assign | Store | Alloc | Break | Continue | Barrier | Outside
Body = tuple[Stmt, ...]


def bodies(s: Stmt) -> tuple[Body, ...]:
    """The bodies directly inside a statement."""
    match s:
        case For() | While():
            return (s.body,)
        case If():
            return (s.then, s.orelse)
        case Local() | Assign() | Store() | Alloc() | Break() | Continue() | Barrier() | Outside():
            return ()
        case _:
            assert_never(s)


def expressions(s: Stmt) -> tuple[Expr, ...]:
    """The expressions that stand directly in a statement, bodies left out."""
    match s:
        case For():
            return (s.start, s.stop)
        case While() | If():
            return (s.cond,)
        case Local() | Assign():
            return (s.value,)
        case Store():
            return (*s.index, s.value)
        case Outside():
            return (*s.index, *(x for _, x in s.iteration))
        case Alloc() | Break() | Continue() | Barrier():
            return ()
        case _:
            assert_never(s)


def walk_stmts(body: Body) -> Iterator[Stmt]:
    """Every statement, outermost first, in text order."""
    waiting = [*reversed(body)]
    while waiting:
        s = waiting.pop()
        yield s
        for inner in reversed(bodies(s)):
            waiting.extend(reversed(inner))


def map_bodies(s: Stmt, f: Callable[[Body], Body]) -> Stmt:
    """The same statement with `f` applied to each body; the same object if nothing changed."""
    match s:
        case For() | While():
            body = f(s.body)
            return s if body is s.body else replace(s, body=body)
        case If():
            then, orelse = f(s.then), f(s.orelse)
            if then is s.then and orelse is s.orelse:
                return s
            return replace(s, then=then, orelse=orelse)
        case Local() | Assign() | Store() | Alloc() | Break() | Continue() | Barrier() | Outside():
            return s
        case _:
            assert_never(s)


def map_exprs(s: Stmt, f: Callable[[Expr], Expr]) -> Stmt:  # noqa: C901  (total)
    """The same statement with `f` applied to each expression in it, at every depth."""

    def inside(body: Body) -> Body:
        new = tuple(map_exprs(x, f) for x in body)
        return body if all(a is b for a, b in zip(new, body, strict=True)) else new

    outer = map_bodies(s, inside)
    match outer:
        case For():
            start, stop = f(outer.start), f(outer.stop)
            same = start is outer.start and stop is outer.stop
            return outer if same else replace(outer, start=start, stop=stop)
        case While() | If():
            cond = f(outer.cond)
            return outer if cond is outer.cond else replace(outer, cond=cond)
        case Local() | Assign():
            value = f(outer.value)
            return outer if value is outer.value else replace(outer, value=value)
        case Store():
            index, value = tuple(f(x) for x in outer.index), f(outer.value)
            unproved = tuple(f(x) for x in outer.unproved)
            iteration = map_iteration(outer.iteration, f)
            old, new = (*outer.index, *outer.unproved), (*index, *unproved)
            same = value is outer.value and iteration is outer.iteration
            if same and all(a is b for a, b in zip(old, new, strict=True)):
                return outer
            return replace(outer, index=index, value=value, unproved=unproved, iteration=iteration)
        case Outside():
            index, iteration = tuple(f(x) for x in outer.index), map_iteration(outer.iteration, f)
            same = all(a is b for a, b in zip(index, outer.index, strict=True))
            if same and iteration is outer.iteration:
                return outer
            return replace(outer, index=index, iteration=iteration)
        case Alloc():
            part = _each(outer.part, f)
            return outer if part is outer.part else replace(outer, part=part)
        case Break() | Continue() | Barrier():
            return outer
        case _:
            assert_never(outer)


def _each(parts: tuple[Expr, ...], f: Callable[[Expr], Expr]) -> tuple[Expr, ...]:
    """The expressions changed; the same object if nothing changed."""
    new = tuple(f(x) for x in parts)
    return parts if all(a is b for a, b in zip(new, parts, strict=True)) else new


def subscript(dimension: int) -> Var:
    """What stands for a subscript in the `part` of an array."""
    return Var(f"place {dimension}")


def reads(body: Body) -> Iterator[Load]:
    """Every load in a body, in text order; the old value of a reducing store is not a load."""
    for s in walk_stmts(body):
        for e in expressions(s):
            yield from loads(e)


def adds_in_any_order(s: Store) -> bool:
    """Whether an update adds floats as iterations come, so that its last digits may differ."""
    return s.atomic and s.reduce == "add" and s.value.dtype.kind == "f"


def writes(body: Body) -> Iterator[Store]:
    """Every store in a body, in text order."""
    return (s for s in walk_stmts(body) if isinstance(s, Store))


__all__ = [
    "NOWHERE", "Alloc", "Assign", "Barrier", "Body", "Break", "Continue", "For", "If", "Local",
    "LoopKind", "Memory", "Outside", "Stmt", "Store", "While", "adds_in_any_order", "bodies",
    "expressions",
    "map_bodies", "map_exprs", "reads", "subscript", "walk_stmts", "writes",
]  # fmt: skip
