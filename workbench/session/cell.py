"""What happens when a cell is run: compile, run where its arrays exist, compare, time.

Gives one value, `CellRun`, that views, twins and the command line draw from.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.errors import WorkbenchError
from workbench.base.progress import BOARD, Standing
from workbench.measure.agree import expected
from workbench.measure.checks import Checks, check
from workbench.runtime.arrays import Array
from workbench.runtime.device import LaterError, Timing, open_device
from workbench.session.devices import LISTED, choose
from workbench.session.schedules import KernelSchedule, Turned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.measure.reference import Reference
    from workbench.pipeline import Compilation
    from workbench.runtime.transfers import Transfer
    from workbench.schedule.step import Schedule
    from workbench.session.kernel import Kernel

REPEATS = 7
"""Runs whose median `--time` reports, after one that warms up."""


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """One device's answer compared with the reference; `state` is tick, cross or none."""

    device: str
    state: str
    words: str


@dataclass(frozen=True, slots=True)
class CellRun:
    """Everything one cell did. `outputs` is empty where its arrays did not exist.

    `schedule` are the reader's own steps, None where the default rule decided everything.
    `turned` is the `@schedule` function that they stand in, where it is one of the kernel's.
    `arguments` are what it ran on. `transfers` say, by array, what was taken to the device and
    read back.
    """

    kernel: Kernel
    compilation: Compilation
    device: str
    reason: str
    checks: Checks | None = None
    outputs: Mapping[str, Array] | None = None
    timing: Timing | None = None
    repeats: int = 0
    answers: tuple[DeviceAnswer, ...] = ()
    schedule: Schedule | None = None
    turned: Turned | None = None
    arguments: Mapping[str, Any] | None = None
    transfers: Mapping[str, tuple[Transfer, ...]] = field(
        default_factory=dict[str, "tuple[Transfer, ...]"]
    )


def run_cell(
    k: Kernel,
    namespace: Mapping[str, Any],
    *,
    on: str = "auto",
    schedule: Any = None,
    checked: bool = True,
    timed: bool = False,
) -> CellRun:
    """Compile a kernel; where every array and scalar it names exists, run and compare it.

    Raises what compiling and calling raise. A disagreement is a cross, not an error.
    """
    device, reason = choose(on, dtypes=k.graph.dtypes())
    values = arguments(k, namespace)
    turned = _turned(k, schedule)
    mine = k.steps_of(schedule)
    if values is None:
        c = k.compile(schedule=mine, on=device)
        checks = check(c) if checked else None
        return CellRun(k, c, device, reason, checks, schedule=mine, turned=turned)
    result = k(**values, on=device, schedule=mine)
    last = k.last
    assert last is not None
    c = last.compilation
    outputs = dict(zip(c.program.outputs, last.outputs, strict=True))
    for a in outputs.values():
        a.numpy()
    transfers = {**last.transfers, **{n: a.transfers for n, a in outputs.items()}}
    run = CellRun(
        k, c, device, last.reason, outputs=outputs, timing=finished(result), schedule=mine,
        turned=turned, arguments=values, transfers=transfers,
    )  # fmt: skip
    if timed:
        run = _timed(run, values)
    if checked:
        reference = expected(c, last.inputs)
        answers = _answers(run, values, reference)
        run = replace(run, checks=check(c, last.inputs), answers=answers)
    return run


def _turned(k: Kernel, schedule: Any) -> Turned | None:
    """A schedule as a function of the kernel's own text, where it is one."""
    match schedule:
        case Turned(function=function):
            return schedule if function in k.schedules.values() else None
        case str() if schedule in k.schedules:
            return Turned(k.schedules[schedule])
        case KernelSchedule() if schedule in k.schedules.values():
            return Turned(schedule)
        case _:
            return None


def arguments(k: Kernel, namespace: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments of a kernel found by name, None where an array or a scalar is missing."""
    values: dict[str, Any] = {}
    for a in k.graph.inputs:
        value = namespace.get(a.name)
        if not isinstance(value, Array | np.ndarray):
            return None
        values[a.name] = value
    for s in k.graph.scalars:
        value = namespace.get(s.name, s.default)
        if isinstance(value, bool | int | float | np.generic):
            values[s.name] = value
        else:
            return None
    return values


def finished(result: Array | tuple[Array, ...]) -> Timing | None:
    """The timing of a call, once it is finished."""
    first = result[0] if isinstance(result, tuple) else result
    assert first.call is not None, "a result comes from a call"
    first.call.wait()
    return first.call.timing


def _timed(run: CellRun, values: Mapping[str, Any]) -> CellRun:
    """The median over repeats with resident inputs; by the device's clock where it has one."""
    from workbench.runtime.arrays import array  # noqa: PLC0415

    resident = {n: array(v) if isinstance(v, np.ndarray) else v for n, v in values.items()}
    timing, repeats = repeated(
        lambda: run.kernel(**resident, on=run.device, schedule=run.schedule), run.timing or Timing()
    )
    return replace(run, repeats=repeats, timing=timing)


def repeated(once: Callable[[], Any], first: Timing) -> tuple[Timing, int]:
    """The timing of a first call with the medians of `REPEATS` more, after one that warms up.

    Gives also how many there were: an interrupt ends them, and those before count.
    """
    seconds: list[float] = []
    kernel_seconds: list[float] = []
    with BOARD.task("timing the cell") as task, suppress(KeyboardInterrupt):
        for n in range(REPEATS + 1):
            task.at(Standing(n, REPEATS + 1, "runs"))
            start = time.perf_counter()
            timing = finished(once())
            seconds.append(time.perf_counter() - start)
            if timing is not None and timing.kernel is not None:
                kernel_seconds.append(timing.kernel)
    repeats = max(0, len(seconds) - 1)
    if not repeats:
        return first, 0
    kernel = median(kernel_seconds[1:]) if len(kernel_seconds) > 1 else None
    return replace(first, total=median(seconds[1:]), kernel=kernel), repeats


def _answers(
    run: CellRun, values: Mapping[str, Any], reference: Reference
) -> tuple[DeviceAnswer, ...]:
    """Every device that is here runs the call; each answer is compared with the reference."""
    assert run.outputs is not None
    shown = {n: a.numpy() for n, a in run.outputs.items()}
    ok, words = reference.compare(shown, run.compilation.program.target)
    answers = [DeviceAnswer(run.device, "tick" if ok else "cross", words)]
    with BOARD.task(f"comparing '{run.kernel.name}'") as task:
        for name in LISTED:
            if name == run.device:
                continue
            description = open_device(name).describe()
            if not description.available:
                absent = f"not here: {description.cause}"
                if absent not in {a.words for a in answers}:  # a page that is missing is said once
                    answers.append(DeviceAnswer(name, "none", absent))
                continue
            task.at(Standing(len(answers), len(LISTED), f"devices, now {name}"))
            answers.append(_answer(run, name, values, reference))
    return tuple(answers)


def _answer(
    run: CellRun, name: str, values: Mapping[str, Any], reference: Reference
) -> DeviceAnswer:
    k = run.kernel
    try:
        k(**values, on=name, schedule=run.schedule)
        assert k.last is not None
        arrays = k.last.outputs
        program = k.last.compilation.program
        found = {n: a.numpy() for n, a in zip(program.outputs, arrays, strict=True)}
        ok, words = reference.compare(found, program.target)
    except LaterError as error:
        return DeviceAnswer(name, "none", f"not asked: {error.mistakes[0].message}")
    except WorkbenchError as error:
        return DeviceAnswer(name, "cross", str(error).partition("\n")[0])
    return DeviceAnswer(name, "tick" if ok else "cross", words)
