"""Accesses that are checked when they run: left out and reported, never made or clamped."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.base.errors import DeviceError, RunError
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.simt import run_mapped
from workbench.passes.graph import specialise
from workbench.runtime.device import open_device

GATHER = (
    "def gather(table: f32[K], idx: i32[N]) -> f32[N]:\n    y[i] = table[idx[i]]\n    return y\n"
)
LAST = (
    "def last(x: f32[M, N], n: i32[M]) -> f32[M]:\n"
    "    y[i] = sum(x[i, k] for k in range(n[i], n[i] + 1))\n    return y\n"
)
BEST = (
    "def best(x: f32[M, N], n: i32[M]) -> i32[M]:\n"
    "    y[i] = argmax(x[i, k] for k in range(n[i]))\n    return y\n"
)
DEVICES = ("cpu", "wasm", "native")


def need(on: str) -> None:
    description = open_device(on).describe()
    if not description.available:
        pytest.skip(f"{on}: {description.cause}")


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize("index", [5, -1, 2**31 - 1, -(2**31)])
def test_a_lookup_outside_is_reported_at_the_read(on: str, index: int) -> None:
    need(on)
    table, idx = np.ones(5, np.float32), np.array([0, 4, index, 1], np.int32)
    y = wb.kernel(GATHER)(table, idx, on=on)

    said = rf"table\[idx\[i\]\] in line 2 reads outside its extent 5: the index is {index}"
    with pytest.raises(DeviceError, match=said):
        y.numpy()


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize(
    ("text", "access", "args"),
    [
        (GATHER, "table[idx[i]]", (np.ones(5, np.float32), np.array([9], np.int32))),
        (BEST, "argmax(x[i, k] for k in range(n[i]))",
         (np.ones((1, 4), np.float32), np.array([0], np.int32))),
    ],
)  # fmt: skip
def test_a_caret_stands_under_the_access(
    on: str, text: str, access: str, args: tuple[np.ndarray, ...]
) -> None:
    need(on)
    with pytest.raises(DeviceError) as error:
        wb.kernel(text)(*args, on=on).numpy()

    said = str(error.value).split("\n")
    assert said[1] == f"    2 |     y[i] = {access}"
    assert said[2] == " " * said[1].index(access) + "^" * len(access)


@pytest.mark.parametrize("on", DEVICES)
def test_the_line_of_the_call_is_named(on: str) -> None:
    need(on)
    y = wb.kernel(GATHER)(np.ones(5, np.float32), np.array([9], np.int32), on=on)

    with pytest.raises(DeviceError, match=r"^gather\(\.\.\.\) in line \d+ of test_outside\.py: "):
        y.numpy()


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize(
    "line",
    [
        "y[i] = x[3] if N > 3 else 7.0",
        "y[i] = x[i] + 6.0 if i < 1 or N <= 3 else x[3]",
        "y[i] = 7.0 + sum(x[3] for k in range(3, N))",
        "for i in grid(N):\n        v = 7.0\n        if N > 3: v = x[3]\n        y[i] = v",
    ],
)
def test_a_literal_index_that_is_never_reached_compiles(on: str, line: str) -> None:
    """WGSL compilers refuse such an index wherever it stands."""
    need(on)
    k = wb.kernel(f"def f(x: f32[N]) -> f32[N]:\n    assert N > 0\n    {line}\n    return y\n")

    assert k(np.ones(1, np.float32), on=on).numpy() == [7]


@pytest.mark.parametrize("on", DEVICES)
def test_the_dimension_is_named(on: str) -> None:
    need(on)
    x, n = np.ones((3, 4), np.float32), np.array([0, 4, 3], np.int32)

    with pytest.raises(DeviceError, match=r"outside the extent of dimension 1, 4: the index is 4"):
        wb.kernel(LAST)(x, n, on=on).numpy()


@pytest.mark.parametrize("on", DEVICES)
def test_an_argmax_of_nothing_is_reported(on: str) -> None:
    need(on)
    x, n = np.ones((3, 4), np.float32), np.array([1, 0, 3], np.int32)

    with pytest.raises(DeviceError, match=r"argmax\(.*\) in line 2 runs over nothing"):
        wb.kernel(BEST)(x, n, on=on).numpy()


@pytest.mark.parametrize("on", DEVICES)
def test_a_run_after_a_report_is_clean(on: str) -> None:
    need(on)
    k = wb.kernel(GATHER)
    table = np.arange(5, dtype=np.float32)
    with pytest.raises(DeviceError):
        k(table, np.array([7], np.int32), on=on).numpy()
    y = k(table, np.array([3], np.int32), on=on)

    assert y.numpy() == [3]


def test_every_interpreter_reports_it() -> None:
    k = wb.kernel(GATHER)
    compiled = k.compile(on="native", dims={"K": 5, "N": 3})
    inputs = {"table": np.ones(5, np.float32), "idx": np.array([0, 9, 1], np.int32)}
    _, findings = run_mapped(compiled.stages["kernel"].value, inputs)

    assert "index [9] of 'table' is outside its shape [5]" in findings.words
    with pytest.raises(RunError, match=r"index \[9\] of 'table' is outside its shape \[5\]"):
        run_loops(compiled.stages["loops"].value, inputs)
    with pytest.raises(RunError, match=r"index \[9\] of 'table'"):
        run_graph(specialise(compiled.graph, compiled.dims), inputs)


def test_what_is_proved_is_not_checked() -> None:
    text = GATHER.replace("idx[i]]", "min(max(idx[i], 0), K - 1)]")
    compiled = wb.kernel(text).compile(on="native", dims={"K": 5, "N": 3})

    assert compiled.program.accesses == ()


def test_a_check_of_random_inputs_stays_inside() -> None:
    compiled = wb.kernel(GATHER).compile(on="native", dims={"K": 5, "N": 30})
    checks = compiled.check()

    assert checks.ok, checks
    assert checks["kernel"].state == "tick"


def test_a_check_of_inputs_that_lead_outside_says_so() -> None:
    compiled = wb.kernel(GATHER).compile(on="native", dims={"K": 5, "N": 1})

    with pytest.raises(RunError, match=r"index \[9\] of 'table' is outside"):
        compiled.check({"table": np.ones(5, np.float32), "idx": np.array([9], np.int32)})


def test_a_check_of_random_inputs_that_lead_outside_compares_nothing() -> None:
    text = GATHER.replace("idx[i]]", "idx[i] + 9]")
    checks = wb.kernel(text).compile(on="native", dims={"K": 5, "N": 1}).check()

    assert checks["kernel"].state == "none"
    assert "of 'table' is outside" in checks["kernel"].words
