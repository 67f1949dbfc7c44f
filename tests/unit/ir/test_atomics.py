"""Atomic updates and writes not proved apart: what races, what may be reordered, what is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from workbench.base.device_class import DeviceClass
from workbench.base.source import Source
from workbench.ir.access import accesses
from workbench.ir.deps import carried, dependences
from workbench.ir.device import DeviceKernel, Mapped
from workbench.ir.expr import Const, Load
from workbench.ir.findings import Findings, Overwrite, Race
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.ir.simt import run_mapped
from workbench.ir.stmt import Body, Local, Store, map_bodies
from workbench.lang import parse
from workbench.passes.graph import specialise
from workbench.passes.lower import lower
from workbench.schedule.rules import default_schedule
from workbench.schedule.step import Schedule

HISTOGRAM = """\
def histogram(b: i32[N], h: i32[8]) -> i32[8]:
    for i in grid(N):
        h[b[i]] += 1
    return h
"""

SCATTER = """\
def scatter(b: i32[N, M], y: f32[99]) -> f32[99]:
    for i, j in grid(N, M):
        y[b[i, j]] = 10.0 * i + j
    return y
"""

SERIAL = """\
def serial(b: i32[N, M], y: f32[99]) -> f32[99]:
    for i in grid(N):
        for t in range(M):
            y[b[i, t]] = 10.0 * i + t
    return y
"""

TABLE = """\
def table(b: i32[N, M], w: f32[N, M], h: f32[4]) -> f32[4]:
    for i, j in grid(N, M):
        h[b[i, j]] += w[i, j]
    return h
"""


def loops(text: str, **dims: int) -> Loops:
    return lower(specialise(parse(Source(text)).kernels[0], dims))


def kernels(text: str, **dims: int) -> Mapped:
    return wb.kernel(text).compile(on="native", dims=dims).stages["kernel"].value


def changed(mapped: Mapped, change) -> Mapped:  # noqa: ANN001
    """The mapped function with each store replaced by the statements that `change` gives."""

    def inside(body: Body) -> Body:
        return tuple(
            new
            for s in body
            for new in (change(s) if isinstance(s, Store) else (map_bodies(s, inside),))
        )

    def kernel(k: DeviceKernel) -> DeviceKernel:
        return replace(k, body=inside(k.body))

    return replace(mapped, kernels=tuple(map(kernel, mapped.kernels)))


def run(mapped: Mapped, **inputs: np.ndarray) -> tuple[np.ndarray, Findings]:
    outputs, findings = run_mapped(mapped, inputs)
    return next(iter(outputs.values())), findings


B = np.random.default_rng(0).integers(0, 8, 300).astype(np.int32)
H = np.arange(8, dtype=np.int32)


def test_atomic_updates_lose_nothing_and_do_not_race() -> None:
    found, findings = run(kernels(HISTOGRAM, N=300), b=B, h=H)

    assert findings.ok
    np.testing.assert_array_equal(found, H + np.bincount(B, minlength=8))


def test_the_same_updates_race_where_they_are_not_atomic() -> None:
    mapped = changed(kernels(HISTOGRAM, N=300), lambda s: (replace(s, atomic=False),))
    _, findings = run(mapped, b=B, h=H)

    assert any(isinstance(f, Race) and f.first.kind == "updates" for f in findings.faults)


def other_read(s: Store) -> tuple:
    if not s.atomic:
        return (s,)
    return (s, Local("seen", Load(s.array, (Const(3, s.value.dtype),), s.value.dtype)))


def other_write(s: Store) -> tuple:
    return (s, replace(s, atomic=False, reduce=None)) if s.atomic else (s,)


def other_operation(s: Store) -> tuple:
    return (s, replace(s, reduce="max")) if s.atomic else (s,)


@pytest.mark.parametrize("change", [other_read, other_write, other_operation])
def test_an_atomic_update_races_with_anything_else(change) -> None:  # noqa: ANN001
    _, findings = run(changed(kernels(HISTOGRAM, N=300), change), b=B, h=H)

    assert any(isinstance(f, Race) and f.array.startswith("h") for f in findings.faults)
    assert any("atomically updates it" in f.words for f in findings.faults)


def clash(b: np.ndarray, text: str = SCATTER) -> tuple[np.ndarray, Findings]:
    n, m = b.shape
    return run(kernels(text, N=n, M=m), b=b, y=np.zeros(99, np.float32))


APART = np.random.default_rng(1).permutation(99)[:77].astype(np.int32).reshape(11, 7)


def test_writes_that_happen_to_be_apart_are_fine() -> None:
    found, findings = clash(APART)

    assert findings.ok
    assert found[APART[4, 5]] == 45


def test_a_clash_names_both_iterations_by_the_indices_of_the_source() -> None:
    b = APART.copy()
    b[9, 2] = b[3, 6]
    _, findings = clash(b)

    (found,) = findings.faults
    assert isinstance(found, Overwrite)
    assert (found.first, found.second) == ({"i": 3, "j": 6}, {"i": 9, "j": 2})
    assert found.words == (
        f"the iterations (i = 3, j = 6) and (i = 9, j = 2) both write y_copy[{b[3, 6]}] "
        "in `y[b[i, j]]` (line 3); which value stays is open"
    )


def test_an_iteration_may_write_an_element_again() -> None:
    b = APART.copy()
    b[5, 1:4] = b[5, 0]
    found, findings = clash(b, SERIAL)

    assert findings.ok
    assert found[b[5, 0]] == 53


def test_the_interpreter_runs_clashes_in_the_order_of_the_loops() -> None:
    b = np.array([[4, 4, 2], [2, 4, 2]], np.int32)
    found = run_loops(loops(SCATTER, N=2, M=3), {"b": b, "y": np.zeros(99, np.float32)})["y"]

    assert (found[4], found[2]) == (11, 12)


def test_the_interpreter_adds_in_the_order_of_the_loops() -> None:
    rng = np.random.default_rng(2)
    b = rng.integers(0, 4, (50, 30)).astype(np.int32)
    w = rng.standard_normal((50, 30)).astype(np.float32)
    expected = np.zeros(4, np.float32)
    for at, value in zip(b.reshape(-1), w.reshape(-1), strict=True):
        expected[at] += value
    found = run_loops(loops(TABLE, N=50, M=30), {"b": b, "w": w, "h": np.zeros(4, np.float32)})

    np.testing.assert_array_equal(found["h"], expected)


@pytest.mark.parametrize("text", [HISTOGRAM, TABLE, SCATTER, SERIAL])
def test_a_grid_of_atomic_or_unproved_writes_may_run_side_by_side(text: str) -> None:
    program = loops(text, N=6, M=5)

    assert carried(accesses(program.body), "i") is None


def test_the_serial_loop_of_an_iteration_keeps_its_order() -> None:
    program = loops(SERIAL, N=6, M=5)
    found = carried(accesses(program.body), "t")

    assert found is not None
    assert not Schedule().parallelize("t", "parallel").check(program)
    assert Schedule().reorder("t", "i").check(program)


def test_atomic_updates_depend_on_nothing_but_what_comes_before_the_grid() -> None:
    found = dependences(loops(HISTOGRAM, N=6))

    assert not any(d.first.atomic and d.second.atomic for d in found)


@pytest.mark.parametrize("steps", [
    Schedule().split("i", 4), Schedule().split("j", 4).reorder("j_o", "i", "j_i"),
    Schedule().reorder("j", "i"), Schedule().parallelize("j", "workgroup.x", 16),
])  # fmt: skip
def test_steps_on_atomic_updates_keep_the_answer(steps: Schedule) -> None:
    program = loops(TABLE, N=9, M=7)
    b = np.random.default_rng(3).integers(0, 4, (9, 7)).astype(np.int32)
    inputs = {"b": b, "w": np.ones((9, 7), np.float32), "h": np.zeros(4, np.float32)}

    after = run_loops(steps.apply(program), inputs)["h"]

    np.testing.assert_array_equal(after, np.bincount(b.reshape(-1), minlength=4))


@pytest.mark.parametrize("memory", ["private", "workgroup"])
def test_a_copy_of_what_is_updated_atomically_is_refused(memory: str) -> None:
    text = "def f(x: f32[N, M], h: f32[N]) -> f32[N]:\n    for i, j in grid(N, M):\n"
    program = loops(text + "        h[i] += x[i, j]\n    return h\n", N=8, M=4)
    verdict = Schedule().cache("h", memory, at="i").check(program)

    assert "h is updated atomically; a copy would miss what others add meanwhile" in verdict.reason


@pytest.mark.parametrize(("on", "axis"), [("gpu", "workgroup.x"), ("cpu 256", "worker")])
def test_the_default_rules_run_atomic_grids_side_by_side(on: DeviceClass, axis: str) -> None:
    assert repr(default_schedule(loops(HISTOGRAM, N=300), on)).count(axis) == 1
