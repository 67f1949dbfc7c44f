"""Bounds of operations hold for every pair of values, and are taken by one."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import pytest

from workbench.ir.intervals import joined

PYTHON = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
    "min": min, "max": max, "floordiv": lambda x, y: x // y, "mod": lambda x, y: x % y,
}  # fmt: skip
SPANS = list(combinations_with_replacement(range(-4, 6), 2))


@pytest.mark.parametrize("op", PYTHON)
def test_bounds_hold_and_are_taken(op: str) -> None:
    for a, b in product(SPANS, SPANS):
        if op in {"floordiv", "mod"} and b[0] <= 0:
            assert joined(op, a, b) is None
            continue
        pairs = product(range(a[0], a[1] + 1), range(b[0], b[1] + 1))
        values = [PYTHON[op](x, y) for x, y in pairs]
        bounds = joined(op, a, b)
        assert bounds is not None
        assert bounds[0] <= min(values)
        assert max(values) <= bounds[1]
        if op != "mod":
            assert bounds == (min(values), max(values))


def test_an_unknown_operation_has_no_bounds() -> None:
    assert joined("bitxor", (0, 3), (0, 3)) is None
