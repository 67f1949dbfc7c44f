"""What a kernel has been compiled for, and which dims of its calls are literals or uniforms."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workbench.base.errors import CodegenError, OpenDimError, ScheduleError
from workbench.passes.graph import PASSES, specialise
from workbench.passes.lower import lower
from workbench.passes.open_dims import kept_literal
from workbench.pipeline import Compilation, compile_graph
from workbench.runtime.device import open_device
from workbench.schedule.layout_steps import TransformLayout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.panels import Panels
    from workbench.base.source import Source
    from workbench.ir.graph import Graph
    from workbench.ir.loops import Loops
    from workbench.schedule.step import Schedule

LITERALS = 3
"""So many values of a dim are compiled as literals; from the next one on it is a uniform."""


@dataclass(slots=True, eq=False)
class Compilations:
    """The compilations of a kernel, and the values that dims had in its calls, a few of each.

    `refused` are the requests that could not leave their dims open, with the reason.
    """

    graph: Graph
    source: Source
    parse_seconds: float
    refused: dict[object, str] = field(default_factory=dict[object, str])
    _made: dict[object, Compilation] = field(default_factory=dict[object, Compilation])
    _seen: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    _kept: dict[str, str] | None = None
    _untaken: set[Schedule | None] = field(default_factory=set["Schedule | None"])

    def __len__(self) -> int:
        return len(self._made)

    def get(
        self, dims: Mapping[str, int], left: tuple[str, ...], steps: Schedule | None, on: str
    ) -> Compilation:
        """The compilation for literal dims, but those in `left`, for a device; made once.

        Raises what `compile_graph` raises.
        """
        key = self._key(dims, left, steps, on)
        if key not in self._made:
            description = open_device(on).describe()
            self._made[key] = compile_graph(
                self.graph, self.source, dims, left=left, schedule=steps,
                on=description.device_class, limits=description.limits,
                parse_seconds=self.parse_seconds,
            )  # fmt: skip
        return self._made[key]

    def of_call(
        self,
        dims: Mapping[str, int],
        steps: Schedule | None,
        on: str,
        panels: Mapping[str, Panels] | None = None,
    ) -> Compilation:
        """What a call runs: compiled for its dims, or for any value of those that change often.

        Where code with open dims cannot be had, or does not serve these values, it is literals.
        Inputs that lie in `panels` are taken so where the schedule lays them out in the same.
        """
        taken = taking(steps, panels or {})
        if taken is not steps and taken not in self._untaken:
            try:
                return self.get(dims, (), taken, on)
            except (CodegenError, ScheduleError):  # as where it says more of the copy
                self._untaken.add(taken)
        left = self._note(dims)
        key = self._key(dims, left, steps, on)
        known = self._key(dims, (), steps, on) in self._made
        if left and not known and key not in self.refused:
            try:
                return self.get(dims, left, steps, on).at(dims)
            except OpenDimError:
                pass
            except (CodegenError, ScheduleError) as error:
                self.refused[key] = error.mistakes[0].message
        return self.get(dims, (), steps, on)

    def words(self, left: tuple[str, ...]) -> str:
        """What a reader is told: which dims are uniforms, and why others with many values are not.

        `left` are the open dims of the compilation in use.
        """
        said: list[str] = []
        if left:
            said.append(f"{_listed(left)} {'is a uniform' if len(left) == 1 else 'are uniforms'}")
        said += [
            f"{name} stays a literal: {why}"
            for name, why in self._literal().items()
            if name in self._changing()
        ]
        return "; ".join(said)

    def _key(
        self, dims: Mapping[str, int], left: tuple[str, ...], steps: Schedule | None, on: str
    ) -> object:
        description = open_device(on).describe()
        literals = tuple(sorted((n, None if n in left else v) for n, v in dims.items()))
        return literals, steps, description.device_class, description.limits

    def _note(self, dims: Mapping[str, int]) -> tuple[str, ...]:
        """Take note of a call; gives the dims that are uniforms from now on."""
        for name, value in dims.items():
            values = self._seen.setdefault(name, set())
            if len(values) <= LITERALS:
                values.add(value)
        return tuple(n for n in self._changing() if n not in self._literal())

    def _changing(self) -> list[str]:
        """The dims that had more values than are compiled as literals."""
        return [n for n, values in self._seen.items() if len(values) > LITERALS]

    def _literal(self) -> dict[str, str]:
        """The dims that are always literals, each with the reason."""
        if self._kept is None:
            self._kept = kept_literal(self.graph)
        return self._kept


def unscheduled(graph: Graph, dims: Mapping[str, int | None]) -> Loops:
    """The loops of a graph before any step; a dim that is None stays open."""
    left = [n for n, value in dims.items() if value is None]
    graph = specialise(graph, {n: v for n, v in dims.items() if v is not None}, left)
    for _, graph_pass in PASSES:
        graph = graph_pass(graph)
    return lower(graph)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def taking(schedule: Schedule | None, panels: Mapping[str, Panels]) -> Schedule | None:
    """The schedule that takes inputs in the panels that they lie in; the same where it does not.

    Only the first layout of an input can be the one that it comes in.
    """
    if schedule is None or not panels:
        return schedule
    left = dict(panels)
    steps = [_given(s, left) if isinstance(s, TransformLayout) else s for s in schedule.steps]
    if all(a is b for a, b in zip(steps, schedule.steps, strict=True)):
        return schedule
    return replace(schedule, steps=tuple(steps))


def _given(step: TransformLayout, left: dict[str, Panels]) -> TransformLayout:
    found = left.pop(step.array, None)
    meant = found is not None and (found.dim, found.size) == (step.dim, step.size)
    return replace(step, given=True) if meant else step
