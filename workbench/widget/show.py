"""`show` of compilations, one view of what no cell has run, and of measured values."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from IPython.core.getipython import get_ipython  # pyright: ignore[reportUnknownVariableType]
from IPython.display import display

from workbench.session.subject import Subject
from workbench.widget.assemble import compilation_state
from workbench.widget.panel import Panel
from workbench.widget.twins import text_twin
from workbench.widget.views import view

if TYPE_CHECKING:
    from workbench.pipeline import Compilation


def show(c: Compilation, name: str) -> None:
    """A panel with this view where there is a notebook, its text elsewhere."""
    if name != "stages":
        view(name)
    subject = Subject(c)
    state = compilation_state(subject, (name,))
    shell = cast("object", get_ipython())
    if getattr(shell, "kernel", None) is None:
        print(text_twin(state))  # noqa: T201  (asked for by the user, where nothing else draws)
    else:
        display(Panel(state, subject))


def show_value(value: object) -> None:
    """Display a value that has a text and an HTML form; its text where there is no notebook."""
    shell = cast("object", get_ipython())
    if getattr(shell, "kernel", None) is None:
        print(value)  # noqa: T201  (as above)
    else:
        display(value)
