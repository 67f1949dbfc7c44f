"""Extents: how long an array or an axis is, a literal or an expression over open dims.

An open dim has no value while a kernel is compiled: its code reads it from the scalars of the
call. What has to be known before code runs, shapes and counts of workgroups, is worked out for
the values of each call by `size`.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from workbench.base.dtypes import BOOL, I32
from workbench.base.errors import OpenDimError
from workbench.ir.expr import (
    Apply,
    Cast,
    Const,
    Expr,
    Select,
    Var,
    apply,
    free_names,
    integer as literal,
    is_arithmetic,
)
from workbench.ir.ops import OPS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Extent = int | Expr

LARGEST_INDEX = 2**31 - 1
LARGEST_OPEN = 2**24
"""The largest value of an open dim; a larger one is a literal of a compilation of its own."""
_LEAST, _GREATEST = -(2**31), 2**31 - 1


def expression(x: Extent) -> Expr:
    """An extent as an expression."""
    return literal(x) if isinstance(x, int) else x


def uniform(e: Expr, names: Collection[str]) -> bool:
    """Whether an expression has one value in a whole run: it uses literals and `names` only."""
    return free_names(e) <= set(names) and is_arithmetic(e)


def literals(shape: tuple[Extent, ...]) -> tuple[int, ...]:
    """A shape without open dims, as the numbers that it is."""
    found = tuple(x for x in shape if isinstance(x, int))
    assert len(found) == len(shape), f"a shape with open dims was left: {shape}"
    return found


def product(shape: tuple[Extent, ...]) -> Extent:
    """How many elements a shape has: its literals multiplied, then the open extents."""
    number = math.prod(x for x in shape if isinstance(x, int))
    others = [x for x in shape if not isinstance(x, int)]
    if not others or number == 0:
        return number
    first = others[0] if number == 1 else apply("mul", literal(number), others[0])
    return reduce(lambda a, b: apply("mul", a, b), others[1:], first)


def size(x: Extent, values: Mapping[str, int]) -> int:
    """The extent for values of the open dims, 0 where it is below.

    Raises `OpenDimError` where the arithmetic leaves i32: compiled code would wrap there.
    """
    return x if isinstance(x, int) else max(0, value(x, values))


def value(e: Expr, values: Mapping[str, int]) -> int:
    """The exact value of a uniform i32 or bool expression. Raises `OpenDimError` beyond i32."""
    match e:
        case Const(number):
            return int(number)
        case Var(name):
            return values[name]
        case Select(cond, yes, no):
            return value(yes if value(cond, values) else no, values)
        case Cast(dtype, arg) if dtype in {I32, BOOL} and arg.dtype in {I32, BOOL}:
            return value(arg, values) if dtype is I32 else int(value(arg, values) != 0)
        case Apply(op, args) if all(a.dtype in {I32, BOOL} for a in args):
            numbers = (np.int64(value(a, values)) for a in args)
            with np.errstate(all="ignore"):
                result = int(OPS[op].numpy(*numbers))
            if not _LEAST <= result <= _GREATEST:
                raise OpenDimError(f"{result} is beyond i32")
            return result
        case _:
            raise OpenDimError(f"no extent is a {type(e).__name__} of {e.dtype}")
