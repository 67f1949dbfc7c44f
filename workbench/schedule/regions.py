"""Regions: the box of elements that one iteration of a loop touches.

A box has a corner, an expression in what stands around the iteration, and literal extents.
Corners are guessed by interval arithmetic on affine subscripts; isl then proves that the box
holds every access.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from workbench.ir.access import Access
from workbench.ir.deps import holds_at
from workbench.ir.expr import (
    Apply,
    Cast,
    Expr,
    Select,
    Var,
    apply,
    free_names,
    integer,
    rebuild,
)
from workbench.ir.linear import added, linear, plus, total
from workbench.ir.stmt import For
from workbench.schedule.nests import literal


@dataclass(frozen=True, slots=True)
class Reach:
    """The values an index takes: a sum of fixed terms, plus anything from `low` to `high`.

    `guessed` where a clamp was left out: what it clamps to may lie elsewhere.
    """

    terms: Mapping[Expr, int]
    low: int
    high: int
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """Elements `corner[d] <= index[d] < corner[d] + extents[d]` of an array."""

    corner: tuple[Expr, ...]
    extents: tuple[int, ...]
    guessed: bool = False


def box(touched: Sequence[Access], inner: Sequence[For]) -> Box | None:
    """The box of all accesses of one array while the loops `inner` run, None where unknown."""
    spans = spans_of(_used(touched, inner))
    if spans is None:
        return None
    corner: list[Expr] = []
    extents: list[int] = []
    guessed = False
    for column in zip(*(a.index for a in touched), strict=True):
        reaches = [None if e is None else reach(e, spans) for e in column]
        known = [r for r in reaches if r is not None]
        whole = reduce(_hull_or_none, known[1:], known[0]) if len(known) == len(reaches) else None
        whole = whole or _without_clamps(column, touched, spans)
        if whole is None:
            return None
        corner.append(total(whole.terms, whole.low))
        extents.append(whole.high - whole.low + 1)
        guessed = guessed or whole.guessed
    return Box(tuple(corner), tuple(extents), guessed)


def _without_clamps(
    column: Sequence[Expr | None], touched: Sequence[Access], spans: Mapping[str, tuple[int, int]]
) -> Reach | None:
    """A guess: what the subscripts take where no `min` or `max` by something fixed decides."""
    variables = frozenset(v for a in touched for v in a.loops)

    def bare(e: Expr) -> Expr:
        match e:
            case Apply(("min" | "max"), args):
                moving = [x for x in args if free_names(x) & variables]
                return bare(moving[0]) if len(moving) == 1 else e
            case _:
                return rebuild(e, bare)

    reaches = [None if e is None else reach(bare(e), spans) for e in column]
    known = [r for r in reaches if r is not None]
    whole = reduce(_hull_or_none, known[1:], known[0]) if len(known) == len(reaches) else None
    return None if whole is None else replace(whole, guessed=True)


def _used(touched: Sequence[Access], inner: Sequence[For]) -> list[For]:
    """The loops whose variables the subscripts use, or the bounds of such loops do."""
    names = {n for a in touched for e in a.index if e is not None for n in free_names(e)}
    found: list[For] = []
    for loop in reversed(inner):
        if loop.var in names:
            found.insert(0, loop)
            names |= free_names(loop.start) | free_names(loop.stop)
    return found


def spans_of(loops: Sequence[For]) -> dict[str, tuple[int, int]] | None:
    """The least and the greatest value of each loop variable, None where one is not bounded.

    The loops are listed outermost first, bounds may use the variables before them.
    """
    spans: dict[str, tuple[int, int]] = {}
    for loop in loops:
        start, stop = reach(loop.start, spans), reach(loop.stop, spans)
        if start is None or stop is None or start.terms or stop.terms:
            return None
        spans[loop.var] = start.low, max(start.low, stop.high - 1)
    return spans


def escapes(touched: Iterable[Access], region: Box) -> bool:
    """Whether an access may lie outside the box."""
    if not region.guessed:
        return False
    for a in touched:
        for e, corner, size in zip(a.index, region.corner, region.extents, strict=True):
            assert e is not None, "the box of an unknown subscript is unknown"
            low = apply("lt", e, corner)
            high = apply("ge", e, plus(corner, integer(size)))
            if holds_at(a.loops, [*a.conditions, apply("or", low, high)]) is not None:
                return True
    return False


def reach(e: Expr, spans: Mapping[str, tuple[int, int]]) -> Reach | None:
    """The values of an i32 expression while the variables in `spans` (inclusive) vary."""
    if not free_names(e) & spans.keys():
        terms, constant = linear(e)
        return Reach(terms, constant, constant)
    match e:
        case Var(name):
            return Reach({}, *spans[name])
        case Cast(_, arg):
            return reach(arg, spans) if arg.dtype == e.dtype else None
        case Select(_, yes, no):
            return _hull(reach(yes, spans), reach(no, spans))
        case Apply(("add" | "sub" | "neg" | "mul"), args):
            return _combined(e.op, args, spans)
        case Apply(("min" | "max"), args):
            return _clamped([reach(x, spans) for x in args if free_names(x) & spans.keys()])
        case Apply(op, (a, b)):
            return _split(op, reach(a, spans), literal(b))
        case _:
            return None


def _combined(op: str, args: Sequence[Expr], spans: Mapping[str, tuple[int, int]]) -> Reach | None:
    first, last = reach(args[0], spans), reach(args[-1], spans)
    match op:
        case "neg":
            return _scaled(first, -1)
        case "add":
            return _sum(first, last)
        case "sub":
            return _sum(first, _scaled(last, -1))
        case _:
            factor = literal(args[-1])
            return _scaled(last, literal(args[0])) if factor is None else _scaled(first, factor)


def _clamped(moving: Sequence[Reach | None]) -> Reach | None:
    """Min or max of what moves; a clamp by something fixed is left out, as a guess."""
    if len(moving) == 2:
        return _hull(moving[0], moving[1])
    return None if moving[0] is None else replace(moving[0], guessed=True)


def _sum(a: Reach | None, b: Reach | None) -> Reach | None:
    if a is None or b is None:
        return None
    terms, _ = added((dict(a.terms), 0), (dict(b.terms), 0), 1)
    return Reach(terms, a.low + b.low, a.high + b.high, a.guessed or b.guessed)


def _scaled(a: Reach | None, factor: int | None) -> Reach | None:
    if a is None or factor is None:
        return None
    low, high = sorted((a.low * factor, a.high * factor))
    return Reach({t: n * factor for t, n in a.terms.items() if factor}, low, high, a.guessed)


def _split(op: str, a: Reach | None, by: int | None) -> Reach | None:
    """Quotient or remainder by a positive literal that divides every fixed term."""
    if op not in {"floordiv", "mod"} or a is None or by is None or by < 1:
        return None
    if any(n % by for n in a.terms.values()):
        return None
    low, high = a.low // by, a.high // by
    if op == "floordiv":
        return Reach({t: n // by for t, n in a.terms.items()}, low, high, a.guessed)
    if low == high:
        return Reach({}, a.low % by, a.high % by, a.guessed)
    return Reach({}, 0, by - 1, a.guessed)


def _hull(a: Reach | None, b: Reach | None) -> Reach | None:
    return None if a is None or b is None else _hull_or_none(a, b)


def _hull_or_none(a: Reach | None, b: Reach) -> Reach | None:
    if a is None or a.terms != b.terms:
        return None
    low, high = min(a.low, b.low), max(a.high, b.high)
    return Reach(a.terms, low, high, a.guessed or b.guessed)
