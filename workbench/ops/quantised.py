"""Quantisation: numbers as whole ones of 8 bits, with a scale and a zero point."""

from __future__ import annotations

from workbench.base.dtypes import F32, I8, I32, U8, DType, spread
from workbench.ops.formula import pointwise
from workbench.ops.movement import axis_of
from workbench.ops.named import operator
from workbench.ops.tensor import Shape, Tensor, UnsupportedError, view


def _along(v: Tensor, x: Tensor, axis: int) -> Tensor:
    """A scale or a zero point, so that it broadcasts over what it is for."""
    if v.size == 1:
        return view(v, ())
    if v.rank == x.rank:
        return v
    axis = axis_of(axis, x.rank)
    if v.rank > 1 or v.size != x.shape[axis]:
        raise UnsupportedError(f"a scale of {list(v.shape)} for {list(x.shape)}")
    return view(v, (v.size, *[1] * (x.rank - axis - 1)))


def _blocks(
    x: Tensor, scale: Tensor, zero: Tensor | None, axis: int, size: int
) -> tuple[Tensor, Tensor, Tensor | None, Shape]:
    """An array with an axis for the blocks and one inside them, scales to match; the old shape."""
    axis = axis_of(axis, x.rank)
    count = scale.shape[axis]
    if count * size != x.shape[axis]:
        raise UnsupportedError(f"blocks of {size} of an extent of {x.shape[axis]}")
    cut = (*x.shape[:axis], count, size, *x.shape[axis + 1 :])
    each = (*scale.shape[: axis + 1], 1, *scale.shape[axis + 1 :])
    point = None if zero is None else view(zero, each)
    return view(x, cut), view(scale, each), point, x.shape


def _clamped(words: str, dtype: DType) -> str:
    least, most = spread(dtype)
    return f"{dtype}(max({least}.0, min({most}.0, {words})))"


@operator("QuantizeLinear")
def quantize(
    x: Tensor, scale: Tensor, zero: Tensor | None = None, *, axis: int = 1, block_size: int = 0,
    output_dtype: DType | None = None, saturate: int = 1, precision: int = 0,
) -> Tensor:  # fmt: skip
    """The nearest whole number of a value over the scale, past the zero point, within 8 bits."""
    del saturate, precision
    dtype = zero.dtype if zero is not None else output_dtype or U8
    if dtype not in {I8, U8}:
        raise UnsupportedError(f"to {dtype}")
    if block_size:
        x, scale, zero, shape = _blocks(x, scale, zero, axis, block_size)
        made = quantize(x, scale, zero, axis=0, output_dtype=output_dtype)
        return view(made, shape)
    by = _along(scale, x, axis)
    number = "{0}" if x.dtype is F32 else "f32({0})"
    words = f"round({number} / {{1}})"
    if zero is None:
        return pointwise("quantize", _clamped(words, dtype), x, by, dtype=dtype)
    words = _clamped(f"{words} + f32({{2}})", dtype)
    return pointwise("quantize", words, x, by, _along(zero, x, axis), dtype=dtype)


@operator("DequantizeLinear")
def dequantize(
    x: Tensor, scale: Tensor, zero: Tensor | None = None, *, axis: int = 1, block_size: int = 0,
    output_dtype: DType | None = None,
) -> Tensor:  # fmt: skip
    """A quantised number less the zero point, times the scale."""
    if output_dtype not in {None, scale.dtype}:
        raise UnsupportedError(f"to {output_dtype}")
    if block_size:
        x, scale, zero, shape = _blocks(x, scale, zero, axis, block_size)
        return view(dequantize(x, scale, zero, axis=0), shape)
    by = _along(scale, x, axis)
    if zero is None:
        return pointwise("dequantize", "f32({0}) * {1}", x, by, dtype=scale.dtype)
    point = _along(zero, x, axis)
    words = "f32(i32({0}) - i32({2})) * {1}"
    return pointwise("dequantize", words, x, by, point, dtype=scale.dtype)


def requantised(summed: Tensor, scale: Tensor, y_scale: Tensor, y_zero: Tensor) -> Tensor:
    """A sum of products of quantised numbers, with their scale, in the scale of the result."""
    assert summed.dtype is I32
    words = _clamped("round(f32({0}) * {1} / {2}) + f32({3})", y_zero.dtype)
    return pointwise("requantize", words, summed, scale, view(y_scale, ()), view(y_zero, ()),
                     dtype=y_zero.dtype)  # fmt: skip
