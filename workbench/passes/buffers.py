"""The arrays of a graph as loops have them: buffers with extents, and names of private ones."""

from __future__ import annotations

from workbench.base.errors import CodegenError
from workbench.ir.expr import Expr
from workbench.ir.extents import LARGEST_INDEX, Extent, product
from workbench.ir.graph import Array, Block, Graph, each
from workbench.ir.loops import Buffer, Role
from workbench.ir.stmt import Alloc, walk_stmts
from workbench.passes.fold import fold, literal_int


def private(graph: Graph) -> set[str]:
    """The names of private arrays, which stay as they are."""
    blocks = (d for d in each(graph.definitions) if isinstance(d, Block))
    return {s.name for d in blocks for s in walk_stmts(d.body) if isinstance(s, Alloc)}


def buffer(a: Array, role: Role) -> Buffer:
    """The buffer of an array. Raises `CodegenError` where it has 2^31 elements or more."""
    shape = tuple(extent(x) for x in a.shape)
    count = product(shape)
    if isinstance(count, int) and count > LARGEST_INDEX:
        raise CodegenError(
            f"array '{a.name}' of shape {shape} has {count} elements; "
            f"indices are i32 and end at {LARGEST_INDEX}",
            span=a.origin.nearest_span(),
            hint="split the array into several",
        )
    return Buffer(a.name, a.dtype, shape, role, origin=a.origin)


def extent(e: Expr) -> Extent:
    """An extent: a number from 0 on where it is known."""
    value = literal_int(e)
    return fold(e) if value is None else max(0, value)
