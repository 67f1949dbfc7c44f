"""Conditions that the ranges of the loops around decide are taken for what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from workbench.ir.expr import Apply, Expr, Select, rebuild
from workbench.ir.intervals import ANY, Interval, interval, settled
from workbench.ir.stmt import Body, For, If, Stmt, map_bodies, map_exprs
from workbench.schedule.nests import literal

Ranges = Mapping[str, Interval]
"""The least and the greatest value of loop variables."""


def decided(body: Body, ranges: Ranges) -> Body:
    """The body without branches that are never taken, and without clamps that never clamp.

    before:  for i in range(1, n): y[i] = x[max(i - 1, 0)] if i > 0 else 0.0
    after:   for i in range(1, n): y[i] = x[i - 1]
    """
    out: list[Stmt] = []
    for s in body:
        out += _stmt(s, ranges)
    same = len(out) == len(body) and all(a is b for a, b in zip(out, body, strict=True))
    return body if same else tuple(out)


def range_of(loop: For, ranges: Ranges) -> Interval:
    """The least and the greatest value of a loop's variable."""
    low, stop = interval(loop.start, ranges)[0], interval(loop.stop, ranges)[1]
    return low, max(low, stop - 1)


def _stmt(s: Stmt, ranges: Ranges) -> Body:
    match s:
        case For(var):
            bounds = _with_exprs(s, ranges)
            inner = {**ranges, var: range_of(bounds, ranges)}
            return (map_bodies(bounds, lambda b: decided(b, inner)),)
        case If(cond, then, orelse) if (truth := settled(cond, ranges)) is not None:
            return decided(then if truth else orelse, ranges)
        case _:
            outer = map_bodies(s, lambda b: decided(b, ranges))
            return (_shallow(outer, ranges),)


def _with_exprs(loop: For, ranges: Ranges) -> For:
    start, stop = _expr(loop.start, ranges=ranges), _expr(loop.stop, ranges=ranges)
    same = start is loop.start and stop is loop.stop
    return loop if same else replace(loop, start=start, stop=stop)


def _shallow(s: Stmt, ranges: Ranges) -> Stmt:
    """The statement with its own expressions changed; those in its bodies are done."""
    if isinstance(s, If):
        cond = _expr(s.cond, ranges=ranges)
        return s if cond is s.cond else replace(s, cond=cond)
    return map_exprs(s, partial(_expr, ranges=ranges))


def _expr(e: Expr, ranges: Ranges) -> Expr:
    inner = rebuild(e, partial(_expr, ranges=ranges))
    match inner:
        case Select(cond, yes, no) if (truth := settled(cond, ranges)) is not None:
            return yes if truth else no
        case Apply("min", (a, b)) if literal(a) is not None or literal(b) is not None:
            return _least(inner, interval(a, ranges), interval(b, ranges))
        case Apply("max", (a, b)) if literal(a) is not None or literal(b) is not None:
            low, high = interval(a, ranges), interval(b, ranges)
            return _least(inner, _turned(low), _turned(high))
        case _:
            return inner


def _least(e: Apply, a: Interval, b: Interval) -> Expr:
    if ANY in (a, b):
        return e
    return e.args[0] if a[1] <= b[0] else e.args[1] if b[1] <= a[0] else e


def _turned(x: Interval) -> Interval:
    return (-x[1], -x[0]) if x != ANY else ANY
