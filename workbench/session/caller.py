"""Where a call stands: the line of the user's code that errors of its run name."""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGE = str(Path(__file__).parent.parent)


def calling_line() -> str:
    """`in line 3 of steps.py`, or `of its cell`; nothing where the package called itself."""
    frame = sys._getframe(1)  # noqa: SLF001  (CPython's; `inspect.stack` reads every source file)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    file = frame.f_code.co_filename
    if file.startswith(_PACKAGE):
        return ""
    cell = file.startswith("<ipython-input") or Path(file).parent.name.startswith("ipykernel_")
    return f"in line {frame.f_lineno} of {'its cell' if cell else Path(file).name}"
