"""The panel's messages: what travels, what waits, and offsets in the page's units."""

import json
from dataclasses import replace

import pytest

from tests.unit.widget import example
from workbench.base.units import duration
from workbench.widget.messages import (
    Caret,
    Failure,
    MarkedText,
    Origins,
    PanelState,
    Stage,
    answer,
    encode,
)


def sent(state: PanelState, **options: int) -> dict:
    return json.loads(encode(state, **options))


@pytest.mark.parametrize("name", ["matmul", "refused"])
def test_the_fixtures_of_the_page_are_what_python_sends(name: str) -> None:
    state = {"matmul": example.matmul, "refused": example.refused}[name]()
    stored = (example.FIXTURES / f"{name}.json").read_bytes()

    assert json.loads(stored) == sent(state), "run: python -m tests.unit.widget.example"


def test_texts_beyond_the_budget_wait_until_the_page_asks() -> None:
    state = example.matmul()
    budget = 2_000
    stages = {stage["name"]: stage["text"] for stage in sent(state, budget=budget)["stages"]}

    assert stages["source"] == state.stages[0].text
    assert stages["scheduled"] is not None
    assert stages["wgsl"] is not None
    assert None in stages.values()
    assert sum(len(text) for text in stages.values() if text is not None) <= budget


def test_a_stage_is_sent_whole_when_the_page_asks() -> None:
    state = example.matmul()
    reply = answer(state, {"kind": "stage", "name": "loops"})

    assert reply is not None
    assert reply["stage"] == next(s for s in sent(state)["stages"] if s["name"] == "loops")


def test_an_unknown_stage_and_an_unknown_message_are_told_apart() -> None:
    state = example.matmul()

    assert answer(state, {"kind": "stage", "name": "spirv"}) == {
        "kind": "stage",
        "name": "spirv",
        "stage": None,
    }
    assert answer(state, {"kind": "stage", "name": 3}) is None
    assert answer(state, "stage") is None


def test_offsets_count_utf16_units_after_characters_beyond_the_basic_plane() -> None:
    text = "# 😀😀\ny = x"
    start = text.index("x")
    state = PanelState(
        "wide",
        (Stage("source", text, (start, start + 1, 0)),),
        Origins(((),), ((start, start + 1),), ("",)),
        failure=Failure(
            "SourceError", "no", texts=(MarkedText("cell", "'😀' + z", (Caret(1, 6, 1),)),)
        ),
    )
    message = sent(state)

    units = text.encode("utf-16-le")
    moved = message["stages"][0]["marks"]
    caret = message["failure"]["texts"][0]["carets"][0]
    assert units[2 * moved[0] : 2 * moved[1]].decode("utf-16-le") == "x"
    assert moved[2] == 0
    assert message["origins"]["spans"] == [moved[:2]]
    assert (caret["column"], caret["length"]) == (7, 1)


def test_the_code_of_a_program_for_the_cpu_is_its_assembly() -> None:
    state = example.matmul()
    renamed = [
        replace(stage, name="asm") if stage.name == "wgsl" else stage for stage in state.stages
    ]

    code = replace(state, stages=tuple(renamed)).code
    assert code is not None
    assert code.name == "asm"
    assert PanelState("nothing").code is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1.23e-5, "12.3 µs"),
        (0.00123, "1.23 ms"),
        (0.0999, "99.9 ms"),
        (0.9996, "1.00 s"),
        (12.0, "12.0 s"),
    ],
)
def test_times_have_three_digits(seconds: float, words: str) -> None:
    assert duration(seconds) == words
