"""One program of `growing.py` tried everywhere: what agrees, what was refused, what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import workbench as wb
from tests.laws import direct
from tests.laws.growing import Program
from workbench.base.errors import CodegenError, SourceError
from workbench.ir.compare import agreement
from workbench.ir.interpret import run_graph
from workbench.passes.graph import specialise
from workbench.runtime.device import open_device
from workbench.schedule.step import Schedule

TERMS = 4096
"""Roundings that a result may hold where f32 did not hold every value exactly."""


@dataclass(frozen=True, slots=True)
class Trial:
    """`refused`: the front end's or a target's message; `ran`: the paths whose results agree.

    `wrong` says what differs; a program without meaning in f32 (a rounding decides) is `vague`.
    """

    ran: tuple[str, ...] = ()
    refused: str = ""
    vague: bool = False
    wrong: str = ""


def devices() -> tuple[str, ...]:
    """The devices that are here."""
    return tuple(n for n in ("cpu", "wasm", "native") if open_device(n).describe().available)


def trial(
    program: Program,
    schedule: Callable[[Any, str], Schedule] = lambda *_: Schedule(),
    *,
    on: tuple[str, ...],
    also: tuple[str, ...] = (),
) -> Trial:
    """Try a program directly, in the interpreter, and on devices by rule and with `schedule`.

    `schedule` is given the loops and a device, and gives steps that are legal on them;
    `also` are the devices that it is for.
    """
    with np.errstate(all="ignore"):
        wanted, run = direct.run(program.text, program.dims, program.inputs)
    if run.cut and not run.exact:
        return Trial(vague=True)
    try:
        k = wb.kernel(program.text)
    except SourceError as error:
        return Trial(refused=str(error))
    ran: list[str] = []
    for name, compute in _paths(k, program, schedule, on, also).items():
        try:
            found = compute()
        except CodegenError as error:
            return Trial(tuple(ran), refused=str(error))
        wrong = difference(found, wanted, exact=run.exact)
        if wrong:
            return Trial(tuple(ran), wrong=f"{name}: {wrong}\n{program.text}{program.inputs}")
        ran.append(name)
    return Trial(tuple(ran))


def _paths(
    k: Any,
    program: Program,
    schedule: Callable[[Any, str], Schedule],
    on: tuple[str, ...],
    also: tuple[str, ...],
) -> Mapping[str, Callable[[], tuple[Any, ...]]]:
    def interpreted(*, wide: bool) -> tuple[Any, ...]:
        arrays = {a.name: program.inputs[a.name] for a in k.graph.inputs}
        scalars = {s.name: program.inputs[s.name] for s in k.graph.scalars}
        graph = specialise(k.graph, program.dims)
        return tuple(run_graph(graph, arrays, scalars, wide=wide).values())

    def called(device: str, steps: Schedule | None) -> tuple[Any, ...]:
        results = k(**program.inputs, on=device, schedule=steps)
        return results if isinstance(results, tuple) else (results,)

    paths: dict[str, Callable[[], tuple[Any, ...]]] = {
        "interpreter, wide": lambda: interpreted(wide=True),
        "interpreter": lambda: interpreted(wide=False),
    }
    for device in on:
        paths[device] = lambda d=device: called(d, None)
    for device in also:
        steps = schedule(k.loops(program.dims), device)
        if steps.steps:
            paths[f"{device}, {steps!r}"] = lambda d=device, s=steps: called(d, s)
    return paths


def difference(found: tuple[Any, ...], wanted: tuple[np.ndarray, ...], *, exact: bool) -> str:
    """In words how results differ; nothing where they agree."""
    for place, (a, b) in enumerate(zip(found, wanted, strict=True)):
        values = np.asarray(a)
        if exact and not np.array_equal(values.astype(b.dtype), b, equal_nan=b.dtype.kind == "f"):
            return f"result {place} is {values.tolist()}, not {b.tolist()}"
        if not exact:
            compared = agreement(values, b, np.float32 if b.dtype.kind == "f" else b.dtype,
                                 terms=TERMS)  # fmt: skip
            if not compared.ok:
                return f"result {place}: {compared.words}"
    return ""
