"""Editing a panel in a real JupyterLab: knobs, steps of the loop nest, the cell, other widgets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.test_views_lab import CELLS
from tests.lab import Lab, Notebook

CELL = CELLS[1].replace("--show stages,run", "--check off --show stages,run,schedule,nest")
WIDGETS = """
import ipywidgets
from workbench.session.cell import run_cell
from workbench.session.subject import subject_of
from workbench.widget.assemble import cell_state
from workbench.widget.panel import Panel
panel = Panel(*(lambda run: (cell_state(run, ("run",)), subject_of(run)))(
    run_cell(matmul, globals(), on="cpu", schedule="tiled", checked=False)))
slider = ipywidgets.IntSlider(value=4, min=1, max=16, continuous_update=False)
time = ipywidgets.Label()
ipywidgets.link((slider, "value"), (panel, "knobs"),
                (lambda T: {"T": T}, lambda knobs: knobs["T"]))
ipywidgets.dlink((panel, "seconds"), (time, "value"), lambda s: "timed" if s else "not timed")
drawn = ipywidgets.interact(lambda T: panel.set_trait("knobs", {"T": T}), T=(1, 8))
display(ipywidgets.VBox([slider, time, panel]))
"""


@pytest.fixture(scope="module")
def notebook(lab: Lab, context: BrowserContext) -> Iterator[Notebook]:
    """The notebook; its cells have run."""
    page = context.new_page()
    cells = (CELLS[0], CELL, WIDGETS, "print(panel.knobs, panel.seconds > 0)")
    opened = lab.open(page, cells, name="editing.ipynb")
    for position in range(2):
        opened.run_cell(position)
    yield opened
    page.close()
    lab.stop_kernels()


def panel(notebook: Notebook, position: int = 1) -> Locator:
    """The panel of a cell, scrolled to."""
    found = notebook.page.locator(".jp-Notebook .jp-Cell").nth(position).locator(".wb-panel")
    found.scroll_into_view_if_needed()
    return found


def settled(shown: Locator) -> None:
    """Wait until the last edit was run and the loop nest is drawn again."""
    expect(shown.locator(".wb-view-run")).to_contain_text("median of")
    expect(shown.locator(".wb-view-run")).not_to_contain_text("before the last edit")
    expect(shown.locator(".wb-picture-nest")).to_have_attribute("aria-busy", "false")


def test_a_knob_redraws_and_its_release_runs_again(notebook: Notebook) -> None:
    shown = panel(notebook)
    shown.get_by_role("slider", name="T").fill("8")

    expect(shown.locator(".wb-replay").first).to_contain_text('split("k", 8)')
    expect(shown.locator(".wb-nest")).to_contain_text("A_workgroup: f32[8, 8]")
    settled(shown)


def test_a_refused_knob_is_said_and_the_old_schedule_stays(notebook: Notebook) -> None:
    shown = panel(notebook)
    field = shown.get_by_role("spinbutton", name="T")
    field.fill("0")
    field.press("Enter")
    said = shown.locator(".wb-view-schedule [role=alert]")
    expect(said).to_contain_text("parallelize('i', 'workgroup.y', 0)")
    notebook.light()
    notebook.screenshot("editing_refused_light", height=1300)
    field.fill("8")
    field.press("Enter")

    expect(said).to_have_count(0)
    expect(shown.locator(".wb-replay").first).to_contain_text('split("k", 8)')
    settled(shown)


def test_a_step_of_the_nest_is_previewed_taken_and_taken_back(notebook: Notebook) -> None:
    shown = panel(notebook)
    loop = shown.locator(".wb-loop", has_text="for k_i in range(8)")
    loop.focus()
    loop.press("Enter")
    expect(shown.locator(".wb-lit-row", has_text="for k_i in range(8)")).to_be_visible()
    expect(shown.locator(".wb-pane .wb-lit, .wb-pane .wb-lit-weak")).not_to_have_count(0)
    step = shown.locator(".wb-next").get_by_role("button", name='unroll("k_i")')
    step.focus()
    step.press("Enter")
    preview = shown.locator(".wb-preview")
    expect(preview.locator(".wb-traffic")).to_contain_text("A_workgroup")
    expect(preview.locator(".wb-diff")).to_contain_text("unrolled")
    for theme in (notebook.light, notebook.dark):
        theme()
        preview.scroll_into_view_if_needed()
        notebook.screenshot(f"editing_step_{theme.__name__}", height=1500)
    notebook.light()
    preview.get_by_role("button", name="take this step").press("Enter")
    lines = shown.locator(".wb-view-nest .wb-replay")
    expect(lines.first).to_contain_text('.unroll("k_i")')
    expect(lines.nth(1)).to_contain_text('    unroll("k_i")')
    expect(shown.locator(".wb-view-nest .wb-nest")).to_contain_text("unrolled")  # drawn anew
    shown.locator(".wb-view-nest").get_by_role("button", name="undo").press("Enter")

    expect(lines.first).not_to_contain_text("unroll")


def typed(shown: Locator, name: str, label: str) -> Locator:
    """The text of an editor that a button of that name opens."""
    shown.get_by_role("button", name=name, exact=True).first.press("Enter")
    text = shown.get_by_role("textbox", name=f"{label}, editable")
    expect(text).to_be_focused()
    return text


def test_the_source_is_compiled_when_typing_pauses_and_run_when_it_is_left(
    notebook: Notebook,
) -> None:
    shown, keys = panel(notebook), notebook.page.keyboard
    text = typed(shown, "edit", "source")
    line = text.locator(".cm-line", has_text="C[i, j]")
    line.click()
    for key in ("End", "End"):  # of what is seen, then of the line
        keys.press(key)
    keys.type(" + z")
    expect(text.locator(".wb-wrong")).to_have_text("z")
    expect(text.locator(".wb-words")).to_contain_text("'z' is not known")
    expect(text).to_have_attribute("aria-invalid", "true")
    expect(shown.locator(".wb-stale")).to_be_visible()
    expect(shown.locator(".wb-view-run")).to_contain_text("median of")  # the last good result
    for theme in (notebook.light, notebook.dark):
        theme()
        shown.scroll_into_view_if_needed()
        notebook.screenshot(f"editing_mistake_{theme.__name__}", height=1300)
    notebook.light()
    line.click()
    for key in ("End", "End", "Backspace"):
        keys.press(key)
    keys.type("1.0")
    expect(shown.locator(".wb-stale")).to_be_hidden()
    expect(shown.locator(".wb-view-run")).to_contain_text("before the last edit")
    keys.press("Escape")
    expect(shown.get_by_role("button", name="edit", exact=True).first).to_be_focused()
    settled(shown)

    expect(shown.locator(".wb-view-run .wb-output")).to_contain_text("21")


def test_tab_indents_and_after_escape_goes_on(notebook: Notebook) -> None:
    shown, keys = panel(notebook), notebook.page.keyboard
    text = shown.get_by_role("textbox", name="source, editable")
    text.focus()
    for key in ("Control+End", "Tab"):
        keys.press(key)
    expect(text.locator(".cm-line").last).to_have_text("    ")
    keys.press("Control+z")
    keys.press("Escape")
    keys.press("Tab")

    expect(text.locator(".cm-line").last).to_have_text("")
    expect(text).not_to_be_focused()
    expect(shown.get_by_role("button", name="edit", exact=True).first).not_to_be_focused()


def test_the_schedule_is_typed_in_and_taken_back(notebook: Notebook) -> None:
    shown, keys = panel(notebook), notebook.page.keyboard
    place = shown.locator(".wb-view-schedule")
    text = typed(place, "edit the schedule", "schedule")
    keys.press("Control+End")
    keys.type("\nunroll('q')")
    expect(text.locator(".wb-wrong")).to_have_text("unroll('q')")
    expect(text.locator(".wb-words")).to_contain_text("no loop named 'q'")
    notebook.screenshot("editing_schedule_light", height=1500)
    notebook.dark()
    notebook.screenshot("editing_schedule_dark", height=1500)
    notebook.light()
    text.focus()
    keys.press("Control+End")
    for _ in "q')":
        keys.press("Backspace")
    keys.type("k_i')")
    expect(shown.locator(".wb-nest")).to_contain_text("unrolled")
    keys.press("Control+Enter")
    expect(place.get_by_role("button", name="undo")).to_be_enabled()
    settled(shown)
    keys.press("Escape")
    place.get_by_role("button", name="undo").press("Enter")

    expect(text).not_to_contain_text("k_i")
    expect(shown.locator(".wb-nest")).not_to_contain_text("unrolled")


def test_the_cell_is_written_and_runs_as_shown(notebook: Notebook) -> None:
    shown = panel(notebook)
    place = shown.locator(".wb-view-schedule")
    place.get_by_role("button", name="write to cell").click()
    expect(place).to_contain_text("written: run the cell to keep it")
    source = notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.source"
    )

    assert source.splitlines()[0].endswith("--schedule tiled --set T=8")
    notebook.run_cell(1)
    expect(panel(notebook).locator(".wb-replay").first).to_contain_text('split("k", 8)')
    assert notebook.problems == []


def test_other_widgets_turn_the_knobs_and_follow_the_result(notebook: Notebook) -> None:
    notebook.run_cell(2)
    assert notebook.errors() == []
    cell = notebook.page.locator(".jp-Notebook .jp-Cell").nth(2)
    expect(cell.get_by_text("timed", exact=True)).to_be_visible()
    handle = cell.locator(".noUi-handle").last
    handle.focus()
    handle.press("ArrowRight")
    expect(cell.locator(".widget-readout").last).to_have_text("5")
    notebook.run_cell(3)

    assert notebook.texts()[3].endswith("True")
    assert notebook.errors() == []


def test_a_text_outlives_its_kernel_and_can_be_written_to_its_cell(
    notebook: Notebook, lab: Lab
) -> None:
    shown, keys = panel(notebook), notebook.page.keyboard
    typed(shown, "edit", "source")
    lab.stop_kernels()
    keys.press("Control+End")
    keys.type("# mine")
    foot = shown.locator(".wb-editor .wb-foot")
    expect(foot).to_contain_text("the kernel is busy or gone; the text is kept")
    foot.get_by_role("button", name="write to cell").click()
    expect(foot).to_contain_text("written: run the cell to keep it")
    source = notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.source"
    )

    assert source.splitlines()[0].startswith("%%wgpu_kernel --on native")
    assert source.endswith("# mine")
