"""What each line costs, beside the code of any stage: one call is traced when somebody looks."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from workbench.measure.costs import Costs
from workbench.session.timeline import line_costs
from workbench.widget.views import Arguments, View

if TYPE_CHECKING:
    from workbench.session.subject import Subject


def _draw(subject: Subject, _: Arguments) -> Costs:
    run = subject.fresh
    inputs = None if run is None else run.arguments
    return line_costs(subject.compilation, inputs, subject.device or None)


def _html(value: Costs) -> str:
    tables = "".join(
        f"<h4>{s.stage}</h4><pre>{html.escape(repr(s))}</pre>"
        for s in value.stages
        if s.stage in {"source", "scheduled"}
    )
    return f"<div>{tables}<p>{html.escape(value.words)}</p></div>"


VIEW = View("cost", "cost of lines", _draw, repr, _html)
