"""Whether a target can hold what loops compute with, found before any code is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.base.dtypes import DType
from workbench.base.errors import CodegenError
from workbench.base.limits import Limits, lacks
from workbench.ir.expr import walk
from workbench.ir.stmt import Alloc, expressions, walk_stmts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.base.source import Origin
    from workbench.ir.loops import Loops

_INSTEAD = {"f16": "f32", "f64": "f32", "i8": "i32", "u8": "i32", "i64": "i32"}


def check_held(loops: Loops, target: str, limits: Limits) -> None:
    """Refuse loops with a dtype that the target cannot hold, where it stands first."""
    for dtype, what, origin in _dtypes(loops):
        cause = lacks(target, limits, dtype)
        if cause:
            raise CodegenError(
                f"{what} is {dtype}: {cause}",
                span=origin.nearest_span(),
                hint=f"on='cpu', or {_INSTEAD[dtype.name]}",
            )


def _dtypes(loops: Loops) -> Iterator[tuple[DType, str, Origin]]:
    """Every dtype that stands in the loops, what has it, and where."""
    yield from ((b.dtype, f"'{b.name}'", b.origin) for b in loops.buffers)
    yield from ((s.dtype, f"'{s.name}'", s.origin) for s in loops.scalars)
    for s in walk_stmts(loops.body):
        if isinstance(s, Alloc):
            yield s.dtype, f"'{s.name}'", s.origin
        for e in expressions(s):
            yield from ((x.dtype, "this", x.origin) for x in walk(e))
