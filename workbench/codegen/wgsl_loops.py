"""What is known of the loops of a device kernel: how often they run, which need a budget.

A budget goes to each `while`, and to each `for` that is not proved to run at most `LOOP_BUDGET`
times. The proof is by intervals: literals, ids (bounded by the size of the dispatch), indices
of enclosing loops and fixed locals. A `for` with a barrier inside has no budget: all
invocations must leave it together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.codegen.wgsl_atomic import TRIES, exchanges
from workbench.ir.device import LOCAL_IDS, WORKGROUP_IDS, DeviceKernel
from workbench.ir.expr import Apply, Const, Expr
from workbench.ir.extents import expression
from workbench.ir.intervals import ANY, Interval, interval
from workbench.ir.stmt import (
    Barrier,
    Body,
    Break,
    Continue,
    For,
    Local,
    LoopKind,
    Stmt,
    Store,
    While,
    bodies,
    walk_stmts,
)
from workbench.program import LOOP_BUDGET, CheckedAccess

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_UNROLL = 64
"""Loops marked as unrolled are written out up to this many times; longer ones stay loops."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What kernels may report, in words (the lists grow): loops and accesses, by number."""

    loops: list[str] = field(default_factory=list[str])
    accesses: list[CheckedAccess] = field(default_factory=list[CheckedAccess])


@dataclass(frozen=True, slots=True)
class LoopCost:
    """The loops of a body: those that need a budget, in text order, and how often all run.

    One execution makes at most `fixed` iterations, counting one more for each time that a loop
    is left, and `each` further ones for every iteration that is taken from the budget.
    """

    unproved: tuple[While | For, ...] = ()
    fixed: int = 0
    each: int = 0

    def __add__(self, other: LoopCost) -> LoopCost:
        """Of two bodies one after the other."""
        return LoopCost(
            self.unproved + other.unproved, self.fixed + other.fixed, max(self.each, other.each)
        )


def loop_cost(body: Body, kernel: DeviceKernel, dims: Mapping[str, Interval]) -> LoopCost:
    """The loops of a prepared body, where the open dims lie in these intervals."""
    known = dict(dims)
    for names, sizes in ((WORKGROUP_IDS, kernel.workgroups), (LOCAL_IDS, kernel.workgroup_size)):
        for name, n in zip(names, sizes, strict=True):
            known[name] = (0, max(0, interval(expression(n), dims)[1] - 1))
    return _body_cost(body, known)


def describe_loop(loop: While | For) -> str:
    """What errors call a loop: `while at line 7`."""
    word = "while" if isinstance(loop, While) else f"loop '{loop.var}'"
    span = loop.origin.nearest_span()
    return word if span is None else f"{word} at line {span.position[0]}"


def written_out(s: For) -> range | None:
    """The values of the index where an unrolled loop is written out, None where it stays one."""
    if s.kind is not LoopKind.UNROLLED:
        return None
    if not isinstance(s.start, Const) or not isinstance(s.stop, Const):
        return None
    values = range(int(s.start.value), int(s.stop.value), s.step)
    leaves = any(isinstance(x, Break | Continue) for x in walk_stmts(s.body))
    return None if leaves or len(values) > LARGEST_UNROLL else values


def _body_cost(body: Body, known: Mapping[str, Interval]) -> LoopCost:
    inner = dict(known)
    total = LoopCost()
    for s in body:
        match s:
            case For():
                total += _for_cost(s, inner)
            case While():
                total += _budgeted(s, _body_cost(s.body, inner))
            case Local(name, value) if s.fixed:
                inner[name] = interval(value, inner)
            case Store() if exchanges(s):
                total += LoopCost(fixed=TRIES)
            case _:
                for b in bodies(s):
                    total += _body_cost(b, inner)
    return total


def _for_cost(s: For, known: Mapping[str, Interval]) -> LoopCost:
    low, high = interval(s.start, known)[0], interval(s.stop, known)[1]
    trips = max(0, -(-_most(s.start, s.stop, known) // s.step))
    inside = _body_cost(s.body, {**known, s.var: (low, max(low, high - 1))})
    if written_out(s) is not None:
        return LoopCost(inside.unproved, trips * inside.fixed, inside.each)
    if trips > LOOP_BUDGET and not _meets(s):
        return _budgeted(s, inside)
    return LoopCost(inside.unproved, trips * (inside.fixed + 1) + 1, inside.each)


def _most(start: Expr, stop: Expr, known: Mapping[str, Interval]) -> int:
    """A bound of `stop - start`: 256 for `range(b * 256, min(b * 256 + 256, N))`."""
    match stop:
        case Apply("min", (left, right)):
            return min(_most(start, left, known), _most(start, right, known))
        case Apply("add", (base, more)) if base == start and interval(stop, known) != ANY:
            return interval(more, known)[1]
        case _:
            return interval(stop, known)[1] - interval(start, known)[0]


def _budgeted(s: While | For, inside: LoopCost) -> LoopCost:
    return LoopCost((s, *inside.unproved), 1, max(inside.each, inside.fixed + 1))


def _meets(s: Stmt) -> bool:
    return any(isinstance(x, Barrier) for x in walk_stmts((s,)))
