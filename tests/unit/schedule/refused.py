"""Tables of refusals: a schedule, the program that it is for, and a part of the message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from workbench.base.errors import ScheduleError
from workbench.ir.loops import Loops
from workbench.schedule.step import Schedule


def each_refused(cases: Sequence[tuple[Schedule, Loops, str]]) -> Any:
    """A test for each case, named by its schedule."""
    ids = [repr(schedule).removeprefix("Schedule().") for schedule, _, _ in cases]
    return pytest.mark.parametrize(("schedule", "program", "message"), cases, ids=ids)


def assert_refused(schedule: Schedule, program: Loops, message: str) -> None:
    """The schedule is refused for the program, in these words among others."""
    with pytest.raises(ScheduleError) as caught:
        schedule.apply(program)

    assert message in str(caught.value)
