"""Layer 5: `compile_graph`, one straight way from a graph to a program, each stage kept.

Touches no device: `on` has become a target and limits before it comes here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from workbench.base.device_class import TARGETS, DeviceClass, Target
from workbench.base.errors import CallError, OpenDimError
from workbench.base.limits import GUARANTEED, Limits
from workbench.base.progress import BOARD
from workbench.base.text import Mark, Text, concatenated
from workbench.ir.device import Mapped
from workbench.ir.graph import Graph
from workbench.ir.loops import Loops
from workbench.ir.origins import graph_origins
from workbench.ir.remarks import Remark, remarks
from workbench.ir.show import graph_text, loops_text
from workbench.ir.show_device import mapped_text
from workbench.lang import LARGEST_DIM, checks_more, prove_literal, waits
from workbench.passes.cleanup import clean
from workbench.passes.facts import facts_left
from workbench.passes.graph import PASSES, specialise
from workbench.passes.held import check_held
from workbench.passes.legality import explained, minimal
from workbench.passes.lower import lower
from workbench.passes.mapping import map_kernels
from workbench.passes.open_dims import check_sizes
from workbench.passes.registers import keep_in_registers
from workbench.passes.swaps import swap_buffers
from workbench.passes.turns import keep_turns
from workbench.passes.unrolled import write_out
from workbench.program import Program, dispatches
from workbench.schedule.blame import LANES, Past, require_legal
from workbench.schedule.rules import default_states
from workbench.schedule.step import Schedule, step_text
from workbench.stages import Language, Snapshot, Stages, Trace, border_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from workbench.base.source import Source

    Programs = Callable[[Mapping[str, int]], Program]


@dataclass(frozen=True)
class Compilation:
    """Everything that one compilation made.

    `dims` are the literals it was compiled for; `schedule` the steps applied, the default
    rule's included. `program` is what a device runs. The dims in `open` are no literals but
    scalars of the program, which has the shapes of their values in `dims`; `at` gives others.
    """

    source: Source
    graph: Graph
    dims: Mapping[str, int]
    device_class: DeviceClass
    limits: Limits
    schedule: Schedule
    stages: Stages
    program: Program
    open: tuple[str, ...] = ()
    program_at: Programs | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The name of the kernel."""
        return self.graph.name

    @property
    def target(self) -> Target:
        """What its device runs."""
        return TARGETS[self.device_class]

    @property
    def seconds(self) -> float:
        """Time of all stages together."""
        return sum(s.seconds for s in self.stages.all)

    @cached_property
    def remarks(self) -> tuple[Remark, ...]:
        """Where numbers may differ from run to run: floats in no fixed order, unproved writes."""
        return remarks(self.stages["specialise"].value)

    def at(self, dims: Mapping[str, int]) -> Compilation:
        """The same code with a program for other values of the open dims; nothing is compiled.

        Raises `CallError` for dims that break an assert, `OpenDimError` where this code does
        not serve: for another literal, or where sizes, indices or limits do not fit.
        """
        values = {**self.dims, **dims}
        check_dims(self.graph, values)
        if values == dict(self.dims):
            return self
        for name, number in values.items():
            if name not in self.open and number != (was := self.dims[name]):
                raise OpenDimError(
                    f"{self.name}: dim {name} is the literal {was} in this code, not {number}",
                    hint=f"k.compile(dims={{{name!r}: None}})",
                )
        assert self.program_at is not None, "a compilation with open dims gives programs"
        program = self.program_at(values)
        stages = self.stages.with_each(self.program, program)
        return replace(self, dims=values, program=program, stages=stages)

    def with_stage(self, name: str, value: Any) -> Compilation:
        """The same compilation with another value at one stage: for experiments and checks."""
        return replace(self, stages=self.stages.replaced(name, value))

    def show(self, view: str = "stages") -> None:
        """Draw one view: "stages", or a picture such as "steps"; a panel in a notebook, else text.

        Raises `WorkbenchError` for an unknown one. Found when asked for, in a layer above this.
        """
        import_module("workbench.widget.show").show(self, view)

    def explain(self, inputs: Any = None, on: str | None = None) -> Any:
        """What limits it on a device: see `workbench.session.explain.explain`."""
        return import_module("workbench.session.explain").explain(self, inputs, on)

    def timeline(self, inputs: Any = None, on: str | None = None) -> Any:
        """When each part of a call is done: see `workbench.session.timeline.timeline`."""
        return import_module("workbench.session.timeline").timeline(self, inputs, on)

    def costs(self, inputs: Any = None, on: str | None = None) -> Any:
        """What each line costs: see `workbench.measure.costs.costs`."""
        return import_module("workbench.session.timeline").line_costs(self, inputs, on)

    def check(self, inputs: Any = None, sizes: Mapping[str, int] | None = None) -> Any:
        """Execute every stage and compare: see `workbench.measure.checks.check`."""
        return import_module("workbench.measure.checks").check(self, inputs, sizes)


def compile_graph(
    graph: Graph,
    source: Source,
    dims: Mapping[str, int],
    *,
    left: Collection[str] = (),
    schedule: Schedule | None = None,
    on: DeviceClass = "gpu",
    limits: Limits = GUARANTEED,
    parse_seconds: float = 0.0,
) -> Compilation:
    """Compile a graph for one set of dims; those in `left` stay open, see `Compilation.at`.

    The default rule of the class of device maps the nests that the schedule leaves unmapped.
    Raises `CallError` for a missing dim or one that breaks an assert, `ScheduleError` for an
    illegal step, `CodegenError` for what the target cannot hold.
    """
    check_dims(graph, dims)
    target = TARGETS[on]
    with BOARD.task(f"compiling '{graph.name}'") as task:
        trace = Trace(task)
        trace.snapshots.append(
            Snapshot(
                "source",
                source,
                "what you wrote",
                parse_seconds,
                render=lambda value: Text(value.text, _source_marks(graph)),
            )
        )
        trace.snapshots.append(
            Snapshot("graph", graph, "what is computed, no order chosen", 0.0, render=graph_text)
        )
        lowered = _to_loops(trace, graph, dims, left)
        past = Past(lowered, facts=facts_left(graph, dims, lowered.open))
        scheduled, past = _scheduled(trace, past, schedule, on)
        kept = _prepared(trace, scheduled, target)
        check_held(kept, target, limits)
        made = _EMIT[target](trace, kept, limits, past)
        program_at = _programs(graph, kept, made, limits)
        program = program_at(dims)
        trace.snapshots.append(_border(graph, made, program))
        stages = Stages(tuple(trace.snapshots)).with_each(made, program)
        return Compilation(
            source, graph, dict(dims), on, limits, past.schedule, stages, program,
            kept.open, program_at if kept.open else None,
        )  # fmt: skip


def _prepared(trace: Trace, scheduled: Loops, target: Target) -> Loops:
    """What schedules leave for every target: turns counted, loops written out, registers."""
    counted: Loops = trace.stage(
        "turns", "the number of each turn, where nests read it", lambda: keep_turns(scheduled),
        loops_text, before=scheduled,
    )  # fmt: skip
    swapped: Loops = trace.stage(
        "swap", "buffers change places where a turn would copy one into another",
        lambda: swap_buffers(counted), loops_text, before=counted,
    )  # fmt: skip
    lanes = LANES if target == "wgsl" else None
    written: Loops = trace.stage(
        "unrolled", "unrolled loops written out", lambda: write_out(swapped, lanes),
        loops_text, before=swapped,
    )  # fmt: skip
    return trace.stage(
        "registers", "private arrays whose every subscript is known, as values",
        lambda: keep_in_registers(written), loops_text, before=written,
    )  # fmt: skip


def _programs(graph: Graph, loops: Loops, made: Programs, limits: Limits) -> Programs:
    """The programs for values of the open dims, once what waited for their values is sure."""
    waiting = bool(loops.open) and waits(graph)

    def at(values: Mapping[str, int]) -> Program:
        if not loops.open:
            return made({})
        check_sizes(loops, values)
        if waiting and checks_more(graph, prove_literal(graph, specialise(graph, values), values)):
            raise OpenDimError(f"{graph.name}: an access has to be checked at these dims")
        program = made({name: int(values[name]) for name in loops.open})
        most = max((max(d.workgroups) for d in dispatches(program.body)), default=0)
        if most > limits.max_compute_workgroups_per_dimension and program.target == "wgsl":
            raise OpenDimError(
                f"{graph.name}: {most} workgroups along one axis; a device has at most "
                f"{limits.max_compute_workgroups_per_dimension}",
            )
        return program

    return at


def check_dims(graph: Graph, dims: Mapping[str, int]) -> None:
    """Refuse missing, unknown or negative dims, and those that break an assert."""
    from workbench.ir.expr import Const  # noqa: PLC0415
    from workbench.passes.facts import broken_fact  # noqa: PLC0415
    from workbench.passes.fold import bind_dims, fold  # noqa: PLC0415

    symbols = graph.symbols()
    missing = [d for d in symbols if d not in dims]
    if missing:
        values = ", ".join(f"{d!r}: 64" for d in symbols)
        raise CallError(
            f"{graph.name}: no value for dim {', '.join(missing)}", hint=f"dims={{{values}}}"
        )
    for name in dims:
        if name not in symbols:
            raise CallError(
                f"{graph.name}: no dim '{name}'", hint="its dims are " + ", ".join(symbols)
            )
        if dims[name] < 0:
            raise CallError(f"{graph.name}: dim {name} is {dims[name]}, below 0")
        if dims[name] > LARGEST_DIM:
            raise CallError(
                f"{graph.name}: dim {name} is {dims[name]}; proofs hold up to {LARGEST_DIM}"
            )
    for fact in graph.facts:
        value = fold(bind_dims(fact, {k: int(v) for k, v in dims.items()}))
        if isinstance(value, Const) and not value.value:
            raise broken_fact(graph.name, fact, dims)


def _to_loops(trace: Trace, graph: Graph, dims: Mapping[str, int], left: Collection[str]) -> Loops:
    """The loops of a graph; what waits for the values of dims in `left` is proved with those."""

    def special_graph() -> Graph:
        special = specialise(graph, dims, left)
        return special if special.open else prove_literal(graph, special, dims)

    note = "the dims of this call put in"
    note += f"; {', '.join(left)} stay open: uniforms" if left else ""
    special = trace.stage(
        "specialise", note, special_graph, graph_text, before=None if graph.symbols() else graph
    )
    for name, graph_pass in PASSES:
        before = special
        note = (graph_pass.__doc__ or "").strip().partition("\n")[0]
        special = trace.stage(
            name, note, lambda p=graph_pass, g=before: p(g), graph_text, before=before
        )
    final = special
    return trace.stage("loops", "one nest per equation", lambda: lower(final), loops_text)


def _scheduled(
    trace: Trace, past: Past, schedule: Schedule | None, on: DeviceClass
) -> tuple[Loops, Past]:
    """Apply the user's steps, then the rule's for what they left unmapped."""
    loops, mine = past.start, schedule or Schedule()
    for who, states in (("you", mine.states), ("the default rule", partial(default_states, on=on))):
        start = time.perf_counter()
        for s, after in states(loops):
            seconds = time.perf_counter() - start
            name, note = step_text(s), f"step {len(past.taken) + 1}, by {who}"
            trace.snapshots.append(Snapshot(name, after, note, seconds, render=loops_text))
            past, loops = past.then(s, after, mine if who == "you" else None), after
            start = time.perf_counter()
    final = loops
    cleaned: Loops = trace.stage(
        "scheduled", "the loops after every step, tidied", lambda: clean(final), loops_text
    )
    return cleaned, past


def _wgsl(trace: Trace, loops: Loops, limits: Limits, past: Past) -> Programs:
    from workbench.codegen.wgsl import translate  # noqa: PLC0415  (one target is loaded, not all)

    mapped: Mapped = trace.stage(
        "kernel", "loops mapped to workgroups and invocations",
        lambda: minimal(map_kernels(loops)),
        kernels_text,
    )  # fmt: skip
    trace.stage(
        "legal", "no race, no barrier that some miss, no access outside; within the limits",
        lambda: require_legal(mapped, limits, past), kernels_text, before=mapped,
    )  # fmt: skip
    return trace.stage(
        "wgsl", "what the GPU's driver is given", lambda: translate(mapped), program_text,
        language="wgsl",
    )  # fmt: skip


def _llvm(trace: Trace, loops: Loops, *_: object) -> Programs:
    from workbench.codegen import listing  # noqa: PLC0415  (one target is loaded, not all)
    from workbench.codegen.llvm import translate  # noqa: PLC0415

    program = trace.stage(
        "llvm", "what LLVM is given", lambda: translate(loops), listing.unoptimised, language="llvm"
    )
    later: tuple[tuple[str, str, Callable[[Program], Text], Language], ...] = (
        ("llvm-opt", "after LLVM's O2 for this CPU", listing.optimised, "llvm"),
        ("asm", "what this CPU runs", listing.assembly, "asm"),
    )
    for name, note, render, language in later:
        trace.snapshots.append(Snapshot(name, program, note, 0.0, language, render=render))
    return program


def _wasm(trace: Trace, loops: Loops, *_: object) -> Programs:
    from workbench.codegen import listing, wasm  # noqa: PLC0415  (one target is loaded, not all)
    from workbench.codegen.wasm_text import wasm_text  # noqa: PLC0415

    started = time.perf_counter()
    sources = wasm.sources(loops)
    source = sources(dict.fromkeys(loops.open, 0))
    emitted = time.perf_counter()
    wasm.from_source(source)
    linked = time.perf_counter() - emitted
    optimised = partial(listing.optimised, processor="wasm32")

    def made(values: Mapping[str, int]) -> Program:
        return wasm.from_source(sources(values))

    shown: tuple[tuple[str, str, float, Callable[[Program], Text], Language], ...] = (
        ("llvm", "what LLVM is given", emitted - started, listing.unoptimised, "llvm"),
        ("llvm-opt", "after LLVM's O2 for wasm32", 0.0, optimised, "llvm"),
        ("wasm", "what an engine of WebAssembly runs", linked, wasm_text, "wasm"),
    )
    for name, note, seconds, render, language in shown:
        # Every stage runs as the program; its text is made from what LLVM was given.
        text = partial(_render, render, source)
        trace.snapshots.append(Snapshot(name, made, note, seconds, language, render=text))
    return made


def _render(render: Callable[[Program], Text], source: Program, _: Program) -> Text:
    return render(source)


_EMIT: Mapping[Target, Callable[[Trace, Loops, Limits, Past], Programs]] = {
    "wgsl": _wgsl, "llvm": _llvm, "wasm": _wasm
}  # fmt: skip


def kernels_text(mapped: Mapped) -> Text:
    """Every device kernel, with what each barrier is for."""
    return mapped_text(explained(mapped))


def program_text(program: Program) -> Text:
    """The code of every kernel, with its marks."""
    return concatenated(k.text for k in program.kernels)


def _border(graph: Graph, made: Programs, program: Program) -> Snapshot:
    """How arrays are stored; hidden where that is as on the host, for all values of open dims."""
    stored = [program.buffer(n) for n in (*program.inputs, *program.outputs)]
    fixed = any(p.value is not None for p in program.scalars)
    changed = any(b.change or (fixed and b.dtype.bits < 32) for b in stored)
    return Snapshot(
        "border", made, "how arrays change between the host and a device", 0.0,
        changed=changed, render=lambda p: border_text(graph, p),
    )  # fmt: skip


def _source_marks(graph: Graph) -> tuple[Mark, ...]:
    """Every span that a node of the graph came from, outer ones first."""
    found = (Mark(o.span.start, o.span.end, o) for o in graph_origins(graph) if o.span)
    return tuple(sorted(found, key=lambda m: (m.start, -m.end)))
