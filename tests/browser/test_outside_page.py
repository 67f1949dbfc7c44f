"""Run-time checks in a real page: what went wrong is said at the first read, with its position."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page

import workbench as wb
from tests.end_to_end.test_iterations import CASES, PAIRS, PLANE, SCHEDULES, X
from tests.end_to_end.test_outside import BEST, GATHER, LAST
from tests.lab import SCREENS, Lab
from workbench.base.errors import DeviceError

ENDLESS = (
    "def endless(x: f32[N]) -> f32[N]:\n"
    "    for i in grid(N):\n        v = x[i]\n        while v > 0:\n"
    "            v = v + 0.0\n        y[i] = v\n    return y\n"
)
TURNS = (
    "def turns(x: i32[N], steps: i32) -> i32[N]:\n"
    "    for t in range(steps):\n        x[i] = x[(i + 1) % N] + 1\n    return x\n"
)
SET_UP = """%load_ext workbench
import numpy as np
import workbench as wb
table, idx = np.ones(5, np.float32), np.array([0, 4, 7], np.int32)
"""
CALL = """y = gather(table, np.array([0, 9], np.int32), on='browser')
try:
    y.numpy()
except Exception as error:
    print(error)
"""
CELLS = [
    SET_UP + f"gather = wb.kernel({GATHER!r})",
    "from workbench.widget.page import open_page; hidden = open_page()",
    CALL,
    "%%wgpu_kernel --on browser\n" + GATHER,
]


@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize("index", [5, -1, 2**31 - 1, -(2**31)])
def test_a_lookup_outside_is_reported_at_the_read(index: int) -> None:
    table, idx = np.ones(5, np.float32), np.array([0, 4, index, 1], np.int32)
    y = wb.kernel(GATHER)(table, idx, on="browser")
    said = (
        rf"gather.*: table\[idx\[i\]\] in line 2 reads outside its extent 5: the index is {index}"
    )

    with pytest.raises(DeviceError, match=said) as error:
        y.numpy()

    line, caret = str(error.value).split("\n")[1:3]
    assert line == "    2 |     y[i] = table[idx[i]]"
    assert caret == " " * line.index("table") + "^" * len("table[idx[i]]")


@pytest.mark.usefixtures("joined")
def test_the_dimension_is_named() -> None:
    x, n = np.ones((3, 4), np.float32), np.array([0, 4, 3], np.int32)

    with pytest.raises(DeviceError, match=r"outside the extent of dimension 1, 4: the index is 4"):
        wb.kernel(LAST)(x, n, on="browser").numpy()


@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize("case", CASES)
def test_a_report_names_the_indices_around_the_access(case: str) -> None:
    text, idx, said = CASES[case]

    with pytest.raises(DeviceError, match=rf": the index is {said}\n"):
        wb.kernel(text)(X, idx, on="browser").numpy()


@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize("name", ["fuse and split", "split and unroll"])
def test_a_schedule_changes_no_report(name: str) -> None:
    kernel = wb.kernel(PAIRS)
    schedule = SCHEDULES[name](kernel.schedule())

    with pytest.raises(DeviceError, match=r": the index is 8 at i = 4, j = 7\n"):
        kernel(X, PLANE, schedule=schedule, on="browser").numpy()


@pytest.mark.usefixtures("joined")
def test_an_argmax_of_nothing_is_reported() -> None:
    x, n = np.ones((3, 4), np.float32), np.array([1, 0, 3], np.int32)

    with pytest.raises(DeviceError, match=r"argmax\(.*\) in line 2 runs over nothing at i = 1\n"):
        wb.kernel(BEST)(x, n, on="browser").numpy()


@pytest.mark.usefixtures("joined")
def test_a_spent_budget_names_the_loop_and_the_call() -> None:
    y = wb.kernel(ENDLESS)(np.array([1], np.float32), on="browser")
    with pytest.raises(DeviceError, match=r"endless.*while at line 4.* budget of"):
        y.numpy()


@pytest.mark.usefixtures("joined")
def test_the_call_s_line_is_named() -> None:
    idx = np.array([9], np.int32)
    y = wb.kernel(GATHER)(np.ones(5, np.float32), idx, on="browser")
    with pytest.raises(
        DeviceError, match=r"gather\(\.\.\.\) in line \d+ of test_outside_page\.py: "
    ):
        y.numpy()


@pytest.mark.usefixtures("joined")
def test_a_run_after_a_report_is_clean() -> None:
    k = wb.kernel(GATHER)
    table = np.arange(5, dtype=np.float32)
    with pytest.raises(DeviceError):
        k(table, np.array([7], np.int32), on="browser").numpy()
    y = k(table, np.array([3], np.int32), on="browser")

    assert y.numpy() == [3]


@pytest.mark.usefixtures("joined")
def test_ten_thousand_turns_are_a_few_submits() -> None:
    y = wb.kernel(TURNS)(np.array([0, 10, 20], np.int32), 10_000, on="browser")
    assert not isinstance(y, tuple)
    assert y.call is not None
    y.call.wait()

    assert y.numpy().tolist() == [10_010, 10_020, 10_000]
    assert 10_000 / 4096 < y.call.timing.submits < 500


def test_a_cell_shows_what_went_wrong(lab: Lab, page: Page) -> None:
    notebook = lab.open(page, CELLS)
    notebook.run_all()
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / "outside.png")

    called = "gather(...) in line 1 of its cell: 'gather': table[idx[i]] in line 2 reads outside"
    shown = "table[idx[i]] in line 3 reads outside its extent 5: the index is 7"
    assert called in notebook.texts()[2]
    assert shown in notebook.errors()[0]
    assert shown in page.locator(".wb-failure").inner_text()
