"""The widget: what it sends, what it answers, and what it shows where there is no page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.widget import example

pytest.importorskip("anywidget", reason="anywidget is not installed")
from workbench.widget import twinned
from workbench.widget.panel import Panel
from workbench.widget.twinned import LIVE, TWIN, VIEW


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    """A panel of matmul, without the bundle, which the page's tests need built and these do not."""
    monkeypatch.setattr("workbench.widget.bundle.bundle", lambda: b"export {}")
    shown = Panel(example.matmul())
    yield shown
    shown.close()


@pytest.fixture
def displayed(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a cell that ends with the panel shows: the content of each of its outputs by type."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(twinned, "display", lambda content, **_options: found.append(content))
    panel._ipython_display_()
    return found


def test_the_state_travels_as_the_bytes_of_its_message(panel: Panel) -> None:
    assert json.loads(panel.state)["title"] == "matmul"


def test_another_state_takes_its_place(panel: Panel) -> None:
    panel.show(example.refused())

    assert json.loads(panel.state)["title"] == "blur"
    assert panel.shown == example.refused()


def test_a_request_for_a_stage_is_answered(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(panel, "send", sent.append)
    panel._handle_custom_msg({"kind": "stage", "name": "loops"}, [])
    panel._handle_custom_msg({"kind": "unheard"}, [])

    assert [message["stage"]["name"] for message in sent] == ["loops"]


def test_a_cell_shows_the_panel_and_its_twins(
    panel: Panel, displayed: list[dict[str, Any]]
) -> None:
    live, twins = displayed

    assert live[VIEW]["model_id"] == panel.model_id
    assert set(twins) == {"text/plain", "text/html"}
    assert twins["text/plain"] == repr(panel)


def test_the_twin_names_the_panel_that_it_steps_back_for(
    panel: Panel, displayed: list[dict[str, Any]]
) -> None:
    text = displayed[1]["text/html"]

    assert text.startswith(f'<div {TWIN}="{panel.twin}">')
    assert set(re.findall(rf'{LIVE}="(\w+)"', text)) == {panel.twin}
    assert text.count("<div") == text.count("</div>")


def test_others_get_everything_in_one_bundle(panel: Panel) -> None:
    bundle, _ = panel._repr_mimebundle_()

    assert set(bundle) == {VIEW, "text/plain", "text/html"}
