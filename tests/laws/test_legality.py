"""The mutation of the legality engine: what it refuses does harm where it says "legal"."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from tests.laws.illegal import KINDS, illegal, noticed

EACH, TRIES = 20, 300


def test_a_step_that_is_illegal_is_noticed_where_the_answer_is_forced() -> None:
    """By another answer, a race that the simulation finds, or an access outside."""
    seen = Counter[str]()
    for kind in KINDS:
        words = (noticed(case) for case in illegal(kind, TRIES))
        found = Counter(islice((w or "nothing" for w in words if w is not None), EACH))
        print(f"\n{kind}: {dict(found)}", end="")
        assert found.total() >= 5, kind
        seen += found
    share = 1 - seen["nothing"] / seen.total()
    print(f"\n{seen.total()} illegal steps, {share:.1%} noticed: {dict(seen)}")

    assert seen.total() >= 200
    assert share >= 0.95
