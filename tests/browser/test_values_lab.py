"""Values of an array in a real JupyterLab: seen, walked in by keys, compared, saved."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.lab import Lab

CELLS = (
    """
import numpy as np
import workbench as wb
y, x = np.mgrid[0:120, 0:160]
waves = np.stack([np.sin(x / 9) * np.cos(y / 7), np.hypot(x - 80, y - 60)]).astype(np.float32)
waves[1, 3, 5] = np.nan
""",
    "wb.array(waves).show(name='waves')\nprint('below')",
    "wrong = waves.copy()\nwrong[0, 17, 33] += 0.5\nwb.array(wrong).show(waves, name='wrong')",
)


def test_values_are_seen_walked_in_and_compared(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, CELLS)
    notebook.run_all()
    first = page.locator(".wb-view-values").nth(0)
    second = page.locator(".wb-view-values").nth(1)
    expect(first.locator(".wb-cell")).to_have_text("waves[0, 0, 0] = 0")
    expect(first.locator("canvas")).to_be_visible()

    first.locator(".wb-grid").focus()
    for key in ("PageDown", "ArrowRight", "End"):
        page.keyboard.press(key)
    expect(first.locator(".wb-cell")).to_contain_text("waves[0, 10, 159] = ")
    first.get_by_role("button", name="first NaN").click()
    expect(first.locator(".wb-cell")).to_have_text("waves[1, 3, 5] = nan")

    second.get_by_role("button", name="first difference").click()
    expect(second.locator(".wb-cell")).to_contain_text("wrong[0, 17, 33] = ")
    got = second.locator(".wb-cell").inner_text()
    second.get_by_label("what is shown").select_option("reference")
    expect(second.locator(".wb-cell")).to_contain_text("reference[0, 17, 33] = ")
    assert second.locator(".wb-cell").inner_text().partition("=")[2] != got.partition("=")[2]

    notebook.screenshot("values_light")
    notebook.dark()
    notebook.screenshot("values_dark")
    assert notebook.problems == []
    assert "first NaN at [1, 3, 5]" in str(notebook.outputs()[1])


HERE = """
from workbench.runtime.device import open_device
page = open_device("browser")
assert page.describe().available
double = wb.kernel('''
def double(x: f32[H, W]) -> f32[H, W]:
    y[i, j] = 2 * x[i, j]
    return y
''')
made = double(waves[0], on="browser")
made.show(name="made")
"""


def test_values_in_the_page_are_read_from_its_gpu(lab: Lab, page: Page) -> None:
    sent: list[str] = []

    def keep(frame: str | bytes) -> None:
        sent.append(str(frame))

    page.on("websocket", lambda socket: socket.on("framesent", keep))
    notebook = lab.open(page, ("%load_ext workbench", CELLS[0], HERE))
    notebook.run_all()
    assert notebook.errors() == []
    view = page.locator(".wb-view-values")
    expect(view.locator(".wb-cell")).to_have_text("made[0, 0] = 0")
    view.locator(".wb-grid").focus()
    page.keyboard.press("End")
    expect(view.locator(".wb-cell")).to_contain_text("made[0, 159] = ")

    assert [frame for frame in sent if "piece" in frame] == []
    assert notebook.problems == []
