"""How well the accesses of a workgroup suit memory: cache lines touched, banks that clash.

Models, not measurements: cache lines of 128 bytes, 32 banks of 4 bytes, subgroups of 32
invocations in the order of their numbers, as on most desktop GPUs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINE = 128
"""Bytes of a cache line."""
BANKS, BANK = 32, 4
"""Banks of workgroup memory, and bytes that each gives at once."""
SUBGROUP = 32
"""Invocations whose accesses meet memory together."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Cache lines that one access touches, and the fewest that hold as many different bytes."""

    touched: int
    least: int


def lines(elements: NDArray[np.int64], element_bytes: int) -> Lines:
    """The cache lines of storage that the subgroups of one access touch, added up.

    `elements` has the flat element of each invocation, -1 where it reaches none.
    """
    touched = least = 0
    for part in _subgroups(elements):
        different = np.unique(part)
        touched += len(np.unique(different * element_bytes // LINE))
        least += -(-len(different) * element_bytes // LINE)
    return Lines(touched, least)


@dataclass(frozen=True, slots=True)
class Conflict:
    """How often the busiest bank has to answer, and which it is; 1 is without conflict."""

    answers: int
    bank: int


def conflict(elements: NDArray[np.int64], element_bytes: int) -> Conflict:
    """The busiest bank of workgroup memory in one access; invocations on one word share.

    `answers` is 0 where no invocation reaches anything.
    """
    worst = Conflict(0, 0)
    for part in _subgroups(elements):
        words = np.unique(part * element_bytes // BANK)
        asked = np.bincount(words % BANKS)
        if int(asked.max()) > worst.answers:
            worst = Conflict(int(asked.max()), int(asked.argmax()))
    return worst


def _subgroups(elements: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    parts = (elements[n : n + SUBGROUP] for n in range(0, len(elements), SUBGROUP))
    present = [part[part >= 0] for part in parts]
    return [part for part in present if len(part)]
