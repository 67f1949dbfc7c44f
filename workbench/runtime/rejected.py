"""Refusals of a driver, mapped back from generated code to what the user wrote.

Every generated text knows which characters stand for which origin; so the place that a shader
compiler names leads to a span of the source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.base.errors import DeviceError, Mistake

if TYPE_CHECKING:
    from workbench.base.source import Span
    from workbench.program import Kernel


def rejected(kernel: Kernel, message: str, *, line: int = 0, column: int = 0) -> DeviceError:
    """The error for code that a driver refused at `line` and `column` (from 1; 0: unknown).

    It shows the line of generated code, and the place in the source that the code came from.
    """
    span = source_span(kernel, line, column)
    if written(kernel, span):
        return DeviceError(Mistake(f"the driver refused '{kernel.name}': {message}", span))
    place = f" at line {line}, column {column} of its code" if line else ""
    words = f"the driver refused kernel '{kernel.name}'{place}: {message}"
    lines = kernel.code.split("\n")
    if 1 <= line <= len(lines):
        words += f"\n    {lines[line - 1].strip()}"
    return DeviceError(Mistake(words, span))


def written(kernel: Kernel, span: Span | None) -> bool:
    """Whether the code of a kernel is itself the source that a person wrote."""
    return span is not None and span.source.text == kernel.code


def source_span(kernel: Kernel, line: int, column: int) -> Span | None:
    """What the user wrote that became the code at a place; None where nothing is known."""
    text = kernel.text
    if line < 1 or not text.marks:
        return None
    origin = text.at(text.offset(line, max(1, column)))
    return None if origin is None else origin.nearest_span()
