"""Tables, and pages of their own: one file that loads nothing, in the theme of its reader."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;"
    "background:Canvas;color:CanvasText}"
    "table{border-collapse:collapse;font-size:13px;display:block;overflow-x:auto}"
    "td,th{padding:.2em .7em}thead{border-bottom:1px solid}"
    "summary{cursor:pointer;margin:.5em 0}code,pre{font-family:ui-monospace,monospace}"
    ":focus-visible{outline:2px solid;outline-offset:1px}"
)


def table_html(rows: Sequence[Sequence[str]]) -> str:
    """A table of words; the first row is its head."""
    head, *body = rows
    lines = "".join(_line(row, "td") for row in body)
    return f"<table><thead>{_line(head, 'th')}</thead><tbody>{lines}</tbody></table>"


def _line(cells: Sequence[str], tag: str) -> str:
    """Words in one line, but those of the last column."""
    short = "style='text-align:left;vertical-align:top;white-space:nowrap'"
    last = "style='text-align:left;vertical-align:top;white-space:normal'"
    styles = [short] * (len(cells) - 1) + [last]
    inner = (f"<{tag} {s}>{escape(c)}</{tag}>" for c, s in zip(cells, styles, strict=True))
    return f"<tr>{''.join(inner)}</tr>"


def page(title: str, body: str, at: str = "") -> str:
    """A whole HTML page around what a notebook shows."""
    when = f"<p><small>measured at {escape(at)}</small></p>" if at else ""
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f"<title>{escape(title)}</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>{when}{body}</body></html>\n"
    )
