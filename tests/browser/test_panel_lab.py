"""Panels in a real JupyterLab: one notebook, run once, that the tests look at in turn."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.lab import ROOT, Lab, Notebook

CELLS = (
    f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from IPython.display import display
from tests.unit.widget import example
from workbench.widget.messages import PanelState, Stage
from workbench.widget.panel import Panel
""",
    "print('above')\nPanel(example.matmul())",
    "followed = Panel(example.matmul(last='pending'))\nfollowed",
    """
texts = {n: f"the {n} text\\n" + "y = x\\n" * 20_000 for n in ("source", "loops", "wgsl")}
Panel(PanelState("long", tuple(Stage(name, text) for name, text in texts.items())))
""",
    "closed = Panel(example.refused())\nclosed",
    "for _ in range(16):\n    display(Panel(example.matmul()))",
)
LATER = ("followed.show(example.matmul(last='cross'))", "closed.close()")
FIRST, FOLLOWED, LONG, CLOSED = 1, 2, 3, 4


@pytest.fixture(scope="module")
def notebook(lab: Lab, context: BrowserContext) -> Iterator[Notebook]:
    """The notebook; all but its last two cells have run."""
    page = context.new_page()
    opened = lab.open(page, [*CELLS, *LATER], name="panels.ipynb")
    for position in range(len(CELLS)):
        opened.run_cell(position)
    yield opened
    page.close()
    lab.stop_kernels()


def cell(notebook: Notebook, position: int) -> Locator:
    """A cell, counted from 0."""
    return notebook.page.locator(".jp-Notebook .jp-Cell").nth(position)


def panel_of(notebook: Notebook, position: int) -> Locator:
    """The panel below a cell, scrolled to."""
    panel = cell(notebook, position).locator(".wb-panel")
    panel.scroll_into_view_if_needed()
    return panel


def test_a_panel_is_live_and_takes_the_theme_s_colours(notebook: Notebook) -> None:
    notebook.light()
    panel = panel_of(notebook, FIRST)
    panel.get_by_role("tab", name="kernel").click()
    panel.locator(".cm-content").nth(1).focus()
    for _ in range(8):
        notebook.page.keyboard.press("ArrowRight")

    expect(panel.locator(".wb-line")).to_contain_text("A[i, k] in kernel; from source 1, graph 1")
    light = panel.evaluate("(each) => getComputedStyle(each).backgroundColor")
    notebook.screenshot("panel_lab_light", height=1100)
    notebook.dark()
    dark = panel.evaluate("(each) => getComputedStyle(each).backgroundColor")
    notebook.screenshot("panel_lab_dark", height=1100)
    notebook.light()
    assert light != dark


def test_no_key_pressed_in_a_panel_reaches_the_notebook(notebook: Notebook) -> None:
    panel = panel_of(notebook, FIRST)
    copy, code = panel.get_by_role("button", name="copy"), panel.locator(".cm-content")
    for inner in (code.first, copy.first, panel.get_by_role("tab", name="wgsl")):
        inner.focus()
        for key in ("a", "b", "d", "d", "x", "m"):
            notebook.page.keyboard.press(key)

    kinds = notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.map((c) => c.model.type)"
    )
    assert kinds == ["code"] * (len(CELLS) + len(LATER))


def test_a_long_text_comes_when_it_is_looked_at(notebook: Notebook) -> None:
    panel = panel_of(notebook, LONG)
    panel.get_by_role("tab", name="loops").click()

    expect(panel.locator(".cm-content").nth(1)).to_contain_text("the loops text")


def test_a_panel_follows_its_state(notebook: Notebook) -> None:
    check = panel_of(notebook, FOLLOWED).locator(".wb-tab[data-stage=wgsl] .wb-check")
    expect(check).to_have_attribute("data-state", "pending")
    notebook.run_cell(len(CELLS))

    expect(check).to_have_attribute("data-state", "cross")
    expect(check).to_have_attribute("title", re.compile(r"C\[0, 3\] is 1.25"))


def test_a_closed_panel_leaves_nothing_behind(notebook: Notebook) -> None:
    expect(panel_of(notebook, CLOSED)).to_have_count(1)
    notebook.run_cell(len(CELLS) + 1)

    expect(cell(notebook, CLOSED).locator(".wb-panel, .cm-editor .wb-wrong")).to_have_count(0)


def test_twenty_panels_evaluate_the_bundle_once(notebook: Notebook) -> None:
    panel_of(notebook, FIRST)

    assert notebook.page.evaluate("() => window.__workbench_evaluations") == 1
    assert notebook.problems == []


def test_a_saved_panel_is_small_and_its_twin_is_seen_when_it_is_opened_again(
    lab: Lab, notebook: Notebook, page: Page
) -> None:
    expect(cell(notebook, FIRST).locator(".wb-twin")).to_be_hidden()
    notebook.command("docmanager:save")
    size = (lab.folder / notebook.name).stat().st_size
    notebook.page.close()
    lab.stop_kernels()
    page.goto(f"{lab.url}lab/tree/{notebook.name}?reset&token={lab.token}")
    again = Notebook(page, name=notebook.name)
    first = cell(again, FIRST)

    expect(first.locator(".wb-twin")).to_be_visible(timeout=60_000)
    expect(first.get_by_text(re.compile("Error displaying|Loading widget"))).to_be_hidden()
    expect(first.locator(".jp-OutputArea-output", has_text="above")).to_be_visible()
    again.screenshot("panel_opened_again", height=1100)
    assert size / 20 < 40_000
