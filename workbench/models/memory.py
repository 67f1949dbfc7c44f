"""Where the values between kernels lie: each in a buffer from its making to its last use.

A buffer is free again after the last kernel that reads it. Those that need the most room choose
first, so that the buffers are few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Life:
    """A value: its bytes, the kernel that makes it, and the last that reads it, by number."""

    name: str
    size: int
    first: int
    last: int

    def meets(self, other: Life) -> bool:
        """Whether both are needed at some kernel."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The buffer of each value, and the bytes of each buffer.

    `least` is what any plan needs: the most bytes that are alive at one kernel.
    """

    places: Mapping[str, str]
    sizes: Mapping[str, int]
    least: int

    @property
    def peak(self) -> int:
        """The bytes of all buffers."""
        return sum(self.sizes.values())


def plan(lives: Sequence[Life]) -> MemoryPlan:
    """Share buffers among values that are never needed at once; the largest choose first."""
    rooms: list[list[Life]] = []
    for life in sorted(lives, key=lambda x: (-x.size, x.first)):
        free = [room for room in rooms if not any(life.meets(other) for other in room)]
        if free:
            min(free, key=lambda room: room[0].size).append(life)
        else:
            rooms.append([life])
    places = {life.name: f"shared{n}" for n, room in enumerate(rooms) for life in room}
    sizes = {f"shared{n}": room[0].size for n, room in enumerate(rooms)}
    return MemoryPlan(places, sizes, _least(lives))


def _least(lives: Sequence[Life]) -> int:
    changes: dict[int, int] = {}
    for life in lives:
        changes[life.first] = changes.get(life.first, 0) + life.size
        changes[life.last + 1] = changes.get(life.last + 1, 0) - life.size
    most = alive = 0
    for moment in sorted(changes):
        alive += changes[moment]
        most = max(most, alive)
    return most
