"""Intervals hold the true value as often as they say, whatever the machine does meanwhile.

2,000 experiments on a simulated clock, whose truth is known.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulated import Clock, Simulated
from workbench.measure.intervals import apart_interval, median_interval, ratio_interval
from workbench.measure.timing import Experiment, experiment

CHROME_STEP = 65.536e-6
"""Seconds that a browser's clock of the GPU steps by."""
EACH = 400


def simulate(noise: str, seed: int, *, ratio: float, step: float, cost: float = 2e-3) -> Experiment:
    rng = np.random.default_rng(seed)
    clock = Clock(step, start=float(rng.random()))
    pair = [Simulated(clock, cost * x, noise, rng) for x in (ratio, 1.0)]
    return experiment(pair, seconds=0.4, clock=clock, seed=seed)


@pytest.mark.parametrize(
    ("noise", "step"),
    [("plain", 1e-7), ("drift", 1e-7), ("bimodal", 1e-7), ("plain", CHROME_STEP)],
)
def test_the_interval_of_a_ratio_holds_the_true_one_as_often_as_it_says(
    noise: str, step: float
) -> None:
    held = 0
    for seed in range(EACH):
        slow, fast = simulate(noise, seed, ratio=1.3, step=step).timed
        held += ratio_interval(slow.wall.values, fast.wall.values).holds(1.3)

    print(f"{noise}, clock step {step * 1e6:.3g} us: {held} of {EACH} intervals hold the truth")
    assert 0.92 * EACH <= held <= 0.98 * EACH


def test_the_interval_of_a_ratio_of_two_days_holds_the_true_one_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(EACH):
        today, before = (
            median_interval(np.exp(rng.normal(np.log(t), 0.05, 25)).tolist()) for t in (1.3, 1.0)
        )
        held += apart_interval(today, before).holds(1.3)

    assert 0.92 * EACH <= held <= 0.98 * EACH


def test_the_interval_of_a_time_holds_the_true_one_as_often_as_it_says() -> None:
    held = sum(
        simulate("plain", seed, ratio=1.0, step=1e-7).timed[1].wall.interval.holds(2e-3)
        for seed in range(EACH)
    )

    assert 0.92 * EACH <= held <= 0.98 * EACH
