"""The pages of `docs` say what is: every example is run, and what is made is up to date."""

from __future__ import annotations

import re
from math import isnan

import numpy as np
import pytest

import workbench as wb
from tests.documents.examples import Call, Cell
from tests.documents.numerics import (
    GRIDS,
    OTHERS,
    TARGETS,
    documented,
    here,
    largest_error,
    measured,
    numerics_page,
    promised,
    special_exactly,
    special_values,
)
from tests.documents.pages import BEGIN, DOCS, errors_page, language_page, refusal
from tests.documents.refusals import GROUPS
from workbench.base import errors
from workbench.base.dtypes import DType
from workbench.base.errors import WorkbenchError
from workbench.ir.ops import ROWS, Op
from workbench.lang.calls import FUNCTIONS

SNIPPET = re.compile(r"^```python( kernel)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [(group.error, example) for group in GROUPS for example in group.examples]
AGAIN = "docs/{} is not up to date; run `python -m tests.documents` and read the difference"


def test_every_example_of_the_language_runs() -> None:
    """A kernel becomes a name, and the Python after it uses the names."""
    page = (DOCS / "language.md").read_text(encoding="utf-8").partition(BEGIN)[0]
    snippets = SNIPPET.findall(page)
    names: dict[str, object] = {}
    for kind, text in snippets:
        if kind:
            k = wb.kernel(text)
            names[k.name] = k
        else:
            exec(compile(text, "docs/language.md", "exec"), names)  # noqa: S102

    assert len(snippets) > 20


def test_the_page_of_the_language_names_every_function() -> None:
    page = (DOCS / "language.md").read_text(encoding="utf-8")

    assert [name for name in sorted(FUNCTIONS) if f"`{name}`" not in page] == []


@pytest.mark.parametrize(("error", "example"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_ends_in_its_kind_of_error(error: str, example: Cell | Call) -> None:
    assert type(refusal(example)).__name__ == error


def test_every_kind_of_error_has_an_example() -> None:
    kinds = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, WorkbenchError)
    }

    assert {group.error for group in GROUPS} == kinds - {"WorkbenchError"}


def test_the_page_of_errors_is_up_to_date() -> None:
    page = (DOCS / "errors.md").read_text(encoding="utf-8")

    assert page == errors_page(), AGAIN.format("errors.md")


def test_what_is_not_there_yet_is_up_to_date() -> None:
    page = (DOCS / "language.md").read_text(encoding="utf-8")

    assert page == language_page(), AGAIN.format("language.md")


@pytest.mark.parametrize("target", [t for t in TARGETS if t != "browser"])
@pytest.mark.parametrize("row", measured(), ids=lambda row: row.name)
def test_no_error_is_larger_than_documented(row: Op, target: str) -> None:
    if not here(target):
        pytest.skip(f"{target} is not here")

    assert largest_error(row, target) <= documented(row)


@pytest.mark.parametrize(("dtype", "target"), OTHERS)
@pytest.mark.parametrize("row", measured(), ids=lambda row: row.name)
def test_no_error_of_another_dtype_is_larger_than_documented(
    row: Op, dtype: DType, target: str
) -> None:
    if not here(target):
        pytest.skip(f"{target} is not here")

    assert largest_error(row, target, dtype) <= documented(row, dtype)


@pytest.mark.parametrize("target", ["cpu", "wasm"])
@pytest.mark.parametrize("row", measured(), ids=lambda row: row.name)
def test_a_processor_gives_numpys_answer_for_nan_and_infinities(row: Op, target: str) -> None:
    if not here(target):
        pytest.skip(f"{target} is not here")

    np.testing.assert_array_equal(special_values(row, target), special_exactly(row))


@pytest.mark.parametrize("row", measured(), ids=lambda row: row.name)
def test_infinities_come_out_right_on_a_gpu(row: Op) -> None:
    if not here("native"):
        pytest.skip("native is not here")
    expected = special_exactly(row)[1:]
    found = special_values(row, "native")[1:]

    assert [f for f, e in zip(found, expected, strict=True) if f != e and not isnan(e)] == []


def test_every_operation_on_floats_is_measured() -> None:
    compares = {row.name for row in ROWS if row.compares}
    floats = {row.name for row in ROWS if "f" in row.kinds}

    assert floats - compares - set(GRIDS) == {"remainder"}


def test_the_page_of_numbers_is_up_to_date() -> None:
    page = (DOCS / "numerics.md").read_text(encoding="utf-8")

    assert promised(page) == promised(numerics_page()), AGAIN.format("numerics.md")


def test_what_is_not_measured_stays_as_it_was() -> None:
    page = (DOCS / "numerics.md").read_text(encoding="utf-8")

    assert numerics_page(page) == page
