"""One pass in place of two, on every device."""

from __future__ import annotations

import pytest

from tests.end_to_end.algebra import CASES, Case
from workbench.runtime.device import open_device

CALLS = [(c, on) for c in CASES for on, takes in (("cpu", c.cpu), ("wasm", c.cpu),
                                                  ("native", c.gpu)) if takes]  # fmt: skip


@pytest.mark.parametrize(("case", "on"), CALLS, ids=[f"{c.name} on {on}" for c, on in CALLS])
def test_one_pass_gives_what_numpy_gives(case: Case, on: str) -> None:
    description = open_device(on).describe()
    if not description.available:
        pytest.skip(f"{on}: {description.cause}")
    case.check(on)
