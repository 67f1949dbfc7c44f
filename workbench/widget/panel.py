"""The widget that shows a `PanelState`: live in a page, as text and HTML everywhere else.

It carries the state to the page and answers the page's requests for texts; what is shown and
how is decided in js/src and in `twins.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import traitlets

from workbench.base.errors import WorkbenchError
from workbench.widget.messages import PanelState, answer, encode
from workbench.widget.twinned import Twinned
from workbench.widget.twins import html_twin, text_twin
from workbench.widget.views import plain, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.session.subject import Subject
    from workbench.widget.messages import Json
    from workbench.widget.views import Arguments


class Panel(Twinned):
    """A panel. `show` gives it another state; views that are open follow."""

    kind = traitlets.Unicode("panel").tag(sync=True)
    state = traitlets.Bytes().tag(sync=True)

    def __init__(self, state: PanelState, subject: Subject | None = None) -> None:
        """Make the widget; it is displayed like any other value of a notebook.

        `subject` is what the page's questions are about; without one it may ask for texts only.
        """
        self._shown = state
        self.subject = subject
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
        match content:
            case {"kind": "ask", "number": int(number), "view": str(name)}:
                given = cast("dict[str, object]", content).get("arguments")
                arguments = cast("Arguments", given if isinstance(given, dict) else {})
                self.send(drawn(self.subject, number, name, arguments))
            case _:
                reply = answer(self._shown, content)
                if reply is not None:
                    self.send(reply)


def drawn(subject: Subject | None, number: int, name: str, given: Arguments) -> dict[str, Json]:
    """The answer to a question of the page: the picture's value, or why there is none."""
    value: Json = None
    refusal: str | None = "this panel shows texts only"
    if subject is not None:
        try:
            value, refusal = plain(view(name).draw(subject, given)), None
        except WorkbenchError as error:
            refusal = str(error)
    return {"kind": "answer", "number": number, "value": value, "refusal": refusal}
