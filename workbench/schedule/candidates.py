"""The steps that one would try at a loop: a few of each kind, with sizes that are usual.

Nothing is judged here; what plainly has no meaning at a loop is left out, so that few are judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workbench.base.dtypes import F16, F32
from workbench.ir.expr import free_names
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import For, Memory, Store, reads, writes
from workbench.schedule.names import shown
from workbench.schedule.nests import around, extent, literal, repeated
from workbench.schedule.reductions import TURNS
from workbench.schedule.step import make

_FACTORS = (4, 8, 16)
_TILE = 8
_PANEL = 16
_SPECIAL = 64
_AXES = (
    ("workgroup.x", 64), ("workgroup.y", 8), ("workgroup.x", None), ("invocation.x", None),
    ("worker", None),
)  # fmt: skip
_SHORT = 16
"""Iterations of a loop that one would write out whole."""


@dataclass(frozen=True, slots=True)
class _At:
    """A loop, the name that the reader has for it, and the arrays that it reads and writes."""

    loops: Loops
    loop: For
    name: str
    read: frozenset[str]
    written: frozenset[str]

    @property
    def touched(self) -> tuple[Buffer, ...]:
        """The arrays in storage that an iteration touches."""
        return tuple(b for b in self.loops.buffers if b.name in self.read | self.written)

    @property
    def between(self) -> tuple[Buffer, ...]:
        """Those that are neither input nor result."""
        return tuple(
            b for b in self.touched if b.role == "temporary" and b.name not in self.loops.outputs
        )


def candidates(loops: Loops, loop: For, name: str) -> Iterator[Any]:
    """Steps that one would try at a loop, legal or not."""
    at = _At(
        loops, loop, name, frozenset(x.array for x in reads(loop.body)),
        frozenset(s.array for s in writes(loop.body)),
    )  # fmt: skip
    yield from _order(at)
    for axis, size in _AXES:
        yield make("parallelize", name, axis, *([] if size is None else [size]))
    yield from _reductions(at)
    yield from _memory(at)
    yield from _places(at)


def _order(at: _At) -> Iterator[Any]:
    """Loops of a loop."""
    name, count = at.name, extent(at.loop)
    for factor in _FACTORS:
        if count is None or count > factor:
            yield make("split", name, factor)
            yield make("vectorize", name, factor)
    if count is not None and count <= _SHORT:
        yield make("unroll", name)
        yield make("vectorize", name)
    else:
        yield make("unroll", name, _FACTORS[0])
    inner = at.loop.body[0]
    if len(at.loop.body) == 1 and isinstance(inner, For) and _long(at.loop) and _long(inner):
        yield make("tile", name, _TILE, shown(at.loops, inner.var), _TILE)
    for other in _beside(at.loops, at.loop):
        yield make("reorder", *other)
        yield make("fuse", *reversed(other))
    yield make("peel", name, first=1)
    yield make("peel", name, last=1)
    bounds = free_names(at.loop.start) | free_names(at.loop.stop)
    for dim in at.loops.open:
        if dim in bounds:
            yield make("specialize", name, dim, _SPECIAL)


def _long(loop: For) -> bool:
    count = extent(loop)
    return count is None or count > _TILE


def _reductions(at: _At) -> Iterator[Any]:
    """What is done with sums and their like."""
    if any(isinstance(s, Store) and s.reduce is None for s in at.loop.body):
        yield make("decompose", at.name)
    if at.loop.kind not in TURNS:
        return
    if literal(at.loop.start) == 0 and extent(at.loop):
        for memory in Memory:
            yield make("rfactor", at.name, memory=memory.value)
    yield make("online_softmax", at.name)
    yield make("welford", at.name)


def _memory(at: _At) -> Iterator[Any]:
    """Where and how arrays are kept."""
    for b in at.touched:
        yield make("cache", b.name, "private", at=at.name)
        yield make("cache", b.name, "workgroup", at=at.name)
        yield make("cache", b.name, "workgroup", at=at.name, double=True)
    for b in at.touched:
        dims = _along(at, b.name)
        if b.name in at.read and dims:
            yield make("transform_layout", b.name, dims[-1], _PANEL)
    for b in at.between:
        for d in _along(at, b.name)[-1:]:
            size = b.shape[d]
            if isinstance(size, int) and size % _FACTORS[0]:
                yield make("pad", b.name, d, _FACTORS[0])
        if b.dtype is F32:
            yield make("set_dtype", b.name, F16.name)


def _along(at: _At, array: str) -> list[int]:
    """The dimensions of an array along which the loop moves."""
    index = next((x.index for x in reads(at.loop.body) if x.array == array), ())
    return [d for d, e in enumerate(index) if at.loop.var in free_names(e)]


def _places(at: _At) -> Iterator[Any]:
    """Where intermediate arrays are computed."""
    on_invocations = any(
        s.kind.on_invocations for s in around(at.loops.body, at.loop.var) if isinstance(s, For)
    )
    for b in at.between:
        if b.name in at.read - at.written:
            yield make("inline", b.name)
            yield make("compute_at", b.name, at.name)
            if on_invocations:
                yield make("compute_at", b.name, at.name, memory=Memory.WORKGROUP.value)
    for root in at.loops.roots:
        if at.loops.buffer(root.buffer.name) is None:
            yield make("compute_root", root.buffer.name)


def _beside(loops: Loops, loop: For) -> Iterator[tuple[str, str]]:
    """The loop with the one right inside it, and with the one right around: inner first."""
    path = [s for s in around(loops.body, loop.var) if isinstance(s, For) and not repeated(s)]
    own = shown(loops, loop.var)
    for inner in loop.body:
        if isinstance(inner, For):
            yield shown(loops, inner.var), own
    if len(path) > 1:
        yield own, shown(loops, path[-2].var)
