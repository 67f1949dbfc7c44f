"""Completion and Shift+Tab in a real JupyterLab, typed on the keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.lab import Lab, Notebook

CELL = """%%wgpu_kernel --on cpu
def softmax(x: f32[M, N]) -> f32[M, N]:
    top[i] = max(x[i, j] for j in range(N))
    e[i, j] = exp(x[i, j] - top[i])
    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    return y

@schedule(softmax)
def rows(T=64):
"""


@pytest.fixture(scope="module")
def notebook(browser: Browser, lab: Lab) -> Iterator[Notebook]:
    """A notebook whose kernel knows the magics; its second cell is written by each test."""
    page = browser.new_page(viewport={"width": 1100, "height": 720})
    opened = lab.open(page, ["%load_ext workbench", ""])
    opened.run_cell(0)
    yield opened
    page.close()
    lab.forget()


def write(notebook: Notebook, text: str, *, typed: str) -> Page:
    """Put a text into the second cell, and type at its end."""
    notebook.page.evaluate(
        """(text) => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.activeCellIndex = 1;
            notebook.mode = 'edit';
            const cell = notebook.widgets[1];
            cell.model.sharedModel.setSource(text);
            cell.editor.setCursorPosition(cell.editor.getPositionAt(text.length));
            cell.editor.focus();
        }""",
        text,
    )
    notebook.page.keyboard.type(typed)
    return notebook.page


def source(notebook: Notebook) -> str:
    return notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.source"
    )


def test_tab_offers_the_loops_of_the_kernel(notebook: Notebook) -> None:
    page = write(notebook, CELL, typed='    parallelize("y.')
    page.keyboard.press("Tab")
    menu = page.locator(".jp-Completer:visible")

    expect(menu.locator(".jp-Completer-item")).to_contain_text(["y.i", "y.j"])
    notebook.screenshot("completion", height=560)
    page.keyboard.press("Enter")
    assert '    parallelize("y.i' in source(notebook)


def test_tab_offers_the_options_of_the_magic(notebook: Notebook) -> None:
    page = write(notebook, "", typed="%%wgpu_kernel --")
    page.keyboard.press("Tab")
    menu = page.locator(".jp-Completer:visible")

    expect(menu).to_contain_text("--schedule")
    expect(menu).to_contain_text("option")
    page.keyboard.press("Escape")


def test_shift_and_tab_explain_a_function_of_the_language(notebook: Notebook) -> None:
    page = write(notebook, CELL.partition("    top")[0], typed="    top[i] = max(x[i, j] ")
    page.keyboard.press("Shift+Tab")
    tip = page.locator(".jp-Tooltip:visible")

    expect(tip).to_contain_text("The largest value")
    notebook.screenshot("explanation", height=400)
    page.keyboard.press("Escape")
