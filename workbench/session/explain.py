"""`wb.explain(kernel)`, `c.explain()`: what limits a kernel on a device, by measured roofs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.errors import CallError
from workbench.measure.checks import random_inputs, random_scalars
from workbench.measure.roofs import Explanation, work_of
from workbench.measure.timing import experiment
from workbench.measure.traffic import traffic
from workbench.passes.graph import specialise
from workbench.program import steps
from workbench.runtime.arrays import array
from workbench.runtime.device import default_device, open_device
from workbench.runtime.enqueue import enqueue
from workbench.schedule.nests import loops_in
from workbench.schedule.step import Home
from workbench.session.contenders import Ready
from workbench.session.devices import choose
from workbench.session.roofs import roofs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.loops import Loops
    from workbench.pipeline import Compilation
    from workbench.runtime.arrays import Array

SECONDS = 0.6
MOST_STEPS = 3


def explain(
    c: Compilation, inputs: Mapping[str, Any] | None = None, on: str | None = None
) -> Explanation:
    """Time a compilation and say which roof of its device explains the time, if one does.

    `inputs` by name, else random ones; `on` is a device of its target. Raises `DeviceError`
    where there is none, `CallError` where its number of dispatches is known only when it runs.
    """
    name = choose(on or default_device(c.target), c.target)[0]
    device = open_device(name)
    dispatches = steps(c.program.body)
    if dispatches is None:
        raise CallError(f"{c.name}: how often it dispatches is known only when it runs")
    arrays, numbers = call_of(c, inputs)

    def call() -> Any:
        return enqueue(c.program, device, arrays, numbers, words=f"{c.name}(...)")

    did = experiment([Ready(call, "")], seconds=SECONDS, words=f"timing '{c.name}' on {name}")
    timed = did.only()
    found = traffic(c)
    needed = sum(a.nbytes for a in arrays)
    needed += sum(c.program.buffer(n).size for n in c.program.outputs)
    work = work_of(found, needed, dispatches)
    return Explanation(c.name, work, roofs(name), timed.wall.interval, _next(c))


def call_of(c: Compilation, inputs: Mapping[str, Any] | None) -> tuple[list[Array], list[Any]]:
    """The arrays and the scalars of a call, in the program's order; random ones if not given."""
    given: dict[str, Any] = {
        **random_inputs(specialise(c.graph, c.dims)),
        **random_scalars(c.graph),
        **dict(inputs or {}),
    }
    given |= {n: c.dims[n] for n in c.open}
    arrays = [array(np.asarray(given[n])) for n in c.program.inputs]
    return arrays, [given[p.name] for p in c.program.arguments]


def _next(c: Compilation) -> tuple[str, ...]:
    """The legal steps that would move fewer elements of storage, those that save most first."""
    loops: Loops = c.stages["loops"].value
    schedule = replace(c.schedule, home=Home(c.name, "", lambda: loops))
    saved: list[tuple[int, str]] = []
    for loop in loops_in(schedule.apply(loops).body):
        for one in schedule.steps_at(loop.var):
            before = one.before.reads.value + one.before.writes.value
            after = one.after.reads.value + one.after.writes.value
            if after < before:
                saved.append((before - after, f"  {one.text}: {one.words}"))
    return tuple(words for _, words in sorted(saved, reverse=True)[:MOST_STEPS])
