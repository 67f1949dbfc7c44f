"""One invocation stepped through a device kernel: each line, what it reached, what changed.

The other invocations of its workgroup run along, so that what they share is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.text import Writer
from workbench.ir.interpret_stmt import run_body
from workbench.ir.show import write_body
from workbench.ir.stmt import For, If, Memory, Stmt, While, map_bodies
from workbench.ir.tape import one_workgroup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.source import Origin
    from workbench.ir.device import DeviceKernel
    from workbench.ir.findings import Id
    from workbench.ir.lanes import Kind, Lanes, Mask, Value, Where
    from workbench.ir.stmt import Body

    Arrays = Mapping[str, np.ndarray[Any, Any]]

MOST = 2000
"""Lines after which stepping ends."""
PRIVATE_MOST = 16
"""Elements of a private array that are watched."""


@dataclass(frozen=True, slots=True)
class Reached:
    """An element that a line read, with its value, or changed, with its new value."""

    array: str
    index: tuple[int, ...]
    kind: Kind
    value: float


@dataclass(frozen=True, slots=True)
class Stepped:
    """One line: its number in the text from 0, what it reached, and the values it changed."""

    line: int
    reached: tuple[Reached, ...]
    changed: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """The way of one invocation; `whole` is false where there were more lines than asked for.

    `start` are the values before the first line: its ids and the scalars.
    """

    text: str
    start: tuple[tuple[str, float], ...]
    lines: tuple[Stepped, ...]
    whole: bool


class _EndError(Exception):
    """As many lines as asked for were followed."""


@dataclass(slots=True, eq=False)
class _Follower:
    """Notes what one lane does, line by line."""

    lanes: Lanes
    place: tuple[int, ...]
    numbers: Mapping[int, int]
    most: int
    known: dict[str, float] = field(default_factory=dict[str, float])
    line: int | None = None
    touched: list[tuple[str, int, Kind, float]] = field(default_factory=list[Any])
    done: list[Stepped] = field(default_factory=list[Stepped])

    def follow(self, s: Stmt, mask: Mask) -> None:
        """Before a statement: close the line before it, if this lane runs it."""
        if mask is not None and not self._of(np.asarray(mask)):
            return
        self.close()
        if len(self.done) == self.most:
            raise _EndError
        self.line = self.numbers[id(s)]

    def close(self) -> None:
        """What the line at hand has done."""
        if self.line is None:
            return
        now = values_at(self.lanes, self.place)
        changed = tuple((n, v) for n, v in now.items() if not _same(v, self.known.get(n)))
        self.known.update(changed)
        reached = tuple(
            Reached(
                name,
                self.lanes.arrays[name].element(at),
                kind,
                before if kind == "reads" else self._value(name, at),
            )
            for name, at, kind, before in self.touched
        )
        self.done.append(Stepped(self.line, reached, changed))
        self.line = None
        self.touched = []

    def touch(
        self, name: str, at: Value, mask: Mask, kind: Kind, origin: Origin, peace: str = ""
    ) -> None:
        """Note an access of this lane."""
        del origin, peace
        if self.line is not None and (mask is None or self._of(np.asarray(mask))):
            place = int(self._of(np.asarray(at)))
            self.touched.append((name, place, kind, self._value(name, place)))

    def outside(self, name: str, index: tuple[Value, ...], hit: Value, where: Where) -> None:
        """What reaches outside is no element; the checks report it."""

    def _value(self, name: str, at: int) -> float:
        place = self.lanes.arrays[name]
        flat = np.asarray([at])
        cell = place.cells.reshape(-1).take(flat) if place.demand is None else place.demand(flat)
        return float(cell[0])

    def _of(self, values: Value) -> Any:
        return np.broadcast_to(values, self.lanes.shape)[self.place]


def step_through(
    kernel: DeviceKernel,
    workgroup: Id,
    invocation: Id,
    arrays: Arrays,
    scalars: Mapping[str, float] | None = None,
    *,
    most: int = MOST,
) -> Steps:
    """Follow one invocation, given by its ids, through the kernel; at most so many lines.

    Arrays that are not in `arrays` hold zeros. Raises `RunError` for a `while` beyond its budget.
    """
    body = _copied(kernel.body)
    lanes = one_workgroup(kernel, workgroup, arrays, scalars)
    x, y, z = invocation
    place = (z, y, x, 0)
    follower = _Follower(lanes, place, line_numbers(body), most, values_at(lanes, place))
    start = tuple(follower.known.items())
    lanes.watch, lanes.follow = follower, follower.follow
    whole = True
    try:
        with np.errstate(all="ignore"):
            for _ in run_body(lanes, body, None):
                pass
        follower.close()
    except _EndError:
        whole = False
    w = Writer()
    write_body(w, body)
    return Steps(w.text().value, start, tuple(follower.done), whole)


def values_at(lanes: Lanes, place: tuple[int, ...]) -> dict[str, float]:
    """The scalars of one lane, and the elements of its small private arrays."""
    found = {n: float(np.broadcast_to(v, lanes.shape)[place]) for n, v in lanes.env.items()}
    for name, array in lanes.arrays.items():
        if array.memory is Memory.PRIVATE and array.size <= PRIVATE_MOST:
            first = int(np.broadcast_to(array.offset, lanes.shape)[place])
            cells = array.cells.reshape(-1)
            for n in range(array.size):
                index = ", ".join(map(str, array.element(n)))
                found[f"{name}[{index}]" if index else name] = float(cells[first + n])
    return found


def line_numbers(body: Body) -> dict[int, int]:
    """The line of each statement, by identity, in the text that `write_body` writes."""
    numbers: dict[int, int] = {}
    _number(body, 0, numbers)
    return numbers


def _number(body: Body, line: int, numbers: dict[int, int]) -> int:
    """Number the statements from this line on; gives the line after them."""
    for s in body:
        numbers[id(s)] = line
        line += 1
        match s:
            case For() | While():
                line = _number(s.body, line, numbers)
            case If():
                line = _number(s.then, line, numbers)
                line = _number(s.orelse, line + 1, numbers) if s.orelse else line
            case _:
                pass
    return line if body else line + 1


def _copied(body: Body) -> Body:
    """The same statements, each an object of its own."""
    return tuple(map_bodies(replace(s), _copied) for s in body)


def _same(a: float, b: float | None) -> bool:
    return b is not None and (a == b or (a != a and b != b))  # noqa: PLR0124  (NaN is not itself)
