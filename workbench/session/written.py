"""Schedules as text: lines added to a cell, the calls that replay steps, and the cell to run.

Works on texts and spans alone; nothing here parses, compiles or knows a page.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, TypeAlias

from workbench.base.errors import ScheduleError
from workbench.schedule.step import step_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.lang.module import ScheduleText
    from workbench.schedule.step import Schedule
    from workbench.session.schedules import Turned

MAGIC = "# %%wgpu_kernel"
"""The first line of the source of a cell, as the parser reads it."""
_INDENT = "    "
Range: TypeAlias = tuple[int, int]
"""A part of a text: its first character, and the one after its last."""


def with_lines(text: str, function: ScheduleText, lines: Sequence[str]) -> str:
    """The text with more lines at the end of a schedule function.

    Raises `ScheduleError` where its steps do not stand on lines of their own.
    """
    end = text.find("\n", function.span.end)
    end = len(text) if end < 0 else end
    last = text.rfind("\n", 0, function.span.end) + 1
    shown = text[last:end]
    indent = shown[: len(shown) - len(shown.lstrip())]
    if not indent:
        raise ScheduleError(
            f"'{function.name}' is written on one line", span=function.span,
            hint="each step on a line of its own",
        )  # fmt: skip
    return text[:end] + "".join(f"\n{indent}{line}" for line in lines) + text[end:]


def new_function(text: str, kernel: str, lines: Sequence[str]) -> tuple[str, str]:
    """A schedule function for a kernel of a text that has none of its name, and that name."""
    name, number = "mine", 2
    while re.search(rf"\b{name}\b", text):
        name, number = f"mine_{number}", number + 1
    body = "\n".join(_INDENT + line for line in lines or ["pass"])
    return f"@schedule({kernel})\ndef {name}():\n{body}", name


def with_function(text: str, function: str, old: ScheduleText | None) -> tuple[str, Range]:
    """The text with a schedule function in place of an old one, else at its end; and where.

    The place holds whole lines, without the line end of the last.
    """
    if old is None:
        before, after = f"{text.rstrip()}\n\n", "\n"
    else:
        start, end = function_range(old)
        before, after = text[:start], text[end:]
    return f"{before}{function}{after}", (len(before), len(before) + len(function))


def function_range(function: ScheduleText) -> Range:
    """The lines of a schedule function in its text, from its decorator on."""
    text, span = function.span.source.text, function.span
    end = text.find("\n", span.end)
    decorator = text.rfind("@schedule", 0, span.start)
    assert decorator >= 0, "a schedule function stands under its decorator"
    return text.rfind("\n", 0, decorator) + 1, len(text) if end < 0 else end


def lines_of(steps: Sequence[object]) -> list[str]:
    """Steps as lines of a schedule function."""
    return [step_text(s).replace("'", '"') for s in steps]  # pyright: ignore[reportArgumentType]


def fluent(kernel: str, schedule: Schedule) -> str:
    """The call chain that makes a schedule of a kernel."""
    return f"{kernel}.schedule()" + "".join("." + line for line in lines_of(schedule.steps))


def function_text(turned: Turned) -> str:
    """The schedule function as it is written, from its decorator on."""
    start, end = function_range(turned.function.text)
    return turned.function.text.span.source.text[start:end]


def cell_text(text: str, turned: Turned | None) -> str | None:
    """The cell that shows this text with these knobs; None for a text that is no cell's.

    The first line says the schedule and the knobs that were turned; its other options stay.
    """
    head, _, body = text.partition("\n")
    if not head.startswith(MAGIC):
        return None
    words = _without(shlex.split(head.removeprefix(MAGIC)), ("--schedule", "--set"))
    if turned is not None:
        words += ["--schedule", turned.name]
        for name, value in turned.given.items():
            words += ["--set", f"{name}={value}"]
    return "\n".join((shlex.join(["%%wgpu_kernel", *words]), body))


def _without(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """Words of a command line without options that take one value."""
    kept: list[str] = []
    skip = False
    for word in words:
        name, sign, _ = word.partition("=")
        if skip or name in options:
            skip = not skip and not sign
        else:
            kept.append(word)
    return kept
