"""What a step is, what it answers, and `Schedule`: a tuple of steps, a value.

A step is a frozen dataclass in one of the family files (`FAMILIES`), registered by `@step`; its
name in schedules is its class name in snake case.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from workbench.base.errors import Mistake, ScheduleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workbench.base.source import Origin
    from workbench.ir.loops import Loops


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a step is legal; true when it is.

    `reason` says why not, in the reader's words; `where` are the origins of the loops and
    accesses meant; `example` is a counter-example (two iterations and the element they clash
    on); `hint` a call that would work; `notes` say what a legal step changes in the numbers
    (a reordered float sum).
    """

    reason: str = ""
    where: tuple[Origin, ...] = ()
    example: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.reason


YES = Verdict()


def no(reason: str, *where: Origin, example: str = "", hint: str = "") -> Verdict:
    """A refusal."""
    return Verdict(reason, where, example, hint)


class Step(Protocol):
    """One change to the loops. `apply` is called only after `check` said yes."""

    def check(self, loops: Loops) -> Verdict:
        """Whether the step keeps the answer of this function."""
        ...

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        ...


FAMILIES = ("loop_steps", "nest_steps", "vector_steps", "memory_steps", "parallel_steps")
"""The files that steps stand in."""

STEPS: dict[str, type[Any]] = {}
"""Every step by the name that schedules write; filled by `@step` when a family is imported."""

T = TypeVar("T", bound=type[Any])


def step(cls: T) -> T:
    """Register a frozen dataclass as a step under its name in snake case."""
    name = "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_")
    STEPS[name] = cls
    return cls


def step_classes() -> dict[str, type[Any]]:
    """Every step by the name that schedules write."""
    _load_families()
    return STEPS


def step_name(s: Step) -> str:
    """The name under which schedules write a step."""
    return next(name for name, cls in STEPS.items() if type(s) is cls)


def step_text(s: Step) -> str:
    """The call that makes a step: `split('k', 8)`; defaults are left out."""
    parts: list[str] = []
    for f in fields(s):  # pyright: ignore[reportArgumentType]
        value: Any = getattr(s, f.name)
        if value == f.default:
            continue
        if isinstance(value, tuple):
            parts += [repr(v) for v in cast("tuple[Any, ...]", value)]
        else:
            parts.append(f"{f.name}={value!r}" if f.kw_only else repr(value))
    return f"{step_name(s)}({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A tuple of steps for one kernel: a value. Fluent methods live on `Kernel.schedule()`'s.

    `repr` is Python that makes it: `Schedule().split('k', 8).reorder('i', 'j')`.
    """

    steps: tuple[Any, ...] = ()
    home: Callable[[], Loops] | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        return "Schedule()" + "".join("." + step_text(s) for s in self.steps)

    def __getattr__(self, name: str) -> Any:
        """A method per step: the schedule with that step appended."""
        _load_families()
        if name.startswith("_") or name not in STEPS:
            msg = f"no step '{name}'; steps: {', '.join(sorted(STEPS))}"
            raise AttributeError(msg)

        def append(*args: Any, **options: Any) -> Schedule:
            return replace(self, steps=(*self.steps, make(name, *args, **options)))

        return append

    def __dir__(self) -> list[str]:
        _load_families()
        return [*object.__dir__(self), *STEPS]

    def states(self, loops: Loops) -> Iterator[tuple[Any, Loops]]:
        """Each step with the loops after it. Raises `ScheduleError` at the first refusal."""
        for s in self.steps:
            verdict = s.check(loops)
            if not verdict:
                raise refusal(s, verdict)
            loops = s.apply(loops)
            yield s, loops

    def apply(self, loops: Loops) -> Loops:
        """The loops after all steps. Raises `ScheduleError` at the first refusal."""
        after = loops
        for state in self.states(loops):
            after = state[1]
        return after

    def fitting(self, loops: Loops) -> Schedule:
        """The steps that are legal for these loops, one after the other; others are left out."""
        kept: list[Any] = []
        for s in self.steps:
            if s.check(loops):
                loops = s.apply(loops)
                kept.append(s)
        return replace(self, steps=tuple(kept))

    def check(self, loops: Loops | None = None) -> Verdict:
        """The first refusal, or yes with the notes of every step.

        Without `loops`, those of the kernel that `Kernel.schedule()` was asked of.
        """
        if loops is None:
            if self.home is None:
                raise ScheduleError("this schedule belongs to no kernel", hint="k.schedule()")
            loops = self.home()
        notes: tuple[str, ...] = ()
        for s in self.steps:
            verdict = s.check(loops)
            if not verdict:
                return verdict
            notes += verdict.notes
            loops = s.apply(loops)
        return Verdict(notes=notes)


def make(name: str, *args: Any, **options: Any) -> Any:
    """A step by name and arguments. A step whose first field is a tuple takes all positions."""
    _load_families()
    if name not in STEPS:
        raise ScheduleError(f"no step '{name}'", hint=", ".join(sorted(STEPS)))
    cls = STEPS[name]
    try:
        if fields(cls)[0].type.startswith("tuple"):
            return cls(tuple(args), **options)
        return cls(*args, **options)
    except TypeError as error:
        raise ScheduleError(f"{name}: {error}", hint=(cls.__doc__ or "").strip()) from error


def refusal(s: Step, verdict: Verdict) -> ScheduleError:
    """The error that a refused step raises."""
    example = f"; {verdict.example}" if verdict.example else ""
    span = next((o.nearest_span() for o in verdict.where if o.nearest_span()), None)
    return ScheduleError(Mistake(f"{step_text(s)}: {verdict.reason}{example}", span, verdict.hint))


def _load_families() -> None:
    """Import the family files, which register their steps."""
    for family in FAMILIES:
        import_module(f"workbench.schedule.{family}")
