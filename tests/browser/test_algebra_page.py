"""One pass in place of two, in a page."""

from __future__ import annotations

import pytest

from tests.end_to_end.algebra import CASES, Case

pytestmark = pytest.mark.usefixtures("joined")


@pytest.mark.parametrize("case", [c for c in CASES if c.gpu], ids=lambda c: c.name)
def test_one_pass_gives_what_numpy_gives(case: Case) -> None:
    case.check("browser")
