"""What the reader does to a panel: edits, taking them back, and running again.

Holds the subject that a panel shows and those before it; the edits themselves are pure and live
in `workbench/session/edits.py`. Nothing here knows of a widget.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.errors import WorkbenchError
from workbench.session.edits import RefusedStepError, edit_of, edited, rerun
from workbench.widget.assemble import subject_state
from workbench.widget.states import failure_of, underlined

if TYPE_CHECKING:
    from workbench.session.edits import Edit
    from workbench.session.subject import Subject
    from workbench.widget.messages import Failure, PanelState


class Editor:
    """The subject of a panel, and the subjects that can be gone back to.

    An edit that is released can be taken back; one that is not (a slider on its way) is a part of
    the next that is.
    """

    def __init__(self, subject: Subject, views: tuple[str, ...]) -> None:
        """Start with a subject that nothing was done to."""
        self.subject = subject
        self.views = views
        self._released = subject
        self._past: tuple[Subject, ...] = ()

    @property
    def state(self) -> PanelState:
        """What the panel shows now."""
        state = subject_state(self.subject, self.views)
        assert state.editing is not None, "a compilation can be edited"
        return replace(state, editing=replace(state.editing, undo=len(self._past)))

    def heard(self, message: object, *, release: bool) -> None:
        """Do what a message of the page asks: an edit of `edit_of`, or {"undo": true}.

        Raises `WorkbenchError` where it is refused; then nothing has changed, but where the code
        is new and only its run failed.
        """
        if message == {"undo": True}:
            self.undo()
        else:
            self.edit(edit_of(message), release=release)

    def edit(self, edit: Edit, *, release: bool) -> None:
        """Show the subject after an edit; released, it is run as well. Raises as `heard`."""
        self.subject = edited(self.subject, edit)
        if release:
            self._past = (*self._past, self._released)
            self._released = self.subject
            self.subject = self._released = rerun(self.subject)

    def undo(self) -> None:
        """Go back to the subject before the last released edit."""
        if not self._past:
            raise WorkbenchError("nothing was edited here", hint="add a step, then take it back")
        self.subject = self._released = self._past[-1]
        self._past = self._past[:-1]


def failure_to_edit(error: WorkbenchError) -> Failure:
    """What the page shows of a refused edit; of a refused step, with its loops underlined."""
    failure = failure_of(error)
    if isinstance(error, RefusedStepError):
        texts = (*failure.texts, underlined(error.refused))
        failure = replace(failure, kind="ScheduleError", texts=texts)
    return failure
