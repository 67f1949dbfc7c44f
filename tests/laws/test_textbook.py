"""No textbook schedule is refused: each is legal to the last kernel, and gives NumPy's numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.laws.textbook import BOOKS, Book
from tests.unit.ir.programs import without_barrier
from workbench.ir.bound import bound
from workbench.ir.device import DeviceKernel, Mapped
from workbench.ir.interpret import run_loops
from workbench.ir.simt import run_mapped
from workbench.ir.stmt import Barrier, walk_stmts
from workbench.passes.legality import explained, illegal
from workbench.schedule.step import Schedule

ROWS = [
    pytest.param(book, name, id=f"{wb.kernel(book.text).name}: {name}")
    for book in BOOKS
    for name in book.schedules
]


def test_there_are_a_hundred_of_a_dozen_kernels() -> None:
    assert len(ROWS) >= 100
    assert len(BOOKS) >= 12


@pytest.mark.parametrize(("book", "name"), ROWS)
def test_a_textbook_schedule_is_legal_and_right(book: Book, name: str) -> None:
    steps = book.schedules[name]
    k, inputs = wb.kernel(book.text), book.inputs()
    dims = {
        str(getattr(d, "name", "")): size
        for a in k.graph.inputs
        for d, size in zip(a.shape, book.shapes[a.name], strict=True)
    }
    dims = {n: x for n, x in {**dims, **book.scalars}.items() if n in k.graph.symbols()}
    scalars = {**book.scalars, **{n: dims[n] for n in book.opened}}
    left = {n: None if n in book.opened else x for n, x in dims.items()}
    history = replace(k.schedule(left), steps=steps.steps).history

    assert [repr(x.verdict) for x in history if not x.verdict] == []
    assert tuple(x.step for x in history) == steps.steps

    loops = history[-1].after if history else k.loops(left)
    wanted = book.reference(**{n: a.astype(float) if a.dtype.kind == "f" else a
                               for n, a in inputs.items()}, **book.scalars)  # fmt: skip
    assert_near(run_loops(bound(loops, dims), inputs, scalars), wanted)

    c = k.compile(steps, on="cpu" if on_workers(steps) else "null", dims=left)
    if not on_workers(steps):
        mapped: Mapped = bound(c.stages["kernel"].value, dims)
        results, findings = run_mapped(mapped, inputs, scalars, seed=1)

        assert findings.ok, findings.words
        assert_near(results, wanted)
        for kernel in explained(mapped).kernels:
            assert_each_barrier_is_needed(kernel)


def on_workers(steps: Schedule) -> bool:
    """Whether it is for a processor alone."""
    return any(getattr(s, "axis", "") == "worker" for s in steps.steps)


def assert_near(results: dict[str, np.ndarray], wanted: Any) -> None:
    """Results are NumPy's, but for the last digits of what is no whole number."""
    arrays: tuple[Any, ...] = wanted if isinstance(wanted, tuple) else (wanted,)
    for found, array in zip(results.values(), arrays, strict=True):
        np.testing.assert_allclose(found, array, rtol=2e-5, atol=1e-6)


def assert_each_barrier_is_needed(kernel: DeviceKernel) -> None:
    """Each says what it keeps apart, and the static check refuses the kernel without it."""
    assert illegal(kernel) is None
    for number, s in enumerate(s for s in walk_stmts(kernel.body) if isinstance(s, Barrier)):
        assert s.why
        assert illegal(replace(kernel, body=without_barrier(kernel.body, number))) is not None
