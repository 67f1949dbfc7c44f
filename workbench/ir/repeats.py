"""Repeats, the serial loops around whole nests: how often they run, and who needs their turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from workbench.base.dtypes import BOOL
from workbench.ir.device import Turns
from workbench.ir.expr import Cast, Const, apply, free_names
from workbench.ir.extents import Extent, size
from workbench.ir.stmt import For, LoopKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.ir.stmt import Body, Stmt


def is_repeat(s: Stmt) -> TypeGuard[For]:
    """Whether a statement is a loop around whole nests."""
    return isinstance(s, For) and s.kind is LoopKind.REPEAT


def count(repeat: For) -> Extent:
    """How often a repeat runs: a number, or an expression over open dims and turns around it."""
    difference = apply("sub", repeat.stop, repeat.start)
    if not free_names(difference):
        return size(difference, {})
    return repeat.stop if repeat.start == Const(0, repeat.start.dtype) else difference


def conditional(repeat: For) -> bool:
    """Whether a repeat is an `if` around nests: it runs once where a condition holds."""
    return isinstance(repeat.stop, Cast) and repeat.stop.arg.dtype is BOOL


def steers(repeat: For) -> bool:
    """Whether the bounds of a repeat inside need the variable of this one."""
    return any(repeat.var in free_names(s.start) | free_names(s.stop) for s in _inside(repeat.body))


def turns(repeat: For, body: tuple[int | Turns, ...]) -> Turns:
    """The turns of a repeat around these kernels, with its variable where bounds inside need it."""
    var = repeat.var if steers(repeat) else ""
    return Turns(count(repeat), body, var, repeat.start, origin=repeat.origin)


def _inside(body: Body) -> Iterator[For]:
    for s in body:
        if is_repeat(s):
            yield s
            yield from _inside(s.body)
