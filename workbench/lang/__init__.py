"""Layer 4: the cell language. `parse` makes graphs and schedules of a text, never executing it."""

from workbench.lang.literals import checks_more, prove_literal, waits
from workbench.lang.module import Module, ScheduleText, StepCall
from workbench.lang.parse import parse
from workbench.lang.prove import LARGEST_DIM

__all__ = [
    "LARGEST_DIM",
    "Module",
    "ScheduleText",
    "StepCall",
    "checks_more",
    "parse",
    "prove_literal",
    "waits",
]
