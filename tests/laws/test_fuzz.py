"""Changed cells: a kernel or a clean refusal, soon, and nothing of the cell is ever executed."""

from __future__ import annotations

import random
import sys

from tests.laws.cells import MARK, attempt, changed

CELLS = 1500


def test_changed_cells_are_kernels_or_refused() -> None:
    watched = {"open", "exec", "import"}
    happened: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in watched and MARK in str(arguments):
            happened.append(event)

    sys.addaudithook(watch)
    answers = [attempt(changed(random.Random(seed))) for seed in range(CELLS)]
    print(f"\n{CELLS} changed cells: {answers.count('kernel')} kernels")

    assert happened == []
    assert set(answers) == {"kernel", "refused"}
    assert 0.02 < answers.count("kernel") / CELLS < 0.6
