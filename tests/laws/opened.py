"""Programs called with size after size: from the fourth on the dims are uniforms of the code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

import workbench as wb
from tests.laws.growing import Program, resized
from tests.laws.trial import Meaning, difference, meaning, unheld
from workbench.base.errors import (
    CodegenError,
    DeviceError,
    OpenDimError,
    RunError,
    SourceError,
)
from workbench.passes.open_dims import kept_literal

SIZES = ({"N": 2, "M": 1}, {"N": 3, "M": 2}, {"N": 1, "M": 4})
"""The first sizes, which are literals of the code."""
MORE_SIZES = (
    {"N": 7, "M": 3}, {"N": 0, "M": 2}, {"N": 1, "M": 1}, {"N": 13, "M": 5}, {"N": 4, "M": 0},
)  # fmt: skip
"""Later ones: primes, one and nothing."""

Run = Callable[[Program], tuple[tuple[np.ndarray, ...], str]]
"""Gives the results of a program, and whether the code was open or literal."""


@dataclass(frozen=True, slots=True)
class Opened:
    """How a program did at later sizes: `seen` counts them, `wrong` says what differs."""

    seen: Counter[str]
    wrong: str = ""


def for_every_size(program: Program) -> Program:
    """The program without its facts about dims, where it is right also for dims of 0."""
    facts = re.compile(r"^    assert [NM] > 0\n", re.MULTILINE)
    free = replace(program, text=facts.sub("", program.text))
    try:
        wb.kernel(free.text)
    except SourceError:
        return program
    return free


def opened(program: Program, device: str, *, calls: bool) -> Opened:
    """A program at later sizes on a device, by code for every size.

    With `calls` it is the code that one kernel object has after three sizes, else the code that
    `compile` gives for open dims. Programs that the device cannot hold are left to `trial`.
    """
    seen: Counter[str] = Counter(["opened"])
    program = for_every_size(program)
    seen["for every size"] += "assert N" not in program.text
    if unheld(program.text, device):
        return Opened(seen)
    k = wb.kernel(program.text)
    run = _called(k, device) if calls else _compiled(k, device)
    for dims in (*(SIZES if calls else ()), *MORE_SIZES):
        if 0 in dims.values() and "assert N" in program.text:
            continue
        other = resized(program, dims)
        wanted = meaning(other)
        if wanted.vague or (wanted.results is None and 0 in dims.values()):
            continue  # an argument that a function does not use may stand outside there
        how, wrong = _at_size(run, other, wanted)
        seen[how] += 1
        seen["empty"] += how == "open" and 0 in dims.values()
        if wrong:
            return Opened(seen, f"{device}, {how} at {dims}: {wrong}\n{program.text}{other.inputs}")
    return Opened(seen)


def _at_size(run: Run, program: Program, wanted: Meaning) -> tuple[str, str]:
    """How a program was run, and in words what is wrong with what it gave."""
    try:
        found, how = run(program)
    except (RunError, DeviceError, SourceError) as error:
        if 0 in program.dims.values() and "runs over nothing" in str(error):
            return "no answer", ""  # as below, found when it ran
        return "reported", "" if wanted.results is None else f"reports {error}"
    except CodegenError as error:
        if 0 in program.dims.values() and "has no answer" in str(error):
            return "no answer", ""  # argmax of nothing, for elements that are not there
        raise
    except OpenDimError:
        return "not for this size", ""
    if wanted.results is None:
        return how, "an access leads outside, and nothing is reported"
    return how, difference(found, wanted.results, loose=wanted.loose, reach=wanted.reach)


def _called(k: wb.Kernel, device: str) -> Run:
    def run(program: Program) -> tuple[tuple[np.ndarray, ...], str]:
        results = k(**program.inputs, on=device)
        assert k.last is not None
        how = "open" if k.last.compilation.open else "literal"
        several = results if isinstance(results, tuple) else (results,)
        return tuple(np.asarray(x) for x in several), how

    return run


def _compiled(k: wb.Kernel, device: str) -> Run:
    literal = kept_literal(k.graph)
    symbols = [n for n in k.graph.symbols() if n not in literal]

    def run(program: Program) -> tuple[tuple[np.ndarray, ...], str]:
        given = program.dims | {n: v for n, v in program.inputs.items() if n in k.graph.symbols()}
        dims = {n: int(given[n]) for n in k.graph.symbols()}
        c = k.compile(on=device, dims=dims | dict.fromkeys(symbols)).at(dims)
        order = [*c.program.inputs, *(p.name for p in c.program.arguments)]
        results = wb.run(c.program, *(program.inputs[n] for n in order), on=device)
        several = results if isinstance(results, tuple) else (results,)
        return tuple(np.asarray(x) for x in several), "open" if c.open else "literal"

    return run
