"""Loops run on the cpu as Python says: sums in order, guards, jumps, private memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.unit.ir.programs import add, f32, load, loop, mul, tiled_matmul, var
from workbench.base.dtypes import BOOL, F32, I32, U32, DType
from workbench.base.errors import CodegenError
from workbench.codegen.llvm import emit
from workbench.ir.expr import Cast, Load, Var, apply, integer
from workbench.ir.graph import Scalar
from workbench.ir.loops import Buffer, Loops, Role
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Body,
    Break,
    Continue,
    For,
    If,
    Local,
    LoopKind,
    Memory,
    Stmt,
    Store,
    While,
)
from workbench.program import Copy, Program, dispatches, from_json
from workbench.runtime.device import open_device

PARALLEL = LoopKind.PARALLEL


def function(
    *body: Stmt, scalars: tuple[Scalar, ...] = (), **arrays: tuple[Role, DType, tuple[int, ...]]
) -> Loops:
    """A function of buffers (role, dtype, shape); it returns its outputs."""
    buffers = tuple(Buffer(n, dtype, shape, role) for n, (role, dtype, shape) in arrays.items())
    outputs = tuple(b.name for b in buffers if b.role == "output")
    return Loops("program", buffers, scalars, body, outputs)


def run(made: Loops | Program, *scalars: float, **inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the function returns, run on the cpu; bools are words."""
    program = emit(made) if isinstance(made, Loops) else made
    device = open_device("cpu")
    given = [b for b in program.buffers if b.role in {"input", "output"}]
    memories = {b.name: device.allocate(b.size) for b in given}
    for name, value in inputs.items():
        device.write(memories[name], np.ascontiguousarray(value).data.cast("B"))
    device.enqueue(program, memories, scalars).wait(20)
    found: list[np.ndarray] = []
    for name in program.outputs:
        b = program.buffer(name)
        raw = bytes(device.read(memories[name], b.size))
        dtype = np.uint32 if b.dtype is BOOL else b.dtype.numpy
        found.append(np.frombuffer(raw, dtype, int(np.prod(b.shape))).reshape(b.shape))
    return tuple(found)


def uniform(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def matmul(m: int, n: int, k: int, kind: LoopKind = PARALLEL) -> Loops:
    product = mul(load("A", var("i"), var("k")), load("B", var("k"), var("j")))
    place = (var("i"), var("j"))
    inner = loop("k", k, Store("C", place, product, "add"))
    nest = loop("j", n, Store("C", place, f32(0.0)), inner, kind=kind)
    return function(
        loop("i", m, nest, kind=kind),
        A=("input", F32, (m, k)), B=("input", F32, (k, n)), C=("output", F32, (m, n)),
    )  # fmt: skip


def test_sums_keep_their_order_and_their_roundings() -> None:
    """Neither fused multiply-add nor a reordered sum would give these bits."""
    A, B = uniform(9, 33), uniform(33, 17, seed=2)
    expected = np.zeros((9, 17), np.float32)
    for k in range(33):
        expected = expected + A[:, k, None] * B[None, k, :]

    (C,) = run(matmul(9, 17, 33), A=A, B=B)

    assert C.tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", [LoopKind.SERIAL, PARALLEL, LoopKind.WORKER])
def test_every_kind_of_loop_covers_its_range(kind: LoopKind) -> None:
    A, B = uniform(40, 5), uniform(5, 3, seed=2)

    (C,) = run(matmul(40, 3, 5, kind), A=A, B=B)

    np.testing.assert_allclose(C, A.astype(np.float64) @ B, atol=1e-5)


def test_a_schedule_for_a_gpu_runs_too() -> None:
    A, B = uniform(16, 16), uniform(16, 16, seed=2)

    (C,) = run(tiled_matmul(16, 4), A=A, B=B)

    np.testing.assert_allclose(C, A.astype(np.float64) @ B, atol=1e-5)


def test_ranges_start_and_step_anywhere() -> None:
    nest = For("i", integer(-3), integer(8), (
        For("j", integer(5), integer(12), (
            Store("out", (add(var("i"), integer(3)), apply("sub", var("j"), integer(5))),
                  add(mul(var("i"), integer(100)), var("j"))),
        ), step=3),
    ), PARALLEL, 2)  # fmt: skip
    expected = np.zeros((11, 7), np.int32)
    for i in range(-3, 8, 2):
        for j in range(5, 12, 3):
            expected[i + 3, j - 5] = i * 100 + j
    clear = loop("a", 11, loop("b", 7, Store("out", (var("a"), var("b")), integer(0))))

    (out,) = run(function(clear, nest, out=("output", I32, (11, 7))))

    np.testing.assert_array_equal(out, expected)


def test_a_guard_keeps_a_split_loop_inside_its_array() -> None:
    i = add(mul(var("i_o"), integer(8)), var("i_i"))
    guarded = If(apply("lt", i, integer(21)), (Store("y", (i,), load("x", i)),), guard=True)
    nest = loop("i_o", 3, loop("i_i", 8, guarded), kind=PARALLEL)
    x = uniform(21)

    (y,) = run(function(nest, x=("input", F32, (21,)), y=("output", F32, (21,))), x=x)

    np.testing.assert_array_equal(y, x)


def test_loops_follow_bounds_read_from_arrays() -> None:
    """Sums of ragged rows: the trip count is known only when it runs."""
    row = Load("row", (var("i"),), I32), Load("row", (add(var("i"), integer(1)),), I32)
    body = (
        Store("y", (var("i"),), f32(0.0)),
        For("k", *row, (Store("y", (var("i"),), load("x", var("k")), "add"),)),
    )
    nest = loop("i", 3, *body, kind=PARALLEL)
    made = function(nest, row=("input", I32, (4,)), x=("input", F32, (9,)), y=("output", F32, (3,)))
    x = np.arange(9, dtype=np.float32)

    (y,) = run(made, row=np.array([0, 2, 2, 9], np.int32), x=x)

    np.testing.assert_array_equal(y, [1, 0, 35])


def test_while_break_and_continue_mean_what_they_mean_in_python() -> None:
    """How many odd numbers below 12 and not divisible by 3 are met before i."""
    n, count = Var("n"), Var("count")
    odd = apply("ne", apply("mod", n, integer(2)), integer(0))
    body: Body = (
        Local("n", integer(0)),
        Local("count", integer(0)),
        While(
            apply("eq", count, count),
            (
                If(apply("ge", n, var("i")), (Break(),)),
                Assign("n", add(n, integer(1))),
                If(apply("eq", apply("mod", n, integer(3)), integer(0)), (Continue(),)),
                If(odd, (Assign("count", add(count, integer(1))),), ()),
            ),
        ),
        Store("y", (var("i"),), count),
    )

    (y,) = run(function(loop("i", 12, *body, kind=PARALLEL), y=("output", I32, (12,))))

    expected = [sum(n % 2 != 0 and n % 3 != 0 for n in range(1, i + 1)) for i in range(12)]
    np.testing.assert_array_equal(y, expected)


def test_break_leaves_the_innermost_loop_only() -> None:
    inner = loop(
        "j",
        8,
        If(apply("gt", var("j"), var("i")), (Break(),)),
        Store("y", (var("i"),), integer(1), "add"),
    )
    nest = loop("i", 5, Store("y", (var("i"),), integer(0)), inner)

    (y,) = run(function(nest, y=("output", I32, (5,))))

    np.testing.assert_array_equal(y, [1, 2, 3, 4, 5])


def test_private_arrays_are_one_per_iteration() -> None:
    k = var("k")
    body = (
        Alloc("acc", F32, (4,), Memory.PRIVATE),
        loop("a", 4, Store("acc", (var("a"),), f32(0.0))),
        loop("k", 16, Store("acc", (apply("mod", k, integer(4)),), load("x", var("i"), k), "add")),
        loop("b", 4, Store("y", (var("i"), var("b")), load("acc", var("b")))),
    )
    x = uniform(6, 16)

    (y,) = run(
        function(
            loop("i", 6, *body, kind=PARALLEL),
            x=("input", F32, (6, 16)), y=("output", F32, (6, 4)),
        ),
        x=x,
    )  # fmt: skip

    np.testing.assert_allclose(y, x.reshape(6, 4, 4).astype(np.float64).sum(1), atol=1e-6)


def test_argmax_finds_the_first_of_equals() -> None:
    best, where = Load("best", (), F32), Load("where", (), I32)
    better = If(
        apply("gt", load("x", var("i"), var("k")), best),
        (Store("best", (), load("x", var("i"), var("k"))), Store("where", (), var("k"))),
    )
    body = (
        Alloc("best", F32, (), Memory.PRIVATE),
        Alloc("where", I32, (), Memory.PRIVATE),
        Store("best", (), f32(float("-inf"))),
        Store("where", (), integer(0)),
        loop("k", 7, better),
        Store("y", (var("i"),), where),
    )
    x = np.floor(uniform(20, 7) * 3)

    (y,) = run(
        function(
            loop("i", 20, *body, kind=PARALLEL),
            x=("input", F32, (20, 7)), y=("output", I32, (20,)),
        ),
        x=x,
    )  # fmt: skip

    np.testing.assert_array_equal(y, x.argmax(1))


def test_an_unrolled_loop_computes_the_same() -> None:
    made = matmul(4, 4, 8)
    (i,) = made.body
    assert isinstance(i, For)
    (j,) = i.body
    assert isinstance(j, For)
    start, k = j.body
    assert isinstance(k, For)
    unrolled = replace(i, body=(replace(j, body=(start, replace(k, kind=LoopKind.UNROLLED))),))
    A, B = uniform(4, 8), uniform(8, 4, seed=2)

    (plain,) = run(made, A=A, B=B)
    (same,) = run(replace(made, body=(unrolled,)), A=A, B=B)

    assert same.tobytes() == plain.tobytes()


def test_each_nest_is_a_kernel_named_after_what_it_writes() -> None:
    first = loop("i", 8, Store("t", (var("i"),), mul(load("x", var("i")), f32(2.0))), kind=PARALLEL)
    second = loop("j", 8, Store("y", (var("j"),), load("t", apply("sub", integer(7), var("j")))))
    made = function(
        first, second,
        x=("input", F32, (8,)), t=("temporary", F32, (8,)), y=("output", F32, (8,)),
    )  # fmt: skip
    x = uniform(8)

    (y,) = run(made, x=x)

    np.testing.assert_array_equal(y, 2 * x[::-1])
    assert [k.name for k in emit(made).kernels] == ["program_t", "program_y"]
    assert [d.workgroups for d in dispatches(emit(made).body)] == [(8, 1, 1), (1, 1, 1)]


def test_statements_that_belong_together_are_one_kernel() -> None:
    total = (
        Alloc("acc", F32, (), Memory.PRIVATE),
        Store("acc", (), f32(0.0)),
        loop("k", 100, Store("acc", (), load("x", var("k")), "add")),
        Store("mean", (), apply("div", load("acc"), f32(100.0))),
    )
    direct = (
        Store("top", (), f32(float("-inf"))),
        loop("n", 100, Store("top", (), load("x", var("n")), "max")),
    )
    made = function(
        *total, *direct,
        x=("input", F32, (100,)), mean=("output", F32, ()), top=("output", F32, ()),
    )  # fmt: skip
    x = uniform(100)

    mean, top = run(made, x=x)

    assert len(emit(made).kernels) == 2
    np.testing.assert_allclose(mean, x.mean(dtype=np.float64), rtol=1e-5)
    np.testing.assert_array_equal(top, x.max())


def test_scalars_arrive_in_their_dtypes() -> None:
    scalars = tuple(Scalar(n, t) for n, t in zip("abcd", (F32, I32, U32, BOOL), strict=True))
    a, b, c, d = (Var(s.name, s.dtype) for s in scalars)
    value = add(add(a, Cast(F32, b)), add(Cast(F32, c), Cast(F32, d)))
    nest = loop("i", 3, Store("y", (var("i"),), value), kind=PARALLEL)

    (y,) = run(function(nest, scalars=scalars, y=("output", F32, (3,))), 0.5, -3, 2**31, 1)

    np.testing.assert_array_equal(y, np.full(3, 0.5 - 3 + 2.0**31 + 1, np.float32))


def test_bools_are_words_of_0_or_1() -> None:
    x = Load("x", (var("i"),), BOOL)
    nest = loop("i", 4, Store("y", (var("i"),), apply("not", x)), kind=PARALLEL)
    made = function(nest, x=("input", BOOL, (4,)), y=("output", BOOL, (4,)))

    (y,) = run(made, x=np.array([0, 1, 1, 0], np.uint32))

    np.testing.assert_array_equal(y, [1, 0, 0, 1])


def test_an_argument_that_is_returned_is_copied() -> None:
    made = function(x=("input", F32, (5,)))
    program = emit(replace(made, outputs=("x",)))
    x = uniform(5)

    (y,) = run(program, x=x)

    np.testing.assert_array_equal(y, x)
    assert program.body == (Copy("x", "x_copy"),)


def test_an_empty_array_runs_nothing() -> None:
    nest = loop("i", 0, Store("y", (var("i"),), f32(1.0)), kind=PARALLEL)

    (y,) = run(function(nest, y=("output", F32, (0,))))

    assert y.shape == (0,)


@pytest.mark.parametrize("name", ["llvm", "memset", "expf", "exp", "main", "malloc"])
def test_any_name_of_a_kernel_is_fine(name: str) -> None:
    value = apply("exp", load("x", var("i")))
    nests = (
        loop("i", 400, Store("z", (var("i"),), f32(0.0)), kind=PARALLEL),
        loop("i", 400, Store("y", (var("i"),), value), kind=PARALLEL),
    )
    buffers = tuple(
        Buffer(n, F32, (400,), "input" if n == "x" else "output") for n in ("x", "y", "z")
    )
    x = uniform(400)

    for k, nest in zip(("z", "y"), nests, strict=True):
        written = tuple(b for b in buffers if b.name in {"x", k})
        (found,) = run(Loops(name, written, (), (nest,), (k,)), x=x)
        assert np.allclose(found, np.exp(x) if k == "y" else 0)


@pytest.mark.parametrize("name", ["stop", "begin", "finish", "entry", "größe", "i.head", "buffers"])
def test_any_name_of_an_array_is_fine(name: str) -> None:
    nest = loop("i", 4, Store("y", (var("i"),), load(name, var("i"))), kind=PARALLEL)
    buffers = (Buffer(name, F32, (4,), "input"), Buffer("y", F32, (4,), "output"))
    x = uniform(4)

    (y,) = run(Loops("program", buffers, (), (nest,), ("y",)), **{name: x})

    np.testing.assert_array_equal(y, x)


def test_a_private_array_beyond_the_stack_is_refused() -> None:
    body = (
        Alloc("big", F32, (2**20,), Memory.PRIVATE),
        Store("big", (integer(0),), f32(1.0)),
        Store("y", (var("i"),), load("big", integer(0))),
    )

    with pytest.raises(CodegenError, match="take 4194304 bytes \\('big' 4194304\\)"):
        emit(function(loop("i", 4, *body, kind=PARALLEL), y=("output", F32, (4,))))


def test_a_saved_program_runs_as_the_program_did() -> None:
    program = emit(matmul(8, 8, 8))
    A, B = uniform(8, 8), uniform(8, 8, seed=2)

    (saved,) = run(from_json(program.to_json()), A=A, B=B)

    assert saved.tobytes() == run(program, A=A, B=B)[0].tobytes()
