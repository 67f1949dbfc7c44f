"""What happens when a cell of hand-written WGSL is run: the driver, a run, a comparison."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.errors import WorkbenchError
from workbench.runtime.arrays import Array, array
from workbench.runtime.device import Timing, open_device
from workbench.session.cell import DeviceAnswer, finished, repeated
from workbench.session.devices import LISTED, choose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.session.kernel import Kernel
    from workbench.session.shader import Shape, WgslKernel, Workgroups


@dataclass(frozen=True, slots=True)
class ShaderOptions:
    """What a cell says beyond its text: `like` is the kernel to compare with."""

    on: str = "auto"
    workgroups: Workgroups | None = None
    outputs: Mapping[str, Shape] | None = None
    like: Kernel | None = None
    timed: bool = False


@dataclass(frozen=True, slots=True)
class ShaderRun:
    """Everything one cell of WGSL did. `outputs` is empty where it was not run."""

    kernel: WgslKernel
    device: str
    reason: str
    compile_seconds: float
    outputs: Mapping[str, Array]
    timing: Timing | None = None
    repeats: int = 0
    answers: tuple[DeviceAnswer, ...] = ()


def run_shader(k: WgslKernel, namespace: Mapping[str, Any], options: ShaderOptions) -> ShaderRun:
    """Give a shader to the driver; where its arguments exist, run it and compare it.

    Raises what compiling and calling raise. A disagreement is a cross, not an error.
    """
    device, reason = choose(options.on, "wgsl")
    start = time.perf_counter()
    k.compile(on=device)
    run = ShaderRun(k, device, reason, time.perf_counter() - start, {})
    values, missing = _arguments(k, namespace, options)
    if options.workgroups is None:
        return replace(run, reason="compiled, not run: --workgroups X,Y,Z says how many")
    if missing:
        return replace(run, reason=f"compiled, not run: no value for {', '.join(missing)}")
    answers = ()
    if options.like is not None:
        answers = tuple(_answer(k, name, device, values, options) for name in LISTED
                        if open_device(name).describe().target == "wgsl")  # fmt: skip
        values["outputs"] = _shapes(values["outputs"], k)
    count, outputs_given = options.workgroups, values.pop("outputs")
    resident = {n: array(v) if isinstance(v, np.ndarray) else v for n, v in values.items()}

    def once() -> Any:
        return k(**resident, outputs=outputs_given, workgroups=count, on=device)

    timing = finished(once())
    assert k.last is not None, "it was just called"
    names = [s.name for s in k.shader.outputs]
    outputs = dict(zip(names, k.last.outputs, strict=True))
    repeats = 0
    if options.timed:
        timing, repeats = repeated(once, timing or Timing())
    return replace(run, outputs=outputs, timing=timing, repeats=repeats, answers=answers)


def _arguments(
    k: WgslKernel, namespace: Mapping[str, Any], options: ShaderOptions
) -> tuple[dict[str, Any], list[str]]:
    """The arguments of a call found by name, and the names without one."""
    values: dict[str, Any] = {}
    outputs: dict[str, Any] = dict(options.outputs or {})
    missing: list[str] = []
    for s in k.shader.storage:
        value = namespace.get(s.name)
        there = isinstance(value, Array | np.ndarray)
        if s.access == "read_write":
            if there and s.name not in outputs:
                outputs[s.name] = value
            elif s.name not in outputs and None in s.shape and options.like is None:
                missing.append(f"{s.name} (an array, or --output {s.name}=64)")
        elif there:
            values[s.name] = value
        else:
            missing.append(s.name)
    for p in k.shader.scalars:
        value = namespace.get(p.name)
        if isinstance(value, int | float | np.generic):
            values[p.name] = value
        else:
            missing.append(p.name)
    return {**values, "outputs": outputs}, missing


def _answer(
    k: WgslKernel, name: str, shown: str, values: Mapping[str, Any], options: ShaderOptions
) -> DeviceAnswer:
    """One device's answer compared with the kernel it should be like."""
    assert options.like is not None
    assert options.workgroups is not None
    description = open_device(name).describe()
    if not description.available:
        return DeviceAnswer(name, "none", f"not here: {description.cause}")
    try:
        agreed = k.check_against(options.like, **values, workgroups=options.workgroups, on=name)
    except WorkbenchError as error:
        if name == shown:
            raise
        return DeviceAnswer(name, "cross", str(error).partition("\n")[0])
    words = f"{options.like.name}: {agreed.words}"
    return DeviceAnswer(name, "tick" if agreed else "cross", words)


def _shapes(outputs: Mapping[str, Any], k: WgslKernel) -> dict[str, Any]:
    """The outputs with the shapes of those left out, after it was compared with."""
    assert k.last is not None, "a comparison is a call"
    shapes = {s.name: a.shape for s, a in zip(k.shader.outputs, k.last.outputs, strict=True)}
    return {**shapes, **outputs}
