"""Every kernel of the conformance set in a real page, one after the other on one GPUDevice."""

from __future__ import annotations

import time

import pytest

import workbench as wb
from tests.conformance.cases import CASES
from workbench.base.errors import WorkbenchError
from workbench.runtime.browser import BrowserDevice


def test_a_page_gives_what_numpy_gives(
    joined: BrowserDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    generations: set[int] = set()
    wrong: dict[str, str] = {}
    runs = 0
    for case in CASES:
        kernel = wb.kernel(case.text)
        for dims in case.every_size():
            values = case.values(dims)
            try:
                words = case.wrong(kernel(**values, on="browser"), case.expected(values))
            except WorkbenchError as error:
                words = str(error)
            wrong |= {f"{case.name} at {dims}": words} if words else {}
            generations.add(joined.generation)
            runs += 1
    seconds = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{len(CASES)} kernels, {runs} runs in one page: {seconds:.1f} s")

    assert wrong == {}
    assert len(generations) == 1, "one GPUDevice ran them all"
