"""Roofs measured on the devices here, and kernels explained by them."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.runtime.device import open_device
from workbench.session import roofs as roofs_module
from workbench.session.kernel import Kernel

HERE = [n for n in ("cpu", "wasm", "native") if open_device(n).describe().available]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Roofs of next to no budget: what they are is not looked at."""
    monkeypatch.setattr(roofs_module, "SECONDS", 0.01)
    monkeypatch.setattr(roofs_module, "COPIED", dict.fromkeys(roofs_module.COPIED, 1 << 12))
    monkeypatch.setattr(roofs_module, "_known", {})


@pytest.fixture(scope="module")
def matmul() -> Kernel:
    return wb.kernel(
        "def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:\n"
        "    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))\n"
        "    return C\n"
    )


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("on", HERE)
def test_a_kernel_is_explained_by_the_roofs_of_its_device(matmul: Kernel, on: str) -> None:
    c = matmul.compile(on=on, dims={"M": 24, "K": 16, "N": 20})
    found = c.explain()

    assert found.work.operations == 2 * 24 * 16 * 20
    assert found.work.needed == 4 * (24 * 16 + 16 * 20 + 24 * 20)
    assert found.work.dispatches == 1
    assert found.roofs.device == on
    assert set(found.bounds) == {"memory", "arithmetic", "dispatch"}
    assert found.roofs is wb.roofs(on)
    assert "<svg" in found._repr_html_()


@pytest.mark.usefixtures("quick")
def test_the_steps_that_would_help_are_legal_and_move_less(matmul: Kernel) -> None:
    dims = {"M": 32, "K": 32, "N": 32}
    c = matmul.compile(on="cpu", dims=dims)
    steps = c.explain().next_steps

    assert steps
    for line in steps:
        call = line.strip().partition("): ")[0] + ")"
        assert "reads" in line or "writes" in line
        taken = eval(f"schedule.{call}", {"schedule": c.schedule})  # noqa: S307  (our own text)
        matmul.compile(on="cpu", dims=dims, schedule=taken)


@pytest.mark.usefixtures("quick")
def test_the_roof_of_arithmetic_keeps_its_values_in_registers() -> None:
    lanes = roofs_module._lanes(open_device("cpu"))
    text = roofs_module._ARITHMETIC.format(values=16 * lanes, turns=8)
    k = roofs_module._kernel(text)
    plan = roofs_module._in_registers(k, lanes)
    c = k.compile(on="cpu", dims={"N": 64}, schedule=plan)
    x = np.linspace(0, 1, 64, dtype=np.float32)

    assert c.check({"x": x, "c": 0.999}).ok
    turns = c.stages["asm"].text.partition("vmulps")[2].rpartition("vmulps")[0]
    assert "(%rsp)" not in turns


def test_what_dispatches_as_often_as_its_data_say_is_refused() -> None:
    with pytest.raises(wb.DeviceError, match="no device 'gpu'"):
        wb.roofs("gpu")
