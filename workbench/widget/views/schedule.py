"""The schedule as lines that make it again, with its knobs; in the page it can be edited."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from workbench.widget.views import Arguments, View

if TYPE_CHECKING:
    from workbench.session.subject import Subject
    from workbench.widget.messages import Editing


def _draw(subject: Subject, _: Arguments) -> Editing:
    # Panels are assembled from views; this one shows what they are assembled with.
    from workbench.widget.assemble import editing_of  # noqa: PLC0415

    return editing_of(subject)


def _text(value: Editing) -> str:
    knobs = [", ".join(f"{name} = {number}" for name, number in value.knobs)]
    return "\n".join(x for x in (*knobs, value.calls, value.function) if x)


def _html(value: Editing) -> str:
    rows = "".join(f"<tr><th>{html.escape(n)}</th><td>{v}</td></tr>" for n, v in value.knobs)
    lines = "\n".join(x for x in (value.calls, value.function) if x)
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    return f"<div>{table}<pre>{html.escape(lines)}</pre></div>"


VIEW = View("schedule", "schedule", _draw, _text, _html)
