"""`Kernel`: the public callable made from a text, and how a call becomes a program's run."""

from __future__ import annotations

import inspect
import textwrap
import time
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Any

from workbench.base.errors import ScheduleError, SourceError
from workbench.base.source import Source
from workbench.ir.show import graph_text
from workbench.runtime.arrays import Array
from workbench.runtime.device import open_device
from workbench.runtime.enqueue import enqueue
from workbench.runtime.transfers import since
from workbench.schedule.saved import from_json
from workbench.schedule.step import Home, Schedule
from workbench.session.arguments import (
    bind,
    check_facts,
    check_known,
    fitted,
    infer_dims,
    scalar_value,
    typed,
)
from workbench.session.caller import calling_line
from workbench.session.compilations import Compilations, unscheduled
from workbench.session.devices import choose
from workbench.session.schedules import KernelSchedule, Turned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.ir.graph import Graph
    from workbench.measure.timeline import Timeline
    from workbench.pipeline import Compilation
    from workbench.runtime.transfers import Transfer

DEFAULT_DIM = 64
"""The value of a dim when something is compiled to be looked at and no array gives one."""


@dataclass(frozen=True, slots=True)
class Last:
    """What the last call of a kernel was: for the panel.

    `transfers` say by parameter what the call took to its device.
    """

    compilation: Compilation
    device: str
    reason: str
    inputs: Mapping[str, Any]
    outputs: tuple[Array, ...]
    seconds: float
    transfers: Mapping[str, tuple[Transfer, ...]]


@dataclass(eq=False)
class Kernel:
    """A kernel of the cell language: call it with arrays, or look inside it.

    `k(A, B)` or `k(A=a, B=b)`, in the order of the signature.
    `on` names a device ("auto" takes the best one here), `schedule` replaces the default rule.
    """

    graph: Graph
    source: Source
    schedules: Mapping[str, KernelSchedule] = field(default_factory=dict[str, KernelSchedule])
    parse_seconds: float = 0.0
    last: Last | None = None
    compilations: Compilations = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is compiled yet; the schedules of the text are this kernel's."""
        self.schedules = {n: replace(s, empty=self.schedule) for n, s in self.schedules.items()}
        self.compilations = Compilations(self.graph, self.source, self.parse_seconds)

    @property
    def name(self) -> str:
        """The name in the text."""
        return self.graph.name

    @property
    def __doc__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return f"{self.signature()}\n\n{self.graph.doc}".rstrip()

    def __repr__(self) -> str:
        return f"<kernel {self.signature()}>"

    def signature(self) -> str:
        """The signature as the text says it."""
        words = {a.name: typed(a) for a in self.graph.inputs}
        for x in self.graph.scalars:
            words[x.name] = f"{x.name}: {x.dtype}{'' if x.default is None else f' = {x.default}'}"
        shown = [words[name] for name in self.graph.parameters]
        arrays = self.graph.arrays()
        results = [typed(arrays[o]).partition(": ")[2] for o in self.graph.outputs]
        result = results[0] if len(results) == 1 else f"({', '.join(results)})"
        return f"{self.name}({', '.join(shown)}) -> {result}"

    def __call__(self, *args: Any, on: str = "auto", schedule: Any = None, **named: Any) -> Any:
        """Enqueue the kernel on a device; returns at once an `Array`, or a tuple for several.

        Raises `CallError` where arguments do not fit the signature (rank, dtype, dim), and what
        `compile` raises. Errors of the run itself surface when a result is read.
        """
        values = bind(self.graph, args, named)
        arrays = {a.name: fitted(self.graph, a, values[a.name]) for a in self.graph.inputs}
        scalars = {
            s.name: scalar_value(self.name, s.name, s.dtype, values[s.name])
            for s in self.graph.scalars
        }
        dims = infer_dims(self.graph, arrays)
        dims |= {n: int(scalars[n]) for n in self.graph.symbols() if n in scalars}
        check_known(self.graph, dims)
        check_facts(self.graph, dims, scalars)
        device_name, reason = choose(on, dtypes=self.graph.dtypes())
        start = time.perf_counter()
        device = open_device(device_name)
        panels = {n: p for n, a in arrays.items() if (p := a.panels_on(device)) is not None}
        c = self.compilations.of_call(dims, self.steps_of(schedule), device_name, panels)
        inputs = [arrays[n] for n in c.program.inputs]
        before = {n: a.transfers if a is values[n] else () for n, a in arrays.items()}
        numbers = [scalars[p.name] for p in c.program.arguments]
        words, line = f"{self.name}(...)", calling_line()
        outputs = enqueue(c.program, device, inputs, numbers, words=words, line=line)
        seconds = time.perf_counter() - start
        told = self.compilations.words(c.open)
        reason = f"{reason}; {told}" if told else reason
        transfers = {n: since(before[n], a.transfers) for n, a in arrays.items()}
        self.last = Last(c, device_name, reason, {**arrays, **scalars}, outputs, seconds, transfers)
        return outputs[0] if len(outputs) == 1 else outputs

    def compile(
        self,
        schedule: Any = None,
        on: str = "native",
        dims: Mapping[str, int | None] | None = None,
    ) -> Compilation:
        """Compile for a device's target and limits; the same arguments give the same object.

        A dim that is not given is 64, one that is None stays open: the code serves every value,
        and `c.at({"N": 100})` is the compilation with a program for 100.
        Raises `ScheduleError`, `CodegenError`, `CallError`.
        """
        given = dict(dims or {})
        left = tuple(n for n in self.graph.symbols() if n in given and given[n] is None)
        known = {n: v for n, v in given.items() if v is not None}
        values = dict.fromkeys(self.graph.symbols(), DEFAULT_DIM) | known
        return self.compilations.get(values, left, self.steps_of(schedule), on)

    def timeline(
        self, *args: Any, on: str = "auto", schedule: Any = None, **named: Any
    ) -> Timeline:
        """Call the kernel, and again so that each part of the call has a time of its own.

        As a call, it raises what that raises; also what reading the result would.
        """
        self(*args, on=on, schedule=schedule, **named)
        assert self.last is not None, "it was just called"
        return self.last.compilation.timeline(self.last.inputs, self.last.device)

    def live(
        self,
        *args: Any,
        schedule: Any = None,
        show: str | None = None,
        scale: tuple[float, float] | None = None,
        steps: int | None = None,
        **named: Any,
    ) -> None:
        """Run the kernel in the notebook's page at the display's rate, and draw what it makes.

        Scalars become sliders: `a=1.0`, `a=(low, high)` or `a=(low, high, start)`; or they follow
        something: `a="time"`, "frame", "pointer.x", "pointer.y" or "pointer.down". Outputs that
        are named like a parameter are its values in the next of `steps` runs a frame (1). `show`
        is the output drawn, `scale` the values of the darkest and the lightest colour. Where the
        kernel has a parameter `scale`, that is meant, and the option is `scale_`; so for others.
        Without a page the first frame is shown, with the reason.
        Raises `CallError` for what does not fit, and what compiling and running raise.
        """
        # Drawing is a layer above this one: it is found by name, when somebody looks.
        view = import_module("workbench.widget.live")
        view.show(self, args, named, schedule, {"show": show, "scale": scale, "steps": steps})

    def schedule(self, dims: Mapping[str, int | None] | None = None) -> Schedule:
        """An empty schedule of this kernel: `.split("k", 8).reorder("i", "j")`, `.check()`.

        `check()` looks at the loops for `dims`: 64 where one is not given; None leaves it open.
        """
        values = dict.fromkeys(self.graph.symbols(), DEFAULT_DIM) | dict(dims or {})
        identity = sha256(graph_text(self.graph).value.encode()).hexdigest()[:16]
        return Schedule(home=Home(self.name, identity, lambda: self.loops(values)))

    def saved_schedule(self, text: str, dims: Mapping[str, int | None] | None = None) -> Schedule:
        """The schedule of a text that `Schedule.to_json` gave for this kernel.

        Raises `ScheduleError` for texts of another version or for another kernel.
        """
        home = self.schedule(dims).home
        assert home is not None, "a schedule of a kernel has a home"
        return from_json(text, home)

    def loops(self, dims: Mapping[str, int | None]) -> Any:
        """The loops before any step; a dim that is None stays open."""
        return unscheduled(self.graph, dims)

    def steps_of(self, schedule: Any) -> Schedule | None:
        """What `schedule=` of a call may be, as a `Schedule`; None for the default rule."""
        match schedule:
            case None | Schedule():
                return schedule
            case KernelSchedule() | Turned():
                return schedule()
            case str() if schedule in self.schedules:
                return self.schedules[schedule]()
            case _:
                known = ", ".join(self.schedules) or "none in its text"
                raise ScheduleError(
                    f"{self.name}: no schedule {schedule!r}; schedules: {known}",
                    hint=f"{self.name}.schedule().split(...)",
                )


def kernel(source: str | Callable[..., Any]) -> Kernel:
    """The last kernel of a text in the cell language, or of a Python function's text.

    The text is parsed and checked, never executed. Raises `SourceError` with every mistake.
    """
    if callable(source):
        try:
            text = textwrap.dedent(inspect.getsource(source))
        except OSError as error:
            raise SourceError(
                f"the text of {source!r} is not known",
                hint='wb.kernel("""def ...""") with the text itself',
            ) from error
        lines = text.splitlines(keepends=True)
        while lines and lines[0].lstrip().startswith("@"):
            lines.pop(0)
        source = "".join(lines)
    found = kernels(Source(source))
    return list(found.values())[-1]


def kernels(source: Source) -> dict[str, Kernel]:
    """Every kernel of a text by name, in order. Raises `SourceError` where there is none."""
    from workbench.lang import parse  # noqa: PLC0415  (with `ast` and isl: when first compiled)

    start = time.perf_counter()
    module = parse(source)
    seconds = time.perf_counter() - start
    if not module.kernels:
        raise SourceError(
            "the text has no kernel: no function with an array in its signature",
            hint="def double(x: f32[N]) -> f32[N]:",
        )
    return {
        g.name: Kernel(
            g, source,
            {s.name: KernelSchedule(s) for s in module.schedules if s.kernel == g.name}, seconds,
        )
        for g in module.kernels
    }  # fmt: skip
