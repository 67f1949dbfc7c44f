"""Every kernel of the set, at every size that it takes, on every path, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.conformance.case import Case, Values
from tests.conformance.cases import CASES
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.simt import run_mapped
from workbench.passes.graph import specialise
from workbench.runtime.device import open_device

NAMED = {c.name: c for c in CASES}


def test_there_are_enough_kernels() -> None:
    assert len(NAMED) == len(CASES) >= 60


@pytest.mark.parametrize("name", NAMED)
def test_one_wrong_element_is_noticed(name: str) -> None:
    case = NAMED[name]
    expected = case.expected(case.values(next(case.every_size())))
    right = tuple(e.astype(np.float32) if e.dtype.kind == "f" else e.copy() for e in expected)
    wrong = tuple(e.copy() for e in right)
    at = np.argmax(np.where(np.isfinite(wrong[0]), np.abs(wrong[0].astype(float)), -1))
    cell = wrong[0].reshape(-1)[at]
    wrong[0].reshape(-1)[at] = cell * 1.01 if wrong[0].dtype.kind == "f" else cell ^ 1

    assert case.wrong(right, expected) == ""
    assert case.wrong(wrong, expected) != ""


@pytest.mark.parametrize("on", ["cpu", "wasm", "native"])
@pytest.mark.parametrize("name", NAMED)
def test_a_device_gives_what_numpy_gives(name: str, on: str) -> None:
    description = open_device(on).describe()
    if not description.available:
        pytest.skip(f"{on}: {description.cause}")
    case = NAMED[name]
    kernel = wb.kernel(case.text)
    wrong: dict[str, str] = {}
    for dims in case.every_size():
        values = case.values(dims)
        words = case.wrong(kernel(**values, on=on), case.expected(values))
        wrong |= {str(dims): words} if words else {}

    assert wrong == {}


@pytest.mark.parametrize("name", NAMED)
def test_an_interpreter_gives_what_numpy_gives(name: str) -> None:
    case = NAMED[name]
    wrong: dict[str, str] = {}
    for dims in case.every_size():
        values = case.values(dims)
        expected = case.expected(values)
        for path, found in interpreted(case, values, dims).items():
            words = case.wrong(found, expected)
            wrong |= {f"{path} at {dims}": words} if words else {}

    assert wrong == {}


def interpreted(
    case: Case, values: Values, dims: dict[str, int]
) -> dict[str, tuple[np.ndarray, ...]]:
    """The results of graph, loops and device kernels."""
    kernel = wb.kernel(case.text)
    c = kernel.compile(on="null", dims={n: dims[n] for n in kernel.graph.symbols()})
    graph = specialise(c.graph, c.dims)
    arrays = {n: v for n, v in values.items() if isinstance(v, np.ndarray)}
    scalars = {s.name: values.get(s.name, s.default) for s in graph.scalars}
    mapped, findings = run_mapped(c.stages["kernel"].value, arrays, scalars, seed=0)
    assert findings.ok, findings
    return {
        "graph": tuple(run_graph(graph, arrays, scalars)[n] for n in graph.outputs),
        "loops": tuple(
            run_loops(c.stages["loops"].value, arrays, scalars)[n] for n in c.program.outputs
        ),
        "kernel": tuple(mapped[n] for n in c.program.outputs),
    }
