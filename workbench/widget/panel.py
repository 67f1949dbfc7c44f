"""The widget that shows a `PanelState`: live in a page, as text and HTML everywhere else.

It carries the state to the page and answers the page's requests for texts; what is shown and
how is decided in js/src and in `twins.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import traitlets

from workbench.base.errors import WorkbenchError
from workbench.widget.editor import Editor, failure_to_edit
from workbench.widget.messages import Failure, answer, encode, failure_message
from workbench.widget.twinned import Twinned
from workbench.widget.twins import html_twin, text_twin
from workbench.widget.views import plain, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.session.subject import Subject
    from workbench.widget.messages import Json, PanelState
    from workbench.widget.views import Arguments


class Panel(Twinned):
    """A panel. `show` gives it another state; views that are open follow.

    `knobs` are the values of the schedule's knobs by name: given others, the panel compiles and
    runs again, and so does whatever is linked to it. `result` is what the cell last did, a
    `CellRun`, and `seconds` how long it ran; both None before it has.
    """

    kind = traitlets.Unicode("panel").tag(sync=True)
    state = traitlets.Bytes().tag(sync=True)
    knobs = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Int())
    result = traitlets.Any(allow_none=True, read_only=True)
    seconds = traitlets.Float(allow_none=True, default_value=None, read_only=True)

    def __init__(self, state: PanelState, subject: Subject | None = None) -> None:
        """Make the widget; it is displayed like any other value of a notebook.

        `subject` is what the page's questions are about; without one it may ask for texts only.
        """
        self._shown = state
        self._editor = None if subject is None else Editor(subject, state.views)
        super().__init__(state=encode(state))
        self._tell()
        self.on_msg(self._reply)

    @property
    def shown(self) -> PanelState:
        """The state that the panel shows."""
        return self._shown

    @property
    def subject(self) -> Subject | None:
        """What the page's questions are about."""
        return None if self._editor is None else self._editor.subject

    def show(self, state: PanelState) -> None:
        """Show another state, in place of the one before."""
        self._shown = state
        self.state = encode(state)

    def twins(self) -> tuple[str, str]:
        """The panel as text, and as HTML without a script."""
        return text_twin(self._shown), html_twin(self._shown)

    def edit(self, message: object, *, release: bool = True) -> Failure | None:
        """Do what a message of the page asks, and show what came of it; else say why not.

        The message is `{"step": LINE}`, `{"text": TEXT}`, `{"schedule": TEXT}`,
        `{"knobs": {NAME: VALUE}}` or `{"undo": True}`. Released, it is run again where the cell
        ran.
        """
        editor = self._editor
        if editor is None:
            return Failure("WorkbenchError", "this panel shows texts only")
        before, failure = editor.subject, None
        try:
            editor.heard(message, release=release)
        except WorkbenchError as error:
            failure = failure_to_edit(error)
        if editor.subject is not before:
            self.show(editor.state)
            self._tell()
        return failure

    def _tell(self) -> None:
        """Give the traits that others follow the values of the subject."""
        editing, subject = self._shown.editing, self.subject
        self.knobs = {} if editing is None else dict(editing.knobs)
        run = None if subject is None else subject.fresh
        timing = None if run is None else run.timing
        self.set_trait("result", run)
        self.set_trait("seconds", None if timing is None else timing.kernel or timing.total)

    @traitlets.validate("knobs")
    def _turn(self, proposal: dict[str, dict[str, int]]) -> dict[str, int]:
        """Turn the knobs to what somebody else than the page gave."""
        knobs = proposal["value"]
        editing = self._shown.editing
        if editing is None or knobs == dict(editing.knobs):
            return knobs
        failure = self.edit({"knobs": knobs})
        if failure is not None:
            raise traitlets.TraitError(failure.message)
        assert self._shown.editing is not None, "what was edited can be edited"
        return dict(self._shown.editing.knobs)

    def _reply(self, _widget: Panel, content: object, _buffers: Sequence[memoryview]) -> None:
        match content:
            case {"kind": "ask", "number": int(number), "view": str(name)}:
                given = cast("dict[str, object]", content).get("arguments")
                arguments = cast("Arguments", given if isinstance(given, dict) else {})
                self.send(drawn(self.subject, number, name, arguments))
            case {"kind": "edit", "number": int(number), "release": bool(release)}:
                edit = cast("dict[str, object]", content).get("edit")
                failure = self.edit(edit, release=release)
                said = None if failure is None else failure_message(failure)
                self.send({"kind": "edited", "number": number, "failure": said})
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
