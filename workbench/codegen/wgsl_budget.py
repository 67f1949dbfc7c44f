"""Which loops of a device kernel need an iteration budget: those not proved to be short.

Every `while`, and each `for` that is not proved to run at most `BUDGET` times. The proof is by
intervals: literals, ids (bounded by the size of the dispatch), indices of enclosing loops and
fixed locals. A `for` with a barrier inside has none: all invocations leave it together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.ir.device import LOCAL_IDS, WORKGROUP_IDS, DeviceKernel
from workbench.ir.expr import Apply, Const, Expr, Var
from workbench.ir.stmt import Barrier, Body, For, Local, Stmt, While, bodies, walk_stmts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUDGET = 2**24
"""Iterations that the loops with a budget may make in one invocation, all together."""

Interval = tuple[int, int]
_ANY: Interval = (-(2**31), 2**31 - 1)


def unproved_loops(body: Body, kernel: DeviceKernel) -> Iterator[While | For]:
    """The loops of a prepared body that need a budget, in text order."""
    known: dict[str, Interval] = {}
    for names, sizes in ((WORKGROUP_IDS, kernel.workgroups), (LOCAL_IDS, kernel.workgroup_size)):
        known |= {name: (0, max(0, n - 1)) for name, n in zip(names, sizes, strict=True)}
    yield from _search(body, known)


def describe_loop(loop: While | For) -> str:
    """What errors call a loop: `while at line 7`."""
    word = "while" if isinstance(loop, While) else f"loop '{loop.var}'"
    span = loop.origin.nearest_span()
    return word if span is None else f"{word} at line {span.position[0]}"


def _search(body: Body, known: Mapping[str, Interval]) -> Iterator[While | For]:
    inner = dict(known)
    for s in body:
        match s:
            case Local(name, value) if s.fixed:
                inner[name] = interval(value, inner)
            case While():
                yield s
            case For():
                if _trips(s, inner) > BUDGET and not _meets(s):
                    yield s
                low, high = interval(s.start, inner)[0], interval(s.stop, inner)[1]
                yield from _search(s.body, {**inner, s.var: (low, max(low, high - 1))})
                continue
            case _:
                pass
        for b in bodies(s):
            yield from _search(b, inner)


def _trips(s: For, known: Mapping[str, Interval]) -> int:
    return (interval(s.stop, known)[1] - interval(s.start, known)[0] + s.step - 1) // s.step


def _meets(s: Stmt) -> bool:
    return any(isinstance(x, Barrier) for x in walk_stmts((s,)))


def interval(e: Expr, known: Mapping[str, Interval]) -> Interval:
    """Bounds of an i32 expression; all of i32 where nothing better is known or it may wrap."""
    match e:
        case Const(value):
            found = _ANY if isinstance(value, float) else (int(value), int(value))
        case Var(name):
            found = known.get(name, _ANY)
        case Apply(op, (left, right)):
            found = _combine(op, interval(left, known), interval(right, known))
        case _:
            found = _ANY
    return found if _ANY[0] <= found[0] and found[1] <= _ANY[1] else _ANY


def _combine(op: str, a: Interval, b: Interval) -> Interval:
    match op:
        case "add":
            return a[0] + b[0], a[1] + b[1]
        case "sub":
            return a[0] - b[1], a[1] - b[0]
        case "mul":
            corners = [x * y for x in a for y in b]
            return min(corners), max(corners)
        case "min":
            return min(a[0], b[0]), min(a[1], b[1])
        case "max":
            return max(a[0], b[0]), max(a[1], b[1])
        case "floordiv" if b[0] > 0:
            corners = [x // y for x in a for y in b]
            return min(corners), max(corners)
        case "mod" if b[0] > 0:
            return 0, b[1] - 1
        case _:
            return _ANY
