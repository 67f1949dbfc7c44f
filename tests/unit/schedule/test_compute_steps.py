"""What becomes of intermediate arrays that are put into their readers, whole or in part."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.schedule.programs import (
    Loops,
    add,
    function,
    i,
    load,
    parallel,
    rows,
    smoothed,
    stale,
    sums,
)
from tests.unit.schedule.refused import assert_refused, each_refused
from tests.unit.schedule.test_steps import S, body_text
from workbench.base.source import Source
from workbench.ir.expr import Load, Var, apply, integer
from workbench.ir.interpret import run_loops
from workbench.ir.simt import run_mapped
from workbench.ir.stmt import Store
from workbench.passes.mapping import map_kernels
from workbench.schedule.names import computes
from workbench.schedule.step import Schedule
from workbench.session.kernel import kernel

SOFTMAX = """
def softmax(x: f32[M, N]) -> f32[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y
"""
IN_WORKGROUPS = S.parallelize("y.i", "workgroup.y", 4).parallelize("y.j", "workgroup.x", 3)


def chosen() -> Loops:
    """`h[i] = x[i] + 1`, then `y[i] = h[b[i]]`: elements that only values name."""
    first = add(load("x", i), load("x", i))
    place = load("b", Var("i_1"), dtype=Var("i").dtype)
    nests = (
        parallel("i", 4, Store("h", (i,), first)),
        parallel("i_1", 4, Store("y", (Var("i_1"),), load("h", place))),
    )
    return function(
        nests, x=("input", (4,)), b=("input", (4,), Var("i").dtype),
        h=("temporary", (4,)), y=("output", (4,)),
    )  # fmt: skip


def running() -> Loops:
    """`t[i] = t[i - 1] + x[i]` from 1 on, then `y[i] = t[i]`: an element needs another one."""
    earlier = load("t", apply("sub", i, integer(1)))
    nests = (
        parallel("i", 4, Store("t", (i,), add(earlier, load("x", i)))),
        parallel("i_1", 4, Store("y", (Var("i_1"),), load("t", Var("i_1")))),
    )
    return function(nests, x=("input", (4,)), t=("temporary", (4,)), y=("output", (4,)))


def test_inline_puts_the_expression_where_the_array_is_read() -> None:
    after = S.inline("h").apply(smoothed(1))

    assert body_text(after) == (
        "for i_1 in range(6):  # parallel\n"
        "    for j_1 in range(5):  # parallel\n"
        "        y[i_1, j_1] = x[i_1, j_1] * f32(i_1) + x[min(max(i_1 + 1, 0), 5), j_1] * "
        "f32(min(max(i_1 + 1, 0), 5))"
    )
    assert after.buffer("h") is None


def test_compute_at_computes_what_the_loop_reads_with_its_border() -> None:
    tiled = S.split("y.i", 4).compute_at("h", "y.i_o")

    assert body_text(tiled.apply(smoothed(1, m=8))) == (
        "for i_1_o in range(2):  # parallel\n"
        "    h: f32[5, 5]  # private memory\n"
        "    for i in range(5):  # parallel\n"
        "        for j in range(5):  # parallel\n"
        "            if i_1_o * 4 + i < 8:\n"
        "                h[i, j] = x[i_1_o * 4 + i, j] * f32(i_1_o * 4 + i)\n"
        "    for i_1_i in range(4):  # parallel\n"
        "        for j_1 in range(5):  # parallel\n"
        "            y[i_1_o * 4 + i_1_i, j_1] = h[i_1_i, j_1] + "
        "h[min(max(i_1_o * 4 + i_1_i + 1, 0), 7) - i_1_o * 4, j_1]"
    )


def test_compute_at_leaves_out_dimensions_in_which_one_element_is_read() -> None:
    assert body_text(S.compute_at("top", "y.i").apply(rows(m=3, n=4))) == (
        "for i_1 in range(3):  # parallel\n"
        "    top: f32  # private memory\n"
        "    top = -inf\n"
        "    for j in range(4):\n"
        "        top = max(top, x[i_1, j])\n"
        "    for j_1 in range(4):  # parallel\n"
        "        y[i_1, j_1] = x[i_1, j_1] - top"
    )


def test_a_box_that_the_whole_workgroup_computes_sums_up_in_private_values() -> None:
    together = IN_WORKGROUPS.compute_at("r", "y.j_i", memory="workgroup").apply(sums(m=8, n=6))
    text = body_text(together)

    assert "r: f32[4]  # workgroup memory" in text
    assert "for fill in range(4):  # cooperative" in text
    assert "r_private += x[i, j_1_o * 3 + fill]" in text
    assert "r[fill] = r_private" in text


def test_the_loops_of_an_array_keep_their_names_inside_of_another() -> None:
    after = S.compute_at("top", "y.i").apply(rows())

    assert computes(after, "j") == ("top",)
    assert S.split("top.j", 2).check(after)
    assert S.parallelize("y.i", "workgroup.x", 4).check(after)


def test_equations_between_an_array_and_the_loop_come_along() -> None:
    loops = kernel(SOFTMAX).loops({"M": 3, "N": 4})
    after = S.compute_at("top", "y.i").apply(loops)

    assert [b.name for b in after.buffers] == ["x", "y"]
    assert after.inner == ("y_sum", "e", "top")


@pytest.mark.parametrize("memory", ["private", "workgroup"])
def test_a_box_on_invocations_is_right_on_simulated_workgroups(memory: str) -> None:
    program = smoothed(-1, m=9, n=7)
    x = np.random.default_rng(0).integers(0, 9, (9, 7)).astype(np.float32)
    after = IN_WORKGROUPS.compute_at("h", "y.j_i", memory=memory).apply(program)
    (y,) = run_loops(program, {"x": x}).values()
    results, findings = run_mapped(map_kernels(after), {"x": x})

    assert findings.ok, findings.words
    np.testing.assert_array_equal(results["y"], y)


def test_inputs_that_change_meanwhile_are_shown_with_the_two_iterations() -> None:
    verdict = S.inline("t").check(stale(-1))

    assert verdict.reason == "s, from which t is computed, changes before it is read"
    assert verdict.example == "(i_2=0) writes s[0] and (i_2=1) reads it"
    assert S.inline("t").check(stale(1))


def test_a_running_sum_is_not_taken_apart_into_its_elements() -> None:
    text = (
        "def f(x: f32[N], r: f32) -> f32[N]:\n"
        "    s: f32[N]\n"
        "    s[i] = sum(x[k] * r for k in range(i + 1))\n"
        "    y[i] = x[i] * s[i]\n"
        "    return y"
    )
    verdict = S.compute_at("s", "y.i").check(kernel(text).loops({"N": 4}))

    assert verdict.reason == "'acc', which s needs, is kept outside of its elements"


def test_an_accumulator_of_the_array_itself_does_not_change_meanwhile() -> None:
    text = (
        "def f(x: f32[M, N]) -> f32[M, N]:\n"
        "    mean[i] = sum(x[i, j] for j in range(N)) / N\n"
        "    y[i, j] = x[i, j] - mean[i]\n"
        "    return y"
    )
    assert S.compute_at("mean", "y.i").check(kernel(text).loops({"M": 3, "N": 4}))


def test_the_origin_of_what_is_put_in_is_its_own_line() -> None:
    program = kernel("def f(x: f32[N]) -> f32[N]:\n    a[i] = x[i] * x[i]\n    y[i] = a[i]\n"
                     "    return y")  # fmt: skip
    (nest,) = S.inline("a").apply(program.loops({"N": 3})).body
    (store,) = nest.body
    span = store.value.origin.nearest_span()

    assert isinstance(span.source, Source)
    assert span.text == "x[i] * x[i]"


REFUSED = [
    (S.inline("top"), rows(), "top is more than one expression"),
    (S.inline("y"), rows(), "y is an output; what other equations read can be moved"),
    (S.inline("x"), rows(), "x is an input"),
    (S.inline("q"), rows(), "q is no array of this kernel"),
    (S.inline("t"), running(), "an element of t needs another one"),
    (S.split("h.i", 2).inline("h"), smoothed(0), "its subscripts are no plain loops"),
    (S.parallelize("h.i", "worker").inline("h"), smoothed(0), "'h.i' is worker"),
    (S.inline("t"), stale(-1), "changes before it is read"),
    (S.compute_at("t", "s.i_2"), stale(-1), "changes before it is read"),
    (S.compute_at("h", "y.i"), chosen(), "the elements of h that 'y.i' reads are not a box"),
    (S.compute_at("h", "h.j"), smoothed(0), "'h.j' computes h itself"),
    (S.compute_at("top", "top.i"), rows(), "'top.i' computes top itself"),
    (S.compute_at("h", "y.k"), smoothed(0), "no loop named 'y.k'"),
    (S.compute_at("h", "y.i", memory="registers"), smoothed(0), "no memory 'registers'"),
    (S.compute_at("h", "y.i", memory="workgroup"), smoothed(0), "no loop around 'y.i' runs on"),
    (IN_WORKGROUPS.compute_at("h", "y.i_i"), smoothed(0), "'j_o' inside 'y.i_i' is mapped onto"),
    (S.vectorize("y.j", 4).compute_at("h", "y.j_i"), smoothed(0, n=8), "'y.j_i' is a vector"),
    (S.compute_at("top", "y.i").compute_at("top", "y.i"), rows(), "top is computed inside a loop"),
]


@each_refused(REFUSED)
def test_refusals_name_the_step_and_the_reason(
    schedule: Schedule, program: Loops, message: str
) -> None:
    assert_refused(schedule, program, message)


def test_a_refusal_of_another_reader_names_the_step_that_would_help() -> None:
    text = (
        "def f(x: f32[N]) -> (f32[N], f32[N]):\n"
        "    a[i] = x[i] + 1.0\n"
        "    y[i] = a[i] * 2.0\n"
        "    z[i] = sum(a[k] for k in range(i + 1))\n"
        "    return y, z"
    )
    verdict = S.compute_at("a", "y.i").check(kernel(text).loops({"N": 4}))

    assert verdict.reason == "a is also read outside of 'y.i'"
    assert verdict.where[0].nearest_span().text == "a[k]"


def test_loads_in_a_subscript_are_put_in_too() -> None:
    place = Load("h", (Var("i_1"),), Var("i").dtype)
    nests = (
        parallel("i", 4, Store("h", (i,), apply("mod", add(i, 1), integer(4)))),
        parallel("i_1", 4, Store("y", (Var("i_1"),), load("x", place))),
    )
    program = function(
        nests, x=("input", (4,)), h=("temporary", (4,), Var("i").dtype), y=("output", (4,))
    )

    assert "y[i_1] = x[(i_1 + 1) % 4]" in body_text(S.inline("h").apply(program))
