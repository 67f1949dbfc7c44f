"""Live kernels: what drives each scalar, what feeds back, and what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.base.dtypes import F32, I32
from workbench.runtime import device as devices
from workbench.runtime.null import NullDevice
from workbench.session.live import OPTIONS, Fixed, Follower, Live, Slider, apart, live
from workbench.widget.live import first_frame

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
    options = {n: named.pop(n, None) for n in OPTIONS}
    k = wb.kernel(text)
    arguments, given = apart(k, named, options)
    return live(k, args, arguments, **given)


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


OWN = (
    "def own(x: f32[N], scale: f32, steps: i32) -> (f32[N], f32[N]):\n"
    "    y[i] = x[i] * scale\n    z[i] = x[i] + f32(steps)\n    return y, z\n"
)


def test_a_parameter_keeps_its_name_and_the_option_gets_an_underscore() -> None:
    x = np.ones(4, np.float32)
    found = plan(OWN, x, scale=(0, 2, 1), steps=3, scale_=(-1, 1), steps_=5, show="z")
    sliders = {c.name: c for c in found.controls}

    assert sliders["scale"] == Slider("scale", F32, 0, 2, 1)
    assert sliders["steps"] == Slider("steps", I32, 0, 10, 3)
    assert found.steps == 5
    assert found.picture.range == (-1, 1)
    assert found.picture.output == found.compilation.program.outputs[1]


def test_an_option_given_to_a_parameter_of_its_name_is_explained() -> None:
    text = "def f(x: f32[N], show: i32) -> f32[N]:\n    y[i] = x[i] + f32(show)\n    return y\n"
    with pytest.raises(wb.CallError, match="show is 'y'; live it is a whole number") as caught:
        plan(text, np.ones(4, np.float32), show="y")

    assert "show_='y' for the option of that name" in caught.value.mistakes[0].hint
    with pytest.raises(wb.CallError, match="no parameter 'scale_'"):
        plan(text, np.ones(4, np.float32), show=1, scale_=(0, 1))


def test_from_the_fourth_size_on_dims_are_uniforms_that_stay() -> None:
    k = wb.kernel(DECAY)
    made = [live(k, (np.ones((n, 6), np.float32),) * 2, {"rate": 0.5}) for n in (3, 4, 5, 6, 7, 8)]
    last = made[-1]

    assert [m.compilation.open for m in made] == [(), (), (), ("H",), ("H",), ("H",)]
    assert len(k.compilations) == 4
    assert [c for c in last.controls if c.name == "H"] == [Fixed("H", I32, 8)]
    assert [c.name for c in last.controls] == [p.name for p in last.compilation.program.scalars]


def test_a_first_frame_with_uniforms_is_that_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(devices._opened, "browser")
    k = wb.kernel(DECAY)
    frames = [
        first_frame(live(k, (np.ones((n, 6), np.float32),) * 2, {"rate": 0.5}))
        for n in (3, 4, 5, 6)
    ]

    assert frames[-1].plan.compilation.open == ("H",)
    assert frames[-1].output.shape == (6, 6)
    assert dict(frames[-1].output.numbers)["mean"] == "0.5"


def test_results_in_panels_are_not_drawn() -> None:
    k = wb.kernel(
        "def scaled(u: f32[H, W], a: f32) -> f32[H, W]:\n    y[i, j] = a * u[i, j]\n    return y\n"
    )
    u = np.ones((4, 8), np.float32)
    with pytest.raises(wb.CallError, match="y is in panels of 4 along axis 1") as caught:
        live(k, (u,), {"a": 1.0}, schedule=k.schedule().transform_layout("y", 1, 4))

    assert caught.value.mistakes[0].hint.startswith("schedule= one without transform_layout('y'")
