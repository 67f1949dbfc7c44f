"""One JupyterLab and one Chromium for all the tests of this folder, a fresh page for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.lab import CANVAS_FLAGS, FLAGS, Lab, chromium, find_chromium, running_lab
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.connect import page_address
from workbench.runtime.device import open_device


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; without one every test that needs it is skipped, and says so."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("chromium is not installed; sudo apt-get install chromium")
    with chromium(executable=executable) as running:
        yield running


@pytest.fixture(scope="session")
def drawing(browser: Browser) -> Iterator[Browser]:
    """A browser whose software adapter presents WebGPU canvases; all else is slower in it."""
    opened = browser.browser_type.launch(
        executable_path=find_chromium(), args=[*FLAGS, *CANVAS_FLAGS]
    )
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The JupyterLab."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What the pages of a module share: cookies, storage and cache."""
    opened = browser.new_context(viewport={"width": 1400, "height": 1000})
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def joined(browser: Browser) -> Iterator[BrowserDevice]:
    """A page as the device `browser` of this process."""
    device = open_device("browser")
    assert isinstance(device, BrowserDevice)
    opened = browser.new_page()
    opened.goto(page_address(device))
    device.expect_page(20)
    yield device
    opened.close()


@pytest.fixture
def canvas_page(drawing: Browser, lab: Lab) -> Iterator[Page]:
    """A page for one test that draws with WebGPU."""
    opened = drawing.new_context(viewport={"width": 1200, "height": 1000})
    yield opened.new_page()
    opened.close()
    lab.forget()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page for one test; its kernels end and its settings are forgotten with it."""
    opened = context.new_page()
    yield opened
    opened.close()
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").forget()
