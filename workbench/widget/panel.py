"""The widget that shows a `PanelState`: live in a page, as text and HTML everywhere else.

It carries the state to the page and answers the page's requests for texts; what is shown and
how is decided in js/src and in `twins.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets

from workbench.widget.messages import PanelState, answer, encode
from workbench.widget.twinned import Twinned
from workbench.widget.twins import html_twin, text_twin

if TYPE_CHECKING:
    from collections.abc import Sequence


class Panel(Twinned):
    """A panel. `show` gives it another state; views that are open follow."""

    kind = traitlets.Unicode("panel").tag(sync=True)
    state = traitlets.Bytes().tag(sync=True)

    def __init__(self, state: PanelState) -> None:
        """Make the widget; it is displayed like any other value of a notebook."""
        self._shown = state
        super().__init__(state=encode(state))
        self.on_msg(self._reply)

    @property
    def shown(self) -> PanelState:
        """The state that the panel shows."""
        return self._shown

    def show(self, state: PanelState) -> None:
        """Show another state, in place of the one before."""
        self._shown = state
        self.state = encode(state)

    def twins(self) -> tuple[str, str]:
        """The panel as text, and as HTML without a script."""
        return text_twin(self._shown), html_twin(self._shown)

    def _reply(self, _widget: Panel, content: object, _buffers: Sequence[memoryview]) -> None:
        reply = answer(self._shown, content)
        if reply is not None:
            self.send(reply)
