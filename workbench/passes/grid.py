"""Grids: how many workgroups and invocations a nest has, and what is the same for all of one.

The loops on axes say it; where only a run could, the mapping is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

from workbench.base.errors import CodegenError
from workbench.ir.device import LOCAL_IDS
from workbench.ir.expr import Apply, Expr, Var, apply, free_names, integer, loads
from workbench.ir.extents import Extent, expression, literals, uniform
from workbench.ir.stmt import Alloc, Body, For, If, Local, LoopKind, Memory, walk_stmts
from workbench.passes.fold import fold, literal_int

AXES = {
    LoopKind.WORKGROUP_X: (0, 0), LoopKind.WORKGROUP_Y: (0, 1), LoopKind.WORKGROUP_Z: (0, 2),
    LoopKind.INVOCATION_X: (1, 0), LoopKind.INVOCATION_Y: (1, 1), LoopKind.INVOCATION_Z: (1, 2),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grid:
    """How many workgroups and invocations there are along (x, y, z)."""

    workgroups: tuple[Extent, Extent, Extent]
    size: tuple[int, int, int]
    shared: frozenset[str] = frozenset()
    """The arrays in workgroup memory."""
    own: frozenset[str] = frozenset()
    """The variables that differ between the invocations of a workgroup."""

    @property
    def invocations(self) -> int:
        """How many invocations a workgroup has."""
        x, y, z = self.size
        return x * y * z

    def along(self, level: int, axis: int) -> Extent:
        """The extent of an axis; level 0 is of workgroups, 1 of invocations."""
        return self.size[axis] if level else self.workgroups[axis]


def grid_of(nest: Body, open_dims: tuple[str, ...]) -> Grid:
    """The grid of a nest. Raises `CodegenError` for an axis whose extent only a run can say."""
    extents: list[list[Extent | None]] = [[None] * 3, [None] * 3]
    for s in walk_stmts(nest):
        if isinstance(s, For) and s.kind in AXES:
            level, axis = AXES[s.kind]
            stop = extent_of(s.stop)
            known = isinstance(stop, int) or (level == 0 and uniform(stop, open_dims))
            if literal_int(s.start) != 0 or not known or s.step != 1:
                raise CodegenError(
                    f"loop '{s.var}' cannot be mapped to {s.kind.value}: "
                    "its range is not range(literal)",
                    span=s.origin.nearest_span(),
                )
            extents[level][axis] = _longer(extents[level][axis], stop)
    groups, size = ([_at_least_one(x) for x in axes] for axes in extents)
    x, y, z = literals(tuple(size))
    shared = frozenset(
        s.name for s in walk_stmts(nest) if isinstance(s, Alloc) and s.memory is Memory.WORKGROUP
    )
    own = frozenset(
        s.var for s in walk_stmts(nest) if isinstance(s, For) and s.kind.on_invocations
    ) | {s.name for s in walk_stmts(nest) if isinstance(s, Local)}
    return Grid((groups[0], groups[1], groups[2]), (x, y, z), shared, own)


def _at_least_one(x: Extent | None) -> Extent:
    """The extent of an axis; a loop that does not run on it is guarded."""
    return 1 if x is None else max(1, x) if isinstance(x, int) else x


def extent_of(e: Expr) -> Extent:
    """An extent, a number where it is one."""
    number = literal_int(e)
    return e if number is None else number


def _longer(a: Extent | None, b: Extent) -> Extent:
    """The larger of two extents."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    if a is None or a == b:
        return b
    return apply("max", expression(a), expression(b))


def linear_index(grid: Grid) -> Expr:
    """The number of an invocation in its workgroup."""
    x, y, _ = grid.size
    ids = [Var(name) for name in LOCAL_IDS]
    rows = apply("add", apply("mul", ids[2], integer(y)), ids[1])
    return fold(apply("add", apply("mul", rows, integer(x)), ids[0]))


def for_all(guard: If, grid: Grid) -> If | None:
    """What a guard says that is the same for a whole workgroup, and so for its copies."""
    parts = [
        e
        for e in _conjuncts(guard.cond)
        if not free_names(e) & grid.own and next(loads(e), None) is None
    ]
    if not parts:
        return None
    cond = reduce(lambda a, b: apply("and", a, b, origin=guard.origin), parts)
    return replace(guard, cond=cond)


def _conjuncts(e: Expr) -> tuple[Expr, ...]:
    match e:
        case Apply("and", (a, b)):
            return (*_conjuncts(a), *_conjuncts(b))
        case _:
            return (e,)
