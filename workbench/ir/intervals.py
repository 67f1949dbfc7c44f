"""Interval arithmetic: the least and the greatest value of whole numbers, and what they settle."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.base.dtypes import I32
from workbench.ir.expr import Apply, Const, Expr, Var

Interval = tuple[int, int]
"""The least and the greatest value, both among them."""

ANY: Interval = (-(2**31), 2**31 - 1)
"""All of i32."""


def joined(op: str, a: Interval, b: Interval) -> Interval | None:
    """The bounds of `op` on values between those of `a` and `b`; None where none are known.

    Nothing wraps here: who computes in i32 asks whether the bounds are inside. They are taken by
    some pair of values, but for `mod` where the quotient changes.
    """
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
        case "mod" if b[0] > 0 and a[0] >= 0 and a[1] < b[0]:
            return a
        case "mod" if b[0] > 0:
            return 0, min(a[1], b[1] - 1) if a[0] >= 0 else b[1] - 1
        case _:
            return None


def interval(e: Expr, known: Mapping[str, Interval]) -> Interval:
    """Bounds of an i32 expression; all of i32 where nothing better is known or it may wrap."""
    match e:
        case Const(value):
            found = ANY if isinstance(value, float) else (int(value), int(value))
        case Var(name):
            found = known.get(name, ANY)
        case Apply(op, (left, right)):
            found = joined(op, interval(left, known), interval(right, known)) or ANY
        case _:
            found = ANY
    return found if ANY[0] <= found[0] and found[1] <= ANY[1] else ANY


def settled(e: Expr, known: Mapping[str, Interval]) -> bool | None:
    """Whether a condition always holds, or never does; None where that depends."""
    match e:
        case Const(truth):
            return bool(truth)
        case Apply("not", (a,)):
            inner = settled(a, known)
            return None if inner is None else not inner
        case Apply(("and" | "or") as op, (a, b)):
            sides = (settled(a, known), settled(b, known))
            ends = op == "or"  # what one side alone settles
            if ends in sides:
                return ends
            return None if None in sides else not ends
        case Apply(op, (a, b)) if a.dtype is I32:
            return _compared(op, interval(a, known), interval(b, known))
        case _:
            return None


def _compared(op: str, a: Interval, b: Interval) -> bool | None:
    match op:
        case "lt":
            return True if a[1] < b[0] else False if a[0] >= b[1] else None
        case "ge":
            return _opposite(_compared("lt", a, b))
        case "gt":
            return _compared("lt", b, a)
        case "le":
            return _opposite(_compared("lt", b, a))
        case "eq":
            if a == b and a[0] == a[1]:
                return True
            return False if a[1] < b[0] or b[1] < a[0] else None
        case "ne":
            return _opposite(_compared("eq", a, b))
        case _:
            return None


def _opposite(truth: bool | None) -> bool | None:  # noqa: FBT001  (a truth value is its subject)
    return None if truth is None else not truth
