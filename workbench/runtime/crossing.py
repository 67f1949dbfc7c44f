"""How far bytes have come on their way to a page or from it."""

from __future__ import annotations

from workbench.base.progress import Standing

_LEAST = 4 * 1024 * 1024
"""Of fewer bytes nothing is said: what takes long is something else."""


class Crossing:
    """The bytes that cross together, from when there were none."""

    def __init__(self) -> None:
        """Nothing crosses."""
        self._way = ""
        self._total = 0

    def add(self, size: int, way: str, left: int) -> None:
        """So many more bytes are to cross, "to" or "from" somewhere; `left` were before."""
        self._way = way
        self._total = size + (self._total if left else 0)

    def standing(self, left: int) -> Standing | None:
        """How far they are while that is worth a word; `left` are still to come."""
        if not left or self._total < _LEAST:
            return None
        come = max(0, self._total - left)
        return Standing(round(come / 1e6), round(self._total / 1e6), f"MB {self._way}")
