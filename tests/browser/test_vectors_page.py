"""Vectors and registers in a page: what the browser's compiler of WGSL makes of them."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end.test_vectors import CASES, MATMUL, WGSL_TILE, Case
from workbench.ir.compare import agreement

pytestmark = pytest.mark.usefixtures("joined")


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_scheduled_kernel_gives_what_numpy_gives(case: Case) -> None:
    found = np.asarray(wb.kernel(case.text)(**case.inputs, on="browser", schedule=case.schedule))
    result = agreement(found, case.reference(**case.inputs), found.dtype, terms=64)

    assert result.ok, result.words


def test_the_tile_of_vec4_multiplies() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((64, 32), np.float32), rng.random((32, 128), np.float32)
    found = np.asarray(wb.kernel(MATMUL)(a, b, on="browser", schedule=WGSL_TILE))

    np.testing.assert_allclose(found, a @ b, rtol=1e-5)
