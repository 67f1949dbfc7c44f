"""Selected elements of a graph at float64, so that large results are checked cheaply.

An element of a defined array is computed when it is first read, and kept; so one output needs
only what stands behind it. Arrays of a loop block, and what it reads, are computed whole.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from workbench.ir.expr import Iterated, Reduce, loads, walk
from workbench.ir.graph import Block, Equation, Graph, Repeat, defined, each
from workbench.ir.interpret import define, extent, graph_lanes
from workbench.ir.interpret_expr import evaluate_lanes
from workbench.ir.lanes import AT_ONCE, Lanes, Place, Value, numpy_dtype
from workbench.ir.stmt import reads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.graph import Definition

    Arrays = Mapping[str, np.ndarray[Any, Any]]

DENSE = 1 << 26
"""Elements up to which an array is kept with a place for each, 9 bytes (of untouched pages)."""

RUN = 64
"""Neighbouring elements computed together where no element needs a reduction."""


def run_graph_at(
    graph: Graph,
    inputs: Arrays,
    scalars: Mapping[str, float] | None,
    output: str,
    points: np.ndarray[Any, Any],
) -> Value:
    """Selected elements of one output at float64: `points` is [n, rank], the answer [n].

    Raises what `run_graph` raises, for these elements only.
    """
    place = demanded(graph, inputs, scalars)[output]
    flat = np.zeros(len(points), np.intp)
    for n, size in enumerate(place.shape):
        flat = flat * size + points[:, n].astype(np.intp)
    return elements(place, flat)


def demanded(
    graph: Graph, inputs: Arrays, scalars: Mapping[str, float] | None = None
) -> dict[str, Place]:
    """Every array of a specialised graph at float64; elements are computed when first read."""
    lanes = graph_lanes(graph, inputs, scalars, wide=True)
    for d in graph.definitions:
        before = dict(lanes.arrays)
        match d:
            case Equation():
                shape = tuple(extent(lanes, a.extent) for a in d.axes)
                supply = _Supply(d, shape, before, lanes.env)
                lanes.arrays[d.target] = Place(np.zeros(0), shape, demand=supply.at)
            case Block() | Repeat():
                lanes.arrays |= _whole(lanes, d, before)
            case _:
                assert_never(d)
    return lanes.arrays


def elements(place: Place, flat: Value) -> Value:
    """The elements at flat positions, computed now where they are computed on demand."""
    if place.demand is None:
        return place.cells.take(flat)
    with np.errstate(all="ignore"):
        return place.demand(flat)


class _Supply:
    """The elements of one equation, computed when they are first asked for, and kept."""

    def __init__(
        self,
        d: Equation,
        shape: tuple[int, ...],
        arrays: dict[str, Place],
        env: dict[str, Value],
    ) -> None:
        self._equation, self._shape, self._arrays = d, shape, arrays
        axes = {a.name for a in d.axes}
        self._env = {name: value for name, value in env.items() if name not in axes}
        self._cheap = not any(isinstance(e, Reduce | Iterated) for e in walk(d.value))
        size = math.prod(shape)
        dense = size <= DENSE
        self._known = np.zeros(size, np.bool_) if dense else None
        self._keys = np.zeros(0, np.intp)
        self._values = np.zeros(size if dense else 0, numpy_dtype(d.dtype, wide=True))

    def at(self, flat: Value) -> Value:
        """The elements at flat positions."""
        if self._known is not None:
            self._compute_missing(self._known, flat)
            return self._values[flat]
        self._merge_missing(flat)
        return self._values[np.searchsorted(self._keys, flat)]

    def _compute_missing(self, known: Value, flat: Value) -> None:
        new = np.asarray(flat)[~known[flat]]
        if new.size:
            new = self._with_neighbours(new)
            self._values[new] = self._compute(new)
            known[new] = True

    def _with_neighbours(self, flat: Value) -> Value:
        """The elements that lie beside these, too, where one costs little more than none."""
        size = self._values.size
        if not self._cheap:
            return _distinct(flat, size)
        runs = _distinct(flat // RUN, size // RUN + 1)[:, None] * RUN + np.arange(RUN)
        return runs.reshape(-1)[runs.reshape(-1) < size]

    def _merge_missing(self, flat: Value) -> None:
        new = np.setdiff1d(flat, self._keys)
        if new.size:
            keys = np.concatenate([self._keys, new])
            values = np.concatenate([self._values, self._compute(new)])
            order = np.argsort(keys)
            self._keys, self._values = keys[order], values[order]

    def _compute(self, flat: Value) -> Value:
        """The elements at distinct positions, in pieces that leave room for reductions."""
        step = AT_ONCE // 64
        pieces = [flat[n : n + step] for n in range(0, flat.size, step)]
        return np.concatenate([self._piece(p) for p in pieces])

    def _piece(self, flat: Value) -> Value:
        d = self._equation
        index = np.unravel_index(flat, self._shape) if self._shape else ()
        axes = {a.name: x.astype(np.int32) for a, x in zip(d.axes, index, strict=True)}
        lanes = Lanes(self._arrays, {**self._env, **axes}, wide=True, shape=(flat.size,))
        value = evaluate_lanes(lanes, d.value, None)
        return np.broadcast_to(value, flat.shape).astype(self._values.dtype)


def _distinct(numbers: Value, size: int) -> Value:
    """The distinct numbers among these, which are below `size`, in order."""
    if numbers.size < size // 64:
        return np.unique(numbers)
    present = np.zeros(size, np.bool_)
    present[numbers] = True
    return np.flatnonzero(present)


def _whole(lanes: Lanes, d: Block | Repeat, before: dict[str, Place]) -> dict[str, Place]:
    """The arrays of a block or repeat; it runs, whole, when an element of one is first read."""
    made = {a.name for a in defined(d)}
    env = dict(lanes.env)

    @cache
    def run() -> dict[str, Place]:
        whole = dict(before)
        for name in _read(d) | made:
            place = whole.get(name)
            if place is not None and place.demand is not None:
                whole[name] = Place(place.demand(np.arange(place.size)), place.shape)
        inner = Lanes(whole, dict(env), wide=True, budget=lanes.budget)
        define(inner, d)
        return inner.arrays

    def place(name: str, shape: tuple[int, ...]) -> Place:
        def demand(flat: Value) -> Value:
            return run()[name].cells.take(flat)

        return Place(np.zeros(0), shape, demand=demand)

    return {a.name: place(a.name, tuple(extent(lanes, x) for x in a.shape)) for a in defined(d)}


def _read(d: Definition) -> set[str]:
    """The arrays that a definition reads, its own results too where it reads them."""
    found: set[str] = set()
    for x in each((d,)):
        match x:
            case Equation():
                found |= {e.array for e in loads(x.value)}
            case Block():
                found |= {e.array for e in reads(x.body)}
            case _:
                assert_never(x)
    return found
