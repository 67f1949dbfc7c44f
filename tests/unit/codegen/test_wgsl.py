"""WGSL text: parentheses, literals, names, lazy choices, budgets, limits, marks. No device."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from workbench.base.dtypes import BOOL, F16, F32, F64, I32, U32, DType
from workbench.base.errors import CodegenError
from workbench.base.source import Origin, Source, Span
from workbench.codegen.wgsl import emit
from workbench.codegen.wgsl_expr import literal
from workbench.codegen.wgsl_loops import interval
from workbench.codegen.wgsl_names import wgsl_names
from workbench.ir.device import DeviceKernel, Mapped
from workbench.ir.expr import Cast, Const, Expr, Load, Select, Var, apply, integer, walk
from workbench.ir.graph import Scalar
from workbench.ir.loops import Buffer
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Barrier,
    Body,
    Break,
    For,
    If,
    Local,
    LoopKind,
    Memory,
    Store,
    While,
)
from workbench.program import Copy, Kernel, Program
from workbench.runtime.native_programs import pack_scalars

X, Y = Load("x", (Var("i"),), F32), Load("y", (Var("i"),), F32)
I, J, K = Var("i"), Var("j"), Var("k")  # noqa: E741
U, V = Var("u", U32), Var("v", U32)
P, Q = Var("p", BOOL), Var("q", BOOL)
ONE = Const(1.0, F32)
LOCALS: Body = tuple(
    Local(name, Const(value, dtype))
    for name, dtype, value in (
        ("i", I32, 0), ("j", I32, 0), ("k", I32, 0), ("u", U32, 0), ("v", U32, 0),
        ("p", BOOL, False), ("q", BOOL, False),
    )
)  # fmt: skip
BUFFERS = (
    Buffer("x", F32, (8,), "input"),
    Buffer("y", F32, (8,), "input"),
    Buffer("A", F32, (4, 6), "input"),
    Buffer("flags", BOOL, (8,), "input"),
    Buffer("out", F32, (8,), "output"),
)


def program(body: Body, **changes: object) -> Program:
    kernel = DeviceKernel("sample", BUFFERS, frozenset({"out"}), (), (8, 1, 1), (4, 1, 1), body)
    kernel = replace(kernel, **changes)
    mapped = Mapped("sample", kernel.buffers, kernel.scalars, (kernel,), ("out",))
    return emit(mapped)


def code(body: Body, **changes: object) -> str:
    return program(body, **changes).kernels[0].code


def statements(body: Body, **changes: object) -> list[str]:
    """The lines of main's body without what LOCALS declares, indentation kept from there on."""
    lines = code((*LOCALS, *body), **changes).splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip().startswith("fn main("))
    end = lines.index("}", start)
    declared = {f"    var {n}: " for n in "ijkuvpq"}
    inside = lines[start + 1 : end]
    return [line[4:] for line in inside if line[:11] not in declared and line.startswith("    ")]


def text(e: Expr) -> str:
    """How an expression is written."""
    (line,) = statements((Local("result", e, fixed=True),))
    return line.removeprefix("let result = ").removesuffix(";")


def op(name: str, *args: Expr) -> Expr:
    return apply(name, *args)


@pytest.mark.parametrize(
    ("e", "expected"),
    [
        (op("mul", op("add", X, Y), X), "(x[i] + y[i]) * x[i]"),
        (op("add", op("mul", X, Y), X), "x[i] * y[i] + x[i]"),
        (op("sub", X, op("sub", Y, X)), "x[i] - (y[i] - x[i])"),
        (op("sub", op("sub", X, Y), X), "x[i] - y[i] - x[i]"),
        (op("div", X, op("mul", Y, X)), "x[i] / (y[i] * x[i])"),
        (op("neg", op("neg", X)), "-(-x[i])"),
        (op("neg", op("add", X, Y)), "-(x[i] + y[i])"),
        (op("mul", X, op("neg", Y)), "x[i] * -y[i]"),
        (op("sub", X, Const(-2.0, F32)), "x[i] - -2.0"),
        (op("neg", Const(-2.0, F32)), "2.0"),
        (op("bitand", op("add", U, V), U), "(u + v) & u"),
        (op("add", op("bitand", U, V), U), "(u & v) + u"),
        (op("bitand", op("bitand", U, V), U), "u & v & u"),
        (op("bitor", op("bitand", U, V), U), "(u & v) | u"),
        (op("eq", op("bitand", U, V), U), "(u & v) == u"),
        (op("lt", U, op("shr_inside", V, U)), "u < (v >> u)"),
        (op("bitxor", U, op("bitxor", V, U)), "u ^ (v ^ u)"),
        (op("shl_inside", op("add", U, V), V), "(u + v) << v"),
        (op("lt", op("shl_inside", U, V), V), "(u << v) < v"),
        (op("shl_inside", I, J), "i << u32(j)"),
        (op("and", op("lt", I, J), op("lt", J, K)), "i < j && j < k"),
        (op("or", op("and", P, Q), P), "(p && q) || p"),
        (op("and", op("or", P, Q), P), "(p || q) && p"),
        (op("and", P, op("and", Q, P)), "p && (q && p)"),
        (op("eq", op("lt", I, J), op("gt", I, J)), "(i < j) == (i > j)"),
        (op("not", op("lt", I, J)), "!(i < j)"),
        (op("not", op("not", P)), "!(!p)"),
        (op("max", op("add", X, Y), X), "max(x[i] + y[i], x[i])"),
        (Cast(F32, op("add", I, J)), "f32(i + j)"),
        (Cast(I32, X), "i32_from_f32(x[i])"),
        (Cast(U32, I), "u32(i)"),
        (Cast(F32, op("lt", I, J)), "f32(i < j)"),
        (Select(P, I, J), "select(j, i, p)"),
        (Select(op("lt", I, J), op("lt", I, K), op("gt", I, K)),
         "select((i > k), (i < k), (i < j))"),
        (op("floordiv", I, integer(3)), "floordiv_i32(i, 3)"),
        (op("add", op("mod", I, J), K), "mod_i32(i, j) + k"),
        (op("pow", X, Y), "pow_f32(x[i], y[i])"),
        (Load("flags", (I,), BOOL), "flags[i] != 0u"),
        (op("and", Load("flags", (I,), BOOL), P), "flags[i] != 0u && p"),
        (op("eq", Load("flags", (I,), BOOL), P), "(flags[i] != 0u) == p"),
    ],
)  # fmt: skip
def test_parentheses_stand_where_wgsl_wants_them(e: Expr, expected: str) -> None:
    assert text(e) == expected


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ((I, J), "A[i * 6 + j]"),
        ((op("add", I, integer(1)), J), "A[(i + 1) * 6 + j]"),
        ((I, op("sub", J, integer(1))), "A[i * 6 + j - 1]"),
        ((integer(0), J), "A[j]"),
        ((integer(2), J), "A[12 + j]"),
        ((I, integer(0)), "A[i * 6]"),
        ((integer(0), integer(0)), "A[0]"),
        ((op("mul", I, integer(2)), J), "A[i * 2 * 6 + j]"),
    ],
)
def test_indices_are_flat_with_literal_strides(index: tuple[Expr, Expr], expected: str) -> None:
    assert text(Load("A", index, F32)) == expected


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (1.0, F32, "1.0"),
        (0.1, F32, "0.1"),
        (1e10, F32, "1e+10"),
        (16777216.0, F32, "16777216.0"),
        (3.4028234663852886e38, F32, "3.4028234663852886e+38"),
        (float("inf"), F32, "bitcast<f32>(inf_bits)"),
        (float("-inf"), F32, "bitcast<f32>(minus_inf_bits)"),
        (float("nan"), F32, "bitcast<f32>(nan_bits)"),
        (-0.0, F32, "bitcast<f32>(minus_zero_bits)"),
        (-(2**31), I32, "-2147483648"),
        (2**32 - 1, U32, "4294967295u"),
        (True, BOOL, "true"),
    ],
)
def test_literals_are_exact(value: float, dtype: DType, expected: str) -> None:
    assert literal(Const(value, dtype)) == expected


def test_float_literals_are_read_back_as_the_same_f32() -> None:
    bits = np.random.default_rng(7).integers(0, 2**32, 20000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values) & (values != 0)]
    back = np.array([np.float32(float(literal(Const(float(v), F32)))) for v in values])

    assert (back == values).all()


def test_operations_on_literals_are_evaluated_in_their_dtype() -> None:
    overflow = op("add", integer(2**31 - 1), integer(1))
    infinite = op("div", ONE, Const(0.0, F32))
    narrow = op("mul", Const(16777217.0, F32), Const(3.0, F32))

    assert [text(overflow), text(infinite), text(narrow)] == [
        "-2147483648",
        "bitcast<f32>(inf_bits)",
        "50331648.0",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A", "A"),
        ("größe", "größe"),
        ("for", "kernel_for"),
        ("target", "kernel_target"),
        ("max", "kernel_max"),
        ("f32", "kernel_f32"),
        ("status", "kernel_status"),
        ("_", "kernel_"),
        ("__x", "kernel_x"),
        ("_x", "kernel_x"),
        ("y.i", "y_i"),
    ],
)
def test_names_keep_their_spelling_unless_wgsl_forbids_it(name: str, expected: str) -> None:
    assert wgsl_names([name], [])[name] == expected


def test_names_that_meet_after_renaming_stay_apart() -> None:
    given = wgsl_names(["max", "kernel_max", "y.i", "y_i", "erf_f32"], ["erf_f32"])

    assert list(given.values()) == ["kernel_max", "kernel_max_2", "y_i", "y_i_2", "erf_f32_2"]


def test_a_choice_that_loads_becomes_an_if() -> None:
    edge = Select(op("gt", I, integer(0)), Load("x", (op("sub", I, integer(1)),), F32), ONE)

    assert statements((Store("out", (I,), edge),)) == [
        "var picked: f32 = 1.0;",
        "if (i > 0) {",
        "    picked = x[i - 1];",
        "}",
        "out[i] = picked;",
    ]


def test_a_choice_between_two_loads_has_both_branches() -> None:
    assert statements((Store("out", (I,), Select(P, X, op("mul", Y, ONE))),)) == [
        "var picked: f32 = 0.0;",
        "if (p) {",
        "    picked = x[i];",
        "} else {",
        "    picked = y[i] * 1.0;",
        "}",
        "out[i] = picked;",
    ]


def test_a_load_on_the_left_of_a_choice_is_negated() -> None:
    assert statements((Store("out", (I,), Select(P, ONE, X)),))[:2] == [
        "var picked: f32 = 1.0;",
        "if (!p) {",
    ]


def test_the_right_side_of_and_runs_only_where_it_is_asked_for() -> None:
    inner = op("gt", Select(P, X, ONE), ONE)
    test = op("and", op("lt", I, J), inner)

    assert statements((If(test, (Store("out", (I,), ONE),)),)) == [
        "var holds: bool = i < j;",
        "if (holds) {",
        "    var picked: f32 = 1.0;",
        "    if (p) {",
        "        picked = x[i];",
        "    }",
        "    holds = picked > 1.0;",
        "}",
        "if (holds) {",
        "    out[i] = 1.0;",
        "}",
    ]


def test_a_while_whose_condition_needs_statements_leaves_by_break() -> None:
    loop = While(op("gt", Select(P, X, ONE), ONE), (Assign("i", op("add", I, integer(1))),))
    lines = statements((loop,))

    assert lines[1:] == [
        "while (true) {",
        "    if (budget == 0u) { break; }",
        "    budget -= 1u;",
        "    var picked: f32 = 1.0;",
        "    if (p) {",
        "        picked = x[i];",
        "    }",
        "    if (!(picked > 1.0)) {",
        "        break;",
        "    }",
        "    i = i + 1;",
        "}",
        "if (budget == 0u) { out_of_budget(0u); }",
    ]


def test_a_bound_that_may_change_is_read_once() -> None:
    stop = For("n", integer(0), Var("j"), (Assign("j", integer(0)),))

    assert "let n_stop = j;" in statements((stop,))


def test_a_private_value_is_declared_with_its_first_value() -> None:
    acc = (
        Alloc("acc", F32, (), Memory.PRIVATE),
        Store("acc", (), Const(0.0, F32)),
        For("n", integer(0), integer(8), (Store("acc", (), X, "add"),)),
        Store("out", (I,), Load("acc", (), F32)),
    )

    assert statements(acc) == [
        "var acc: f32 = 0.0;",
        "for (var n = 0; n < 8; n++) {",
        "    acc += x[i];",
        "}",
        "out[i] = acc;",
    ]


def test_reducing_stores_read_the_old_value() -> None:
    body = (Store("out", (I,), X, "max"), Store("out", (I,), X, "mul"))

    assert statements(body) == ["out[i] = max(out[i], x[i]);", "out[i] *= x[i];"]


def test_bool_arrays_are_words() -> None:
    out = Buffer("out", BOOL, (8,), "output")
    body = (
        Store("out", (I,), op("lt", X, Y)),
        Store("out", (I,), P, "or"),
    )

    assert statements(body, buffers=(*BUFFERS[:-1], out)) == [
        "out[i] = u32(x[i] < y[i]);",
        "out[i] = u32(out[i] != 0u || p);",
    ]


def test_an_unrolled_loop_is_written_out() -> None:
    loop = For("n", integer(0), integer(2), (Store("out", (Var("n"),), ONE),), LoopKind.UNROLLED)

    assert statements((loop,)) == [
        "{", "    let n = 0;", "    out[n] = 1.0;", "}",
        "{", "    let n = 1;", "    out[n] = 1.0;", "}",
    ]  # fmt: skip


def test_steps_elses_and_barriers() -> None:
    body = (
        For("n", integer(1), integer(8), (Break(),), step=4),
        If(P, (Barrier(),), (If(Q, (Barrier(),), (Barrier(),)),)),
    )

    assert statements(body) == [
        "for (var n = 1; n < 8; n += 4) {",
        "    break;",
        "}",
        "if (p) {",
        "    workgroupBarrier();",
        "} else if (q) {",
        "    workgroupBarrier();",
        "} else {",
        "    workgroupBarrier();",
        "}",
    ]


def test_ids_are_declared_only_where_used() -> None:
    body = (Store("out", (Var("workgroup_id.x"),), ONE),)
    lines = code(body).splitlines()

    assert "    @builtin(workgroup_id) workgroup_id: vec3<u32>," in lines
    assert not any("local" in line for line in lines)


def test_scalars_are_a_uniform_struct_padded_to_16_bytes() -> None:
    scalars = (Scalar("scale", F32), Scalar("go", BOOL))
    value = Select(Var("go", BOOL), Var("scale", F32), ONE)
    made = program((Store("out", (integer(0),), value),), scalars=scalars)

    assert "out[0] = select(1.0, scalars.scale, scalars.go != 0u);" in made.kernels[0].code
    assert (made.buffers[-1].role, made.buffers[-1].size) == ("scalars", 16)
    assert made.kernels[0].bindings[-1].access == "uniform"


def test_only_loops_without_a_proved_end_carry_a_budget() -> None:
    bounded = For("n", integer(0), op("add", Var("local_id.x"), integer(1)), ())
    unknown = For("m", integer(0), Cast(I32, X), ())

    assert program((*LOCALS, bounded)).loops == ()
    assert program((*LOCALS, unknown)).loops == ("loop 'm'",)


def test_a_program_says_how_many_iterations_an_invocation_makes() -> None:
    inner = For("n", integer(0), integer(10), ())
    nest = For("m", integer(0), integer(5), (inner,))
    endless = While(Const(value=True, dtype=BOOL), (inner,))

    assert program((nest,)).kernels[0].iterations == (5 * (10 + 1 + 1) + 1, 0)
    assert program((endless,)).kernels[0].iterations == (1, 12)


def test_budgets_name_their_loop_by_line() -> None:
    source = Source("a\nwhile True:\n  pass")
    origin = Origin(Span(source, 2, 12))

    assert program((While(Const(value=True, dtype=BOOL), (), origin=origin),)).loops == (
        "while at line 2",
    )


@pytest.mark.parametrize(
    ("e", "expected"),
    [
        (op("sub", op("mul", I, integer(4)), J), (-1, 28)),
        (op("floordiv", I, integer(2)), (0, 3)),
        (op("mod", K, integer(5)), (0, 4)),
        (op("max", J, integer(0)), (0, 1)),
        (op("mul", K, K), (-(2**31), 2**31 - 1)),
    ],
)
def test_intervals_hold_every_value(e: Expr, expected: tuple[int, int]) -> None:
    assert interval(e, {"i": (0, 7), "j": (0, 1)}) == expected


def test_a_dtype_that_wgsl_does_not_have_is_refused() -> None:
    with pytest.raises(CodegenError, match="WGSL has no f64"):
        code((Local("h", Const(1.0, F64)),))


def test_f16_is_enabled_and_its_literals_are_exact() -> None:
    text = code((Local("h", Const(0.1, F16)), Local("top", Const(math.inf, F16))))

    assert text.index("enable f16;") < text.index("@group")
    assert "var h: f16 = 0.0999755859375h;" in text
    assert "var top: f16 = f16(bitcast<f32>(inf_bits));" in text


def test_functions_of_f16_are_computed_in_f32() -> None:
    h = Var("h", F16)
    made = (Local("g", apply("log", h)), Local("n", Cast(I32, h)))
    text = code((Local("h", Const(2.5, F16)), *made))

    assert "var g: f16 = log_f16(h);" in text
    assert "return f16(log(f32(a)));" in text
    assert "var n: i32 = i32_from_f32(f32(h));" in text


def test_a_scalar_of_f16_lies_in_the_uniforms_as_f32() -> None:
    made = program((Local("h", Var("s", F16)),), scalars=(Scalar("s", F16),))
    text = made.kernels[0].code

    assert "s: f32," in text
    assert "var h: f16 = f16(scalars.s);" in text
    assert pack_scalars(made, [0.1]) == np.float32(np.float16(0.1)).tobytes() + bytes(12)


def test_an_output_that_is_an_input_is_copied() -> None:
    kernel = DeviceKernel("k", BUFFERS, frozenset({"out"}), (), (1, 1, 1), (1, 1, 1), ())
    made = emit(Mapped("k", BUFFERS, (), (kernel,), ("x", "out", "out")))

    assert made.outputs == ("x_copy", "out", "out_copy")
    assert made.body[1:] == (Copy("x", "x_copy"), Copy("out", "out_copy"))


def test_definitions_name_what_they_use_twice() -> None:
    module = code((*LOCALS, Local("r", op("floordiv", I, J))))
    (function,) = [p for p in module.split("\n\n") if "fn floordiv_i32" in p]

    assert function.startswith("// a // b, as Python and NumPy mean it.\nfn floordiv_i32(a: i32, b")
    assert "let part_1 = " in function


SOURCE = Source("C[i, j] = A[i, j] * 2.0 + exp(A[i, j])", "cell")


def spanned(text_of_it: str, start: int = 0) -> Origin:
    at = SOURCE.text.index(text_of_it, start)
    return Origin(Span(SOURCE, at, at + len(text_of_it)))


def marked_kernel() -> tuple[Kernel, Store]:
    first = Load("A", (I, J), F32, origin=spanned("A[i, j]"))
    second = Load("A", (I, J), F32, origin=spanned("A[i, j]", 20))
    twice = apply(
        "mul", first, Const(2.0, F32, origin=spanned("2.0")), origin=spanned("A[i, j] * 2.0")
    )
    grown = apply("exp", second, origin=spanned("exp(A[i, j])"))
    value = apply("add", twice, grown, origin=spanned("A[i, j] * 2.0 + exp(A[i, j])"))
    store = Store("out", (I,), value, origin=spanned(SOURCE.text), place=spanned("C[i, j]"))
    return program((*LOCALS, store)).kernels[0], store


def test_every_subexpression_has_a_mark_of_its_own() -> None:
    kernel, store = marked_kernel()
    shown = [
        kernel.code[a:b]
        for e in walk(store.value)
        if not isinstance(e, Var)
        for a, b in kernel.text.marked(e.origin)
    ]

    assert shown == [
        "A[i * 6 + j] * 2.0 + exp_f32(A[i * 6 + j])",
        "A[i * 6 + j] * 2.0",
        "A[i * 6 + j]",
        "2.0",
        "exp_f32(A[i * 6 + j])",
        "A[i * 6 + j]",
    ]


def test_marks_nest() -> None:
    kernel, _ = marked_kernel()
    crossing = [
        (a, b)
        for a, b in pairwise(sorted(kernel.text.marks, key=lambda m: (m.start, -m.end)))
        if a.start < b.start < a.end < b.end
    ]

    assert crossing == []


def test_a_place_in_the_code_leads_back_to_the_source() -> None:
    kernel, _ = marked_kernel()
    origin = kernel.text.at(kernel.code.index("exp_f32(A"))
    span = None if origin is None else origin.nearest_span()

    assert span is not None
    assert span.text == "exp(A[i, j])"


def test_emission_gives_equal_programs_for_equal_kernels() -> None:
    assert marked_kernel()[0] == marked_kernel()[0]


def updated(op: str, array: str, dtype: DType = F32) -> str:
    """The code of a kernel that updates an array atomically."""
    b = Buffer("b", I32, (8,), "input")
    buffers = (Buffer(array, dtype, (8,), "temporary"), b, BUFFERS[-1])
    value = Const(1.0 if dtype.kind == "f" else 1, dtype)
    store = Store(array, (Load("b", (integer(0),), I32),), value, op, atomic=True)
    return code((store,), buffers=buffers, written=frozenset({array}))


def test_floats_are_added_by_exchanging_their_bits(golden) -> None:  # noqa: ANN001
    golden(updated("add", "h"))


def test_the_greatest_float_keeps_nan(golden) -> None:  # noqa: ANN001
    golden(updated("max", "h"))


@pytest.mark.parametrize(
    ("op", "dtype", "call"),
    [
        ("add", I32, "atomicAdd(&h[b[0]], 1);"),
        ("max", U32, "atomicMax(&h[b[0]], 1u);"),
        ("min", I32, "atomicMin(&h[b[0]], 1);"),
    ],
)
def test_whole_numbers_are_updated_by_functions_of_wgsl(op: str, dtype: DType, call: str) -> None:
    text = updated(op, "h", dtype)

    assert call in text
    assert f"h: array<atomic<{dtype}>, 8>" in text


def test_a_plain_access_of_an_atomic_array_is_atomic_too() -> None:
    buffers = (Buffer("h", F32, (8,), "temporary"), BUFFERS[-1])
    read = Load("h", (integer(1),), F32)
    body = (Store("h", (integer(0),), ONE, "add", atomic=True), Store("h", (integer(2),), read))
    text = code(body, buffers=buffers, written=frozenset({"h"}))

    assert "atomicStore(&h[2], bitcast<u32>(bitcast<f32>(atomicLoad(&h[1]))));" in text


def test_an_atomic_update_of_a_dtype_without_one_is_refused() -> None:
    with pytest.raises(CodegenError, match="WGSL has no atomic update of bool"):
        updated("max", "h", BOOL)
