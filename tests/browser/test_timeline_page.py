"""Timelines of calls in a page: by the timestamps of its GPU, and by the clock of its workers."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.program import dispatches
from workbench.runtime import device as devices
from workbench.runtime.browser import BrowserDevice

SOFTMAX = (
    "def softmax(x: f32[M, N]) -> f32[M, N]:\n"
    "    top[i] = max(x[i, j] for j in range(N))\n"
    "    e[i, j] = exp(x[i, j] - top[i])\n"
    "    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))\n"
    "    return y\n"
)


@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize(
    ("on", "clock", "told_step"),
    # Of a browser that is not told to show its developers' features the step is 65,536 ns.
    [("browser", "timestamps of", 1e-9), ("browser-wasm", "the page's workers", 0.0)],
)
def test_every_dispatch_in_a_page_has_its_time(
    on: str, clock: str, told_step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One that an earlier test opened may stand beside a page of that test's own.
    monkeypatch.delitem(devices._opened, "browser-wasm", raising=False)
    k = wb.kernel(SOFTMAX)
    x = np.random.default_rng(0).random((65, 40), np.float32)
    found = k.timeline(x, on=on)
    c = k.compile(on=on, dims={"M": 65, "N": 40})
    told = {s.clock for s in found.of("dispatch")}

    assert [s.name for s in found.of("dispatch")] == [d.kernel for d in dispatches(c.program.body)]
    assert len(told) == 1
    assert told.pop().startswith(clock)
    assert found.steps[found.of("dispatch")[0].clock] == pytest.approx(told_step)
    assert [s.name for s in found.of("upload", "read")] == ["x, 10.2 KiB", "y, 10.2 KiB"]


def test_a_call_that_is_not_traced_keeps_no_stamps(joined: BrowserDevice) -> None:
    y = wb.kernel(SOFTMAX)(np.ones((8, 8), np.float32), on=joined.name)
    y.numpy()

    assert y.call.timing.stamps == ()
    assert y.call.timing.kernel is not None
