"""Every stage executed and compared with the graph at float64: ticks, crosses and numbers.

Small programs are run whole at the sizes asked for; large ones at reduced sizes, and then
selected outputs and some workgroups of the real kernel at the real sizes.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.base.device_class import Target
from workbench.base.errors import (
    CallError,
    CodegenError,
    DeviceError,
    OpenDimError,
    RunError,
    ScheduleError,
)
from workbench.base.progress import BOARD, Standing, Task
from workbench.ir.apart import Apart
from workbench.ir.bound import bound
from workbench.ir.device import Mapped
from workbench.ir.graph import Graph, repeats
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.loops import Loops
from workbench.ir.simt import run_mapped
from workbench.measure.indices import indexed, scattering
from workbench.measure.reference import Reference, reference, shorter, work
from workbench.measure.samples import sampled
from workbench.passes.fold import literal_int
from workbench.passes.graph import specialise
from workbench.pipeline import Compilation, Snapshot, compile_graph
from workbench.program import Program
from workbench.runtime.arrays import array
from workbench.runtime.device import Device, default_device, open_device
from workbench.runtime.enqueue import enqueue
from workbench.schedule.step import Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["tick", "cross", "none"]
REAL_BYTES = 2**28
"""Bytes of arrays up to which workgroups of the real kernel are simulated."""
WORK = 3_000_000
"""Evaluations of scalar expressions beyond which a check runs at reduced sizes."""
SMALL = (19, 21, 22, 18, 20, 24, 16, 32, 8, 4)
"""Sizes tried for reduced dims, in turn; primes and non-powers first."""


@dataclass(frozen=True, slots=True)
class Check:
    """What came out at one stage; `words` say the sizes and the largest difference."""

    stage: str
    state: State
    words: str

    @property
    def ok(self) -> bool:
        """False for a cross."""
        return self.state != "cross"


@dataclass(frozen=True, slots=True)
class Checks:
    """All checks of a compilation, in the order of the stages."""

    checks: tuple[Check, ...]
    sizes: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Whether no stage shows a cross."""
        return all(c.ok for c in self.checks)

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, stage: str) -> Check:
        return next(c for c in self.checks if c.stage == stage)

    def __iter__(self) -> Any:
        return iter(self.checks)

    def __repr__(self) -> str:
        signs = {"tick": "✓", "cross": "✗", "none": "·"}
        return "\n".join(f"{signs[c.state]} {c.stage:12} {c.words}" for c in self.checks)


@dataclass(frozen=True, slots=True)
class _Case:
    """One set of inputs and what the answer should be."""

    inputs: dict[str, np.ndarray]
    scalars: dict[str, Any]
    reference: Reference
    words: str


def check(
    c: Compilation, inputs: Mapping[str, Any] | None = None, sizes: Mapping[str, int] | None = None
) -> Checks:
    """Execute every stage of a compilation and compare it with the graph at float64.

    `inputs` are arrays by name (random ones otherwise); `sizes` the dims to check at. A program
    too large for the interpreters is compiled again at reduced sizes for its inner stages.
    """
    dims = dict(sizes) if sizes is not None else dict(c.dims)
    if sizes is None and work(specialise(c.graph, dims)) > WORK:
        dims, inputs = small_dims(c.graph, dims), None
    at = c if dims == dict(c.dims) else _again(c, dims)
    try:
        case = _case(at, inputs)
    except RunError as error:
        if inputs is not None:
            raise
        words = f"not compared: {error.mistakes[0].message}"
        return Checks(tuple(Check(s.name, "none", words) for s in at.stages.values()), dims)
    with BOARD.task(f"checking '{c.name}'") as task:
        found = _each_stage(at, case, task)
        if at is not c:
            found = [_also_at_real_sizes(one, c) for one in found]
    return Checks(tuple(found), dims)


def _each_stage(c: Compilation, case: _Case, task: Task) -> list[Check]:
    """The check of every stage; `task` is told which one comes next."""
    ran: dict[int, Check] = {}
    found: list[Check] = []
    for s in c.stages.values():
        task.at(Standing(len(found), len(c.stages), f"stages, now {s.name}"))
        found.append(_check_stage(s, c, case, ran))
    return found


def _also_at_real_sizes(found: Check, c: Compilation) -> Check:
    """The tick of the device kernels, and four workgroups of the kernels at the real sizes."""
    stage = c.stages[found.stage].value if found.stage in c.stages else None
    if not isinstance(stage, Mapped) or not found.ok:
        return found
    mapped = bound(stage, c.dims)
    size = sum(math.prod(b.sizes) * b.dtype.bits // 8 for b in mapped.buffers)
    if size > REAL_BYTES:
        return found
    graph = next(s.value for s in reversed(c.stages.all) if isinstance(s.value, Graph))
    if any(repeats(graph.definitions)):
        return found
    graph, scalars = specialise(graph, c.dims), random_scalars(c.graph) | _open_values(c)
    stored = shorter(graph, bound(c.stages["scheduled"].value, c.dims))
    ok, words = sampled(mapped, graph, random_inputs(graph), scalars, stored)
    if not ok:
        return Check(found.stage, "cross", words)
    sizes = ", ".join(f"{k} = {v}" for k, v in c.dims.items())
    return Check(found.stage, "tick", f"{found.words}; at {sizes} {words}")


def _again(c: Compilation, dims: dict[str, int]) -> Compilation:
    """The same stages at other sizes: made by the same steps, or the same code where dims are open.

    A rule of a pass may choose another form there (one walk instead of blocks): its nests get
    those of the steps that fit, and the default rule's for the rest.
    """
    if c.open:
        with suppress(OpenDimError):
            return c.at(dims)

    def compiled(schedule: Schedule) -> Compilation:
        return compile_graph(
            c.graph,
            c.source,
            dims,
            schedule=schedule,
            on=c.device_class,
            limits=c.limits,
        )

    try:
        return compiled(c.schedule)
    except ScheduleError:
        loops = compiled(Schedule()).stages["loops"].value
        return compiled(c.schedule.fitting(loops))


def small_dims(graph: Graph, dims: Mapping[str, int]) -> dict[str, int]:
    """Reduced dims that keep every assert; the real ones where none of the tried sizes does."""
    from workbench.pipeline import check_dims  # noqa: PLC0415

    for start in range(len(SMALL)):
        tried = {
            name: min(value, SMALL[(start + n) % len(SMALL)])
            for n, (name, value) in enumerate(dims.items())
        }
        same = {name: min(value, SMALL[start]) for name, value in dims.items()}
        for candidate in (tried, same):
            try:
                check_dims(graph, candidate)
            except CallError:
                continue
            return candidate
    return dict(dims)


def random_inputs(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs for a specialised graph: floats in [-1, 1), small ints, random bools.

    Integers that index an array, or bound a range that does, are elements of it; where writes
    are not proved apart, each another one if there are as many.
    """
    rng = np.random.default_rng(seed)
    limits, apart = indexed(graph), scattering(graph)
    found: dict[str, np.ndarray] = {}
    for a in graph.inputs:
        shape = tuple(literal_int(x) or 0 for x in a.shape)
        match a.dtype.kind:
            case "i" | "u" if a.name in apart and math.prod(shape) <= limits[a.name]:
                values = rng.permutation(limits[a.name])[: math.prod(shape)].reshape(shape)
            case "i" | "u" if a.name in limits:
                values = rng.integers(0, max(1, limits[a.name]), shape)
            case "f":
                values = rng.uniform(-1, 1, shape)
            case "b":
                values = rng.integers(0, 2, shape)
            case "i":
                values = rng.integers(-9, 10, shape)
            case "u":
                values = rng.integers(0, 10, shape)
        found[a.name] = values.astype(a.dtype.numpy)
    return found


def random_scalars(graph: Graph) -> dict[str, Any]:
    """Values for scalar parameters: their defaults, else 1.5 or 3."""
    return {
        s.name: s.default if s.default is not None else (1.5 if s.dtype.kind == "f" else 3)
        for s in graph.scalars
    }


def _case(c: Compilation, inputs: Mapping[str, Any] | None) -> _Case:
    special = specialise(c.graph, c.dims)
    scalars = random_scalars(c.graph) | _open_values(c)
    arrays = random_inputs(special)
    if inputs is not None:
        arrays |= {a.name: np.asarray(inputs[a.name]) for a in special.inputs if a.name in inputs}
        scalars |= {s.name: inputs[s.name] for s in special.scalars if s.name in inputs}
        scalars |= _open_values(c)
    sizes = ", ".join(f"{k} = {v}" for k, v in c.dims.items()) or "its own sizes"
    made = reference(special, arrays, scalars, names=c.program.outputs)
    if "scheduled" in c.stages:
        made = replace(made, stored=shorter(special, c.stages["scheduled"].value))
    return _Case(arrays, scalars, made, sizes)


def _open_values(c: Compilation) -> dict[str, int]:
    """The open dims, which are scalars of the program."""
    return {name: c.dims[name] for name in c.open}


def _check_stage(s: Snapshot, c: Compilation, case: _Case, ran: dict[int, Check]) -> Check:
    match s.value:
        case Graph():
            special = specialise(s.value, c.dims) if s.value.symbols() else s.value
            found = run_graph(special, case.inputs, case.scalars, wide=False)
            pairs = zip(case.reference.values, special.outputs, strict=True)
            return _compare(s.name, {new: found[old] for new, old in pairs}, case)
        case Loops():
            return _check_loops(s.name, bound(s.value, c.dims), case)
        case Mapped():
            outputs, findings = run_mapped(
                bound(s.value, c.dims), case.inputs, case.scalars, seed=0
            )
            if not findings.ok:
                words = "; ".join(f.words for f in findings.faults[:3])
                return Check(s.name, "cross", words)
            return _compare(s.name, outputs, case)
        case Program():
            if id(s.value) not in ran:
                ran[id(s.value)] = _check_program(s.name, s.value, c, case)
            return replace(ran[id(s.value)], stage=s.name)
        case _:
            return Check(s.name, "none", "your text")


def _check_loops(stage: str, loops: Loops, case: _Case) -> Check:
    apart = Apart()
    found = run_loops(loops, case.inputs, case.scalars, apart=apart)
    clash = next(apart.faults({b.name: b.sizes for b in loops.buffers}), None)
    if clash is not None:
        return Check(stage, "cross", clash.words)
    return _compare(stage, found, case)


def _check_program(stage: str, program: Program, c: Compilation, case: _Case) -> Check:
    device = open_device(default_device(program.target))
    description = device.describe()
    if not description.available:
        return Check(stage, "none", f"not run here: {description.cause}")
    generation = device.generation
    try:
        found = _outputs(program, device, c, case)
    except (DeviceError, CodegenError) as error:
        if device.generation == generation:
            return Check(stage, "cross", str(error))
        try:  # the device was lost by somebody else's run, and is open anew
            found = _outputs(program, device, c, case)
        except (DeviceError, CodegenError) as again:
            return Check(stage, "cross", str(again))
    return _compare(stage, found, case, f" on {device.name}", program.target)


def _outputs(
    program: Program, device: Device, c: Compilation, case: _Case
) -> dict[str, np.ndarray]:
    outputs = enqueue(
        program, device, [array(case.inputs[n]) for n in program.inputs],
        [case.scalars[p.name] for p in program.scalars], words=f"the check of {c.name}",
    )  # fmt: skip
    return {n: a.numpy() for n, a in zip(program.outputs, outputs, strict=True)}


def _compare(
    stage: str,
    found: Mapping[str, np.ndarray],
    case: _Case,
    where: str = "",
    target: Target = "llvm",
) -> Check:
    if not case.reference.values:
        return Check(stage, "none", "returns nothing")
    ok, words = case.reference.compare(found, target)
    return Check(stage, "tick" if ok else "cross", f"{words}; run{where} at {case.words}")
