"""Interval arithmetic: the least and the greatest value of an operation on whole numbers."""

from __future__ import annotations

Interval = tuple[int, int]
"""The least and the greatest value, both among them."""


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
