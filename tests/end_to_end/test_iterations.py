"""A report of an access outside names the iteration: the indices of the source around it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end.test_outside import BEST, DEVICES, need
from workbench.base.errors import DeviceError, RunError
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.simt import run_mapped
from workbench.passes.graph import specialise
from workbench.program import STATUS_ITERATION, STATUS_WORDS, from_json
from workbench.schedule.step import Schedule

PAIRS = (
    "def pairs(x: f32[N], idx: i32[H, W]) -> f32[H, W]:\n    y[i, j] = x[idx[i, j]]\n    return y\n"
)
ROWS = (
    "def rows(x: f32[N], idx: i32[H, W]) -> f32[H]:\n"
    "    y[i] = sum(x[idx[i, k]] for k in range(W))\n    return y\n"
)
STEPS = ROWS.replace("rows", "steps").replace("range(W)", "range(1, W, 2)")
TOTAL = (
    "def total(x: f32[N], idx: i32[W]) -> f32:\n"
    "    y = sum(x[idx[k]] for k in range(W))\n    return y\n"
)
SCAN = (
    "def scan(x: f32[N], idx: i32[W]) -> f32[W]:\n"
    "    y[i] = sum(x[idx[k]] for k in range(i + 1))\n    return y\n"
)
BACK = SCAN.replace("scan", "back").replace("range(i + 1)", "range(i, W)")
HOIST = (
    "def hoist(x: f32[N], idx: i32[H, W]) -> f32[H, W]:\n"
    "    y[i, j] = sum(x[idx[i, k]] for k in range(W)) + j\n    return y\n"
)
BLOCK = (
    "def block(x: f32[N], idx: i32[H, W]) -> f32[N]:\n    y: f32[N] = 0\n"
    "    for i in grid(H):\n        for k in range(W):\n            y[idx[i, k]] += 1.0\n"
    "    return y\n"
)
TURNS = (
    "def turns(x: f32[N], idx: i32[W]) -> f32[N]:\n    assert N > 0\n"
    "    for t in range(1, W, 2):\n        if t > 2:\n"
    "            for i in grid(1):\n                x[idx[t]] = x[i] + 1.0\n"
    "    return x\n"
)
CALLED = PAIRS + (
    "def caller(x: f32[N], idx: i32[H, W]) -> f32[H, W]:\n    a: f32[H, W] = 0\n"
    "    for t in range(1):\n        b = pairs(x, idx)\n        a[i, j] = a[i, j] + b[i, j]\n"
    "    return a\n"
)
X = np.ones(8, np.float32)
PLANE = np.zeros((6, 10), np.int32)
PLANE[4, 7] = 8
LINE = np.zeros(3000, np.int32)
LINE[2345] = -4
CASES = {
    "equation": (PAIRS, PLANE, "8 at i = 4, j = 7"),
    "reduction": (ROWS, PLANE, "8 at i = 4, k = 7"),
    "range with a step": (STEPS, PLANE, "8 at i = 4, k = 7"),
    "sum in parts": (TOTAL, LINE, "-4 at k = 2345"),
    "scan": (SCAN, LINE, "-4 at k = 2345"),
    "scan from the end": (BACK, LINE, "-4 at k = 2345"),
    "sum of a row, once for all j": (HOIST, PLANE, "8 at i = 4, k = 7"),
    "store in a block": (BLOCK, PLANE, "8 at i = 4, k = 7"),
    "turns": (TURNS, LINE[2338:2348], "-4 at t = 7, i = 0"),
    "call": (CALLED, PLANE, "8 at t = 0, i = 4, j = 7"),
}
SCHEDULES: dict[str, Any] = {
    "split": lambda s: s.split("i", 4).split("j", 4),
    "split evenly": lambda s: s.split("j", 5),
    "tile": lambda s: s.tile("i", 4, "j", 4),
    "fuse": lambda s: s.fuse("i", "j"),
    "fuse and split": lambda s: s.fuse("i", "j").split("i_j", 7),
    "reorder": lambda s: s.reorder("j", "i"),
    "unroll": lambda s: s.split("j", 5).unroll("j_i"),
    "split and unroll": lambda s: s.split("i", 4).unroll("i_i"),
}
AXES = {
    "cpu": lambda s: s.split("j", 4).parallelize("i", "worker"),
    "native": lambda s: s.parallelize("i", "workgroup.x").parallelize("j", "workgroup.y", 4),
}


def inputs(text: str, idx: np.ndarray) -> tuple[wb.Kernel, dict[str, np.ndarray], dict[str, int]]:
    sizes = dict(zip(("H", "W")[-idx.ndim :], idx.shape, strict=True))
    return wb.kernel(text), {"x": X, "idx": idx}, {"N": 8, **sizes}


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize("case", CASES)
def test_a_report_names_the_indices_around_the_access(on: str, case: str) -> None:
    need(on)
    text, idx, said = CASES[case]

    with pytest.raises(DeviceError, match=rf": the index is {said}\n"):
        wb.kernel(text)(X, idx, on=on).numpy()


@pytest.mark.parametrize("case", CASES)
def test_the_interpreters_name_the_same_iteration(case: str) -> None:
    text, idx, said = CASES[case]
    kernel, given, dims = inputs(text, idx)
    index, at = said.split(" ", 1)
    words = rf"index \[{index}\] of '[xy]\w*' is outside its shape \[8\] {at}: "
    compiled = kernel.compile(on="native", dims=dims)

    _, findings = run_mapped(compiled.stages["kernel"].value, given)
    assert re.search(words, findings.words)
    for stage in ("loops", "scheduled"):
        with pytest.raises(RunError, match=words):
            run_loops(compiled.stages[stage].value, given)
    more = words.replace(" at ", r" at (i = \d+, )?").replace(", k", r", (j = 0, )?k")
    with pytest.raises(RunError, match=more):  # the text as it stands: nothing is hoisted
        run_graph(specialise(compiled.graph, compiled.dims), given)


@pytest.mark.parametrize("on", ["cpu", "native"])
@pytest.mark.parametrize("name", [*SCHEDULES, "axes"])
def test_a_schedule_changes_no_report(on: str, name: str) -> None:
    need(on)
    steps = AXES[on] if name == "axes" else SCHEDULES[name]
    kernel, given, dims = inputs(PAIRS, PLANE)
    schedule: Schedule = steps(kernel.schedule())
    stage = kernel.compile(schedule, on=on, dims=dims).stages["scheduled"].value

    with pytest.raises(DeviceError, match=r": the index is 8 at i = 4, j = 7\n"):
        kernel(X, PLANE, schedule=schedule, on=on).numpy()
    with pytest.raises(RunError, match=r" at i = 4, j = 7: "):
        run_loops(stage, given)


@pytest.mark.parametrize("on", DEVICES)
def test_a_report_of_many_is_one_of_them_and_whole(on: str) -> None:
    need(on)
    idx = np.arange(1000, 1000 + 64 * 64, dtype=np.int32).reshape(64, 64)
    with pytest.raises(DeviceError) as error:
        wb.kernel(PAIRS)(X, idx, on=on).numpy()

    found = re.search(r"the index is (\d+) at i = (\d+), j = (\d+)\n", str(error.value))
    assert found is not None, error.value
    index, i, j = map(int, found.groups())
    assert idx[i, j] == index


@pytest.mark.parametrize("on", DEVICES)
def test_an_argmax_of_nothing_names_where_and_no_index(on: str) -> None:
    need(on)
    x, n = np.ones((3, 4), np.float32), np.array([1, 0, 3], np.int32)

    with pytest.raises(DeviceError, match=r"argmax\(.*\) in line 2 runs over nothing at i = 1\n"):
        wb.kernel(BEST)(x, n, on=on).numpy()


def test_an_interpreter_names_where_an_argmax_is_of_nothing() -> None:
    kernel = wb.kernel(BEST)
    compiled = kernel.compile(on="native", dims={"M": 3, "N": 4})
    given = {"x": np.ones((3, 4), np.float32), "n": np.array([1, 0, 3], np.int32)}
    words = "argmax.* of an empty range has no answer at i = 1"

    with pytest.raises(RunError, match=words):
        run_loops(compiled.stages["loops"].value, given)
    with pytest.raises(RunError, match=words):
        run_graph(specialise(kernel.graph, compiled.dims), given)


def test_more_indices_than_a_report_holds_are_the_inner_ones() -> None:
    names = [f"k{n}" for n in range(14)]
    ranges = " ".join(f"for {name} in range({n + 1}, {n + 2})" for n, name in enumerate(names))
    text = (
        "def deep(x: f32[N], idx: i32[1]) -> f32:\n"
        f"    y = sum(x[idx[0] + k13] {ranges})\n    return y\n"
    )
    most = STATUS_WORDS - STATUS_ITERATION
    said = ", ".join(f"{name} = {n + 1}" for n, name in enumerate(names))
    kept = said[said.index(names[14 - most]) :]

    with pytest.raises(DeviceError, match=rf"the index is 14 at {kept}\n"):
        wb.kernel(text)(X, np.zeros(1, np.int32), on="cpu").numpy()


def test_a_program_keeps_the_names_when_it_is_saved() -> None:
    kernel, _, dims = inputs(PAIRS, PLANE)
    program = kernel.compile(on="cpu", dims=dims).program
    (access,) = program.accesses

    assert access.indices == ("i", "j")
    assert from_json(json.loads(json.dumps(program.to_json()))).accesses == program.accesses
