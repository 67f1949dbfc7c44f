"""Updates of loop blocks in a real page: none is lost, and Tint takes what we write."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end.kernels import Case, wide
from tests.end_to_end.kernels_atomics import CASES
from tests.end_to_end.test_atomics import GREATEST, HISTOGRAM, WEIGHTED
from workbench.ir.compare import agreement

COUNT = 200_000


pytestmark = pytest.mark.usefixtures("joined")


@pytest.mark.parametrize("bins", [256, 1])
def test_no_count_is_lost(bins: int) -> None:
    b = np.random.default_rng(0).integers(0, bins, COUNT).astype(np.int32)
    found = wb.kernel(HISTOGRAM.replace("256", str(bins)))(b, on="browser").numpy()

    np.testing.assert_array_equal(found, np.bincount(b, minlength=bins))


def test_no_weight_is_lost() -> None:
    rng = np.random.default_rng(1)
    b = rng.integers(0, 16, COUNT).astype(np.int32)
    w = rng.integers(-8, 9, COUNT).astype(np.float32)
    found = wb.kernel(WEIGHTED)(b, w, on="browser").numpy()

    np.testing.assert_array_equal(found, np.bincount(b, w, minlength=16))


def test_nan_stays_the_greatest() -> None:
    b = np.arange(4000, dtype=np.int32) % 4
    v = np.arange(4000, dtype=np.float32)
    v[[8, 2001, 2002]] = np.nan
    found = wb.kernel(GREATEST)(b, v, on="browser").numpy()

    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 3999])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_page_gives_what_numpy_gives(case: Case) -> None:
    values = case.inputs(np.random.default_rng(1))
    expected = case.reference(**wide(values))
    found = wb.kernel(case.text)(**values, on="browser")

    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for a, e in pairs:
        result = agreement(
            np.asarray(a), np.asarray(e), np.asarray(a).dtype, terms=case.terms, scale=case.scale
        )
        assert result.ok, result.words
