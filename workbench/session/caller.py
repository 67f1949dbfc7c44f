"""Where a call stands: the line of the user's code that errors of its run name."""

from __future__ import annotations

from inspect import currentframe
from pathlib import Path

_PACKAGE = str(Path(__file__).parent.parent)


def calling_line() -> str:
    """`in line 3 of steps.py`, or `of its cell`; nothing where the package called itself.

    A magic is called by the shell, whose lines say nothing to the user.
    """
    frame = currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None or str(frame.f_globals.get("__name__")).startswith("IPython."):
        return ""
    file = frame.f_code.co_filename
    cell = file.startswith("<ipython-input") or Path(file).parent.name.startswith("ipykernel_")
    return f"in line {frame.f_lineno} of {'its cell' if cell else Path(file).name}"
