"""Loops written out, and private arrays that become values in registers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import workbench as wb
from tests.unit.schedule.programs import blur, function, i, load, matmul, parallel, serial, zero
from tests.unit.schedule.test_steps import S, body_text
from workbench.base.dtypes import F32
from workbench.ir.expr import Var
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.ir.stmt import Alloc, For, If, Local, LoopKind, Memory, Stmt, Store
from workbench.passes.registers import keep_in_registers
from workbench.passes.unrolled import write_out

TILE = (
    S.tile("i", 2, "j", 4)
    .reorder("i_o", "j_o", "k", "i_i", "j_i")
    .cache("C", "private", at="j_o")
    .vectorize("C.j_i").vectorize("j_i_1").vectorize("keep_1")
    .unroll("i_i").unroll("i_i_1").unroll("keep_0")
)  # fmt: skip


def private(*body: Stmt, shape: tuple[int, ...] = (4,)) -> Loops:
    """A nest over `i` with a private array `acc` of its own."""
    nest = parallel("i", 5, Alloc("acc", F32, shape, Memory.PRIVATE), *body)
    return function((nest,), x=("input", (5,)), y=("output", (5,)))


def test_a_loop_is_written_out_with_its_values() -> None:
    assert body_text(write_out(S.unroll("u").apply(blur()))) == (
        "for i in range(10):  # parallel\n"
        "    for j in range(6):  # parallel\n"
        "        y[i, j] = 0.0\n"
        "        y[i, j] += x[min(max(i + -1, 0), 9), j]\n"
        "        y[i, j] += x[min(max(i + 1 + -1, 0), 9), j]\n"
        "        y[i, j] += x[min(max(i + 2 + -1, 0), 9), j]"
    )


def test_what_a_copy_declares_has_a_name_of_its_own() -> None:
    body = (Local("t", load("x", i), fixed=True), Store("y", (i,), Var("t", F32), "add"))
    nest = parallel("i", 5, Store("y", (i,), zero()), serial("n", 2, *body))
    loops = S.unroll("n").apply(function((nest,), x=("input", (5,)), y=("output", (5,))))

    assert "t_1 = x[i]\n    y[i] += t_1" in body_text(write_out(loops))


def test_a_vector_has_at_most_the_lanes_of_the_target() -> None:
    value = load("x", i)
    loops = function((parallel("i", 6, Store("y", (i,), value)),), x=("input", (6,)),
                     y=("output", (6,)))  # fmt: skip
    vector = S.vectorize("i").apply(loops)

    assert body_text(write_out(vector, 4)) == (
        "for i in range(4):  # vector\n"
        "    y[i] = x[i]\n"
        "for i_1 in range(2):  # vector\n"
        "    y[i_1 + 4] = x[i_1 + 4]"
    )
    assert write_out(vector) is vector


def test_accumulators_become_one_value_for_the_lanes_of_a_vector() -> None:
    text = body_text(keep_in_registers(write_out(TILE.apply(matmul(4, 8, 3)), 4)))

    assert "C_private_0x0: f32[4]  # private memory" in text
    assert "C_private_1x0[j_i_2] += A[i_o * 2 + 1, k] * B[k, j_o * 4 + j_i_2]" in text
    assert "C_private[" not in text


def test_an_element_of_a_vector_may_stand_alone() -> None:
    lane = serial("v", 4, Store("acc", (Var("v"),), load("x", i)))
    loops = private(
        For("v", lane.start, lane.stop, lane.body, LoopKind.VECTOR),
        Store("y", (i,), load("acc", lane.start)),
    )

    assert "acc_at0: f32[4]  # private memory" in body_text(keep_in_registers(loops))
    assert "y[i] = acc_at0[0]" in body_text(keep_in_registers(loops))


@pytest.mark.parametrize(
    "body",
    [
        (serial("v", 4, Store("acc", (Var("v"),), load("x", i))), Store("y", (i,), zero())),
        (Store("acc", (i,), load("x", i)), Store("y", (i,), zero())),
        (If(Var("c"), (Store("acc", (Var("i"),), zero()),)),),
        (),
    ],
    ids=["a loop's variable", "the iteration", "under a condition", "not used"],
)
def test_an_array_that_is_looked_up_stays_an_array(body: tuple[Stmt, ...]) -> None:
    loops = private(*body)

    assert keep_in_registers(loops) is loops


def test_a_literal_outside_the_array_keeps_it_an_array() -> None:
    """It stands where control never comes, and is of no part."""
    loops = private(Store("acc", (serial("n", 9).stop,), zero()), shape=(4,))

    assert keep_in_registers(loops) is loops


def test_programs_without_such_loops_stay_the_same_object() -> None:
    loops = matmul()

    assert write_out(loops, 4) is loops
    assert keep_in_registers(loops) is loops


def test_what_is_written_out_computes_the_same() -> None:
    rng = np.random.default_rng(0)
    inputs = {n: rng.integers(0, 9, s).astype("f4") for n, s in (("A", (5, 3)), ("B", (3, 9)))}
    program = matmul(5, 9, 3)
    loops = S.tile("i", 2, "j", 4).unroll("i_i").unroll("j_i").cache("C", "private", at="j_o")
    made = keep_in_registers(write_out(loops.apply(program), 4))

    np.testing.assert_array_equal(
        run_loops(made, inputs)["C"], run_loops(program, inputs)["C"], strict=True
    )


MATMUL = """def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""


def test_accumulators_are_named_values_in_wgsl(golden: Callable[..., None]) -> None:
    c = wb.kernel(MATMUL).compile(
        TILE.split("k", 2).cache("A", "private", at="k_o").unroll("k_i")
        .vectorize("fetch_1").unroll("fetch_0")
        .parallelize("i_o", "workgroup.y", 8).parallelize("j_o", "workgroup.x", 8),
        dims={"M": 16, "K": 8, "N": 32},
    )  # fmt: skip
    text = c.stages["wgsl"].text

    assert "array<f32" not in text.partition("fn main")[2]
    golden(text)
    assert [s for s in c.stages if s in {"unrolled", "registers"}] == ["unrolled", "registers"]


def test_a_scalar_read_of_a_packed_array_takes_a_component() -> None:
    text = "def f(x: f32[N], s: i32) -> f32[N]:\n    y[i] = x[i] * x[(i * 7 + s) % N]\n    return y"
    k = wb.kernel(text)
    x = np.arange(32, dtype=np.float32)
    schedule = S.vectorize("i", 4).parallelize("i_o", "workgroup.x", 8)
    wgsl = k.compile(schedule, dims={"N": 32}).stages["wgsl"].text
    result = np.asarray(k(x, 3, on="native", schedule=schedule))

    assert "array<vec4<f32>, 8>" in wgsl
    np.testing.assert_array_equal(result, x * x[(np.arange(32) * 7 + 3) % 32])


def test_an_outermost_loop_stays_one_where_its_body_declares_an_array() -> None:
    """Written out it would leave nests that are run on their own, without the array."""
    loops = S.unroll("i").cache("A", "private", at="i").apply(matmul(2, 3, 2))

    assert body_text(write_out(loops)).startswith(
        "for i in range(2):\n    A_private: f32[2]  # private memory\n"
    )
