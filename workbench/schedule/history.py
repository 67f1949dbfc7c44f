"""What became of each step: the loops before and after it, its verdict, and its time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from workbench.ir.loops import Loops
from workbench.ir.stmt import For
from workbench.schedule.names import find, shown
from workbench.schedule.nests import loops_in
from workbench.schedule.step import Verdict, no, step_text

_NAMES = frozenset({"loop", "loops", "at", "sizes"})
"""The fields of steps that hold names of loops."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A step, the loops before it, its verdict, the loops after it, and the seconds it took.

    A refused step leaves the loops as they are: `after` is then `before`.
    """

    step: Any
    before: Loops
    verdict: Verdict
    after: Loops
    seconds: float

    @property
    def text(self) -> str:
        """The call that makes the step."""
        return step_text(self.step)


def applied(steps: Iterable[Any], loops: Loops, *, exact: bool) -> Iterator[Applied]:
    """Each step in turn, up to the first that is refused, which is the last one given."""
    past: list[Applied] = []
    for s in steps:
        start = time.perf_counter()
        verdict = judged(s, loops, exact=exact)
        after = s.apply(loops) if verdict else loops
        if not verdict:
            verdict = explained(loop_names(s), loops, verdict, past)
        past.append(Applied(s, loops, verdict, after, time.perf_counter() - start))
        yield past[-1]
        if not verdict:
            return
        loops = after


def judged(s: Any, loops: Loops, *, exact: bool) -> Verdict:
    """The verdict on a step; where sums have to stay exact, what reorders one is refused."""
    verdict: Verdict = s.check(loops)
    if verdict and exact and verdict.notes:
        reason = f"it {'; it '.join(verdict.notes)}, which exact=True forbids"
        return no(reason, hint="a schedule without exact=True")
    return verdict


def loop_names(s: Any) -> tuple[str, ...]:
    """The loops that a step names."""
    found: list[Any] = []
    for f in fields(s):
        if f.name in _NAMES:
            value: Any = getattr(s, f.name)
            many = isinstance(value, tuple)
            found += cast("tuple[Any, ...]", value) if many else [value]
    return tuple(x for x in found if isinstance(x, str))


def explained(
    names: Iterable[str], loops: Loops, verdict: Verdict, past: Sequence[Applied]
) -> Verdict:
    """A refusal that says which step consumed a loop of these names, where one did."""
    gone = (n for n in names if not isinstance(find(loops, n), For) and not _ambiguous(loops, n))
    for name in gone:
        for number in reversed(range(len(past))):
            before, after = past[number].before, past[number].after
            if isinstance(find(before, name), For) and not isinstance(find(after, name), For):
                return replace(verdict, **_consumed(name, number, past[number], loops))
    return verdict


def _ambiguous(loops: Loops, name: str) -> bool:
    found = find(loops, name)
    return isinstance(found, Verdict) and "ambiguous" in found.reason


def _consumed(name: str, number: int, by: Applied, loops: Loops) -> dict[str, str]:
    old = {x.var for x in loops_in(by.before.body)}
    there = {x.var for x in loops_in(loops.body)}
    new = [x.var for x in loops_in(by.after.body) if x.var not in old and x.var in there]
    names = [shown(loops, var) for var in new]
    reason = f"'{name}' was consumed by step {number + 1}, {by.text}"
    if not names:
        return {"reason": reason}
    return {
        "reason": f"{reason}: its loops are {', '.join(names)}",
        "hint": " or ".join(map(repr, names)),
    }
