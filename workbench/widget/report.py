"""A static page made of twins: what `make demo` writes. No script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from workbench.widget.twins import html_twin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.widget.messages import PanelState

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "pre{overflow-x:auto}h2{margin-top:2.5rem}"
)


def _heading(state: PanelState) -> str:
    name = state.title.partition("(")[0]
    return name if state.run is None else f"{name} on {state.run.device}"


def report_html(title: str, table: str, states: Sequence[PanelState]) -> str:
    """A whole HTML page: a title, a table of text, and one section per panel."""
    sections = "\n".join(
        f"<section><h2>{escape(_heading(s))}</h2>\n{html_twin(s)}\n</section>" for s in states
    )
    return (
        "<!doctype html>\n"
        f"<html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n<pre>{escape(table)}</pre>\n{sections}</body></html>\n"
    )
