"""The widget of a live kernel: the page runs it, moves its scalars and draws it, without Python.

The kernel is run once here before, so that an error is raised where it was called, and so that a
saved notebook shows the first frame. After that the page needs nothing of this process. Where
there is no page the first frame is all there is.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import traitlets
from IPython.display import display

from workbench.runtime.browser import BrowserDevice
from workbench.runtime.device import open_device
from workbench.session.live import Control, Fixed, Follower, Live, Slider, apart, live
from workbench.widget.messages import Json, Output
from workbench.widget.states import output_of
from workbench.widget.twinned import Twinned
from workbench.widget.twins import STYLE, aligned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.session.kernel import Kernel


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """What a plan draws at its start: all that is seen where nothing runs it."""

    plan: Live
    output: Output

    def __repr__(self) -> str:
        return text_twin(self)

    def _repr_html_(self) -> str:
        return html_twin(self)


class LiveKernel(Twinned):
    """The widget; closing it ends the run in the page and gives its buffers back."""

    kind = traitlets.Unicode("live").tag(sync=True)
    state = traitlets.Bytes().tag(sync=True)

    def __init__(self, first: FirstFrame) -> None:
        """Make the widget of a plan for the page."""
        device = open_device("browser")
        assert isinstance(device, BrowserDevice)
        self.first = first
        # The page copies from these when it starts; held here, they stay until the widget goes.
        handles = {n: int(str(a.on(device).handle)) for n, a in first.plan.arrays.items()}
        super().__init__(state=encode(first.plan, handles, device.serve().token))

    def twins(self) -> tuple[str, str]:
        """The first frame as text, and as HTML without a script."""
        return text_twin(self.first), html_twin(self.first)


def show(
    k: Kernel,
    args: tuple[Any, ...],
    named: Mapping[str, Any],
    schedule: Any,
    options: Mapping[str, Any],
) -> None:
    """Draw a live kernel; see `Kernel.live`."""
    arguments, given = apart(k, named, options)
    first = first_frame(live(k, args, arguments, schedule=schedule, **given))
    display(LiveKernel(first) if first.plan.device == "browser" else first)


def first_frame(plan: Live) -> FirstFrame:
    """Run a plan once, so that what is wrong with it is raised here. Raises what the run raises."""
    k, c = plan.kernel, plan.compilation
    starts = {control.name: _value(control) for control in plan.controls}
    starts |= {name: int(value) for name, value in c.dims.items()}
    scalars = {s.name: starts[s.name] for s in k.graph.scalars}
    k(**plan.arrays, **scalars, on=plan.device, schedule=plan.schedule)
    assert k.last is not None
    at = c.program.outputs.index(plan.picture.output)
    shown = k.last.outputs[at]
    return FirstFrame(plan, output_of(k.graph.outputs[at], shown.numpy(), dtype=shown.dtype.name))


def encode(plan: Live, handles: Mapping[str, int], token: str) -> bytes:
    """The plan as JSON bytes for `js/src/live/plan.ts`; `token` names the kernel process."""
    picture = plan.picture
    b = plan.compilation.program.buffer(picture.output)
    message: dict[str, Json] = {
        "title": plan.kernel.signature(),
        "token": token,
        "program": plan.compilation.program.to_json(),
        "inputs": dict(handles),
        "controls": [_control(c) for c in plan.controls],
        "feedback": dict(plan.feedback),
        "steps": plan.steps,
        "picture": {
            "output": picture.output,
            "drawn": picture.drawn,
            "dtype": b.dtype.name,
            "shape": list(b.shape),
            "range": None if picture.range is None else list(picture.range),
        },
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _control(control: Control) -> Json:
    match control:
        case Slider(name, dtype, low, high, start):
            return {"kind": "slider", "name": name, "dtype": dtype.name, "low": low,
                    "high": high, "start": start}  # fmt: skip
        case Follower(name, dtype, follows):
            return {"kind": "follower", "name": name, "dtype": dtype.name, "follows": follows}
        case Fixed(name, dtype, value):
            return {"kind": "fixed", "name": name, "dtype": dtype.name, "value": value}
        case _:
            assert_never(control)


def _value(control: Control) -> float | int | bool:
    """What a scalar is at the first frame, as a call takes it."""
    match control:
        case Slider():
            value = control.start
        case Fixed():
            value = control.value
        case Follower():
            value = 0.0
        case _:
            assert_never(control)
    if control.dtype.kind == "b":
        return bool(value)
    return value if control.dtype.kind == "f" else int(value)


def text_twin(first: FirstFrame) -> str:
    """What runs, what moves it, and the corners of the first frame."""
    plan, output = first.plan, first.output
    lines = [f"live: {plan.kernel.signature()}", *(f"  {_words(c)}" for c in plan.controls)]
    numbers = " · ".join(f"{name} {value}" for name, value in output.numbers)
    lines.append(f"  first frame: {_type(output)}  {numbers}".rstrip())
    lines += [f"  {plan.note}"] if plan.note else []
    return "\n".join([*lines, *(f"    {row}" for row in aligned(output.rows))])


def html_twin(first: FirstFrame) -> str:
    """The same as one HTML element without a script."""
    plan, output = first.plan, first.output
    words = [f"<b>live</b> {html.escape(plan.kernel.signature())}"]
    words += [html.escape(_words(c)) for c in plan.controls]
    words.append(f"first frame: {html.escape(_type(output))}")
    words += [html.escape(plan.note)] if plan.note else []
    picture = output.thumbnail if plan.device == "browser" else output.image
    image = "" if picture is None else f'<img src="{picture}" alt="the first frame" width="240">'
    rows = html.escape("\n".join(aligned(output.rows)))
    return (
        f'<div class="wb-twin"><style>{STYLE}</style><p>{"<br>".join(words)}</p>'
        f'<div class="wb-row">{image}<pre>{rows}</pre></div></div>'
    )


def _words(control: Control) -> str:
    match control:
        case Slider(name, _, low, high, start):
            return f"{name} from {low:g} to {high:g}, now {start:g}"
        case Follower(name, _, follows):
            return f"{name} follows {follows}"
        case Fixed(name, _, value):
            return f"{name} is {value:g}"
        case _:
            assert_never(control)


def _type(first: Output) -> str:
    return f"{first.name} {first.dtype}[{', '.join(map(str, first.shape))}]"
