"""Edits of what a panel shows: a step more, another text, other knobs; each gives a new `Subject`.

The text of the cell is the one thing that is edited: a step becomes a line of a `@schedule`
function in it. Texts are parsed and checked as a cell's are, never executed. Nothing is run
here but by `rerun`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, assert_never, cast

from workbench.base.errors import CallError, Mistake, ScheduleError, WorkbenchError
from workbench.base.source import Source
from workbench.pipeline import compile_graph
from workbench.schedule.history import applied
from workbench.session.cell import run_cell
from workbench.session.compilations import unscheduled
from workbench.session.kernel import DEFAULT_DIM, kernels
from workbench.session.schedules import Turned
from workbench.session.subject import Subject, subject_of
from workbench.session.written import lines_of, new_function, with_function, with_lines

if TYPE_CHECKING:
    from workbench.ir.loops import Loops
    from workbench.schedule.history import Applied
    from workbench.schedule.next_steps import Next
    from workbench.schedule.step import Schedule
    from workbench.session.kernel import Kernel


@dataclass(frozen=True, slots=True)
class AddStep:
    """One step after all others, as a line of a schedule: `split("k", 8)`."""

    line: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Another text in place of the cell's."""

    text: str


@dataclass(frozen=True, slots=True)
class WriteSchedule:
    """Another text in place of the schedule function; a new function where there is none."""

    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """Values of knobs; those that are not named stay."""

    knobs: Mapping[str, int]


Edit: TypeAlias = AddStep | Rewrite | WriteSchedule | Turn


class RefusedStepError(ScheduleError):
    """A step that was refused, with the loops it was asked of, for those who underline them."""

    def __init__(self, mistakes: tuple[Mistake, ...], refused: Applied) -> None:
        """Keep the step, its verdict and the loops before it."""
        self.refused = refused
        super().__init__(*mistakes)


def edit_of(message: object) -> Edit:
    """The edit in a message of the page.

    It is {"step": LINE}, {"text": TEXT}, {"schedule": TEXT} or {"knobs": {T: 8}}.
    Raises `WorkbenchError` for anything else.
    """
    if isinstance(message, dict) and len(cast("dict[object, object]", message)) == 1:
        match cast("dict[object, object]", message):
            case {"step": str(line)}:
                return AddStep(line)
            case {"text": str(text)}:
                return Rewrite(text)
            case {"schedule": str(text)}:
                return WriteSchedule(text)
            case {"knobs": object() as knobs} if isinstance(knobs, dict):
                values = cast("dict[object, object]", knobs)
                found = {k: v for k, v in values.items() if isinstance(k, str) and type(v) is int}
                if len(found) == len(values):
                    return Turn(found)
            case _:
                pass
    raise WorkbenchError(f"no edit: {message!r:.80}", hint='{"step": "split(\'k\', 8)"}')


def edited(subject: Subject, edit: Edit) -> Subject:
    """The subject after an edit, compiled and not run; `run` is still the one before.

    Raises `SourceError` and `ScheduleError` at places in the new text, a `RefusedStepError`
    where a step is illegal, and whatever else compiling raises.
    """
    k = _kernel(subject)
    match edit:
        case AddStep(line):
            text, name = _with_step(subject, line)
            return _reread(subject, k, text, name)
        case Rewrite(text):
            name = None if subject.turned is None else subject.turned.name
            return _reread(subject, k, text, name)
        case WriteSchedule(function):
            return _with_schedule(subject, k, function)
        case Turn(knobs):
            if subject.turned is None:
                raise ScheduleError(
                    f"{k.name}: its schedule has no knobs", hint="def tiled(T=8): ..."
                )
            turned = replace(subject.turned, given={**subject.turned.given, **knobs})
            return _compiled(replace(subject, kernel=k), k, turned(), turned)
        case _:
            assert_never(edit)


def rerun(subject: Subject) -> Subject:
    """The subject after running it, timed, on the arrays that its cell ran on.

    Without such arrays it is as it was. Raises what calling raises.
    """
    run, k = subject.run, subject.kernel
    if run is None or k is None or run.arguments is None:
        return subject
    missing = [n for n in k.graph.parameters if n not in run.arguments]
    if missing:
        raise CallError(
            f"{k.name}: the cell ran without '{missing[0]}'", hint="write to cell, and run it"
        )
    checked = run.checks is not None
    again = run_cell(
        k, run.arguments, on=run.device, schedule=subject.turned or subject.schedule,
        checked=checked, timed=True,
    )  # fmt: skip
    return subject_of(again)


def next_steps(subject: Subject, loop: str) -> tuple[Next, ...]:
    """The legal steps at a loop after all those taken, each with its predicted effect.

    Raises `ScheduleError` for a loop that is not there.
    """
    c = subject.compilation
    exact = subject.schedule is not None and subject.schedule.exact
    dims = {**c.dims, **dict.fromkeys(c.open)}
    schedule = replace(_kernel(subject).schedule(dims), steps=c.schedule.steps, exact=exact)
    return schedule.steps_at(loop)


def _kernel(subject: Subject) -> Kernel:
    """The kernel of a subject; of a compilation alone it is read again from its source."""
    if subject.kernel is not None:
        return subject.kernel
    return kernels(subject.compilation.source)[subject.compilation.name]


def _with_step(subject: Subject, line: str) -> tuple[str, str]:
    """The text with one more step, and the name of the schedule function it stands in.

    What the reader sees is what the step is added to: the default rule's steps come with it.
    """
    if "\n" in line or not line.strip():
        raise ScheduleError(f"{line!r} is no line of a schedule", hint='split("k", 8)')
    c = subject.compilation
    text, turned = c.source.text, subject.turned
    if turned is None:
        function, name = new_function(text, c.name, [*lines_of(c.schedule.steps), line])
        return with_function(text, function, None)[0], name
    rest = lines_of(c.schedule.steps[len(turned().steps) :])
    return with_lines(text, turned.function.text, [*rest, line]), turned.name


def _with_schedule(subject: Subject, old: Kernel, written: str) -> Subject:
    """The subject whose schedule is the function written, whatever it is called there."""
    c, turned = subject.compilation, subject.turned
    before = None if turned is None else turned.function.text
    text, (start, end) = with_function(c.source.text, written, before)
    names = [
        s.text.name
        for s in kernels(Source(text, c.source.name))[old.name].schedules.values()
        if start <= s.text.span.start < end
    ]
    if len(names) != 1:
        raise ScheduleError(
            f"the text holds {len(names)} schedules of '{old.name}', not one",
            hint=f"@schedule({old.name})",
        )
    return _reread(subject, old, text, names[0])


def _reread(subject: Subject, old: Kernel, text: str, name: str | None) -> Subject:
    """The subject of another text; its schedule is the function of that name, if it is there.

    Knobs keep what they were turned to, where their defaults are as they were.
    """
    found = kernels(Source(text, subject.compilation.source.name))
    k = found.get(old.name) or list(found.values())[-1]
    function = k.schedules.get(name or "")
    if function is None:
        kept = subject.schedule if subject.turned is None else None
        return _compiled(subject, k, kept, None)
    before = Turned(function) if subject.turned is None else subject.turned
    old_knobs, knobs = before.function.text.knobs, function.text.knobs
    given = {n: v for n, v in before.given.items() if n in knobs and knobs[n] == old_knobs[n]}
    turned = Turned(function, given)
    return _compiled(subject, k, turned(), turned)


def _compiled(
    subject: Subject, k: Kernel, schedule: Schedule | None, turned: Turned | None
) -> Subject:
    """The subject with another kernel or schedule, for the same dims, target and limits."""
    c = subject.compilation
    if schedule is not None and subject.schedule is not None and subject.schedule.exact:
        schedule = replace(schedule, exact=True)
    dims = {n: c.dims.get(n, DEFAULT_DIM) for n in k.graph.symbols()}
    try:
        new = compile_graph(
            k.graph, k.source, dims, schedule=schedule, on=c.device_class, limits=c.limits,
                        parse_seconds=k.parse_seconds,
        )  # fmt: skip
    except ScheduleError as error:
        found = _refused(schedule, unscheduled(k.graph, dims))
        if found is None:
            raise
        raise RefusedStepError(error.mistakes, found) from error
    return replace(subject, compilation=new, kernel=k, schedule=schedule, turned=turned)


def _refused(schedule: Schedule | None, loops: Loops) -> Applied | None:
    """The first step of a schedule that is refused."""
    if schedule is not None:
        for x in applied(schedule.steps, loops, exact=schedule.exact):
            if not x.verdict:
                return x
    return None
