"""The browser and the JupyterLab of these tests: those of tests/browser."""

from tests.browser.conftest import browser, context, lab, page

__all__ = ["browser", "context", "lab", "page"]
