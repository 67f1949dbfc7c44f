"""Layer 4: the cell language. `parse` makes graphs and schedules of a text, never executing it."""

from workbench.lang.literals import prove_literal
from workbench.lang.module import Module, ScheduleText, StepCall
from workbench.lang.parse import parse
from workbench.lang.prove import LARGEST_DIM

__all__ = ["LARGEST_DIM", "Module", "ScheduleText", "StepCall", "parse", "prove_literal"]
