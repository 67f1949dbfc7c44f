"""From values of the compiler to values of the panel."""

import numpy as np
import pytest

from workbench.base.errors import Mistake, SourceError
from workbench.base.source import Origin, Source, Span, join
from workbench.base.text import Writer
from workbench.widget.messages import Caret
from workbench.widget.states import failure_of, number_origins, output_of


def test_texts_of_one_program_share_their_origins() -> None:
    source = Source("A[i] * B[i]")
    left = Origin(Span(source, 0, 4))
    right = Origin(Span(source, 7, 11))
    product = join(left, right, note="multiply")
    first, second = Writer(), Writer()
    with first.mark(left):
        first.write("A[i]")
    with second.mark(product):
        second.write("a * b")

    origins, (one, two) = number_origins((first.text(), second.text()), source)

    assert one == (0, 4, 0)
    assert origins.parents[two[2]] == (one[2], 2)
    assert origins.spans == ((0, 4), None, (7, 11))
    assert origins.notes[two[2]] == "multiply"


def test_spans_of_another_source_are_left_out() -> None:
    written = Writer()
    with written.mark(Origin(Span(Source("other"), 0, 3))):
        written.write("x")

    origins, _ = number_origins((written.text(),), Source("mine"))

    assert origins.spans == (None,)


def test_a_mistake_that_stands_alone_is_the_message() -> None:
    source = Source("y = é + z")
    error = SourceError("unknown name 'z'", span=Span(source, 8, 9), hint="'x'")

    failure = failure_of(error)

    assert (failure.kind, failure.message, failure.hint) == (
        "SourceError",
        "unknown name 'z'",
        "'x'",
    )
    assert failure.texts[0].carets == (Caret(1, 8, 1),)


def test_several_mistakes_stand_in_words_at_their_carets() -> None:
    source = Source("y = q\nw = z\n")
    error = SourceError(
        Mistake("unknown name 'q'", Span(source, 4, 5)),
        Mistake("unknown name 'z'", Span(source, 10, 11), hint="'y'"),
        Mistake("nothing is returned"),
    )

    failure = failure_of(error)

    assert failure.message == "3 mistakes\nnothing is returned"
    assert [caret.words for caret in failure.texts[0].carets] == [
        "unknown name 'q'",
        "unknown name 'z'; try: 'y'",
    ]


def test_a_caret_ends_with_its_line() -> None:
    source = Source("while x:\n    y = 1\n")

    (text,) = failure_of(SourceError("no while", span=Span(source, 0, 18))).texts

    assert text.carets[0].length == len("while x:")


def test_a_large_result_is_shown_by_its_corners_and_as_a_picture() -> None:
    output = output_of("C", np.arange(10_000, dtype=np.int32).reshape(100, 100))

    assert output.numbers == (("min", "0"), ("mean", "4999.5"), ("max", "9999"))
    assert output.rows[0] == ("0", "1", "2", "…", "97", "98", "99")
    assert output.rows[3] == ("…",) * 7
    assert output.image is not None
    assert output.thumbnail is not None
    assert len(output.thumbnail) < len(output.image)


@pytest.mark.parametrize(
    ("array", "numbers", "rows"),
    [
        (np.array(2.5, np.float32), (("min", "2.5"), ("mean", "2.5"), ("max", "2.5")), (("2.5",),)),
        (np.zeros((0, 4), np.float32), (("elements", "0"),), ()),
        (np.zeros((0, 4, 4), np.float32), (("elements", "0"),), ()),
        (np.array([True, False]), (("true", "1 of 2"),), (("True", "False"),)),
        (np.array([np.nan, -np.inf], np.float32), (("nan", "1"), ("inf", "1")), (("nan", "-inf"),)),
    ],
)
def test_small_odd_and_empty_results_are_words(
    array: np.ndarray, numbers: tuple, rows: tuple
) -> None:
    output = output_of("x", array)

    assert (output.numbers, output.rows, output.image) == (numbers, rows, None)
