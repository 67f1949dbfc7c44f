"""What pictures are drawn from: a compilation, and the kernel and schedule that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.pipeline import Compilation
    from workbench.schedule.step import Schedule
    from workbench.session.cell import CellRun
    from workbench.session.kernel import Kernel
    from workbench.session.schedules import Turned


@dataclass(frozen=True, slots=True)
class Subject:
    """A compilation to be looked at, and where it came from, if anybody knows.

    `schedule` are the reader's own steps, None where the default rule decided everything;
    `turned` the `@schedule` function of the kernel's text that they stand in, if they do;
    `device` is the one that it was compiled for, `run` what the cell did with it: with another
    compilation, where the text or the schedule was edited since.
    """

    compilation: Compilation
    kernel: Kernel | None = None
    schedule: Schedule | None = None
    device: str = ""
    run: CellRun | None = None
    turned: Turned | None = None

    @property
    def fresh(self) -> CellRun | None:
        """The run, unless something was edited since."""
        run = self.run
        return run if run is not None and run.compilation is self.compilation else None


def subject_of(run: CellRun) -> Subject:
    """What the panel of a cell shows pictures of."""
    return Subject(run.compilation, run.kernel, run.schedule, run.device, run, run.turned)
