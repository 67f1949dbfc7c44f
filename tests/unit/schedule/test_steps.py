"""What each step makes of a nest, and what it refuses and how."""

from __future__ import annotations

import workbench as wb
from tests.unit.schedule.programs import (
    add,
    blur,
    collatz,
    function,
    histogram,
    i,
    j,
    k,
    load,
    matmul,
    mean,
    parallel,
    recurrence,
    rows,
    serial,
    strided,
    zero,
)
from tests.unit.schedule.refused import assert_refused, each_refused
from workbench.ir.loops import Loops
from workbench.ir.show import loops_text
from workbench.ir.stmt import Barrier, Break, If, Store, walk_stmts
from workbench.passes.mapping import map_kernels
from workbench.schedule.loop_steps import Split
from workbench.schedule.step import Schedule
from workbench.session.kernel import kernel

S = Schedule()
TILED = S.parallelize("i", "workgroup.y", 4).parallelize("j", "workgroup.x", 5)


def body_text(loops: Loops) -> str:
    """The nests without the lines that declare buffers."""
    lines = loops_text(loops).value.splitlines()
    return "\n".join(x[4:] for x in lines[1:] if "  # output" not in x and "  # temp" not in x)


def test_split_guards_the_tail_and_only_where_there_is_one() -> None:
    assert "if " not in body_text(S.split("k", 4).apply(matmul()))
    assert "if k_o * 3 + k_i < 8:" in body_text(S.split("k", 3).apply(matmul()))


def test_split_of_a_loop_that_starts_elsewhere_keeps_its_indices() -> None:
    program = function((serial("i", 9, Store("y", (i,), load("x", i)), start=2),))
    text = body_text(Split("i", 4).apply(program))

    assert text == (
        "for i_o in range(2):\n"
        "    for i_i in range(4):\n"
        "        if i_o * 4 + i_i < 7:\n"
        "            y[i_o * 4 + i_i + 2] = x[i_o * 4 + i_i + 2]"
    )


def test_reorder_takes_an_imperfect_nest_apart() -> None:
    assert body_text(S.reorder("k", "j").apply(matmul())) == (
        "for i in range(12):  # parallel\n"
        "    for j_1 in range(10):  # parallel\n"
        "        C[i, j_1] = 0.0\n"
        "    for k in range(8):\n"
        "        for j in range(10):  # parallel\n"
        "            C[i, j] += A[i, k] * B[k, j]"
    )


def test_reorder_keeps_the_outer_loops_of_a_tile_around_everything() -> None:
    tile = S.split("i", 4).split("j", 5).reorder("i_o", "j_o", "k", "i_i", "j_i")

    assert body_text(tile.cache("C", "private", at="j_o").apply(matmul())) == (
        "for i_o in range(3):  # parallel\n"
        "    for j_o in range(2):  # parallel\n"
        "        C_private: f32[4, 5]  # private memory\n"
        "        for i_i_1 in range(4):  # parallel\n"
        "            for j_i_1 in range(5):  # parallel\n"
        "                C_private[i_i_1, j_i_1] = 0.0\n"
        "        for k in range(8):\n"
        "            for i_i in range(4):  # parallel\n"
        "                for j_i in range(5):  # parallel\n"
        "                    C_private[i_i, j_i] += A[i_o * 4 + i_i, k] * B[k, j_o * 5 + j_i]\n"
        "        for keep_0 in range(4):\n"
        "            for keep_1 in range(5):\n"
        "                C[i_o * 4 + keep_0, j_o * 5 + keep_1] = C_private[keep_0, keep_1]"
    )


def test_reorder_refuses_with_the_two_iterations_that_clash() -> None:
    verdict = S.reorder("T.j", "T.i").check(recurrence(1, -1))

    assert verdict.reason == "it would change the order in which T is used"
    assert verdict.example == (
        "(i=0, j=1) writes T[0, 1] and (i=1, j=0) reads it; after the step what reads it "
        "comes first"
    )


def test_reorder_that_changes_the_order_of_a_float_sum_says_so() -> None:
    program = S.split("k", 2).apply(matmul())
    verdict = S.reorder("k_i", "k_o").check(program)

    assert verdict
    assert verdict.notes == ("changes the order of the float additions of C",)


def test_reorder_that_keeps_each_sum_says_nothing() -> None:
    assert S.reorder("k", "i", "j").check(matmul()).notes == ()


def test_parallelize_maps_the_two_halves_of_a_loop() -> None:
    assert body_text(S.parallelize("top.i", "workgroup.x", 4).apply(rows(m=6))).startswith(
        "for i_o in range(2):  # workgroup.x\n"
        "    for i_i in range(4):  # invocation.x\n"
        "        if i_o * 4 + i_i < 6:\n"
    )


def test_parallelize_refuses_a_loop_whose_iterations_clash() -> None:
    verdict = S.parallelize("k", "workgroup.x").check(matmul())

    assert verdict.reason == "the iterations of 'k' need each other"
    assert verdict.example == (
        "(i=0, j=0, k=0) updates C[0, 0] and (i=0, j=0, k=1) updates it, too"
    )


def test_a_cache_in_workgroup_memory_holds_what_all_invocations_read() -> None:
    text = body_text(TILED.split("k", 4).cache("A", "workgroup", at="k_o").apply(matmul()))

    assert "A_workgroup: f32[4, 4]  # workgroup memory" in text
    assert "for fetch in range(16):  # cooperative" in text
    assert (
        "A_workgroup[fetch // 4, fetch % 4] = A[i_o * 4 + fetch // 4, k_o * 4 + fetch % 4]" in text
    )
    assert "+= A_workgroup[i_i, k_i] * B[k_o * 4 + k_i, j_o * 5 + j_i]" in text


def test_a_copy_has_columns_for_rows_and_space_against_bank_conflicts() -> None:
    steps = TILED.split("k", 4).cache("A", "workgroup", at="k_o", transposed=True, pad=1)
    text = body_text(steps.apply(matmul()))

    assert "A_workgroup: f32[4, 5]  # workgroup memory" in text
    assert "A_workgroup[fetch % 4, fetch // 4] = A[i_o * 4 + fetch // 4" in text
    assert "+= A_workgroup[k_i, i_i] * B[" in text


def test_a_copy_in_two_halves_is_fetched_one_iteration_ahead() -> None:
    steps = TILED.split("k", 4).cache("A", "workgroup", at="k_o", double=True)
    text = body_text(steps.apply(matmul()))

    assert text.partition("A_workgroup: ")[2] == (
        "f32[2, 4, 4]  # workgroup memory\n"
        "                for fetch in range(16):  # cooperative\n"
        "                    A_workgroup[0, fetch // 4, fetch % 4] = "
        "A[i_o * 4 + fetch // 4, fetch % 4]\n"
        "                for k_o in range(2):\n"
        "                    for fetch_1 in range(16):  # prefetch\n"
        "                        if k_o + 1 < 2:\n"
        "                            A_workgroup[(k_o + 1) % 2, fetch_1 // 4, fetch_1 % 4] = "
        "A[i_o * 4 + fetch_1 // 4, k_o * 4 + fetch_1 % 4 + 4]\n"
        "                    for k_i in range(4):\n"
        "                        C[i_o * 4 + i_i, j_o * 5 + j_i] += "
        "A_workgroup[k_o % 2, i_i, k_i] * B[k_o * 4 + k_i, j_o * 5 + j_i]"
    )


GATHERED = TILED.reorder("i_o", "j_o", "i_i", "j_i").cache("C", "workgroup", at="j_o")


def test_a_workgroup_collects_its_results_and_stores_them_together() -> None:
    text = body_text(GATHERED.split("k", 4).apply(matmul()))

    assert text == (
        "for i_o in range(3):  # workgroup.y\n"
        "    for j_o in range(2):  # workgroup.x\n"
        "        C_workgroup: f32[4, 5]  # workgroup memory\n"
        "        for i_i in range(4):  # invocation.y\n"
        "            for j_i in range(5):  # invocation.x\n"
        "                C_workgroup[i_i, j_i] = 0.0\n"
        "                for k_o in range(2):\n"
        "                    for k_i in range(4):\n"
        "                        C_workgroup[i_i, j_i] += "
        "A[i_o * 4 + i_i, k_o * 4 + k_i] * B[k_o * 4 + k_i, j_o * 5 + j_i]\n"
        "        for keep in range(20):  # cooperative\n"
        "            C[i_o * 4 + keep // 5, j_o * 5 + keep % 5] = C_workgroup[keep // 5, keep % 5]"
    )


def test_a_workgroup_stores_what_it_collected_behind_one_barrier() -> None:
    (mapped,) = map_kernels(GATHERED.apply(matmul())).kernels

    assert sum(isinstance(s, Barrier) for s in walk_stmts(mapped.body)) == 1


def test_an_axis_does_not_repeat_what_is_written_beside_it_in_workgroup_memory() -> None:
    twice = parallel(
        "i", 4,
        parallel("j", 5, Store("T", (i, j), zero())),
        parallel("k", 5, Store("T", (i, k), load("x", i, k), "add")),
    )  # fmt: skip
    collected = S.parallelize("i", "workgroup.x", 2).cache("T", "workgroup", at="i_o")
    program = function((twice,), x=("input", (4, 5)), T=("output", (4, 5)))
    verdict = S.parallelize("k", "invocation.y").check(collected.apply(program))

    assert "T_workgroup is also written beside the loop" in verdict.reason


def test_what_is_read_under_a_condition_does_not_choose_what_is_copied() -> None:
    text = (
        "def f(h: f32[M], idx: i32[N]) -> f32[N]:\n"
        "    y[i] = h[idx[i + 1]] if i + 1 < N else 0.0\n"
        "    return y"
    )
    verdict = S.cache("h", "private", at="i").check(kernel(text).loops({"M": 4, "N": 6}))

    assert verdict.reason == "which element of h 'i' touches is read under a condition"


def test_a_cache_of_a_clamped_stencil_holds_the_border() -> None:
    text = body_text(TILED.cache("x", "workgroup", at="j_i").apply(blur(m=12, n=10)))

    assert "x_workgroup: f32[6, 5]  # workgroup memory" in text
    assert "if i_o * 4 + fetch // 5 - 1 >= 0 and i_o * 4 + fetch // 5 - 1 < 12 else 0.0" in text


def test_an_element_chosen_by_values_is_cached_where_they_stay() -> None:
    text = body_text(S.cache("h", "private", at="i").apply(histogram()))

    assert "h_private = h[b[i]] if b[i] >= 0 and b[i] < 4 else 0" in text
    assert "h_private += 1" in text


def test_a_cache_that_is_not_written_first_fetches() -> None:
    text = body_text(S.cache("C", "private", at="k").apply(matmul()))

    assert text.splitlines()[3:] == [
        "        for k in range(8):",
        "            C_private: f32  # private memory",
        "            C_private = C[i, j]",
        "            C_private += A[i, k] * B[k, j]",
        "            C[i, j] = C_private",
    ]


BREAKING = function(
    (serial("i", 5, Store("y", (i,), load("x", i)), If(load("stop", i), (Break(),))),),
    x=("input", (5,)),
    stop=("input", (5,)),
    y=("output", (5,)),
)

MIRRORED = function(
    (serial("i", 4, serial("j", 4, Store("y", (i, j), add(load("x", i, j), load("x", j, i))))),),
    x=("input", (4, 4)),
    y=("output", (4, 4)),
)

REFUSED = [
    (S.split("q", 4), matmul(), "no loop named 'q'"),
    (S.split("k", 0), matmul(), "the factor is 0, not a positive int"),
    (S.split("k", 4, tail="cut"), matmul(), "tail='cut' is not known"),
    (S.split("k", 2), mean(), "the bounds of 'k' are not literals"),
    (S.split("i", 2), BREAKING, "a break ends 'i', it would end the inner loop only"),
    (TILED.split("i_i", 2), matmul(), "'i_i' is already mapped onto invocation.y"),
    (S.reorder("i", "i"), matmul(), "reorder wants each loop once"),
    (S.reorder("top.j", "y.j"), rows(), "do not stand in one another"),
    (S.reorder("k", "i"), mean(), "the bounds of 'k' use 'i'"),
    (TILED.reorder("k", "j_i"), matmul(), "'j_i' is mapped and holds more than one loop"),
    (S.parallelize("i", "thread.x"), matmul(), "no axis 'thread.x'"),
    (S.parallelize("i", "worker", 4), matmul(), "a size goes with a workgroup axis"),
    (S.parallelize("i", "workgroup.x", 0), matmul(), "the size is 0, not a positive int"),
    (S.parallelize("j", "worker"), matmul(), "'i' stands around it"),
    (S.parallelize("i", "workgroup.x"), BREAKING, "a break ends 'i'"),
    (TILED.parallelize("i_o", "worker"), matmul(), "'i_o' is already mapped onto workgroup.y"),
    (
        S.parallelize("i", "workgroup.x").parallelize("j", "workgroup.x"),
        matmul(),
        "workgroup.x is taken by 'i' in this nest",
    ),
    (S.parallelize("i", "worker").parallelize("j", "workgroup.x"), matmul(), "'i'"),
    (S.reorder("k", "i").parallelize("i", "workgroup.x"), matmul(), "the serial loop 'k' stands"),
    (S.parallelize("i", "invocation.x"), histogram(), "the iterations of 'i' need each other"),
    (S.cache("Q", "private", at="k"), matmul(), "no array 'Q' in storage"),
    (S.cache("A", "registers", at="k"), matmul(), "no memory 'registers'"),
    (S.cache("y", "private", at="top.i"), rows(), "'top.i' does not touch y"),
    (S.cache("A", "private", at="k", transposed=True), matmul(), "the copy of A has 0 dimensions"),
    (S.cache("A", "private", at="i", pad=-1), matmul(), "pad is -1, and the copy of A has 1"),
    (S.cache("A", "workgroup", at="k"), matmul(), "no loop around 'k' runs on invocations"),
    (TILED.cache("C", "workgroup", at="k"), matmul(), "C is written by the iterations of 'i_i'"),
    (S.cache("A", "private", at="k", double=True), matmul(), "two halves are for what a workgroup"),
    (
        TILED.cache("A", "workgroup", at="j_i", double=True),
        matmul(),
        "'j_i' does not run serially from 0",
    ),
    (TILED.cache("C", "workgroup", at="i_o"), matmul(), "'j_o' inside 'i_o' is mapped"),
    (TILED.cache("A", "private", at="i_i"), matmul(), "'j_o' inside 'i_i' is mapped"),
    (S.cache("x", "private", at="j"), MIRRORED, "the elements of x that 'j' touches are not a box"),
    (S.split("i", 2).cache("y", "private", at="i_o"), strided(2), "one iteration of 'i_o' does"),
    (
        TILED.cache("A", "workgroup", at="j_i").parallelize("k", "invocation.z"),
        matmul(),
        "the iterations of 'k' need each other",
    ),
]


@each_refused(REFUSED)
def test_refusals_name_the_step_and_the_reason(
    schedule: Schedule, program: Loops, message: str
) -> None:
    assert_refused(schedule, program, message)


def test_a_while_does_not_hinder_what_does_not_touch_it() -> None:
    assert S.parallelize("i", "workgroup.x", 4).check(collatz())


def test_a_private_cache_is_not_shared_by_a_later_axis() -> None:
    cached = S.cache("C", "private", at="i").apply(matmul())
    verdict = S.parallelize("j", "workgroup.x").check(cached)

    assert verdict.reason == "C_private is private memory of what stands around the loop"


def test_an_invocation_axis_does_not_go_around_workgroup_memory() -> None:
    mapped = S.parallelize("j", "workgroup.x", 5).cache("A", "workgroup", at="k").apply(matmul())
    verdict = S.parallelize("i", "workgroup.y", 4).check(mapped)

    assert verdict.reason == "it stands around an array that the workgroup shares"
    assert S.parallelize("i", "workgroup.y").check(mapped)


def test_a_loop_at_the_top_keeps_what_it_adds_to_private_memory() -> None:
    total = "def total(x: f32[N]) -> f32:\n    y = 1.0 + sum(x[k] for k in range(N))\n    return y"
    verdict = S.parallelize("k", "parallel").check(kernel(total).loops({"N": 1}))

    assert verdict.reason == "acc is private memory of what stands around the loop"


def test_a_loop_at_the_top_keeps_the_locals_around_it() -> None:
    scan = "def f(x: f32[N]) -> f32[N]:\n    y[i] = sum(x[k] for k in range(i))\n    return y"
    verdict = S.parallelize("k", "workgroup.x").check(kernel(scan).loops({"N": 2}))

    assert verdict.reason == "'acc' is a local of what stands around the loop"


def test_a_loop_in_a_repeat_keeps_the_locals_of_its_turn() -> None:
    scan = (
        "def f(x: f32[N]) -> f32[N]:\n"
        "    for t in range(2):\n"
        "        x[i] = x[i] + sum(x[k] for k in range(i))\n"
        "    return x"
    )
    verdict = S.parallelize("k", "workgroup.x").check(kernel(scan).loops({"N": 2}))

    assert verdict.reason == "'acc' is a local of what stands around the loop"


def test_a_verdict_reads_as_a_sentence_with_its_places() -> None:
    k = wb.kernel(
        "def smooth(x: f32[N]) -> f32[N]:\n"
        "    for i in grid(1):\n"
        "        for j in range(1, N):\n"
        "            x[j] = 0.5 * x[j - 1] + x[j]\n"
        "    return x\n"
    )
    refused = repr(k.schedule().parallelize("j", "workgroup.x", 8).check()).split("\n")

    assert refused[0].startswith("refused: the iterations of 'j' need each other; (i=0, j=1)")
    assert refused[2].strip() == "^" * len("for j in range(1, N)")
    assert "and" in refused
    assert repr(k.schedule().check()) == "legal"
