"""Every kernel of the conformance set in a real page, one after the other on one GPUDevice."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

import workbench as wb
from tests.conformance.cases import CASES
from workbench.base.errors import WorkbenchError
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.connect import page_address
from workbench.runtime.device import open_device


@pytest.fixture(scope="module")
def joined(browser: Browser) -> Iterator[BrowserDevice]:
    """A page as the device `browser` of this process."""
    device = open_device("browser")
    assert isinstance(device, BrowserDevice)
    page = browser.new_page()
    page.goto(page_address(device))
    device.expect_page(20)
    yield device
    page.close()


def test_a_page_gives_what_numpy_gives(
    joined: BrowserDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    generations: set[int] = set()
    wrong: dict[str, str] = {}
    runs = 0
    for case in CASES:
        kernel = wb.kernel(case.text)
        for dims in case.every_size():
            values = case.values(dims)
            try:
                words = case.wrong(kernel(**values, on="browser"), case.expected(values))
            except WorkbenchError as error:
                words = str(error)
            wrong |= {f"{case.name} at {dims}": words} if words else {}
            generations.add(joined.generation)
            runs += 1
    seconds = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{len(CASES)} kernels, {runs} runs in one page: {seconds:.1f} s")

    assert wrong == {}
    assert len(generations) == 1, "one GPUDevice ran them all"
