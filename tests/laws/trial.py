"""One grown program tried everywhere: what agrees, what was refused, what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import workbench as wb
from tests.laws import direct
from tests.laws.growing import Program
from workbench.base.errors import CodegenError, DeviceError, RunError, SourceError
from workbench.ir.compare import agreement
from workbench.ir.interpret import run_graph
from workbench.ir.simt import run_mapped
from workbench.passes.graph import specialise
from workbench.runtime.device import open_device
from workbench.schedule.step import Schedule

TERMS = 4096
"""Roundings that a result may hold where f32 did not hold every value exactly."""
Results = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a program gives: its results, or None where it is to report an access outside.

    `vague`: without meaning in f32, for a rounding decides.
    """

    results: tuple[np.ndarray, ...] | None
    exact: bool = True
    vague: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """`refused`: the front end's or a target's message; `ran`: the paths whose results agree.

    `wrong` says what differs; `reported`: it was to lead outside, and every path said so.
    """

    ran: tuple[str, ...] = ()
    refused: str = ""
    vague: bool = False
    reported: bool = False
    wrong: str = ""


def devices() -> tuple[str, ...]:
    """The devices that are here."""
    return tuple(n for n in ("cpu", "wasm", "native") if open_device(n).describe().available)


def meaning(program: Program) -> Meaning:
    """What the direct evaluation says."""
    with np.errstate(all="ignore"):
        try:
            results, run = direct.run(program.text, program.dims, program.inputs)
        except direct.OutsideError as error:
            run = error.run
            return Meaning(None, vague=run is not None and run.cut and not run.exact)
    return Meaning(results, run.exact, run.cut and not run.exact)


def trial(
    program: Program,
    schedule: Callable[[Any, str], Schedule] = lambda *_: Schedule(),
    *,
    on: tuple[str, ...],
    also: tuple[str, ...] = (),
    wanted: Meaning | None = None,
) -> Trial:
    """Try a program directly, on paths by rule and on devices also with `schedule`.

    A path is a device, "interpreter" or "wide" (with floats of 64 bits), or "simt", which
    simulates what would run natively.
    `schedule` is given the loops and a device, and gives steps that are legal on them;
    `also` are the devices that it is for. `wanted` is `meaning(program)` where it is known.
    """
    wanted = wanted or meaning(program)
    if wanted.vague:
        return Trial(vague=True)
    try:
        k = wb.kernel(program.text)
    except SourceError as error:
        return Trial(refused=str(error))
    ran: list[str] = []
    for name, compute in _paths(k, program, schedule, on, also):
        try:
            wrong = _difference(compute, wanted)
        except CodegenError as error:
            return Trial(tuple(ran), refused=str(error))
        if wrong:
            return Trial(tuple(ran), wrong=f"{name}: {wrong}\n{program.text}{program.inputs}")
        ran.append(name)
    return Trial(tuple(ran), reported=wanted.results is None)


def _paths(
    k: wb.Kernel,
    program: Program,
    schedule: Callable[[Any, str], Schedule],
    on: tuple[str, ...],
    also: tuple[str, ...],
) -> Iterator[tuple[str, Callable[[], Results]]]:
    """Every way to compute the results, as a function that does."""
    dims = {n: int(program.inputs.get(n, program.dims.get(n, 0))) for n in k.graph.symbols()}

    def given() -> tuple[dict[str, Any], dict[str, Any]]:
        arrays = {a.name: program.inputs[a.name] for a in k.graph.inputs}
        return arrays, {s.name: program.inputs[s.name] for s in k.graph.scalars}

    def interpreted(*, wide: bool) -> Results:
        return tuple(run_graph(specialise(k.graph, dims), *given(), wide=wide).values())

    def simulated() -> Results:
        mapped = k.compile(on="native", dims=dims).stages["kernel"].value
        results, findings = run_mapped(mapped, *given(), seed=1)
        if not findings.ok:
            raise RunError(findings.words)
        return tuple(results.values())

    def called(device: str, steps: Schedule | None) -> Results:
        results = k(**program.inputs, on=device, schedule=steps)
        several = results if isinstance(results, tuple) else (results,)
        return tuple(np.asarray(x) for x in several)

    own = {
        "wide": lambda: interpreted(wide=True),
        "interpreter": lambda: interpreted(wide=False),
        "simt": simulated,
    }
    for path in on:
        yield path, own[path] if path in own else lambda d=path: called(d, None)
    for device in also:
        steps = schedule(k.loops(dims), device)
        if steps.steps:
            yield f"{device}, {steps!r}", lambda d=device, s=steps: called(d, s)


def _difference(compute: Callable[[], Results], wanted: Meaning) -> str:
    """In words how a path differs from what is wanted; nothing where it agrees."""
    try:
        found = compute()
    except (RunError, DeviceError) as error:
        return "" if wanted.results is None else f"reports {error}"
    if wanted.results is None:
        return "an access leads outside, and nothing is reported"
    return difference(found, wanted.results, exact=wanted.exact)


def difference(found: Results, wanted: tuple[np.ndarray, ...], *, exact: bool) -> str:
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
