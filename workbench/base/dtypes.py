"""The element types: one row each; what a target cannot hold it refuses by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["f", "i", "u", "b"]


@dataclass(frozen=True, slots=True)
class DType:
    """An element type: its name in the language, its kind and its width in bits."""

    name: str
    kind: Kind
    bits: int

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The NumPy dtype that holds the same values."""
        return np.dtype(
            {"f": "float", "i": "int", "u": "uint"}.get(self.kind, "bool") + self._width
        )

    @property
    def bytes(self) -> int:
        """Bytes of an element in a device's memory."""
        return self.bits // 8

    @property
    def _width(self) -> str:
        return "" if self.kind == "b" else str(self.bits)

    def __str__(self) -> str:
        return self.name


F32 = DType("f32", "f", 32)
F16 = DType("f16", "f", 16)
F64 = DType("f64", "f", 64)
I32 = DType("i32", "i", 32)
U32 = DType("u32", "u", 32)
BOOL = DType("bool", "b", 32)
"""Bool is stored as a 32-bit word, 0 or 1, on every device; on the host it is NumPy's bool."""
I8 = DType("i8", "i", 8)
U8 = DType("u8", "u", 8)
I64 = DType("i64", "i", 64)

DTYPES: dict[str, DType] = {t.name: t for t in (F32, F16, F64, I32, U32, BOOL, I8, U8, I64)}
CORE: tuple[DType, ...] = (F32, I32, U32, BOOL)
"""The dtypes every target holds."""
ALIASES: dict[str, str] = {
    "float": "f32", "float32": "f32", "single": "f32", "int": "i32", "int32": "i32",
    "uint": "u32", "uint32": "u32", "boolean": "bool", "bool_": "bool", "half": "f16",
    "float16": "f16", "double": "f64", "float64": "f64", "int8": "i8", "uint8": "u8",
    "int64": "i64",
}  # fmt: skip
"""Names under which others know the dtypes, for hints."""
NARROW = (I8, U8)
"""Whole numbers that a dim or an index may not fit."""


def spread(dtype: DType) -> tuple[int, int]:
    """The least and the greatest whole number of a dtype of integers."""
    least = 0 if dtype.kind == "u" else -(2 ** (dtype.bits - 1))
    return least, least + 2**dtype.bits - 1


def largest(dtype: DType) -> float:
    """The greatest finite number of a dtype of floats."""
    return float(np.finfo(str(dtype.numpy)).max)


def float_of(dtype: DType) -> DType:
    """The float that a number counts as where it meets floats."""
    if dtype.kind == "f":
        return dtype
    return {8: F16, 64: F64}.get(dtype.bits, F32)


def joined(a: DType, b: DType) -> DType | None:
    """The dtype of two numbers that meet; None where nothing of at most 32 bits holds both.

    A float with any number: the wider of the floats that they count as. Whole numbers: the
    narrowest dtype that holds both, as in NumPy; of i8 and u8 that is i32, for there is no i16.
    """
    if "f" in {a.kind, b.kind}:
        return max(float_of(a), float_of(b), key=lambda t: t.bits)
    if a.kind == b.kind:
        return max(a, b, key=lambda t: t.bits)
    signed, unsigned = (a, b) if a.kind == "i" else (b, a)
    if signed.bits > unsigned.bits:
        return signed
    return I32 if unsigned.bits < I32.bits else None


def stored(dtype: DType, count: int) -> str:
    """How the layout on a device differs from that on the host, in words."""
    if dtype is BOOL:
        return "bool to 32-bit words" if count else ""
    size = count * dtype.bits // 8
    return "padded to whole words" if size % 4 else ""
