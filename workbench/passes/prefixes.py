"""Arrays of prefixes: how the terms of a scan are walked, and which form of it is chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.source import Origin, origin_field
from workbench.ir.expr import (
    Cast,
    Expr,
    Load,
    Range,
    Reduce,
    Select,
    Var,
    apply,
    integer,
)
from workbench.ir.graph import Array, Axis, Block, Equation
from workbench.ir.ops import WORDS, unit
from workbench.ir.stmt import Assign, For, If, Local, LoopKind, Store
from workbench.passes.fold import literal_int
from workbench.passes.names import fresh_name

if TYPE_CHECKING:
    from workbench.base.dtypes import DType
    from workbench.ir.graph import Definition
    from workbench.ir.stmt import Body, Stmt

BLOCK = 256
"""Terms that one walk of a long scan takes."""
SHORTEST = 4 * BLOCK
"""Terms up to which one walk takes them all."""
ROWS = 1024
"""Rows from which on one walk for each keeps a device busy."""
LONGEST = 64 * BLOCK
"""Terms beyond which each of many rows is cut into blocks as well."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The array `name[axes]`: along the axis `step`, `op` over the terms up to that one.

    `cond` and `term` are expressions of the axes; a term is left out where `cond` is false.
    """

    op: str
    dtype: DType
    name: str
    axes: tuple[Axis, ...]
    step: str
    cond: Expr | None
    term: Expr
    origin: Origin = origin_field()

    @property
    def count(self) -> int:
        """The number of terms in a row."""
        return next(literal_int(a.extent) or 0 for a in self.axes if a.name == self.step)

    @property
    def rows(self) -> int:
        """The number of rows."""
        others = (literal_int(a.extent) or 0 for a in self.axes if a.name != self.step)
        return math.prod(others)


def prefixes(scan: Scan, names: set[str]) -> tuple[Definition, ...]:
    """The definitions that fill a scan's array, its name the last that they define.

    One walk for each row where a row has at most 1024 terms, or at most 16384 and there are 1024
    rows or more; else blocks of 256 terms: their totals, the prefixes of those in the same way,
    then a walk through each block from there. Terms are computed once in the first form and
    twice in the second.
    """
    if scan.count <= SHORTEST or (scan.rows >= ROWS and scan.count <= LONGEST):
        return (_walk(scan, names),)
    return _in_blocks(scan, names)


def _in_blocks(scan: Scan, names: set[str]) -> tuple[Definition, ...]:
    count = -(-scan.count // BLOCK)
    block = fresh_name(f"{scan.step}_block", names)
    part = fresh_name(f"{scan.name}_part", names)
    through = fresh_name(f"{part}_{WORDS[scan.op]}", names)
    origin = scan.origin.derive(f"in {count} blocks of {BLOCK}")
    axes = _along(scan, Axis(block, integer(count), origin=origin))
    start = apply("mul", Var(block), integer(BLOCK), origin=origin)
    stop: Expr = apply("add", start, integer(BLOCK), origin=origin)
    if scan.count % BLOCK:
        stop = apply("min", stop, integer(scan.count), origin=origin)
    inside = Range(scan.step, start, stop, origin=origin)
    total = Reduce(scan.op, (inside,), scan.cond, scan.term, scan.dtype, origin=scan.origin)
    totals = Equation(part, scan.dtype, axes, total, origin=scan.origin, place=origin)
    index = tuple(Var(a.name) for a in axes)
    parts = Scan(
        scan.op, scan.dtype, through, axes, block, None,
        Load(part, index, scan.dtype, origin=origin), origin=origin,
    )  # fmt: skip
    earlier = tuple(
        apply("sub", Var(block), integer(1)) if a.name == block else Var(a.name) for a in axes
    )
    begin = Select(
        apply("gt", Var(block), integer(0), origin=origin),
        Load(through, earlier, scan.dtype, origin=origin),
        unit(scan.op, scan.dtype),
        origin=origin,
    )
    return totals, *prefixes(parts, names), _walk(scan, names, axes, begin, inside)


def _walk(
    scan: Scan,
    names: set[str],
    walks: tuple[Axis, ...] | None = None,
    begin: Expr | None = None,
    span: Range | None = None,
) -> Block:
    """A loop over the terms of `span` for each of `walks`, from the value `begin` on."""
    origin = scan.origin.derive("walked")
    if walks is None:
        walks = tuple(a for a in scan.axes if a.name != scan.step)
    begin = unit(scan.op, scan.dtype) if begin is None else begin
    span = span or Range(scan.step, integer(0), integer(scan.count), origin=origin)
    acc = fresh_name("acc", names)
    so_far = Var(acc, scan.dtype)
    term = scan.term
    term = term if term.dtype == scan.dtype else Cast(scan.dtype, term, origin=term.origin)
    more: Stmt = Assign(acc, apply(scan.op, so_far, term, origin=scan.origin), origin=scan.origin)
    if scan.cond is not None:
        more = If(scan.cond, (more,), origin=scan.cond.origin)
    index = tuple(Var(a.name) for a in scan.axes)
    keep = Store(scan.name, index, so_far, origin=scan.origin, place=origin)
    along = For(span.var, span.start, span.stop, (more, keep), origin=span.origin)
    body: Body = (Local(acc, begin, origin=origin), along)
    for a in reversed(walks):
        body = (For(a.name, integer(0), a.extent, body, LoopKind.PARALLEL, origin=a.origin),)
    shape = tuple(a.extent for a in scan.axes)
    return Block(body, (Array(scan.name, scan.dtype, shape, origin=origin),), origin=scan.origin)


def _along(scan: Scan, axis: Axis) -> tuple[Axis, ...]:
    """The scan's axes with another in place of the one along which it runs."""
    return tuple(axis if a.name == scan.step else a for a in scan.axes)


def earlier(scan: Scan) -> Expr:
    """What a scan gives before the term at hand, as an expression of its axes."""
    index = tuple(
        apply("sub", Var(a.name), integer(1)) if a.name == scan.step else Var(a.name)
        for a in scan.axes
    )
    some = apply("gt", Var(scan.step), integer(0), origin=scan.origin)
    before = Load(scan.name, index, scan.dtype, origin=scan.origin)
    return Select(some, before, unit(scan.op, scan.dtype), origin=scan.origin)
