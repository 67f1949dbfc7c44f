"""The state of an interpreted run: lanes, the places of arrays, and how elements are reached.

A run computes with all parallel iterations (lanes) at once. Lanes form a grid with one axis per
parallel loop, the innermost loop's axis first: a value that does not depend on an inner loop has
fewer axes and broadcasts. Nothing here knows statements; expressions are in `interpret_expr`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from workbench.base.dtypes import DType
from workbench.base.errors import RunError
from workbench.base.source import Origin
from workbench.ir.expr import Expr, Iterated, Load, Reduce, free_names, walk
from workbench.ir.stmt import Memory, Stmt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.ir.apart import Apart

Value = npt.NDArray[Any]
"""One value per lane, broadcast; NumPy scalars stand for values that all lanes share."""
Mask = npt.NDArray[np.bool_] | None
"""The lanes that run, broadcast; None for all."""
Kind = Literal["reads", "writes", "updates", "atomically updates"]

AT_ONCE = 1 << 20
"""Values computed at once: larger grids are run in pieces (8 MB a piece in float64)."""
SMALLEST_COST = 4096
"""Lanes that one step of NumPy costs at least; counts iterations of few lanes fairly."""
BUDGET = 1 << 29
"""Iterations of `while` times lanes (at least 4096) after which a run is given up."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where an array lies: its flat elements, and where in them each lane's own copy starts.

    `demand` computes elements at flat indices when they are first asked for; `cells` is empty.
    """

    cells: Value
    shape: tuple[int, ...]
    memory: Memory = Memory.STORAGE
    offset: Value = field(default_factory=lambda: np.zeros((), np.intp))
    demand: Callable[[Value], Value] | None = None

    @property
    def size(self) -> int:
        """The number of elements of one copy."""
        return math.prod(self.shape)

    def element(self, at: int) -> tuple[int, ...]:
        """The index of the element at a flat position (of any lane's copy)."""
        return tuple(int(x) for x in np.unravel_index(at % max(1, self.size), self.shape))


Indices: TypeAlias = "tuple[tuple[str, Value], ...]"
"""The indices of the source around a place, outermost first, and their values in every lane."""


@dataclass(frozen=True, slots=True)
class Where:
    """An access as reports say it; its `indices` are computed where one is made."""

    kind: Kind
    origin: Origin
    indices: Callable[[], Indices]

    def iteration(self, hit: Value) -> dict[str, int]:
        """The indices at the first lane of `hit`."""
        return first_iteration(self.indices(), hit)


class Watch(Protocol):
    """Sees every access to memory that lanes could share; the SIMT interpreter's is one."""

    def touch(
        self, name: str, at: Value, mask: Mask, kind: Kind, origin: Origin, peace: str = ""
    ) -> None:
        """The lanes of `mask` access the elements at flat positions `at`.

        Accesses with the same `peace` do not clash among themselves, unless it is empty.
        """
        ...

    def outside(self, name: str, index: tuple[Value, ...], hit: Value, where: Where) -> None:
        """The lanes of `hit` access what is no element; what they do is left out."""
        ...


@dataclass(slots=True, eq=False)
class Spot:
    """Where a store goes, kept for the next iteration as long as its index is the same."""

    inputs: tuple[object, ...]
    shape: tuple[int, ...]
    at: Value
    outside: Value | None
    distinct: bool | None = None

    def serves(self, inputs: tuple[object, ...], shape: tuple[int, ...]) -> bool:
        """Whether the index depends on the very same values as the last time."""
        return shape == self.shape and all(a is b for a, b in zip(self.inputs, inputs, strict=True))


@dataclass(slots=True, eq=False)
class Lanes:
    """One run: arrays and variables by name, and the grid of lanes.

    `separate` says for each axis of the grid whether workgroup memory is separate along it.
    `broken` has the lanes that left each running serial loop, innermost last.
    `shared` is the workgroup memory of a device kernel, None while loops are run; `apart` keeps
    what stores write that are not proved apart; `follow` hears of each statement, and of each
    iteration of a serial loop, before it is run. The last four fields keep what was found about
    nodes of the program, by identity: a run is of one program.
    """

    arrays: dict[str, Place]
    env: dict[str, Value]
    wide: bool = False
    shape: tuple[int, ...] = ()
    separate: tuple[bool, ...] = ()
    watch: Watch | None = None
    shared: dict[str, Place] | None = None
    apart: Apart | None = None
    follow: Callable[[Stmt, Mask], None] | None = None
    budget: int = BUDGET
    broken: list[Mask | Literal[False]] = field(default_factory=list[Any])
    spots: dict[int, Spot] = field(default_factory=dict[int, Spot])
    names: dict[int, frozenset[str]] = field(default_factory=dict[int, Any])
    loading: dict[int, bool] = field(default_factory=dict[int, bool])
    constants: dict[int, Value] = field(default_factory=dict[int, Value])

    def leave(self, mask: Mask) -> None:
        """The lanes of `mask` leave the innermost serial loop."""
        before = self.broken[-1]
        self.broken[-1] = mask if before is False else either(before, mask)

    def turn(self, origin: Origin) -> None:
        """Pay for a turn of a loop that may not end. Raises `RunError` once nothing is left."""
        self.budget -= max(math.prod(self.shape), SMALLEST_COST)
        if self.budget < 0:
            raise RunError(
                "a while loop used up its budget of iterations in the interpreter",
                span=origin.nearest_span(),
                hint="for t in range(limit): ... with a break, which always ends",
            )

    def free_names(self, e: Expr) -> frozenset[str]:
        """The free names of an expression of the program that runs, found once."""
        found = self.names.get(id(e))
        if found is None:
            found = self.names[id(e)] = free_names(e)
        return found

    def loads(self, e: Expr) -> bool:
        """Whether evaluating an expression of the program reads memory or can fail."""
        found = self.loading.get(id(e))
        if found is None:
            found = any(isinstance(x, (Load, Reduce, Iterated)) for x in walk(e))
            self.loading[id(e)] = found
        return found


@cache
def numpy_dtype(dtype: DType, *, wide: bool) -> np.dtype[Any]:
    """What holds values of a dtype; `wide` computes every float as float64."""
    return np.dtype(np.float64) if wide and dtype.kind == "f" else dtype.numpy


def both(a: Mask, b: Mask) -> Mask:
    """The lanes in both masks."""
    if a is None:
        return b
    return a if b is None else np.logical_and(a, b)


def either(a: Mask, b: Mask) -> Mask:
    """The lanes in one of the masks."""
    return None if a is None or b is None else np.logical_or(a, b)


def poison(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Value:
    """Flat elements that nobody has written: NaN, or an improbable integer, or True."""
    values: dict[str, Any] = {"f": np.nan, "b": True, "i": 0x5A, "u": 0xA5}
    value = values[dtype.kind]
    if dtype.kind in "iu" and dtype.itemsize > 1:
        value = value * 0x01010101
    return np.full(math.prod(shape), value, dtype)


def stored(values: Value) -> Place:
    """The place of an array in storage, sharing its elements where they lie in C order."""
    return Place(np.ascontiguousarray(values).reshape(-1), tuple(values.shape))


def allocate(lanes: Lanes, shape: tuple[int, ...], dtype: np.dtype[Any], memory: Memory) -> Place:
    """Undefined elements for every lane, or in workgroup memory for every workgroup."""
    grid = lanes.shape
    if memory is Memory.WORKGROUP:
        grid = tuple(n if own else 1 for n, own in zip(grid, lanes.separate, strict=True))
    size = math.prod(shape)
    offset = np.arange(math.prod(grid), dtype=np.intp).reshape(grid) * size
    return Place(poison((*grid, *shape), dtype), shape, memory, np.asarray(offset))


def locate(
    lanes: Lanes, name: str, index: tuple[Value, ...], mask: Mask, where: Where
) -> tuple[Value, Value | None]:
    """The flat positions of an element per lane, and the lanes whose index is no element.

    Those lanes get the first element's position. Where they run, they are reported to the
    watch; without one `RunError` is raised.
    """
    place = lanes.arrays[name]
    assert len(index) == len(place.shape), f"'{name}' has {len(place.shape)} dimensions"
    outside: Value | None = None
    at, stride = place.offset, 1
    for x, extent in zip(reversed(index), reversed(place.shape), strict=True):
        if not _inside(x, extent):
            bad = (x < 0) | (x >= extent)
            outside = bad if outside is None else outside | bad
        at = at + x.astype(np.intp) * stride
        stride *= extent
    if outside is None:
        return at, None
    hit = outside if mask is None else outside & mask
    if hit.any():
        if lanes.watch is None:
            raise outside_error(name, place, index, hit, where)
        lanes.watch.outside(name, index, hit, where)
    return np.where(outside, place.offset, at), outside


def _inside(x: Value, extent: int) -> bool:
    """Whether all indices are elements along one dimension."""
    if x.ndim == 0:
        return bool(0 <= x < extent)
    return not x.size or bool(x.min() >= 0 and x.max() < extent)


def load(
    lanes: Lanes, e: Load, index: tuple[Value, ...], mask: Mask, indices: Callable[[], Indices]
) -> Value:
    """The elements that the lanes read; lanes outside get any value."""
    place = lanes.arrays[e.array]
    at, _ = locate(lanes, e.array, index, mask, Where("reads", e.origin, indices))
    if place.size == 0:
        return np.zeros(at.shape, numpy_dtype(e.dtype, wide=lanes.wide))
    if lanes.watch is not None:
        lanes.watch.touch(e.array, at, mask, "reads", e.origin)
    values = place.cells.take(at) if place.demand is None else place.demand(at)
    return values.astype(numpy_dtype(e.dtype, wide=lanes.wide), copy=False)


def first_lane(values: tuple[Value, ...], hit: Value) -> tuple[int, ...]:
    """The values at the first lane of `hit`, in the order of the loops: the innermost moves most.

    The grid of lanes has its innermost loop first.
    """
    hit, *of_lanes = np.broadcast_arrays(hit, *values)
    lane = int(np.argmax(hit.T))
    return tuple(int(np.ravel(x.T)[lane]) for x in of_lanes)


def first_iteration(indices: Indices, hit: Value) -> dict[str, int]:
    """The indices at the first lane of `hit`."""
    names = (name for name, _ in indices)
    return dict(zip(names, first_lane(tuple(x for _, x in indices), hit), strict=True))


def iteration_words(iteration: Mapping[str, int]) -> str:
    """` at i = 3, k = 0`: where loops stand, behind a sentence; nothing where none is around."""
    values = ", ".join(f"{name} = {value}" for name, value in iteration.items())
    return f" at {values}" if values else ""


def quoted(origin: Origin) -> str:
    """The source text that an origin leads back to, with its line; its note where none stands."""
    span = origin.nearest_span()
    if span is None:
        return origin.note
    text = " ".join(span.text.split())
    return f"`{text if len(text) <= 60 else text[:57] + '...'}` (line {span.position[0]})"


def outside_error(
    name: str, place: Place, index: tuple[Value, ...], hit: Value, where: Where
) -> RunError:
    """The error of the first lane of `hit`, whose index is no element of the place."""
    at = first_lane(index, hit)
    iteration = iteration_words(where.iteration(hit))
    wrong = next(d for d, x in enumerate(at) if not 0 <= x < place.shape[d])
    return RunError(
        f"index {list(at)} of '{name}' is outside its shape {list(place.shape)}{iteration}: "
        f"a lane {where.kind} at {at[wrong]} in dimension {wrong}, whose extent is "
        f"{place.shape[wrong]}",
        span=where.origin.nearest_span(),
        hint=f"keep the index from 0 to {place.shape[wrong] - 1}, as in max(i - 1, 0)",
    )
