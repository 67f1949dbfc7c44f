"""One grown program tried everywhere: what agrees, what was refused, what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import workbench as wb
from tests.laws import direct
from tests.laws.growing import Program
from workbench.base.errors import CodegenError, DeviceError, RunError, SourceError
from workbench.ir.compare import agreement
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.loops import Loops
from workbench.ir.simt import run_mapped
from workbench.passes.graph import specialise
from workbench.runtime.device import open_device
from workbench.schedule.step import Schedule

TERMS = 4096
"""Roundings that a result may hold where f32 did not hold every value exactly."""
Results = tuple[Any, ...]
_FLOATS = {"f16": np.float16, "f32": np.float32, "f64": np.float64}
UNHELD = {
    "cpu": (), "wasm": (), "native": ("f64", "i64", "i8", "u8"),
    "simt": ("f64", "i64", "i8", "u8"),
}  # fmt: skip
"""The dtypes that a path cannot hold, beside f16 where the GPU has none; the others hold all."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a program gives: its results, or None where it is to report an access outside.

    `loose` is the shortest float dtype that could not hold a value on the way, '' where all did;
    `reach` the greatest value that was not held.
    `rounded`: a cast did round, which floats of 64 bits do not.
    `vague`: without meaning in its dtypes, for a rounding decides.
    """

    results: tuple[np.ndarray, ...] | None
    loose: str = ""
    reach: float = 0.0
    rounded: bool = False
    cut: bool = False
    vague: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """`refused`: the front end's or a target's message; `ran`: the paths whose results agree.

    `unheld` are the paths that refused the program for a dtype, as they have to.
    `wrong` says what differs; `reported`: it was to lead outside, and every path said so.
    """

    ran: tuple[str, ...] = ()
    unheld: tuple[str, ...] = ()
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
    loose = min(run.loose, key=[*_FLOATS].index, default="")
    vague = run.cut and not run.exact
    return Meaning(results, loose, run.reach, run.rounded, run.cut, vague)


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
    `schedule` is given the loops and a path, and gives steps that are legal on them; `also` are
    the devices, or "simt", that it is for. The scheduled loops are interpreted, too.
    `wanted` is `meaning(program)` where it is known.
    """
    wanted = wanted or meaning(program)
    if wanted.vague:
        return Trial(vague=True)
    try:
        k = wb.kernel(program.text)
    except SourceError as error:
        return Trial(refused=str(error))
    ran: list[str] = []
    refused: list[str] = []
    for name, compute in _paths(k, program, schedule, on, also):
        told = _as_wide(wanted) if name == "wide" else wanted
        if told is None:
            continue
        try:
            wrong = _difference(compute, told)
        except CodegenError as error:
            wrong = _wrong_refusal(error, program.text, name)
            refused.append(name)
        else:
            held = unheld(program.text, name, signature=True)
            wrong = wrong or (f"{sorted(held)} is not refused" if held else "")
            ran.append(name)
        if wrong:
            words = f"{name}: {wrong}\n{program.text}{program.inputs}"
            return Trial(tuple(ran), tuple(refused), wrong=words)
    return Trial(tuple(ran), tuple(refused), reported=wanted.results is None)


def unheld(text: str, path: str, *, signature: bool = False) -> set[str]:
    """The dtypes of a text, or of its last kernel's signature, that a path cannot hold."""
    if signature:
        text = re.findall(r"^def .*", text, re.MULTILINE)[-1]
    device = path.split(",", maxsplit=1)[0]
    lacking = set(UNHELD.get(device, ()))
    if device in {"native", "simt"} and not open_device("native").describe().limits.shader_f16:
        lacking.add("f16")
    return lacking & set(re.findall(r"\w+", text))


def _wrong_refusal(error: CodegenError, text: str, path: str) -> str:
    """What is wrong with a refusal: it is for a dtype, says where and names what works."""
    mistake = error.mistakes[0]
    dtype = next((d for d in unheld(text, path) if f"is {d}:" in mistake.message), None)
    if dtype is None:
        return f"refuses {error}"
    instead = "f32" if dtype[0] == "f" else "i32"
    if mistake.span is None or mistake.hint != f"on='cpu', or {instead}":
        return f"refuses {dtype} without a place, or without what to write: {error}"
    return ""


def _as_wide(wanted: Meaning) -> Meaning | None:
    """What floats of 64 bits give, which no cast rounds; None where a rounding may decide."""
    if not wanted.rounded:
        return wanted
    return None if wanted.cut else replace(wanted, loose="f16")


def _paths(
    k: wb.Kernel,
    program: Program,
    schedule: Callable[[Any, str], Schedule],
    on: tuple[str, ...],
    also: tuple[str, ...],
) -> Iterator[tuple[str, Callable[[], Results]]]:
    """Every way to compute the results, as a function that does."""
    dims = {n: int(program.inputs.get(n, program.dims.get(n, 0))) for n in k.graph.symbols()}

    given = partial(_given, k, program)

    def interpreted(*, wide: bool) -> Results:
        return tuple(run_graph(specialise(k.graph, dims), *given(), wide=wide).values())

    def simulated(steps: Schedule | None) -> Results:
        mapped = k.compile(steps, on="native", dims=dims).stages["kernel"].value
        results, findings = run_mapped(mapped, *given(), seed=1)
        if not findings.ok:
            raise RunError(findings.words)
        return tuple(results.values())

    def stepped(loops: Loops, steps: Schedule) -> Results:
        return tuple(run_loops(steps.apply(loops), *given()).values())

    def called(device: str, steps: Schedule | None) -> Results:
        if device == "simt":
            return simulated(steps)
        results = k(**program.inputs, on=device, schedule=steps)
        several = results if isinstance(results, tuple) else (results,)
        return tuple(np.asarray(x) for x in several)

    own = {
        "wide": lambda: interpreted(wide=True),
        "interpreter": lambda: interpreted(wide=False),
    }
    for path in on:
        yield path, own[path] if path in own else partial(called, path, None)
    for device in also:
        loops = k.loops(dims)
        steps = schedule(loops, device)
        ways = {"loops": partial(stepped, loops), device: partial(called, device)}
        for path, way in ways.items() if steps.steps else ():
            yield f"{path}, {steps!r}", partial(way, steps)


def _given(k: wb.Kernel, program: Program) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays and the scalars that a kernel takes."""
    arrays = {a.name: program.inputs[a.name] for a in k.graph.inputs}
    return arrays, {s.name: program.inputs[s.name] for s in k.graph.scalars}


def _difference(compute: Callable[[], Results], wanted: Meaning) -> str:
    """In words how a path differs from what is wanted; nothing where it agrees."""
    try:
        found = compute()
    except (RunError, DeviceError) as error:
        return "" if wanted.results is None else f"reports {error}"
    if wanted.results is None:
        return "an access leads outside, and nothing is reported"
    return difference(found, wanted.results, loose=wanted.loose, reach=wanted.reach)


def difference(
    found: Results, wanted: tuple[np.ndarray, ...], *, loose: str = "", reach: float = 0.0
) -> str:
    """In words how results differ; nothing where they agree, floats as near as `loose` is.

    `reach` is the greatest value on the way that was rounded: what cancels is off by its share.
    """
    for place, (a, b) in enumerate(zip(found, wanted, strict=True)):
        values = np.asarray(a)
        if not loose and not np.array_equal(
            values.astype(b.dtype), b, equal_nan=b.dtype.kind == "f"
        ):
            return f"result {place} is {values.tolist()}, not {b.tolist()}"
        if loose:
            dtype = _FLOATS[loose] if b.dtype.kind == "f" else b.dtype
            compared = agreement(values, b, dtype, terms=TERMS, scale=_scale(b, reach))
            if not compared.ok:
                return f"result {place}: {compared.words}"
    return ""


def _scale(wanted: np.ndarray, reach: float) -> float:
    """The greatest finite value among the results and those on the way to them."""
    size = np.abs(wanted[np.isfinite(wanted)].astype(np.float64))
    return max(reach, float(size.max(initial=0.0)))
