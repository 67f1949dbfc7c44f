"""How often something happens in loops: whole points counted, by products and by enumeration.

A loop whose variable stands in no condition but its own bounds is a factor. Variables that
conditions tie together are enumerated, with NumPy, up to `MOST` points; beyond that, and where
data decide, the product of the ranges stands in, and the count says that it is modelled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from workbench.base.dtypes import BOOL, I32
from workbench.ir.expr import (
    Apply,
    Cast,
    Const,
    Expr,
    Iterated,
    Load,
    Reduce,
    Select,
    Var,
    free_names,
    walk,
)
from workbench.ir.ops import OPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.int64]
    Flags = NDArray[np.bool_]

MOST = 1 << 22
"""Points that are enumerated."""

Tag = Literal["exact", "modelled"]


@dataclass(frozen=True, slots=True)
class Count:
    """A number, and whether it is exact or modelled."""

    value: int
    tag: Tag = "exact"

    def __add__(self, other: Count) -> Count:
        return Count(self.value + other.value, worse(self.tag, other.tag))

    def times(self, factor: int) -> Count:
        """The same thing so many times."""
        return Count(self.value * factor, self.tag)


NONE = Count(0)


def worse(*tags: Tag) -> Tag:
    """What a number made of several is."""
    return "modelled" if "modelled" in tags else "exact"


@dataclass(frozen=True, slots=True)
class Places:
    """Points of loop variables: `names` along the columns of a mesh, those where `holds`."""

    values: Mapping[str, Values]
    holds: Flags


def count_points(names: Sequence[str], conditions: Sequence[Expr]) -> Count:
    """The number of whole points of these variables at which all conditions hold.

    A variable without literal bounds counts once, and the result is modelled.
    """
    total = Count(1)
    spans, tag = _spans(names, conditions)
    for group in _groups(names, conditions):
        inner = [c for c in conditions if free_names(c) & set(group)]
        size = math.prod(max(0, high - low) for low, high in (spans[n] for n in group))
        places = _places(group, spans, inner) if 0 < size <= MOST and _said(inner, names) else None
        if places is None:
            boxed = len(group) == 1 and all(_bound_of(c, group[0]) for c in inner)
            found = Count(size, "exact" if boxed or size == 0 else "modelled")
        else:
            found = Count(int(np.count_nonzero(places.holds)))
        total = Count(total.value * found.value, worse(total.tag, found.tag))
    return Count(total.value, worse(total.tag, tag))


def points_of(
    index: Sequence[Expr], names: Sequence[str], conditions: Sequence[Expr]
) -> Values | None:
    """The different values of an index, one a row; None where they are too many to look at."""
    used = frozenset[str]().union(*map(free_names, index)) & set(names)
    groups = [g for g in _groups(names, conditions) if used & set(g)]
    kept = [n for g in groups for n in g]
    inner = [c for c in conditions if free_names(c) & set(kept)]
    spans, tag = _spans(names, conditions)
    size = math.prod(max(0, high - low) for low, high in (spans[n] for n in kept))
    if tag != "exact" or size > MOST or not _said([*inner, *index], names):
        return None
    if size == 0:
        return np.zeros((0, len(index)), np.int64)
    places = _places(kept, spans, inner)
    shape = places.holds.shape
    columns = [np.broadcast_to(_evaluate(e, places.values), shape)[places.holds] for e in index]
    if not columns:
        return np.zeros((1, 0), np.int64)
    return np.unique(np.stack(columns, axis=1), axis=0)


def _groups(names: Sequence[str], conditions: Sequence[Expr]) -> list[list[str]]:
    """The variables in groups that no condition ties together."""
    groups = [{n} for n in names]
    for c in conditions:
        tied = free_names(c)
        touching = [g for g in groups if g & tied]
        if len(touching) > 1:
            groups = [g for g in groups if not g & tied] + [set[str]().union(*touching)]
    order = {n: i for i, n in enumerate(names)}
    return [sorted(g, key=order.__getitem__) for g in groups]


def _spans(
    names: Sequence[str], conditions: Sequence[Expr]
) -> tuple[dict[str, tuple[int, int]], Tag]:
    """The least interval known of each variable; outer ones bound inner ones."""
    spans: dict[str, tuple[int, int]] = {}
    tag: Tag = "exact"
    for name in names:
        low, high = None, None
        for c in conditions:
            found = _bound_of(c, name) or _reach_of(c, name, spans)
            if found is None:
                continue
            least, end = found
            low = least if low is None else low if least is None else max(low, least)
            high = end if high is None else high if end is None else min(high, end)
        if low is None or high is None:
            low, high, tag = 0, 1, "modelled"
        spans[name] = low, high
    return spans, tag


def _bound_of(c: Expr, name: str) -> tuple[int | None, int | None] | None:
    """What a condition with a literal says of a variable, as `low <= name < high`."""
    match c:
        case Apply(op, (Var(n), Const(value))) if n == name and c.args[1].dtype.kind in "iu":
            v = int(value)
            forms = {"ge": (v, None), "gt": (v + 1, None), "lt": (None, v), "le": (None, v + 1)}
            return forms.get(op)
        case _:
            return None


def _reach_of(
    c: Expr, name: str, spans: Mapping[str, tuple[int, int]]
) -> tuple[int | None, int | None] | None:
    """The same for a bound that other variables, of known spans, move."""
    match c:
        case Apply(("ge" | "lt") as op, (Var(n), bound)) if n == name:
            used = free_names(bound)
            if name in used or not used <= set(spans) or not _said([bound], list(spans)):
                return None
            sizes = [max(0, spans[u][1] - spans[u][0]) for u in used]
            if not 0 < math.prod(sizes) <= MOST:
                return (0, 0) if 0 in sizes else None
            values = _evaluate(bound, _mesh(sorted(used), spans))
            return (int(values.min()), None) if op == "ge" else (None, int(values.max()))
        case _:
            return None


def _said(expressions: Sequence[Expr], names: Sequence[str]) -> bool:
    """Whether nothing but whole numbers and these variables decides."""
    return all(free_names(e) <= set(names) and not _decided_elsewhere(e) for e in expressions)


def _decided_elsewhere(e: Expr) -> bool:
    """Whether a part is data, or of a dtype in which arithmetic here could wrap."""
    return any(isinstance(x, Load | Reduce) or x.dtype not in {I32, BOOL} for x in walk(e))


def _mesh(names: Sequence[str], spans: Mapping[str, tuple[int, int]]) -> dict[str, Values]:
    axes = [np.arange(*spans[n], dtype=np.int64) for n in names]
    return dict(zip(names, np.meshgrid(*axes, indexing="ij", sparse=True), strict=True))


def _places(
    names: Sequence[str], spans: Mapping[str, tuple[int, int]], conditions: Sequence[Expr]
) -> Places:
    shape = tuple(max(0, spans[n][1] - spans[n][0]) for n in names)
    values = _mesh(names, spans)
    holds = np.ones(shape, np.bool_)
    for c in conditions:
        holds &= np.broadcast_to(_evaluate(c, values), shape).astype(np.bool_)
    return Places(values, holds)


def _evaluate(e: Expr, values: Mapping[str, Values]) -> Values:
    """The value at every point; whole numbers do not wrap, for indices that wrap are refused."""
    match e:
        case Const(value):
            return np.asarray(int(value), np.int64)
        case Var(name):
            return values[name]
        case Apply(op, args):
            return np.asarray(OPS[op].numpy(*(_evaluate(x, values) for x in args)))
        case Cast(_, arg):
            return _evaluate(arg, values)
        case Select(cond, yes, no):
            chosen = (_evaluate(x, values) for x in (cond, yes, no))
            return np.where(*chosen)
        case Load() | Reduce() | Iterated():
            raise AssertionError("asked of `_said` before")
