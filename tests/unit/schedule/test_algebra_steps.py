"""What becomes of a softmax and of a variance in one pass, and which formulas are none."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.unit.schedule.programs import add, function, i, j, k, load, serial, sub, zero
from tests.unit.schedule.refused import assert_refused, each_refused
from tests.unit.schedule.test_steps import S, body_text
from workbench.base.dtypes import F32
from workbench.ir.expr import Const, Var, apply, substitute
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.ir.simt import run_mapped
from workbench.ir.stmt import Assign, Continue, If, Local, Stmt, Store
from workbench.passes.mapping import map_kernels
from workbench.schedule.step import Schedule

SOFTMAX = """
def row(x: f32[M, N]) -> (f32[M], f32[M]):
    top[i] = max(x[i, j] for j in range(N))
    s[i] = sum(exp(x[i, k] - top[i]) for k in range(N))
    return top, s
"""
VARIANCE = """
def moments(x: f32[M, N]) -> (f32[M], f32[M]):
    mean[i] = sum(x[i, j] for j in range(N)) / N
    var[i] = sum((x[i, j] - mean[i]) ** 2 for j in range(N)) / N
    return mean, var
"""
ONLINE, ONE_PASS = S.online_softmax("s.k"), S.welford("var.j")
PARTS = {
    "one pass": lambda s, _: s,
    "private parts": lambda s, loop: s.split(loop, 4).rfactor(f"{loop}_i"),
    "unrolled parts": lambda s, loop: s.split(loop, 2).rfactor(f"{loop}_i").unroll(f"{loop}_o"),
    "rows at once": lambda s, _: s.parallelize("i", "workgroup.x", 2),
}
inf, nan = float("inf"), float("nan")
ROWS = {
    "ordinary": [0.5, -1.0, 3.0, 2.0, 3.0, -0.25, 1.0],
    "rising": [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0],
    "falling": [3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0],
    "equal": [7.0] * 7,
    "huge": [3e38, -3e38, 3e38, 1e38, -1e30, 0.0, 3e38],
    "tiny": [1e-38, -1e-40, 0.0, -0.0, 1e-45, 2e-38, 1e-38],
    "far apart": [-200.0, 100.0, -100.0, 200.0, 0.0, 199.0, 200.0],
    "begins at -inf": [-inf, -inf, 1.0, -inf, 2.0, 2.0, -inf],
    "ends at -inf": [1.0, 2.0, -inf, -inf, -inf, -inf, -inf],
    "nothing finite": [-inf] * 7,
    "inf": [1.0, 2.0, inf, 3.0, -inf, 4.0, 5.0],
    "inf first": [inf, 2.0, 1.0, 3.0, 1.0, 4.0, 5.0],
    "two infs": [inf, 2.0, inf, 3.0, 1.0, 4.0, 5.0],
    "nan": [1.0, 2.0, nan, 3.0, 0.0, 4.0, 5.0],
    "nan first": [nan, -inf, 1.0, 3.0, 0.0, 4.0, 5.0],
    "nan behind -inf": [-inf, -inf, nan, 3.0, 0.0, 4.0, -inf],
}
x = np.array(list(ROWS.values()), np.float32)


def loops(text: str, shape: tuple[int, int] = x.shape) -> Loops:
    k = wb.kernel(text)
    dims = dict(zip("MN", shape, strict=True))
    return k.loops({d: dims[d] for d in k.graph.symbols()})


def softmax(first: str, second: str, between: str = "") -> Loops:
    """`top` of one kind of term, and `s` of another."""
    text = (
        "def f(x: f32[M, N], z: f32[M, N]) -> (f32[M], f32[M]):\n"
        f"    top[i] = {first}\n{between}    s[i] = {second}\n    return top, s"
    )
    return loops(text, (3, 4))


def moments(mean: str, squares: str) -> Loops:
    """A mean and a sum of squares, each as it is written."""
    text = (
        "def f(x: f32[M, N], z: f32[M, N]) -> (f32[M], f32[M]):\n"
        f"    mean[i] = {mean}\n    q[i] = {squares}\n    return mean, q"
    )
    return loops(text, (3, 4))


def test_online_softmax_keeps_the_sum_for_the_greatest_term_so_far() -> None:
    assert body_text(ONLINE.apply(loops(SOFTMAX, (3, 4)))) == (
        "for i in range(3):  # parallel\n"
        "    top[i] = -inf\n"
        "    s[i] = 0.0\n"
        "    for j in range(4):\n"
        "        value = x[i, j]\n"
        "        greatest = max(top[i], value)\n"
        "        s[i] = (s[i] if top[i] == greatest else 0.0 if top[i] == -inf else "
        "s[i] * exp(top[i] - greatest)) + exp(value - greatest)\n"
        "        top[i] = greatest"
    )


def test_welford_keeps_the_sum_and_the_squares_of_deviations_so_far() -> None:
    assert body_text(ONE_PASS.apply(loops(VARIANCE, (3, 4)))) == (
        "for i in range(3):  # parallel\n"
        "    acc: f32  # private memory\n"
        "    acc_1: f32  # private memory\n"
        "    count: i32  # private memory\n"
        "    acc = 0.0\n"
        "    acc_1 = 0.0\n"
        "    count = 0\n"
        "    for j in range(4):\n"
        "        value = x[i, j]\n"
        "        apart = value - acc / f32(max(count, 1))\n"
        "        count = count + 1\n"
        "        acc = acc + value\n"
        "        acc_1 = acc_1 + abs(apart * (value - acc / f32(count)))\n"
        "    mean[i] = acc / f32(4)\n"
        "    var[i] = acc_1 / f32(4)"
    )


@pytest.mark.parametrize("parts", PARTS)
def test_a_softmax_of_any_row_is_that_of_two_passes(parts: str) -> None:
    program = loops(SOFTMAX)
    after = PARTS[parts](ONLINE, "j").apply(program)
    wanted, found = run_loops(program, {"x": x}), run_loops(after, {"x": x})

    np.testing.assert_array_equal(found["top"], wanted["top"])
    np.testing.assert_allclose(found["s"], wanted["s"], rtol=1e-6)


@pytest.mark.parametrize("parts", PARTS)
def test_the_moments_of_any_row_are_those_of_two_passes(parts: str) -> None:
    """Where the sum of a row overflows, neither way gives a number."""
    program = loops(VARIANCE)
    after = PARTS[parts](ONE_PASS, "mean.j").apply(program)
    wanted, found = run_loops(program, {"x": x}), run_loops(after, {"x": x})
    usual = np.array([name != "huge" for name in ROWS])

    np.testing.assert_allclose(found["mean"], wanted["mean"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["var"][usual], wanted["var"][usual], rtol=1e-5, atol=1e-12)
    assert not np.isfinite(found["var"][~usual]).any()
    if parts == "one pass":
        np.testing.assert_array_equal(found["mean"], wanted["mean"])


@pytest.mark.parametrize("n", [0, 1])
def test_rows_of_nothing_and_of_one_element(n: int) -> None:
    for text, schedule in ((SOFTMAX, ONLINE), (VARIANCE, ONE_PASS)):
        program = loops(text, (3, n))
        given = {"x": x[:3, :n]}
        wanted, found = run_loops(program, given), run_loops(schedule.apply(program), given)
        for name, array in wanted.items():
            np.testing.assert_array_equal(found[name], array)


def test_deviations_of_a_large_mean_do_not_cancel() -> None:
    given = np.random.default_rng(0).normal(1e4, 1, (2, 500)).astype(np.float32)
    found = run_loops(ONE_PASS.apply(loops(VARIANCE, given.shape)), {"x": given})

    np.testing.assert_allclose(found["var"], given.astype(float).var(axis=1), rtol=1e-3)


@pytest.mark.parametrize("memory", ["workgroup", "storage"])
@pytest.mark.parametrize("width", [1, 3, 4])
def test_a_softmax_in_parts_of_a_workgroup_or_of_nests_is_right(memory: str, width: int) -> None:
    program = loops(SOFTMAX)
    steps = ONLINE.split("j", width).rfactor("j_i", memory=memory)
    if memory == "workgroup":
        steps = steps.parallelize("i", "workgroup.x")
    after = steps.apply(program)
    wanted = run_loops(program, {"x": x})
    results, faults = run_mapped(map_kernels(after), {"x": x}, seed=width)

    assert faults.ok, faults.words
    for found in (results, run_loops(after, {"x": x})):
        np.testing.assert_array_equal(found["top"], wanted["top"])
        np.testing.assert_allclose(found["s"], wanted["s"], rtol=1e-6)


def test_all_of_a_softmax_row_in_one_loop_over_rows() -> None:
    text = (
        "def softmax(x: f32[M, N]) -> f32[M, N]:\n"
        "    top[i] = max(x[i, j] for j in range(N))\n"
        "    e[i, j] = exp(x[i, j] - top[i])\n"
        "    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))\n"
        "    return y"
    )
    steps = S.inline("e").compute_at("y_sum", "y.i").compute_at("top", "y.i").online_softmax("k")
    program = loops(text)
    after = steps.apply(program)

    assert len(after.body) == 1
    assert after.inner == ("y_sum", "top")
    wanted, found = run_loops(program, {"x": x}), run_loops(after, {"x": x})
    np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-6)


def test_attention_in_one_pass_over_scores_that_are_never_stored() -> None:
    text = (
        "def attention(Q: f32[M, D], K: f32[N, D], V: f32[N, E]) -> f32[M, E]:\n"
        "    s[i, j] = sum(Q[i, d] * K[j, d] for d in range(D))\n"
        "    top[i] = max(s[i, j] for j in range(N))\n"
        "    p[i, j] = exp(s[i, j] - top[i])\n"
        "    total[i] = sum(p[i, j] for j in range(N))\n"
        "    y[i, c] = sum(p[i, j] * V[j, c] for j in range(N)) / total[i]\n"
        "    return y"
    )
    k = wb.kernel(text)
    program = k.loops({"M": 5, "N": 6, "D": 3, "E": 2})
    steps = S.inline("p").online_softmax("total.j")
    after = steps.apply(program)
    rng = np.random.default_rng(1)
    given = {b.name: rng.normal(size=b.sizes).astype(np.float32) for b in program.buffers
             if b.role == "input"}  # fmt: skip
    wanted = run_loops(program, given)["y"]

    np.testing.assert_allclose(run_loops(after, given)["y"], wanted, rtol=1e-5)
    rows = S.inline("p").compute_at("total", "y.i").compute_at("top", "y.i").compute_at("s", "y.i")
    alone = rows.online_softmax("total.j").apply(program)
    assert [b.name for b in alone.buffers] == ["Q", "K", "V", "y"]
    np.testing.assert_allclose(run_loops(alone, given)["y"], wanted, rtol=1e-5)


def test_the_mean_may_be_taken_of_a_sum_that_is_an_array() -> None:
    text = (
        "def f(x: f32[M, N]) -> (f32[M], f32[M]):\n"
        "    t[i] = sum(x[i, j] for j in range(N))\n"
        "    q[i] = sum((t[i] / N - x[i, j]) ** 2 for j in range(N))\n"
        "    return t, q"
    )
    program = loops(text)
    after = S.welford("q.j").apply(program)
    given = {"x": np.random.default_rng(2).normal(size=x.shape).astype(np.float32)}
    wanted, found = run_loops(program, given), run_loops(after, given)

    assert len(after.body) == 1
    np.testing.assert_array_equal(found["t"], wanted["t"])
    np.testing.assert_allclose(found["q"], wanted["q"], rtol=1e-5)


def test_rounding_otherwise_is_noted_and_can_be_forbidden() -> None:
    for text, steps, words in (
        (SOFTMAX, ONLINE, "rounds s otherwise: it is scaled when top grows"),
        (VARIANCE, ONE_PASS, "rounds acc_1 otherwise: deviations are from the mean so far"),
    ):
        assert steps.check(loops(text)).notes == (words,)
        refused = Schedule(steps.steps, exact=True).check(loops(text))
        assert refused.reason == f"it {words}, which exact=True forbids"


def test_the_iterations_of_one_pass_need_each_other() -> None:
    for steps in (ONLINE.parallelize("j", "workgroup.x"), ONLINE.split("j", 2).vectorize("j_i")):
        assert "need each other" in steps.check(loops(SOFTMAX)).reason
    assert (
        "change the order"
        in ONE_PASS.split("mean.j", 2).reorder("j_i", "j_o").check(loops(VARIANCE)).reason
    )


TOP, SUM = "max(x[i, j] for j in range(N))", "sum(exp(x[i, j] - top[i]) for j in range(N))"
MEAN, SQUARES = "sum(x[i, j] for j in range(N)) / N", "sum((x[i, j] - mean[i]) ** 2 for j in range(N))"  # noqa: E501  # fmt: skip
REFUSED = [
    (S.online_softmax("q"), softmax(TOP, SUM), "no loop named 'q'"),
    (S.online_softmax("top.j"), softmax(TOP, SUM), "'top.j' is not the loop of one sum of floats"),
    (S.online_softmax("top.i"), softmax(TOP, SUM), "'top.i' is parallel"),
    (
        S.online_softmax("s.j"),
        softmax(TOP, "sum(exp(top[i] - x[i, j]) for j in range(N))"),
        "x is not a maximum over a loop",
    ),
    (
        S.online_softmax("s.j"),
        softmax(TOP, "sum(exp(x[i, j]) - top[i] for j in range(N))"),
        "the terms of s are not exp(x - top) with a maximum top",
    ),
    (
        S.online_softmax("s.j"),
        softmax(TOP.replace("max", "min"), SUM),
        "top is not a maximum over a loop",
    ),
    (
        S.online_softmax("s.j"),
        softmax(TOP, SUM.replace("x[", "z[")),
        "the terms of top and s differ",
    ),
    (
        S.online_softmax("s.j"),
        softmax(TOP, SUM.replace("x[i, j]", "x[i, N - 1 - j]")),
        "the terms of top and s differ",
    ),
    (
        S.online_softmax("s.j"),
        softmax(TOP, SUM.replace("range(N)", "range(1, N)")),
        "the loops of top and s run over different iterations",
    ),
    (
        S.online_softmax("s.j"),
        softmax(TOP.replace("range(N)", "range(N) if x[i, j] < 3.0"), SUM),
        "the loops of top and s run over different iterations",
    ),
    (
        S.online_softmax("s.j"),
        softmax(TOP, SUM.replace("top[i]", "top[M - 1 - i]")),
        "top would be read or written too early in one pass; (i=2) writes top[2] and",
    ),
    (
        S.online_softmax("total.j"),
        loops(
            "def f(x: f32[M, N]) -> f32[M]:\n"
            "    top[i] = max(x[i, j] for j in range(N))\n"
            "    e[i, j] = exp(x[i, j] - top[i])\n"
            "    total[i] = sum(e[i, j] for j in range(N))\n"
            "    return total"
        ),
        "are not exp(x - top) with a maximum top\n",
    ),
    (
        S.split("top.i", 2).online_softmax("s.j"),
        softmax(TOP, SUM),
        "top and s stand in loops of different depth",
    ),
    (S.welford("mean.j"), moments(MEAN, SQUARES), "are not squares of x - mean, mean = sum / n"),
    (
        S.welford("q.j"),
        moments(MEAN, SQUARES.replace("x[i, j] - mean", "z[i, j] - mean")),
        "differ",
    ),
    (
        S.welford("q.j"),
        moments(MEAN.replace("/ N", "/ (N + 1)"), SQUARES),
        "is divided by is not the number of its terms",
    ),
    (
        S.welford("q.j"),
        moments(MEAN.replace("range(N)", "range(N) if x[i, j] > 0.0"), SQUARES),
        "run over different iterations",
    ),
    (
        S.welford("q.j"),
        moments(MEAN, SQUARES.replace("** 2", "** 4")),
        "are not squares of x - mean",
    ),
    (
        S.split("mean.j", 3).split("q.j", 3).welford("q.j_o"),
        moments(MEAN, SQUARES),
        "is divided by is not the number of its terms",
    ),
    (
        ONLINE.online_softmax("top.j"),
        loops(SOFTMAX),
        "'top.j' is not the loop of one sum of floats",
    ),
]


@each_refused(REFUSED)
def test_refusals_name_the_step_and_the_reason(
    schedule: Schedule, program: Loops, message: str
) -> None:
    assert_refused(schedule, program, message)


LATER = apply("gt", load("top", i), Const(3.0, F32))
BETWEEN = {
    "a break or continue stands between": If(LATER, (Continue(),)),
    "scale changes between": If(LATER, (Assign("scale", Const(2.0, F32)),)),
    "z changes between": Store("z", (i,), load("top", i)),
    "s changes between": If(LATER, (Store("s", (i,), zero()),)),
    "top changes between": If(LATER, (Store("top", (i,), zero()),)),
    "s is read between": Store("w", (i,), load("s", i)),
}


@pytest.mark.parametrize("reason", BETWEEN)
def test_what_stands_between_in_one_body_may_not_disturb(reason: str) -> None:
    """The terms are `x[i, j] * scale + z[i]`, of a local and an array."""
    term = add(apply("mul", load("x", i, j), Var("scale", F32)), load("z", i))
    other = substitute(term, {"j": k})
    first = serial("j", 4, Store("top", (i,), term, "max"))
    total = Store("s", (i,), apply("exp", sub(other, load("top", i))), "add")
    start = Store("top", (i,), Const(-inf, F32))

    def program(*between: Stmt) -> Loops:
        body = (Local("scale", Const(1.0, F32)), Store("z", (i,), zero()), start, first, *between,
                Store("s", (i,), zero()), serial("k", 4, total))  # fmt: skip
        return function((serial("i", 3, *body),), x=("input", (3, 4)), z=("temporary", (3,)),
                        w=("output", (3,)), top=("output", (3,)),
                        s=("output", (3,)))  # fmt: skip

    assert S.online_softmax("k").check(program())
    assert reason in S.online_softmax("k").check(program(BETWEEN[reason])).reason


def test_an_iteration_that_ends_early_does_not_reach_the_second_pass() -> None:
    row, column = Var("i_1"), Var("j_1")
    first = serial("j", 4, Store("top", (i,), load("x", i, j), "max"))
    term = apply("exp", sub(load("x", row, column), load("top", row)))
    nests = (
        serial("i", 3, Store("top", (i,), Const(-inf, F32)), first, If(LATER, (Continue(),))),
        serial("i_1", 3, Store("s", (row,), zero()),
               serial("j_1", 4, Store("s", (row,), term, "add"))),
    )  # fmt: skip
    program = function(nests, x=("input", (3, 4)), top=("output", (3,)), s=("output", (3,)))

    assert "ends an iteration" in S.online_softmax("s.j").check(program).reason


def test_a_term_that_an_array_stands_for_is_to_be_inlined() -> None:
    text = (
        "def f(x: f32[M, N]) -> f32[M]:\n"
        "    top[i] = max(x[i, j] for j in range(N))\n"
        "    e[i, j] = exp(x[i, j] - top[i])\n"
        "    total[i] = sum(e[i, j] for j in range(N))\n"
        "    return total"
    )
    assert S.online_softmax("total.j").check(loops(text)).hint == "inline('e') first"
    assert S.inline("e").online_softmax("total.j").check(loops(text))
