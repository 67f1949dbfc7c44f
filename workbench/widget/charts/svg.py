"""The parts that charts are made of: an SVG being written, and axes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of Okabe and Ito's palette, those that show on light and on dark."""
SHAPES = ("circle", "square", "diamond", "triangle")
FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:12px"


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to pixels: `low` and `high` are at `start` and `end`; by factors if `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = True

    def __call__(self, value: float) -> float:
        """Where a value is, in pixels; values outside are at the ends."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values along it."""
        if not self.log:
            step = _round_up((self.high - self.low) / most)
            first = math.ceil(self.low / step)
            return [step * n for n in range(first, math.floor(self.high / step) + 1)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for leads in ((1, 2, 5), (1, 3), (1,)):
            found = [lead * 10.0**d for d in decades for lead in leads]
            found = [t for t in found if self.low <= t <= self.high]
            if len(found) <= most:
                return found
        return found[:: math.ceil(len(found) / most)]


def spanning(values: Sequence[float], start: float, end: float, *, log: bool = True) -> Axis:
    """An axis on which all values are, with some room around them."""
    low, high = min(values), max(values)
    if log:
        room = max(1.08, (high / low) ** 0.05)
        return Axis(low / room, high * room, start, end)
    room = 0.05 * (high - low) or abs(high) or 1.0
    return Axis(low - room, high + room, start, end, log=False)


@dataclass(slots=True)
class Svg:
    """An SVG that is being written, `width` by `height` pixels. `title` is read aloud first."""

    title: str
    width: float
    height: float
    parts: list[str] = field(default_factory=list[str])

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, width: float = 1, faint: bool = False,
        colour: str = "currentColor", dashed: bool = False,
    ) -> None:  # fmt: skip
        """A straight line."""
        more = ' stroke-dasharray="5 4"' if dashed else ""
        opacity = ' opacity="0.25"' if faint else ""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{more}{opacity}/>'
        )

    def rect(
        self, x: float, y: float, width: float, height: float, colour: str, *, opacity: float = 1
    ) -> None:
        """A filled rectangle."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" '
            f'fill="{colour}" opacity="{opacity}"/>'
        )

    def text(self, x: float, y: float, words: str, *, anchor: str = "start") -> None:
        """A line of text whose baseline is at `y`."""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def mark(
        self, x: float, y: float, colour: str, shape: str, *, size: float = 4, opacity: float = 1
    ) -> None:
        """A small filled shape around a point."""
        outlines = {
            "square": f"M{x - size:.1f} {y - size:.1f}h{2 * size}v{2 * size}h{-2 * size}z",
            "diamond": f"M{x:.1f} {y - 1.3 * size:.1f}l{size} {1.3 * size}l{-size} {1.3 * size}"
            f"l{-size} {-1.3 * size}z",
            "triangle": f"M{x:.1f} {y - 1.2 * size:.1f}l{1.2 * size} {2.1 * size}h{-2.4 * size}z",
        }
        if shape in outlines:
            self.parts.append(f'<path d="{outlines[shape]}" fill="{colour}" opacity="{opacity}"/>')
        else:
            self.parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}" '
                f'opacity="{opacity}"/>'
            )

    def begin(self, words: str) -> None:
        """Start a part that is reached with the keyboard and says these words."""
        told = escape(words, quote=True)
        self.parts.append(
            f'<g tabindex="0" role="img" aria-label="{told}"><title>{escape(words)}</title>'
        )

    def end(self) -> None:
        """End the part."""
        self.parts.append("</g>")

    def bottom(
        self, axis: Axis, y: float, words: Callable[[float], str], name: str,
        ticks: Sequence[float] = (),
    ) -> None:  # fmt: skip
        """The axis along the bottom: faint lines up to the top, and their values below."""
        for tick in ticks or axis.ticks():
            self.line(axis(tick), 18, axis(tick), y, faint=True)
            self.text(axis(tick), y + 15, words(tick), anchor="middle")
        self.text((axis.start + axis.end) / 2, y + 32, name, anchor="middle")

    def left(self, axis: Axis, x: float, right: float, words: Callable[[float], str]) -> None:
        """The axis along the left: faint lines to the right, and their values beside."""
        for tick in axis.ticks():
            self.line(x, axis(tick), right, axis(tick), faint=True)
            self.text(x - 6, axis(tick) + 4, words(tick), anchor="end")

    def done(self) -> str:
        """The element."""
        title = escape(self.title)
        return (
            f'<svg viewBox="0 0 {self.width:.0f} {self.height:.0f}" role="group" '
            f'aria-label="{escape(self.title, quote=True)}" xmlns="http://www.w3.org/2000/svg" '
            f'style="max-width:{self.width:.0f}px;width:100%;height:auto;{FONT};color:'
            f'var(--jp-ui-font-color1,inherit)" fill="currentColor"><title>{title}</title>'
            + "".join(self.parts)
            + "</svg>"
        )


def look(number: int) -> tuple[str, str]:
    """The colour and the shape of the series with this number."""
    return COLOURS[number % len(COLOURS)], SHAPES[number % len(SHAPES)]


def _round_up(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next(lead * power for lead in (1, 2, 5, 10) if lead * power >= step * (1 - 1e-9))
