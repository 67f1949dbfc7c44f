"""One measured figure, what it is compared with, and the table of many."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from workbench.runtime.arrays import array
from workbench.session.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Row:
    """`value` (in `unit`) beside `peer`, measured in the same run; `want` says what is aimed at."""

    name: str
    value: float
    unit: str
    peer: float
    peer_name: str
    want: str = ""

    @property
    def ratio(self) -> float:
        return self.value / self.peer if self.peer else float("nan")


def table(rows: Sequence[Row]) -> str:
    return "\n".join(
        f"  {r.name:44} {r.value:10.3f} {r.unit:3}  {r.ratio:8.3f} x {r.peer_name:34} {r.want}"
        for r in rows
    )


def interleaved(*functions: Callable[[], object], repeats: int = 15) -> list[float]:
    """Median seconds of each function, run in turn after two rounds that warm up."""
    seconds: list[list[float]] = [[] for _ in functions]
    for number in range(repeats + 2):
        for place, f in enumerate(functions):
            start = time.perf_counter()
            f()
            if number > 1:
                seconds[place].append(time.perf_counter() - start)
    return [median(s) for s in seconds]


def called(k: Kernel, inputs: tuple[np.ndarray, ...], on: str, schedule: Any) -> Callable[[], None]:
    """A call of a kernel on resident inputs, which returns once it has run."""
    resident = [array(x) for x in inputs]

    def call() -> None:
        result = k(*resident, on=on, schedule=schedule)
        assert not isinstance(result, tuple)
        assert result.call is not None
        result.call.wait()

    return call
