"""Every kernel of `kernels.py` at every stage and on every device, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end import (
    kernels,
    kernels_atomics,
    kernels_functions,
    kernels_parts,
    kernels_scans,
    kernels_steps,
)
from tests.end_to_end.kernels import Case, wide
from workbench.ir.compare import agreement
from workbench.runtime.device import open_device

CASES = (
    *kernels.CASES, *kernels_functions.CASES, *kernels_parts.CASES, *kernels_scans.CASES,
    *kernels_steps.CASES, *kernels_atomics.CASES,
)  # fmt: skip
DEVICES = ("cpu", "wasm", "native")


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_device_gives_what_numpy_gives(case: Case, on: str) -> None:
    description = open_device(on).describe()
    if not description.available:
        pytest.skip(f"{on}: {description.cause}")
    values = case.inputs(np.random.default_rng(1))
    expected = case.reference(**wide(values))
    found = wb.kernel(case.text)(**values, on=on)

    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for a, e in pairs:
        found = np.asarray(a)
        result = agreement(found, np.asarray(e), found.dtype, terms=case.terms, scale=case.scale)
        assert result.ok, result.words


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_stage_gives_what_the_graph_gives(case: Case, on: str) -> None:
    values = case.inputs(np.random.default_rng(2))
    k = wb.kernel(case.text)
    k(**values, on=on)
    assert k.last is not None
    checks = k.last.compilation.check(dict(values))

    assert checks.ok, checks
