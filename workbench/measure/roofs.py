"""Roofs of a device, and what they say of a kernel: which resource limits it, and how closely.

Times under a roof are lower bounds: nothing that moves so many bytes, or computes so many
operations, can take less. What they do not explain is said to be unexplained.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from workbench.base.units import columns, duration, quantity

if TYPE_CHECKING:
    from workbench.measure.intervals import Interval
    from workbench.measure.traffic import Traffic

Resource = Literal["memory", "arithmetic", "dispatch"]
NEAR = 0.5
"""The share of a measured time from which on a roof is called its limit."""

ROOM = 1.1
"""How far above a measured time a roof's may be and still agree with it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So much of something in a time that was measured."""

    amount: float
    seconds: Interval

    @property
    def per_second(self) -> float:
        """The rate."""
        return self.amount / self.seconds.middle


@dataclass(frozen=True, slots=True)
class Roofs:
    """Bytes a second, operations a second, and seconds of a dispatch; measured on a device."""

    device: str
    memory: Rate
    arithmetic: Rate
    dispatch: Interval

    @property
    def ridge(self) -> float:
        """Operations for each byte from which on arithmetic is the lower roof."""
        return self.arithmetic.per_second / self.memory.per_second

    def attainable(self, intensity: float) -> float:
        """Operations a second at most, at so many operations for each byte."""
        return min(self.arithmetic.per_second, intensity * self.memory.per_second)

    def __repr__(self) -> str:
        rows = (
            ("memory", quantity(self.memory.per_second, "B/s"), self.memory.seconds.width),
            ("arithmetic", quantity(self.arithmetic.per_second, "op/s"),
             self.arithmetic.seconds.width),
            ("dispatch", duration(self.dispatch.middle), self.dispatch.width),
        )  # fmt: skip
        lines = [f"{name:12}{rate:>12}  measured, {_sure(width)}" for name, rate, width in rows]
        return "\n".join([f"roofs of {self.device}", *lines])


@dataclass(frozen=True, slots=True)
class Work:
    """What a kernel has to do: exact counts of its loops.

    `needed` are the bytes of its inputs and outputs, each once; `moved` those of every read and
    write of storage in its loops, which caches may answer.
    """

    operations: int
    needed: int
    moved: int
    dispatches: int
    exact: bool

    @property
    def intensity(self) -> float:
        """Operations for each byte that has to travel."""
        return self.operations / max(1, self.needed)


def work_of(found: Traffic, needed: int, dispatches: int) -> Work:
    """The work of a kernel's nests."""
    counts = [n.operations for n in found.nests]
    storage = [a.bytes for n in found.nests for a in n.arrays if a.memory == "storage"]
    return Work(
        sum(c.value for c in counts),
        needed,
        sum(b.value for b in storage),
        dispatches,
        all(c.tag == "exact" for c in (*counts, *storage)),
    )


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where the time of a kernel on a device goes, as far as measured roofs tell."""

    name: str
    work: Work
    roofs: Roofs
    time: Interval
    """Seconds of a run, one after another, dispatches and all."""
    next_steps: tuple[str, ...] = ()

    @property
    def bounds(self) -> dict[Resource, float]:
        """The seconds that each resource takes at least."""
        return {
            "memory": self.work.needed / self.roofs.memory.per_second,
            "arithmetic": self.work.operations / self.roofs.arithmetic.per_second,
            "dispatch": self.work.dispatches * self.roofs.dispatch.middle,
        }

    @property
    def exceeded(self) -> tuple[Resource, ...]:
        """The resources of which it needs more time than it took, so that they do not bind it."""
        return tuple(r for r, seconds in self.bounds.items() if seconds > ROOM * self.time.middle)

    @property
    def limit(self) -> Resource | None:
        """The resource that explains most of the time; None where none explains half of it."""
        for resource in sorted(self.bounds, key=lambda r: -self.bounds[r]):
            if resource not in self.exceeded:
                return resource if self.bounds[resource] >= NEAR * self.time.middle else None
        return None

    @property
    def words(self) -> str:
        """The same in sentences: what is known, and what is not."""
        took = self.time.middle
        if self.limit is not None:
            seconds = self.bounds[self.limit]
            share = f"{min(1.0, seconds / took):.0%}"
            said = [f"limited by {self.limit}: {duration(seconds)} of {duration(took)} ({share})"]
        else:
            lowest = max((s for s in self.bounds.values() if s <= took), default=0.0)
            share = f"{duration(lowest)} of {duration(took)} ({lowest / took:.0%})"
            said = [f"not limited by a roof: the highest explains {share}"]
            again = self.work.moved / max(1, self.work.needed)
            if again > 2:
                said.append(f"its loops read and write each byte {again:.3g} times on average")
        if "memory" in self.exceeded:
            said.append(f"its {quantity(self.work.needed, 'B')} come out of caches")
        if others := [r for r in self.exceeded if r != "memory"]:
            said.append(
                f"faster than the roof of {' and '.join(others)}, measured while the machine was "
                f"busier: wb.roofs({self.roofs.device!r}, again=True)"
            )
        return "; ".join(said)

    def rows(self) -> list[tuple[str, ...]]:
        """Each resource: what is needed, the rate that was measured, the seconds at least."""
        w, r = self.work, self.roofs
        counted = "exact" if w.exact else "modelled"
        b = self.bounds
        took = self.time.middle
        return [
            ("resource", "needed", "rate", "at least", "of the time"),
            ("memory", f"{quantity(w.needed, 'B')} (exact)",
             f"{quantity(r.memory.per_second, 'B/s')} (measured)", duration(b["memory"]),
             f"{b['memory'] / took:.0%}"),
            ("arithmetic", f"{quantity(w.operations, 'op')} ({counted})",
             f"{quantity(r.arithmetic.per_second, 'op/s')} (measured)",
             duration(b["arithmetic"]), f"{b['arithmetic'] / took:.0%}"),
            ("dispatch", f"{w.dispatches} dispatches (exact)",
             f"{duration(r.dispatch.middle)} each (measured)", duration(b["dispatch"]),
             f"{b['dispatch'] / took:.0%}"),
        ]  # fmt: skip

    def __repr__(self) -> str:
        head = f"{self.name} on {self.roofs.device}: {self.words}"
        return "\n".join([head, *columns(self.rows()), *self._next()])

    def _next(self) -> list[str]:
        if not self.next_steps:
            return []
        return ["legal steps that move less (counted, not measured):", *self.next_steps]

    def _repr_html_(self) -> str:
        draw = import_module("workbench.widget.charts.roofline").explanation_html
        return draw(self)


def _sure(width: float) -> str:
    return f"± {width:.0%}" if width < 10 else "by too few readings"
