"""The law of the whole: any program of the language gives its values on every path.

The values come from `direct.py`, which shares nothing with the workbench. `make laws` tries
fresh programs; here the same ones every time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from tests.laws.growing import Program, programs
from tests.laws.schedules import some_schedule
from tests.laws.trial import devices, trial

PROGRAMS = 300
Pick = Callable[[list[Any]], Any]


def test_programs_give_what_they_mean_everywhere() -> None:
    """Counts what was grown, so that a generator that stops growing something fails as well."""
    seen: Counter[str] = Counter()
    here = devices()

    @settings(
        max_examples=PROGRAMS, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(programs(), st.randoms(use_true_random=False))
    def law(program: Program, chance: Any) -> None:
        found = trial(program, lambda loops, on: some_schedule(chance.choice, loops, on), on=here)
        seen.update(["program", *program.forms])
        seen.update({"refused": bool(found.refused), "vague": found.vague})
        seen.update(["scheduled"] * any("Schedule" in path for path in found.ran))

        assert not found.wrong, found.wrong

    law()
    total = seen["program"]
    shares = {form: count / total for form, count in seen.most_common()}
    print(f"\n{total} programs:", ", ".join(f"{f} {s:.0%}" for f, s in shares.items()))

    assert total >= PROGRAMS
    assert shares["block"] >= 0.3
    assert shares["border"] >= 0.3
    assert shares["scheduled"] >= 0.3
    assert min(shares[f] for f in ("recurrence", "while", "break", "if", "tuple", "filter")) > 0.02
    assert shares["refused"] <= 0.1
    assert shares["vague"] <= 0.2
