"""Tiles whose sums stay in registers: the default for WebAssembly, where the shapes allow it.

`C[i, j] = sum(A[i, k] * B[k, j] ...)` reads and writes a row of C for every `k` where `k` runs
outside `j`. In a tile of 2 rows and 16 columns, 8 vectors of 4 lanes, it is written once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from workbench.base.dtypes import F32
from workbench.ir.expr import Var
from workbench.ir.stmt import For, Store
from workbench.schedule.names import shown
from workbench.schedule.nests import extent
from workbench.schedule.step import make

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.ir.expr import Expr
    from workbench.ir.loops import Loops
    from workbench.ir.stmt import Stmt

ROWS, COLUMNS, LANES = 2, 16, 4
"""8 vectors of sums: more do not fit the 16 registers together with what is summed."""
LEAST_SUMMED = 8
"""Terms of a sum below which a tile does not pay."""
LEAST_WORK = 2**18
"""Terms of all sums below which compiling the steps takes longer than they save."""


def tiled(loops: Loops, chain: Sequence[For]) -> list[Any]:
    """The steps that tile the two innermost of parallel loops; none where there is no such sum.

    All extents are literals, the tile divides those of the two, and there is enough to do.
    """
    if len(chain) < 2:
        return []
    row, column = chain[-2:]
    along = _sum_of(column)
    terms, cells = _cells(along), _cells(chain)
    if not along or _cells([row]) % ROWS or _cells([column]) % COLUMNS:
        return []
    if terms < LEAST_SUMMED or terms * cells < LEAST_WORK:
        return []
    (store,) = along[-1].body
    assert isinstance(store, Store)
    buffer = loops.buffer(store.array)
    if buffer is None or buffer.dtype.bits != F32.bits:
        return []
    i, j = shown(loops, row.var), shown(loops, column.var)
    sums = [shown(loops, r.var) for r in along]
    return [
        make("split", i, ROWS),
        make("split", j, COLUMNS),
        make("split", f"{j}_i", LANES),
        make("reorder", f"{i}_o", f"{j}_o", *sums, f"{i}_i", f"{j}_i_o", f"{j}_i_i"),
        make("cache", store.array, "private", at=f"{j}_o"),
        make("unroll", f"{i}_i"),
        make("unroll", f"{j}_i_o"),
        make("vectorize", f"{j}_i_i"),
        make("parallelize", f"{i}_o" if row is chain[0] else shown(loops, chain[0].var), "worker"),
    ]


def _sum_of(column: For) -> list[For]:
    """The loops of `for j: C[.., j] = 0; for k: .. C[.., j] += ..`, outermost first, or none."""
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


def _cells(loops: Sequence[For]) -> int:
    """How many iterations loops have together; 0 where that is no literal."""
    return math.prod(extent(x) or 0 for x in loops)
