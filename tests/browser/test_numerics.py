"""What docs/numerics.md promises holds in a page, too."""

from __future__ import annotations

from math import isnan

import pytest

from tests.documents.numerics import (
    documented,
    largest_error,
    measured,
    special_exactly,
    special_values,
)
from workbench.ir.ops import Op

pytestmark = pytest.mark.usefixtures("joined")


@pytest.mark.parametrize("row", measured(), ids=lambda row: row.name)
def test_no_error_is_larger_than_documented(row: Op) -> None:
    assert largest_error(row, "browser") <= documented(row)


@pytest.mark.parametrize("row", measured(), ids=lambda row: row.name)
def test_infinities_come_out_right(row: Op) -> None:
    pairs = zip(special_values(row, "browser")[1:], special_exactly(row)[1:], strict=True)

    assert [(found, exact) for found, exact in pairs if found != exact and not isnan(exact)] == []
