"""What docs/numerics.md promises holds in a page, too."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

import pytest
from playwright.sync_api import Browser

from tests.documents.numerics import (
    documented,
    largest_error,
    measured,
    special_exactly,
    special_values,
)
from workbench.ir.ops import Op
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.connect import page_address
from workbench.runtime.device import open_device


@pytest.fixture(scope="module", autouse=True)
def joined(browser: Browser) -> Iterator[None]:
    """A page as the device `browser` of this process."""
    device = open_device("browser")
    assert isinstance(device, BrowserDevice)
    page = browser.new_page()
    page.goto(page_address(device))
    device.expect_page(20)
    yield
    page.close()


@pytest.mark.parametrize("row", measured(), ids=lambda row: row.name)
def test_no_error_is_larger_than_documented(row: Op) -> None:
    assert largest_error(row, "browser") <= documented(row)


@pytest.mark.parametrize("row", measured(), ids=lambda row: row.name)
def test_infinities_come_out_right(row: Op) -> None:
    pairs = zip(special_values(row, "browser")[1:], special_exactly(row)[1:], strict=True)

    assert [(found, exact) for found, exact in pairs if found != exact and not isnan(exact)] == []
