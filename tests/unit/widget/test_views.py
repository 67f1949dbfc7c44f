"""Pictures: found by name, asked for by the page, and their twins in the panel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

import workbench as wb
from workbench.base.errors import WorkbenchError
from workbench.measure.traffic import traffic
from workbench.session.subject import Subject
from workbench.widget.assemble import compilation_state
from workbench.widget.messages import encode
from workbench.widget.panel import drawn
from workbench.widget.show import show
from workbench.widget.twins import html_twin, text_twin
from workbench.widget.views import plain, view, view_names

PAGE_VIEWS = Path(__file__).parents[3] / "js" / "src" / "views"
MATMUL = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""


@pytest.fixture(scope="module")
def subject() -> Subject:
    """A matmul with two steps of its own, for a GPU."""
    k = wb.kernel(MATMUL)
    schedule = k.schedule().split("k", 8).reorder("k_i", "k_o")
    return Subject(k.compile(schedule, on="native"), k, schedule, "native")


@pytest.mark.parametrize("name", view_names())
def test_a_view_has_its_file_in_the_page_and_a_value_that_is_json(
    name: str, subject: Subject
) -> None:
    v = view(name)
    value = v.draw(subject, {})

    assert v.name == name
    assert (PAGE_VIEWS / f"{name}.ts").exists()
    assert json.loads(json.dumps(plain(value), allow_nan=False))
    assert v.text(value)
    assert v.html(value).startswith("<")


def test_an_unknown_view_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WorkbenchError, match="no view 'stpes'") as refused:
        view("stpes")

    assert "steps" in refused.value.mistakes[0].hint


def test_a_question_is_answered_with_the_value(subject: Subject) -> None:
    answer = drawn(subject, 7, "steps", {})

    assert answer["number"] == 7
    assert answer["refusal"] is None
    assert answer["value"] == plain(view("steps").draw(subject, {}))


def test_a_question_about_nothing_is_refused_in_words(subject: Subject) -> None:
    assert drawn(subject, 1, "nothing", {})["refusal"]
    assert drawn(None, 1, "steps", {})["refusal"] == "this panel shows texts only"


def test_a_picture_that_was_asked_for_stands_in_the_twins(subject: Subject) -> None:
    state = compilation_state(subject, ("stages", "steps"))

    assert "1. split('k', 8)" in text_twin(state)
    assert "<code>split(&#x27;k&#x27;, 8)</code>" in html_twin(state)
    assert "steps" not in [name for name, _ in state.offers]


def test_the_others_are_offered(subject: Subject) -> None:
    sent = json.loads(encode(compilation_state(subject, ("stages",))))

    assert [name for name, _ in sent["offers"]] == list(view_names())


def test_without_a_notebook_a_view_is_its_text(
    subject: Subject, capsys: pytest.CaptureFixture[str]
) -> None:
    show(subject.compilation, "steps")

    assert "2. reorder('k_i', 'k_o')" in capsys.readouterr().out


def test_the_steps_show_what_each_did(subject: Subject) -> None:
    strip = view("steps").draw(subject, {})

    assert [s.text for s in strip.steps][:2] == ["split('k', 8)", "reorder('k_i', 'k_o')"]
    assert all(s.before != s.after for s in strip.steps)
    assert all(a.after == b.before for a, b in zip(strip.steps, strip.steps[1:], strict=False))
    assert "order" in " ".join(strip.steps[1].notes)


@dataclass(frozen=True, slots=True)
class _Pair:
    one: float
    two: tuple[int, ...]


def test_values_become_json() -> None:
    assert plain(_Pair(1.5, (1, 2))) == {"one": 1.5, "two": [1, 2]}
    assert plain(float("nan")) is None


def test_a_loop_of_the_nest_has_its_next_steps(subject: Subject) -> None:
    found = view("nest").draw(subject, {"loop": "k_i"})
    lines = [s.text for s in found.steps]

    assert 'unroll("k_i")' in lines
    assert all(s.words for s in found.steps)
    for line in lines[:4]:
        assert view("nest").draw(subject, {"step": line}).after


def test_a_preview_counts_the_traffic_before_and_after(subject: Subject) -> None:
    found = view("nest").draw(subject, {"step": 'cache("A", "private", at="k_i")'})
    rows = {row[:2]: row[2:] for row in found.rows}
    before = {a.array: a for a in traffic(subject.compilation).nests[0].arrays}

    assert found.before == subject.compilation.stages["scheduled"].text
    assert "A_private" in found.after
    assert rows["A", "storage"][0] == f"{before['A'].reads.value:,}"
    assert rows["A_private", "private"][0] == ""
    assert rows["A_private", "private"][1] != ""


def test_a_loop_that_is_not_there_is_refused_in_words(subject: Subject) -> None:
    answer = drawn(subject, 1, "nest", {"loop": "q"})

    assert "no loop named 'q'" in str(answer["refusal"])


def test_every_loop_of_the_nest_is_marked_in_the_scheduled_stage(subject: Subject) -> None:
    state = compilation_state(subject, ("stages",))
    stage = state.stage("scheduled")
    assert stage is not None
    starts: dict[int, set[str]] = {}
    for start, end, origin in zip(*[iter(stage.marks)] * 3, strict=True):
        starts.setdefault(origin, set()).add(stage.text[start:end].partition("\n")[0])
    lines = [each for each in view("nest").draw(subject, {}).lines if each.kind == "loop"]

    assert lines
    for each in lines:
        assert any(text.startswith(each.text) for text in starts[each.origin])
