"""`compile_model`, from a model graph and the inputs of a call to one program, each stage kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module

from workbench.base.device_class import TARGETS, DeviceClass, Target
from workbench.base.errors import Mistake
from workbench.base.limits import Limits
from workbench.base.progress import BOARD
from workbench.base.text import Mark, Text, Writer, concatenated
from workbench.ir.model import ModelGraph
from workbench.models.kernels import kernel_of
from workbench.models.link import Linked, link
from workbench.models.memory import MemoryPlan
from workbench.models.specialise import InputType, Specialised, specialise
from workbench.ops.tensor import Formula, UnsupportedError
from workbench.pipeline import Compilation
from workbench.program import Program
from workbench.stages import Language, Snapshot, Stages, Trace

_CODE: Mapping[Target, tuple[Language, str]] = {
    "wgsl": ("wgsl", "what the GPU's driver is given"),
    "llvm": ("llvm", "what LLVM is given"),
    "wasm": ("wasm", "what an engine of WebAssembly runs"),
}


@dataclass(frozen=True, eq=False)
class ModelCompilation:
    """Everything that one compilation of a model made, for one set of shapes.

    `kernels` are the compilations of its formulas, in the order in which they run; equal formulas
    share one. `memory` says where values between kernels lie.
    """

    model: Specialised
    target: Target
    limits: Limits
    kernels: Mapping[Formula, Compilation]
    linked: Linked
    stages: Stages

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.model.graph.name

    @property
    def program(self) -> Program:
        """What a device runs: one program for the whole model."""
        return self.linked.program

    @property
    def memory(self) -> MemoryPlan:
        """The buffers of the values between kernels."""
        return self.linked.memory

    @property
    def seconds(self) -> float:
        """Time of all stages together."""
        return sum(s.seconds for s in self.stages.all)

    def show(self, view: str = "stages") -> None:
        """Draw one view; see `Compilation.show`."""
        import_module("workbench.widget.show").show(self, view)


@dataclass(eq=False)
class _Kernels:
    made: dict[Formula, Compilation] = field(default_factory=dict[Formula, Compilation])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])


def compile_model(
    graph: ModelGraph, given: Mapping[str, InputType], on: DeviceClass, limits: Limits
) -> ModelCompilation:
    """Compile a model for these inputs.

    Raises `UnsupportedError` with every node that the operators, or the target, do not have in
    this form: the former before anything is compiled.
    """
    target = TARGETS[on]
    with BOARD.task(f"compiling '{graph.name}'") as task:
        trace = Trace(task)
        source = Snapshot("source", graph, "the nodes of the file", 0.0, render=_source_text)
        trace.snapshots.append(source)
        model: Specialised = trace.stage(
            "graph", "what each node computes at these shapes", lambda: specialise(graph, given),
            _graph_text,
        )  # fmt: skip
        kernels: _Kernels = trace.stage(
            "kernels", "the kernels in their order, equal ones compiled once",
            lambda: _compiled(model, on, limits), lambda k: _kernels_text(model, k),
        )  # fmt: skip
        linked: Linked = trace.stage(
            "memory", "which values share a buffer", lambda: link(model, kernels.made, target),
            _memory_text,
        )  # fmt: skip
        language, note = _CODE[target]
        trace.snapshots.append(
            Snapshot(target, linked, note, 0.0, language, render=lambda x: _code_text(x.program))
        )
        stages = Stages(tuple(trace.snapshots))
        return ModelCompilation(model, target, limits, kernels.made, linked, stages)


def _compiled(model: Specialised, on: DeviceClass, limits: Limits) -> _Kernels:
    kernels = _Kernels()
    for formula, node in model.formulas.items():
        try:
            kernels.made[formula] = kernel_of(formula, node, on, limits)
        except UnsupportedError as error:
            kernels.mistakes += error.mistakes
    if kernels.mistakes:
        raise UnsupportedError(*dict.fromkeys(kernels.mistakes))
    return kernels


def _source_text(graph: ModelGraph) -> Text:
    marks = [Mark(s.start, s.end, n.origin) for n in graph.nodes if (s := n.origin.span)]
    return Text(graph.source.text, tuple(marks))


def _graph_text(model: Specialised) -> Text:
    """The formula of each kernel below the node that it computes."""
    w = Writer()
    for formula, node in model.formulas.items():
        with w.mark(node.origin):
            w.line(f"# {node.words}")
            for line in formula.text.splitlines():
                w.line(line)
        w.line()
    return w.text()


def _kernels_text(model: Specialised, kernels: _Kernels) -> Text:
    w = Writer()
    for number, (formula, c) in enumerate(kernels.made.items()):
        node = model.formulas[formula]
        count = len(c.program.kernels)
        shapes = ", ".join(f"{t}{list(s)}" for t, s in formula.results)
        with w.mark(node.origin):
            w.write(f"{number}: {formula.name} -> {shapes}, {count} dispatches, of {node.words}")
        w.end()
    return w.text()


def _memory_text(linked: Linked) -> Text:
    memory = linked.memory
    lines = [f"{memory.peak} bytes, of {memory.least} that are needed at once"]
    for name, size in memory.sizes.items():
        values = ", ".join(v for v, place in memory.places.items() if place == name)
        lines.append(f"{name}: {size} bytes, for {values}")
    return Text("\n".join(lines) + "\n")


def _code_text(program: Program) -> Text:
    """The code of the kernels, each once."""
    return concatenated({k.code: k.text for k in program.kernels}.values())
