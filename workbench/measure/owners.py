"""Who writes what: for each element of an array in storage, the workgroup that writes it.

Found on the device kernel's own index expressions, not by running it. An array whose index data
decide, or with more elements than can be looked at, has no owners.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.ir.access import accesses
from workbench.ir.count import points_of
from workbench.ir.device import LOCAL_IDS, WORKGROUP_IDS
from workbench.ir.expr import Expr, Var, apply, integer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.ir.access import Access
    from workbench.ir.device import DeviceKernel


@dataclass(frozen=True, slots=True, eq=False)
class Owners:
    """The first rows and columns of an array: the number of each element's workgroup, x fastest.

    All axes but the last are folded to rows. An element that nobody writes has -1; of several
    workgroups that write one the last counts, and `several` is true.
    """

    array: str
    shape: tuple[int, ...]
    workgroups: NDArray[np.int64]
    several: bool


def owners(kernel: DeviceKernel, *, side: int) -> tuple[Owners, ...]:
    """Who owns the arrays that a kernel writes, at most `side` rows and columns of each."""
    written = [a for a in accesses(kernel.body) if a.changes and a.array in kernel.written]
    found = (
        _owners(kernel, b.name, b.sizes, [a for a in written if a.array == b.name], side)
        for b in kernel.buffers
        if b.name in kernel.written
    )
    return tuple(x for x in found if x is not None)


def _owners(
    kernel: DeviceKernel, array: str, shape: tuple[int, ...], written: Sequence[Access], side: int
) -> Owners | None:
    places = [_places(kernel, a, shape, side) for a in written]
    if any(p is None for p in places):
        return None
    pairs = np.unique(np.concatenate([p for p in places if p is not None]), axis=0)
    columns = shape[-1] if shape else 1
    rows = math.prod(shape) // max(1, columns)
    result = np.full((min(rows, side), min(columns, side)), -1, np.int64)
    inside = np.all((pairs[:, :2] >= 0) & (pairs[:, :2] < result.shape), axis=1)
    row, column, *ids = pairs[inside].T
    result[row, column] = ids[0] + kernel.counts[0] * (ids[1] + kernel.counts[1] * ids[2])
    elements = np.unique(pairs[inside, :2], axis=0)
    return Owners(array, shape, result, len(elements) < int(np.count_nonzero(inside)))


def _places(
    kernel: DeviceKernel, a: Access, shape: tuple[int, ...], side: int
) -> NDArray[np.int64] | None:
    """The row and column of what an access writes there, each with the ids of its workgroup."""
    known = [e for e in a.index if e is not None]
    if len(known) < len(a.index) or not a.exact:
        return None
    row, column = integer(0), known[-1] if known else integer(0)
    for e, extent in zip(known[:-1], shape, strict=False):
        row = apply("add", apply("mul", row, integer(extent)), e)
    ids = (*WORKGROUP_IDS, *LOCAL_IDS)
    ends = (*kernel.counts, *kernel.workgroup_size)
    conditions = [c for n, end in zip(ids, ends, strict=True) for c in _within(Var(n), end)]
    drawn = [apply("lt", e, integer(side)) for e in (row, column)]
    index = [row, column, *(Var(n) for n in WORKGROUP_IDS)]
    return points_of(index, [*ids, *a.loops], [*conditions, *a.conditions, *drawn])


def _within(e: Expr, end: int) -> Iterator[Expr]:
    yield apply("ge", e, integer(0))
    yield apply("lt", e, integer(end))
