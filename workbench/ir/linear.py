"""Whole-number expressions as sums of terms with literal factors, and made of them again."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.ir.expr import Apply, Const, Expr, apply, integer


def linear(e: Expr) -> tuple[dict[Expr, int], int]:
    """An i32 expression as a sum of terms with literal factors, and a constant."""
    terms: dict[Expr, int] = {}
    constant = _gathered(e, 1, terms)
    return {t: n for t, n in terms.items() if n}, constant


def _gathered(e: Expr, factor: int, terms: dict[Expr, int]) -> int:
    """The constant of `factor * e`; its terms are added to `terms`."""
    match e:
        case Const(number):
            return factor * int(number)
        case Apply("add", (a, b)):
            return _gathered(a, factor, terms) + _gathered(b, factor, terms)
        case Apply("sub", (a, b)):
            return _gathered(a, factor, terms) + _gathered(b, -factor, terms)
        case Apply("neg", (a,)):
            return _gathered(a, -factor, terms)
        case Apply("mul", (a, Const(number))) | Apply("mul", (Const(number), a)):
            return _gathered(a, factor * int(number), terms)
        case _:
            terms[e] = terms.get(e, 0) + factor
            return 0


def total(terms: Mapping[Expr, int], constant: int) -> Expr:
    """The expression that `linear` took apart, positive terms first."""
    result: Expr | None = None
    for term, factor in sorted(terms.items(), key=lambda x: x[1] < 0):
        size = abs(factor)
        part = term if size == 1 else apply("mul", term, integer(size))
        if result is None:
            result = part if factor > 0 else apply("neg", part)
        else:
            result = apply("add" if factor > 0 else "sub", result, part)
    if result is None:
        return integer(constant)
    if constant == 0:
        return result
    return apply("add" if constant > 0 else "sub", result, integer(abs(constant)))


def plus(a: Expr, b: Expr) -> Expr:
    """`a + b`, simplified."""
    return total(*added(linear(a), linear(b), 1))


def minus(a: Expr, b: Expr) -> Expr:
    """`a - b`, simplified."""
    return total(*added(linear(a), linear(b), -1))


def added(
    a: tuple[dict[Expr, int], int], b: tuple[dict[Expr, int], int], factor: int
) -> tuple[dict[Expr, int], int]:
    """`a + factor * b`, both taken apart."""
    terms = dict(a[0])
    for term, count in b[0].items():
        terms[term] = terms.get(term, 0) + factor * count
    return {t: n for t, n in terms.items() if n}, a[1] + factor * b[1]
