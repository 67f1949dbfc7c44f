"""Live kernels: what drives each scalar, what feeds back, and what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.base.dtypes import F32, I32
from workbench.runtime import device as devices
from workbench.runtime.null import NullDevice
from workbench.session.live import Fixed, Follower, Live, Slider, live

WAVE = (
    "def wave(n: i32, t: f32, a: f32 = 0.5, k: i32 = 3) -> f32[n]:\n"
    "    y[i] = a * sin(k * i * 0.1 + t)\n    return y\n"
)
DECAY = (
    "def decay(u: f32[H, W], v: f32[H, W], rate: f32) -> (f32[H, W], f32[H, W], f32):\n"
    "    u[i, j] = u[i, j] * rate\n    w[i, j] = u[i, j] + v[i, j]\n"
    "    s = sum(w[i, j] for i in range(H) for j in range(W))\n    return u, w, s\n"
)


@pytest.fixture(autouse=True)
def _page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(devices._opened, "browser", NullDevice(name="browser"))


def plan(text: str, *args: Any, **named: Any) -> Live:
    options = {n: named.pop(n) for n in ("show", "scale", "steps") if n in named}
    return live(wb.kernel(text), args, named, **options)


def test_numbers_start_sliders_and_extents_are_fixed() -> None:
    found = plan(WAVE, 64, t="time").controls

    assert {c.name: c for c in found} == {
        "t": Follower("t", F32, "time"),
        "a": Slider("a", F32, 0.0, 1.0, 0.5),
        "k": Slider("k", I32, 0, 10, 3),
    } | {c.name: c for c in found if isinstance(c, Fixed)}


def test_ranges_are_taken_as_they_are_said() -> None:
    found = {c.name: c for c in plan(WAVE, 64, t=(0, 6.5), a=(0, 2, 1), k=(1, 9)).controls}

    assert found["t"] == Slider("t", F32, 0, 6.5, 0)
    assert found["a"] == Slider("a", F32, 0, 2, 1)
    assert found["k"] == Slider("k", I32, 1, 9, 1)


def test_outputs_named_like_a_parameter_feed_back() -> None:
    u = np.ones((4, 6), np.float32)
    found = plan(DECAY, u, u, rate=0.9)
    first = found.compilation.program.outputs[0]

    assert found.feedback == {first: "u"}
    assert (found.picture.output, found.picture.drawn) == (first, "image")


@pytest.mark.parametrize(("show", "drawn"), [("w", "image"), ("s", "number")])
def test_another_output_is_drawn_by_its_name(show: str, drawn: str) -> None:
    u = np.ones((4, 6), np.float32)

    assert plan(DECAY, u, u, rate=0.9, show=show).picture.drawn == drawn


def test_a_vector_is_a_line() -> None:
    assert plan(WAVE, 64, t=1.0).picture.drawn == "line"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"t": "tide"}, "t is 'tide'; live it is a number, a range, or one of time, frame"),
        ({"t": (3, 1)}, r"t is \(3, 1\), which is no range"),
        ({"t": (0, 1, 2)}, r"t is \(0, 1, 2\), which is no range"),
        ({"t": 0, "k": 1.5}, "k is 1.5; live it is a whole number"),
        ({"t": float("nan")}, "t is nan; live it is a number"),
        ({"t": 0, "n": "time"}, "n is 'time'; live it is a whole number"),
        ({"t": 0, "show": "z"}, "it returns no 'z'; it returns y"),
        ({"t": 0, "scale": (1, 1)}, r"scale is \(1, 1\), not from low to high"),
        ({"t": 0, "steps": 0}, "steps is 0, below 1"),
        ({}, "no value for t"),
    ],
)
def test_what_does_not_fit_is_refused(named: dict[str, Any], message: str) -> None:
    with pytest.raises(wb.CallError, match=message):
        plan(WAVE, **({"n": 64} | named))


def test_shapes_that_are_not_drawn_are_refused() -> None:
    text = "def f(x: f32[A, B, C]) -> f32[A, B, C]:\n    y[i, j, k] = x[i, j, k]\n    return y\n"

    with pytest.raises(wb.CallError, match=r"y has shape \(2, 2, 5\), which is not drawn live"):
        plan(text, np.zeros((2, 2, 5), np.float32))
    assert plan(text, np.zeros((2, 2, 3), np.float32)).picture.drawn == "image"


def test_without_a_page_another_device_computes_the_first_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(devices._opened, "browser")
    found = plan(WAVE, 64, t=0)

    assert found.device == "cpu"
    assert found.note.startswith("not live: there is no page")


def test_the_first_frame_is_shown_as_text_and_html(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(devices._opened, "browser")
    u = np.ones((9, 12), np.float32)
    wb.kernel(DECAY).live(u, u, rate=(0.5, 1, 0.9))
    text = capsys.readouterr().out

    assert "rate from 0.5 to 1, now 0.9" in text
    assert "first frame: u f32[9, 12]  min 0.9 · mean 0.9 · max 0.9" in text


def test_a_kernel_that_fails_fails_where_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(devices._opened, "browser")
    text = "def pick(x: f32[N], at: i32[M]) -> f32[M]:\n    y[i] = x[at[i]]\n    return y\n"

    with pytest.raises(wb.DeviceError, match="outside its extent"):
        wb.kernel(text).live(np.zeros(3, np.float32), np.array([7], np.int32))
