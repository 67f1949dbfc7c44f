"""What the steps that reshape nests make of them: tails, tiles, fused, peeled, special loops."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.schedule.programs import (
    add,
    blur,
    collatz,
    function,
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
    sub,
    zero,
)
from tests.unit.schedule.test_steps import S, body_text
from workbench.base.errors import ScheduleError
from workbench.ir.expr import Const, Select, apply, integer
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.ir.stmt import Store
from workbench.schedule.nest_steps import LARGEST_CODE
from workbench.schedule.step import Schedule
from workbench.session.kernel import kernel


def scaled(n: int = 10) -> Loops:
    """The loops of `y[i] = 2 * x[i]`."""
    value = apply("mul", Const(2.0, load("x", i).dtype), load("x", i))
    return function((parallel("i", n, Store("y", (i,), value)),), x=("input", (n,)),
                    y=("output", (n,)))  # fmt: skip


def shifted(n: int = 6) -> Loops:
    """`y[i] = x[i - 1]`, at the first element 0."""
    value = Select(apply("gt", i, integer(0)), load("x", sub(i, 1)), zero())
    return function((parallel("i", n, Store("y", (i,), value)),), x=("input", (n,)),
                    y=("output", (n,)))  # fmt: skip


def table(m: int = 4, n: int = 6) -> Loops:
    """The loops of `y[i, j] = x[j, i]`."""
    nest = parallel("i", m, parallel("j", n, Store("y", (i, j), load("x", j, i))))
    return function((nest,), x=("input", (n, m)), y=("output", (m, n)))


def test_a_peeled_tail_is_a_loop_of_its_own() -> None:
    assert body_text(S.split("i", 4, tail="peel").apply(scaled())) == (
        "for i_o in range(2):  # parallel\n"
        "    for i_i in range(4):  # parallel\n"
        "        y[i_o * 4 + i_i] = 2.0 * x[i_o * 4 + i_i]\n"
        "for i_t in range(8, 10):  # parallel\n"
        "    y[i_t] = 2.0 * x[i_t]"
    )


def test_a_peeled_tail_has_names_of_its_own_for_what_it_repeats() -> None:
    text = body_text(S.split("i", 5, tail="peel").apply(mean()))

    assert "for k_1 in range(i_t + 1):" in text
    assert "acc_1: f32  # private memory" in text


def test_no_tail_is_left_where_the_factor_divides() -> None:
    assert S.split("i", 5, tail="peel").apply(scaled()) == S.split("i", 5).apply(scaled())
    assert S.split("i", 5, tail="pad").apply(scaled()) == S.split("i", 5).apply(scaled())


def test_a_padded_sum_adds_nothing_that_can_be_seen() -> None:
    assert body_text(S.split("k", 3, tail="pad").apply(matmul())) == (
        "for i in range(12):  # parallel\n"
        "    for j in range(10):  # parallel\n"
        "        C[i, j] = 0.0\n"
        "        for k_o in range(3):\n"
        "            for k_i in range(3):\n"
        "                C[i, j] += A[i, k_o * 3 + k_i] * B[k_o * 3 + k_i, j]"
        " if k_o * 3 + k_i < 8 else -0.0"
    )


def test_a_padded_tail_guards_what_would_be_seen() -> None:
    text = body_text(S.split("i", 4, tail="pad").apply(mean()))

    assert "    acc: f32  # private memory\n        if i_o * 4 + i_i < 6:\n" in text
    assert "if i_o * 4 + i_i < 6:\n            y[i_o * 4 + i_i] = acc / 5.0" in text


def test_a_sum_of_minus_zeros_keeps_its_sign_where_it_is_padded() -> None:
    """Adding 0.0 would turn -0.0 into 0.0."""
    total = serial("i", 2, Store("y", (), load("x", i), "add"))
    start = Store("y", (), Const(-0.0, load("x", i).dtype))
    loops = function((start, total), x=("input", (2,)), y=("output", ()))
    padded = S.split("i", 3, tail="pad").apply(loops)
    (result,) = run_loops(padded, {"x": np.full(2, -0.0, np.float32)}).values()

    assert np.signbit(result)


def test_a_tile_splits_and_puts_the_inner_halves_inside() -> None:
    tiled = S.tile("i", 4, "j", 5).apply(matmul())

    assert tiled == S.split("i", 4).split("j", 5).reorder("i_o", "j_o", "i_i", "j_i").apply(
        matmul()
    )
    assert repr(S.tile("i", 4, "j", 5)) == "Schedule().tile('i', 4, 'j', 5)"


def test_fused_loops_keep_their_pair_of_indices() -> None:
    assert body_text(S.fuse("i", "j").apply(table())) == (
        "for i_j in range(24):  # parallel\n    y[i_j // 6, i_j % 6] = x[i_j % 6, i_j // 6]"
    )


def test_isl_still_sees_that_fused_iterations_are_apart() -> None:
    fused = S.fuse("i", "j").split("i_j", 5).apply(table())

    assert S.parallelize("i_j_o", "workgroup.x").check(fused)


def test_three_loops_fuse_into_one() -> None:
    text = body_text(S.split("j", 3).fuse("i", "j_o", "j_i").apply(table()))

    assert text.startswith("for i_j_o_j_i in range(24):  # parallel")


def test_an_unrolled_loop_stays_to_be_found() -> None:
    assert "for u in range(3):  # unrolled" in body_text(S.unroll("u").apply(blur()))
    text = body_text(S.unroll("k", 4).apply(matmul()))

    assert "for k_o in range(2):\n            for k_i in range(4):  # unrolled" in text


def test_peeling_decides_what_the_new_ranges_decide() -> None:
    assert body_text(S.peel("i", first=1).apply(shifted())) == (
        "for i_f in range(1):  # parallel\n"
        "    y[i_f] = 0.0\n"
        "for i in range(1, 6):  # parallel\n"
        "    y[i] = x[i - 1]"
    )


def test_peeling_both_ends_takes_clamps_away_in_the_middle() -> None:
    text = body_text(S.peel("i", first=1, last=1).apply(blur()))

    assert "for i_f in range(1):" in text
    assert "for i in range(1, 9):" in text
    assert "for i_l in range(9, 10):" in text
    assert "y[i, j] += x[i + u + -1, j]" in text


OPEN = """def scale(x: f32[N, K]) -> f32[N]:
    y[i] = sum(x[i, k] for k in range(K))
    return y"""


def test_a_special_version_has_the_value_as_a_literal() -> None:
    loops = kernel(OPEN).compile(on="cpu", dims={"N": None, "K": None}).stages["loops"].value
    text = body_text(S.specialize("k", "K", 64).apply(loops))

    assert "if K == 64:" in text
    assert "for k in range(64):" in text
    assert "for k_1 in range(K):" in text


REFUSED: list[tuple[Schedule, Loops, str]] = [
    (S.split("k", 9, tail="peel"), matmul(), "no whole tile of 9 fits into the extent 8 of 'k'"),
    (
        S.parallelize("j", "workgroup.x", 5).split("i", 5, tail="peel"),
        matmul(),
        "'j_o' inside of it is already mapped onto workgroup.x",
    ),
    (S.tile("i", 4, "j"), matmul(), "tile wants each loop with its size"),
    (S.tile("i", 4, "z", 4), matmul(), "no loop named 'z'"),
    (S.tile("i", 4, "j", 0), matmul(), "the factor is 0, not a positive int"),
    (
        S.tile("T.i", 2, "T.j", 2),
        recurrence(1, -1),
        "(i_o=0, i_i=0, j_o=1, j_i=0) writes T[0, 2] and (i_o=0, i_i=1, j_o=0, j_i=1) reads it",
    ),
    (S.fuse("i"), table(), "fuse wants two loops or more"),
    (S.fuse("j", "i"), table(), "'i' does not stand alone in 'j'"),
    (S.fuse("j", "k"), matmul(), "'k' does not stand alone in 'j'"),
    (S.unroll("j").fuse("i", "j"), table(), "'j' is already unrolled"),
    (S.unroll("k"), mean(), "the bounds of 'k' are not literals"),
    (S.unroll("i"), matmul(5000), f"; {LARGEST_CODE} are the most"),
    (S.unroll("i").unroll("j"), table(100, 100), f"; {LARGEST_CODE} are the most"),
    (S.unroll("i", 0), table(), "the factor is 0, not a positive int"),
    (S.peel("i"), table(), "first and last say how many: 0 and 0 do not"),
    (S.peel("i", first=-1), table(), "first and last say how many: -1 and 0 do not"),
    (S.peel("i", first=2, last=2), table(), "'i' has 4 iterations, none would be left"),
    (S.peel("k", first=1), mean(), "the bounds of 'k' are not literals"),
    (S.vectorize("k"), matmul(), "the iterations of 'k' need each other; "),
    (S.vectorize("T.j"), recurrence(0, 1), "(i=0, j=0) writes T[0, 0] and (i=0, j=1) reads it"),
    (S.vectorize("j"), matmul(), "'k' stands inside 'j'; a vector is innermost"),
    (S.vectorize("i", 4, tail="guard"), scaled(), "tail='guard' asks in each lane"),
    (S.vectorize("i", 1), scaled(), "1 lanes; a vector has 2 to 64"),
    (S.split("i", 4).vectorize("i_i"), scaled(), "a condition stands inside of it"),
    (S.vectorize("i"), shifted(), "what a lane reads there depends on a condition"),
    (S.vectorize("i", 5).split("i_i", 2), scaled(), "'i_i' is already a vector"),
    (S.vectorize("i", 5).parallelize("i_i", "invocation.x"), scaled(), "already mapped onto vec"),
    (S.vectorize("i", 5).reorder("i_i", "i_o"), scaled(), "'i_i' is a vector, which stays inner"),
    (S.vectorize("i", 5).cache("x", "private", at="i_i"), scaled(), "'i_i' is a vector, whose"),
    (S.vectorize("i"), collatz(), "'value' changes inside of it"),
    (S.specialize("j", "N", 4), table(), "'N' is no open dim and no whole-number scalar"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "program", "message"),
    REFUSED,
    ids=[repr(s).removeprefix("Schedule().") for s, _, _ in REFUSED],
)
def test_refusals_say_why(schedule: Schedule, program: Loops, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule.apply(program)

    assert message in str(caught.value)


def test_a_special_version_of_an_outermost_loop_is_refused() -> None:
    loops = kernel(OPEN).compile(on="cpu", dims={"N": None, "K": None}).stages["loops"].value
    verdict = S.specialize("i", "N", 8).check(loops)

    assert verdict.reason == "'i' is outermost, and a program runs every nest"
    assert verdict.hint == "'k'"


def test_rows_are_fused_in_each_nest_by_their_own_names() -> None:
    fused = S.fuse("y.i", "y.j").apply(rows())

    assert "y[i_1_j_1 // 9, i_1_j_1 % 9]" in body_text(fused)
    assert S.unroll("y.i_j", 3).check(fused)


def test_an_inner_loop_whose_end_moves_does_not_fuse() -> None:
    nest = parallel("i", 4, serial("k", add(i, 1), Store("y", (i,), load("x", k), "add")))
    loops = function((nest,), x=("input", (4,)), y=("output", (4,)))
    verdict = S.fuse("i", "k").check(loops)

    assert verdict.reason == "the bounds of 'k' are not literals"
