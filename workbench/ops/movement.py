"""Operators that move elements and compute nothing: shapes, slices, joins."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from workbench.base.dtypes import I64, DType
from workbench.ops.formula import at, compute_one, letters, single
from workbench.ops.named import operator
from workbench.ops.tensor import (
    Shape,
    Tensor,
    UnsupportedError,
    Values,
    joined,
    known,
    view,
)

MOST_OPERANDS = 6
"""Arrays that one kernel takes: a GPU may bind eight, with the result and a status."""


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the start. Raises `UnsupportedError` where there is none."""
    if not -rank <= axis < max(rank, 1):
        raise UnsupportedError(f"axis {axis} of {rank} dimensions")
    return axis % rank if rank else 0


def numbers(x: Tensor, what: str) -> list[int]:
    """Whole numbers that shapes depend on. Raises `UnsupportedError` where a run decides them."""
    values = x.value
    if values is None:
        raise UnsupportedError(f"its {what} is known only when it runs")
    return [int(v) for v in np.asarray(values).reshape(-1)]


def number(x: Tensor, what: str) -> float:
    """A single number that is known before it runs. Raises `UnsupportedError`."""
    values = x.value
    if values is None or values.size != 1:
        raise UnsupportedError(f"its {what} is known only when it runs")
    return float(values.reshape(-1)[0])


@operator("Shape")
def shape_of(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    """The extents, from one axis to another."""
    return known(np.array(x.shape[start:end], np.int64))


@operator("Size")
def size_of(x: Tensor) -> Tensor:
    """The number of elements."""
    return known(np.array(x.size, np.int64))


@operator("Constant")
def constant(*, value: Values) -> Tensor:
    """A value of the model's text."""
    return known(value)


@operator("ConstantOfShape")
def constant_of_shape(shape: Tensor, *, value: Values | None = None) -> Tensor:
    """An array of one number."""
    fill = np.zeros(1, np.float32) if value is None else np.asarray(value)
    return known(np.full(numbers(shape, "shape"), fill.reshape(-1)[0], fill.dtype))


@operator("Range")
def arange(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """Numbers in even steps."""
    first, stop, step = (number(x, "range") for x in (start, limit, delta))
    count = max(0, math.ceil((stop - first) / step))
    return known(first + np.arange(count) * step, start.dtype)


@operator("EyeLike")
def eye_like(x: Tensor, *, dtype: DType | None = None, k: int = 0) -> Tensor:
    """Ones on a diagonal."""
    rows, columns = x.shape
    return known(np.eye(rows, columns, k), dtype or x.dtype)


@operator("Reshape")
def reshape(x: Tensor, shape: Tensor, *, allowzero: int = 0) -> Tensor:
    """The same elements with another shape; one extent may be -1, 0 keeps the old one."""
    wanted = numbers(shape, "shape")
    if not allowzero:
        wanted = [x.shape[n] if e == 0 and n < x.rank else e for n, e in enumerate(wanted)]
    if -1 in wanted:
        rest = math.prod(e for e in wanted if e != -1)
        wanted[wanted.index(-1)] = x.size // rest if rest else 0
    if math.prod(wanted) != x.size or -1 in wanted:
        raise UnsupportedError(f"{list(x.shape)} as {wanted}")
    return view(x, tuple(wanted))


@operator("Flatten")
def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    """A matrix: the axes before one, and the rest."""
    cut = axis + x.rank if axis < 0 else axis
    return view(x, (math.prod(x.shape[:cut]), math.prod(x.shape[cut:])))


@operator("Squeeze")
def squeeze(x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Without axes of extent 1."""
    chosen = [n for n, e in enumerate(x.shape) if e == 1]
    if axes is not None:
        chosen = [axis_of(a, x.rank) for a in numbers(axes, "axes")]
    if any(x.shape[n] != 1 for n in chosen):
        raise UnsupportedError(f"axes {chosen} of {list(x.shape)}")
    return view(x, tuple(e for n, e in enumerate(x.shape) if n not in chosen))


@operator("Unsqueeze")
def unsqueeze(x: Tensor, axes: Tensor) -> Tensor:
    """With axes of extent 1."""
    given = numbers(axes, "axes")
    rank = x.rank + len(given)
    chosen = {axis_of(a, rank) for a in given}
    rest = iter(x.shape)
    return view(x, tuple(1 if n in chosen else next(rest) for n in range(rank)))


@operator("Transpose")
def transpose(x: Tensor, *, perm: Sequence[int] | None = None) -> Tensor:
    """The axes in another order."""
    order = list(perm) if perm is not None else list(range(x.rank))[::-1]
    shape = tuple(x.shape[n] for n in order)
    moved = [n for n in order if x.shape[n] != 1]
    if moved == sorted(moved):
        return view(x, shape)
    names = letters("i", x.rank)
    read = [names[order.index(n)] for n in range(x.rank)]
    line = f"{at('y', names)} = {at('x', read)}"
    return compute_one("transpose", {"x": x}, line, x.dtype, shape, bounds=x.bounds)


@operator("Expand")
def expand(x: Tensor, shape: Tensor) -> Tensor:
    """Repeated along axes of extent 1."""
    wanted = tuple(np.broadcast_shapes(x.shape, tuple(numbers(shape, "shape"))))
    return expanded(x, wanted)


def expanded(x: Tensor, shape: Shape) -> Tensor:
    """Repeated along axes of extent 1, up to a shape."""
    if math.prod(shape) == x.size:
        return view(x, shape)
    said = single(x)
    names = letters("i", len(shape))
    padded = (1,) * (len(shape) - x.rank) + x.shape
    read = [n if e != 1 else "0" for n, e in zip(names, padded, strict=True)]
    if said is not None and x.dtype.kind != "b":
        return known(np.full(shape, np.asarray(x.known).reshape(-1)[0]), x.dtype)
    line = f"{at('y', names)} = {at('x', read)}"
    inputs = {"x": view(x, padded)}
    return compute_one("expand", inputs, line, x.dtype, shape, bounds=x.bounds)


@operator("Tile")
def tile(x: Tensor, repeats: Tensor) -> Tensor:
    """Repeated along each axis."""
    shape = tuple(e * r for e, r in zip(x.shape, numbers(repeats, "repeats"), strict=True))
    names = letters("i", x.rank)
    read = [f"{n} % {e}" for n, e in zip(names, x.shape, strict=True)]
    line = f"{at('y', names)} = {at('x', read)}"
    return compute_one("tile", {"x": x}, line, x.dtype, shape, bounds=x.bounds)


@operator("Concat")
def concat(*operands: Tensor, axis: int) -> Tensor:
    """One after the other along an axis."""
    axis = axis_of(axis, operands[0].rank)
    parts: list[Tensor] = [x for x in operands if x.size] or [operands[0]]
    while len(parts) > 1:
        groups = [parts[n : n + MOST_OPERANDS] for n in range(0, len(parts), MOST_OPERANDS)]
        parts = [_joined(group, axis) if len(group) > 1 else group[0] for group in groups]
    return parts[0]


def _joined(parts: Sequence[Tensor], axis: int) -> Tensor:
    """Along one axis; those before it are one axis, and those after it."""
    shape = parts[0].shape
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    inputs: dict[str, Tensor] = {}
    words, start = "", 0
    for place, x in enumerate(parts):
        name, stop = f"x{place}", start + x.shape[axis]
        inputs[name] = view(x, (before, x.shape[axis], after))
        index = f"j - {start}" if start else "j + 0"
        last = place == len(parts) - 1
        words += f"{name}[i, {index}, k]" + ("" if last else f" if j < {stop} else ")
        start = stop
    line = f"y[i, j, k] = {words}"
    bounds = joined(*parts)
    made = compute_one(
        "concat", inputs, line, parts[0].dtype, (before, start, after), bounds=bounds
    )
    return view(made, (*shape[:axis], start, *shape[axis + 1 :]))


def sliced(x: Tensor, axis: int, start: int, count: int, step: int = 1) -> Tensor:
    """`count` elements along an axis, from one on, in steps."""
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    if start == 0 and step == 1 and count == x.shape[axis]:
        return x
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    words = "j" if step == 1 else f"{step} * j" if step > 0 else f"({step}) * j"
    line = f"y[i, j, k] = x[i, {start} + {words}, k]"
    inputs = {"x": view(x, (before, x.shape[axis], after))}
    sizes = (before, count, after)
    return view(compute_one("slice", inputs, line, x.dtype, sizes, bounds=x.bounds), shape)


@operator("Slice")
def slice_(
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    """A part of each axis, as Python's slices say."""
    first, last = numbers(starts, "starts"), numbers(ends, "ends")
    along = numbers(axes, "axes") if axes is not None else list(range(len(first)))
    strides = numbers(steps, "steps") if steps is not None else [1] * len(first)
    for a, begin, end, step in zip(along, first, last, strides, strict=True):
        axis = axis_of(a, x.rank)
        chosen = range(x.shape[axis])[_slice(begin, end, step)]
        x = sliced(x, axis, chosen.start if len(chosen) else 0, len(chosen), step)
    return x


def _slice(begin: int, end: int, step: int) -> slice:
    """ONNX's ends as Python's: below the least of a negative step is the start, taken too."""
    return slice(begin, None if step < 0 and end < -(2**31) + 1 else end, step)


@operator("Split")
def split(
    x: Tensor, sizes: Tensor | None = None, *, axis: int = 0, num_outputs: int = 0
) -> tuple[Tensor, ...]:
    """Parts along an axis: of the sizes given, or as even as can be."""
    axis = axis_of(axis, x.rank)
    extent = x.shape[axis]
    if sizes is not None:
        counts = numbers(sizes, "sizes")
    else:
        each = -(-extent // num_outputs)
        counts = [each] * (num_outputs - 1) + [extent - each * (num_outputs - 1)]
    if sum(counts) != extent:
        raise UnsupportedError(f"parts of {counts} of an extent of {extent}")
    starts = np.cumsum([0, *counts])
    return tuple(sliced(x, axis, int(s), n) for s, n in zip(starts[:-1], counts, strict=True))


@operator("Pad")
def pad(
    x: Tensor,
    pads: Tensor,
    value: Tensor | None = None,
    axes: Tensor | None = None,
    *,
    mode: str = "constant",
) -> Tensor:
    """More elements at the ends of axes, fewer where a number is negative."""
    given = numbers(pads, "pads")
    along = list(range(x.rank)) if axes is None else numbers(axes, "axes")
    around = [(0, 0)] * x.rank
    for n, a in enumerate(along):
        around[axis_of(a, x.rank)] = (given[n], given[n + len(along)])
    return padded(x, around, value, mode)


_BORDERS = {
    "edge": "min(max({i}, 0), {last})",
    "wrap": "({i}) % {extent}",
    "reflect": "{last} - abs({last} - ({i}) % {turn})",
}


def padded(
    x: Tensor,
    around: Sequence[tuple[int, int]],
    value: Tensor | None = None,
    mode: str = "constant",
) -> Tensor:
    """Elements before and after each axis: a value, or what `mode` takes of the others."""
    shape = tuple(e + a + b for e, (a, b) in zip(x.shape, around, strict=True))
    names = letters("i", x.rank)
    index: list[str] = []
    tests: list[str] = []
    for n, e, (before, after) in zip(names, x.shape, around, strict=True):
        moved = (
            f"{n} + 0" if not before else f"{n} - {before}" if before > 0 else f"{n} + {-before}"
        )
        if before <= 0 and after <= 0:
            index.append(moved)
        elif mode == "constant":
            tests.append(f"0 <= {moved} < {e}")
            index.append(moved)
        else:
            words = _BORDERS[mode] if e > 1 else "0"
            index.append(words.format(i=moved, last=e - 1, extent=e, turn=2 * e - 2))
    inputs = {"x": x}
    fill = "False" if x.dtype.kind == "b" else "0"
    if value is not None and tests:
        fill = single(value) or ""
        if not fill:
            inputs["v"], fill = view(value, (1,)), "v[0]"
    element = at("x", index)
    line = f"{at('y', names)} = " + (
        f"{element} if {' and '.join(tests)} else {fill}" if tests else element
    )
    both = joined(x, value) if value is not None else joined(x, known(np.zeros(1, np.int64)))
    bounds = both if x.dtype is I64 else None
    return compute_one("pad", inputs, line, x.dtype, shape, bounds=bounds)


@operator("CenterCropPad")
def center_crop_pad(x: Tensor, shape: Tensor, *, axes: Sequence[int] | None = None) -> Tensor:
    """Cut or padded around the middle, to a shape."""
    wanted = numbers(shape, "shape")
    along = list(range(x.rank)) if axes is None else list(axes)
    around = [(0, 0)] * x.rank
    for a, extent in zip(along, wanted, strict=True):
        axis = axis_of(a, x.rank)
        more = extent - x.shape[axis]
        before = more // 2 if more >= 0 else -(-more // 2)
        around[axis] = (before, more - before)
    return padded(x, around)


@operator("DepthToSpace")
def depth_to_space(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """Channels laid out as blocks of the picture."""
    n, c, h, w = x.shape
    b, d = blocksize, c // blocksize**2
    if mode == "DCR":
        parts = transpose(view(x, (n, b, b, d, h, w)), perm=(0, 3, 4, 1, 5, 2))
    else:
        parts = transpose(view(x, (n, d, b, b, h, w)), perm=(0, 1, 4, 2, 5, 3))
    return view(parts, (n, d, h * b, w * b))


@operator("SpaceToDepth")
def space_to_depth(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """Blocks of the picture laid out as channels."""
    n, c, h, w = x.shape
    b = blocksize
    blocks = view(x, (n, c, h // b, b, w // b, b))
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return view(transpose(blocks, perm=order), (n, c * b * b, h // b, w // b))


@operator("Trilu")
def trilu(x: Tensor, k: Tensor | None = None, *, upper: int = 1) -> Tensor:
    """The part of matrices on one side of a diagonal, 0 elsewhere."""
    shift = numbers(k, "diagonal")[0] if k is not None else 0
    shift = max(-(2**20), min(2**20, shift))
    rows, columns = x.shape[-2:]
    flat = view(x, (math.prod(x.shape[:-2]), rows, columns))
    sign = ">=" if upper else "<="
    zero = "False" if x.dtype.kind == "b" else "0"
    line = f"y[b, i, j] = x[b, i, j] if j - i {sign} {shift} else {zero}"
    bounds = joined(x, known(np.zeros(1, np.int64)))
    made = compute_one("trilu", {"x": flat}, line, x.dtype, flat.shape, bounds=bounds)
    return view(made, x.shape)
