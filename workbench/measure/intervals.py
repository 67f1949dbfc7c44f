"""Medians with the interval that says how sure they are, ratios of pairs, and outliers.

Intervals are percentile bootstraps of the median, expanded for few readings (Hesterberg, What
Teachers Should Know about the Bootstrap, 2015, section 5.3), drawn with a fixed seed: the same
readings give the same interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

COVERAGE = 0.95
"""The share of experiments whose interval holds the true value."""
RESAMPLES = 2000
FEWEST = 6
"""Readings of which the least and the greatest hold the median with that probability."""
FAR = 5.0
"""Robust standard deviations from the median beyond which a reading is an outlier."""
SMALLEST_EFFECT = 0.02
"""A difference below this share is not called one, however narrow its interval."""
_SIGMA = 1.4826
"""Standard deviations in a median absolute deviation of normal noise."""
_MEDIAN_COST = math.sqrt(math.pi / 2)
"""How many times less sure a median is than a mean, for normal noise."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A median between `low` and `high`, which hold the true one with probability `COVERAGE`."""

    low: float
    middle: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there were readings enough to say anything of how sure the middle is."""
        return math.isfinite(self.high)

    @property
    def width(self) -> float:
        """Half of the interval as a share of its middle; infinite around zero."""
        if self.middle <= 0:
            return math.inf
        return max(self.high - self.middle, self.middle - self.low) / self.middle

    def holds(self, value: float) -> bool:
        """Whether the value is inside."""
        return self.low <= value <= self.high

    def inverse(self) -> Interval:
        """The interval of one over it."""
        low = 1 / self.low if self.low > 0 else math.inf
        return Interval(1 / self.high, 1 / self.middle, low)


def median_interval(values: Sequence[float]) -> Interval:
    """The median of readings, and its interval; of fewer than `FEWEST` that is unbounded.

    Raises `ValueError` without a reading.
    """
    found = np.asarray(values, np.float64)
    if not found.size:
        raise ValueError("an interval needs a reading")
    if found.size < FEWEST:
        return Interval(-math.inf, float(np.median(found)), math.inf)
    rng = np.random.default_rng(found.size)
    resampled = found[rng.integers(0, found.size, (RESAMPLES, found.size))]
    tail = 100 * _expanded_tail(found.size)
    low, high = np.percentile(np.median(resampled, axis=1), [tail, 100 - tail])
    return Interval(float(low), float(np.median(found)), float(high))


def _expanded_tail(count: int) -> float:
    """The share beyond each end of the interval: that of a t distribution, widened by its bias.

    Its quantile is Cornish and Fisher's expansion, to three terms.
    """
    z, free = NormalDist().inv_cdf((1 + COVERAGE) / 2), count - 1
    first = (z**3 + z) / (4 * free)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    return NormalDist().cdf(-math.sqrt(count / free) * (z + first + second))


def relative_spread(values: Sequence[float]) -> float:
    """The standard deviation of readings as a share of their median, whatever the outliers."""
    found = np.asarray(values, np.float64)
    middle = float(np.median(found))
    return _SIGMA * float(np.median(np.abs(found - middle))) / middle if middle > 0 else math.inf


def expected_width(values: Sequence[float]) -> float:
    """Half of the interval that so many readings of this spread have, as a share of the median.

    Not that of their own interval: of several looks at it, the one that ends an experiment would
    be that at which it happened to be too narrow.
    """
    z = NormalDist().inv_cdf((1 + COVERAGE) / 2)
    return z * _MEDIAN_COST * relative_spread(values) / math.sqrt(len(values))


def ratio_interval(first: Sequence[float], second: Sequence[float]) -> Interval:
    """How many times `first` is `second`, by pairs of readings that were taken side by side.

    What slows both readings of a pair alike (drift, a busy machine) cancels out.
    """
    logs = np.log(np.asarray(first, np.float64)) - np.log(np.asarray(second, np.float64))
    found = median_interval(logs.tolist())
    return Interval(math.exp(found.low), math.exp(found.middle), math.exp(found.high))


def apart_interval(first: Interval, second: Interval) -> Interval:
    """How many times `first` is `second`, of medians that were not measured side by side.

    By both intervals alone, as independent of each other (the method of variance estimates
    recovery, on logarithms): what the machine did at one time and not at the other is in neither.
    """
    middle = first.middle / second.middle
    if not (first.known and second.known and first.low > 0 and second.low > 0):
        return Interval(0.0, middle, math.inf)
    below = math.hypot(math.log(first.middle / first.low), math.log(second.high / second.middle))
    above = math.hypot(math.log(first.high / first.middle), math.log(second.middle / second.low))
    return Interval(middle * math.exp(-below), middle, middle * math.exp(above))


def outliers(values: Sequence[float]) -> tuple[int, ...]:
    """The numbers of the readings that are far from the median; none of fewer than five."""
    found = np.asarray(values, np.float64)
    if found.size < 5:
        return ()
    middle = float(np.median(found))
    away = np.abs(found - middle)
    scale = max(_SIGMA * float(np.median(away)), 1e-3 * abs(middle))
    return tuple(int(n) for n in np.flatnonzero(away > FAR * scale))


def shows_difference(ratio: Interval) -> bool:
    """Whether a ratio of times is a difference: 1 is outside, and it is no trifle."""
    return not ratio.holds(1.0) and abs(math.log(ratio.middle)) >= math.log1p(SMALLEST_EFFECT)


def verdict(first: str, second: str, ratio: Interval) -> str:
    """In words what the ratio of the times of `first` and of `second` says."""
    if not ratio.known:
        return f"too few readings to tell {first} from {second} ({ratio.middle:.3g}x)"
    if not shows_difference(ratio):
        return (
            f"no difference shown between {first} and {second} "
            f"({ratio.middle:.3f}x, 95 %: {ratio.low:.3f} to {ratio.high:.3f})"
        )
    if ratio.middle < 1:
        return verdict(second, first, ratio.inverse())
    return (
        f"{second} is {_times(ratio.middle)}x faster than {first} "
        f"(95 %: {_times(ratio.low)} to {_times(ratio.high)})"
    )


def _times(value: float) -> str:
    return f"{value:.3g}" if value >= 1.1 else f"{value:.3f}"
