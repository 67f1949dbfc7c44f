"""`python -m tests.documents`: write the pages of `docs` that are made of the program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.documents.numerics import TARGETS, here, numerics_page
from tests.documents.pages import DOCS, errors_page, language_page
from tests.lab import chromium, find_chromium
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.connect import page_address
from workbench.runtime.device import open_device


@contextmanager
def browser_device() -> Iterator[None]:
    """Chromium's GPU as the device `browser`, where there is a Chromium."""
    executable, device = find_chromium(), open_device("browser")
    if executable is None or not isinstance(device, BrowserDevice):
        yield
        return
    with chromium(executable=executable) as browser:
        page = browser.new_page()
        page.goto(page_address(device))
        device.expect_page(20)
        yield
        device.close()


def main() -> None:
    """Write the pages; what cannot be measured here stays as it was."""
    numbers = DOCS / "numerics.md"
    for name, page in (("errors.md", errors_page), ("language.md", language_page)):
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(f"wrote docs/{name}")
    with browser_device():
        targets = tuple(t for t in TARGETS if here(t))
        page = numerics_page(numbers.read_text(encoding="utf-8"), targets=targets)
    numbers.write_text(page, encoding="utf-8")
    print(f"wrote docs/{numbers.name}")
    for target in TARGETS:
        if target not in targets:
            print(f"  the column of {target} stays: {open_device(target).describe().cause}")


main()
