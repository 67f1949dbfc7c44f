"""Dependences: what isl says against what enumeration of all iterations says."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.schedule.programs import (
    blur,
    collatz,
    function,
    histogram,
    i,
    j,
    load,
    matmul,
    mean,
    recurrence,
    rows,
    serial,
    zero,
)
from workbench.base.dtypes import I32
from workbench.ir.access import accesses, before, number
from workbench.ir.deps import carried, dependences, parallel_loops, reordered
from workbench.ir.expr import Expr, Var, apply, integer
from workbench.ir.loops import Loops
from workbench.ir.stmt import Store


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (matmul(), {"i", "j"}),
        (rows(), {"i", "i_1", "j_1"}),
        (blur(), {"i", "j"}),
        (recurrence(1, 0), {"j", "i_1", "j_1"}),
        (recurrence(0, 1), {"i", "i_1", "j_1"}),
        (recurrence(1, 1), {"j", "i_1", "j_1"}),
        (mean(), {"i"}),
        (histogram(), {"j"}),
        (collatz(), {"i"}),
    ],
)
def test_parallel_loops_are_those_that_carry_nothing(program: Loops, expected: set[str]) -> None:
    assert parallel_loops(program) == expected


def test_a_clash_names_two_iterations_and_the_element() -> None:
    clash = carried(accesses(matmul().body), "k")

    assert clash is not None
    assert clash.words == ("(i=0, j=0, k=0) updates C[0, 0] and (i=0, j=0, k=1) updates it, too")
    assert clash.exact


def test_a_clash_that_depends_on_values_says_so() -> None:
    clash = carried(accesses(histogram().body), "i")

    assert clash is not None
    assert not clash.exact
    assert clash.words == ("may be that (i=0) updates an element of h and (i=1) updates it, too")


def test_dependences_of_a_recurrence_are_carried_by_its_loops() -> None:
    found = [
        (d.kind, d.loop)
        for d in dependences(recurrence(1, 0))
        if (d.first.kind, d.second.kind) == ("writes", "reads")
    ]

    assert ("flow", "i") in found
    assert all(kind == "flow" for kind, _ in found)


def test_each_iteration_has_its_own_private_array() -> None:
    assert carried(accesses(mean().body), "i") is None
    assert carried(accesses(mean().body), "k") is not None


def test_updates_by_one_operation_are_a_question_of_their_own() -> None:
    touched = accesses(diagonal().body)
    turned = [replace(a, time=_reversed(a.time)) for a in touched]
    clash = reordered(touched, turned, commuting=True)

    assert reordered(touched, turned, commuting=False) is None
    assert clash is not None
    assert clash.words == ("(i=0, j=1) updates s[1] and (i=1, j=0) updates it, too")


def diagonal() -> Loops:
    """The loops of `s[i + j] += x[i]`."""
    place = apply("add", i, j)
    nest = serial("i", 3, serial("j", 3, Store("s", (place,), load("x", i), "add")))
    return function((nest,), x=("input", (3,)), s=("output", (5,)))


def _reversed(time: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The same nest with i and j exchanged."""
    names = {"i": "j", "j": "i"}
    return tuple(names.get(t, t) if isinstance(t, str) else t for t in time)


def test_a_literal_subscript_only_clashes_with_itself() -> None:
    store = Store("y", (integer(3),), load("x", i))
    program = function(
        (serial("i", 5, store, Store("y", (integer(4),), zero())),),
        x=("input", (5,)),
        y=("output", (5,)),
    )
    clash = carried(accesses(program.body), "i")

    assert clash is not None
    assert clash.element in {(3,), (4,)}


offsets = st.integers(-2, 2)
factors = st.integers(-2, 3)


@settings(max_examples=60, deadline=None)
@given(st.tuples(factors, factors, offsets, factors, factors, offsets), st.integers(1, 4))
def test_what_a_loop_carries_is_what_enumeration_finds(
    numbers: tuple[int, ...], extent: int
) -> None:
    a, b, c, d, e, f = numbers
    write = _affine(a, b, c)
    read = _affine(d, e, f)
    nest = serial("i", extent, serial("j", 3, Store("y", (write,), load("y", read))))
    touched = accesses((nest,))
    points = [{"i": x, "j": y} for x, y in product(range(extent), range(3))]

    for loop in ("i", "j"):
        outer = ["i"][: loop == "j"]
        found = any(
            number(one, p) == number(two, q)
            for p, q in product(points, points)
            for one, two in ((write, read), (read, write), (write, write))
            if p[loop] < q[loop] and all(p[v] == q[v] for v in outer)
        )

        assert (carried(touched, loop) is not None) == found


def _affine(a: int, b: int, c: int) -> Expr:
    first = apply("mul", i, integer(a))
    return apply("add", apply("add", first, apply("mul", j, integer(b))), integer(c))


def test_times_order_the_text() -> None:
    zeroed, *_, updated = (a for a in accesses(matmul().body) if a.array == "C")

    assert list(before(zeroed, updated)) == [{"i": -1}, {"i": 0, "j": -1}, {"i": 0, "j": 0}]
    assert list(before(updated, zeroed)) == [{"i": -1}, {"i": 0, "j": -1}]


def test_numbers_follow_python() -> None:
    e = apply("floordiv", Var("i"), integer(4))

    assert number(e, {"i": -3}) == -1
    assert number(e, {}) is None
    assert number(load("x", i, dtype=I32), {"i": 0}) is None
