"""What ends too early keeps what was measured, and says so: interrupts, and bad results files."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.measure.timing import Experiment, experiment
from workbench.runtime.device import Timing
from workbench.session import roofs as roofs_module
from workbench.session.cell import REPEATS, repeated
from workbench.session.kernel import Kernel

X = np.ones(16, np.float32)


@pytest.fixture(scope="module")
def double() -> Kernel:
    return wb.kernel("def double(x: f32[N]) -> f32[N]:\n    y[i] = 2 * x[i]\n    return y\n")


class Twice:
    """Doubles an array; the call of that number is interrupted by the keyboard."""

    def __init__(self, interrupted: int) -> None:
        self.calls = 0
        self.interrupted = interrupted

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.calls == self.interrupted:
            raise KeyboardInterrupt
        return 2 * x


def test_an_interrupted_comparison_has_the_rounds_before(double: Kernel) -> None:
    # A run takes about a microsecond: rounds begin after some thousands of them.
    found = wb.compare(
        double, ("twice", Twice(60_000)), on="cpu", inputs=[X], seconds=5, kept=False
    )

    assert found.ended == "interrupted"
    assert found.rounds > 0
    assert all(len(found.series(e).values) == found.rounds for e in found.measured)
    assert any("interrupted" in note for note in found.notes)


def test_a_comparison_interrupted_before_its_first_round_keeps_what_was_checked(
    double: Kernel,
) -> None:
    found = wb.compare(double, ("twice", Twice(3)), on="cpu", inputs=[X], kept=False)

    assert (found.ended, found.rounds, found.measured) == ("interrupted", 0, ())
    assert found.find("twice").agreed
    assert "interrupted" in repr(found)


def test_an_interrupt_between_the_points_of_a_sweep_keeps_those_before(double: Kernel) -> None:
    calls = iter((False, True))

    def inputs(dims: Mapping[str, int]) -> list[np.ndarray]:
        if next(calls):
            raise KeyboardInterrupt
        return [np.ones(dims["N"], np.float32)]

    found = wb.sweep(
        double, over={"N": [4, 8, 16]}, on="cpu", inputs=inputs, seconds=0.01, kept=False
    )

    assert [p.value for p in found] == [4]
    assert found.words == "interrupted: 1 of 3 points begun"
    assert repr(found).endswith(found.words)
    assert found.words in found._repr_html_()
    with pytest.raises(KeyboardInterrupt):
        wb.sweep(
            double, over={"N": [4, 8]}, on="cpu", kept=False,
            inputs=lambda _: (_ for _ in ()).throw(KeyboardInterrupt),
        )  # fmt: skip


def test_interrupted_roofs_are_not_whole_and_go_on_where_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roofs_module, "SECONDS", 0.01)
    monkeypatch.setattr(roofs_module, "COPIED", dict.fromkeys(roofs_module.COPIED, 1 << 12))
    monkeypatch.setattr(roofs_module, "_known", {})
    monkeypatch.setattr(roofs_module, "_parts", {})
    measured: list[str] = []

    def second_interrupted(*things: object, words: str, **more: float) -> Experiment:
        measured.append(words.rpartition(" ")[2])
        if len(measured) == 2:
            return Experiment((), 0, 0.0, "interrupted", "interrupted")
        return experiment(*things, words=words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(roofs_module, "experiment", second_interrupted)
    with pytest.raises(KeyboardInterrupt):
        wb.roofs("cpu")
    found = wb.roofs("cpu")

    assert measured == ["copied", "multiplied", "multiplied", "small"]
    assert found.memory.per_second > 0
    assert roofs_module._parts == {}


def timing_of(k: Kernel) -> Timing:
    y = k(X, on="cpu")
    y.numpy()
    assert y.call is not None
    return y.call.timing


def test_a_cell_whose_timing_is_interrupted_counts_the_runs_before(double: Kernel) -> None:
    calls = 0

    def once() -> wb.Array:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return double(X, on="cpu")

    timing, repeats = repeated(once, timing_of(double))

    assert repeats == 2 < REPEATS
    assert timing.total


def test_a_results_file_that_another_process_holds_leaves_the_numbers(
    double: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.measure.results.BUSY_SECONDS", 0.01)
    path = tmp_path / "results.sqlite"
    holder = sqlite3.connect(path)
    holder.execute("BEGIN EXCLUSIVE")
    found = wb.compare(double, on="cpu", inputs=[X], seconds=0.01, kept=path)
    holder.close()

    assert len(found.measured) == 1
    assert "another process holds it" in found.kept
