"""A clock that is simulated, and things that take known times by it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.measure.timing import Reading

if TYPE_CHECKING:
    import numpy as np


class Clock:
    """A clock that only moves when something takes time, and shows whole steps."""

    def __init__(self, step: float = 1e-7, start: float = 0.0) -> None:
        self.now = start
        self.step = step

    def __call__(self) -> float:
        self.now += 0.4 * self.step
        return math.floor(self.now / self.step) * self.step


@dataclass
class Simulated:
    """Takes `cost` seconds a run, times what a kind of noise makes of it."""

    clock: Clock
    cost: float
    noise: str
    rng: np.random.Generator
    runs: int = 0

    def run(self, count: int) -> Reading:
        began = self.clock()
        factor = math.exp(0.02 * self.rng.standard_normal())
        if "bimodal" in self.noise and self.rng.random() < 0.3:
            factor *= 1.25
        if "drift" in self.noise:
            factor *= 1 + 0.15 * self.clock.now
        self.clock.now += count * self.cost * factor
        self.runs += count
        return Reading(self.clock() - began)
