"""How long something takes: the one timing core, for every device and for host functions.

Things that are compared are timed in turn, each round in an order of its own, so that what the
machine does meanwhile meets all of them. A thing too short for its clock is run many times for
one reading. Rounds go on until every interval is narrow, or the budget of seconds is spent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from workbench.base.errors import DeviceError, WorkbenchError
from workbench.base.progress import BOARD, Standing
from workbench.measure.intervals import FEWEST, Interval, expected_width, median_interval, outliers

if TYPE_CHECKING:
    from collections.abc import Sequence

Ended = Literal["narrow", "budget", "interrupted", "failed"]

STEPS = 100
"""Steps of its clock that one reading takes at least: a step is then one percent of it."""
SHORTEST = 0.5e-3
"""Seconds that one reading takes at least: waking up a thread is then a small part of it."""
LARGEST_BATCH = 4096
ROUNDS = 12
"""Rounds before the first interval: fewer readings have none that holds what it says."""
MOST_ROUNDS = 400
LONGEST = 3.0
"""Budgets that the fewest readings may take which make an interval."""
_GROWTH = 1.4
"""Rounds between looks at the interval; looking always would stop at lucky ones."""
_STABLE = 3
_STILL_FALLING = 0.97
_WARM_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds of one batch by the host's clock, and of its kernels by `clock`."""

    seconds: float
    kernel: float | None = None
    clock: str = "wall"


class Timer(Protocol):
    """Something whose time is taken."""

    def run(self, count: int) -> Reading:
        """Run it so many times and wait for the last. Raises what running it raises."""
        ...


@dataclass(frozen=True, slots=True)
class Series:
    """The readings of one thing: seconds a run, in the order of the rounds.

    `batch` runs are in each reading; `step` is the clock's, in seconds.
    """

    clock: str
    step: float
    batch: int
    values: tuple[float, ...]

    @property
    def interval(self) -> Interval:
        """The median, and how sure it is."""
        return median_interval(self.values)

    @property
    def outliers(self) -> tuple[int, ...]:
        """The rounds whose readings are far off."""
        return outliers(self.values)


@dataclass(frozen=True, slots=True)
class Timed:
    """What was measured of one thing: its calls, and its kernels where the device tells them."""

    wall: Series
    kernel: Series | None = None

    @property
    def call(self) -> float | None:
        """Seconds of a run that are no kernel's: the call, the dispatch and what lies between."""
        if self.kernel is None:
            return None
        return max(0.0, self.wall.interval.middle - self.kernel.interval.middle)


@dataclass(frozen=True, slots=True)
class Experiment:
    """Things timed in turn: round n of each belongs together. `ended` says why it ended.

    `error` is what ended it, where it failed; the rounds before are kept.
    """

    timed: tuple[Timed, ...]
    rounds: int
    seconds: float
    ended: Ended
    error: str = ""

    def only(self) -> Timed:
        """What was measured of the one thing that was timed.

        Raises `KeyboardInterrupt` or `DeviceError` where it ended before anything was measured.
        """
        if self.timed:
            return self.timed[0]
        if self.ended == "interrupted":
            raise KeyboardInterrupt
        raise DeviceError(self.error)


@dataclass(slots=True, eq=False)
class _Thing:
    timer: Timer
    batch: int = 1
    readings: list[Reading] = field(default_factory=list[Reading])


def clock_step(clock: Callable[[], float], looks: int = 200) -> float:
    """The smallest step that a clock was seen to take, in seconds."""
    least = math.inf
    for _ in range(looks):
        start = now = clock()
        while now == start:
            now = clock()
        least = min(least, now - start)
    return least


def quantum(values: Sequence[float]) -> float:
    """The step of which all readings are whole multiples, in seconds; 0 where there is none.

    Browsers round the timestamps of GPUs, to 65,536 ns for one: nobody says so but the readings.
    """
    found = np.unique(np.asarray([v for v in values if v > 0]))
    if found.size < 3:
        return 0.0
    gaps = np.diff(found)
    step = float(min(gaps.min(), found[0]))
    multiples = found / step
    whole = np.abs(multiples - np.round(multiples)) < 0.02
    return step if bool(whole.all()) and float(multiples.max()) < 1e4 else 0.0


def experiment(
    timers: Sequence[Timer],
    *,
    seconds: float = 2.0,
    narrow: float = 0.01,
    clock: Callable[[], float] = time.perf_counter,
    words: str = "timing",
    seed: int = 0,
) -> Experiment:
    """Time things in turn until every median is known to `narrow`, or for `seconds` in all.

    `narrow` is half of the interval as a share. `clock` is what the timers' `seconds` are taken
    from. An interrupt and a failing thing end it; what was measured before is kept.
    Raises `ValueError` for no budget, and what the first run of a thing raises.
    """
    if not seconds > 0:
        raise ValueError(f"a budget of {seconds} s: nothing can be measured in it")
    began = clock()
    step = clock_step(clock)
    things = [_Thing(timer) for timer in timers]
    ended: Ended = "budget"
    error = ""
    fitted = False
    with BOARD.task(words) as task:

        def tell(done: int) -> float:
            spent = clock() - began
            unit = "rounds" if done else ""
            task.at(Standing(done, None, unit, min(1.0, spent / seconds)))
            return spent

        try:
            for thing in things:
                _fit(thing, step, seconds / len(things), tell)
            fitted = True
            _warm_up(things, _WARM_SHARE * seconds, tell)
            if _rounds(things, seconds, np.random.default_rng(seed), narrow, tell):
                ended = "narrow"
        except KeyboardInterrupt:
            ended, error = "interrupted", "interrupted"
        except WorkbenchError as failure:
            if not fitted:
                raise
            ended, error = "failed", str(failure)
    rounds = min(len(t.readings) for t in things)
    timed = tuple(_timed(t, step, rounds) for t in things) if rounds else ()
    return Experiment(timed, rounds, clock() - began, ended, error)


_Tell = Callable[[int], float]
"""Says that so many rounds are done; gives the seconds spent."""


def _rounds(
    things: Sequence[_Thing], seconds: float, rng: np.random.Generator, narrow: float, tell: _Tell
) -> bool:
    """Go round until the budget is spent, or every interval is narrow: whether they are."""
    look = ROUNDS
    while (done := len(things[0].readings)) < MOST_ROUNDS:
        spent = tell(done)
        enough = done >= FEWEST or (done and spent >= LONGEST * seconds)
        if spent >= seconds and enough:
            return False
        _round(things, rng)
        if done + 1 >= look:
            look = max(look + 1, round(look * _GROWTH))
            if all(_expected(t) <= narrow for t in things):
                return True
    return False


def _fit(thing: _Thing, step: float, share: float, tell: _Tell) -> None:
    """Find how many runs make a reading that its clock can tell."""
    shortest = max(STEPS * step, SHORTEST)
    thing.timer.run(1)  # compiles, allocates, touches memory
    while True:
        tell(0)
        took = max(thing.timer.run(thing.batch).seconds, step)
        if took >= shortest or thing.batch >= LARGEST_BATCH or took > share / ROUNDS:
            return
        grown = math.ceil(thing.batch * min(8.0, 1.2 * shortest / took))
        thing.batch = min(LARGEST_BATCH, max(thing.batch + 1, grown))


def _warm_up(things: Sequence[_Thing], seconds: float, tell: _Tell) -> None:
    """Run in turn until no thing gets faster any more, or so many seconds are spent."""
    seen: list[list[float]] = [[] for _ in things]
    while tell(0) < seconds:
        for thing, values in zip(things, seen, strict=True):
            values.append(thing.timer.run(thing.batch).seconds)
        if all(_settled(values) for values in seen):
            return


def _settled(values: Sequence[float]) -> bool:
    if len(values) < 2 * _STABLE:
        return False
    late, early = values[-_STABLE:], values[-2 * _STABLE : -_STABLE]
    return float(np.median(late)) >= _STILL_FALLING * float(np.median(early))


def _round(things: Sequence[_Thing], rng: np.random.Generator) -> None:
    """One reading of each; none is kept of a round that does not end."""
    order = [things[int(n)] for n in rng.permutation(len(things))]
    found = [thing.timer.run(thing.batch) for thing in order]
    for thing, reading in zip(order, found, strict=True):
        thing.readings.append(reading)


def _expected(thing: _Thing) -> float:
    return expected_width([r.seconds for r in thing.readings])


def _timed(thing: _Thing, step: float, rounds: int) -> Timed:
    readings = thing.readings[:rounds]
    wall = tuple(r.seconds / thing.batch for r in readings)
    by_device = [r.kernel for r in readings if r.kernel is not None]
    kernel = None
    if len(by_device) == len(readings):
        each = tuple(k / thing.batch for k in by_device)
        kernel = Series(readings[0].clock, quantum(by_device), thing.batch, each)
    return Timed(Series("wall", step, thing.batch, wall), kernel)
