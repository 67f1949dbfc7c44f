"""Several panels, kernels and pages in a real JupyterLab, by what they have of each thing.

The page's own counts: evaluations of the bundle, workers, devices, pipelines, joined kernels.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Worker, expect

from tests.lab import IDLE, Lab, Notebook, listen, notebook_of
from workbench.runtime.page_messages import PROTOCOL_VERSION

KERNEL = """%%wgpu_kernel double --on browser --check off
def double(x: f32[N]) -> f32[N]:
    y[i] = 2.0 * x[i]
    return y
"""
START = """%load_ext workbench
import time
import numpy as np
import workbench as wb
from workbench.runtime.device import open_device

x = np.arange(64, dtype=np.float32)
page = open_device("browser")

def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

until(lambda: page.pages.count == 1)
"""
NINETEEN_MORE = f"""for _ in range(19):
    get_ipython().run_cell_magic("wgpu_kernel", *{KERNEL!r}.removeprefix("%%wgpu_kernel ")
                                 .split("\\n", 1))
print(page.pages.count)
"""
COUNT_WORKERS = """() => {
    const Started = Worker;
    window.startedWorkers = 0;
    window.Worker = class extends Started {
        constructor(address, options) {
            super(address, options);
            if (options?.name === "workbench") window.startedWorkers += 1;
        }
    };
}"""
COUNT_GPU = """() => {
    const count = (kind, name) => {
        const method = kind.prototype[name];
        globalThis.counts[name] = 0;
        kind.prototype[name] = function (...given) {
            globalThis.counts[name] += 1;
            return method.apply(this, given);
        };
    };
    globalThis.counts = {};
    count(GPUAdapter, "requestDevice");
    count(GPUDevice, "createComputePipelineAsync");
}"""
COUNTS = """() => ({
    evaluations: window.__workbench_evaluations,
    workers: window.startedWorkers,
    kernels: globalThis[Symbol.for("workbench.page.vN")].joined.size,
})""".replace("vN", f"v{PROTOCOL_VERSION}")


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Pages that count the workers they start."""
    opened = browser.new_context(viewport={"width": 1400, "height": 1000})
    opened.add_init_script(f"({COUNT_WORKERS})()")
    yield opened
    opened.close()


def worker_of(page: Page) -> Worker:
    """The worker that holds the page's GPU."""
    deadline = time.monotonic() + 10
    while not (found := [w for w in page.workers if w.url.startswith("blob:")]):
        assert time.monotonic() < deadline
        page.wait_for_timeout(10)
    (worker,) = found
    return worker


def started(lab: Lab, page: Page, *cells: str) -> Notebook:
    """A notebook whose page has joined, and counts what it asks of its GPU from now on."""
    notebook = lab.open(page, [START, *cells])
    notebook.run_cell(0)
    worker_of(page).evaluate(COUNT_GPU)
    return notebook


def counts(page: Page) -> dict[str, Any]:
    return {**page.evaluate(COUNTS), **worker_of(page).evaluate("() => globalThis.counts")}


def in_same_page(lab: Lab, page: Page, *cells: str) -> Notebook:
    """Another notebook, with a kernel of its own, in another panel of the same JupyterLab."""
    (lab.folder / "beside.ipynb").write_text(json.dumps(notebook_of(cells)))
    page.evaluate("() => jupyterapp.commands.execute('docmanager:open', {path: 'beside.ipynb'})")
    page.wait_for_function("() => jupyterapp.shell.currentWidget?.context?.path === 'beside.ipynb'")
    page.wait_for_function(IDLE, timeout=60_000)
    return Notebook(page, name="beside.ipynb")


def in_another_page(lab: Lab, context: BrowserContext, notebook: Notebook) -> Notebook:
    """The same notebook, with the same kernel, in another tab of the browser."""
    page = context.new_page()
    other = Notebook(page, name=notebook.name)
    listen(page, other.problems)
    page.goto(f"{lab.url}lab/tree/{notebook.name}?token={lab.token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function(IDLE, timeout=60_000)
    return other


def test_twenty_panels_share_bundle_worker_socket_device_and_pipeline(lab: Lab, page: Page) -> None:
    notebook = started(lab, page, KERNEL, NINETEEN_MORE)
    for position in (1, 2):
        notebook.run_cell(position)

    expect(page.locator(".wb-panel")).to_have_count(20)
    assert notebook.texts()[2].endswith("1"), "sockets, as the kernel counts them"
    assert counts(page) == {
        "evaluations": 1,
        "workers": 1,
        "kernels": 1,
        "requestDevice": 1,
        "createComputePipelineAsync": 1,
    }
    assert notebook.problems == []


def test_two_kernels_of_a_page_share_its_device_and_keep_their_buffers(
    lab: Lab, page: Page
) -> None:
    call = "y = double(x, on='browser')\nprint(y.places, y.on(page).handle)"
    check = "print((np.asarray(double(y, on='browser')) == 4 * x).all())"
    notebook = started(lab, page, KERNEL, call, check)
    for position in (1, 2):
        notebook.run_cell(position)
    other = in_same_page(lab, page, START + "x += 100", KERNEL, call, check)
    other.run_all()
    there = other.texts()
    page.evaluate("() => jupyterapp.commands.execute('application:activate-previous-tab')")
    page.wait_for_function("() => jupyterapp.shell.currentWidget.context.path !== 'beside.ipynb'")
    notebook.run_cell(3)
    here = notebook.texts()

    assert here[2] == there[2], "the same number of a buffer in both"
    assert (here[3], there[3]) == ("True", "True")
    assert counts(page) == {
        "evaluations": 1,
        "workers": 1,
        "kernels": 2,
        "requestDevice": 1,
        "createComputePipelineAsync": 1,
    }
    assert notebook.problems == []


TURNED = "until(lambda: page.now().peer.number == {number})\n"


def test_calls_go_to_the_page_that_last_showed_a_panel(
    lab: Lab, page: Page, context: BrowserContext
) -> None:
    both = "until(lambda: page.pages.count == 2)\n"
    first = both + "a = double(x, on='browser')\nprint(a.places)\nwide = double(a, on='browser')"
    second = TURNED.format(number=2) + "b = double(a, on='browser')\nprint(b.places, a.places)"
    back = TURNED.format(number=1) + "c = double(b, on='browser')\nprint(c.places)"
    alone = "until(lambda: page.pages.count == 1)\nprint((np.asarray(c) == 8 * x).all(), a.places)"
    last = "d = double(a, on='browser')\nprint((np.asarray(d) == 4 * x).all(), d.places)"
    show = "assert wide.places == ('browser',)\nwide.show(name='wide')"
    notebook = started(lab, page, KERNEL, first, second, back, alone, last, show)
    notebook.command("docmanager:save")
    notebook.run_cell(1)
    other = in_another_page(lab, context, notebook)
    notebook.run_cell(2)
    for position in (1, 3, 7):
        other.run_cell(position)
    # Its buffer is in the first page: the view that the second draws has the numbers of Python.
    expect(other.page.locator(".wb-view-values tbody")).to_contain_text("0481216")
    there = other.texts()
    page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    notebook.run_cell(4)
    other.page.close()
    for position in (5, 6):
        notebook.run_cell(position)
    here = notebook.texts()

    assert here[2] == "('browser',)"
    assert there[3] == "('browser (page 2)',) ('host', 'browser', 'browser (page 2)')"
    assert (notebook.problems, other.problems) == ([], [])
    assert here[4] == "('browser',)"
    assert here[5] == "True ('host', 'browser')"
    assert here[6] == "True ('host', 'browser')"


LONG = """from pathlib import Path
from workbench.base.progress import BOARD, Standing
clock = iter((0.0, 2.0))
BOARD.clock = lambda: next(clock)
with BOARD.task("waiting for 'heat'") as task:
    task.at(Standing(3, 9, "dispatches"))
    until(lambda: Path("seen").exists())
"""


def test_a_long_run_says_at_the_foot_of_the_page_how_far_it_is(lab: Lab, page: Page) -> None:
    notebook = started(lab, page, LONG)
    notebook.start_cell(1)
    line = page.locator(".wb-progress")
    line.wait_for()
    said = line.locator(".wb-progress-words").text_content()
    share = line.locator("progress").get_attribute("value")
    (lab.folder / "seen").touch()
    notebook.wait()

    assert said == "waiting for 'heat': 3 of 9 dispatches · 2 s"
    assert float(share or 0) == pytest.approx(1 / 3)
    line.wait_for(state="detached")
    assert notebook.outputs()[1] == [], "nothing is left in the notebook"
    assert notebook.problems == []
