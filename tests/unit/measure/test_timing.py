"""The timing core, on a clock that is simulated: what it says of times that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.simulated import Clock, Simulated
from workbench.base.errors import DeviceError
from workbench.measure.intervals import (
    Interval,
    median_interval,
    outliers,
    ratio_interval,
    verdict,
)
from workbench.measure.timing import SHORTEST, STEPS, Reading, experiment, quantum

CHROME_STEP = 65.536e-6
"""Seconds that a browser's clock of the GPU steps by."""


def test_a_run_shorter_than_its_clock_s_step_is_timed_in_batches() -> None:
    clock = Clock(CHROME_STEP)
    short = Simulated(clock, 20e-6, "plain", np.random.default_rng(1))
    (timed,) = experiment([short], seconds=1.0, clock=clock).timed

    assert timed.wall.batch * 20e-6 >= 0.9 * STEPS * CHROME_STEP
    assert timed.wall.interval.middle == pytest.approx(20e-6, rel=0.02)


def test_a_steady_thing_is_timed_no_longer_than_its_interval_needs() -> None:
    clock = Clock()
    did = experiment(
        [Simulated(clock, 1e-3, "plain", np.random.default_rng(0))], seconds=1e3, clock=clock
    )

    assert did.ended == "narrow"
    assert did.timed[0].wall.interval.width < 0.02
    assert did.seconds < 1


def test_a_budget_that_is_spent_ends_the_rounds() -> None:
    clock = Clock()
    did = experiment(
        [Simulated(clock, 0.3, "bimodal", np.random.default_rng(0))], seconds=2.0, clock=clock
    )

    assert did.ended == "budget"
    assert 2.0 <= did.seconds < 4.0
    assert did.rounds >= 6


def test_a_thing_that_takes_far_longer_than_the_budget_is_read_a_few_times() -> None:
    clock = Clock()
    did = experiment(
        [Simulated(clock, 5.0, "plain", np.random.default_rng(0))], seconds=2.0, clock=clock
    )

    assert 1 <= did.rounds < 6
    assert not did.timed[0].wall.interval.known


def test_what_gets_faster_at_first_is_timed_once_it_is_warm() -> None:
    clock = Clock()

    class Warming(Simulated):
        def run(self, count: int) -> Reading:
            cold = 1 + 3 * math.exp(-self.runs / 4)
            self.cost = 1e-3 * cold
            return super().run(count)

    did = experiment(
        [Warming(clock, 1e-3, "plain", np.random.default_rng(0))], seconds=5.0, clock=clock
    )

    assert did.timed[0].wall.interval.middle == pytest.approx(1e-3, rel=0.03)


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), DeviceError("the device was lost")])
def test_what_was_measured_before_it_ended_is_kept(failure: BaseException) -> None:
    clock = Clock()

    class Failing(Simulated):
        def run(self, count: int) -> Reading:
            if self.runs > 100:
                raise failure
            return super().run(count)

    steady = Simulated(clock, 1e-3, "bimodal", np.random.default_rng(0))
    failing = Failing(clock, 1e-3, "bimodal", np.random.default_rng(1))
    did = experiment([steady, failing], seconds=5.0, clock=clock)

    assert did.ended == ("failed" if isinstance(failure, DeviceError) else "interrupted")
    assert did.rounds > 10
    assert all(len(t.wall.values) == did.rounds for t in did.timed)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_no_budget_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="nothing can be measured"):
        experiment([], seconds=seconds)


def test_each_round_has_an_order_of_its_own() -> None:
    clock, order = Clock(), list[str]()

    class Named(Simulated):
        def run(self, count: int) -> Reading:
            order.append(self.noise)
            return super().run(count)

    things = [Named(clock, SHORTEST, name, np.random.default_rng(0)) for name in "abc"]
    experiment(things, seconds=0.2, clock=clock)
    rounds = {tuple(order[-n:][:3]) for n in range(3, 39, 3)}

    assert all(sorted(r) == ["a", "b", "c"] for r in rounds)
    assert len(rounds) > 3


def test_the_step_of_a_clock_is_read_off_its_readings() -> None:
    rng = np.random.default_rng(0)
    stepped = (rng.integers(1, 40, 30) * CHROME_STEP).tolist()

    assert quantum(stepped) == pytest.approx(CHROME_STEP)
    assert quantum(rng.uniform(1e-3, 2e-3, 30).tolist()) == 0
    assert quantum([0.0, 0.0]) == 0


def test_readings_far_off_are_named() -> None:
    values = [1.0, 1.01, 0.99, 1.02, 0.98, 1.0, 9.0, 1.0, 1.01]

    assert outliers(values) == (6,)
    assert outliers([1.0, 9.0]) == ()
    assert outliers([1.0] * 9) == ()


def test_few_readings_have_a_median_and_nothing_to_say_of_how_sure_it_is() -> None:
    few = median_interval([3.0, 1.0, 2.0])

    assert few.middle == 2.0
    assert not few.known
    assert few.width == math.inf
    assert verdict("A", "B", ratio_interval([2.0], [1.0])).startswith("too few readings to tell A")
    assert median_interval([1.0] * 6).known
    with pytest.raises(ValueError, match="needs a reading"):
        median_interval([])


def test_a_verdict_says_which_is_faster_and_how_sure_that_is() -> None:
    assert verdict("A", "B", Interval(2.0, 2.1, 2.3)) == (
        "B is 2.1x faster than A (95 %: 2 to 2.3)"
    )
    assert verdict("A", "B", Interval(0.25, 0.5, 0.5)) == ("A is 2x faster than B (95 %: 2 to 4)")


@pytest.mark.parametrize("ratio", [Interval(0.9, 1.2, 1.3), Interval(1.005, 1.01, 1.015)])
def test_a_difference_that_is_unsure_or_a_trifle_is_none(ratio: Interval) -> None:
    assert verdict("A", "B", ratio).startswith("no difference shown between A and B")
