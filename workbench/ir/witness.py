"""Whether two accesses surely meet at an element, seen from one workgroup and few iterations.

Quick and one-sided, the opposite of `ir/distinct.py`: all invocations of the first workgroup are
looked at at once, each loop in its first or its last iteration. What is not found here is a
question for isl (`ir/deps.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from workbench.ir.device import LOCAL_IDS, LOCAL_INDEX, WORKGROUP_IDS, DeviceKernel
from workbench.ir.expr import Apply, Cast, Const, Expr, Select, Var
from workbench.ir.ops import OPS
from workbench.ir.stmt import For
from workbench.ir.together import Place, Way

Values = np.ndarray[Any, Any]
"""One value for each invocation of the workgroup."""


@dataclass(frozen=True, slots=True)
class Watch:
    """The first workgroup of a kernel: its loops by their variables, and the ids in it."""

    loops: Mapping[str, For]
    ids: Mapping[str, Values]

    def meet(self, a: Place, b: Place, way: Way) -> bool:
        """Whether two different invocations surely touch the same element in this way."""
        if not (a.access.exact and b.access.exact) or a.access.unproved or b.access.unproved:
            return False
        ends = (False, True) if way.then or way.other else (False,)
        for late, later in product(ends, repeat=2):
            first = self._touched(a, way, way.then, late=late, second=False)
            second = self._touched(b, way, way.other, late=later, second=True)
            if first is not None and second is not None and _share(first, second):
                return True
        return False

    def _touched(
        self, p: Place, way: Way, also: Sequence[Expr], *, late: bool, second: bool
    ) -> tuple[Values, Values] | None:
        """The elements that invocations touch (one row each), and which of them do."""
        values = self._iteration(p, way, late=late, second=second)
        if values is None:
            return None
        index = [None if e is None else _value(e, values) for e in p.access.index]
        tests = [_value(c, values) for c in (*p.access.conditions, *also)]
        known = [x for x in index if x is not None]
        sure = [t for t in tests if t is not None]
        if len(known) < len(index) or len(sure) < len(tests):
            return None
        count = len(self.ids[LOCAL_INDEX])
        rows = [np.broadcast_to(x, count) for x in known]
        happens = [np.broadcast_to(t, count).astype(bool) for t in sure]
        touched = np.stack(rows, 1) if rows else np.zeros((count, 1), np.int32)
        return touched, np.logical_and.reduce(happens) if happens else np.ones(count, bool)

    def _iteration(
        self, p: Place, way: Way, *, late: bool, second: bool
    ) -> dict[str, Values] | None:
        """The ids and the iterations of the loops around an access; None for a `while`."""
        values = dict(self.ids)
        for v in p.access.loops:
            if v in values:
                continue
            loop = self.loops.get(v)
            start = None if loop is None else _value(loop.start, values)
            stop = None if loop is None else _value(loop.stop, values)
            if loop is None or start is None or stop is None:
                return None
            if way.step is not None and v == way.step[0]:
                ahead = (way.step[1] > 0) == second
                values[v] = start + abs(way.step[1]) if ahead else start
            elif late and v not in way.same:
                values[v] = start + (np.maximum(stop - start, 1) - 1) // loop.step * loop.step
            else:
                values[v] = start
        return values


def watch(kernel: DeviceKernel, loops: Mapping[str, For]) -> Watch:
    """What is needed to look for meetings in a kernel."""
    z, y, x = np.indices(kernel.workgroup_size[::-1], dtype=np.int32).reshape(3, -1)
    ids: dict[str, Values] = dict.fromkeys(WORKGROUP_IDS, np.zeros_like(x))
    ids |= zip(LOCAL_IDS, (x, y, z), strict=True)
    ids[LOCAL_INDEX] = np.arange(len(x), dtype=np.int32)
    return Watch(loops, ids)


def _share(first: tuple[Values, Values], second: tuple[Values, Values]) -> bool:
    """Whether two different rows that count hold the same element."""
    (mine, happens), (theirs, happen) = first, second
    elements = np.unique(np.concatenate([mine, theirs]), axis=0, return_inverse=True)[1].reshape(-1)
    my, their = elements[: len(mine)][happens], elements[len(mine) :][happen]
    lanes, others = np.flatnonzero(happens), np.flatnonzero(happen)
    order = np.argsort(my, kind="stable")
    low, high = (np.searchsorted(my[order], their, side) for side in ("left", "right"))
    alone = high - low == 1
    same = lanes[order][np.minimum(low, len(my) - 1)] == others if len(my) else alone
    return bool(np.any((high > low) & ~(alone & same)))


def _value(e: Expr, values: Mapping[str, Values]) -> Values | None:
    """An i32 or bool expression in every invocation; None where it holds anything unknown."""
    match e:
        case Const(number, dtype):
            return np.asarray(number, dtype.numpy)
        case Var(name):
            return values.get(name)
        case Apply(op, args) if args[0].dtype.kind in "ib":
            parts = [_value(x, values) for x in args]
            known = [x for x in parts if x is not None]
            return OPS[op].numpy(*known) if len(known) == len(parts) else None
        case Select(cond, yes, no):
            test, a, b = (_value(x, values) for x in (cond, yes, no))
            return None if test is None or a is None or b is None else np.where(test, a, b)
        case Cast(dtype, arg) if dtype.kind == "i" and arg.dtype.kind == "b":
            part = _value(arg, values)
            return None if part is None else part.astype(dtype.numpy)
        case _:
            return None
