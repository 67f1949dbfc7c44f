"""Graphs and loops compute what NumPy computes; control flow means what Python means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.ir.programs import (
    add,
    array,
    axes,
    buffers,
    f32,
    fold,
    graph,
    load,
    loop,
    matmul,
    mul,
    shape_of,
    softmax,
    span,
    tiled_matmul,
    var,
)
from workbench.base.dtypes import BOOL, F32, I32
from workbench.base.errors import RunError
from workbench.ir.demand import run_graph_at
from workbench.ir.expr import Const, Select, Var, apply, integer
from workbench.ir.graph import Array, Block, Equation, Graph, Scalar
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.loops import Loops
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Body,
    Break,
    Continue,
    If,
    Local,
    LoopKind,
    Memory,
    Store,
    While,
)

RNG = np.random.default_rng(7)
PARALLEL = LoopKind.PARALLEL


def randoms(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def loops(*body: object, outputs: tuple[str, ...] = ("y",), n: int = 6) -> Loops:
    arrays = buffers(x=("input", (n,)), y=("output", (n,)))
    statements: Body = body  # pyright: ignore[reportAssignmentType]
    return Loops("program", arrays, (), statements, outputs)


X6 = np.array([3, 1, 4, 1, 5, 9], np.float32)


def test_matmul_is_numpys() -> None:
    a, b = randoms(5, 7), randoms(7, 6)

    c = run_graph(matmul(5, 6, 7), {"A": a, "B": b})["C"]

    assert c.dtype == np.float64
    np.testing.assert_allclose(c, a.astype(float) @ b.astype(float), rtol=1e-14)


def test_narrow_graphs_keep_their_dtype() -> None:
    c = run_graph(matmul(5, 6, 7), {"A": randoms(5, 7), "B": randoms(7, 6)}, wide=False)["C"]

    assert c.dtype == np.float32


def test_large_grids_run_in_pieces() -> None:
    a, b = randoms(1500, 2), randoms(2, 1500)

    c = run_graph(matmul(1500, 1500, 2), {"A": a, "B": b})["C"]

    np.testing.assert_allclose(c, a.astype(float) @ b.astype(float), rtol=1e-14)


def test_softmax_is_numpys() -> None:
    x = randoms(6, 9)
    e = np.exp(x.astype(float) - x.max(axis=1, keepdims=True))

    y = run_graph(softmax(6, 9), {"x": x})["y"]

    np.testing.assert_allclose(y, e / e.sum(axis=1, keepdims=True), rtol=1e-14)


@pytest.mark.parametrize(
    "program", [matmul(40, 30, 50), softmax(40, 30)], ids=["matmul", "softmax"]
)
def test_selected_elements_are_those_of_the_whole(program: Graph) -> None:
    inputs = {a.name: randoms(*shape_of(a)) for a in program.inputs}
    points = np.stack([RNG.integers(0, 40, 9), RNG.integers(0, 30, 9)], axis=1)
    (output,) = program.outputs
    whole = run_graph(program, inputs)[output]

    found = run_graph_at(program, inputs, None, output, points)

    np.testing.assert_allclose(found, whole[points[:, 0], points[:, 1]], rtol=1e-14)


def test_selected_elements_of_a_huge_array_are_cheap() -> None:
    n = 30_000
    x = np.arange(n, dtype=np.float32)
    outer = Equation("p", F32, axes(i=n, j=n), mul(load("x", var("i")), load("x", var("j"))))
    twice = Equation("y", F32, axes(i=n, j=n), add(load("p", var("i"), var("j")), f32(1.0)))
    program = graph(outer, twice, inputs=(array("x", n),), outputs=("y",))

    found = run_graph_at(program, {"x": x}, None, "y", np.array([[2, 3], [n - 1, n - 1]]))

    assert [7.0, (n - 1.0) ** 2 + 1] == found.tolist()


def test_selected_elements_read_whole_blocks() -> None:
    first = Equation("t", F32, axes(i=6), add(load("x", var("i")), f32(1.0)))
    store = Store("s", (var("i"),), mul(load("t", var("i")), f32(2.0)))
    block = Block((loop("i", 6, store, kind=PARALLEL),), (array("s", 6),))
    last = Equation("y", F32, axes(i=6), apply("neg", load("s", var("i"))))
    program = Graph("p", (), (array("x", 6),), (), (), (first, block, last), ("y",))
    whole = run_graph(program, {"x": X6})["y"]

    found = run_graph_at(program, {"x": X6}, None, "y", np.array([[5], [0]]))

    assert whole.tolist() == (-2 * (X6 + 1)).tolist()
    assert found.tolist() == whole[[5, 0]].tolist()


def test_an_update_reads_everything_before_it_writes() -> None:
    previous = Select(
        apply("gt", var("i"), integer(0)),
        load("x", apply("sub", var("i"), integer(1))),
        f32(0.0),
    )
    update = Equation("x", F32, axes(i=6), previous)

    found = run_graph(graph(update, inputs=(array("x", 6),), outputs=("x",)), {"x": X6})["x"]

    assert found.tolist() == [0, *X6[:-1]]


def test_scalars_take_their_default() -> None:
    scale = Scalar("s", F32, 2.0)
    value = mul(load("x", var("i")), Var("s", F32))
    y = Equation("y", F32, axes(i=6), value)
    program = Graph("p", (), (array("x", 6),), (scale,), (), (y,), ("y",))

    assert run_graph(program, {"x": X6})["y"].tolist() == (X6 * 2).tolist()
    assert run_graph(program, {"x": X6}, {"s": 3.0})["y"].tolist() == (X6 * 3).tolist()


def test_empty_arrays_are_no_trouble() -> None:
    c = run_graph(matmul(0, 6, 0), {"A": randoms(0, 0), "B": randoms(0, 6)})["C"]
    zeros = run_graph(matmul(3, 2, 0), {"A": randoms(3, 0), "B": randoms(0, 2)})["C"]

    assert c.shape == (0, 6)
    assert zeros.tolist() == [[0, 0]] * 3


def test_an_array_of_no_dimensions() -> None:
    y = Equation("y", F32, (), fold("add", load("x", var("k")), span("k", 6)))

    assert run_graph(graph(y, inputs=(array("x", 6),), outputs=("y",)), {"x": X6})["y"] == 23


def test_loops_agree_with_a_schedule_of_them() -> None:
    a, b = randoms(32, 32), randoms(32, 32)

    c = run_loops(tiled_matmul(32, 8), {"A": a, "B": b})["C"]

    assert c.dtype == np.float32
    np.testing.assert_allclose(c, a @ b, atol=1e-5)


def test_a_tail_guard_leaves_lanes_out() -> None:
    i = add(mul(var("i_o"), integer(4)), var("i_i"))
    guard = If(
        apply("lt", i, integer(6)), (Store("y", (i,), load("x", i)),), guard=True
    )  # fmt: skip
    program = loops(loop("i_o", 2, loop("i_i", 4, guard, kind=PARALLEL), kind=PARALLEL))

    assert run_loops(program, {"x": X6})["y"].tolist() == X6.tolist()


def test_without_its_guard_a_tail_is_outside() -> None:
    i = add(mul(var("i_o"), integer(4)), var("i_i"))
    store = Store("y", (i,), f32(1.0))
    program = loops(loop("i_o", 2, loop("i_i", 4, store, kind=PARALLEL), kind=PARALLEL))

    with pytest.raises(RunError, match=r"index \[6\] of 'y' is outside its shape \[6\]"):
        run_loops(program, {"x": X6})


def test_lanes_that_add_to_one_element_all_count() -> None:
    program = loops(
        loop("i", 6, Store("y", (var("i"),), f32(0.0)), kind=PARALLEL),
        loop("k", 6, Store("y", (integer(2),), load("x", var("k")), "add"), kind=PARALLEL),
    )

    assert run_loops(program, {"x": X6})["y"].tolist() == [0, 0, 23, 0, 0, 0]


def test_a_serial_sum_rounds_in_order() -> None:
    n = 3000
    x = randoms(n)
    expected = np.float32(0)
    for value in x:
        expected += value
    program = loops(
        loop("i", n, Store("y", (var("i"),), f32(0.0)), kind=PARALLEL),
        loop("k", n, Store("y", (integer(0),), load("x", var("k")), "add")),
        n=n,
    )

    assert run_loops(program, {"x": x})["y"][0] == expected


def test_a_recurrence_sees_what_was_written() -> None:
    previous = load("y", apply("sub", var("t"), integer(1)))
    step = If(
        apply("gt", var("t"), integer(0)),
        (Store("y", (var("t"),), add(previous, load("x", var("t")))),),
        (Store("y", (var("t"),), load("x", var("t"))),),
    )

    found = run_loops(loops(loop("t", 6, step)), {"x": X6})["y"]

    assert found.tolist() == np.cumsum(X6).tolist()


def counting(*body: object) -> Loops:
    """For every i: count up in private memory by `body`, and store the count."""
    count = Alloc("count", F32, (), Memory.PRIVATE)
    start = Store("count", (), f32(0.0))
    end = Store("y", (var("i"),), load("count"))
    return loops(loop("i", 6, count, start, *body, end, kind=PARALLEL))  # pyright: ignore[reportArgumentType]


TICK = Store("count", (), f32(1.0), "add")


def test_each_lane_leaves_a_loop_for_itself() -> None:
    program = counting(loop("t", 10, If(apply("ge", var("t"), var("i")), (Break(),)), TICK))

    assert run_loops(program, {"x": X6})["y"].tolist() == [0, 1, 2, 3, 4, 5]


def test_continue_goes_on_with_the_next_iteration() -> None:
    odd = apply("eq", apply("mod", add(var("t"), var("i")), integer(2)), integer(1))
    program = counting(loop("t", 5, If(odd, (Continue(),)), TICK))

    assert run_loops(program, {"x": X6})["y"].tolist() == [3, 2, 3, 2, 3, 2]


def test_trip_counts_differ_between_lanes() -> None:
    program = counting(loop("t", var("i"), TICK))

    assert run_loops(program, {"x": X6})["y"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_break_leaves_the_innermost_loop_only() -> None:
    inner = loop("s", 3, TICK, If(apply("ge", var("s"), var("i")), (Break(),)))
    program = counting(loop("t", 2, inner))

    assert run_loops(program, {"x": X6})["y"].tolist() == [2, 4, 6, 6, 6, 6]


def test_locals_belong_to_their_lane() -> None:
    program = loops(
        loop(
            "i", 6,
            Local("n", var("i")),
            If(apply("lt", var("i"), integer(3)), (Assign("n", integer(10)),)),
            While(
                apply("lt", Var("n"), integer(4)),
                (Assign("n", add(Var("n"), integer(3))),),
            ),
            Store("y", (var("i"),), load("x", apply("mod", Var("n"), integer(6)))),
            kind=PARALLEL,
        )
    )  # fmt: skip
    expected = [X6[n % 6] for n in (10, 10, 10, 6, 4, 5)]

    assert run_loops(program, {"x": X6})["y"].tolist() == expected


def test_collatz_steps() -> None:
    n, one = Var("n"), integer(1)
    halve = Assign("n", apply("floordiv", n, integer(2)))
    grow = Assign("n", add(mul(n, integer(3)), one))
    body = (If(apply("eq", apply("mod", n, integer(2)), integer(0)), (halve,), (grow,)), TICK)
    program = counting(Local("n", add(var("i"), one)), While(apply("gt", n, one), body))

    assert run_loops(program, {"x": X6})["y"].tolist() == [0, 1, 7, 2, 5, 8]


def test_a_loop_without_end_is_an_error() -> None:
    program = counting(While(Const(value=True, dtype=BOOL), (TICK,)))

    with pytest.raises(RunError, match="used up its budget"):
        run_loops(program, {"x": X6}, budget=1 << 20)


def test_private_arrays_belong_to_their_lane() -> None:
    program = loops(
        loop(
            "i", 6,
            Alloc("kept", F32, (6,), Memory.PRIVATE),
            loop("t", 6, Store("kept", (var("t"),), mul(load("x", var("t")), load("x", var("i"))))),
            Store("y", (var("i"),), load("kept", apply("sub", integer(5), var("i")))),
            kind=PARALLEL,
        )
    )  # fmt: skip

    assert run_loops(program, {"x": X6})["y"].tolist() == (X6 * X6[::-1]).tolist()


def test_memory_that_nobody_wrote_is_not_a_number() -> None:
    program = loops(loop("i", 5, Store("y", (var("i"),), f32(0.0)), kind=PARALLEL))

    assert np.isnan(run_loops(program, {"x": X6})["y"]).tolist() == [False] * 5 + [True]


def test_an_input_can_be_an_output() -> None:
    found = run_loops(loops(outputs=("x",)), {"x": X6})["x"]

    assert found.tolist() == X6.tolist()
    assert not np.shares_memory(found, X6)


def test_integers_stay_integers_where_floats_are_wide() -> None:
    i = array("n", 3, dtype=I32)
    y = Equation("y", I32, axes(i=3), mul(load("n", var("i"), dtype=I32), integer(2**30)))
    program = graph(y, inputs=(i,), outputs=("y",))

    found = run_graph(program, {"n": np.array([1, 2, 4], np.int32)})["y"]

    assert found.dtype == np.int32
    assert found.tolist() == [2**30, -(2**31), 0]


def test_inputs_of_another_shape_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="'x' has shape"):
        run_loops(loops(), {"x": X6[:3]})


def test_a_block_keeps_what_it_does_not_write() -> None:
    fill = Equation("s", F32, axes(i=6), load("x", var("i")))
    block = Block((Store("s", (integer(0),), f32(0.0)),), (Array("s", F32, (integer(6),)),))
    program = Graph("p", (), (array("x", 6),), (), (), (fill, block), ("s",))

    assert run_graph(program, {"x": X6})["s"].tolist() == [0, *X6[1:]]


def test_a_parallel_loop_mapped_otherwise_means_the_same() -> None:
    x = load("x", var("i"))
    nest = loop("i", 6, Store("y", (var("i"),), add(x, x)), kind=PARALLEL)

    for kind in LoopKind:
        found = run_loops(loops(replace(nest, kind=kind)), {"x": X6})["y"]

        assert found.tolist() == (2 * X6).tolist()
