"""Which next steps are offered at a loop, and the effect that each is said to have."""

from __future__ import annotations

import pytest

import workbench as wb
from workbench.schedule.next_steps import Next
from workbench.schedule.step import Schedule

SOFTMAX = """
def softmax(x: f32[M, N]) -> f32[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y
"""
MOMENTS = """
def moments(x: f32[M, N]) -> (f32[M], f32[M]):
    mean[i] = sum(x[i, j] for j in range(N)) / N
    var[i] = sum((x[i, j] - mean[i]) ** 2 for j in range(N)) / N
    return mean, var
"""
MATMUL = """
def product(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
softmax, moments, product = map(wb.kernel, (SOFTMAX, MOMENTS, MATMUL))
ROWS = softmax.schedule({"M": 4, "N": 8})
PRODUCT = product.schedule({"M": 16, "N": 16, "K": 16})


def found(s: Schedule, loop: str, call: str) -> Next:
    """The next step of that text."""
    offered = {x.text: x for x in s.steps_at(loop)}
    assert call in offered, sorted(offered)
    return offered[call]


OFFERED = [
    (ROWS, "y.i", "inline('e')", "runs 136 -> 104, writes 136 -> 104, code 6 -> 5"),
    (ROWS, "y.i", "compute_at('e', 'y.i')", "reads 256 -> 128, writes 136 -> 68"),
    (ROWS, "y.i", "set_dtype('e', 'f16')", "bytes 1568 -> 1376"),
    (ROWS, "y.i", "transform_layout('e', 0, 16)", "the same counts"),
    (ROWS, "k", "rfactor('k')", "runs 136 -> 200, code 6 -> 8"),
    (PRODUCT, "i", "tile('i', 8, 'j', 8)", "the same counts"),
    (PRODUCT, "j", "decompose('j')", "the same counts"),
]


@pytest.mark.parametrize(("s", "loop", "call", "words"), OFFERED, ids=[c for _, _, c, _ in OFFERED])
def test_a_step_is_offered_with_its_effect(s: Schedule, loop: str, call: str, words: str) -> None:
    assert found(s, loop, call).words == words


def test_the_workgroup_computes_together_what_its_invocations_read() -> None:
    s = ROWS.parallelize("y.i", "workgroup.x", 2)

    assert found(s, "y.i_i", "compute_at('e', 'y.i_i', memory='workgroup')").verdict


def test_one_pass_is_offered_with_what_it_rounds() -> None:
    online = found(ROWS.inline("e"), "k", "online_softmax('k')")
    one_pass = found(moments.schedule({"M": 4, "N": 8}), "var.j", "welford('var.j')")

    assert online.verdict.notes == ("rounds y_sum otherwise: it is scaled when top grows",)
    assert one_pass.verdict.notes == (
        "rounds acc_1 otherwise: deviations are from the mean so far",
    )


def test_what_rounds_is_not_offered_where_sums_stay_exact() -> None:
    exact = Schedule((), ROWS.home, exact=True).inline("e")
    offered = [x.text.partition("(")[0] for x in exact.steps_at("k")]

    assert "split" in offered
    assert not {"online_softmax", "rfactor", "set_dtype"} & set(offered)


def test_a_loop_to_an_open_dim_has_a_version_for_one_value() -> None:
    s = product.schedule({"M": 4, "N": 8, "K": None})

    assert found(s, "k", "specialize('k', 'K', 64)").verdict


def test_every_step_that_is_offered_is_legal_and_none_twice() -> None:
    for s, loop in ((ROWS, "y.i"), (ROWS, "k"), (PRODUCT, "k"), (PRODUCT.split("k", 4), "k_i")):
        offered = [x.text for x in s.steps_at(loop)]

        assert len(offered) == len(set(offered))
        assert all(x.step.check(s.apply(s.at_home.loops())) for x in s.steps_at(loop))
