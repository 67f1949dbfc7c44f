"""Schedules that share memory in a workgroup, in a page: another compiler of WGSL than native."""

from __future__ import annotations

import pytest

from tests.end_to_end.test_schedules import CALLS, Case, assert_right

pytestmark = pytest.mark.usefixtures("joined")
SHARED = [(c, s) for c, s, on in CALLS if on == "native"]


@pytest.mark.parametrize(("case", "name"), SHARED, ids=[s for _, s in SHARED])
def test_a_schedule_gives_what_numpy_gives_in_a_page(case: Case, name: str) -> None:
    assert_right(case, name, "browser")
