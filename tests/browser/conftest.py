"""One JupyterLab and one Chromium for all the tests of this folder, a fresh page for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.lab import Lab, chromium, find_chromium, running_lab


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; without one every test that needs it is skipped, and says so."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("chromium is not installed; sudo apt-get install chromium")
    with chromium(executable=executable) as running:
        yield running


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The JupyterLab."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="session")
def context(browser: Browser) -> BrowserContext:
    """What the pages share: above all the cache, which saves seconds at each opening of a lab."""
    return browser.new_context(viewport={"width": 1400, "height": 1000})


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of its own for each test."""
    opened = context.new_page()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def stopped_kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the kernels of a test with the test, so that they do not pile up.

    Tests that share a notebook have no `page` of their own; its fixture ends the kernel.
    """
    yield
    if {"lab", "page"} <= set(request.fixturenames):
        request.getfixturevalue("lab").stop_kernels()
