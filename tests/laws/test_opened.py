"""The law of sizes: code for every size gives, at each, what the program means there."""

from __future__ import annotations

import random
from collections import Counter

from tests.laws.growing import grow
from tests.laws.opened import opened
from tests.laws.trial import devices

PROGRAMS = 24


def test_open_dims_give_what_the_program_means_at_every_size() -> None:
    """Every third program by calls, the others by `compile` with open dims."""
    seen: Counter[str] = Counter()
    here = devices()
    for number in range(PROGRAMS):
        program = grow(random.Random(f"sizes {number}").choice)
        found = opened(program, here[number % len(here)], calls=number % 3 == 0)
        assert not found.wrong, found.wrong
        seen += found.seen
    print(f"\n{dict(seen)}")

    assert seen["opened"] == PROGRAMS
    assert seen["for every size"] >= PROGRAMS // 3
    assert seen["open"] >= 2 * PROGRAMS
    assert seen["empty"] >= PROGRAMS // 3
