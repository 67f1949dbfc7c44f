"""Reductions over axes, running sums, the places of the greatest and the least."""

from __future__ import annotations

import math
from collections.abc import Callable

from workbench.base.dtypes import BOOL, I32, I64
from workbench.ops.formula import at, compute_one, letters, over
from workbench.ops.movement import axis_of, numbers
from workbench.ops.named import operator
from workbench.ops.tensor import Bounds, Shape, Tensor, UnsupportedError, view


def reduced(
    x: Tensor, axes: set[int], words: Callable[[str, str, int], str], *, name: str,
    bounds: Bounds | None = None,
) -> Tensor:  # fmt: skip
    """One value over some axes, which keep an extent of 1; neighbours are one axis.

    `words` makes the value of an element's text, the loops over it, and their number of turns.
    """
    extents: list[int] = []
    kinds: list[bool] = []
    for axis, e in enumerate(x.shape):
        if kinds and kinds[-1] == (axis in axes):
            extents[-1] *= e
        else:
            kinds.append(axis in axes)
            extents.append(e)
    names = letters("i", len(extents))
    kept = [n for n, gone in zip(names, kinds, strict=True) if not gone]
    inner = [(n, e) for n, e, gone in zip(names, extents, kinds, strict=True) if gone]
    sizes = tuple(e for e, gone in zip(extents, kinds, strict=True) if not gone)
    loops = over([n for n, _ in inner], [e for _, e in inner])
    turns = math.prod(e for _, e in inner)
    line = f"{at('y', kept or ['u'])} = {words(at('x', names), loops, turns)}"
    made = compute_one(name, {"x": view(x, tuple(extents))}, line, x.dtype, sizes, bounds=bounds)
    return view(made, tuple(1 if n in axes else e for n, e in enumerate(x.shape)))


def _chosen(x: Tensor, axes: Tensor | None, noop: int) -> set[int]:
    given = [] if axes is None else numbers(axes, "axes")
    if not given:
        return set() if noop else set(range(x.rank))
    return {axis_of(a, x.rank) for a in given}


_SUM = "sum({x} {over})"
_WORDS = {
    "ReduceSum": _SUM,
    "ReduceMean": "sum({x} {over}) / {n}",
    "ReduceProd": "prod({x} {over})",
    "ReduceL1": "sum(abs({x}) {over})",
    "ReduceL2": "sqrt(sum({x} * {x} {over}))",
    "ReduceSumSquare": "sum({x} * {x} {over})",
    "ReduceLogSum": "log(sum({x} {over}))",
}


def _reduction(name: str) -> Callable[..., Tensor]:
    def reduction(
        x: Tensor, axes: Tensor | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Tensor:
        chosen = _chosen(x, axes, noop_with_empty_axes)
        count = math.prod(x.shape[n] for n in chosen)
        made = _alone(name, x) if not x.rank or not chosen else _over(name, x, chosen, count)
        shape = tuple(e for n, e in enumerate(made.shape) if n not in chosen)
        return made if keepdims else view(made, shape)

    return reduction


def _over(name: str, x: Tensor, chosen: set[int], count: int) -> Tensor:
    if name == "ReduceLogSumExp":
        return _log_sum_exp(x, chosen)
    if name in {"ReduceMax", "ReduceMin"}:
        return _extreme(name, x, chosen)
    if name not in {"ReduceSum", "ReduceProd"} and x.dtype.kind != "f" and "Log" in name:
        raise UnsupportedError(f"of {x.dtype}")
    template = _WORDS[name]
    if name == "ReduceMean" and x.dtype.kind != "f":
        template = "sum({x} {over}) // {n}"
    if name == "ReduceL2" and x.dtype.kind != "f":
        template = f"{x.dtype}({template})"
    elif x.dtype.bits < I32.bits:
        template = f"{x.dtype}({template})".replace("{x}", "i32({x})")

    def words(element: str, loops: str, turns: int) -> str:
        return template.format(x=element, over=loops, n=turns)

    return reduced(x, chosen, words, name="reduce", bounds=_sum_bounds(name, x, count))


def _sum_bounds(name: str, x: Tensor, count: int) -> Bounds | None:
    if x.bounds is None:
        return None
    most = max(map(abs, x.bounds)) * count
    match name:
        case "ReduceSum" | "ReduceL1":
            return -most, most
        case "ReduceMean":
            return x.bounds
        case _:
            return None


def _extreme(name: str, x: Tensor, chosen: set[int]) -> Tensor:
    word = "max" if name == "ReduceMax" else "min"
    if x.dtype is BOOL:
        word = "any" if word == "max" else "all"
    narrow = x.dtype.bits < I32.bits

    def words(element: str, loops: str, _: int) -> str:
        return (
            f"{x.dtype}({word}(i32({element}) {loops}))" if narrow else f"{word}({element} {loops})"
        )

    return reduced(x, chosen, words, name="reduce", bounds=x.bounds)


def _log_sum_exp(x: Tensor, chosen: set[int]) -> Tensor:
    """With the greatest taken out of the exponents, so that none overflows."""
    from workbench.ops.elementwise import ROWS  # noqa: PLC0415
    from workbench.ops.formula import pointwise  # noqa: PLC0415

    if x.dtype.kind != "f":
        raise UnsupportedError(f"of {x.dtype}")
    top = _extreme("ReduceMax", x, chosen)
    apart = ROWS["Exp"](pointwise("apart", "({0} - {1} if abs({1}) != inf else {0})", x, top))
    total = reduced(apart, chosen, lambda e, loops, _: f"sum({e} {loops})", name="reduce")
    return pointwise("put_back", "(log({0}) + {1} if abs({1}) != inf else log({0}))", total, top)


def _alone(name: str, x: Tensor) -> Tensor:
    """The reduction of each element by itself."""
    from workbench.ops.formula import pointwise  # noqa: PLC0415

    words = {
        "ReduceL1": "abs({0})", "ReduceL2": "abs({0})", "ReduceSumSquare": "{0} * {0}",
        "ReduceLogSum": "log({0})",
    }  # fmt: skip
    return pointwise("reduce", words[name], x) if name in words else x


ROWS = {n: _reduction(n) for n in (*_WORDS, "ReduceMax", "ReduceMin", "ReduceLogSumExp")}
"""The reductions over axes, each with its own words for the value."""


def _best(name: str, word: str) -> Callable[..., Tensor]:
    @operator(name)
    def best(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
        axis = axis_of(axis, x.rank)
        n = x.shape[axis]
        before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        flat = view(x, (before, n, after))
        if select_last_index:
            line = f"y[i, k] = i64({n - 1} - {word}(x[i, {n - 1} - j, k] for j in range({n})))"
        else:
            line = f"y[i, k] = i64({word}(x[i, j, k] for j in range({n})))"
        made = compute_one("best", {"x": flat}, line, I64, (before, after), bounds=(0, n - 1))
        shape: Shape = (*x.shape[:axis], *([1] if keepdims else []), *x.shape[axis + 1 :])
        return view(made, shape)

    return best


arg_max = _best("ArgMax", "argmax")
arg_min = _best("ArgMin", "argmin")


def _running(name: str, word: str) -> Callable[..., Tensor]:
    @operator(name)
    def running(x: Tensor, axis: Tensor, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
        along = axis_of(numbers(axis, "axis")[0], x.rank)
        n = x.shape[along]
        before, after = math.prod(x.shape[:along]), math.prod(x.shape[along + 1 :])
        flat = view(x, (before, n, after))
        match exclusive, reverse:
            case 0, 0:
                over_ = "range(j + 1)"
            case _, 0:
                over_ = "range(j)"
            case 0, _:
                over_ = f"range(j, {n})"
            case _:
                over_ = f"range(j + 1, {n})"
        line = f"y[i, j, k] = {word}(x[i, q, k] for q in {over_})"
        bounds = None
        if x.bounds is not None and word == "sum":
            most = max(map(abs, x.bounds)) * n
            bounds = (-most, most)
        made = compute_one("running", {"x": flat}, line, x.dtype, flat.shape, bounds=bounds)
        return view(made, x.shape)

    return running


cum_sum = _running("CumSum", "sum")
cum_prod = _running("CumProd", "prod")


@operator("Softmax")
def softmax(x: Tensor, *, axis: int = -1, flat: bool = False) -> Tensor:
    """Exponentials that sum to one along an axis; `flat`: along it and all behind it."""
    lines = """
        top[i, k] = max(x[i, j, k] for j in range({n}))
        e[i, j, k] = exp(x[i, j, k] - top[i, k])
        y[i, j, k] = e[i, j, k] / sum(e[i, q, k] for q in range({n}))
    """
    return _along(x, axis, flat, "softmax", lines)


@operator("LogSoftmax")
def log_softmax(x: Tensor, *, axis: int = -1, flat: bool = False) -> Tensor:
    """The logarithm of softmax."""
    lines = """
        top[i, k] = max(x[i, j, k] for j in range({n}))
        total[i, k] = sum(exp(x[i, j, k] - top[i, k]) for j in range({n}))
        y[i, j, k] = x[i, j, k] - top[i, k] - log(total[i, k])
    """
    return _along(x, axis, flat, "log_softmax", lines)


@operator("Hardmax")
def hardmax(x: Tensor, *, axis: int = -1, flat: bool = False) -> Tensor:
    """1 at the first greatest along an axis, else 0."""
    lines = """
        best[i, k] = argmax(x[i, j, k] for j in range({n}))
        y[i, j, k] = (1.0 if j == best[i, k] else 0.0) + 0 * x[i, j, k]
    """
    return _along(x, axis, flat, "hardmax", lines)


def _along(x: Tensor, axis: int, flat: bool, name: str, lines: str) -> Tensor:  # noqa: FBT001
    if not x.rank:
        return _along(view(x, (1,)), 0, flat, name, lines)
    axis = axis_of(axis, x.rank)
    before, rest = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
    n = rest if flat else x.shape[axis]
    sizes = (before, n, rest // n if n else 0)
    made = compute_one(name, {"x": view(x, sizes)}, lines.format(n=n), x.dtype, sizes)
    return view(made, x.shape)
