"""Live kernels: what a page needs to run one again and again, and to draw what it makes.

Arrays stay on the page's GPU; scalars are moved there by sliders, the pointer and the clock.
Nothing of that comes back to this process. Drawing and the widget are a layer above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from workbench.base.errors import CallError
from workbench.runtime.device import open_device
from workbench.session.arguments import bind, check_facts, check_known, fitted, infer_dims
from workbench.session.devices import choose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.dtypes import DType
    from workbench.ir.graph import Scalar
    from workbench.pipeline import Compilation
    from workbench.program import Parameter
    from workbench.runtime.arrays import Array
    from workbench.session.kernel import Kernel

Follows = Literal["time", "frame", "pointer.x", "pointer.y", "pointer.down"]
FOLLOWS: tuple[Follows, ...] = ("time", "frame", "pointer.x", "pointer.y", "pointer.down")
Drawn = Literal["image", "line", "number"]
OPTIONS = ("steps", "show", "scale")
"""What `Kernel.live` is told beside arguments; `schedule` is no name of a parameter anyway."""
CHANNELS = (3, 4)
"""Extents of a last axis that is read as red, green, blue, and how opaque."""


@dataclass(frozen=True, slots=True)
class Slider:
    """A scalar that a person moves, from `low` to `high`; of a whole number in steps of 1."""

    name: str
    dtype: DType
    low: float
    high: float
    start: float


@dataclass(frozen=True, slots=True)
class Follower:
    """A scalar that follows the clock (seconds), the number of the frame, or the pointer.

    The pointer is at a column and row of the picture, 0 before it was there; `down` is 1 or 0.
    """

    name: str
    dtype: DType
    follows: Follows


@dataclass(frozen=True, slots=True)
class Fixed:
    """A scalar that stays: it is the extent of an array, too."""

    name: str
    dtype: DType
    value: float


Control: TypeAlias = Slider | Follower | Fixed


@dataclass(frozen=True, slots=True)
class Picture:
    """Which output is drawn, how, and the values of the darkest and lightest colour, or None."""

    output: str
    drawn: Drawn
    range: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Live:
    """A compiled kernel, its arrays, a control for each scalar of its program, and its picture.

    `feedback` names, for outputs that are the new values of a parameter, the input that they
    become in the next of `steps` runs a frame. `device` is the page, or where there is none what
    computes the first frame; then `note` says so.
    """

    kernel: Kernel
    compilation: Compilation
    arrays: Mapping[str, Array]
    controls: tuple[Control, ...]
    feedback: Mapping[str, str]
    picture: Picture
    steps: int
    schedule: Any
    device: str
    note: str = ""


def live(
    k: Kernel,
    args: tuple[Any, ...],
    named: Mapping[str, Any],
    *,
    schedule: Any = None,
    show: str | None = None,
    scale: tuple[float, float] | None = None,
    steps: int | None = None,
) -> Live:
    """Compile a kernel for the page, where there is one, and say how it is driven.

    A scalar is given as a number (its slider starts there), as (low, high) or (low, high, start),
    or as one of `FOLLOWS`; without a value its default counts. `show` names the output that is
    drawn, the first one else; `scale` the values of the darkest and the lightest colour.
    Raises `CallError` for what does not fit, and what compiling raises.
    """
    steps = 1 if steps is None else steps
    if steps < 1:
        raise CallError(f"{k.name}: steps is {steps}, below 1", hint="steps=1")
    d = open_device("browser").describe()
    drawn = d.available and d.target == "wgsl"
    device = "browser" if drawn else choose("auto")[0]
    cause = d.cause or "this page has no WebGPU"
    note = "" if drawn else f"not live: {cause}; this is the first frame, on {device}"
    values = bind(k.graph, args, _with_defaults(k, named))
    arrays = {a.name: fitted(k.graph, a, values[a.name]) for a in k.graph.inputs}
    extents = set(k.graph.symbols())
    controls = {s.name: _control(k, s, values[s.name], s.name in extents) for s in k.graph.scalars}
    starts = {n: _start(c) for n, c in controls.items()}
    dims = infer_dims(k.graph, arrays) | {n: int(v) for n, v in starts.items() if n in extents}
    check_known(k.graph, dims)
    check_facts(k.graph, dims, starts)
    c = k.compilations.of_call(dims, k.steps_of(schedule), device)
    _refuse_panels(k, c)
    return Live(
        kernel=k,
        compilation=c,
        arrays=arrays,
        controls=tuple(_control_of(p, controls) for p in c.program.scalars),
        feedback=_feedback(k, c),
        picture=_picture(k, c, show, scale),
        steps=steps,
        schedule=schedule,
        device=device,
        note=note,
    )


def apart(
    k: Kernel, named: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said by name, as arguments of the kernel and as `OPTIONS` of its live run.

    A parameter keeps its name; the option of that name has underscores behind it, as many as it
    takes. An option that is None was not given.
    """
    arguments, given = dict(named), dict(options)
    for name in OPTIONS:
        if name not in k.graph.parameters:
            continue
        if options[name] is not None:
            arguments[name] = options[name]
        given[name] = arguments.pop(option_name(k, name), None)
    return arguments, given


def option_name(k: Kernel, name: str) -> str:
    """What an option is called for this kernel."""
    while name in k.graph.parameters:
        name += "_"
    return name


def starts(k: Kernel, names: Mapping[str, Any]) -> dict[str, Any]:
    """What `live` needs, where the parameters of a kernel have these names."""
    return {n: names[n] for n in k.graph.parameters if n in names}


def _with_defaults(k: Kernel, named: Mapping[str, Any]) -> dict[str, Any]:
    """The named values; a scalar without one starts at its default, and else must be said."""
    return dict(named) | {
        s.name: s.default for s in k.graph.scalars if s.name not in named and s.default is not None
    }


def _control_of(p: Parameter, controls: Mapping[str, Control]) -> Control:
    """The control of a scalar of the program; a dim that is one stays at its value."""
    return controls[p.name] if p.value is None else Fixed(p.name, p.dtype, p.value)


def _control(k: Kernel, s: Scalar, value: Any, extent: bool) -> Control:  # noqa: FBT001
    match value:
        case str() if value in FOLLOWS and not extent:
            return Follower(s.name, s.dtype, value)
        case (low, high) if not extent:
            return _slider(k, s, low, high, low)
        case (low, high, start) if not extent:
            return _slider(k, s, low, high, start)
        case _:
            number = _number(k, s, value)
            if extent:
                return Fixed(s.name, s.dtype, number)
            return Slider(s.name, s.dtype, *_around(s.dtype, number), number)


def _slider(k: Kernel, s: Scalar, low: Any, high: Any, start: Any) -> Slider:
    first, last, begins = (_number(k, s, v) for v in (low, high, start))
    if not first <= begins <= last or first == last:
        said = (low, high) if start is low else (low, high, start)
        raise CallError(
            f"{k.name}: {s.name} is {said}, which is no range",
            hint=f"{s.name}=(0, 1), or (0, 1, 0.5)",
        )
    return Slider(s.name, s.dtype, first, last, begins)


def _number(k: Kernel, s: Scalar, value: Any) -> float:
    number: Any = value.item() if hasattr(value, "item") and np.ndim(value) == 0 else value
    whole = s.dtype.kind in "iub"
    if (
        not isinstance(number, int | float)
        or not math.isfinite(number)
        or (whole and number != int(number))
    ):
        what = "a whole number" if whole else "a number"
        hint = f"{s.name}=1, {s.name}=(0, 10), or {s.name}='time'"
        if s.name in OPTIONS:
            hint += f"; {option_name(k, s.name)}={value!r} for the option of that name"
        raise CallError(
            f"{k.name}: {s.name} is {value!r}; live it is {what}, a range, or one of "
            + ", ".join(FOLLOWS),
            hint=hint,
        )
    return float(number)


def _around(dtype: DType, start: float) -> tuple[float, float]:
    """A range for a slider of which only the start is known."""
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind in "iu":
        return min(0, 2 * start), max(10, 2 * start)
    return (min(0.0, 2 * start), max(0.0, 2 * start)) if start else (-1.0, 1.0)


def _start(control: Control) -> float:
    match control:
        case Slider():
            return control.start
        case Fixed():
            return control.value
        case Follower():
            return 0.0


def _feedback(k: Kernel, c: Compilation) -> dict[str, str]:
    """Outputs that are named like a parameter of the same type: its values in the next step."""
    inputs = {a.name for a in k.graph.inputs}
    pairs = zip(k.graph.outputs, c.program.outputs, strict=True)
    return {output: named for named, output in pairs if named in inputs}


def _refuse_panels(k: Kernel, c: Compilation) -> None:
    """The page draws results, and gives inputs, in C order."""
    laid = next((b for b in c.program.buffers if b.panels is not None), None)
    if laid is not None:
        raise CallError(
            f"{k.name}: {laid.name} is in {laid.change}, a live kernel has it in C order",
            hint=f"schedule= one without transform_layout({laid.name!r}, ...)",
        )


def _picture(
    k: Kernel, c: Compilation, show: str | None, scale: tuple[float, float] | None
) -> Picture:
    names = dict(zip(k.graph.outputs, c.program.outputs, strict=True))
    if show is not None and show not in names:
        raise CallError(
            f"{k.name}: it returns no '{show}'; it returns {', '.join(names)}",
            hint=f"show='{next(iter(names))}'",
        )
    chosen = show or next(iter(names))
    shape = c.program.buffer(names[chosen]).shape
    if scale is not None and not scale[0] < scale[1]:
        raise CallError(f"{k.name}: scale is {scale}, not from low to high", hint="scale=(0, 1)")
    return Picture(names[chosen], _drawn(k, chosen, shape), scale)


def _drawn(k: Kernel, name: str, shape: tuple[int, ...]) -> Drawn:
    match shape:
        case ():
            return "number"
        case (n,) if n:
            return "line"
        case (h, w) if h and w:
            return "image"
        case (h, w, channels) if h and w and channels in CHANNELS:
            return "image"
        case _:
            raise CallError(
                f"{k.name}: {name} has shape {shape}, which is not drawn live",
                hint="show= an output with 0, 1 or 2 axes, or rows, columns and 3 colours",
            )
