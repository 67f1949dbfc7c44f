"""Names of loops in schedules."""

from __future__ import annotations

from tests.unit.schedule.programs import matmul, mean, rows
from workbench.ir.stmt import For
from workbench.schedule.loop_steps import Reorder, Split
from workbench.schedule.names import base, computes, find, shown
from workbench.schedule.nests import loops_in
from workbench.schedule.step import Verdict


def test_a_name_without_array_is_enough_where_it_is_unique() -> None:
    assert [shown(matmul(), x.var) for x in loops_in(matmul().body)] == ["i", "j", "k"]


def test_a_loop_that_several_nests_have_is_named_by_the_array_it_computes() -> None:
    program = rows()

    assert [shown(program, x.var) for x in loops_in(program.body)] == [
        "top.i",
        "top.j",
        "y.i",
        "y.j",
    ]


def test_an_ambiguous_name_is_refused_with_the_candidates() -> None:
    found = find(rows(), "j")

    assert isinstance(found, Verdict)
    assert found.reason == "'j' is ambiguous: 2 loops have this name"
    assert found.hint == "'top.j' or 'y.j'"


def test_an_unknown_name_suggests_the_nearest() -> None:
    found = find(rows(), "top.jj")

    assert isinstance(found, Verdict)
    assert found.reason == "no loop named 'top.jj'"
    assert found.hint == "did you mean 'top.j'?"


def test_split_loops_are_qualified_like_the_loop_they_came_from() -> None:
    program = Split("y.j", 4).apply(rows())
    outer, inner = find(program, "y.j_o"), find(program, "j_i")

    assert isinstance(outer, For)
    assert isinstance(inner, For)
    assert (outer.var, inner.var) == ("j_1_o", "j_1_i")


def test_a_loop_into_an_accumulator_computes_what_its_nest_writes() -> None:
    assert computes(mean(), "k") == ("y",)


def test_the_name_stays_with_the_loop_and_the_copy_gets_a_number() -> None:
    program = Reorder(("k", "j")).apply(matmul())
    kept, copy = find(program, "j"), find(program, "C.j_1")

    assert isinstance(kept, For)
    assert isinstance(copy, For)
    assert (kept.var, copy.var) == ("j", "j_1")


def test_numbers_of_copies_are_no_part_of_a_name() -> None:
    assert [base(x) for x in ("i", "i_1", "i_1_o", "i_o_2_i", "x1")] == [
        "i",
        "i",
        "i_o",
        "i_o_i",
        "x1",
    ]
