"""A 2-D array as a small PNG, with zlib alone: one byte a pixel and a palette.

Values that fill 0..1 are drawn in grey, as image libraries do; all others from the least to the
greatest through a scale from dark blue to yellow whose lightness rises evenly, so that it reads
without colour. Values that are not finite are drawn in a colour of their own.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = 255
"""Palette entries that stand for values; one more is for what is not finite."""
GREY_LEAST = 0.5
"""The greatest value that an array drawn in grey has at least; less would be black."""
STOPS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
NOT_FINITE = (214, 39, 40)


def png_url(values: NDArray[np.generic], *, side: int, levels: int = LEVELS) -> str:
    """A data URL of the picture of a 2-D array, at most `side` pixels in each direction."""
    picture = png(values, side=side, levels=levels)
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def png(values: NDArray[np.generic], *, side: int, levels: int = LEVELS) -> bytes:
    """The picture of a 2-D array as the bytes of a PNG; larger arrays are averaged down.

    Fewer `levels` (2 to 255) make a smaller file.
    """
    numbers = values.astype(np.float32)
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    grey = low >= 0.0 and GREY_LEAST <= high <= 1.0
    low, high = (0.0, 1.0) if grey else (low, high)
    small = _shrunk(numbers, side)
    span = high - low or 1.0
    known = np.isfinite(small)
    scaled = np.where(known, (small - low) / span, 0.0).clip(0.0, 1.0)
    steps = np.rint(scaled * (levels - 1)).astype(np.uint8)
    pixels = np.where(known, steps, np.uint8(levels))
    return _file(pixels, _palette(levels, grey=grey))


def _shrunk(numbers: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Means of square tiles, so that no side is longer than `side`."""
    factor = -(-max(numbers.shape) // side)
    if factor <= 1:
        return numbers
    rows = np.arange(0, numbers.shape[0], factor, dtype=np.intp)
    columns = np.arange(0, numbers.shape[1], factor, dtype=np.intp)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.add.reduceat(np.add.reduceat(numbers, rows, axis=0), columns, axis=1)
    heights: NDArray[np.intp] = np.diff(rows, append=numbers.shape[0])[:, None]
    widths: NDArray[np.intp] = np.diff(columns, append=numbers.shape[1])[None, :]
    return (sums / (heights * widths)).astype(np.float32)


def _palette(levels: int, *, grey: bool) -> NDArray[np.uint8]:
    """The colours as rows of red, green, blue, the one for what is not finite last."""
    at = np.linspace(0.0, 1.0, levels)
    stops = np.array([(0, 0, 0), (255, 255, 255)] if grey else STOPS, dtype=np.float64)
    places = np.linspace(0.0, 1.0, len(stops))
    channels = [np.interp(at, places, stops[:, channel]) for channel in range(3)]
    colours = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return np.concatenate([colours, np.array([NOT_FINITE], dtype=np.uint8)])


def _file(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """The bytes of an indexed 8-bit PNG."""
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    lines = np.zeros((height, width + 1), dtype=np.uint8)
    lines[:, 1:] = pixels
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette.tobytes()),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
