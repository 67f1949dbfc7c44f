"""A fixed eighth of ONNX's core node cases on the cpu: each passes or is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.models.suite import cases, outcome

PASSING = 145
"""So many of them pass at least."""
EIGHTH: list[Any] = cases()[::8]


def test_a_case_passes_or_is_refused_by_name() -> None:
    ended = [outcome(case, "cpu") for case in EIGHTH]

    assert [o for o in ended if o.status not in {"pass", "refused"}] == []
    assert sum(o.status == "pass" for o in ended) >= PASSING


@pytest.mark.parametrize("device", ["wasm"])
def test_others_pass_too(device: str) -> None:
    ended = [outcome(case, device) for case in EIGHTH[::8]]

    assert [o for o in ended if o.status not in {"pass", "refused"}] == []
