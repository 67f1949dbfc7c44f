"""Names that what is generated uses itself: a kernel of the user may use them, too."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.runtime.device import open_device

DEVICES = [n for n in ("cpu", "wasm", "native") if open_device(n).describe().available]


def doubled(name: str = "double", local: str = "value", scalar: str = "factor") -> wb.Kernel:
    return wb.kernel(
        f"def {name}(x: f32[N], {scalar}: f32) -> f32[N]:\n"
        "    for i in grid(N):\n"
        f"        {local} = exp(x[i]) - exp(x[i])\n"
        f"        {local} = {local} + x[i] * {scalar}\n"
        f"        y[i] = {local}\n"
        "    return y\n"
    )


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize("name", ["local_id_x", "workgroup_id_x", "local_index", "main", "status"])
def test_locals_and_scalars_may_be_called_like_ids(name: str, on: str) -> None:
    x = np.linspace(-1, 1, 70, dtype=np.float32)

    for k in (doubled(local=name), doubled(scalar=name)):
        assert np.array_equal(k(x, 2.0, on=on), 2 * x)
        assert k.compile(on=on).check()


@pytest.mark.parametrize("on", DEVICES)
def test_a_scalar_may_be_called_like_the_index_of_a_copy(on: str) -> None:
    k = wb.kernel(
        "def k(x: f32[N, N], local_index: f32) -> f32[N, N]:\n"
        "    y[i, j] = sum(x[i, q] * x[q, j] for q in range(N)) * local_index\n    return y\n"
    )
    x = np.random.default_rng(0).uniform(-1, 1, (20, 20)).astype(np.float32)

    assert np.allclose(k(x, 2.0, on=on), 2 * (x @ x), atol=1e-4)
