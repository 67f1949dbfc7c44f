"""Whether two different invocations surely touch different elements, seen without isl.

Let both touch the same element: then in each dimension the terms of the index, times their
factors, add up to the same. Where each factor is larger than all that the smaller terms, and
what only one of the two adds, can differ by, as with digits of a number, no term differs; one
that does not is taken out of the other sums. If no id differs in the end, it was one invocation.
One-sided and quick: what is not found here is a question for isl (`ir/deps.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from workbench.ir.access import Access
from workbench.ir.expr import Apply, Const, Expr, Var
from workbench.ir.inside import Known
from workbench.ir.linear import linear
from workbench.ir.together import Place, Sum

Terms = Mapping[Expr, int]


def surely_distinct(a: Place, b: Place, same: Collection[str], ids: Iterable[str]) -> bool:
    """Whether instances that differ in one of `ids` never touch the same element.

    Loops in `same` are in the same iteration of both.
    """
    known = [a.known, b.known]
    pairs = zip(a.sums, b.sums, strict=True)
    sums = [_shared(x, y, a.known, b.known) for x, y in pairs if x is not None and y is not None]
    equal: set[Expr] = {Var(v) for v in same}
    wanted = {Var(v) for v in ids}
    while True:
        before = len(equal)
        _settle(sums, equal, known)
        if equal >= wanted:
            return True
        whole = [*_parts(equal), *_remainders(a.access, b.access, equal, known)]
        _settle([(terms, 0) for terms in whole], equal, known)
        if len(equal) == before:
            return False


def _settle(sums: Iterable[tuple[Terms, int]], equal: set[Expr], known: Sequence[Known]) -> None:
    """Add the terms that do not differ to those that are `equal`."""
    for terms, apart in sums:
        rest = {t: n for t, n in terms.items() if t not in equal}
        if _digits(rest, apart, known):
            equal |= set(rest)


def _shared(x: Sum, y: Sum, a: Known, b: Known) -> tuple[Terms, int]:
    """The terms of both, and by how much all else can differ."""
    (mine, number), (other, its) = x, y
    both = {t: n for t, n in mine.items() if other.get(t) == n}
    low, high = a.total({t: n for t, n in mine.items() if t not in both}, number)
    least, most = b.total({t: n for t, n in other.items() if t not in both}, its)
    return both, max(abs(high - least), abs(most - low))


def _digits(terms: Terms, apart: int, known: Sequence[Known]) -> bool:
    """Whether terms with these factors add up to the same only where each is the same.

    What is added to them differs by `apart` at most.
    """
    reach = apart
    for term, factor in sorted(terms.items(), key=lambda x: abs(x[1])):
        if reach >= abs(factor):
            return False
        reach += abs(factor) * _width(term, known)
    return True


def _width(term: Expr, known: Sequence[Known]) -> int:
    """By how much two values of a term can differ."""
    spans = [k.reach(term) for k in known]
    return max(0, max(high for _, high in spans) - min(low for low, _ in spans))


def _parts(equal: Collection[Expr]) -> list[Terms]:
    """What is the same because its quotient and its remainder are."""
    return [
        linear(t.args[0])[0]
        for t in equal
        if isinstance(t, Apply)
        and t.op == "floordiv"
        and isinstance(t.args[1], Const)
        and Apply("mod", t.args, t.dtype) in equal
    ]


def _remainders(
    a: Access, b: Access, equal: Collection[Expr], known: Sequence[Known]
) -> list[Terms]:
    """What is the same because it is so up to a multiple of more than it can differ by."""
    found: list[Terms] = []
    for c in a.conditions:
        match c:
            case Apply("eq", (Apply("mod", (e, Const(by))), Const(0))) if c in b.conditions:
                rest = {t: n for t, n in linear(e)[0].items() if t not in equal}
                if sum(abs(n) * _width(t, known) for t, n in rest.items()) < by:
                    found.append(rest)
            case _:
                pass
    return found
