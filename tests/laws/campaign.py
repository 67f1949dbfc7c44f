"""`make laws MINUTES=n`: fresh programs and fresh changed cells until the time is over.

The counts are added to docs/laws.md, which also holds the seed to go on from: a run that is
stopped loses its last batch only. Ends with 1, and the smallest program, where something is wrong.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings, strategies as st

from tests.laws.growing import Program, programs
from tests.laws.schedules import some_schedule
from tests.laws.test_fuzz import attempt, changed
from tests.laws.trial import devices, trial

RECORD = Path(__file__).parents[2] / "docs" / "laws.md"
PROGRAMS, CELLS = 100, 200
SLOW = (HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large)
TITLE = """# Laws: what was tried by chance

Programs are grown as text by `tests/laws/growing.py`, evaluated directly by `tests/laws/direct.py`,
and compared with the interpreter at both widths and with every device here, by the default
schedule and by one chosen by chance.
Changed cells are programs with tokens taken out, put in and exchanged: each must be a kernel or
be refused, within a second.
`make laws MINUTES=n` goes on from the seed below and adds to the counts.

| what | count |
| --- | --- |
"""


def law(examples: int, start: int | None = None) -> Counter[str]:
    """Try programs, the same ones every time without `start`; gives the counts of what they had.

    Raises `AssertionError` with the smallest program whose results differ.
    """
    seen: Counter[str] = Counter()
    here = devices()

    def tried(program: Program, chance: Any) -> None:
        on = (chance.choice(here),)
        found = trial(
            program, lambda k, device: some_schedule(chance.choice, k, device), on=here, also=on
        )
        scheduled = any("Schedule" in path for path in found.ran)
        seen.update(["program", *program.forms])
        seen.update(refused=bool(found.refused), vague=found.vague, scheduled=scheduled)
        seen.update(compared=len(found.ran))

        assert not found.wrong, found.wrong

    grown = given(programs(), st.randoms(use_true_random=False))(tried)
    quiet = settings(
        max_examples=examples, deadline=None, derandomize=start is None, database=None,
        suppress_health_check=SLOW,
    )(grown)  # fmt: skip
    (quiet if start is None else seed(start)(quiet))()
    return seen


def read() -> Counter[str]:
    """The counts so far."""
    rows = re.findall(r"^\| ([\w ]+) \| (\d+) \|$", RECORD.read_text(), re.MULTILINE)
    return Counter({name: int(count) for name, count in rows})


def write(counts: Counter[str]) -> None:
    """Keep the counts, the seed of the next batch among them."""
    first = ["next seed", "program", "compared", "wrong", "refused", "vague", "changed cell"]
    names = [*first, *sorted(set(counts) - set(first))]
    RECORD.write_text(TITLE + "".join(f"| {n} | {counts[n]} |\n" for n in names))


def main(minutes: float) -> int:
    """Try batches until the minutes are over; gives the exit status."""
    counts = read() if RECORD.exists() else Counter[str]()
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        start = counts["next seed"]
        try:
            seen = law(PROGRAMS, start)
        except AssertionError as error:
            print(f"seed {start}: {error}")
            counts["wrong"] += 1
            write(counts)
            return 1
        for number in range(CELLS):
            seen[attempt(changed(random.Random(f"{start} {number}"))) + " after a change"] += 1
        seen["changed cell"] = CELLS
        counts.update(seen)
        counts["next seed"] += 1
        write(counts)
        print(f"seed {start}: {counts['program']} programs, {counts['changed cell']} cells")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
