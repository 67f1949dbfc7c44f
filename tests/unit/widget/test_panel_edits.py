"""Edits through the widget: messages of the page, and traits that others are linked to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import traitlets

pytest.importorskip("anywidget", reason="anywidget is not installed")
from workbench.base.source import Source
from workbench.session.cell import run_cell
from workbench.session.kernel import kernels
from workbench.session.subject import subject_of
from workbench.widget.assemble import cell_state
from workbench.widget.panel import Panel
from workbench.widget.views import view

TEXT = """# %%wgpu_kernel --on cpu --schedule tiled
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C

@schedule(matmul)
def tiled(T=4):
    split("k", T)
"""
WAVE = """
def wave(x: f32[M, N]) -> f32[M, N]:
    for i in range(1, M):
        for j in range(N - 1):
            x[i, j] = x[i - 1, j + 1] + 1.0
    return x
"""


def panel_of(text: str, arrays: dict[str, Any], schedule: str | None) -> Panel:
    """The panel of a cell on the cpu."""
    k = list(kernels(Source(text, "cell")).values())[-1]
    run = run_cell(k, arrays, on="cpu", schedule=schedule, checked=False)
    return Panel(cell_state(run), subject_of(run))


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    """The panel of a matmul that ran; without the bundle, which these tests do not need."""
    monkeypatch.setattr("workbench.widget.bundle.bundle", lambda: b"export {}")
    arrays = {"A": np.ones((6, 8), np.float32), "B": np.ones((8, 5), np.float32)}
    shown = panel_of(TEXT, arrays, "tiled")
    yield shown
    shown.close()


@pytest.fixture
def sent(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the panel says to the page."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(panel, "send", found.append)
    return found


def ask(panel: Panel, edit: object, *, release: bool = True) -> None:
    """Send an edit as the page does."""
    message = {"kind": "edit", "number": 1, "edit": edit, "release": release}
    panel._handle_custom_msg(message, [])


def editing(panel: Panel) -> dict[str, Any]:
    """What travels to the page about editing."""
    return json.loads(panel.state)["editing"]


def test_an_edit_on_its_way_compiles_and_does_not_run(
    panel: Panel, sent: list[dict[str, Any]]
) -> None:
    ask(panel, {"knobs": {"T": 2}}, release=False)

    assert sent == [{"kind": "edited", "number": 1, "failure": None}]
    assert editing(panel)["knobs"] == [["T", 2]]
    assert editing(panel)["undo"] == 0
    assert panel.result is None
    assert json.loads(panel.state)["run"]["reason"].startswith("before the last edit: ")


def test_a_released_edit_is_run_and_timed(panel: Panel, sent: list[dict[str, Any]]) -> None:
    ask(panel, {"step": 'split("i", 2)'})

    assert sent[0]["failure"] is None
    assert panel.result.repeats > 0
    assert panel.seconds
    assert (panel.result.outputs["C"].numpy() == 8).all()
    assert 'split("i", 2)' in editing(panel)["function"]
    assert '.split("i", 2)' in editing(panel)["calls"]


def test_a_refused_edit_changes_nothing(panel: Panel, sent: list[dict[str, Any]]) -> None:
    before = panel.state
    ask(panel, {"step": 'split("q", 2)'})

    assert panel.state == before
    assert "no loop named 'q'" in sent[0]["failure"]["message"]


def test_a_refused_step_underlines_its_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.widget.bundle.bundle", lambda: b"export {}")
    panel = panel_of(WAVE, {}, None)
    failure = panel.edit({"step": 'reorder("j", "i")'})
    panel.close()

    assert failure is not None
    assert "reorder('j', 'i')" in failure.message
    assert "(i=1, j=1) writes x_copy[1, 1] and (i=2, j=0) reads it" in failure.message
    loops = failure.texts[-1]
    lines = loops.text.splitlines()
    meant = [lines[c.line - 1][c.column : c.column + c.length] for c in loops.carets]
    assert [x for x in meant if x.startswith("for ")] == [
        "for i in range(1, 64):", "for j in range(63):",
    ]  # fmt: skip
    assert "x_copy[i - 1, j + 1]" in "".join(meant)


def test_edits_are_taken_back_one_by_one(panel: Panel, sent: list[dict[str, Any]]) -> None:
    first = editing(panel)
    ask(panel, {"knobs": {"T": 2}}, release=False)
    ask(panel, {"knobs": {"T": 8}})
    ask(panel, {"step": 'split("i", 2)'})
    counts = [editing(panel)["undo"]]
    for _ in range(2):
        ask(panel, {"undo": True})
        counts.append(editing(panel)["undo"])

    assert counts == [2, 1, 0]
    assert editing(panel) == first
    assert panel.result is not None
    ask(panel, {"undo": True})
    assert "nothing was edited" in sent[-1]["failure"]["message"]


def test_a_panel_of_texts_refuses_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.widget.bundle.bundle", lambda: b"export {}")
    k = kernels(Source(WAVE, "cell"))["wave"]
    panel = Panel(cell_state(run_cell(k, {}, on="cpu", checked=False)))
    failure = panel.edit({"undo": True})
    panel.close()

    assert failure is not None
    assert failure.message == "this panel shows texts only"


def test_a_trait_that_is_linked_turns_the_knob_and_runs(panel: Panel) -> None:
    class Slider(traitlets.HasTraits):
        value = traitlets.Int(4)

    slider = Slider()
    heard: list[float] = []
    panel.observe(lambda change: heard.append(change["new"]), "seconds")
    traitlets.link(
        (slider, "value"), (panel, "knobs"), transform=(lambda v: {"T": v}, lambda k: k["T"])
    )
    slider.value = 2
    assert panel.knobs == {"T": 2}
    assert editing(panel)["calls"].startswith('matmul.schedule().split("k", 2)')
    assert heard
    ask(panel, {"knobs": {"T": 8}})

    assert slider.value == 8


def test_a_knob_that_is_refused_stays(panel: Panel) -> None:
    with pytest.raises(traitlets.TraitError, match="the factor is 0"):
        panel.knobs = {"T": 0}
    with pytest.raises(traitlets.TraitError, match="no knob 'U'"):
        panel.knobs = {"U": 4}

    assert panel.knobs == {"T": 4}
    assert editing(panel)["knobs"] == [["T", 4]]


def test_the_traffic_says_what_was_measured_of_this_code(panel: Panel) -> None:
    def foot() -> str:
        assert panel.subject is not None
        return view("traffic").draw(panel.subject, {}).foot

    panel.edit({"knobs": {"T": 2}}, release=False)
    assert foot() == "≈ modelled, all others exact"
    panel.edit({"knobs": {"T": 8}})

    operations, moved = 2 * 6 * 8 * 5, foot().rpartition("measured: ")[2]
    assert panel.seconds is not None
    assert f"which is {operations / panel.seconds / 1e9:.3g} GFLOP/s" in moved
