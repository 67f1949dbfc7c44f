"""What can be compared, made ready: kernels with schedules, shaders, and functions of the host.

Each becomes a `Contender`, which on a device becomes something that is called without arguments.
To add a kind of thing, add a case to `contender`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from workbench.base.errors import CallError
from workbench.frontends.peers import as_function
from workbench.measure.timing import Reading
from workbench.runtime.arrays import Array, array
from workbench.schedule.step import Schedule
from workbench.session.devices import choose
from workbench.session.kernel import Kernel
from workbench.session.schedules import KernelSchedule, Turned
from workbench.session.shader import WgslKernel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workbench.measure.comparison import Made
    from workbench.program import Program

HOST = "host"
"""The place of what runs in this process and is no kernel."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A thing on a device: `call` enqueues it, or runs it, and gives its results.

    `made` is what the device runs, and how it came about; None for functions of the host.
    """

    call: Callable[[], Any]
    identity: str
    made: Made | None = None
    compile: float | None = None
    transfer: int = 0

    def run(self, count: int) -> Reading:
        """Run it so many times, one after another, and wait for the last."""
        began = time.perf_counter()
        for _ in range(count - 1):
            self.call()
        first = results(self.call())[0]
        if not isinstance(first, Array):
            return Reading(time.perf_counter() - began)
        assert first.call is not None, "a result comes from a call"
        first.call.wait()
        seconds = time.perf_counter() - began
        timing = first.call.timing
        # The last of the batch stands for all: devices stamp no other.
        if timing is None or timing.kernel is None:
            return Reading(seconds)
        return Reading(seconds, timing.kernel * count, timing.clock)


@dataclass(frozen=True, slots=True)
class KernelContender:
    """A kernel by a schedule."""

    label: str
    kernel: Kernel
    schedule: Schedule | None

    def ready(self, inputs: Mapping[str, Any], on: str) -> Ready:
        """Compiled for the inputs; the program says which code it is."""
        given = _by_name(self.kernel.graph.parameters, inputs)
        device, _ = choose(on, dtypes=self.kernel.graph.dtypes())
        resident = {n: array(v) if isinstance(v, np.ndarray) else v for n, v in given.items()}
        began = time.perf_counter()
        results(self.kernel(**resident, on=device, schedule=self.schedule))
        seconds = time.perf_counter() - began
        last = self.kernel.last
        assert last is not None, "it was just called"

        def call() -> Any:
            return self.kernel(**resident, on=device, schedule=self.schedule)

        size = sum(a.nbytes for a in resident.values() if isinstance(a, Array))
        c = last.compilation
        return Ready(call, _identity(c.program), c, seconds, size)


@dataclass(frozen=True, slots=True)
class ShaderContender:
    """A hand-written shader with the options of its call."""

    label: str
    shader: WgslKernel
    options: Mapping[str, Any]

    def ready(self, inputs: Mapping[str, Any], on: str) -> Ready:
        """Its inputs are those of the names that it has, else all in order."""
        names = [s.name for s in self.shader.shader.inputs]
        names += [p.name for p in self.shader.shader.scalars]
        given = _by_name(names, inputs)
        device, _ = choose(on, "wgsl")
        resident = [array(v) if isinstance(v, np.ndarray) else v for v in given.values()]
        began = time.perf_counter()

        def call() -> Any:
            return self.shader(*resident, on=device, **self.options)

        call()
        seconds = time.perf_counter() - began
        assert self.shader.last is not None, "it was just called"
        size = sum(a.nbytes for a in resident if isinstance(a, Array))
        program = self.shader.last.program
        return Ready(call, _identity(program), program, seconds, size)


@dataclass(frozen=True, slots=True)
class FunctionContender:
    """A function of NumPy arrays, a session of ONNX Runtime, or a module of PyTorch."""

    label: str
    prepare: Callable[[Mapping[str, Any]], Callable[[], Any]]

    def ready(self, inputs: Mapping[str, Any], on: str) -> Ready:
        """Called with the inputs in order; `on` says nothing to it."""
        del on
        given = {n: np.array(v) if isinstance(v, Array) else v for n, v in inputs.items()}
        shapes = [np.shape(v) for v in given.values()]
        return Ready(self.prepare(given), f"host {self.label} {shapes}")


Contender = KernelContender | ShaderContender | FunctionContender


def contenders(things: Sequence[Any]) -> tuple[Contender, ...]:
    """What is compared, each with a label of its own.

    Raises `CallError` for what cannot be compared, and what making a schedule raises.
    """
    known: dict[str, Kernel] = {}
    found: list[Contender] = []
    for thing in things:
        one = contender(thing, known)
        if isinstance(one, KernelContender):
            known[one.kernel.name] = one.kernel
        found.append(one)
    labels = [c.label for c in found]
    doubled = next((n for n in labels if labels.count(n) > 1), None)
    if doubled is not None:
        raise CallError(
            f"compare: two things are called '{doubled}'",
            hint=f"('{doubled} again', ...) gives one of them a name",
        )
    return tuple(found)


def contender(thing: Any, known: Mapping[str, Kernel]) -> Contender:
    """One thing made comparable; `known` are the kernels before it, by name.

    Raises `CallError` for what cannot be compared.
    """
    match thing:
        case (str(label), inner):
            return replace(contender(inner, known), label=label)
        case Kernel():
            return KernelContender(thing.name, thing, None)
        case (Kernel() as k, schedule):
            return _scheduled(k, schedule)
        case KernelSchedule(text=text):
            return _scheduled(_kernel(text.kernel, text.name, known), thing)
        case Turned(function=function):
            name = function.text.name
            return _scheduled(_kernel(function.text.kernel, name, known), thing)
        case Schedule():
            name = "" if thing.home is None else thing.home.name
            return _scheduled(_kernel(name, "a schedule", known), thing)
        case (WgslKernel() as shader, {**options}):
            return ShaderContender(shader.name, shader, dict(options))
        case WgslKernel():
            raise CallError(
                f"compare: {thing.name} is a shader, and nothing says its workgroups",
                hint=f'({thing.name}, {{"workgroups": (8, 8), "outputs": {{"C": (64, 64)}}}})',
            )
        case _:
            found = as_function(thing)
            if found is None:
                raise CallError(
                    f"compare: {type(thing).__name__} is nothing that runs",
                    hint="a kernel, (kernel, schedule), or a function of the inputs",
                )
            return FunctionContender(*found)


def results(found: Any) -> tuple[Any, ...]:
    """What a call gave, as a tuple."""
    if isinstance(found, tuple | list):
        return tuple(cast("Sequence[Any]", found))
    return (found,)


def _scheduled(k: Kernel, schedule: Any) -> KernelContender:
    match schedule:
        case str():
            label = f"{k.name}.{schedule}"
        case KernelSchedule(text=text):
            label = f"{k.name}.{text.name}"
        case Turned(given=given):
            knobs = ", ".join(f"{n}={v}" for n, v in given.items())
            label = f"{k.name}.{schedule.name}({knobs})"
        case Schedule(steps=steps):
            label = f"{k.name} in {len(steps)} steps"
        case _:
            label = k.name
    return KernelContender(label, k, k.steps_of(schedule))


def _kernel(name: str, schedule: str, known: Mapping[str, Kernel]) -> Kernel:
    if name not in known:
        raise CallError(
            f"compare: {schedule} is for the kernel '{name}', which is not among the things before",
            hint=f"compare({name or 'kernel'}, {schedule})",
        )
    return known[name]


def _by_name(names: Sequence[str], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of these names, or all of them in order where names are not known."""
    if set(names) <= set(inputs):
        return {n: inputs[n] for n in names}
    return dict(zip(names, inputs.values(), strict=False))


def _identity(program: Program) -> str:
    told = json.dumps(program.to_json(), sort_keys=True)
    return sha256(told.encode()).hexdigest()[:24]
