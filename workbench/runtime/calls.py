"""Calls that were enqueued: what an array waits for, and what it says when that failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.base.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.runtime.arrays import Array
    from workbench.runtime.device import Device, Run

DEADLINE = 60.0
"""Seconds that a running call has before it is stopped, unless told otherwise."""
LONGEST_RECIPE = 8
"""Calls in a row that an array whose only copy dies is computed again by: each keeps its inputs."""


@dataclass(slots=True, eq=False)
class Call:
    """One enqueued call: where it stands, and its run."""

    words: str
    device: Device
    run: Run
    error: Exception | None = None
    finished: bool = False
    deadline: float = DEADLINE
    timing: Any = None

    def wait(self) -> None:
        """Wait for the run to finish; raises its error, the same one each time it is asked."""
        if self.error is not None:
            raise self.error
        if not self.finished:
            try:
                self.timing = self.run.wait(self.deadline)
            except DeviceError as error:
                self.error = named(error, self.words)
                self.error.__cause__ = error
                raise self.error from error
            self.finished = True


def named(error: DeviceError, words: str) -> DeviceError:
    """The same error, naming the call that it belongs to."""
    return type(error)(*(replace(m, message=f"{words}: {m.message}") for m in error.mistakes))


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What it takes to run a call again; `calls` in a row lead here from bytes on the host."""

    inputs: tuple[Array, ...]
    versions: tuple[int, ...]
    calls: int
    again: Callable[[], tuple[Array, ...]]

    @property
    def repeatable(self) -> bool:
        """Whether the inputs are still what they were at the call."""
        return all(a.version == v for a, v in zip(self.inputs, self.versions, strict=True))
