"""Whether a result agrees with a float64 reference, and where it differs most.

What may differ: a float result is a sum of rounded terms. With u the unit roundoff of the dtype
(6e-8 for f32), n terms summed in any order are off by about u sqrt(n) of the sum's scale, and
at worst by u n. Functions such as exp may be off by some units in the last place. So an element
passes if |result - reference| <= relative |reference| + absolute scale, with

    relative = base + 2 u ulp + 4 u sqrt(terms)        base: 1e-5 (f32), 4e-3 (f16), 1e-12 (f64)
    absolute = 4 u sqrt(terms) + u (8 + 2 ulp)         scale: the largest finite |reference|

The absolute part is for elements whose terms cancelled: their error is that of the terms, which
the largest elements show. A changed operator moves results by far more than either part.
NaN agrees with NaN and infinity with the same infinity; integers and bools must be equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]

_BASE = {2: 4e-3, 4: 1e-5, 8: 1e-12}
"""The relative difference that is always allowed, by the bytes of the dtype."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The verdict; `where` is the index of the element furthest beyond or closest to its limit.

    `largest_abs` and `largest_rel` are the largest differences, over elements where both are
    finite; relative ones are left out where the reference is 0. `wrong` counts the elements
    beyond their limit.
    """

    ok: bool
    largest_abs: float
    largest_rel: float
    where: tuple[int, ...]
    words: str
    wrong: int = 0

    def __bool__(self) -> bool:
        return self.ok


def agreement(
    result: Values,
    reference: Values,
    dtype: npt.DTypeLike,
    *,
    terms: int = 1,
    ulp: float = 0,
    scale: float | None = None,
    stored: npt.DTypeLike | None = None,
) -> Agreement:
    """Compare a result with a reference, which may be wider than `dtype`.

    `dtype` is what the result was computed in. `terms`: how many terms an element sums; `ulp`:
    the errors of its functions, added up; `scale`: the size of its terms where they are far
    larger than every element, as in a long sum that cancels to nothing; `stored`: a shorter float
    as which values on the way are kept, so that each may be rounded to it once.
    """
    kind = np.dtype(dtype)
    if result.shape != reference.shape:
        words = f"differs: the shape is {list(result.shape)}, not {list(reference.shape)}"
        return Agreement(
            ok=False,
            largest_abs=math.inf,
            largest_rel=math.inf,
            where=(),
            words=words,
            wrong=result.size,
        )
    if result.size == 0:
        return Agreement(ok=True, largest_abs=0, largest_rel=0, where=(), words="agrees: empty")
    if kind.kind != "f":
        return _exactly(result, reference)
    with np.errstate(all="ignore"):
        allowed = tolerance(kind, terms=terms, ulp=ulp)
        if stored is not None:
            relative, absolute = tolerance(np.dtype(stored))
            allowed = allowed[0] + relative, allowed[1] + absolute
        return _closely(result, reference, kind, allowed, scale)


def tolerance(dtype: np.dtype[Any], *, terms: int = 1, ulp: float = 0) -> tuple[float, float]:
    """The allowed difference: relative to the element, and relative to the scale of the array."""
    unit = float(np.finfo(dtype).eps) / 2
    spread = 4 * unit * math.sqrt(max(1, terms))
    return _BASE[dtype.itemsize] + 2 * unit * ulp + spread, spread + unit * (8 + 2 * ulp)


def _closely(
    result: Values,
    reference: Values,
    dtype: np.dtype[Any],
    allowed: tuple[float, float],
    scale: float | None,
) -> Agreement:
    got = result.astype(np.float64)
    rounded = reference.astype(dtype)
    want = np.where(np.isinf(rounded), rounded, reference.astype(np.float64))
    finite = np.isfinite(got) & np.isfinite(want)
    same = (np.isnan(got) & np.isnan(want)) | (got == want)
    difference = np.where(finite, np.abs(got - want), np.where(same, 0.0, np.inf))
    size = np.where(np.isfinite(want), np.abs(want), 0.0)
    relative, absolute = allowed
    least = float(np.finfo(dtype).tiny)
    limit = relative * size + absolute * (float(size.max()) if scale is None else scale) + least
    excess = difference / limit
    where = _position(excess)
    largest_abs = float(difference[finite].max(initial=0.0))
    nonzero = finite & (size > 0)
    largest_rel = float((difference[nonzero] / size[nonzero]).max(initial=0.0))
    wrong = int((excess > 1).sum())
    if wrong:
        words = _difference(got[where], want[where], where, wrong, result.size)
        words += f", the difference allowed there is {limit[where]:.1e}"
    else:
        words = f"agrees: largest difference {largest_abs:.1e}"
        words += f", where values reach {float(size.max()):.3g}" if largest_abs else ""
    return Agreement(not wrong, largest_abs, largest_rel, where, words, wrong)


def _exactly(result: Values, reference: Values) -> Agreement:
    unequal = result != reference
    difference = np.abs(result.astype(np.float64) - reference.astype(np.float64))
    where = _position(np.where(unequal, difference + 1, 0))
    size = np.abs(reference.astype(np.float64))
    relative = float((difference[size > 0] / size[size > 0]).max(initial=0.0))
    wrong = int(unequal.sum())
    words = "agrees: every element is equal"
    if wrong:
        words = _difference(result[where], reference[where], where, wrong, result.size)
    return Agreement(not wrong, float(difference.max()), relative, where, words, wrong)


def _position(excess: Values) -> tuple[int, ...]:
    return tuple(int(x) for x in np.unravel_index(int(np.argmax(excess)), excess.shape))


def _difference(got: Any, want: Any, where: tuple[int, ...], wrong: int, size: int) -> str:
    place = f" at {list(where)}" if where else ""
    count = f"{wrong} of {size} elements, most" if size > 1 else "its value"
    return f"differs in {count}{place}: {got.item()!r} instead of {want.item()!r}"
