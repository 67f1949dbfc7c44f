"""Windows that slide over the axes behind the first two: where they lie, and what they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.ops.formula import letters, over
from workbench.ops.tensor import Shape, UnsupportedError


@dataclass(frozen=True, slots=True)
class Windows:
    """For each axis: the extent, the window's, its stride, dilation and padding, and how many."""

    extents: Shape
    kernel: Shape
    strides: Shape
    dilations: Shape
    begin: Shape
    end: Shape
    ceil: bool = False

    @property
    def count(self) -> Shape:
        """The extents of the result."""
        found: list[int] = []
        for e, k, s, d, a, b in zip(
            self.extents, self.kernel, self.strides, self.dilations, self.begin, self.end,
            strict=True,
        ):  # fmt: skip
            room = e + a + b - d * (k - 1) - 1
            number = (-(-room // s) if self.ceil else room // s) + 1
            if self.ceil and (number - 1) * s >= e + a:
                number -= 1
            found.append(number)
        return tuple(found)

    @property
    def places(self) -> tuple[str, ...]:
        """The indices of the result."""
        return letters("p", len(self.kernel))

    @property
    def taps(self) -> tuple[str, ...]:
        """The indices inside the window."""
        return letters("r", len(self.kernel))

    def index(self, axis: int) -> str:
        """The element that a place and a tap read."""
        place, tap = self.places[axis], self.taps[axis]
        words = f"{self.strides[axis]} * {place}" if self.strides[axis] != 1 else place
        words += f" + {self.dilations[axis]} * {tap}" if self.dilations[axis] != 1 else f" + {tap}"
        return words + (f" - {self.begin[axis]}" if self.begin[axis] else "")

    @property
    def indices(self) -> tuple[str, ...]:
        """What is read along each axis."""
        return tuple(self.index(axis) for axis in range(len(self.kernel)))

    @property
    def tests(self) -> str:
        """The condition that a tap lies inside, `if ...`; empty where all do."""
        found: list[str] = []
        for axis, e in enumerate(self.extents):
            last = (self.count[axis] - 1) * self.strides[axis] - self.begin[axis]
            last += self.dilations[axis] * (self.kernel[axis] - 1)
            if self.begin[axis] > 0 or last >= e:
                found.append(f"0 <= {self.index(axis)} < {e}")
        return f" if {' and '.join(found)}" if found else ""

    @property
    def ranges(self) -> str:
        """The loops over the window."""
        return over(self.taps, self.kernel)


def windows(
    extents: Shape,
    kernel: Sequence[int],
    *,
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str,
    ceil: bool = False,
) -> Windows:
    """The windows of the attributes that convolutions and pools have in common."""
    rank = len(extents)
    if len(kernel) != rank:
        raise UnsupportedError(f"a window of {list(kernel)} over {rank} axes")
    steps, apart = tuple(strides or [1] * rank), tuple(dilations or [1] * rank)
    begin, end = [0] * rank, [0] * rank
    if auto_pad in {"NOTSET", ""} and pads is not None:
        begin, end = list(pads[:rank]), list(pads[rank:])
    elif auto_pad.startswith("SAME"):
        for axis, e in enumerate(extents):
            whole = (-(-e // steps[axis]) - 1) * steps[axis] + apart[axis] * (kernel[axis] - 1) + 1
            more = max(0, whole - e)
            less, rest = more // 2, more - more // 2
            begin[axis], end[axis] = (less, rest) if auto_pad == "SAME_UPPER" else (rest, less)
    found = Windows(extents, tuple(kernel), steps, apart, tuple(begin), tuple(end), ceil)
    if any(n < 1 for n in found.count):
        raise UnsupportedError(f"a window of {list(kernel)} in {list(extents)}")
    return found
