"""From text to code, warm, against Python's own compiler on the same text; cost of the trace."""

from __future__ import annotations

from benchmarks.row import Row, interleaved
from workbench.base.device_class import DeviceClass
from workbench.base.source import Source
from workbench.codegen.wgsl import emit
from workbench.demo import TEXT
from workbench.lang import parse
from workbench.passes.cleanup import clean
from workbench.passes.graph import PASSES, specialise
from workbench.passes.lower import lower
from workbench.passes.mapping import map_kernels
from workbench.pipeline import compile_graph
from workbench.schedule.rules import default_states

DIMS = {"matmul": {"M": 512, "K": 512, "N": 512}, "softmax": {"M": 512, "N": 512}}
TEXTS = {
    name: "def " + next(part for part in TEXT.split("\ndef ") if part.lstrip().startswith(name))
    for name in DIMS
}
CLASSES: tuple[DeviceClass, ...] = ("gpu", "cpu 256")
WANT = {"matmul": "at most 30 ms", "softmax": "at most 40 ms"}


def rows() -> list[Row]:
    found: list[Row] = []
    for name, text in TEXTS.items():
        for on in CLASSES:

            def compiled(text: str = text, name: str = name, on: DeviceClass = on) -> object:
                source = Source(text)
                graph = parse(source).kernels[-1]
                return compile_graph(graph, source, DIMS[name], on=on).program

            ours, python = interleaved(compiled, lambda t=text: compile(t, "text", "exec"))
            want = WANT[name] if on == "gpu" else ""
            found.append(
                Row(f"{name}: text to {on}", ours * 1e3, "ms", python * 1e3,
                    "Python's own compile", want)
            )  # fmt: skip
        traced, bare = _tracing(name, text)
        found.append(
            Row(f"{name}: with every stage kept", traced * 1e3, "ms", bare * 1e3,
                "the same without a trace", "at most 1.15 x")
        )  # fmt: skip
    return found


def _tracing(name: str, text: str) -> list[float]:
    source = Source(text)
    graph = parse(source).kernels[-1]

    def bare() -> object:
        special = specialise(graph, DIMS[name])
        for _, graph_pass in PASSES:
            special = graph_pass(special)
        loops = lower(special)
        for state in default_states(loops, "gpu"):
            loops = state[1]
        loops = clean(loops)
        return emit(map_kernels(loops))

    return interleaved(lambda: compile_graph(graph, source, DIMS[name]), bare, repeats=31)
