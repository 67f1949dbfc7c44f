"""The errors a person meets, each with its place in the source and the way to mend it.

A message is lower case, without a full stop: the thing, the fact, the value.
The hint is a call that would work, or the line to write in the place of the one that is wrong
(several lines, where it takes several). "on a line before it", "on a line after it", "on a line
before the block", "as the first line", "as the first line of the block", "as a parameter", "before
the kernel" and "at line 3" at its end say another place for it; `-> f32[N]` is the result of the
signature. Where no line is the likeliest one, the hint is words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.base.source import Span


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong: what, where, and what to write instead."""

    message: str
    span: Span | None = None
    hint: str = ""

    def render(self) -> str:
        """The message, the source line with a caret under the place, and the hint."""
        lines = [self.message]
        if self.span is not None:
            number, column = self.span.position
            text = self.span.source.line(number)
            width = max(1, min(self.span.end - self.span.start, len(text) - column + 1))
            gutter = f"{number:>5} | "
            lines += [f"{gutter}{text}", " " * (len(gutter) + column - 1) + "^" * width]
        if self.hint:
            lines.append(f"  try: {self.hint}".replace("\n", "\n       "))
        return "\n".join(lines)


class WorkbenchError(Exception):
    """A mistake that the user can mend; carries every `Mistake` found at once."""

    def __init__(self, *mistakes: Mistake | str, hint: str = "", span: Span | None = None) -> None:
        """Take one or several mistakes; a string is a mistake at `span` with `hint`."""
        self.mistakes: tuple[Mistake, ...] = tuple(
            Mistake(m, span, hint) if isinstance(m, str) else m for m in mistakes
        )
        super().__init__("\n".join(m.render() for m in self.mistakes))

    def _render_traceback_(self) -> Sequence[str]:
        """IPython's hook: users see their own line, not the compiler's insides."""
        return [f"{type(self).__name__}: {self}"]


class SourceError(WorkbenchError):
    """The text of a kernel is not a program of the cell language."""


class CallError(WorkbenchError):
    """The arguments of a call do not fit the signature of the kernel."""


class OpenDimError(CallError):
    """A compilation with open dims cannot be used for these values of them."""


class ScheduleError(WorkbenchError):
    """A step of a schedule would change the answer, or names what is not there."""


class CodegenError(WorkbenchError):
    """The target cannot hold this program (a dtype, a form, a limit of the device)."""


class DeviceError(WorkbenchError):
    """A device is missing, refused the program, or stopped."""


class RunError(WorkbenchError):
    """A program did, while it ran, what has no meaning: an index outside, a loop without end."""


class InternalError(Exception):
    """A mistake of ours: keeps its whole traceback."""
