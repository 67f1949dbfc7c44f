"""The actions of a program: its kernels in order of dispatch, turns as `Repeat`.

A `Repeat` runs a fixed number of times. Where bounds inside need the number of a turn, the turns
are written out for the dims of a call, and equal turns in a row, or equal periods, joined again:

    repeat S times, s from 0:      a(), a(), b()        repeat 2 times: a()
        repeat s % 3 times: a() →  and so on        →   repeat S // 3 times: ...
        b()
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from workbench.base.errors import CodegenError, OpenDimError
from workbench.ir.extents import Extent, expression, size, value
from workbench.program import Action, Dispatch, Repeat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.ir.device import Turns

MOST_TURNS = 2**14
"""Turns that may be written out in a program."""

LONGEST_PERIOD = 64
"""Turns of a period that is looked for."""

Sized = tuple[str, tuple[Extent, Extent, Extent]]
"""A kernel and its workgroups."""


def actions(
    order: Sequence[int | Turns], kernels: Sequence[Sized], values: Mapping[str, int]
) -> tuple[Action, ...]:
    """The kernels in order, for values of the open dims; what never runs is left out.

    Raises `CodegenError` where more than `MOST_TURNS` turns would be written out.
    """
    made: list[Dispatch] = []
    for name, workgroups in kernels:
        x, y, z = (size(n, values) for n in workgroups)
        made.append(Dispatch(name, (x, y, z)))
    return _actions(order, made, values, [0])


def _actions(
    order: Sequence[int | Turns],
    kernels: Sequence[Dispatch],
    values: Mapping[str, int],
    written: list[int],
) -> tuple[Action, ...]:
    """The actions; `written` counts the turns that are written out."""
    out: list[Action] = []
    for step in order:
        if isinstance(step, int):
            out.append(kernels[step])
        elif (times := _number(step, step.count, values)) > 0:
            if step.var:
                out += _each(step, times, kernels, values, written)
            elif body := _actions(step.body, kernels, values, written):
                out.append(Repeat(times, body))
    return tuple(out)


def _each(
    step: Turns,
    times: int,
    kernels: Sequence[Dispatch],
    values: Mapping[str, int],
    written: list[int],
) -> list[Action]:
    """The actions of turns of which each has its own."""
    written[0] += times
    if written[0] > MOST_TURNS:
        raise CodegenError(
            f"loops inside need '{step.var}' to know how often they run, so its {written[0]} "
            f"turns are written out; at most {MOST_TURNS} can be",
            span=step.origin.nearest_span(),
            hint=f"x[i] = new if t < {step.var} else x[i] in a loop of t that does not need it",
        )
    start = _number(step, step.start, values)
    found = (
        _actions(step.body, kernels, {**values, step.var: turn}, written)
        for turn in range(start, start + times)
    )
    return _joined([body for body in found if body])


def _number(step: Turns, x: Extent, values: Mapping[str, int]) -> int:
    try:
        return value(expression(x), values)
    except OpenDimError as error:
        raise CodegenError(
            f"how often this loop runs cannot be told before the kernel runs: {error}",
            span=step.origin.nearest_span(),
            hint="bounds of dims, i32 parameters, turns around it and + - * // %",
        ) from error


def _joined(turns: list[tuple[Action, ...]]) -> list[Action]:
    """The turns one after the other, equal periods of them as a `Repeat`."""
    numbers: dict[tuple[Action, ...], int] = {}
    same = [numbers.setdefault(t, len(numbers)) for t in turns]
    out: list[Action] = []
    at = 0
    while at < len(turns):
        period, times = _period(same, at)
        body = tuple(chain.from_iterable(turns[at : at + period]))
        out += body if times == 1 else [Repeat(times, body)]
        at += period * times
    return out


def _period(same: list[int], at: int) -> tuple[int, int]:
    """How many turns from `at` on come again right behind, and how often they stand there.

    The period that reaches furthest is taken, of these the shortest; (1, 1) if there is none.
    """
    best = (1, 1)
    for period in range(1, min(LONGEST_PERIOD, (len(same) - at) // 2) + 1):
        if same[at + period] != same[at]:
            continue
        first, times = same[at : at + period], 1
        while same[at + times * period : at + (times + 1) * period] == first:
            times += 1
        if times > 1 and period * times > best[0] * best[1]:
            best = (period, times)
    return best
