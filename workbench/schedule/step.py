"""What a step is, what it answers, and `Schedule`: a tuple of steps, a value.

A step is a frozen dataclass in one of the family files (`FAMILIES`), registered by `@step`; its
name in schedules is its class name in snake case.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, replace
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from workbench.base.errors import Mistake, ScheduleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workbench.base.source import Origin, Span
    from workbench.ir.loops import Loops
    from workbench.schedule.history import Applied
    from workbench.schedule.next_steps import Next


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

    def __repr__(self) -> str:
        """The verdict as a person reads it: a refusal with its places and counter-example."""
        if self:
            return "; ".join(["legal", *self.notes])
        first, *others = [s for o in self.where if (s := o.nearest_span())] or [None]
        example = f"; {self.example}" if self.example else ""
        said = Mistake(f"refused: {self.reason}{example}", first, self.hint).render()
        places = [Mistake("and", s).render() for s in dict.fromkeys(others) if s != first]
        return "\n".join([said, *places])


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


FAMILIES = (
    "loop_steps", "nest_steps", "vector_steps", "memory_steps", "compute_steps", "root_steps",
    "reduce_steps", "decompose_steps", "algebra_steps", "layout_steps", "storage_steps",
    "pad_steps", "parallel_steps",
)  # fmt: skip
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
class Home:
    """The kernel that a schedule is for: its name, what tells it from others, and its loops."""

    name: str
    identity: str
    loops: Callable[[], Loops]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A tuple of steps for one kernel: a value. Fluent methods live on `Kernel.schedule()`'s.

    `repr` is Python that makes it: `Schedule().split('k', 8).reorder('i', 'j')`. `exact=True`
    refuses steps that add floats in another order. `s.undo()` is the schedule without the last
    step, `s[:2]` its first two. `places` are the lines that the steps stand on, where known.
    """

    steps: tuple[Any, ...] = ()
    home: Home | None = field(default=None, compare=False, repr=False)
    exact: bool = field(default=False, kw_only=True)
    places: tuple[Span | None, ...] = field(default=(), compare=False, repr=False, kw_only=True)

    def __repr__(self) -> str:
        start = "Schedule(exact=True)" if self.exact else "Schedule()"
        return start + "".join("." + step_text(s) for s in self.steps)

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

    def __len__(self) -> int:
        return len(self.steps)

    def __bool__(self) -> bool:
        return True  # an empty schedule is one, too

    def __getitem__(self, place: slice) -> Schedule:
        """The schedule of some of the steps: `s[:2]`."""
        if not isinstance(place, slice):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"schedule[{place!r}] is no schedule; schedule.steps[{place!r}] a step")
        return replace(self, steps=self.steps[place], places=self.places[place])

    def undo(self, count: int = 1) -> Schedule:
        """The schedule without its last steps; without any where it has fewer."""
        return self[: max(0, len(self.steps) - count)]

    @property
    def at_home(self) -> Home:
        """The kernel that it is for. Raises `ScheduleError` where it is for none."""
        if self.home is None:
            raise ScheduleError("this schedule belongs to no kernel", hint="k.schedule()")
        return self.home

    @property
    def history(self) -> tuple[Applied, ...]:
        """Each step with the loops before and after, its verdict and its seconds.

        The last one is the first that is refused, if one is.
        """
        return tuple(_history().applied(self.steps, self.at_home.loops(), exact=self.exact))

    def steps_at(self, loop: str) -> tuple[Next, ...]:
        """The legal next steps at a loop of the kernel, each with its predicted effect."""
        return import_module("workbench.schedule.next_steps").steps_at(self, loop)

    def to_json(self) -> str:
        """The schedule with the identity of its kernel, for `Kernel.saved_schedule`."""
        return import_module("workbench.schedule.saved").to_json(self)

    def states(self, loops: Loops) -> Iterator[tuple[Any, Loops]]:
        """Each step with the loops after it. Raises `ScheduleError` at the first refusal."""
        for number, x in enumerate(_history().applied(self.steps, loops, exact=self.exact)):
            if not x.verdict:
                place = self.places[number] if number < len(self.places) else None
                raise refusal(x.step, x.verdict, place)
            yield x.step, x.after

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
            if _history().judged(s, loops, exact=self.exact):
                loops = s.apply(loops)
                kept.append(s)
        return replace(self, steps=tuple(kept), places=())

    def check(self, loops: Loops | None = None) -> Verdict:
        """The first refusal, or yes with the notes of every step.

        Without `loops`, those of the kernel that `Kernel.schedule()` was asked of.
        """
        loops = self.at_home.loops() if loops is None else loops
        notes: tuple[str, ...] = ()
        for x in _history().applied(self.steps, loops, exact=self.exact):
            if not x.verdict:
                return x.verdict
            notes += x.verdict.notes
        return Verdict(notes=notes)


def _history() -> Any:
    """The module above this one that walks through the steps."""
    return import_module("workbench.schedule.history")


def make(name: str, *args: Any, **options: Any) -> Any:
    """A step by name and arguments. A step whose first field is a tuple takes all positions.

    Raises `ScheduleError` for a step that is not there, and for arguments it does not take.
    """
    _load_families()
    if name not in STEPS:
        close = get_close_matches(name, STEPS, n=1)
        hint = f"did you mean {close[0]}(...)?" if close else ", ".join(sorted(STEPS))
        raise ScheduleError(f"no step '{name}'", hint=hint)
    cls = STEPS[name]
    many = fields(cls)[0].type.startswith("tuple") and fields(cls)[0].name not in options
    try:
        made = cls(tuple(args), **options) if many else cls(*args, **options)
    except TypeError as error:
        raise ScheduleError(f"{name}: {error}", hint=(cls.__doc__ or "").strip()) from error
    for f in fields(cls):
        value = getattr(made, f.name)
        if not _fits(value, str(f.type)):
            kind = type(value).__name__
            reason = f"{name}: {f.name} is {value!r}, of type {kind}; it wants {f.type}"
            raise ScheduleError(reason, hint=_example(cls))
    return made


_TYPES: dict[str, type] = {"int": int, "str": str, "bool": bool, "float": float}


def _fits(value: object, wanted: str) -> bool:
    """Whether an argument is of the type that a field says; of one not known here, always."""
    if wanted.startswith("tuple[") and wanted.endswith(", ...]"):
        inner = wanted.removeprefix("tuple[").removesuffix(", ...]")
        return isinstance(value, tuple) and all(
            _fits(x, inner) for x in cast("tuple[Any, ...]", value)
        )
    names = [x.strip() for x in wanted.split("|")]
    if any(x != "None" and x not in _TYPES for x in names):
        return True
    return type(value) in {type(None) if x == "None" else _TYPES[x] for x in names}


def _example(cls: type[Any]) -> str:
    """The call of a step with the types of its arguments."""
    given = (f"{f.name}: {f.type}" + ("" if f.default is MISSING else f" = {f.default!r}")
             for f in fields(cls))  # fmt: skip
    name = next(n for n, c in STEPS.items() if c is cls)
    return f"{name}({', '.join(given)})"


def refusal(s: Step, verdict: Verdict, place: Span | None = None) -> ScheduleError:
    """The error that a refused step raises, at the line of the step or at the loop meant."""
    example = f"; {verdict.example}" if verdict.example else ""
    span = place or next((o.nearest_span() for o in verdict.where if o.nearest_span()), None)
    return ScheduleError(Mistake(f"{step_text(s)}: {verdict.reason}{example}", span, verdict.hint))


def _load_families() -> None:
    """Import the family files, which register their steps."""
    for family in FAMILIES:
        import_module(f"workbench.schedule.{family}")
