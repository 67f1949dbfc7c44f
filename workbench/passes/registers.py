"""Private arrays in registers: one value for each element, or for the lanes of a vector.

    acc: f32[2, 4]  # private memory         acc_0x0: f32[4]  # private memory
    for v in range(4):  # vector             acc_1x0: f32[4]  # private memory
        acc[0, v] += a * b[v]                for v in range(4):  # vector
        acc[1, v] += c * b[v]                    acc_0x0[v] += a * b[v]
                                             for v in range(4):  # vector
                                                 acc_1x0[v] += c * b[v]

An array is taken apart where every subscript of it is a literal, or in its last dimension the
lane of a vector that starts at a multiple of the lanes: then each access is of one part, known
now, and no target has to look it up. What is left of it has one dimension, the lanes, or none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL
from workbench.ir.expr import Expr, Load, Var, integer, loads, rebuild
from workbench.ir.linear import linear
from workbench.ir.stmt import (
    Alloc,
    Body,
    For,
    LoopKind,
    Memory,
    Outside,
    Stmt,
    Store,
    bodies,
    expressions,
    map_bodies,
    map_exprs,
    walk_stmts,
)
from workbench.passes.fold import literal_int
from workbench.schedule.nests import extent, fresh, taken, with_nests

if TYPE_CHECKING:
    from workbench.ir.loops import Loops

MOST = 1024
"""Elements of the largest array that is taken apart."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What a subscript means: the literal element, or the first of the lanes of a vector."""

    at: tuple[int, ...]
    lane: Var | None = None
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class _Parts:
    """How an array is taken apart: the lanes of its vectors (1: none), and a name per part."""

    lanes: int
    names: dict[tuple[int, ...], str]

    def part(self, at: Sequence[int]) -> tuple[int, ...]:
        """The part that an element lies in."""
        return (*at[:-1], at[-1] // self.lanes)


def keep_in_registers(loops: Loops) -> Loops:
    """The function with private arrays taken apart wherever each access is of one known part."""
    arrays = {
        s.name: s
        for s in walk_stmts(loops.body)
        if isinstance(s, Alloc) and s.memory is Memory.PRIVATE and _small(s)
    }
    if not arrays:
        return loops
    places: dict[str, list[_Place | None]] = {name: [] for name in arrays}
    for array, index, vector in _accesses(loops.body, None):
        if array in places:
            places[array].append(_place(index, vector))
    names = taken(loops)
    parts = {
        name: made
        for name, found in places.items()
        if (made := _apart(arrays[name], found, names)) is not None
    }
    if not parts:
        return loops

    def change(s: Stmt) -> Body:
        return tuple(map_exprs(x, partial(_expr, parts=parts)) for x in _body((s,), parts))

    return replace(loops, body=with_nests(loops.body, change))


def _small(s: Alloc) -> bool:
    return bool(s.shape) and math.prod(s.shape) <= MOST


def _accesses(body: Body, vector: For | None) -> Iterator[tuple[str, tuple[Expr, ...], For | None]]:
    """Every array that is used, with its subscript and the vector around it."""
    for s in body:
        inner = s if isinstance(s, For) and s.kind is LoopKind.VECTOR else vector
        for e in expressions(s):
            yield from ((x.array, x.index, vector) for x in loads(e))
        if isinstance(s, Store):
            yield s.array, s.index, vector
        if isinstance(s, Outside):
            yield s.array, (), vector
        for b in bodies(s):
            yield from _accesses(b, inner)


def _place(index: tuple[Expr, ...], vector: For | None) -> _Place | None:
    """What a subscript means, None where only a run can say."""
    first = [literal_int(e) for e in index[:-1]]
    if not index or None in first:
        return None
    terms, constant = linear(index[-1])
    at = (*(n for n in first if n is not None), constant)
    if not terms:
        return _Place(at)
    if vector is None or terms != {Var(vector.var): 1} or literal_int(vector.start) != 0:
        return None
    lanes = extent(vector)
    return None if lanes is None or vector.step != 1 else _Place(at, Var(vector.var), lanes)


def _apart(array: Alloc, found: Sequence[_Place | None], names: set[str]) -> _Parts | None:
    places = [p for p in found if p is not None]
    if len(places) < len(found) or not places:
        return None
    sizes = {p.lanes for p in places if p.lane is not None}
    lanes = sizes.pop() if sizes else 1
    if sizes or array.shape[-1] % lanes or (lanes > 1 and array.dtype is BOOL):
        return None
    for p in places:
        aligned = p.lane is None or p.at[-1] % lanes == 0
        if not aligned or not all(0 <= n < size for n, size in zip(p.at, array.shape, strict=True)):
            return None
    parts = _Parts(lanes, {})
    for at in sorted({parts.part(p.at) for p in places}):
        parts.names[at] = fresh(names, _name(array.name, at))
    return parts


def _name(array: str, at: tuple[int, ...]) -> str:
    """`acc_2x0`, and `acc_at2` where there is one dimension: no name of a copy."""
    return f"{array}_at{at[0]}" if len(at) == 1 else f"{array}_{'x'.join(map(str, at))}"


def _body(body: Body, parts: Mapping[str, _Parts]) -> Body:
    out: list[Stmt] = []
    for s in body:
        out += _statement(s, parts)
    same = len(out) == len(body) and all(a is b for a, b in zip(out, body, strict=True))
    return body if same else tuple(out)


def _statement(s: Stmt, parts: Mapping[str, _Parts]) -> Sequence[Stmt]:
    match s:
        case Alloc(name) if name in parts:
            shape = (parts[name].lanes,) if parts[name].lanes > 1 else ()
            return [replace(s, name=n, shape=shape) for n in parts[name].names.values()]
        case Store(array, index) if array in parts:
            name, place = _part(parts[array], index)
            return [replace(s, array=name, index=place)]
        case _:
            return [map_bodies(s, lambda b: _body(b, parts))]


def _expr(e: Expr, parts: Mapping[str, _Parts]) -> Expr:
    inner = rebuild(e, partial(_expr, parts=parts))
    if isinstance(inner, Load) and inner.array in parts:
        name, place = _part(parts[inner.array], inner.index)
        return replace(inner, array=name, index=place)
    return inner


def _part(parts: _Parts, index: tuple[Expr, ...]) -> tuple[str, tuple[Expr, ...]]:
    """The part that a subscript is of, and the subscript in it."""
    terms, constant = linear(index[-1])
    at = (*(literal_int(e) or 0 for e in index[:-1]), constant)
    name = parts.names[parts.part(at)]
    if parts.lanes == 1:
        return name, ()
    lane = next(iter(terms), None)
    return name, (integer(constant % parts.lanes, index[-1].origin) if lane is None else lane,)
