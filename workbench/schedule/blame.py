"""The refusal of device kernels that are not legal: it names the step to blame, and one that fits.

A step is to blame where the kernels are right up to it and wrong from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

from workbench.base.errors import CodegenError, Mistake, ScheduleError
from workbench.passes.cleanup import clean
from workbench.passes.demands import Demand, demands
from workbench.passes.legality import Illegal, OutOfBounds, Race, illegal
from workbench.passes.mapping import map_kernels
from workbench.passes.registers import keep_in_registers
from workbench.passes.swaps import swap_buffers
from workbench.passes.turns import keep_turns
from workbench.passes.unrolled import write_out
from workbench.schedule.rules import default_states
from workbench.schedule.step import Schedule, step_text

if TYPE_CHECKING:
    from workbench.base.limits import Limits
    from workbench.base.source import Origin, Span
    from workbench.ir.device import Mapped
    from workbench.ir.expr import Expr
    from workbench.ir.loops import Loops

LANES = 4
"""The most lanes that a value of WGSL has."""
LARGEST = 1 << 16
"""The largest factor or size that is tried in place of one that does not fit."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step and the loops after it; `mine`: of the schedule, not of a rule. `place`: its line."""

    step: Any
    after: Loops
    mine: bool = True
    place: Span | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """How loops came to be: what they were, and every step with the loops after it.

    `facts` hold for the scalars of the kernel.
    """

    start: Loops
    taken: tuple[Taken, ...] = ()
    facts: tuple[Expr, ...] = ()

    @property
    def schedule(self) -> Schedule:
        """Every step, the rules' among them."""
        return Schedule(tuple(t.step for t in self.taken))

    def then(self, step: Any, after: Loops, of: Schedule | None) -> Past:
        """The same with one more step, of a schedule or of a rule."""
        places = () if of is None else of.places
        number = len(self.taken)
        place = places[number] if number < len(places) else None
        return replace(self, taken=(*self.taken, Taken(step, after, of is not None, place)))

    def loops(self, count: int) -> Loops:
        """The loops after so many steps."""
        return self.taken[count - 1].after if count else self.start


def require_legal(mapped: Mapped, limits: Limits, past: Past) -> Mapped:
    """The same kernels, where they are legal and a device with these limits can hold them.

    Raises `CodegenError` for a limit, with a step that would fit, and `ScheduleError` for a race,
    a barrier that not all reach or an access outside, with the step that is to blame.
    """
    over = _over(mapped, limits)
    if over is not None:
        raise _too_much(over, limits, past)
    fault = _first_fault(mapped, past.facts)
    if fault is not None:
        raise _refusal(fault, past)
    return mapped


def blamed(past: Past, wrong: Callable[[Mapped], bool]) -> int | None:
    """The number of the step from which on the kernels are wrong; None where they ever were.

    Steps count from 1. Loops that cannot be mapped are not wrong.
    """
    for count in reversed(range(len(past.taken))):
        before = mapped_of(past.loops(count))
        if before is None or not wrong(before):
            return count + 1
    return None


def _over(mapped: Mapped, limits: Limits) -> Demand | None:
    return next((d for d in demands(mapped, limits) if not d.held), None)


def _first_fault(mapped: Mapped, facts: Sequence[Expr]) -> Illegal | None:
    """What is wrong with the first kernel in which something is.

    Where dims are open, accesses are proved once more for the values of each call.
    """
    found = (illegal(k, facts) for k in mapped.kernels)
    wrong = (f for f in found if f is not None and not (mapped.open and isinstance(f, OutOfBounds)))
    return next(wrong, None)


def mapped_of(loops: Loops) -> Mapped | None:
    """The device kernels of loops, as `pipeline.py` makes them; None where they cannot be."""
    try:
        swapped = swap_buffers(keep_turns(clean(loops)))
        return map_kernels(keep_in_registers(write_out(swapped, LANES)))
    except CodegenError:
        return None


def _refusal(fault: Illegal, past: Past) -> ScheduleError | CodegenError:
    number = blamed(past, lambda mapped: _first_fault(mapped, past.facts) is not None)
    where = _origin(fault).nearest_span()
    if number is None:
        return CodegenError(f"no device may run this: {fault.words}", span=where, hint="on='cpu'")
    by = past.taken[number - 1]
    words = f"step {number}, {step_text(by.step)}: {fault.words}"
    hint = "the schedule without this step" if by.mine else "a schedule of your own"
    return ScheduleError(Mistake(words, by.place or where, hint))


def _origin(fault: Illegal) -> Origin:
    match fault:
        case Race():
            return fault.first.origin
        case OutOfBounds():
            return fault.access.origin
        case _:
            return fault.origin


def _too_much(over: Demand, limits: Limits, past: Past) -> CodegenError:
    def wrong(mapped: Mapped) -> bool:
        return any(d.limit == over.limit and not d.held for d in demands(mapped, limits))

    number = blamed(past, wrong)
    if number is None:
        return CodegenError(over.words, span=over.origin.nearest_span(), hint="on='cpu'")
    by = past.taken[number - 1]
    fits = _fitting(past, number, limits, larger="workgroups_per" in over.limit)
    words = f"step {number}, {step_text(by.step)}: {over.words}"
    span = by.place or over.origin.nearest_span()
    return CodegenError(words, span=span, hint=fits or "on='cpu'")


def _fitting(past: Past, number: int, limits: Limits, *, larger: bool) -> str:
    """A step in place of one of the first `number` with which all of them fit; "" if none does."""
    steps = [t.step for t in past.taken if t.mine]
    places = list(reversed(range(min(number, len(steps)))))
    candidates = [(n, s) for n in places for s in _resized(steps[n], larger=larger)]
    candidates += [(n, s) for n in places for s in _private(steps[n])]
    for place, candidate in candidates:
        if _fits(past.start, [*steps[:place], candidate, *steps[place + 1 :]], limits):
            instead = "" if place == number - 1 else f" in place of {step_text(steps[place])}"
            return step_text(candidate) + instead
    return ""


def _fits(loops: Loops, steps: Sequence[Any], limits: Limits) -> bool:
    for s in steps:
        if not s.check(loops):
            return False
        loops = s.apply(loops)
    for _, after in default_states(loops, "gpu"):
        loops = after
    mapped = mapped_of(loops)
    return mapped is not None and _over(mapped, limits) is None


def _resized(s: Any, *, larger: bool) -> Iterator[Any]:
    """The same step with another factor or size, the nearest first."""
    for f in fields(s):
        value: Any = getattr(s, f.name)
        while (value := _scaled(value, larger=larger)) is not None:
            yield replace(s, **{f.name: value})


def _private(s: Any) -> Iterator[Any]:
    """The same step with private memory where it takes workgroup memory."""
    for f in fields(s):
        if getattr(s, f.name) == "workgroup":
            yield replace(s, **{f.name: "private"})


def _scaled(value: Any, *, larger: bool) -> Any:
    """Twice or half a number, or every number in a tuple; None where that goes too far."""
    match value:
        case bool():
            return None
        case int():
            scaled = value * 2 if larger else value // 2
            return scaled if 1 <= scaled <= LARGEST else None
        case tuple():
            parts = cast("tuple[Any, ...]", value)
            new = tuple(_scaled(x, larger=larger) if type(x) is int else x for x in parts)
            return None if new == parts or None in new else new
        case _:
            return None
