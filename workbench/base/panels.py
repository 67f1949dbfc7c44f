"""How an array lies in storage where that is not C order: in panels of one dimension."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Panels:
    """Dimension `dim` is cut in whole panels of `size`: they come first, the place in one last."""

    dim: int
    size: int

    @property
    def words(self) -> str:
        """For a table: `panels of 32 along axis 1`."""
        return f"panels of {self.size} along axis {self.dim}"

    def plain(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an array whose panels have this shape."""
        panels, *rest, size = stored
        rest.insert(self.dim, panels * size)
        return tuple(rest)

    def stored(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the panels of an array."""
        rest = (*shape[: self.dim], *shape[self.dim + 1 :])
        return (shape[self.dim] // self.size, *rest, self.size)

    def pack(self, values: np.ndarray) -> np.ndarray:
        """An array in panels; its dimension is a multiple of the size."""
        first = values.transpose((self.dim, *(d for d in range(values.ndim) if d != self.dim)))
        cut = first.reshape(first.shape[0] // self.size, self.size, *first.shape[1:])
        return cut.transpose((0, *range(2, cut.ndim), 1))

    def unpack(self, values: np.ndarray) -> np.ndarray:
        """The array that lies in panels."""
        cut = values.transpose((0, values.ndim - 1, *range(1, values.ndim - 1)))
        first = cut.reshape(cut.shape[0] * self.size, *cut.shape[2:])
        return first.transpose((*range(1, self.dim + 1), 0, *range(self.dim + 1, first.ndim)))

    def indices(self, points: np.ndarray) -> np.ndarray:
        """Indices into an array, [n, rank], from those into its panels, [n, rank + 1]."""
        whole = points[:, :1] * self.size + points[:, -1:]
        rest = points[:, 1:-1]
        return np.concatenate([rest[:, : self.dim], whole, rest[:, self.dim :]], 1)


def plain(shape: tuple[int, ...], panels: Panels | None) -> tuple[int, ...]:
    """The shape that a caller knows of an array that is stored so."""
    return shape if panels is None else panels.plain(shape)
