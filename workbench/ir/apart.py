"""Plain stores that are not proved apart: which iterations of their grid wrote which element.

Two iterations that write one element are a finding, whether or not they ran in one invocation:
the kernel does not say which value stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.ir.expr import Expr, Var
from workbench.ir.findings import Overwrite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.base.source import Origin
    from workbench.ir.lanes import Mask, Value
    from workbench.ir.stmt import Store


Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What one execution of a store wrote: flat elements, and the indices of each, as columns."""

    store: Store
    element: Value
    indices: Value


@dataclass(slots=True, eq=False)
class Apart:
    """The stores of one run, by array."""

    written: dict[str, list[Written]] = field(default_factory=dict[str, Any])

    def add(
        self, store: Store, at: Value, mask: Mask, indices: tuple[Value, ...], shape: Shape
    ) -> None:
        """Keep what the lanes of `mask`, of a grid of `shape`, write; `at` are flat elements."""
        here = np.broadcast_to(np.asarray(True if mask is None else mask), shape)
        element = np.broadcast_to(at, shape)[here]
        columns = [np.broadcast_to(x, shape)[here].astype(np.int64) for x in indices]
        self.written.setdefault(store.array, []).append(Written(store, element, np.stack(columns)))

    def faults(self, shapes: Mapping[str, Shape]) -> Iterator[Overwrite]:
        """The first element of each array that two iterations write."""
        for name, parts in self.written.items():
            found = _first(name, shapes[name], parts)
            if found is not None:
                yield found


def _first(name: str, shape: Shape, parts: list[Written]) -> Overwrite | None:
    element = np.concatenate([p.element for p in parts])
    indices = np.concatenate([p.indices for p in parts], axis=1)
    part = np.repeat(np.arange(len(parts)), [len(p.element) for p in parts])
    iteration = _numbered(indices)
    order = np.lexsort((iteration, element))
    meets = np.diff(element[order]) == 0
    meets &= np.diff(iteration[order]) != 0
    if not meets.any():
        return None
    at = int(np.argmax(meets))
    one, two = int(order[at]), int(order[at + 1])
    stores = [parts[int(part[n])].store for n in (one, two)]
    return Overwrite(
        name,
        tuple(int(x) for x in np.unravel_index(int(element[one]), shape)),
        _named(stores[0], indices[:, one]),
        _named(stores[1], indices[:, two]),
        (_origin(stores[0]), _origin(stores[1])),
    )


def _numbered(indices: Value) -> Value:
    """One number for each iteration; equal ones have equal indices."""
    extents = [int(x.max(initial=0)) + 1 for x in indices]
    if math.prod(extents) < 2**62:
        return np.asarray(np.ravel_multi_index(tuple(indices), extents))
    return np.unique(indices, axis=1, return_inverse=True)[1].reshape(-1)


def _named(store: Store, indices: Value) -> dict[str, int]:
    """The indices under the names that the source gives them."""
    return {_name(e): int(n) for e, n in zip(store.unproved, indices, strict=True)}


def _name(e: Expr) -> str:
    span = e.origin.nearest_span()
    if span is not None:
        return span.text
    return e.name if isinstance(e, Var) else "iteration"


def _origin(store: Store) -> Origin:
    return store.place if store.place.nearest_span() is not None else store.origin
