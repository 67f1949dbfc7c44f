"""`@schedule` functions of a cell: schedules by the values of their knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.base.errors import Mistake, ScheduleError
from workbench.schedule.step import Schedule, make

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.lang import ScheduleText
    from workbench.lang.module import Plain


@dataclass(frozen=True, slots=True)
class KernelSchedule:
    """A `@schedule` function of the cell: called with its knobs it gives a `Schedule`.

    `empty` makes the schedule of its kernel that has no steps yet.
    """

    text: ScheduleText
    empty: Callable[[], Schedule] = field(default=Schedule, compare=False)

    def __call__(self, **knobs: int) -> Schedule:
        """The schedule for these knobs. Raises `ScheduleError` for a knob it does not have."""
        unknown = [k for k in knobs if k not in self.text.knobs]
        if unknown:
            known = ", ".join(self.text.knobs) or "none"
            raise ScheduleError(f"{self.text.name}: no knob '{unknown[0]}'; its knobs: {known}")
        for name, value in knobs.items():
            default = self.text.knobs[name]
            if type(value) is not type(default):
                reason = f"{self.text.name}: knob '{name}' is {value!r}; its default is {default!r}"
                raise ScheduleError(reason, hint=f"{self.text.name}({name}={default!r})")
        steps: list[Any] = []
        for call in self.text.resolved({**self.text.knobs, **knobs}):
            try:
                steps.append(make(call.name, *call.args, **dict(call.options)))
            except ScheduleError as error:
                raise ScheduleError(
                    *(Mistake(m.message, call.span, m.hint) for m in error.mistakes)
                ) from error
        places = tuple(call.span for call in self.text.calls)
        return replace(self.empty(), steps=tuple(steps), places=places)

    def __repr__(self) -> str:
        knobs = ", ".join(f"{k}={v}" for k, v in self.text.knobs.items())
        return f"<schedule {self.text.name}({knobs})>"


@dataclass(frozen=True, slots=True)
class Turned:
    """A schedule function and the knobs that were given; the others have their defaults."""

    function: KernelSchedule
    given: Mapping[str, int] = field(default_factory=dict[str, int])

    def __call__(self) -> Schedule:
        """The schedule for these knobs. Raises what calling the function raises."""
        return self.function(**self.given)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.text.name

    @property
    def knobs(self) -> dict[str, Plain]:
        """Every knob with its value."""
        return {**self.function.text.knobs, **self.given}
