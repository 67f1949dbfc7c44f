"""Typed values: expressions with the rule that literals, dims and indices are weak.

A weak value takes the dtype of what it meets; alone a whole number is i32, another f32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, assert_never

from workbench.base.dtypes import BOOL, F32, I32, U32, DType
from workbench.ir.expr import Apply, Cast, Const, Expr, Select, loads, walk

if TYPE_CHECKING:
    from workbench.base.source import Origin
    from workbench.lang.names import Context
    from workbench.lang.report import Place

LARGEST_COPY = 2000
"""Nodes that the copies of one expression may have together (`x ** 8`, `a < x < b`)."""
LARGEST_F32 = 3.4028234663852886e38


@dataclass(frozen=True, slots=True)
class Value:
    """An expression, and whether its dtype gives way to others."""

    expr: Expr
    weak: bool = False

    @property
    def dtype(self) -> DType:
        """The dtype it has alone."""
        return self.expr.dtype


def convert(c: Context, v: Value, dtype: DType, place: Place) -> Expr | None:
    """A number in another dtype: literals are written anew, anything else is cast."""
    e = v.expr
    if isinstance(e, Const) and v.weak:
        return _literal(c, e, dtype, place)
    if e.dtype == dtype:
        return e
    if isinstance(e, Select) and v.weak:
        yes = convert(c, Value(e.yes, weak=True), dtype, place)
        no = convert(c, Value(e.no, weak=True), dtype, place)
        return None if yes is None or no is None else replace(e, yes=yes, no=no)
    return Cast(dtype, e, origin=e.origin.derive(f"as {dtype}"))


def settle(c: Context, v: Value, place: Place) -> Expr | None:
    """The expression with the dtype it has alone, its literals checked to fit."""
    return convert(c, v, v.dtype, place)


def common(c: Context, a: Value, b: Value, place: Place) -> DType | None:
    """The dtype of two numbers that meet; a mistake where they have none."""
    if a.dtype == b.dtype:
        return a.dtype
    kinds = {a.dtype.kind, b.dtype.kind}
    if "b" in kinds:
        number, flag = (b, a) if a.dtype is BOOL else (a, b)
        c.wrong(
            place,
            f"a bool and a number ({flag.dtype} and {number.dtype}) do not mix",
            hint=f"{number.dtype}(...) around the bool",
        )
        return None
    if "f" in kinds:
        return F32
    if a.weak or b.weak:
        return b.dtype if a.weak else a.dtype
    c.wrong(
        place,
        "i32 and u32 have no common dtype",
        hint="i32(...) or u32(...) around one of the two",
    )
    return None


def unified(
    c: Context, a: Value, b: Value, place: Place, dtype: DType | None = None
) -> tuple[Expr, Expr] | None:
    """Both values in their common dtype (or in `dtype`)."""
    met = dtype or common(c, a, b, place)
    if met is None:
        return None
    left, right = convert(c, a, met, place), convert(c, b, met, place)
    return None if left is None or right is None else (left, right)


def fit(c: Context, v: Value, dtype: DType, place: Place, what: str) -> Expr | None:
    """The value for a target of a given dtype: weak ones convert, others must have it."""
    number = v.dtype.kind in "iu" and dtype.kind in "fiu"
    if v.dtype == dtype or (v.weak and (number or v.dtype.kind == dtype.kind == "f")):
        return convert(c, v, dtype, place)
    c.wrong(
        place,
        f"{what} is {dtype}, the value is {v.dtype}",
        hint=c.report.mended(place, f"{dtype}({c.report.text(place)})")
        if c.report.text(place) == c.report.span(place).text
        else f"{dtype}(...) around the value",
    )
    return None


def truth(c: Context, v: Value, place: Place) -> Expr | None:
    """A condition: a bool."""
    if v.dtype is BOOL:
        return v.expr
    c.wrong(
        place,
        f"a condition is a bool, this is {v.dtype}",
        hint=f"{c.report.text(place)} != 0",
    )
    return None


def whole(c: Context, v: Value, place: Place, what: str) -> Expr | None:
    """A whole number as i32: an index or the bound of a range."""
    if v.dtype in {I32, U32}:
        return convert(c, v, I32, place)
    c.wrong(
        place,
        f"{what} is a whole number, this is {v.dtype}",
        hint=f"i32({c.report.text(place)})",
    )
    return None


def repeatable(c: Context, e: Expr, copies: int, place: Place) -> bool:
    """Whether an expression may stand several times in another; a mistake where it is large."""
    if sum(copies for _ in islice(walk(e), LARGEST_COPY)) <= LARGEST_COPY:
        return True
    c.wrong(
        place, f"an expression of this size, {copies} times over, is too large",
        hint="an equation of its own for the part that is repeated",
    )  # fmt: skip
    return False


def both(left: Expr, right: Expr, late: Expr, origin: Origin) -> Expr:
    """`left and right`; where `late`, the part evaluated last, reads, only if `left` is true."""
    if next(loads(late), None) is None:
        return Apply("and", (left, right), BOOL, origin=origin)
    return Select(left, right, Const(value=False, dtype=BOOL), origin=origin)


def either(left: Expr, right: Expr, origin: Origin) -> Expr:
    """`left or right`; `right` is not evaluated where it reads and `left` is true."""
    if next(loads(right), None) is None:
        return Apply("or", (left, right), BOOL, origin=origin)
    return Select(left, Const(value=True, dtype=BOOL), right, origin=origin)


def plural(count: int, noun: str) -> str:
    """`1 index`, `2 indices`, `3 dimensions`."""
    several = "indices" if noun == "index" else f"{noun}s"
    return f"{count} {noun if count == 1 else several}"


def _literal(c: Context, e: Const, dtype: DType, place: Place) -> Expr | None:
    match dtype.kind:
        case "f":
            return _real(c, e, dtype, place)
        case "i":
            return _integer(c, e, dtype, place, (-(2 ** (dtype.bits - 1)), 2 ** (dtype.bits - 1)))
        case "u":
            return _integer(c, e, dtype, place, (0, 2**dtype.bits))
        case "b":
            return replace(e, dtype=dtype)
        case _:
            assert_never(dtype.kind)


def _real(c: Context, e: Const, dtype: DType, place: Place) -> Expr | None:
    written = isinstance(e.value, int) or math.isfinite(e.value)
    if written and abs(e.value) > LARGEST_F32:
        c.wrong(
            place, f"{_short(e.value)} is beyond the largest {dtype}, {LARGEST_F32}", hint="inf"
        )
        return None
    return replace(e, value=float(e.value), dtype=dtype)


def _integer(
    c: Context, e: Const, dtype: DType, place: Place, bounds: tuple[int, int]
) -> Expr | None:
    low, high = bounds
    if low <= e.value < high:
        return replace(e, value=int(e.value), dtype=dtype)
    hint = f"u32({e.value})" if dtype is I32 and 0 <= e.value < 2**U32.bits else ""
    c.wrong(place, f"{_short(e.value)} is outside {dtype}, {low} to {high - 1}", hint=hint)
    return None


def _short(value: float) -> str:
    """A number in few characters, however many digits it has."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    return str(value)
