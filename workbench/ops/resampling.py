"""Pictures at other sizes: Resize, and grids of places to look at.

Where a place of the result lies in the source, and how much its neighbours count, follows from
sizes alone; it is a table of a few elements for each place along each axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from workbench.base.dtypes import F32, I32
from workbench.ops.formula import compute_one
from workbench.ops.movement import axis_of, numbers
from workbench.ops.named import operator
from workbench.ops.tensor import Tensor, UnsupportedError, Values, known, view

Taps = tuple[Values, Values]
"""For each place of the result: elements of the source, and their weights."""


@operator("Resize")
def resize(
    x: Tensor,
    roi: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
    *,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    keep_aspect_ratio_policy: str = "stretch",
) -> Tensor:
    """An array with other extents, its values taken from the nearest elements or from several."""
    along = [axis_of(a, x.rank) for a in (axes if axes is not None else range(x.rank))]
    factors, extents = _sizes(x, along, scales, sizes, keep_aspect_ratio_policy)
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    region = _values(roi, "region").tolist() if crop and roi is not None else None
    out = x
    for place, axis in enumerate(along):
        ends = (region[place], region[place + len(along)]) if region else (0.0, 1.0)
        if extents[place] == x.shape[axis] and factors[place] == 1 and not crop:
            continue
        where = _where(
            coordinate_transformation_mode, x.shape[axis], extents[place], factors[place], ends
        )
        taps = _taps(
            mode, where, x.shape[axis], factors[place], nearest_mode, cubic_coeff_a,
            exclude=bool(exclude_outside), smooth=bool(antialias),
        )  # fmt: skip
        outside = (where < 0) | (where > x.shape[axis] - 1) if crop else None
        out = resampled(out, axis, taps, outside, extrapolation_value)
    return out


def _values(x: Tensor, what: str) -> Values:
    values = x.value
    if values is None:
        raise UnsupportedError(f"its {what} is known only when it runs")
    return np.asarray(values, np.float64).reshape(-1)


def _sizes(
    x: Tensor, along: Sequence[int], scales: Tensor | None, sizes: Tensor | None, policy: str
) -> tuple[list[float], list[int]]:
    """The factor and the new extent of each axis."""
    old = [x.shape[a] for a in along]
    if sizes is not None and sizes.size:
        wanted = numbers(sizes, "sizes")
        factors = [w / o for w, o in zip(wanted, old, strict=True)]
        if policy != "stretch":
            factor = min(factors) if policy == "not_larger" else max(factors)
            factors = [factor] * len(old)
            wanted = [math.floor(factor * o + 0.5) for o in old]
        return factors, wanted
    if scales is None or not scales.size:
        raise UnsupportedError("without scales or sizes")
    factors = [float(f) for f in _values(scales, "scales")]
    return factors, [math.floor(o * f) for o, f in zip(old, factors, strict=True)]


def _where(rule: str, old: int, new: int, factor: float, region: tuple[float, float]) -> Values:
    """The place in the source of each element of the result, as a number."""
    i = np.arange(new, dtype=np.float64)
    match rule:
        case "half_pixel":
            return (i + 0.5) / factor - 0.5
        case "half_pixel_symmetric":
            whole = factor * old
            shift = old / 2 * (1 - new / whole)
            return shift + (i + 0.5) / factor - 0.5
        case "pytorch_half_pixel":
            return (i + 0.5) / factor - 0.5 if new > 1 else np.zeros(new)
        case "align_corners":
            last = factor * old - 1
            return i * (old - 1) / last if new > 1 else np.zeros(new)
        case "asymmetric":
            return i / factor
        case "tf_crop_and_resize":
            start, stop = region
            if new > 1:
                return start * (old - 1) + i * (stop - start) * (old - 1) / (new - 1)
            return np.full(new, 0.5 * (start + stop) * (old - 1))
        case _:
            raise UnsupportedError(f"with the coordinates {rule}")


def _taps(
    mode: str, where: Values, extent: int, factor: float, nearest: str, a: float, *,
    exclude: bool, smooth: bool,
) -> Taps:  # fmt: skip
    """The elements that count for each place, and how much."""
    if mode == "nearest":
        chosen = np.clip(_nearest(where, nearest), 0, extent - 1)
        return chosen.astype(np.int64)[:, None], np.ones((len(where), 1))
    reach = {"linear": 1.0, "cubic": 2.0}.get(mode)
    if reach is None:
        raise UnsupportedError(f"with the mode {mode}")
    shrink = min(factor, 1.0) if smooth else 1.0
    count = 2 * math.ceil(reach / shrink)
    first = np.floor(where).astype(np.int64) - count // 2 + 1
    elements = first[:, None] + np.arange(count)
    distance = np.abs(where[:, None] - elements) * shrink
    weights = np.maximum(0, 1 - distance) if mode == "linear" else _cubic(distance, a)
    if exclude:
        weights = np.where((elements < 0) | (elements >= extent), 0, weights)
    if exclude or smooth:
        weights = weights / weights.sum(1, keepdims=True)
    return np.clip(elements, 0, extent - 1), weights


def _nearest(where: Values, rule: str) -> Values:
    match rule:
        case "round_prefer_floor":
            return np.ceil(where - 0.5)
        case "round_prefer_ceil":
            return np.floor(where + 0.5)
        case "floor":
            return np.floor(where)
        case "ceil":
            return np.ceil(where)
        case _:
            raise UnsupportedError(f"with the rule {rule}")


def _cubic(d: Values, a: float) -> Values:
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def resampled(
    x: Tensor, axis: int, taps: Taps, outside: Values | None = None, value: float = 0.0
) -> Tensor:
    """Along one axis, for each place the weighted sum of a few elements."""
    elements, weights = taps
    count, n = elements.shape
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    inputs = {"x": view(x, (before, x.shape[axis], after))}
    inputs["at"] = known(elements.astype(np.int32), I32)
    if n == 1:
        words = "x[i, at[j, 0], k]"
    else:
        inputs["w"] = known(weights.astype(np.float32), F32)
        words = f"sum(w[j, t] * x[i, at[j, t], k] for t in range({n}))"
        if x.dtype is not F32:
            words = f"{x.dtype}({words})"
    if outside is not None and outside.any():
        inputs["out"] = known(outside.astype(np.int32), I32)
        words = f"({words} if out[j] == 0 else {value!r})"
    line = f"y[i, j, k] = {words}"
    sizes = (before, count, after)
    made = compute_one("resample", inputs, line, x.dtype, sizes, bounds=x.bounds)
    return view(made, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
