"""Every way from a notebook's page to its kernel, tried in a JupyterLab behind a hub's address."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.lab import IDLE, ROOT, Lab, Notebook, running_lab
from tests.tls import in_front_of

SET_UP = """%load_ext workbench
import asyncio
import numpy as np
import workbench as wb
double = wb.kernel('''
def double(x: f32[N]) -> f32[N]:
    y[i] = 2 * x[i]
    return y
''')
x = np.arange(4, dtype=np.float32)
"""
# A widget that names a port where nobody listens: its page has nothing but the comm.
UNREACHABLE = """
from workbench.runtime.device import open_device
from workbench.widget.comm import Comms
from workbench.widget.page import Page, open_page
open_page().close()
server = open_device("browser").serve()
hidden = Page(port=49151, token=server.token)
Comms(hidden, server)
"""
JOINED = """
for _ in range(400):
    if server.page is not None:
        break
    await asyncio.sleep(0.05)
wb.devices()["browser"].route
"""
LARGE = """
values = np.random.default_rng(0).random(5 << 20, dtype=np.float32)
large = double(wb.array(values), on="browser")
await large
bool(np.array_equal(large.numpy(), 2 * values))
"""
LONG = """
import pathlib
peer = server.page
turns = wb.kernel('''
def turns(x: i32[N], steps: i32) -> i32[N]:
    for t in range(steps):
        x[i] = x[(i + 1) % N] + 1
    return x
''')
called = turns(np.array([0, 10, 20], np.int32), 10**8, on="browser")
pathlib.Path("began").touch()
try:
    await called
except wb.DeviceError as error:
    pathlib.Path("said").write_text(
        f"{server.parted_at - peer.last_heard:.2f} {error}"
    )
"""


@dataclass(frozen=True, slots=True)
class Hub(Lab):
    """A lab as its users see it: under the hub's name, over TLS."""

    tls: int = 0

    @property
    def url(self) -> str:
        return f"https://lab.localhost:{self.tls}{self.base}"


@pytest.fixture(scope="module")
def inner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab that lives below a path, as a hub starts it."""
    with running_lab(tmp_path_factory.mktemp("inner"), base="/user/ada/") as running:
        yield running


@pytest.fixture
def hub(inner: Lab, tmp_path: Path) -> Iterator[Hub]:
    """The lab behind its proxy."""
    with in_front_of(inner.port, tmp_path) as port:
        yield Hub(inner.port, inner.token, inner.folder, inner.base, tls=port)


@pytest.fixture
def far(browser: Browser) -> Iterator[Page]:
    """A page that takes the hub's certificate."""
    opened = browser.new_context(ignore_https_errors=True)
    yield opened.new_page()
    opened.close()


def test_a_hub_s_page_joins_over_tls_through_the_notebook_s_proxy(
    inner: Lab, hub: Hub, far: Page
) -> None:
    call = "double(x, on='browser').numpy().tolist()"
    notebook = hub.open(far, [SET_UP + call, "wb.devices()['browser'].route", "%wgpu_devices"])
    notebook.run_all()
    route = f"through the notebook server's proxy, lab.localhost:{hub.tls}"
    inner.stop_kernels()

    assert notebook.texts()[:2] == ["[0.0, 2.0, 4.0, 6.0]", repr(route)]
    assert f"reached {route}" in notebook.texts()[2]
    assert far.evaluate("isSecureContext && location.protocol") == "https:"


def test_where_no_socket_leads_to_the_kernel_the_comm_carries_what_is_awaited(
    inner: Lab, page: Page
) -> None:
    refused = "double(x, on='browser').numpy()"
    awaited = "(await double(double(x, on='browser'), on='browser')).numpy().tolist()"
    notebook = inner.open(page, [SET_UP + UNREACHABLE, JOINED, awaited, LARGE, refused])
    notebook.run_all()
    texts = notebook.texts()
    inner.stop_kernels()

    assert texts[1] == '"through the notebook\'s comm, slowly, and only by what is awaited"'
    assert texts[2] == "[0.0, 4.0, 8.0, 12.0]"
    assert texts[3].splitlines()[-1] == "True"  # how far the bytes are may stand above
    assert "this cell would wait for ever" in notebook.errors()[0]
    assert "await the array" in notebook.errors()[0]


def test_a_page_on_the_comm_that_is_closed_is_said_within_two_seconds_and_the_next_computes(
    inner: Lab, page: Page
) -> None:
    began, said = inner.folder / "began", inner.folder / "said"
    awaited = "(await double(x, on='browser')).numpy().tolist()"
    notebook = inner.open(page, [SET_UP + UNREACHABLE, JOINED, LONG, JOINED + awaited])
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.start_cell(2)
    wait_until(began.exists)
    page.wait_for_timeout(300)
    page.close()
    wait_until(lambda: said.exists() and said.read_text())
    silent, words = said.read_text().split(maxsplit=1)
    following = page.context.new_page()
    following.goto(f"{inner.url}lab/tree/{notebook.name}?token={inner.token}")
    following.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    following.wait_for_function(IDLE, timeout=60_000)
    again = Notebook(following, notebook.name)
    again.run_cell(3)
    errors, texts = again.errors(), again.texts()
    inner.stop_kernels()
    following.close()

    assert float(silent) < 2.5
    assert "turns(...) in line 9 of its cell: " in words
    assert "was closed or reloaded" in words
    assert "try: the cell again, once a browser shows the notebook again" in words
    assert errors == []
    assert texts[3] == "[0.0, 2.0, 4.0, 6.0]"


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_tour_begins_in_notebook_7(inner: Lab, page: Page) -> None:
    tour = json.loads((ROOT / "notebooks" / "00_tour.ipynb").read_text())
    cells = ["".join(c["source"]) for c in tour["cells"] if c["cell_type"] == "code"]
    first = next(n for n, cell in enumerate(cells) if cell.startswith("%%wgpu_kernel"))
    called = "wb.devices()['browser'].route"
    notebook = inner.open(page, [*cells[: first + 1], called], app="notebooks")
    notebook.run_all()
    page.wait_for_selector(".wb-panel", timeout=20_000)
    inner.stop_kernels()

    assert notebook.errors() == []
    assert notebook.texts()[-1] == "'directly'"
    assert page.evaluate("jupyterapp.name") == "Jupyter Notebook"
