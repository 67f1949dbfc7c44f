"""What there is to say of the values of an array: range, histogram, what is not finite.

Against a reference also how far apart the two are, and where they differ first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.errors import CallError
from workbench.ir.compare import agreement, tolerance

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 40
Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts[n]` finite values lie between `edges[n]` and `edges[n + 1]`."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """How an array differs from its reference; `first` and `largest` are indices.

    `count` elements are outside of the tolerance of their dtype, of which `words` say more.
    """

    count: int
    first: Index | None
    largest: Index | None
    error: float
    words: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Least, mean and greatest of the finite values (None without one), and the others' numbers.

    `first_nan` is the index of the first NaN in C order.
    """

    count: int
    least: float | None
    mean: float | None
    greatest: float | None
    nans: int
    infinities: int
    first_nan: Index | None
    histogram: Histogram | None


def summary(values: NDArray[np.generic]) -> Summary:
    """The summary of an array of numbers or bools."""
    numbers = values.astype(np.float64).reshape(-1)
    nan = np.isnan(numbers)
    finite = numbers[np.isfinite(numbers)]
    nans = int(np.count_nonzero(nan))
    return Summary(
        count=values.size,
        least=float(finite.min()) if finite.size else None,
        mean=float(finite.mean()) if finite.size else None,
        greatest=float(finite.max()) if finite.size else None,
        nans=nans,
        infinities=values.size - nans - finite.size,
        first_nan=_index(values, int(np.argmax(nan))) if nans else None,
        histogram=_histogram(values, finite),
    )


def difference(values: NDArray[np.generic], reference: NDArray[np.generic]) -> Difference:
    """Compare with a reference of the same shape, as checks do.

    Raises `CallError` where the shapes differ.
    """
    if values.shape != reference.shape:
        raise CallError(
            f"the array has shape {values.shape}, its reference {reference.shape}",
            hint="against= an array of the same shape",
        )
    found = agreement(values, reference, values.dtype)
    wide, other = values.astype(np.float64), reference.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.abs(wide - other)
    apart = np.where((wide == other) | (np.isnan(wide) & np.isnan(other)), 0.0, apart)
    apart = np.where(np.isnan(apart), np.inf, apart)
    wrong = apart > _allowed(values.dtype, other)
    return Difference(
        count=int(np.count_nonzero(wrong)),
        first=_index(values, int(np.argmax(wrong))) if wrong.any() else None,
        largest=_index(values, int(np.argmax(apart))) if apart.any() else None,
        error=float(apart.max(initial=0.0)),
        words=found.words,
    )


def _allowed(dtype: np.dtype[np.generic], reference: NDArray[np.float64]) -> Any:
    """How far each element may be from its reference: see `ir/compare.py`."""
    if dtype.kind != "f":
        return 0.0
    size = np.where(np.isfinite(reference), np.abs(reference), 0.0)
    relative, absolute = tolerance(dtype)
    least = float(np.finfo(dtype.type).tiny)  # pyright: ignore[reportCallIssue,reportArgumentType]
    return relative * size + absolute * float(size.max(initial=0.0)) + least


def _index(values: NDArray[np.generic], flat: int) -> Index:
    return tuple(int(x) for x in np.unravel_index(flat, values.shape))


def _histogram(values: NDArray[np.generic], finite: NDArray[np.float64]) -> Histogram | None:
    """Even bins over the range; of few whole numbers one for each."""
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    bins = BINS
    if values.dtype.kind in "iub" and high - low < BINS:
        low, high, bins = low - 0.5, high + 0.5, int(high - low) + 1
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(finite, bins=bins, range=(low, high))
    return Histogram(tuple(map(float, edges)), tuple(map(int, counts)))
