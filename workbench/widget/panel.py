"""The widget that shows a `PanelState`: live in a page, as text and HTML everywhere else.

It carries the state to the page and answers the page's requests for texts; what is shown and
how is decided in js/src and in `twins.py`.

A cell shows a panel as two outputs: the live widget, and its twins. A page that finds a widget
output takes it whether or not a kernel is there to fill it, so twins in the same output would
never be seen in a notebook that is opened again. A few style rules that travel with the HTML
twin show one of the two: the twin steps back where the panel is live, and the place of a panel
that is not is left out.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import traitlets
from IPython.display import display

from workbench.widget.bundle import Bundled
from workbench.widget.messages import PanelState, answer, encode
from workbench.widget.twins import html_twin, text_twin

if TYPE_CHECKING:
    from collections.abc import Sequence

VIEW = "application/vnd.jupyter.widget-view+json"
LIVE, TWIN = "data-wb-live", "data-wb-twin"
OUTPUT = ".jp-OutputArea-child"


class Panel(Bundled):
    """A panel. `show` gives it another state; views that are open follow."""

    kind = traitlets.Unicode("panel").tag(sync=True)
    state = traitlets.Bytes().tag(sync=True)
    twin = traitlets.Unicode().tag(sync=True)

    def __init__(self, state: PanelState) -> None:
        """Make the widget; it is displayed like any other value of a notebook."""
        self._shown = state
        super().__init__(state=encode(state), twin=secrets.token_hex(8))
        self.on_msg(self._reply)

    @property
    def shown(self) -> PanelState:
        """The state that the panel shows."""
        return self._shown

    def show(self, state: PanelState) -> None:
        """Show another state, in place of the one before."""
        self._shown = state
        self.state = encode(state)

    def _reply(self, _widget: Panel, content: object, _buffers: Sequence[memoryview]) -> None:
        reply = answer(self._shown, content)
        if reply is not None:
            self.send(reply)

    def _ipython_display_(self, **_options: Any) -> None:
        """Show the live panel and its twins, of which one is seen at a time."""
        bundle, _ = self._repr_mimebundle_()
        bundle["text/html"] = _stepping_back(self.twin) + bundle["text/html"] + "</div>"
        # The empty text is for exporters, which warn of outputs that they cannot write.
        display({VIEW: bundle.pop(VIEW), "text/plain": ""}, raw=True)
        display(bundle, raw=True)

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live panel, and its twins for those who have no page or no kernel."""
        view = {"version_major": 2, "version_minor": 1, "model_id": self.model_id}
        twins = {"text/plain": text_twin(self._shown), "text/html": html_twin(self._shown)}
        return {VIEW: view, **twins}, {}

    def __repr__(self) -> str:
        return text_twin(self._shown)


def _stepping_back(name: str) -> str:
    """The element around an HTML twin, and the rules by which it and the panel take turns."""
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
