"""Widgets with twins: live in a page, as text and HTML everywhere else.

A cell shows such a widget as two outputs: the live one, and its twins. A page that finds a widget
output takes it whether or not a kernel is there to fill it, so twins in the same output would
never be seen in a notebook that is opened again. A few style rules that travel with the HTML
twin show one of the two: the twin steps back where the widget is live, and the place of a widget
that is not is left out.
"""

from __future__ import annotations

import secrets
from typing import Any

import traitlets
from IPython.display import display

from workbench.widget.bundle import Bundled

VIEW = "application/vnd.jupyter.widget-view+json"
LIVE, TWIN = "data-wb-live", "data-wb-twin"
OUTPUT = ".jp-OutputArea-child"


class Twinned(Bundled):
    """A widget that is shown with its twins; subclasses say what those are."""

    twin = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        """Make the widget; it is displayed like any other value of a notebook."""
        super().__init__(twin=secrets.token_hex(8), **traits)

    def twins(self) -> tuple[str, str]:
        """The same as text, and as one HTML element."""
        raise NotImplementedError

    def _ipython_display_(self, **_options: Any) -> None:
        """Show the live widget and its twins, of which one is seen at a time."""
        bundle, _ = self._repr_mimebundle_()
        bundle["text/html"] = _stepping_back(self.twin) + bundle["text/html"] + "</div>"
        # The empty text is for exporters, which warn of outputs that they cannot write.
        display({VIEW: bundle.pop(VIEW), "text/plain": ""}, raw=True)
        display(bundle, raw=True)

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live widget, and its twins for those who have no page or no kernel."""
        view = {"version_major": 2, "version_minor": 1, "model_id": self.model_id}
        text, as_html = self.twins()
        return {VIEW: view, "text/plain": text, "text/html": as_html}, {}

    def __repr__(self) -> str:
        return self.twins()[0]


def _stepping_back(name: str) -> str:
    """The element around an HTML twin, and the rules by which it and the widget take turns."""
    live, twin = f'[{LIVE}="{name}"]', f'[{TWIN}="{name}"]'
    # JupyterLab names the type of every output but a widget's, also while that still loads.
    widget = ":is(:has(> .jupyter-widgets),:not(:has([data-mime-type])))"
    dead = f"{OUTPUT}{widget}:not(:has({live}))"
    return (
        f'<div {TWIN}="{name}"><style>'
        f"body:has({live}) {twin},body:has({live}) {OUTPUT}:has({twin}),"
        f"{dead}:has(+ {OUTPUT} {twin}){{display:none}}"
        "</style>"
    )
