"""Which statements of scheduled loops make a kernel each on a CPU, and how often it iterates."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.codegen.llvm_stmt import literal_of, trips
from workbench.ir.expr import Expr, apply, free_names
from workbench.ir.extents import Extent, uniform
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Body,
    For,
    Local,
    LoopKind,
    Stmt,
    expressions,
    reads,
    walk_stmts,
    writes,
)

_RANGES = frozenset(LoopKind) - {
    LoopKind.SERIAL, LoopKind.REPEAT, LoopKind.UNROLLED, LoopKind.COOPERATIVE,
    LoopKind.PREFETCH, LoopKind.VECTOR
}  # fmt: skip
"""The kinds whose iterations may run in any order and at once."""


def iterates(loop: For, open_dims: tuple[str, ...]) -> bool:
    """Whether the iterations of an outermost loop are the kernel's."""
    return loop.kind in _RANGES and (trips(loop) is not None or _counted(loop, open_dims))


def _counted(loop: For, open_dims: tuple[str, ...]) -> bool:
    """Whether open dims say how often a loop from a literal on runs."""
    return literal_of(loop.start) is not None and loop.step == 1 and uniform(loop.stop, open_dims)


def iterations(nest: Body, open_dims: tuple[str, ...]) -> Extent:
    """How many iterations a kernel has."""
    match nest:
        case (For() as loop,) if iterates(loop, open_dims):
            return count_of(loop)
        case _:
            return 1


def count_of(loop: For) -> Extent:
    """How often a loop runs, whose bounds are known before a run."""
    count = trips(loop)
    if count is not None:
        return count
    start = literal_of(loop.start)
    return loop.stop if start == 0 else apply("sub", loop.stop, loop.start)


def all_nests(body: Body) -> Iterator[Body]:
    """The nests, those inside repeats too."""
    for nest in nests(body):
        match nest:
            case (For(kind=LoopKind.REPEAT) as repeat,):
                yield from all_nests(repeat.body)
            case _:
                yield nest


def nests(body: Body) -> tuple[Body, ...]:
    """The statements that make a kernel each, and every repeat alone.

    Statements stay together as long as one declares what a later one uses, and while serial
    statements write what later serial statements write again.
    """
    groups: list[Body] = []
    current: Body = ()
    for n, s in enumerate(body):
        current = (*current, s)
        rest = body[n + 1 :]
        if not _declared(current) & _mentioned(rest) and not _continued(current, rest):
            groups.append(current)
            current = ()
    return tuple(groups)


def _continued(group: Body, rest: Body) -> bool:
    """Whether a serial group and the serial statements right behind it write the same array."""
    following: list[Stmt] = []
    for s in rest:
        if _is_parallel(s):
            break
        following.append(s)
    if any(_is_parallel(s) for s in group):
        return False
    return bool({s.array for s in writes(group)} & {s.array for s in writes(tuple(following))})


def _is_parallel(s: Stmt) -> bool:
    return any(isinstance(x, For) and x.kind in _RANGES for x in walk_stmts((s,)))


def _declared(group: Body) -> frozenset[str]:
    """The names that the statements of a group make for those behind them."""
    return frozenset(s.name for s in group if isinstance(s, Local | Alloc))


def _mentioned(body: Body) -> frozenset[str]:
    """Every name of a scalar or an array that a body uses."""
    names = {n for e in all_expressions(body) for n in free_names(e)}
    names |= {s.name for s in walk_stmts(body) if isinstance(s, Assign)}
    return frozenset(names | {e.array for e in reads(body)} | {s.array for s in writes(body)})


def all_expressions(body: Body) -> Iterator[Expr]:
    """Every expression of the statements, at any depth."""
    return (e for s in walk_stmts(body) for e in expressions(s))
