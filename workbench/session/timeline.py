"""`k.timeline(...)`, `c.timeline()`: one call traced, from compiling to reading back.

Ordinary calls pay nothing for this: a traced run is one that was asked for, after a first one
that lets drivers compile.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.progress import BOARD, Standing
from workbench.measure.costs import costs
from workbench.measure.timeline import Span, Timeline
from workbench.measure.timing import clock_step
from workbench.runtime.arrays import Array, array
from workbench.runtime.device import MOST_TRACED, default_device, is_traceable, open_device
from workbench.runtime.enqueue import enqueue
from workbench.runtime.transfers import size_text
from workbench.session.devices import choose
from workbench.session.explain import call_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workbench.measure.costs import Costs
    from workbench.measure.timeline import Kind
    from workbench.pipeline import Compilation
    from workbench.program import Program
    from workbench.runtime.device import Device, Timing

PARTS = 5


def timeline(
    c: Compilation, inputs: Mapping[str, Any] | None = None, on: str | None = None
) -> Timeline:
    """Run a compilation once so that each part of it has a time; `inputs` by name, else random.

    `on` is a device of its target. Raises `DeviceError` where there is none.
    """
    name = choose(on or default_device(c.target), c.target)[0]
    arrays, numbers = call_of(c, inputs)
    stages = {s.name: s.seconds for s in c.stages.all if s.seconds}
    return traced(c.program, name, arrays, numbers, stages)


def traced(
    program: Program,
    on: str,
    arrays: Sequence[Array],
    numbers: Sequence[Any],
    stages: Mapping[str, float] | None = None,
) -> Timeline:
    """Run a program on a device so that each part has a time; `stages` are seconds of compiling."""
    watch = _Watch()
    for name, seconds in (stages or {}).items():
        watch.add("compile", name, seconds)
    with BOARD.task(f"tracing '{program.name}' on {on}") as task:
        watch.told = lambda n: task.at(Standing(n, PARTS, "parts"))
        notes = _run(watch, program, open_device(on), arrays, numbers)
    steps = {"wall": clock_step(time.perf_counter), **watch.steps}
    return Timeline(program.name, on, tuple(watch.spans), steps, notes)


def line_costs(
    c: Compilation, inputs: Mapping[str, Any] | None = None, on: str | None = None
) -> Costs:
    """What the lines of all stages cost, by a timeline that is made for it."""
    return costs(c, timeline(c, inputs, on))


class _Watch:
    """Spans that follow each other, by the host's clock."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.steps: dict[str, float] = {}
        self.now = 0.0
        self.told: Callable[[int], None] = lambda _: None

    def add(self, kind: Kind, name: str, seconds: float) -> Span:
        """A span that begins where the last one ended."""
        span = Span(kind, name, self.now, seconds)
        self.spans.append(span)
        self.now = span.end
        return span

    def time(self, kind: Kind, name: str, work: Callable[[], Any]) -> Any:
        """Do something, and add how long it took."""
        began = time.perf_counter()
        done = work()
        self.add(kind, name, time.perf_counter() - began)
        return done


def _run(
    watch: _Watch,
    program: Program,
    device: Device,
    arrays: Sequence[Array],
    numbers: Sequence[Any],
) -> tuple[str, ...]:
    """The parts of a call one after the other; gives what is to be said of them."""

    def call(given: Sequence[Array], *, traced: bool) -> tuple[Timing, tuple[Array, ...]]:
        outputs = enqueue(program, device, given, numbers, words="timeline", traced=traced)
        made = outputs[0].call
        assert made is not None, "a result comes from a call"
        made.wait()
        return made.timing, outputs

    watch.told(0)
    watch.time("prepare", program.name, lambda: device.prepare(program))
    watch.told(1)
    watch.time("first run", program.name, lambda: call(arrays, traced=False))
    watch.told(2)
    fresh = [array(np.array(a.numpy()), a.dtype) for a in arrays]
    for name, a in zip(program.inputs, fresh, strict=True):
        watch.time("upload", f"{name}, {size_text(a.nbytes)}", lambda a=a: _arrived(a, device))
    watch.told(3)
    timing, outputs = watch.time("run", program.name, lambda: call(fresh, traced=True))
    notes = _on_device(watch, program, timing)
    watch.told(4)
    for name, a in zip(program.outputs, outputs, strict=True):
        watch.time("read", f"{name}, {size_text(a.nbytes)}", a.numpy)
    return notes


def _arrived(a: Array, device: Device) -> None:
    """Take an array to the device, and wait until its first word comes back from there."""
    here = device.now()
    memory = a.on(here)
    here.read(memory, min(4, memory.size))


def _on_device(watch: _Watch, program: Program, timing: Timing) -> tuple[str, ...]:
    """What the device did during the run that came last: each action, or one bar for all."""
    run = watch.spans[-1]
    if timing.stamps:
        if timing.clock != "wall":
            watch.steps[timing.clock] = timing.step
        watch.spans += [
            Span(s.kind, s.name, run.start + s.start, s.seconds, timing.clock)
            for s in timing.stamps
        ]
        where = "the first dispatch stands at the begin of the run"
        known = timing.clock == "wall"
        return (where if known else f"the clocks of host and device share no zero: {where}",)
    watch.spans.append(replace(run, kind="submit", name=f"all of {program.name}"))
    why = "this device stamps no dispatches"
    if not is_traceable(program):
        why = f"more than {MOST_TRACED} dispatches and copies, or a loop of the host, in it"
    return (f"one bar for all dispatches, from enqueueing to their end: {why}",)
