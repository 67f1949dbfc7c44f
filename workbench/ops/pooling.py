"""Pools: the greatest, the mean, the norm of what lies in a window."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench.base.dtypes import I32, I64
from workbench.ops.formula import at, compute_one, typed
from workbench.ops.named import operator
from workbench.ops.tensor import Tensor, UnsupportedError, view
from workbench.ops.windows import Windows, windows


@operator("MaxPool")
def max_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    storage_order: int = 0,
) -> tuple[Tensor, Tensor]:
    """The greatest in each window, and where it is among the elements of the array."""
    where = windows(
        x.shape[2:], kernel_shape, strides=strides, dilations=dilations, pads=pads,
        auto_pad=auto_pad, ceil=bool(ceil_mode),
    )  # fmt: skip
    shape = (*x.shape[:2], *where.count)
    read = at("x", ["n", "c", *where.indices])
    place = at("y", ["n", "c", *where.places])
    line = f"{place} = max({read} {where.ranges}{where.tests})"
    if x.dtype.bits < I32.bits:
        line = f"{place} = {x.dtype}(max(i32({read}) {where.ranges}{where.tests}))"
    best = compute_one("max_pool", {"x": x}, line, x.dtype, shape)
    return best, _places(x, where, storage_order)


def _places(x: Tensor, where: Windows, storage_order: int) -> Tensor:
    """The number of the greatest element, counted along rows or, by `storage_order`, columns."""
    taps = math.prod(where.kernel)
    rank = len(where.kernel)
    behind = [math.prod(where.kernel[n + 1 :]) for n in range(rank)]
    said = [f"(r // {b} % {k})" for b, k in zip(behind, where.kernel, strict=True)]
    index = list(where.indices)
    tests = where.tests
    for tap, word in zip(where.taps, said, strict=True):
        index = [i.replace(tap, word) for i in index]
        tests = tests.replace(tap, word)
    read = at("x", ["n", "c", *index])
    best = f"argmax({read} for r in range({taps}){tests})"
    shape = (*x.shape[:2], *where.count)
    lines = f"m: {typed(I32, shape)}\n"
    lines += f"{at('m', ['n', 'c', *where.places])} = {best}\n"
    order = range(rank)[::-1] if storage_order == 0 else range(rank)
    number, size = "0", 1
    chosen = at("m", ["n", "c", *where.places])
    for n in order:
        word = where.index(n).replace(
            where.taps[n], f"({chosen} // {behind[n]} % {where.kernel[n]})"
        )
        number += f" + {size} * ({word})"
        size *= where.extents[n]
    channels = x.shape[1]
    lines += f"{at('y', ['n', 'c', *where.places])} = i64((n * {channels} + c) * {size} + {number})"
    return compute_one(
        "max_pool_places", {"x": x}, lines, I64, shape, bounds=(0, max(x.size - 1, 0))
    )


@operator("AveragePool")
def average_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
) -> Tensor:
    """The mean of each window: of what lies inside, or of the padding, too."""
    where = windows(
        x.shape[2:], kernel_shape, strides=strides, dilations=dilations, pads=pads,
        auto_pad=auto_pad, ceil=bool(ceil_mode),
    )  # fmt: skip
    read = at("x", ["n", "c", *where.indices])
    counts = _counts(where, padding=bool(count_include_pad))
    line = f"{at('y', ['n', 'c', *where.places])} = "
    line += f"sum({read} {where.ranges}{where.tests}) / {counts}"
    return compute_one("average_pool", {"x": x}, line, x.dtype, (*x.shape[:2], *where.count))


def _counts(where: Windows, *, padding: bool) -> str:
    """How many elements a window has."""
    factors: list[str] = []
    for axis, (k, e) in enumerate(zip(where.kernel, where.extents, strict=True)):
        low, high = (0, e)
        if padding:
            low, high = -where.begin[axis], e + where.end[axis]
        last = (where.count[axis] - 1) * where.strides[axis] - where.begin[axis]
        last += where.dilations[axis] * (k - 1)
        if low <= -where.begin[axis] and last < high:
            factors.append(str(k))
            continue
        tap = where.taps[axis]
        factors.append(f"sum(1 for {tap} in range({k}) if {low} <= {where.index(axis)} < {high})")
    return f"({' * '.join(factors)})"


@operator("LpPool")
def lp_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    p: int = 2,
) -> Tensor:
    """The norm of each window."""
    where = windows(
        x.shape[2:], kernel_shape, strides=strides, dilations=dilations, pads=pads,
        auto_pad=auto_pad, ceil=bool(ceil_mode),
    )  # fmt: skip
    read = at("x", ["n", "c", *where.indices])
    line = f"{at('y', ['n', 'c', *where.places])} = {_norm(read, where.ranges + where.tests, p)}"
    return compute_one("lp_pool", {"x": x}, line, x.dtype, (*x.shape[:2], *where.count))


def _norm(read: str, loops: str, p: int) -> str:
    match p:
        case 1:
            return f"sum(abs({read}) {loops})"
        case 2:
            return f"sqrt(sum({read} * {read} {loops}))"
        case _:
            return f"sum(abs({read}) ** {p} {loops}) ** {1 / p!r}"


def _whole(x: Tensor, words: str) -> Tensor:
    """One value for all behind the first two axes."""
    if x.rank < 3:
        raise UnsupportedError(f"of {x.rank} dimensions")
    flat = view(x, (x.shape[0], x.shape[1], math.prod(x.shape[2:])))
    made = compute_one("global_pool", {"x": flat}, f"y[n, c] = {words}", x.dtype, x.shape[:2])
    return view(made, (*x.shape[:2], *[1] * (x.rank - 2)))


@operator("GlobalAveragePool")
def global_average_pool(x: Tensor) -> Tensor:
    """The mean of each channel."""
    count = math.prod(x.shape[2:])
    return _whole(x, f"sum(x[n, c, k] for k in range({count})) / {count}")


@operator("GlobalMaxPool")
def global_max_pool(x: Tensor) -> Tensor:
    """The greatest of each channel."""
    return _whole(x, f"max(x[n, c, k] for k in range({math.prod(x.shape[2:])}))")


@operator("GlobalLpPool")
def global_lp_pool(x: Tensor, *, p: int = 2) -> Tensor:
    """The norm of each channel."""
    return _whole(x, _norm("x[n, c, k]", f"for k in range({math.prod(x.shape[2:])})", p))
