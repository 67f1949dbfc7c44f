"""Every notebook runs in a real JupyterLab, where the page is a device like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.lab import Lab

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


DRAWING = {"04_live"}
"""Those that draw with WebGPU."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_a_page(lab: Lab, path: Path, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue("canvas_page" if path.stem in DRAWING else "page")
    notebook = lab.open(page, path, name=path.name)
    notebook.run_all(seconds=300)
    notebook.screenshot(path.stem)

    assert notebook.errors() == []
    assert notebook.unrun() == []
    assert notebook.problems == []
