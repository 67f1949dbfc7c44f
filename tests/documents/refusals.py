"""Examples of every kind of error: a cell or a call, and the kind of error it ends in.

The page `docs/errors.md` shows them with the words they provoke, which `pages.py` writes and the
tests compare. To show another refusal, add a row. What an error means is said by its class, in
`workbench/base/errors.py`, not here.
"""

from __future__ import annotations

from tests.documents import refused_blocks, refused_calls, refused_lines, refused_texts
from tests.documents.examples import Cell, Group, block

GROUPS: tuple[Group, ...] = (
    *refused_texts.GROUPS,
    *refused_lines.GROUPS,
    *refused_blocks.GROUPS,
    *refused_calls.GROUPS,
)
"""In the order of the page."""

NOT_YET: tuple[tuple[str, Cell], ...] = (
    ("A private array in a loop block.", block("acc: f32[8]", "y[i] = x[i]")),
    ("A grid inside a block.", block("for j in grid(M):", "    y[i] = 1")),
)  # fmt: skip
"""What the language will say and refuses today; the page leaves out what is accepted by now."""
