"""A page that goes away while it is compared: what was measured before is kept, and marked."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Browser

import workbench as wb
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.connect import page_address
from workbench.runtime.device import open_device

CALLS = 200
"""Calls after which the page is closed: rounds have begun by then."""


def test_a_device_that_vanishes_leaves_the_rounds_before(browser: Browser) -> None:
    device = open_device("browser")
    assert isinstance(device, BrowserDevice)
    page = browser.new_page()
    page.goto(page_address(device))
    device.expect_page(20)
    double = wb.kernel("def double(x: f32[N]) -> f32[N]:\n    y[i] = 2 * x[i]\n    return y\n")
    calls = 0

    def leaving(x: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls <= CALLS:
            page.wait_for_timeout(0.5)  # as slow as a call of the page: rounds begin soon
        if calls == CALLS:
            page.close()
        return 2 * x

    x = np.ones(8, np.float32)
    found = wb.compare(double, leaving, on="browser", inputs=[x], seconds=10, kept=False)

    assert found.ended == "failed"
    assert "page" in found.error
    assert found.rounds > 0
    assert len(found.measured) == 2
    assert any(found.error.partition("\n")[0] in note for note in found.notes)
