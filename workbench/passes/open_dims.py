"""Open dims: which may be left without a literal value, and whether values of them fit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.errors import OpenDimError
from workbench.ir.expr import Range, Reduce, free_names, loads, walk
from workbench.ir.extents import LARGEST_INDEX, LARGEST_OPEN, size, uniform, value
from workbench.ir.graph import Equation, each
from workbench.ir.stmt import For, walk_stmts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.graph import Graph
    from workbench.ir.loops import Loops


def kept_literal(graph: Graph) -> dict[str, str]:
    """The dims that stay literals, with the reason: passes look at their values."""
    found: dict[str, str] = {}
    symbols = graph.symbols()
    for d in each(graph.definitions):
        if isinstance(d, Equation) and _scans(d):
            names = frozenset[str]().union(*(free_names(a.extent) for a in d.axes))
            names |= {
                n
                for e in walk(d.value)
                if isinstance(e, Reduce)
                for r in e.ranges
                for n in _ends(r)
            }
            reason = f"the scan that makes '{d.target}' is cut by its length"
            found |= {name: reason for name in symbols if name in names and name not in found}
    return found


def check_sizes(loops: Loops, values: Mapping[str, int]) -> None:
    """Refuse values of the open dims for which an index could leave i32.

    Raises `OpenDimError` naming the dim or the array.
    """
    for name in loops.open:
        if values[name] > LARGEST_OPEN:
            raise OpenDimError(
                f"{loops.name}: dim {name} is {values[name]}; an open dim ends at {LARGEST_OPEN}",
                hint=f"dims={{{name!r}: {values[name]}}}, a compilation for this value",
            )
    for b in loops.buffers:
        shape = tuple(size(x, values) for x in b.shape)
        if math.prod(shape) > LARGEST_INDEX:
            raise OpenDimError(
                f"array '{b.name}' of shape {shape} has {math.prod(shape)} elements; "
                f"indices are i32 and end at {LARGEST_INDEX}",
                hint="split the array into several",
            )
    for s in walk_stmts(loops.body):
        if isinstance(s, For):
            for e in (s.start, s.stop):
                if uniform(e, loops.open):
                    value(e, values)


def _scans(d: Equation) -> bool:
    """Whether a range of a reduction ends or begins at an axis that its terms do not use."""
    axes = {a.name for a in d.axes}
    return any(
        axes & _ends(r) and not axes & _ends(r) & _rest(e, r)
        for e in walk(d.value)
        if isinstance(e, Reduce)
        for r in e.ranges
    )


def _ends(r: Range) -> frozenset[str]:
    """The names that the ends of a range use; what data decide is no scan."""
    ends = (x for x in (r.start, r.stop) if not any(loads(x)))
    return frozenset[str]().union(*map(free_names, ends))


def _rest(e: Reduce, r: Range) -> frozenset[str]:
    """The names that a reduction uses beside those of a range."""
    return free_names(replace(e, ranges=tuple(x for x in e.ranges if x is not r)))
