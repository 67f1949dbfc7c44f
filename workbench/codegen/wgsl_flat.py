"""The number of an element in its array, as a sum that says which vector of four it lies in."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.ir.expr import Const, Expr, apply, integer
from workbench.ir.extents import Extent, product
from workbench.ir.linear import added, linear, total


def flat(shape: tuple[Extent, ...], index: Sequence[Expr]) -> tuple[dict[Expr, int], int]:
    """The number of an element in row-major order as a sum; the shape is of literals.

    A literal outside its extent stands where control never comes, and counts as 0.
    """
    terms: tuple[dict[Expr, int], int] = ({}, 0)
    for axis, part in enumerate(index):
        stride, extent = product(shape[axis + 1 :]), shape[axis]
        assert isinstance(stride, int), "literal extents"
        assert isinstance(extent, int), "literal extents"
        never = isinstance(part, Const) and not 0 <= part.value < extent
        terms = added(terms, ({}, 0) if never else linear(part), stride)
    return terms


def divisible(e: tuple[dict[Expr, int], int]) -> bool:
    """Whether a sum is a multiple of four, as far as one can see."""
    terms, constant = e
    return not constant % 4 and not any(n % 4 for n in terms.values())


def quarter(e: tuple[dict[Expr, int], int]) -> Expr | None:
    """A sum divided by four, None where it is no multiple of four that one can see."""
    if not divisible(e):
        return None
    terms, constant = e
    return total({t: n // 4 for t, n in terms.items()}, constant // 4)


def packed(e: tuple[dict[Expr, int], int]) -> tuple[Expr, Expr]:
    """The vector that an element of a packed array lies in, and its component."""
    terms, constant = e
    whole = quarter((terms, constant - constant % 4))
    if whole is not None:
        return whole, integer(constant % 4)
    number = total(terms, constant)
    return apply("quotient", number, integer(4)), apply("remainder", number, integer(4))
