"""What lines cost: counted work in seconds that were measured, on the lines written for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import workbench as wb
from tests.conformance.cases import CASES
from workbench.base.errors import CodegenError
from workbench.measure.costs import TAG, Costs, costs
from workbench.measure.timeline import Span, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.pipeline import Compilation

SOFTMAX = (
    "def softmax(x: f32[M, N]) -> f32[M, N]:\n"
    "    top[i] = max(x[i, j] for j in range(N))\n"
    "    e[i, j] = exp(x[i, j] - top[i])\n"
    "    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))\n"
    "    return y\n"
)
HEAT = (
    "def heat(u0: f32[N]) -> f32[N]:\n"
    "    u: f32[N]\n"
    "    u[i] = u0[i]\n"
    "    for t in range(6):\n"
    "        u[i] = 0.5 * (u[max(i - 1, 0)] + u[min(i + 1, N - 1)])\n"
    "    return u\n"
)


def compiled(text: str, on: str) -> Compilation:
    k = wb.kernel(text)
    return k.compile(on=on, dims=dict.fromkeys(k.graph.symbols(), 32))


def timed(c: Compilation, seconds: Mapping[str, float]) -> Timeline:
    """A timeline in which the kernels took these seconds, by the ends of their names."""
    spans = tuple(
        Span("dispatch", k.name, 0.0, seconds[k.name.removeprefix(f"{c.name}_")], "a clock")
        for k in c.program.kernels
    )
    return Timeline(c.name, "here", spans)


def on_lines(found: Costs, stage: str, word: str) -> float:
    return sum(x.share for x in found[stage].lines if word in x.text)


@pytest.fixture(scope="module", params=["native", "cpu", "wasm"])
def softmax(request: pytest.FixtureRequest) -> Costs:
    c = compiled(SOFTMAX, request.param)
    return costs(c, timed(c, {"top": 1.0, "e": 2.0, "y_sum": 3.0, "y": 4.0}))


def test_the_lines_of_every_stage_share_all_of_the_kernels_time(softmax: Costs) -> None:
    assert softmax.seconds == 10.0
    assert softmax.tag == TAG
    for stage in softmax.stages:
        assert stage.elsewhere == pytest.approx(0.0, abs=1e-9), stage.stage
        assert sum(x.share for x in stage.lines) == pytest.approx(1.0), stage.stage


def test_a_line_has_the_time_of_the_kernels_that_were_made_of_it(softmax: Costs) -> None:
    assert on_lines(softmax, "source", "top[i] = max") == pytest.approx(0.1)
    assert on_lines(softmax, "source", "exp(") == pytest.approx(0.2)
    assert on_lines(softmax, "source", "y[i, j] =") == pytest.approx(0.7)
    assert on_lines(softmax, "scheduled", "exp(") == pytest.approx(0.2)
    assert 0.29 < on_lines(softmax, "scheduled", "y_sum_private += ") < 0.3


def test_code_has_bars_where_its_work_is(golden: Callable[[str], None]) -> None:
    c = compiled(SOFTMAX, "native")
    found = costs(c, timed(c, {"top": 1e-3, "e": 2e-3, "y_sum": 3e-3, "y": 4e-3}))

    code = [line for line in repr(found["wgsl"]).splitlines() if "%" in line]
    golden("\n".join([repr(found), "", "wgsl", *code, ""]))


@pytest.mark.parametrize("on", ["native", "cpu"])
def test_a_nest_whose_turns_swap_buffers_has_the_time_of_both_kernels(on: str) -> None:
    c = compiled(HEAT, on)
    names = [k.name.removeprefix("heat_") for k in c.program.kernels]
    found = costs(c, timed(c, {n: 1.0 if n == "u" else 2.0 for n in names}))

    assert len(names) == 3
    assert on_lines(found, "source", "0.5 *") == pytest.approx(0.8)
    assert on_lines(found, "source", "u[i] = u0[i]") == pytest.approx(0.2)


def test_without_times_of_dispatches_there_are_no_costs() -> None:
    c = compiled(SOFTMAX, "cpu")
    bar = Timeline("softmax", "cpu", (Span("submit", "all", 0.0, 1.0),), notes=("one bar: why",))
    with pytest.raises(CodegenError, match="no dispatch has a time; one bar: why"):
        costs(c, bar)


def test_what_an_array_is_declared_for_costs_where_it_is_done() -> None:
    k = wb.kernel(
        "def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:\n"
        "    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))\n"
        "    return C\n"
    )
    plan = k.schedule().parallelize("i", "workgroup.y", 4).parallelize("j", "workgroup.x", 4)
    plan = plan.split("k", 4).cache("A", "workgroup", at="k_o")
    c = k.compile(plan, on="native", dims={"M": 8, "K": 8, "N": 8})
    (name,) = (each.name for each in c.program.kernels)
    found = costs(c, Timeline("matmul", "here", (Span("dispatch", name, 0.0, 1.0, "a clock"),)))

    assert on_lines(found, "scheduled", "A_workgroup: f32") == 0.0
    assert on_lines(found, "scheduled", "A_workgroup[fetch // 4") > 0.0


def test_code_without_marks_of_its_own_has_its_time_at_the_loop_around() -> None:
    text = next(case.text for case in CASES if case.name == "collatz")
    k = wb.kernel(text)
    c = k.compile(on="cpu", dims=dict.fromkeys(k.graph.symbols(), 8))
    spans = tuple(Span("dispatch", each.name, 0.0, 1.0, "a clock") for each in c.program.kernels)
    found = costs(c, Timeline("collatz", "here", spans))

    for stage in ("scheduled", "llvm", "asm"):
        assert found[stage].elsewhere == pytest.approx(0.0)
