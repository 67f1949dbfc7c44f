"""Numbers with their units, and tables of words, as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def duration(seconds: float) -> str:
    """A time in words with three digits: 0.0000123 is "12.3 µs", 1.5 is "1.50 s"."""
    for limit, factor, unit in ((0.9995e-3, 1e6, "µs"), (0.9995, 1e3, "ms")):
        if seconds < limit:
            return f"{_digits(seconds * factor)} {unit}"
    return f"{_digits(seconds)} s"


def _digits(value: float) -> str:
    """Three digits and no exponent: 1.23, 12.3, 123."""
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"


def quantity(value: float, unit: str) -> str:
    """A number of something with three digits: 12345678, "B" is "12.3 MB"."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * factor:
            return f"{_digits(value / factor)} {prefix}{unit}"
    return f"{value:.4g} {unit}"


def between(low: float, high: float) -> str:
    """Two times with a word between them; that they are unknown, where they have no bounds."""
    if high == float("inf"):
        return "unknown: too few readings"
    return f"{duration(low)} to {duration(high)}"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, its words in columns, aligned to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(w.ljust(n) for w, n in zip(row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]
