"""Convolutions: of any number of axes, grouped, dilated, strided; transposed, quantised."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.base.dtypes import I32, DType
from workbench.ops.formula import at, compute_one, letters, over
from workbench.ops.named import operator
from workbench.ops.tensor import Shape, Tensor, UnsupportedError, view
from workbench.ops.windows import Windows, windows


@operator("Conv")
def conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    kernel_shape: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
) -> Tensor:
    """The sum over a window, for each channel of the result a window of weights."""
    kernel = tuple(kernel_shape or w.shape[2:])
    at_ = windows(
        x.shape[2:], kernel, strides=strides, dilations=dilations, pads=pads, auto_pad=auto_pad
    )
    return convolved(x, w, b, at_, group, dtype=x.dtype)


def convolved(
    x: Tensor,
    w: Tensor,
    b: Tensor | None,
    where: Windows,
    group: int,
    *,
    dtype: DType,
    element: str = "{0}",
    weight: str = "{0}",
    more: dict[str, Tensor] | None = None,
) -> Tensor:
    """A convolution; `element` and `weight` say what is done to what is read."""
    n, channels = x.shape[:2]
    out, depth = w.shape[:2]
    if depth * group != channels or out % group:
        raise UnsupportedError(f"{channels} channels for weights {list(w.shape)} in {group} groups")
    each = out // group
    channel = "c" if group == 1 else f"o // {each} * {depth} + c" if depth > 1 else f"o // {each}"
    if each == 1 and depth == 1:
        channel = "o"
    weights = at("w", ["o", "c" if depth > 1 or group == 1 else "0", *where.taps])
    read = at("x", ["n", channel, *where.indices])
    loops = where.ranges if depth == 1 and group > 1 else f"{over(['c'], [depth])} {where.ranges}"
    term = f"{weight.format(weights)} * {element.format(read)}"
    inputs = {"x": x, "w": w, **(more or {})}
    words = f"sum({term} {loops}{where.tests})"
    if b is not None:
        inputs["b"] = b
        words = f"b[o] + {words}"
    line = f"{at('y', ['n', 'o', *where.places])} = {words}"
    return compute_one("conv", inputs, line, dtype, (n, out, *where.count))


@operator("ConvInteger")
def conv_integer(
    x: Tensor, w: Tensor, x_zero: Tensor | None = None, w_zero: Tensor | None = None, *,
    kernel_shape: Sequence[int] | None = None, strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None, pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET", group: int = 1,
) -> Tensor:  # fmt: skip
    """A convolution of quantised numbers as i32, their zero points taken off."""
    from workbench.ops.linear import shifted  # noqa: PLC0415

    kernel = tuple(kernel_shape or w.shape[2:])
    where = windows(
        x.shape[2:], kernel, strides=strides, dilations=dilations, pads=pads, auto_pad=auto_pad
    )
    element, more = shifted("{0}", "zx", x_zero, "0")
    weight, other = shifted("{0}", "zw", w_zero, "o")
    return convolved(
        x, w, None, where, group, dtype=I32, element=element, weight=weight,
        more={**more, **other},
    )  # fmt: skip


@operator("QLinearConv")
def qlinear_conv(
    x: Tensor, x_scale: Tensor, x_zero: Tensor, w: Tensor, w_scale: Tensor, w_zero: Tensor,
    y_scale: Tensor, y_zero: Tensor, b: Tensor | None = None, *,
    kernel_shape: Sequence[int] | None = None, strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None, pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET", group: int = 1,
) -> Tensor:  # fmt: skip
    """A convolution of quantised numbers, quantised again."""
    from workbench.ops.elementwise import ROWS  # noqa: PLC0415
    from workbench.ops.quantised import requantised  # noqa: PLC0415

    summed = conv_integer(
        x, w, x_zero, w_zero, kernel_shape=kernel_shape, strides=strides, dilations=dilations,
        pads=pads, auto_pad=auto_pad, group=group,
    )  # fmt: skip
    along = (-1, *[1] * (x.rank - 2))
    if b is not None:
        summed = ROWS["Add"](summed, view(b, (b.size, *along[1:])))
    scale = ROWS["Mul"](x_scale, view(w_scale, (w_scale.size, *along[1:])))
    return requantised(summed, scale, y_scale, y_zero)


@operator("ConvTranspose")
def conv_transpose(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    kernel_shape: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
) -> Tensor:
    """What a convolution's gradient is: each element spread over a window."""
    rank = x.rank - 2
    kernel = tuple(kernel_shape or w.shape[2:])
    steps, apart = tuple(strides or [1] * rank), tuple(dilations or [1] * rank)
    more = tuple(output_padding or [0] * rank)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, apart, strict=True)]
    full = [s * (e - 1) + r + m for s, e, r, m in zip(steps, x.shape[2:], reach, more, strict=True)]
    begin, end = _spread_pads(x.shape[2:], full, steps, pads, auto_pad, output_shape)
    sizes = tuple(f - a - z for f, a, z in zip(full, begin, end, strict=True))
    n, channels = x.shape[:2]
    depth, each = channels // group, w.shape[1]
    places, taps = letters("p", rank), letters("r", rank)
    index, tests = _spread(places, taps, x.shape[2:], steps, apart, begin)
    channel = "c" if group == 1 else f"o // {each} * {depth} + c"
    out = "o" if group == 1 else f"o % {each}"
    read = at("x", ["n", channel, *index])
    weights = at("w", [channel, out, *taps])
    loops = f"{over(['c'], [depth])} {over(taps, kernel)}"
    words = f"sum({read} * {weights} {loops} if {' and '.join(tests)})"
    inputs = {"x": x, "w": w}
    if b is not None:
        inputs["b"] = b
        words = f"b[o] + {words}"
    line = f"{at('y', ['n', 'o', *places])} = {words}"
    return compute_one("conv_transpose", inputs, line, x.dtype, (n, each * group, *sizes))


def _spread_pads(
    extents: Shape, full: Sequence[int], steps: Shape, pads: Sequence[int] | None, auto_pad: str,
    output_shape: Sequence[int] | None,
) -> tuple[list[int], list[int]]:  # fmt: skip
    """What is cut off the full result at the ends of each axis."""
    rank = len(extents)
    wanted = list(output_shape or [])[-rank:] if output_shape else None
    if wanted is None and auto_pad.startswith("SAME"):
        wanted = [e * s for e, s in zip(extents, steps, strict=True)]
    if wanted is None:
        given = list(pads or [0] * (2 * rank))
        return given[:rank], given[rank:]
    begin, end = [0] * rank, [0] * rank
    for axis, (f, size) in enumerate(zip(full, wanted, strict=True)):
        cut = f - size
        less, rest = cut // 2, cut - cut // 2
        begin[axis], end[axis] = (less, rest) if auto_pad == "SAME_UPPER" else (rest, less)
    return begin, end


def _spread(
    places: Sequence[str], taps: Sequence[str], extents: Shape, steps: Shape, apart: Shape,
    begin: Sequence[int],
) -> tuple[list[str], list[str]]:  # fmt: skip
    """For a place and a tap: the element that it comes from, and whether there is one."""
    index: list[str] = []
    tests: list[str] = []
    for p, r, e, s, d, a in zip(places, taps, extents, steps, apart, begin, strict=True):
        reach = f"{p} + {a} - {d} * {r}"
        index.append(reach if s == 1 else f"({reach}) // {s}")
        tests.append(f"0 <= {index[-1]} < {e}")
        if s != 1:
            tests.append(f"({reach}) % {s} == 0")
    return index, tests
