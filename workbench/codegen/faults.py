"""Accesses that are checked when they run, in the words of the error that reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.ir.show import expr_text

if TYPE_CHECKING:
    from workbench.ir.stmt import Outside


def describe_access(s: Outside) -> str:
    """What errors call an access: `table[idx[i]] in line 2 reads outside its extent 5`."""
    span = s.origin.nearest_span()
    text = s.array if span is None else " ".join(span.text.split())
    line = "" if span is None else f" in line {span.position[0]}"
    if s.kind == "finds":
        return f"{text}{line} runs over nothing"
    which = "its extent" if len(s.index) == 1 else f"the extent of dimension {s.place},"
    return f"{text}{line} {s.kind} outside {which} {expr_text(s.extent)}"
