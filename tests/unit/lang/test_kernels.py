"""Kernels that the language takes: what their graphs say."""

from __future__ import annotations

import pytest

from workbench.base.dtypes import BOOL, F32, I32, U32
from workbench.base.source import Source
from workbench.ir.expr import Reduce
from workbench.ir.graph import Block, Equation, Graph
from workbench.ir.show import expr_text, graph_text
from workbench.ir.stmt import For, Local, LoopKind, walk_stmts
from workbench.lang import parse


def kernel(text: str) -> Graph:
    (graph,) = parse(Source(text)).kernels
    return graph


def value(line: str, parameters: str = "x: f32[N], m: i32[N], u: u32[N], b: bool[N]") -> str:
    """The right side of `y[i] = ...` as the graph has it."""
    equation = kernel(
        f"def f({parameters}) -> f32[N]:\n    y[i] = {line}\n    return y"
    ).definitions[0]
    assert isinstance(equation, Equation)
    return expr_text(equation.value)


def local_value(line: str) -> str:
    """The right side of `v = ...` in a block over i, with n: i32 and s: f32."""
    text = f"""
def f(x: f32[N], m: i32[N], u: u32[N], b: bool[N], n: i32, s: f32) -> f32[N]:
    for i in grid(N):
        v = {line}
        y[i] = 0
    return y
"""
    (block,) = kernel(text).definitions
    assert isinstance(block, Block)
    (local,) = (s for s in walk_stmts(block.body) if isinstance(s, Local))
    return expr_text(local.value)


def test_matmul() -> None:
    graph = kernel("""
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
""")

    assert (
        graph_text(graph).value
        == """\
graph matmul  # for every M, K, N
    A: f32[M, K]  # input
    B: f32[K, N]  # input
    C: f32[M, N]  # equation
        C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
    )


def test_softmax_with_its_docstring() -> None:
    graph = kernel('''
def softmax(x: f32[M, N]) -> f32[M, N]:
    """Rows sum to one"""
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y
''')

    assert graph.doc == "Rows sum to one"
    assert [d.target for d in graph.definitions if isinstance(d, Equation)] == ["top", "e", "y"]
    assert graph.outputs == ("y",)


def test_several_results_one_of_them_without_axes() -> None:
    graph = kernel("""
def f(x: f32[N]) -> (f32[N], f32, f32[N]):
    s = sum(x[i] for i in range(N))
    y[i] = x[i] / s
    return y, s, x
""")

    assert graph.outputs == ("y", "s", "x")
    assert graph.arrays()["s"].shape == ()


def test_scalars_have_defaults_and_facts_are_kept() -> None:
    graph = kernel("""
def f(x: f32[N], a: f32 = -1, n: i32 = 3, on_top: bool = True) -> f32[N]:
    assert N % 4 == 0, "whole vectors"
    y[i] = x[i] * a if on_top else n
    return y
""")

    assert [(s.dtype, s.default) for s in graph.scalars] == [(F32, -1.0), (I32, 3), (BOOL, True)]
    assert [expr_text(f) for f in graph.facts] == ["N % 4 == 0"]


def test_scalars_in_extents_are_symbols() -> None:
    graph = kernel("""
def f(h: i32, w: i32) -> i32[h, w]:
    for y, x in grid(h, w):
        C[y, x] = y * w + x
    return C
""")

    assert graph.symbols() == ("h", "w")
    assert graph.dims == ()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("x[i] + 1", "x[i] + 1.0"),
        ("x[i] + m[i]", "x[i] + f32(m[i])"),
        ("x[i] + i", "x[i] + f32(i)"),
        ("m[i] / 2", "f32(m[i]) / 2.0"),
        ("i / N", "f32(i) / f32(N)"),
        ("x[i] ** 3", "x[i] * x[i] * x[i]"),
        ("x[i] ** -1", "1.0 / x[i]"),
        ("x[i] ** 0.5", "x[i] ** 0.5"),
        ("power(x[i], 2)", "x[i] * x[i]"),
        ("-2", "-2.0"),
        ("clip(x[i], 0, 1)", "min(max(x[i], 0.0), 1.0)"),
        ("max(x[i], 0, m[i])", "max(max(x[i], 0.0), f32(m[i]))"),
        ("where(x[i] > 0, x[i], 0)", "x[i] if x[i] > 0.0 else 0.0"),
        ("sqrt(m[i])", "sqrt(f32(m[i]))"),
        ("f32(1 < x[i] <= 2)", "f32(1.0 < x[i] and x[i] <= 2.0)"),
        ("pi * -inf", "3.141592653589793 * -inf"),
        ("f32(u[i] + 1)", "f32(u[i] + 1)"),
        ("x[i] if i > 0 and not b[i] else 1", "x[i] if (not b[i] if i > 0 else False) else 1.0"),
    ],
)
def test_weak_values_take_the_dtype_they_meet(line: str, shown: str) -> None:
    assert value(line) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("i", "i"),
        ("1.5", "1.5"),
        ("m[i] // 2 % 3", "m[i] // 2 % 3"),
        ("floor(m[i])", "m[i]"),
        ("~m[i] << 2", "~m[i] << 2"),
        ("i32(7.9)", "i32(7.9)"), ("i32(-7)", "-7"),
        ("u32(4294967295)", "4294967295"),
        ("bool(m[i])", "m[i] != 0"),
        ("b[i] & (x[i] > s)", "b[i] and x[i] > s"),
        ("argmin(x[k] for k in range(N) if b[k])",
         "argmin(x[k] for k in range(N) if b[k])"),
        ("sum(b[k] for k in range(N))", "sum(i32(b[k]) for k in range(N))"),
        ("any(x[k] > 0 for k in range(N))", "any(x[k] > 0.0 for k in range(N))"),
        ("prod(k + 1 for k in range(1, n))", "prod(k + 1 for k in range(1, n))"),
    ],
)  # fmt: skip
def test_values_alone_have_their_own_dtype(line: str, shown: str) -> None:
    assert local_value(line) == shown


def test_a_conjunction_that_reads_stops_at_the_first_false() -> None:
    assert value("1 if b[i] and x[i] > 0 else 0") == (
        "1.0 if (x[i] > 0.0 if b[i] else False) else 0.0"
    )


def test_argmax_is_i32_whatever_it_compares() -> None:
    (equation,) = kernel("""
def f(x: f32[M, N]) -> i32[M]:
    y[i] = argmax(x[i, j] for j in range(N))
    return y
""").definitions
    assert isinstance(equation, Equation)
    assert isinstance(equation.value, Reduce)

    assert (equation.value.dtype, equation.value.body.dtype) == (I32, F32)


def test_a_window_may_be_longer_than_the_axis_that_the_annotation_gives() -> None:
    graph = kernel("""
def f(x: f32[N]) -> f32[N - 2]:
    y[i] = (x[i] + x[i + 1] + x[i + 2]) / 3
    return y
""")

    assert [expr_text(x) for x in graph.arrays()["y"].shape] == ["N - 2"]


def test_a_block_declares_its_locals_where_all_their_uses_lie() -> None:
    (block,) = kernel("""
def f(x: f32[N], limit: i32) -> f32[N]:
    for i in grid(N):
        total, n = 0.0, 0
        while n < limit:
            if x[i] > n:
                step = 2
            else:
                step = 1
            n += step
            total = total + x[i]
        y[i] = total
    return y
""").definitions
    assert isinstance(block, Block)

    assert (
        _block_text(block)
        == """\
for i in range(N):  # parallel
    total = 0.0
    n = 0
    while n < limit:
        step = 0
        if x[i] > f32(n):
            step = 2
        else:
            step = 1
        n = n + step
        total = total + x[i]
    y[i] = total
"""
    )


def test_a_tuple_assignment_reads_before_it_writes() -> None:
    (block,) = kernel("""
def f(n: i32) -> i32[n]:
    for i in grid(n):
        a, b = 0, 1
        for t in range(i):
            a, b = b, a + b
        y[i] = a
    return y
""").definitions
    assert isinstance(block, Block)

    assert "a_next = b" in _block_text(block)


def test_grid_loops_are_parallel_and_inner_loops_serial() -> None:
    (block,) = kernel("""
def f(x: f32[H, W]) -> f32[H, W]:
    for y, x_ in grid(H, W):
        v = 0.0
        for t in range(3):
            v += x[y, min(x_ + t, W - 1)]
        out[y, x_] = v
    return out
""").definitions
    assert isinstance(block, Block)
    loops = [s for s in walk_stmts(block.body) if isinstance(s, For)]

    assert [(s.var, s.kind) for s in loops] == [
        ("y", LoopKind.PARALLEL), ("x_", LoopKind.PARALLEL), ("t", LoopKind.SERIAL),
    ]  # fmt: skip


def test_names_beyond_ascii_and_keywords_of_targets_are_fine() -> None:
    graph = kernel("""
def f(größe: f32[N], var: f32 = 1) -> f32[N]:
    fn[λ] = größe[λ] * var
    return fn
""")

    assert graph.outputs == ("fn",)


def test_unsigned_literals() -> None:
    graph = kernel("def f(u: u32[N]) -> u32[N]:\n    y[i] = u[i] ^ 4294967295\n    return y")

    assert graph.arrays()["y"].dtype is U32


def _block_text(block: Block) -> str:
    text = graph_text(Graph("g", (), (), (), (), (block,), ())).value
    lines = text.split("\n")
    start = next(n for n, line in enumerate(lines) if "for " in line)
    indent = len(lines[start]) - len(lines[start].lstrip())
    inside = [line[indent:] for line in lines[start:] if line.startswith(" " * indent)]
    return "\n".join(inside) + "\n"
