"""What the SIMT interpreter finds wrong with a device kernel, in words that a person can act on.

Values only: `simt_log` finds the races, `simt` runs the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.base.source import NOWHERE, Origin
from workbench.ir.lanes import Kind, iteration_words, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from workbench.ir.stmt import Memory

Id = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Access:
    """One access by one invocation; ids are (x, y, z), the invocation's within its workgroup."""

    invocation: Id
    workgroup: Id
    kind: Kind
    origin: Origin

    @property
    def words(self) -> str:
        """Who does what, and where it is written."""
        who = f"invocation {self.invocation} of workgroup {self.workgroup}"
        where = "" if self.origin is NOWHERE else f" in {quoted(self.origin)}"
        return f"{who} {self.kind} it{where}"


@dataclass(frozen=True, slots=True)
class Race:
    """Two invocations access one element, one of them writes, and nothing orders them."""

    array: str
    memory: Memory
    element: tuple[int, ...]
    first: Access
    second: Access

    @property
    def words(self) -> str:
        """The element, the two accesses, and what is missing between them."""
        same = self.first.workgroup == self.second.workgroup
        missing = "no barrier stands between them" if same else "nothing orders two workgroups"
        return (
            f"race on {self.array}{list(self.element) if self.element else ''} "
            f"in {self.memory.value} memory: {self.first.words}, {self.second.words}; {missing}"
        )


@dataclass(frozen=True, slots=True)
class OutOfBounds:
    """An invocation accesses an index that is no element; a read gave any value, a write none.

    `iteration` has the indices of the source around it, by name.
    """

    array: str
    index: tuple[int, ...]
    extent: tuple[int, ...]
    access: Access
    iteration: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def words(self) -> str:
        """The index, the extents, and the access."""
        return (
            f"index {list(self.index)} of '{self.array}' is outside its shape "
            f"{list(self.extent)}{iteration_words(self.iteration)}: {self.access.words}"
        )


@dataclass(frozen=True, slots=True)
class Overwrite:
    """Two iterations of a grid write one element, which nothing had proved or refuted.

    `first` and `second` are the indices of the grid by name, `where` the two stores.
    """

    array: str
    element: tuple[int, ...]
    first: Mapping[str, int]
    second: Mapping[str, int]
    where: tuple[Origin, Origin]

    @property
    def words(self) -> str:
        """The element, the two iterations and the stores."""
        one, two = (
            f"({', '.join(f'{name} = {n}' for name, n in point.items())})"
            for point in (self.first, self.second)
        )
        stores = " and ".join(dict.fromkeys(quoted(o) for o in self.where))
        return (
            f"the iterations {one} and {two} both write {self.array}{list(self.element)} "
            f"in {stores}; which value stays is open"
        )


@dataclass(frozen=True, slots=True)
class DivergentBarrier:
    """Some invocations of a workgroup come to a barrier that others do not reach."""

    workgroup: Id
    arrived: int
    expected: int
    origin: Origin

    @property
    def words(self) -> str:
        """How many of the workgroup came."""
        return (
            f"{self.arrived} of {self.expected} invocations of workgroup {self.workgroup} "
            f"reach a barrier ({quoted(self.origin)}), the others do not"
        )


Fault = Race | Overwrite | OutOfBounds | DivergentBarrier


@dataclass(frozen=True, slots=True)
class Findings:
    """The faults of a run; true where there is none.

    `workgroups` are the ids that ran. `written` has the flat indices of the elements that were
    written in each array in storage, sorted: what a run of some workgroups can be compared on.
    """

    faults: tuple[Fault, ...] = ()
    workgroups: tuple[Id, ...] = ()
    written: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict[str, Any])

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def __bool__(self) -> bool:
        return self.ok

    @property
    def words(self) -> str:
        """Every fault on a line of its own."""
        return "\n".join(f.words for f in self.faults)
