"""What agrees, what does not, and that a changed operator never does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.ir.programs import Change, faults, matmul, shape_of, softmax, tiled_matmul
from workbench.base.errors import RunError
from workbench.ir.compare import agreement
from workbench.ir.graph import Graph
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.loops import Loops

F = np.float32
RNG = np.random.default_rng(3)


def test_equal_values_agree() -> None:
    found = agreement(np.ones(3, F), np.ones(3), F)

    assert found
    assert found.largest_abs == 0


def test_rounding_agrees_and_says_how_much() -> None:
    found = agreement(np.array([1.0, 2.000001], F), np.array([1.0, 2.0]), F)

    assert found.ok
    assert found.where == (1,)
    assert found.words == "agrees: largest difference 9.5e-07, where values reach 2"


def test_a_wrong_element_is_named() -> None:
    found = agreement(np.array([[1.0, 5.0]], F), np.array([[1.0, 2.0]]), F)

    assert not found.ok
    assert found.where == (0, 1)
    assert found.words.startswith("differs in 1 of 2 elements, most at [0, 1]: 5.0 instead of 2.0")


@pytest.mark.parametrize(
    ("got", "want", "ok"),
    [
        (np.nan, np.nan, True), (np.inf, np.inf, True), (-np.inf, np.inf, False),
        (np.nan, 1.0, False), (1.0, np.nan, False), (np.inf, 1e300, True), (np.inf, 1.0, False),
        (1.0, np.inf, False), (0.0, 1e-40, True), (0.0, 1e-3, False), (-0.0, 0.0, True),
    ],
)  # fmt: skip
def test_special_values(got: float, want: float, ok: bool) -> None:  # noqa: FBT001
    with np.errstate(over="ignore"):
        assert ok == agreement(np.array(got, F), np.array(want), F).ok


def test_long_sums_may_differ_more() -> None:
    terms = 1 << 20
    x = RNG.uniform(0, 1, terms).astype(F)
    in_order = np.add.accumulate(x)[-1:]
    want = np.array([x.astype(np.float64).sum()])

    assert agreement(in_order, want, F, terms=terms)
    assert not agreement(want.astype(F) * F(1.001), want, F, terms=terms)


def test_a_sum_that_cancels_is_measured_by_its_terms() -> None:
    got, want = np.array([1e-3], F), np.array([0.0])

    assert not agreement(got, want, F, terms=1000)
    assert agreement(got, want, F, terms=1000, scale=1000.0)


def test_functions_may_differ_by_their_units() -> None:
    got, want = np.array([1.0 + 6e-5], F), np.array([1.0])

    assert not agreement(got, want, F)
    assert agreement(got, want, F, ulp=512)


def test_integers_are_exact() -> None:
    found = agreement(np.array([1, 2, 3]), np.array([1, 2, 4]), np.int32)

    assert not found
    assert found.where == (2,)
    assert "3 instead of 4" in found.words
    assert agreement(np.array([1, 2]), np.array([1, 2]), np.int32)


def test_bools_are_exact() -> None:
    assert not agreement(np.array([True]), np.array([False]), np.bool_)
    assert agreement(np.array([True]), np.array([True]), np.bool_)


def test_another_shape_differs() -> None:
    assert "the shape is [2], not [3]" in agreement(np.ones(2, F), np.ones(3), F).words


def test_nothing_agrees_with_nothing() -> None:
    assert agreement(np.ones((0, 3), F), np.ones((0, 3)), F).ok


def case(program: Graph | Loops) -> dict[str, np.ndarray]:
    match program:
        case Graph():
            shapes = {a.name: shape_of(a) for a in program.inputs}
        case Loops():
            shapes = {b.name: b.sizes for b in program.buffers if b.role == "input"}
    return {n: RNG.uniform(-1, 1, s).astype(F) for n, s in shapes.items()}


@pytest.mark.parametrize("program", [matmul(5, 7, 6), softmax(6, 7)], ids=["matmul", "softmax"])
def test_a_changed_operator_in_a_graph_is_a_cross(program: Graph) -> None:
    """At inputs to 100, for at small ones softmax is the same whatever is subtracted."""
    inputs = {name: 100 * values for name, values in case(program).items()}
    (output,) = program.outputs
    want = run_graph(program, inputs)[output]

    assert agreement(run_graph(program, inputs, wide=False)[output], want, F, terms=7)
    for faulty in faults(lambda change: change.graph(program)):
        got = run_graph(faulty, inputs, wide=False)[output]

        assert not agreement(got, want, F, terms=7)


def test_a_changed_operator_in_loops_is_a_cross() -> None:
    program = tiled_matmul(8, 4)
    inputs = case(program)
    want = run_graph(matmul(8, 8, 8), inputs)["C"]

    def changed(change: Change) -> Loops:
        body = change.body(program.body)
        return Loops(program.name, program.buffers, (), body, program.outputs)

    assert agreement(run_loops(program, inputs)["C"], want, F, terms=8)
    for faulty in faults(changed):
        assert not _agrees(faulty, inputs, want)


def _agrees(program: Loops, inputs: dict[str, np.ndarray], want: np.ndarray) -> bool:
    try:
        return agreement(run_loops(program, inputs)["C"], want, F, terms=8).ok
    except RunError:
        return False
