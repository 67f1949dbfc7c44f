"""Explanations: what measured roofs say of a time, and what they do not."""

from __future__ import annotations

import pytest

from workbench.measure.intervals import Interval
from workbench.measure.roofs import Explanation, Rate, Roofs, Work

ROOFS = Roofs(
    "cpu",
    memory=Rate(10e9, Interval(0.99, 1.0, 1.01)),
    arithmetic=Rate(100e9, Interval(0.99, 1.0, 1.01)),
    dispatch=Interval(9e-6, 10e-6, 11e-6),
)


def explained(operations: int, needed: int, seconds: float, moved: int = 0) -> Explanation:
    work = Work(operations, needed, moved or needed, dispatches=1, exact=True)
    return Explanation("k", work, ROOFS, Interval(seconds, seconds, seconds))


@pytest.mark.parametrize(
    ("operations", "needed", "seconds", "limit"),
    [
        (10**6, 10**9, 0.12, "memory"),
        (10**11, 10**6, 1.2, "arithmetic"),
        (10, 10, 12e-6, "dispatch"),
        (10**6, 10**6, 1.0, None),
    ],
)
def test_the_limit_is_the_roof_that_explains_most_of_the_time(
    operations: int, needed: int, seconds: float, limit: str | None
) -> None:
    found = explained(operations, needed, seconds)

    assert found.limit == limit
    assert (f"limited by {limit}" if limit else "not limited by a roof") in found.words


def test_what_no_roof_explains_says_how_often_its_loops_read_each_byte() -> None:
    words = explained(10**6, 10**6, 1.0, moved=40 * 10**6).words

    assert "its loops read and write each byte 40 times on average" in words


def test_a_kernel_faster_than_the_memory_works_in_caches() -> None:
    found = explained(10**9, 10**9, 0.01)

    assert found.exceeded == ("memory",)
    assert found.limit == "arithmetic"
    assert "its 1.00 GB come out of caches" in found.words


def test_a_kernel_faster_than_the_arithmetic_asks_for_the_roofs_again() -> None:
    found = explained(10**11, 10**6, 0.5)

    assert found.limit is None
    assert "wb.roofs('cpu', again=True)" in found.words


def test_the_lower_roof_is_what_is_attainable() -> None:
    assert ROOFS.ridge == pytest.approx(10)
    assert ROOFS.attainable(1) == pytest.approx(10e9)
    assert ROOFS.attainable(1000) == pytest.approx(100e9)


def test_every_number_says_whether_it_is_exact_modelled_or_measured() -> None:
    text = repr(explained(10**6, 10**6, 1.0))

    assert "1.00 MB (exact)" in text
    assert "1.00 Mop (exact)" in text
    assert "10.0 GB/s (measured)" in text
