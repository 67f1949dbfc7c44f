"""Live kernels in a real JupyterLab: the page runs and draws them while Python is busy."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.lab import Lab

START = """
%load_ext workbench
import pathlib
import time
import numpy as np
import workbench as wb
from workbench.runtime.device import open_device
page = open_device("browser")
assert page.describe().available
rng = np.random.default_rng(0)
"""
LIFE = '''%%wgpu_kernel --check off --live
def life(world: i32[H, W]) -> i32[H, W]:
    """Game of life"""
    n[y, x] = sum(world[(y + dy) % H, (x + dx) % W]
                  for dy in range(-1, 2) for dx in range(-1, 2)) - world[y, x]
    world[y, x] = 1 if n[y, x] == 3 or (n[y, x] == 2 and world[y, x] == 1) else 0
    return world
'''
BUSY = """
before = page.traffic()
while not pathlib.Path("enough").exists():
    time.sleep(0.05)
after = page.traffic()
print(after[0] - before[0], "messages", after[1] - before[1], "bytes")
"""
RINGS = """
k = wb.kernel('''
def rings(h: i32, w: i32, t: f32, x: f32, y: f32, width: f32) -> f32[h, w]:
    z[i, j] = sin(hypot(i - y, j - x) / width - t)
    return z
''')
k.live(90, 120, t="time", x="pointer.x", y="pointer.y", width=(1.0, 9.0, 4.0), scale=(-1, 1))
"""
FALLS = """
c = wb.kernel('''
def falls(v: f32[N], rate: f32) -> (f32[N], f32):
    v[i] = v[i] * rate
    s = sum(v[i] for i in range(N))
    return v, s
''')
c.live(np.arange(64, dtype=np.float32), rate=0.99, show="v", steps=2)
for n in (3, 5, 7):  # from here on N is a uniform
    c(np.ones(n, np.float32), 1.0, on="browser")
c.live(np.ones(48, np.float32), rate=(0.0, 1.0, 1.0), show="s")
assert c.last.compilation.open == ("N",)
"""
SHOWN = r"""() => Number(/frame (\d+)/.exec(
    document.querySelector('.wb-view-live .wb-foot')?.textContent)?.[1] ?? 0)"""
BUSY_PROMPT = "() => document.querySelectorAll('.jp-InputPrompt')[3].innerText === '[*]:'"


def shown_frames(page: Page) -> int:
    """The number of the last frame that the page has told of."""
    return page.evaluate(SHOWN)


def test_a_live_kernel_draws_while_python_is_busy(lab: Lab, canvas_page: Page) -> None:
    page = canvas_page
    cells = (START, "world = (rng.random((96, 128)) < 0.3).astype(np.int32)", LIFE, BUSY)
    sent: list[object] = []

    def keep(frame: object) -> None:
        sent.append(frame)

    page.on("websocket", lambda socket: socket.on("framesent", keep))
    notebook = lab.open(page, cells)
    for position in range(3):
        notebook.run_cell(position)
    page.wait_for_function(f"({SHOWN})() > 0")
    notebook.start_cell(3)
    page.wait_for_function(BUSY_PROMPT)
    first = shown_frames(page)
    page.wait_for_function(f"({SHOWN})() > {first}")
    sent.clear()
    page.wait_for_function(f"({SHOWN})() >= {first + 301}", timeout=90_000)
    told = list(sent)
    (lab.folder / "enough").touch()
    notebook.wait()
    notebook.screenshot("live_life")

    assert told == []
    assert notebook.texts()[3] == "0 messages 0 bytes"
    assert notebook.errors() == []
    assert notebook.problems == []


def test_sliders_pointer_and_clock_move_what_is_drawn(lab: Lab, canvas_page: Page) -> None:
    page = canvas_page
    notebook = lab.open(page, (START, RINGS, FALLS))
    notebook.run_all()
    assert notebook.errors() == []
    rings, falls, total = (page.locator(".wb-view-live").nth(n) for n in range(3))
    for view in (rings, falls, total):
        view.scroll_into_view_if_needed()
        expect(view.locator(".wb-foot")).to_contain_text("frames/s")
    expect(total.locator(".wb-live-value")).to_have_text("48")

    total.get_by_role("slider").fill("0")
    expect(total.locator(".wb-live-value")).to_have_text("0")
    total.get_by_role("slider").fill("1")
    total.get_by_role("button", name="start anew").click()
    expect(total.locator(".wb-live-value")).to_have_text("48")

    rings.get_by_role("button", name="running").click()
    expect(rings.locator(".wb-foot")).to_contain_text("stands still")
    still = rings.locator("canvas").screenshot()
    assert rings.locator("canvas").screenshot() == still
    rings.get_by_role("button", name="running").click()
    expect(rings.locator(".wb-foot")).to_contain_text("frames/s")
    rings.locator("canvas").hover(position={"x": 240, "y": 180})
    rings.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    notebook.screenshot("live_views")

    assert rings.locator("canvas").screenshot() != still
    assert notebook.problems == []


def test_a_stray_access_ends_a_live_kernel_and_is_said(lab: Lab, canvas_page: Page) -> None:
    page = canvas_page
    cell = """
wb.kernel('''
def pick(x: f32[N], at: i32) -> f32[N]:
    y[i] = x[i + at]
    return y
''').live(np.arange(64, dtype=np.float32), at=(0, 9))
"""
    notebook = lab.open(page, (START, cell))
    notebook.run_all()
    view = page.locator(".wb-view-live")
    expect(view.locator(".wb-foot")).to_contain_text("frames/s")
    view.get_by_role("slider").fill("5")

    alert = view.get_by_role("alert")
    expect(alert).to_contain_text("reads outside its extent 64")
    lines = alert.inner_text().splitlines()
    assert lines[-1].index("^") == lines[-2].index("x[i + at]"), "the caret stands below it"
