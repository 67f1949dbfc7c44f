"""Accesses that are surely inside their array, by interval arithmetic and the guards around them.

Quick and one-sided: what is not found here is a question for isl (`ir/deps.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from workbench.base.dtypes import I32
from workbench.ir.access import Access
from workbench.ir.expr import Apply, Cast, Const, Expr, Select, Var, apply
from workbench.ir.extents import Extent, expression
from workbench.ir.intervals import ANY, Interval, joined
from workbench.ir.linear import added, linear

_OPPOSITE = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}
Terms = frozenset[tuple[Expr, int]]


@dataclass(slots=True)
class Known:
    """What conditions say: the least and greatest value of names, and of sums of terms.

    `most` has a bound from above for each sum of terms that a condition compares.
    """

    spans: dict[str, Interval] = field(default_factory=dict[str, Interval])
    most: dict[Terms, int] = field(default_factory=dict[Terms, int])

    def learn(self, c: Expr) -> None:
        """Take in a condition that holds."""
        for op, a, b in _comparisons(c, holds=True):
            if op in {"le", "lt", "eq"}:
                self._at_most(a, b, strict=op == "lt")
            if op in {"ge", "gt", "eq"}:
                self._at_most(b, a, strict=op == "gt")

    def _at_most(self, a: Expr, b: Expr, *, strict: bool) -> None:
        terms, constant = added(linear(a), linear(b), -1)
        key, bound = frozenset(terms.items()), -constant - strict
        self.most[key] = min(bound, self.most.get(key, bound))
        if isinstance(a, Var):
            low, high = self.spans.get(a.name, ANY)
            self.spans[a.name] = low, min(high, self.reach(b)[1] - strict)
        if isinstance(b, Var):
            low, high = self.spans.get(b.name, ANY)
            self.spans[b.name] = max(low, self.reach(a)[0] + strict), high

    def reach(self, e: Expr) -> Interval:
        """Bounds of an i32 expression, by its terms and by what was compared with them."""
        if isinstance(e, Var):
            return self.spans.get(e.name, ANY)
        terms, constant = linear(e)
        return self.total(terms, constant)

    def total(self, terms: Mapping[Expr, int], constant: int) -> Interval:
        """Bounds of terms, each times its factor, and a number."""
        low = high = constant
        for term, factor in terms.items():
            one, other = (factor * x for x in self._term(term))
            low, high = low + min(one, other), high + max(one, other)
        most = self.most.get(frozenset(terms.items()))
        least = self.most.get(frozenset((t, -n) for t, n in terms.items()))
        return (
            low if least is None else max(low, constant - least),
            high if most is None else min(high, constant + most),
        )

    def _term(self, e: Expr) -> Interval:
        match e:
            case Var(name):
                return self.spans.get(name, ANY)
            case Apply(op, (a, b)) if e.dtype is I32:
                return joined(op, self.reach(a), self.reach(b)) or ANY
            case Select(_, yes, no):
                one, other = self.reach(yes), self.reach(no)
                return min(one[0], other[0]), max(one[1], other[1])
            case Cast(dtype, arg) if dtype is I32 and arg.dtype is I32:
                return self.reach(arg)
            case _:
                return ANY

    def holds(self, e: Expr, extent: Extent) -> bool:
        """Whether an index is surely at least 0 and less than an extent."""
        low, high = self.reach(e)
        if low < 0 or (isinstance(extent, int) and high < extent):
            return low >= 0
        terms, constant = added(linear(e), linear(expression(extent)), -1)
        return self.total(terms, constant)[1] < 0


def known_of(conditions: Iterable[Expr], before: Known | None = None) -> Known:
    """What conditions say, the outer ones first, beside what was known `before`."""
    known = Known() if before is None else Known(dict(before.spans), dict(before.most))
    for c in conditions:
        known.learn(c)
    return known


def surely_inside(a: Access, known: Known, shape: tuple[Extent, ...]) -> bool:
    """Whether an access, of whose conditions this is known, is inside an array of this shape.

    As far as that is quickly seen.
    """
    pairs = zip(a.index, shape, strict=True)
    return all(_literally(e, n) or (e is not None and known.holds(e, n)) for e, n in pairs)


def _literally(e: Expr | None, extent: Extent) -> bool:
    """Whether an index is a number inside an extent that is one."""
    return isinstance(e, Const) and isinstance(extent, int) and 0 <= int(e.value) < extent


def leaves(a: Access, shape: tuple[Extent, ...]) -> tuple[Expr, ...]:
    """For each dimension of a known index, the condition under which it is outside."""
    return tuple(
        apply(
            "or",
            apply("lt", e, expression(0)),
            apply("ge", e, expression(extent)),
        )
        for e, extent in zip(a.index, shape, strict=True)
        if e is not None
    )


def _comparisons(c: Expr, *, holds: bool) -> Iterator[tuple[str, Expr, Expr]]:
    """The comparisons of i32 values that surely hold where a condition does (or does not)."""
    match c:
        case Apply("not", (a,)):
            yield from _comparisons(a, holds=not holds)
        case Apply("and" | "or" as op, (a, b)) if (op == "and") == holds:
            yield from _comparisons(a, holds=holds)
            yield from _comparisons(b, holds=holds)
        case Apply(op, (a, b)) if op in _OPPOSITE and a.dtype is I32:
            yield (op if holds else _OPPOSITE[op]), a, b
        case _:
            return
