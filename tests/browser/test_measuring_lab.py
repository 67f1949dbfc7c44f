"""Measuring in a real JupyterLab: what takes long shows how far it is, and can be cancelled.

The kernel is busy all the while: the press goes by the page's own socket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.lab import Lab, Notebook

START = """
%load_ext workbench
import random, time
import numpy as np
import workbench as wb
from workbench.runtime.device import open_device
assert open_device("browser").describe().available
double = wb.kernel('''
def double(x: f32[N]) -> f32[N]:
    y[i] = 2 * x[i]
    return y
''')
turns = wb.kernel('''
def turns(x: i32[N], steps: i32) -> i32[N]:
    for t in range(steps):
        x[i] = x[(i + 1) % N] + 1
    return x
''')
def unsteady(x):
    time.sleep(0.04 * random.random())  # no interval gets narrow
    return 2 * x
options = dict(on="cpu", seconds=60, kept=False)
"""
COMPARE = """
found = wb.compare(double, unsteady, **options)
print(found.ended, found.rounds > 0, len(found.measured))
"""
SWEEP = """
curve = wb.sweep(double, unsteady, over={"N": [8, 16, 32]}, **options)
print(curve.words, "|", len(curve.points), curve.points[-1].comparison.ended)
"""
RUN = """
try:
    turns(np.arange(3, dtype=np.int32), 10**8, on="cpu").numpy()
except KeyboardInterrupt:
    print("interrupted")
print(double(np.ones(2, np.float32), on="cpu").numpy())
"""


@pytest.fixture(scope="module")
def notebook(lab: Lab, context: BrowserContext) -> Iterator[Notebook]:
    """The notebook; its first cell has run."""
    page = context.new_page()
    opened = lab.open(page, (START, COMPARE, SWEEP, RUN), name="measuring.ipynb")
    opened.run_cell(0)
    yield opened
    page.close()
    lab.stop_kernels()


def cancelled(notebook: Notebook, cell: int, words: str) -> str:
    """What a cell printed whose work was cancelled once its line said these words."""
    line = notebook.page.locator(".wb-progress")
    notebook.start_cell(cell)
    expect(line.locator(".wb-progress-words")).to_have_text(re.compile(words), timeout=60_000)
    notebook.screenshot(f"progress_{cell}")
    line.get_by_role("button", name="Cancel").click()
    notebook.wait()
    expect(line).to_be_hidden()
    assert notebook.problems == []
    return notebook.texts()[cell]


def test_a_comparison_is_cancelled_and_keeps_what_was_measured(notebook: Notebook) -> None:
    notebook.light()
    said = cancelled(notebook, 1, r"comparing 2 entries: [\d,]+ rounds · \d+ s$")

    assert said == "interrupted True 2"


def test_a_sweep_is_cancelled_and_keeps_its_points(notebook: Notebook) -> None:
    notebook.dark()
    said = cancelled(notebook, 2, r"sweeping N: 0 of 3 points, now N = 8 · .* · \d+ s$")

    assert said == "interrupted: 1 of 3 points begun | 1 interrupted"


def test_a_run_is_cancelled_and_the_device_goes_on(notebook: Notebook) -> None:
    said = cancelled(notebook, 3, r"waiting for 'turns'.*dispatches · \d+ s$")

    assert said == "interrupted\n[2. 2.]"
