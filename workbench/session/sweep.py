"""`wb.sweep`: the same things compared at several sizes, or at several values of a knob."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.base.errors import CallError
from workbench.base.progress import BOARD, Standing
from workbench.measure.sweep import Point, Sweep
from workbench.session.compare import SECONDS, compare
from workbench.session.contenders import Contender, KernelContender, contenders
from workbench.session.schedules import KernelSchedule, Turned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from workbench.measure.comparison import Comparison


def sweep(
    *things: Any,
    over: Mapping[str, Sequence[int]],
    on: Sequence[str] | str | None = None,
    inputs: Callable[[Mapping[str, int]], Any] | None = None,
    dims: Mapping[str, int] | None = None,
    seconds: float = SECONDS,
    kept: bool | str | Path = True,
) -> Sweep:
    """Compare things at each value of a dim of the kernels, or of a knob of the schedules.

    `over` names one, with its values: `over={"N": [64, 128, 256]}`; several dims that have the
    same values may be named as `"M N K"`. `inputs` makes the inputs of a point from its dims;
    random ones otherwise. The rest is as for `compare`; `seconds` is the budget of each entry at
    each point. An interrupt ends the sweep, and gives the points before.

    Raises `CallError` for what is neither a dim nor a knob, and what `compare` raises.
    """
    if len(over) != 1:
        raise CallError("sweep: over names one dim or knob", hint='over={"N": [64, 128, 256]}')
    (names, values), fixed = next(iter(over.items())), dict(dims or {})
    swept, named = names.split(), contenders(things)
    of_knob = _is_knob(swept, things, named)
    points: list[Point] = []

    def point(value: int) -> Comparison:
        given = dict.fromkeys(swept, value)
        at = fixed if of_knob else fixed | given
        turned = [
            (c.label, _turn(t, given) if of_knob else t) for c, t in zip(named, things, strict=True)
        ]
        drawn = None if inputs is None else inputs(at)
        return compare(*turned, on=on, inputs=drawn, dims=at, seconds=seconds, kept=kept)

    with BOARD.task(f"sweeping {names}") as task:
        try:
            for value in values:
                task.at(Standing(len(points), len(values), f"points, now {names} = {value}"))
                points.append(Point(value, point(value)))
                if points[-1].comparison.ended == "interrupted":
                    break
        except KeyboardInterrupt:
            if not points:
                raise
            return Sweep(names, tuple(points), len(values))
    return Sweep(names, tuple(points), len(values))


def _is_knob(names: Sequence[str], things: Sequence[Any], named: Sequence[Contender]) -> bool:
    """Whether a knob is meant. Raises `CallError` where nothing has the name."""
    knobs = {n for t in things for s in _schedules(t) for n in s.text.knobs}
    kernels = [c.kernel for c in named if isinstance(c, KernelContender)]
    symbols = {n for k in kernels for n in k.graph.symbols()}
    if set(names) <= symbols:
        return False
    if set(names) <= knobs:
        return True
    known = ", ".join(sorted(symbols | knobs)) or "none"
    raise CallError(f"sweep: no dim and no knob '{' '.join(names)}'; there are {known}")


def _schedules(thing: Any) -> tuple[KernelSchedule, ...]:
    match thing:
        case KernelSchedule():
            return (thing,)
        case Turned(function=function):
            return (function,)
        case (_, inner):
            return _schedules(inner)
        case _:
            return ()


def _turn(thing: Any, given: Mapping[str, int]) -> Any:
    """The thing with the knobs of its schedule turned, where it has one of these names."""
    match thing:
        case KernelSchedule(text=text):
            return Turned(thing, {n: v for n, v in given.items() if n in text.knobs})
        case Turned(function=function, given=before):
            mine = {n: v for n, v in given.items() if n in function.text.knobs}
            return Turned(function, {**before, **mine})
        case (first, inner):
            return first, _turn(inner, given)
        case _:
            return thing
