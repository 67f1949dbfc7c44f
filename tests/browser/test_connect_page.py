"""`wb.connect()` in a plain script: a page of this machine, and one of another over TLS."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from tests.tls import certificate

SCRIPT = """
import sys
import numpy as np
import workbench as wb
options = {"host": "0.0.0.0", "certificate": sys.argv[1:]} if sys.argv[1:] else {}
found = wb.connect(open_browser=False, seconds=60, **options)
double = wb.kernel('''
def double(x: f32[N]) -> f32[N]:
    y[i] = 2 * x[i]
    return y
''')
print(double(np.arange(4, dtype=np.float32), on="browser").numpy().tolist())
print(wb.devices()["browser"].route)
"""


@contextmanager
def script(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The script, running."""
    command = [sys.executable, "-c", SCRIPT, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def address_of(running: subprocess.Popen[str]) -> str:
    """The address that the script asks to be opened."""
    assert running.stdout is not None
    return running.stdout.readline().split()[1]


def test_a_script_computes_in_a_page_of_this_machine(browser: Browser) -> None:
    page = browser.new_page()
    with script() as running:
        page.goto(address_of(running))
        printed, _ = running.communicate(timeout=60)
    page.close()

    assert printed.splitlines() == ["[0.0, 2.0, 4.0, 6.0]", "directly"]


def test_a_script_computes_in_a_page_of_another_machine_over_tls(
    browser: Browser, tmp_path: Path
) -> None:
    far = browser.new_context(ignore_https_errors=True)
    page = far.new_page()
    with script(*certificate(tmp_path)) as running:
        address = address_of(running)
        # This machine by a name that is not loopback's to the page.
        port, token = address.rsplit(":", 1)[1].split("/")[:2]
        page.goto(f"https://lab.localhost:{port}/{token}/")
        printed, _ = running.communicate(timeout=60)
    far.close()

    assert address.startswith("https://")
    assert printed.splitlines() == ["[0.0, 2.0, 4.0, 6.0]", "directly"]
