"""f16 in a real page: right where its adapter has shader-f16, refused with the cause elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.base.errors import CodegenError
from workbench.runtime.browser import BrowserDevice

TEXT = """
def scaled(x: f16[N], c: f16) -> f16[N]:
    y[i] = exp(x[i]) * c + x[N - 1 - i]
    return y
"""


def test_f16_runs_where_the_adapter_has_it_and_is_refused_elsewhere(joined: BrowserDevice) -> None:
    k = wb.kernel(TEXT)
    x = np.linspace(-2, 2, 33).astype(np.float16)
    if "shader-f16" in joined.describe().features:
        wide = x.astype(np.float64)
        expected = np.exp(wide) * np.float64(np.float16(0.1)) + wide[::-1]
        np.testing.assert_allclose(k(x, 0.1, on="browser"), expected, rtol=4e-3, atol=4e-3)
        return
    with pytest.raises(CodegenError) as error:
        k(x, 0.1, on="browser")

    (mistake,) = error.value.mistakes
    assert mistake.message == "'x' is f16: this device has no shader-f16"
    assert mistake.hint == "on='cpu', or f32"


@pytest.mark.usefixtures("joined")
def test_f64_is_refused_in_a_page_with_its_cause() -> None:
    k = wb.kernel("def f(x: f64[N]) -> f64[N]:\n    y[i] = 2 * x[i]\n    return y\n")
    with pytest.raises(CodegenError, match="'x' is f64: WGSL has no f64"):
        k(np.ones(3), on="browser")
