"""The law of the whole: any program of the language gives its values on every path.

The values come from `direct.py`, which shares nothing with the workbench. `make laws` tries
fresh programs; here the same ones every time.
"""

from __future__ import annotations

from tests.laws.campaign import law

PROGRAMS = 120


def test_programs_give_what_they_mean_everywhere() -> None:
    """Counts what was grown, so that a generator that stops growing something fails as well."""
    seen = law(PROGRAMS)
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
