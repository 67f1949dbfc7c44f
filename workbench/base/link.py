"""Linked selection: which characters of every stage belong together.

The rule, the same as in `js/src/link.ts`: a selected origin lights every mark that was made
from it; where a text has none, the marks of the nearest ancestor that has some there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.base.source import Origin
    from workbench.base.text import Text

Ranges = tuple[tuple[int, int], ...]


def made_from(text: Text, origin: Origin) -> Ranges:
    """The ranges of a text whose origin is `origin` or was made from it."""
    return tuple(
        (m.start, m.end) for m in text.marks if any(o is origin for o in m.origin.ancestors())
    )


def lit(text: Text, origin: Origin) -> Ranges:
    """What a selection of `origin` lights in a text; empty where nothing belongs to it."""
    made = made_from(text, origin)
    if made:
        return made
    marked = {id(m.origin) for m in text.marks}
    nearest = next((o for o in origin.ancestors() if id(o) in marked), None)
    return () if nearest is None else text.marked(nearest)


def joined(ranges: Ranges) -> Ranges:
    """The ranges in order, those that overlap or touch joined."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return tuple(result)
