"""Timelines of calls on the devices here: what each part of a call is, and which clock told it."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.program import dispatches, steps
from workbench.runtime import device as device_module
from workbench.runtime.device import open_device
from workbench.session.kernel import Kernel

HERE = [n for n in ("cpu", "wasm", "native") if open_device(n).describe().available]


@pytest.fixture(scope="module")
def softmax() -> Kernel:
    return wb.kernel(
        "def softmax(x: f32[M, N]) -> f32[M, N]:\n"
        "    top[i] = max(x[i, j] for j in range(N))\n"
        "    e[i, j] = exp(x[i, j] - top[i])\n"
        "    y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))\n"
        "    return y\n"
    )


@pytest.mark.parametrize("on", HERE)
def test_every_part_of_a_call_has_its_time(softmax: Kernel, on: str) -> None:
    x = np.random.default_rng(0).random((33, 20), np.float32)
    found = softmax.timeline(x, on=on)
    (run,) = found.of("run")
    c = softmax.compile(on=on, dims={"M": 33, "N": 20})

    assert (found.name, found.device) == ("softmax", on)
    compiled = [s.name for s in c.stages.all if s.seconds]
    assert [s.name for s in found.of("compile")] == compiled
    assert [s.name for s in found.of("upload", "read")] == ["x, 2.58 KiB", "y, 2.58 KiB"]
    kernels = [d.kernel for d in dispatches(c.program.body)]
    assert [s.name for s in found.of("dispatch")] == kernels
    assert len(kernels) > 1
    assert 0 < found.seconds("dispatch") <= run.seconds
    assert all(run.start <= s.start and s.end <= run.end for s in found.of("dispatch"))


@pytest.mark.parametrize("on", HERE)
def test_dispatches_are_timed_by_the_clock_that_is_said(softmax: Kernel, on: str) -> None:
    found = softmax.timeline(np.ones((8, 8), np.float32), on=on)
    clocks = {s.clock for s in found.of("dispatch")}
    stamps = "timestamp-query" in open_device(on).describe().features

    assert clocks == {"timestamp-query" if stamps else "wall"}
    assert all(found.steps[clock] > 0 for clock in clocks)


def test_each_turn_of_a_repeat_is_a_dispatch() -> None:
    heat = wb.kernel(
        "def heat(u0: f32[N], T: i32) -> f32[N]:\n"
        "    u: f32[N]\n"
        "    u[i] = u0[i]\n"
        "    for t in range(T):\n"
        "        u[i] = 0.5 * (u[max(i - 1, 0)] + u[min(i + 1, N - 1)])\n"
        "    return u\n"
    )
    found = heat.timeline(np.ones(40, np.float32), 7, on="cpu")
    assert heat.last is not None

    assert len(found.of("dispatch", "copy")) == steps(heat.last.compilation.program.body)
    assert len(found.of("dispatch")) >= 7


@pytest.mark.parametrize("on", HERE)
def test_what_has_too_many_dispatches_is_one_bar_that_says_so(
    softmax: Kernel, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "MOST_TRACED", 1)
    found = softmax.timeline(np.ones((8, 8), np.float32), on=on)

    assert found.of("dispatch") == ()
    (bar,), (run,) = found.of("submit"), found.of("run")
    assert (bar.start, bar.seconds, bar.clock) == (run.start, run.seconds, "wall")
    assert "one bar for all dispatches" in found.notes[0]


@pytest.mark.parametrize("on", HERE)
def test_a_call_that_is_not_traced_keeps_no_stamps(softmax: Kernel, on: str) -> None:
    y = softmax(np.ones((8, 8), np.float32), on=on)
    y.numpy()

    assert y.call.timing.stamps == ()


@pytest.mark.skipif("native" not in HERE, reason="native is not here")
def test_a_shader_written_by_hand_has_a_timeline_too() -> None:
    shader = wb.from_wgsl(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;\n"
        "@group(0) @binding(1) var<storage, read_write> y: array<f32>;\n"
        "@compute @workgroup_size(64)\n"
        "fn twice(@builtin(global_invocation_id) id: vec3<u32>) {\n"
        "    if (id.x < arrayLength(&y)) { y[id.x] = 2.0 * x[id.x]; }\n"
        "}\n"
    )
    x = np.ones(100, np.float32)
    found = shader.timeline(x, workgroups=2, outputs={"y": (100,)}, on="native")

    assert [s.name for s in found.of("dispatch")] == ["twice"]
    assert found.of("compile") == ()
    assert shader.last is not None
    np.testing.assert_array_equal(shader.last.outputs[0].numpy(), 2 * x)
