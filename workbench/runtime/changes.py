"""What the host changed in an array since a version: ranges of elements in C order.

A copy on a device that is a few small writes behind is brought up to date by these, not by the
whole array. Only the newest changes are kept; who is further behind takes everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import Any, cast

import numpy as np

KEPT = 16
"""Changes remembered; a copy that is more versions behind is sent whole."""


@dataclass(frozen=True, slots=True)
class Changes:
    """`ranges[n]`, of elements, became new with version `first + n`."""

    first: int = 1
    ranges: tuple[range, ...] = ()

    def after(self, version: int, changed: range) -> Changes:
        """With one more: `changed` are the elements that are new in `version`."""
        if self.first + len(self.ranges) != version:
            return Changes(version, (changed,))
        kept = (*self.ranges, changed)[-KEPT:]
        return Changes(version + 1 - len(kept), kept)

    def since(self, version: int, current: int) -> range | None:
        """One range with all elements that changed after `version`; None where it is unknown."""
        if not self.first - 1 <= version < current == self.first + len(self.ranges) - 1:
            return None
        new = [r for r in self.ranges[version + 1 - self.first :] if r]
        return range(min(r.start for r in new), max(r.stop for r in new)) if new else range(0)


def touched(values: np.ndarray, key: Any) -> range:
    """The elements that `values[key] = ...` may change; all of them where that is hard to say."""
    keys = cast("tuple[Any, ...]", key if isinstance(key, tuple) else (key,))
    if not all(k is None or isinstance(k, int | np.integer | slice | EllipsisType) for k in keys):
        return range(values.size)
    view = values[keys if Ellipsis in keys else (*keys, ...)]
    if not view.size:
        return range(0)
    start, _ = np.lib.array_utils.byte_bounds(values)
    low, high = np.lib.array_utils.byte_bounds(view)
    return range((low - start) // values.itemsize, (high - start) // values.itemsize)
