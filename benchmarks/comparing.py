"""Whether comparisons are right: the same kernel is no faster than itself, 10 % more work is seen.

Each row is a count of comparisons out of `MANY`; the peer is how many there were.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.row import Row
from workbench.base.source import Source
from workbench.measure.intervals import ratio_interval, shows_difference
from workbench.measure.timing import experiment
from workbench.runtime.arrays import Array, array
from workbench.runtime.cpu_memory import workers
from workbench.session.contenders import KernelContender, Ready
from workbench.session.devices import devices
from workbench.session.kernel import kernels
from workbench.session.roofs import COPIED, roofs

if TYPE_CHECKING:
    from workbench.measure.intervals import Interval

MANY = 100
SECONDS = 0.5
ROWS = 4000
TEXT = """
def polynomial(x: f32[M, N]) -> f32[M]:
    y[i] = sum(x[i, j] * x[i, j] * x[i, j] for j in range(N))
    return y
"""


def rows() -> list[Row]:
    """A/A and A/B comparisons on every device here, and the roofs of the CPU beside NumPy."""
    found: list[Row] = []
    for d in devices().rows:
        if d.available and d.name in {"cpu", "native"}:
            same = [_ratio(d.name, ROWS, ROWS) for _ in range(MANY)]
            none = sum(not shows_difference(r) for r in same)
            found.append(_counted(f"no difference of a kernel to itself, {d.name}", none))
            slower = [_ratio(d.name, ROWS * 11 // 10, ROWS) for _ in range(MANY)]
            seen = sum(shows_difference(r) and r.middle > 1 for r in slower)
            found.append(_counted(f"10 % more rows found slower, {d.name}", seen))
    return [*found, *_roofs()]


def _counted(name: str, count: int) -> Row:
    return Row(name, count, "of", MANY, "comparisons", "0.9")


(POLYNOMIAL,) = kernels(Source(TEXT, "comparing")).values()


@cache
def _input(count: int) -> Array:
    """One for both: where an array lies in memory alone makes a few percent."""
    return array(np.ones((count, 64), np.float32))


def _ready(on: str, count: int) -> Ready:
    x = _input(count)
    return KernelContender("polynomial", POLYNOMIAL, None).ready({"x": x}, on)


def _ratio(on: str, first: int, second: int) -> Interval:
    did = experiment([_ready(on, first), _ready(on, second)], seconds=SECONDS)
    a, b = (t.kernel or t.wall for t in did.timed)
    return ratio_interval(a.values, b.values)


class _Copy:
    """NumPy's copy of an array as large as the roof's, as many parts at once as the roof's."""

    def __init__(self) -> None:
        parts = workers()
        self.sources = np.array_split(np.ones(COPIED["llvm"], np.float32), parts)
        self.targets = [np.zeros_like(s) for s in self.sources]
        self.pool = ThreadPoolExecutor(parts)

    def __call__(self) -> None:
        list(self.pool.map(np.copyto, self.targets, self.sources))


def _roofs() -> list[Row]:
    (timed,) = experiment([Ready(_Copy(), "")], seconds=1.0).timed
    peer = 8 * COPIED["llvm"] / timed.wall.interval.middle / 1e9
    ours = roofs("cpu", again=True).memory.per_second / 1e9
    return [
        Row("memory's roof of the cpu", ours, "GB/s", peer, "NumPy's copy, a thread a core", "1")
    ]
