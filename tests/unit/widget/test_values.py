"""The view of values: what is said of an array, its twins, and the pieces that a page asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.measure.summary import difference, summary

pytest.importorskip("anywidget", reason="anywidget is not installed")
from workbench.widget.values import LARGEST_PIECE, Values


@pytest.fixture(autouse=True)
def _unbundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.widget.bundle.bundle", lambda: b"export {}")


@pytest.fixture
def values() -> Iterator[Values]:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    shown = Values(wb.array(x), name="x")
    yield shown
    shown.close()


def test_a_summary_counts_what_is_not_finite() -> None:
    found = summary(np.array([[1, np.nan], [np.inf, -3]], np.float32))

    assert (found.least, found.mean, found.greatest) == (-3, -1, 1)
    assert (found.nans, found.infinities, found.first_nan) == (1, 1, (0, 1))


def test_few_whole_numbers_have_a_bar_each() -> None:
    found = summary(np.array([3, 5, 5, 4, 5], np.int32)).histogram
    assert found is not None

    assert found.counts == (1, 1, 3)
    assert found.edges == (2.5, 3.5, 4.5, 5.5)


def test_all_finite_values_are_in_the_histogram() -> None:
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    x[::100] = np.nan
    found = summary(x).histogram
    assert found is not None

    assert sum(found.counts) == 990


@pytest.mark.parametrize("x", [np.zeros(0, np.float32), np.full(3, np.nan, np.float32)])
def test_without_a_finite_value_there_is_no_range(x: np.ndarray) -> None:
    found = summary(x)

    assert (found.least, found.histogram) == (None, None)


def test_differences_are_found_where_they_are() -> None:
    want = np.ones((3, 4), np.float32)
    got = want.copy()
    got[1, 2], got[2, 0] = 1.5, 3.0
    found = difference(got, want)

    assert (found.count, found.first, found.largest, found.error) == (2, (1, 2), (2, 0), 2.0)


def test_rounding_is_no_difference() -> None:
    want = np.linspace(0, 1, 50)

    assert difference(want.astype(np.float32), want.astype(np.float32) * 1.000001).count == 0


def test_a_nan_where_the_reference_has_none_is_a_difference() -> None:
    want = np.ones(3, np.float32)
    found = difference(np.array([1, np.nan, 1], np.float32), want)

    assert (found.count, found.first, found.error) == (1, (1,), np.inf)


def test_a_reference_of_another_shape_is_refused() -> None:
    with pytest.raises(wb.CallError, match=r"shape \(3,\), its reference \(4,\)"):
        difference(np.zeros(3), np.zeros(4))


def test_the_text_says_range_histogram_and_corners(values: Values) -> None:
    text = repr(values)

    assert text.startswith("x f32[2, 3, 4] on host\nmin 0 · mean 11.5 · max 23\n0 ")
    assert "  0  1   2   3" in text


def test_the_html_says_the_same_without_a_script(values: Values) -> None:
    page = values._repr_mimebundle_()[0]["text/html"]

    assert "x f32[2, 3, 4] on host" in page
    assert "<script" not in page


def test_against_a_reference_the_first_difference_is_said() -> None:
    x = np.zeros(8, np.float32)
    x[5] = 1
    text = repr(Values(wb.array(x), np.zeros(8)))

    assert "first difference at [5]" in text
    assert "differs in 1 of 8 elements" in text


def asked(values: Values, content: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    sent: list[Any] = []
    monkeypatch.setattr(values, "send", lambda *message: sent.append(message))
    values._answer(values, content, [])
    return sent


def test_a_piece_is_sent_as_the_bytes_of_its_elements(
    values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((said, buffers),) = asked(
        values, {"kind": "piece", "of": "values", "start": 4, "count": 3}, monkeypatch
    )

    assert said == {"kind": "piece", "of": "values", "start": 4}
    assert np.frombuffer(buffers[0], np.float32).tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "piece", "of": "values", "start": 20, "count": 5},
        {"kind": "piece", "of": "values", "start": -1, "count": 2},
        {"kind": "piece", "of": "reference", "start": 0, "count": 1},
        {"kind": "piece", "of": "values", "start": "0", "count": 1},
        {"kind": "other"},
        "piece",
    ],
)
def test_what_is_not_there_is_not_sent(
    content: Any, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(values, content, monkeypatch) == []


def test_a_piece_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    large = Values(wb.array(np.zeros(LARGEST_PIECE // 4 + 1, np.float32)))
    whole = {"kind": "piece", "of": "values", "start": 0, "count": LARGEST_PIECE // 4 + 1}

    assert asked(large, whole, monkeypatch) == []


def test_values_shown_stay_when_the_array_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    a = wb.array(np.zeros(3, np.float32))
    shown = Values(a)
    a[...] = 1
    ((_, buffers),) = asked(
        shown, {"kind": "piece", "of": "values", "start": 0, "count": 3}, monkeypatch
    )

    assert np.frombuffer(buffers[0], np.float32).tolist() == [0, 0, 0]


def test_the_state_is_json_with_the_places_to_jump_to() -> None:
    x = np.array([[0, 1], [np.nan, 3]], np.float32)
    state = json.loads(Values(wb.array(x), np.zeros((2, 2))).state)

    assert state["first_nan"] == [1, 0]
    assert state["difference"]["first"] == [0, 1]


def test_show_prints_where_there_is_no_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    wb.array(np.arange(3, dtype=np.int32)).show(name="steps")

    assert capsys.readouterr().out.startswith("steps i32[3] on host\n")
