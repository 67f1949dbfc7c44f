"""What the mapping makes of copies that a workgroup shares: guards, and where it meets."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.ir.programs import one_kernel, without_barrier
from tests.unit.schedule.programs import matmul
from workbench.ir.device import DeviceKernel
from workbench.ir.findings import Race
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.ir.simt import run_mapped
from workbench.ir.stmt import Barrier, Body, For, walk_stmts
from workbench.passes.mapping import map_kernels
from workbench.schedule.step import Schedule

S = Schedule()
TILED = S.parallelize("i", "workgroup.y", 4).parallelize("j", "workgroup.x", 3).split("k", 2)
AHEAD = TILED.cache("A", "workgroup", at="k_o", double=True).cache(
    "B", "workgroup", at="k_o", double=True, pad=1
)


def kernel(schedule: Schedule) -> DeviceKernel:
    """The one kernel of a matmul."""
    (found,) = map_kernels(schedule.apply(matmul())).kernels
    return found


def barriers(body: Body) -> int:
    """How many stand in a text."""
    return sum(isinstance(s, Barrier) for s in walk_stmts(body))


def assert_right(loops: Loops, seed: int) -> None:
    """A matmul by workgroups gives what it gives as it is written, and meets no fault."""
    rng = np.random.default_rng(0)
    inputs = {n: rng.integers(-9, 9, s).astype("f4") for n, s in SHAPES.items()}
    results, findings = run_mapped(map_kernels(loops), inputs, {}, seed=seed)

    assert findings.ok, findings.words
    np.testing.assert_array_equal(results["C"], run_loops(matmul(), inputs)["C"])


SHAPES = {"A": (12, 8), "B": (8, 10)}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "schedule",
    [
        AHEAD, AHEAD.split("k_o", 3), AHEAD.split("k_o", 3, tail="pad"),
        TILED.cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o", double=True),
        TILED.split("k_o", 3).cache("A", "workgroup", at="k_o_i", double=True),
    ],
    ids=repr,
)  # fmt: skip
def test_the_next_tile_is_fetched_while_one_is_used(schedule: Schedule, seed: int) -> None:
    assert_right(schedule.apply(matmul()), seed)


def test_an_iteration_that_fetches_ahead_meets_once_and_one_that_does_not_twice() -> None:
    ahead, plain = kernel(AHEAD), kernel(
        TILED.cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o")
    )  # fmt: skip
    loops = [next(s for s in k.body if isinstance(s, For) and barriers(s.body))
             for k in (ahead, plain)]  # fmt: skip

    assert [barriers(x.body) for x in loops] == [1, 2]
    assert barriers(ahead.body) == 2


@pytest.mark.parametrize("number", [0, 1])
def test_each_barrier_of_two_halves_is_needed(number: int) -> None:
    mapped = map_kernels(AHEAD.apply(matmul()))
    broken = one_kernel(mapped, without_barrier(mapped.kernels[0].body, number))
    inputs = {n: np.ones(s, np.float32) for n, s in SHAPES.items()}
    faults = [f for seed in range(4) for f in run_mapped(broken, inputs, {}, seed=seed)[1].faults]

    assert any(isinstance(f, Race) for f in faults)


@pytest.mark.parametrize("tail", ["guard", "pad"])
def test_a_copy_is_not_made_for_an_iteration_that_a_later_step_added(tail: str) -> None:
    cached = TILED.cache("B", "workgroup", at="k_o")

    assert_right(cached.split("k_o", 3, tail=tail).apply(matmul()), seed=1)
