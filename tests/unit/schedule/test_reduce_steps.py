"""What becomes of reductions that are computed in parts, and which cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.schedule.programs import (
    add,
    chained,
    function,
    histogram,
    i,
    k,
    load,
    matmul,
    parallel,
    recurrence,
    rows,
    serial,
    zero,
)
from tests.unit.schedule.refused import assert_refused, each_refused
from tests.unit.schedule.test_steps import S, body_text
from workbench.base.dtypes import F32
from workbench.ir.expr import Const, integer
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.ir.ops import unit
from workbench.ir.simt import run_mapped
from workbench.ir.stmt import Barrier, Store, walk_stmts
from workbench.passes.mapping import map_kernels
from workbench.schedule.step import Schedule
from workbench.session.kernel import kernel


def summed(m: int = 3, n: int = 8) -> Loops:
    """The loops of `y[i] = sum(x[i, k] for k in range(n))`."""
    total = serial("k", n, Store("y", (i,), load("x", i, k), "add"))
    nest = parallel("i", m, Store("y", (i,), zero()), total)
    return function((nest,), x=("input", (m, n)), y=("output", (m,)))


def feedback(n: int = 6) -> Loops:
    """`y[0] += x[k] * y[0]`: each term needs the sum so far."""
    term = add(load("x", k), load("y", integer(0)))
    body = (Store("y", (integer(0),), zero()),
            serial("k", n, Store("y", (integer(0),), term, "add")))  # fmt: skip
    return function(body, x=("input", (n,)), y=("output", (1,)))


TREE = S.split("k", 4).rfactor("k_i", memory="workgroup")


def test_rfactor_gives_each_iteration_a_private_part() -> None:
    assert body_text(S.split("k", 4).rfactor("k_i").apply(summed())) == (
        "for i in range(3):  # parallel\n"
        "    y[i] = 0.0\n"
        "    y_parts: f32[4]  # private memory\n"
        "    for k_i_1 in range(4):\n"
        "        y_parts[k_i_1] = 0.0\n"
        "    for k_o in range(2):\n"
        "        for k_i in range(4):\n"
        "            y_parts[k_i] += x[i, k_o * 4 + k_i]\n"
        "    for k_i_2 in range(4):\n"
        "        y[i] += y_parts[k_i_2]"
    )


def test_rfactor_in_workgroup_memory_is_a_tree_over_invocations() -> None:
    assert body_text(TREE.parallelize("i", "workgroup.x").apply(summed())) == (
        "for i in range(3):  # workgroup.x\n"
        "    y_parts: f32[4]  # workgroup memory\n"
        "    for k_i in range(4):  # invocation.x\n"
        "        y_private: f32  # private memory\n"
        "        y_private = 0.0\n"
        "        for k_o in range(2):\n"
        "            y_private += x[i, k_o * 4 + k_i]\n"
        "        y_parts[k_i] = y_private\n"
        "    for part in range(2):  # cooperative\n"
        "        y_parts[part] += y_parts[part + 2]\n"
        "    for part_1 in range(1):  # cooperative\n"
        "        y_parts[part_1] += y_parts[part_1 + 1]\n"
        "    for last in range(1):  # cooperative\n"
        "        y[i] = y_parts[0]"
    )


def test_rfactor_in_storage_makes_an_array_of_parts_of_its_own() -> None:
    after = S.split("k", 3).rfactor("k_o", memory="storage").apply(summed())

    assert after.buffer("y_parts").shape == (3, 3)
    assert body_text(after) == (
        "for i_1 in range(3):  # parallel\n"
        "    for k_o in range(3):  # parallel\n"
        "        y_parts[i_1, k_o] = 0.0\n"
        "        for k_i in range(3):\n"
        "            if k_o * 3 + k_i < 8:\n"
        "                y_parts[i_1, k_o] += x[i_1, k_o * 3 + k_i]\n"
        "for i in range(3):  # parallel\n"
        "    y[i] = 0.0\n"
        "    for k_o_1 in range(3):\n"
        "        y[i] += y_parts[i, k_o_1]"
    )


def test_a_sum_of_everything_in_two_stages_of_workgroups() -> None:
    text = "def total(x: f32[N]) -> f32:\n    y = sum(x[k] for k in range(N))\n    return y"
    program = kernel(text).loops({"N": 300})
    stages = (
        S.split("k", 64).rfactor("k_o", memory="storage")
        .split("y_parts.k_i", 8).rfactor("y_parts.k_i_i", memory="workgroup")
        .parallelize("y_parts.k_o", "workgroup.x").rfactor("y.k_o_1", memory="workgroup")
    )  # fmt: skip
    x = np.random.default_rng(0).integers(0, 9, 300).astype(np.float32)
    results, findings = run_mapped(map_kernels(stages.apply(program)), {"x": x})

    assert findings.ok, findings.words
    assert results["y"] == x.sum()


def test_a_tree_has_one_barrier_before_each_level_and_none_at_the_end() -> None:
    (mapped,) = map_kernels(TREE.parallelize("i", "workgroup.x").apply(summed())).kernels
    barriers = [s for s in walk_stmts(mapped.body) if isinstance(s, Barrier)]

    assert len(barriers) == 3


@pytest.mark.parametrize("factor", [1, 2, 3, 5, 8, 16])
@pytest.mark.parametrize("op", ["add", "max", "min", "mul"])
def test_trees_of_any_width_are_right_without_races(factor: int, op: str) -> None:
    total = serial("k", 13, Store("y", (i,), load("x", i, k), op))
    nest = parallel("i", 3, Store("y", (i,), unit(op, F32)), total)
    program = function((nest,), x=("input", (3, 13)), y=("output", (3,)))
    x = np.random.default_rng(1).integers(1, 3, (3, 13)).astype(np.float32)
    steps = S.split("k", factor).rfactor("k_i", memory="workgroup")
    for schedule in (steps, steps.parallelize("i", "workgroup.x")):
        after = schedule.apply(program)
        results, findings = run_mapped(map_kernels(after), {"x": x}, seed=factor)

        assert findings.ok, findings.words
        np.testing.assert_array_equal(results["y"], run_loops(program, {"x": x})["y"])
        np.testing.assert_array_equal(run_loops(after, {"x": x})["y"], results["y"])


def test_a_sum_that_begins_below_zero_keeps_its_sign() -> None:
    nest = parallel(
        "i", 1, Store("y", (i,), Const(-0.0, F32)),
        serial("k", 4, Store("y", (i,), load("x", k), "add")),
    )  # fmt: skip
    program = function((nest,), x=("input", (4,)), y=("output", (1,)))
    x = np.full(4, -0.0, np.float32)
    for memory in ("private", "workgroup", "storage"):
        (y,) = run_loops(S.rfactor("k", memory=memory).apply(program), {"x": x})["y"]

        assert np.signbit(y)


def test_what_floats_become_in_another_order_is_noted_and_can_be_forbidden() -> None:
    verdict = S.rfactor("k").check(summed())

    assert verdict.notes == ("changes the order of the float additions of y",)
    assert S.rfactor("top.j").check(rows()).notes == ()
    assert not Schedule(exact=True).rfactor("k").check(summed())


def test_decompose_gives_first_values_a_loop_of_their_own() -> None:
    assert body_text(S.decompose("j").apply(matmul(m=2, n=3, p=4))) == (
        "for i in range(2):  # parallel\n"
        "    for j_1 in range(3):  # parallel\n"
        "        C[i, j_1] = 0.0\n"
        "    for j in range(3):  # parallel\n"
        "        for k in range(4):\n"
        "            C[i, j] += A[i, k] * B[k, j]"
    )


def test_decompose_shows_the_value_that_would_be_stored_too_early() -> None:
    verdict = S.decompose("T.i").check(chained(1))

    assert verdict.reason == "a first value of s would be stored too early"
    assert "T.i" not in verdict.example
    assert verdict.example


REFUSED = [
    (S.decompose("k"), summed(), "'k' does not begin with first values"),
    (S.parallelize("i", "worker").decompose("i"), summed(), "'i' is worker"),
    (S.rfactor("q"), summed(), "no loop named 'q'"),
    (S.rfactor("k", memory="registers"), summed(), "no memory 'registers'"),
    (S.rfactor("i"), summed(), "'i' is parallel"),
    (S.rfactor("T.j"), recurrence(1, 0), "'T.j' does more than update one element"),
    (S.rfactor("y.i"), histogram(), "no loop named 'y.i'"),
    (S.rfactor("h.i"), histogram(), "'h.i' updates more than one element of h"),
    (S.rfactor("k"), feedback(), "a term needs y as it is so far"),
    (S.reorder("k", "j").rfactor("k"), matmul(), "'k' does more than update one element"),
    (S.vectorize("k"), summed(n=4), "the iterations of 'k' need each other"),
    (
        S.parallelize("i", "workgroup.x", 2).rfactor("k", memory="workgroup"),
        summed(),
        "'i_i' is mapped onto invocation.x",
    ),
    (
        S.split("i", 2).rfactor("k", memory="storage"),
        summed(),
        "a condition stands around it and is no plain loop from 0",
    ),
]


@each_refused(REFUSED)
def test_refusals_name_the_step_and_the_reason(
    schedule: Schedule, program: Loops, message: str
) -> None:
    assert_refused(schedule, program, message)
