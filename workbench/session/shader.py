"""`WgslKernel`: a hand-written shader as a callable, and its comparison with another kernel."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from workbench.base.errors import CallError, SourceError
from workbench.base.source import Source
from workbench.frontends.wgsl import Shader, Storage, read
from workbench.frontends.wgsl_program import fitting, program_of
from workbench.runtime.arrays import Array, array
from workbench.runtime.device import open_device
from workbench.runtime.enqueue import enqueue
from workbench.session.arguments import scalar_value
from workbench.session.devices import choose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.measure.timeline import Timeline
    from workbench.program import Program
    from workbench.session.kernel import Kernel

_OPTIONS = ("workgroups", "outputs", "on")
Shape = tuple[int, ...]
Workgroups = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether a shader gives what another kernel means; true where it does."""

    ok: bool
    words: str

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True)
class ShaderCall:
    """What the last call of a shader was: for the panel, and to trace it.

    `inputs` and `numbers` are what its program was given.
    """

    program: Program
    device: str
    reason: str
    inputs: tuple[Array, ...]
    numbers: tuple[Any, ...]
    outputs: tuple[Array, ...]
    seconds: float


@dataclass(eq=False)
class WgslKernel:
    """A hand-written shader, called with arrays; made by `wb.from_wgsl(text)`.

        C = k(A, B, n, outputs={"C": (64, 64)}, workgroups=(8, 8), on="native")

    Positional arguments are the buffers that are only read, in the order of their slots, then
    the scalars of the uniform. What is written comes back as an `Array`, a tuple of them where
    there are several; no argument is changed.
    """

    shader: Shader
    name: str
    last: ShaderCall | None = None
    _zeros: dict[tuple[str, Shape], Array] = field(default_factory=dict[tuple[str, Shape], Array])

    def signature(self) -> str:
        """Its buffers and scalars, with what comes back behind the arrow."""
        taken = [_typed(s) for s in self.shader.inputs]
        taken += [f"{p.name}: {p.dtype}" for p in self.shader.scalars]
        given = ", ".join(_typed(s) for s in self.shader.outputs)
        return f"{self.name}({', '.join(taken)}) -> {given}"

    def __repr__(self) -> str:
        return f"<wgsl kernel {self.signature()}>"

    def __call__(
        self,
        /,
        *args: Any,
        workgroups: Workgroups,
        outputs: Mapping[str, Any] | None = None,
        on: str = "auto",
        **named: Any,
    ) -> Any:
        """Enqueue the shader on `workgroups` (x, y, z); returns at once.

        `outputs` gives the shape of a written buffer, then it starts as zeros, or an array that
        it starts as. Raises `CallError` for arguments that do not fit, `DeviceError` at the
        line of the text that the driver refuses.
        """
        values = self._bound(args, named, outputs or {})
        count = _workgroups(self.name, workgroups)
        device_name, reason = choose(on, "wgsl")
        start = time.perf_counter()
        arrays = {s.name: self._array(s, values.get(s.name)) for s in self.shader.storage}
        shapes = {n: a.shape for n, a in arrays.items()}
        numbers = [scalar_value(self.name, p.name, p.dtype, values[p.name])
                   for p in self.shader.scalars]  # fmt: skip
        program = program_of(self.shader, self.name, shapes, count)
        ordered = [arrays[s.name] for s in (*self.shader.inputs, *self.shader.outputs)]
        device = open_device(device_name)
        results = enqueue(program, device, ordered, numbers, words=f"{self.name}(...)")
        seconds = time.perf_counter() - start
        given = tuple(ordered), tuple(numbers)
        self.last = ShaderCall(program, device_name, reason, *given, results, seconds)
        return results[0] if len(results) == 1 else results

    def timeline(self, /, *args: Any, workgroups: Workgroups, **options: Any) -> Timeline:
        """Call the shader, and again so that each part of the call has a time of its own."""
        from workbench.session.timeline import traced  # noqa: PLC0415  (it imports this module)

        self(*args, workgroups=workgroups, **options)
        last = self.last
        assert last is not None, "it was just called"
        return traced(last.program, last.device, last.inputs, last.numbers)

    def compile(self, on: str = "auto") -> Program:
        """The program for buffers as small as their types allow, accepted by the driver.

        Raises `DeviceError` at the line of the text that the driver refuses.
        """
        shapes = {s.name: tuple(x or 1 for x in s.shape) for s in self.shader.storage}
        program = program_of(self.shader, self.name, shapes, (1, 1, 1))
        open_device(choose(on, "wgsl")[0]).prepare(program)
        return program

    def check_against(
        self,
        other: Kernel,
        /,
        *args: Any,
        workgroups: Workgroups,
        outputs: Mapping[str, Any] | None = None,
        on: str = "auto",
        **named: Any,
    ) -> Agreement:
        """Run on these arguments, and compare with what `other` means by them (at float64).

        `other` gets the arguments by name where all its names are known here, else in order. It
        says the shapes of outputs that `outputs` leaves out.
        """
        from workbench.measure.agree import expected  # noqa: PLC0415  (only who compares)

        values = self._bound(args, named, outputs or {})
        device, _ = choose(on, "wgsl")
        results = other(**self._for(other, values), on=device)
        meant = _as_tuple(results)
        last = other.last
        assert last is not None, "it was just called"
        names = dict(zip(last.compilation.graph.outputs, last.compilation.program.outputs,
                         strict=True))  # fmt: skip
        pairs = self._pairs(other, tuple(names))
        shapes = {mine: a.shape for mine, a in zip(pairs, meant, strict=True)}
        starts = {s.name: values[s.name] for s in self.shader.outputs if s.name in values}
        taken = {n: v for n, v in values.items() if n not in starts}
        given = self(**taken, workgroups=workgroups, outputs={**shapes, **starts}, on=device)
        found = _as_tuple(given)
        mine = {s.name: a.numpy() for s, a in zip(self.shader.outputs, found, strict=True)}
        for n, shape in shapes.items():
            if mine[n].size != math.prod(shape):
                return Agreement(ok=False, words=f"{n} has shape {mine[n].shape}, not {shape}")
        reference = expected(last.compilation, last.inputs)
        ok, words = reference.compare(
            {theirs: mine[n].reshape(shapes[n]) for n, theirs in zip(pairs, names.values(),
                                                                    strict=True)},
            "wgsl",
        )  # fmt: skip
        return Agreement(ok, words)

    def _pairs(self, other: Kernel, theirs: tuple[str, ...]) -> tuple[str, ...]:
        """Our output for each of theirs: the one of that name, else the one in that place."""
        mine = tuple(s.name for s in self.shader.outputs)
        if set(theirs) <= set(mine):
            return theirs
        if len(theirs) == len(mine):
            return mine
        raise CallError(
            f"{self.name} writes {', '.join(mine)}, {other.name} returns {', '.join(theirs)}"
        )

    def _for(self, other: Kernel, values: Mapping[str, Any]) -> dict[str, Any]:
        theirs = other.graph.parameters
        if set(theirs) <= set(values):
            return {n: values[n] for n in theirs}
        taken = [values[s.name] for s in self.shader.inputs]
        taken += [values[p.name] for p in self.shader.scalars]
        if len(taken) != len(theirs):
            raise CallError(f"{other.name} takes {', '.join(theirs)}, {self.signature()} does not")
        return dict(zip(theirs, taken, strict=True))

    def _bound(
        self, args: tuple[Any, ...], named: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Arguments by name; raises `CallError` for unknown, doubled and missing ones."""
        places = [s.name for s in self.shader.inputs] + [p.name for p in self.shader.scalars]
        written = [s.name for s in self.shader.outputs]
        if len(args) > len(places):
            raise CallError(
                f"{self.signature()} takes {len(places)} argument"
                f"{'' if len(places) == 1 else 's'}, {len(args)} were given",
                hint=f"what is written is given by name: outputs={{'{written[0]}': (64,)}}",
            )
        values = dict(zip(places, args, strict=False))
        for name, value in (*named.items(), *outputs.items()):
            if name not in (*places, *written) or (name in outputs and name not in written):
                raise CallError(f"{self.signature()} has no {name!r} to be given there")
            if name in values:
                raise CallError(f"{self.name}: '{name}' is given twice")
            values[name] = value
        missing = [n for n in places if n not in values]
        if missing:
            raise CallError(f"{self.signature()}: no value for {', '.join(missing)}")
        return values

    def _array(self, s: Storage, value: Any) -> Array:
        """The bytes that a buffer starts with, of the right dtype and count."""
        if value is None or _is_shape(value):
            shape = s.shape if value is None else _shape(value)
            known = tuple(x for x in shape if x is not None)
            if len(known) != len(shape):
                raise CallError(
                    f"{self.name}: nothing says the shape of {s.name}", span=s.span,
                    hint=f"outputs={{'{s.name}': (64,)}}",
                )  # fmt: skip
            key = s.dtype.name, fitting(s, known)
            if key not in self._zeros:
                self._zeros[key] = array(np.zeros(known, s.dtype.numpy))
            return self._zeros[key]
        if isinstance(value, list):
            raise CallError(
                f"{self.name}: {s.name} is given a list", hint="a tuple for a shape, or an array"
            )
        found = array(value)
        if found.dtype != s.dtype:
            raise CallError(
                f"{self.name}: {s.name} is given {found.dtype}, its type says {s.dtype}",
                span=s.span, hint=f"{s.name}.astype(numpy.{s.dtype.numpy.name})",
            )  # fmt: skip
        fitting(s, found.shape)
        return found


def from_wgsl(text: str | Source, entry: str | None = None, name: str | None = None) -> WgslKernel:
    """A hand-written WGSL text as a kernel: the entry point `entry`, or the only one.

    `name` is what the kernel is called; of several entry points it takes the one of that name.
    Raises `SourceError` at the line of a declaration that is not read.
    """
    source = Source(text, "shader.wgsl") if isinstance(text, str) else text
    shader = read(source, entry, preferred=name)
    for s in (*shader.storage, *shader.scalars):
        if s.name in _OPTIONS:
            raise SourceError(
                f"'{s.name}' is an option of the call", span=shader.place(s.name), hint=f"{s.name}_"
            )
    return WgslKernel(shader, name or shader.entry)


def _typed(s: Storage) -> str:
    extents = ", ".join("*" if x is None else str(x) for x in s.shape)
    return f"{s.name}: {s.dtype}" + (f"[{extents}]" if s.shape else "")


def _is_shape(value: Any) -> bool:
    """Whether an output is given by its shape: a whole number, or a tuple of them."""
    return all(_is_whole(x) for x in _as_tuple(value))


def _is_whole(x: Any) -> bool:
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)


def _shape(value: Any) -> Shape:
    return tuple(int(x) for x in _as_tuple(value))


def _workgroups(name: str, given: Workgroups) -> tuple[int, int, int]:
    sizes = _as_tuple(given)
    if not 1 <= len(sizes) <= 3 or any(not _is_whole(x) or x < 1 for x in sizes):
        raise CallError(
            f"{name}: workgroups={given!r} are not one to three whole numbers of at least 1",
            hint="workgroups=(8, 8)",
        )
    x, y, z = (*(int(n) for n in sizes), 1, 1)[:3]
    return x, y, z
