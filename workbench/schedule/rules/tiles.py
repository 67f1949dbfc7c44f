"""Tiles whose sums stay in registers: for sums that share what they read.

`C[i, j] = sum(A[i, k] * B[k, j] ...)` reads and writes a row of C for every `k` where `k` runs
outside `j`. In a tile of some rows and columns each sum is written once, and what is read serves
a whole row or a whole column of the tile. The numbers of a class of devices are data (`TILES`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING, Any

from workbench.base.dtypes import F32
from workbench.ir.expr import Load, Var, free_names, loads
from workbench.ir.linear import linear
from workbench.ir.stmt import For, Store
from workbench.schedule.names import base, find, shown
from workbench.schedule.nests import around, extent, loops_in, repeated
from workbench.schedule.step import make
from workbench.schedule.tails import TAIL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workbench.base.device_class import DeviceClass
    from workbench.ir.expr import Expr
    from workbench.ir.loops import Loops
    from workbench.ir.stmt import Stmt

LEAST_SUMMED = 8
"""Terms of a sum below which a tile does not pay."""
LEAST_WORK = 2**18
"""Terms of all sums below which compiling the steps takes longer than they save."""
LEAST_SHARED = 8
"""Iterations of a loop from which on sharing it out keeps the workers evenly busy."""
GROUP = 8
"""Invocations of a workgroup along either axis."""


@dataclass(frozen=True, slots=True)
class Tile:
    """So many sums at most, as vectors of so many lanes of 32 bits, and vectors in a row.

    Their vectors and what is summed fit the registers together. `least` tiles keep the device
    busy. Columns that are apart are copied into panels, and those of arrays of `large` elements.
    """

    sums: int
    vectors: int
    lanes: int
    least: int = 1
    large: int = 2**16


TILES: Mapping[DeviceClass, Tile] = {
    "cpu 128": Tile(8, 2, 4),
    "cpu 256": Tile(8, 2, 8),
    "cpu 512": Tile(16, 2, 16),
    "wasm": Tile(8, 4, 4),
    "software gpu": Tile(8, 2, 4, large=2**62),
    "gpu": Tile(8, 2, 4, least=4096, large=2**62),
}


@dataclass(frozen=True, slots=True)
class _Sum:
    """The parallel loops around a sum, the two of a tile apart, what it adds up, where it goes."""

    others: tuple[For, ...]
    row: For
    column: For
    along: tuple[For, ...]
    store: Store

    @property
    def read(self) -> tuple[Load, ...]:
        """What a term of the sum reads."""
        return tuple(loads(self.store.value))


@dataclass(frozen=True, slots=True)
class _Plan:
    """A sum, the size of its tile, and the arrays to lay out in panels, with the dimension."""

    sum: _Sum
    rows: int
    columns: int
    lanes: int
    tail: str
    panels: Mapping[str, int]


def tiled(loops: Loops, chain: Sequence[For], on: DeviceClass) -> list[tuple[Any, Loops]]:
    """The steps that tile two of the parallel loops of a sum, each with the loops after it.

    None where there is no such sum, an extent is no literal, what is read does not lie in rows,
    there is not enough to do, or a step would not be legal.
    """
    plan = _plan(loops, chain, TILES[on])
    if plan is None:
        return []
    placed = _placed_on_gpu if on in {"gpu", "software gpu"} else _shared_out
    stages = (_cut, _rest, _laid_out, _kept, _written_out, placed)
    states: list[tuple[Any, Loops]] = []
    for stage in stages:
        for step in stage(loops, plan):
            if not step.check(loops):
                return []
            loops = step.apply(loops)
            states.append((step, loops))
    return states


# What is tiled ------------------------------------------------------------------------------


def _plan(loops: Loops, chain: Sequence[For], tile: Tile) -> _Plan | None:
    """How to tile the loops of a sum; None where a tile is not possible or does not pay."""
    found = _sum_in(loops, chain)
    if found is None:
        return None
    terms, cells = _cells(found.along), _cells(chain)
    lanes, vectors = _columns(found.column, tile)
    columns = lanes * vectors
    rows = _rows(found.row, tile.sums // vectors) if vectors else 0
    enough = terms >= LEAST_SUMMED and terms * cells >= LEAST_WORK
    if rows < 2 or not enough or cells < tile.least * rows * columns:
        return None
    whole = _cells([found.row]) % rows == 0 and _cells([found.column]) % columns == 0
    panels: Mapping[str, int] = _panels(loops, found, tile.large) if whole else {}
    if not all(x.array in panels or _in_a_row(x, found.column.var) for x in found.read):
        return None
    return _Plan(found, rows, columns, lanes, "guard" if whole else "peel", panels)


def _sum_in(loops: Loops, chain: Sequence[For]) -> _Sum | None:
    """The sum in parallel loops, `for j: C[.., j] = 0; for k: .. C[.., j] += ..` innermost."""
    if len(chain) < 2:
        return None
    column = chain[-1]
    along = _added_along(column)
    if not along:
        return None
    (store,) = along[-1].body
    assert isinstance(store, Store)
    buffer = loops.buffer(store.array)
    if buffer is None or buffer.dtype.bits != F32.bits:
        return None
    read = tuple(loads(store.value))
    row = min(reversed(chain[:-1]), key=lambda x: _depending(read, x.var, column.var))
    if _depending(read, row.var, column.var) == len(read):
        return None
    others = tuple(x for x in chain[:-1] if x is not row)
    return _Sum(others, row, column, tuple(along), store)


def _added_along(column: For) -> list[For]:
    """The loops of the sum that a loop computes for each of its iterations, outermost first."""
    match column.body:
        case (Store(index=first, reduce=None), For() as outermost):
            along = [outermost]
            while len(along[-1].body) == 1 and isinstance(inner := along[-1].body[0], For):
                along.append(inner)
            return along if _adds_at(along[-1].body, first, Var(column.var)) else []
        case _:
            return []


def _adds_at(body: Sequence[Stmt], index: tuple[Expr, ...], last: Var) -> bool:
    match body:
        case (Store(index=same, reduce=str(), atomic=False),):
            return same == index and index[-1:] == (last,)
        case _:
            return False


def _depending(read: Sequence[Load], row: str, column: str) -> int:
    """How many of the loads differ from row to row as well as from column to column."""
    names = [{n for e in x.index for n in free_names(e)} for x in read]
    return sum({row, column} <= found for found in names)


def _rows(loop: For, most: int) -> int:
    """The rows of a tile: as many as divide those that there are, or else the most."""
    count = extent(loop) or 0
    whole = next((n for n in range(most, 1, -1) if count % n == 0), 0)
    return whole if 2 * whole > most or count < 2 * most else most


def _columns(loop: For, tile: Tile) -> tuple[int, int]:
    """The lanes of a vector, and its vectors in a row of a tile, that fit the columns there are.

    Vectors of half the lanes, where they leave no rest; 0 of them where there are too few columns.
    """
    count = extent(loop) or 0
    lanes = next((n for n in (tile.lanes, tile.lanes // 2) if count % n == 0), tile.lanes)
    whole = next((n for n in range(tile.vectors, 0, -1) if count % (n * lanes) == 0), 0)
    many = count >= 2 * tile.vectors * lanes
    return lanes, tile.vectors if many and 2 * whole < tile.vectors else whole


def _in_a_row(x: Load, column: str) -> bool:
    """Whether what a load reads for the columns lies side by side, or is the same for all."""
    if all(column not in free_names(e) for e in x.index):
        return True
    terms, _ = linear(x.index[-1])
    apart = any(column in free_names(t) for t in terms if t != Var(column))
    return (
        terms.get(Var(column)) == 1
        and not apart
        and all(column not in free_names(e) for e in x.index[:-1])
    )


def _panels(loops: Loops, s: _Sum, large: int) -> Mapping[str, int]:
    """The inputs to lay out in panels of columns, each with its dimension.

    Those whose columns are apart, and those of so many elements, which are read for all rows.
    """
    found: dict[str, int] = {}
    for x in s.read:
        buffer = loops.buffer(x.array)
        along = [d for d, e in enumerate(x.index) if s.column.var in free_names(e)]
        alone = sum(y.array == x.array for y in s.read) == 1
        if buffer is None or buffer.role != "input" or not alone or len(along) != 1:
            continue
        (dim,) = along
        used = {n for e in x.index for n in free_names(e)}
        shared = s.row.var not in used
        worth = math.prod(buffer.sizes) >= large or not _in_a_row(x, s.column.var)
        if x.index[dim] == Var(s.column.var) and shared and worth:
            found[x.array] = dim
    return found


def _cells(loops: Sequence[For]) -> int:
    """How many iterations loops have together; 0 where that is no literal."""
    return math.prod(extent(x) or 0 for x in loops)


# The steps ----------------------------------------------------------------------------------


def _cut(loops: Loops, p: _Plan) -> Iterator[Any]:
    """Tiles outermost, then the loops of the sum, then the rows and columns of a tile."""
    s = p.sum
    i, j = shown(loops, s.row.var), shown(loops, s.column.var)
    others, along = ([shown(loops, x.var) for x in each] for each in (s.others, s.along))
    if others:
        yield make("reorder", *others, i, j)
    yield make("tile", i, p.rows, j, p.columns, tail=p.tail)
    tiles = [f"{j}_o", f"{i}_o"] if p.panels else [f"{i}_o", f"{j}_o"]
    yield make("reorder", *tiles, *along, f"{i}_i", f"{j}_i")


def _rest(loops: Loops, p: _Plan) -> Iterator[Any]:
    """The columns that no tile holds are added up row by row."""
    name = base(p.sum.column.var) + TAIL
    for rest in (x for x in loops_in(loops.body) if base(x.var) == name):
        along = _added_along(rest)
        if len(along) == 1:
            yield make("reorder", shown(loops, along[0].var), shown(loops, rest.var))


def _laid_out(_: Loops, p: _Plan) -> Iterator[Any]:
    """Columns that one tile reads lie side by side."""
    for array, dim in p.panels.items():
        yield make("transform_layout", array, dim, p.columns)


def _kept(loops: Loops, p: _Plan) -> Iterator[Any]:
    """The sums of a tile stay in registers."""
    yield make("cache", p.sum.store.array, "private", at=_innermost(loops, p))


def _written_out(loops: Loops, p: _Plan) -> Iterator[Any]:
    """The columns of a tile are vectors, its rows are written out."""
    tile = find(loops, _innermost(loops, p))
    assert isinstance(tile, For), "the steps before have made it"
    along = {x.var for x in p.sum.along}
    for x in loops_in(tile.body):
        name = shown(loops, x.var)
        if x.var in along:
            continue
        if next(loops_in(x.body), None) is not None:
            yield make("unroll", name)
        elif extent(x) == p.lanes:
            yield make("vectorize", name)
        else:
            yield make("vectorize", name, p.lanes)
            yield make("unroll", f"{name}_o")


def _shared_out(loops: Loops, p: _Plan) -> Iterator[Any]:
    """The outermost loops, as many as keep the workers evenly busy, are shared out."""
    outside = _outside(loops, p)
    counts = accumulate((_cells([x]) for x in outside), mul)
    most = len(outside) if p.tail == "guard" else 1
    needed = next((n for n, cells in enumerate(counts, 1) if cells >= LEAST_SHARED), most)
    yield from _fused(loops, outside[: min(needed, most)], "worker")


def _placed_on_gpu(loops: Loops, p: _Plan) -> Iterator[Any]:
    """Tiles onto invocations, 8 x 8 of them in a workgroup; other loops onto the third axis."""
    *others, above, inner = _outside(loops, p)
    yield make("parallelize", shown(loops, inner.var), "workgroup.x", GROUP)
    yield make("parallelize", shown(loops, above.var), "workgroup.y", GROUP)
    if others:
        yield from _fused(loops, others, "workgroup.z")


def _fused(loops: Loops, nested: Sequence[For], axis: str) -> Iterator[Any]:
    """Loops as one, on an axis."""
    names = [shown(loops, x.var) for x in nested]
    if len(names) > 1:
        yield make("fuse", *names)
    var = "_".join(x.var for x in nested)
    yield make("parallelize", names[0] if len(names) == 1 else var, axis)


def _innermost(loops: Loops, p: _Plan) -> str:
    """The name of the innermost loop over tiles."""
    return shown(loops, _outside(loops, p)[-1].var)


def _outside(loops: Loops, p: _Plan) -> list[For]:
    """The parallel loops around the sum of one tile, outermost first."""
    path = around(loops.body, p.sum.along[0].var)[:-1]
    return [s for s in path if isinstance(s, For) and not repeated(s)]
