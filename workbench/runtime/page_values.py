"""What a page says, as values of this side: limits, timings, errors; and scalars as it wants them.

Pure functions for `browser.py`; nothing here sends or waits.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from workbench.base.errors import DeviceError
from workbench.base.limits import NUMBERS, Limits
from workbench.program import OUTSIDE_HINT
from workbench.runtime.device import Stamp, StoppedError, Timing
from workbench.runtime.rejected import rejected
from workbench.runtime.wasm_memory import LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.program import Program
    from workbench.runtime.page_messages import Answer, Engine, Failure, PageReport

LATE_HINT = "smaller sizes, or a loop that ends"


def device_error(failure: Failure, program: Program | None = None) -> DeviceError:
    """What a page reported, for the user."""
    kernel = (
        None
        if program is None
        else next((k for k in program.kernels if k.name == failure.kernel), None)
    )
    if failure.kind == "shader" and kernel is not None:
        return rejected(kernel, failure.message, line=failure.line, column=failure.column)
    hints = {
        "limit": "a smaller split, or on='cpu'",
        "out-of-memory": "workbench.tidy(), or smaller arrays",
        "lost": "run the cell again",
        "dropped": "call the kernel again, which sends it again",
        "budget": "a condition that ends the loop",
        "outside": OUTSIDE_HINT,
        "deadline": LATE_HINT,
    }
    kind = StoppedError if failure.kind in {"cancelled", "deadline"} else DeviceError
    return kind(failure.message, hint=hints.get(failure.kind, ""))


def wasm_words(report: PageReport) -> str:
    """The page's WebAssembly in words, and why not its GPU."""
    count = report.wasm_workers
    workers = f"{count} workers" if count > 1 else "1 worker"
    why = f", as there is no WebGPU: {report.cause}" if report.cause else ""
    return f"WebAssembly in the page, {workers}{why}"


def whole_words(content: memoryview) -> memoryview:
    """The bytes, with zeros behind them where they are no whole words."""
    missing = -content.nbytes % 4
    return memoryview(bytes(content) + bytes(missing)) if missing else content


def scalar_words(program: Program, scalars: Sequence[float]) -> list[int]:
    """The scalar parameters as 32-bit patterns: one each in WGSL, two in WebAssembly."""
    given = list(zip(program.scalars, scalars, strict=True))
    if program.target == "wgsl":
        return [p.word(value) for p, value in given]
    return [word for p, value in given for word in struct.unpack("<2I", p.slot(value))]


def limits_of(report: PageReport, engine: Engine | None) -> Limits:
    """An engine's limits under our names; what the page does not say is the guaranteed minimum."""
    if engine == "wasm":
        return LIMITS
    said = {_snake(name): value for name, value in (report.limits or {}).items()}
    known = {name: said[name] for name in NUMBERS if name in said}
    return Limits(**known, shader_f16="shader-f16" in report.features)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def timing_of(answer: Answer, report: PageReport, engine: Engine | None) -> Timing:
    """The timing of a finished run, by the page's clocks."""
    values = answer.values
    kernels: list[dict[str, Any]] | None = values.get("kernels")
    milliseconds = values.get("milliseconds")
    total = None if milliseconds is None else float(milliseconds) / 1000
    submits: int | None = values.get("submits")
    if kernels is None:
        return Timing(total=total, submits=submits)
    seconds = sum(float(kernel["nanoseconds"]) for kernel in kernels) / 1e9
    clock = "the page's workers" if engine == "wasm" else f"timestamps of {report.adapter}"
    stamps = tuple(map(_stamp, values.get("stamps", ())))
    step = float(values.get("step", 0)) / 1e9
    return Timing(
        kernel=seconds, total=total, clock=clock, submits=submits, stamps=stamps, step=step
    )


def _stamp(said: dict[str, Any]) -> Stamp:
    begin, end = float(said["begin"]) / 1e9, float(said["end"]) / 1e9
    return Stamp(said["op"], str(said["name"]), begin, max(0.0, end - begin))
