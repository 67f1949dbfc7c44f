"""What a text of the cell language says: kernels as graphs, and schedules as calls of steps.

A schedule's steps are named here, not made: the text is below the schedules' layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from workbench.base.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.source import Span
    from workbench.ir.graph import Graph

Plain = bool | int | float | str | None
"""A value that a step takes; tuples of these are written as several arguments."""

Sign = Literal["+", "-", "*", "//", "%"]


@dataclass(frozen=True, slots=True)
class Knob:
    """The value of a parameter of the schedule."""

    name: str


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two whole numbers joined by a sign."""

    sign: Sign
    left: Argument
    right: Argument
    span: Span


Argument = Plain | Knob | Arithmetic


@dataclass(frozen=True, slots=True)
class StepText:
    """One line of a schedule: the name of a step and its arguments, knobs not yet turned."""

    name: str
    args: tuple[Argument, ...]
    options: tuple[tuple[str, Argument], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class StepCall:
    """One line of a schedule with plain values."""

    name: str
    args: tuple[Plain, ...]
    options: tuple[tuple[str, Plain], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ScheduleText:
    """A `@schedule(kernel)` function: its knobs with their defaults, and its steps in order."""

    name: str
    kernel: str
    knobs: Mapping[str, Plain]
    calls: tuple[StepText, ...]
    span: Span

    def resolved(self, knobs: Mapping[str, Plain] | None = None) -> tuple[StepCall, ...]:
        """The steps with every knob turned; one that is not given has its default.

        Raises `SourceError` at the step whose arithmetic has no answer.
        """
        values = {**self.knobs, **(knobs or {})}
        return tuple(
            StepCall(
                c.name,
                tuple(_value(a, values) for a in c.args),
                tuple((name, _value(a, values)) for name, a in c.options),
                c.span,
            )
            for c in self.calls
        )


@dataclass(frozen=True, slots=True)
class Module:
    """Everything that one text says, in its order."""

    kernels: tuple[Graph, ...]
    schedules: tuple[ScheduleText, ...]


def _value(a: Argument, knobs: Mapping[str, Plain]) -> Plain:
    match a:
        case Knob(name):
            return knobs[name]
        case Arithmetic(sign, left, right, span):
            return _joined(sign, _value(left, knobs), _value(right, knobs), span)
        case bool() | int() | float() | str() | None:
            return a
        case _:
            assert_never(a)


def _joined(sign: Sign, left: Plain, right: Plain, span: Span) -> int:
    if not isinstance(left, int) or not isinstance(right, int):
        raise SourceError(
            f"'{sign}' of {left!r} and {right!r}: the arithmetic of knobs is on whole numbers",
            span=span,
        )
    if right == 0 and sign in {"//", "%"}:
        raise SourceError(f"{left} {sign} 0 has no answer", span=span)
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "//":
            return left // right
        case "%":
            return left % right
        case _:
            assert_never(sign)
