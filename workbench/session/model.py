"""Layer 7: `wb.from_onnx`, models as callables: compiled for the shapes of a call, cached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.base.dtypes import I32, I64, DType
from workbench.base.errors import CallError
from workbench.ir.model import ModelGraph, ModelInput
from workbench.models.compile import ModelCompilation, compile_model
from workbench.models.kernels import held_as
from workbench.models.link import Linked
from workbench.models.specialise import InputType
from workbench.ops.tensor import WORD, Known, Shape, Values
from workbench.pipeline import Target
from workbench.runtime.arrays import Array, array
from workbench.runtime.device import Description, open_device
from workbench.runtime.enqueue import enqueue
from workbench.session.caller import calling_line
from workbench.session.devices import choose

DEFAULT_DIM = 1
"""What a dim without a value is compiled for."""


@dataclass(eq=False)
class Model:
    """A model from a file: `m(x)` runs it, `m.compile(on="native")` shows what runs.

    It is compiled for the shapes of a call, and for the values of the inputs that decide shapes;
    weights are sent to a device once. `last` is the compilation of the last call.
    """

    graph: ModelGraph
    last: ModelCompilation | None = None
    reason: str = ""
    _made: dict[object, list[ModelCompilation]] = field(
        default_factory=dict[object, "list[ModelCompilation]"]
    )
    _weights: dict[object, Array] = field(default_factory=dict[object, Array])

    @property
    def name(self) -> str:
        """The name in the file."""
        return self.graph.name

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """What a call gives, in order."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a call returns, in order."""
        return self.graph.outputs

    def __repr__(self) -> str:
        return f"<model {self.signature()}>"

    def signature(self) -> str:
        """The inputs and outputs, with what is said of their shapes."""
        given = ", ".join(f"{i.name}: {_typed(i)}" for i in self.inputs)
        return f"{self.name}({given}) -> {', '.join(self.outputs)}"

    def __call__(self, *args: Any, on: str = "auto", **named: Any) -> Any:
        """Enqueue the model on a device; returns at once an `Array`, or a tuple for several.

        Inputs are given in order or by name. Where a device has no 64-bit integers, those that
        are proved to fit 32 bits are returned as i32. Raises `CallError` where arguments do not
        fit, `UnsupportedError` for what has no operator in this form.
        """
        given = self._bound(args, named)
        name, self.reason = choose(on, dtypes=self._dtypes())
        device = open_device(name)
        c = self._of(given, device.describe())
        self.last = c
        inputs = [self._array(x, given, c.target) for x in c.linked.inputs]
        found: tuple[Array, ...] = ()
        if c.program.outputs:
            words = f"{self.name}(...)"
            found = enqueue(c.program, device, inputs, (), words=words, line=calling_line())
        return _results(c.linked, found)

    def compile(
        self,
        on: str = "native",
        shapes: Mapping[str, Shape] | None = None,
        dims: Mapping[str, int] | None = None,
        **values: Any,
    ) -> ModelCompilation:
        """Compile for a device's target and limits; the same arguments give the same object.

        `dims` are the values of dims with names, `shapes` those of whole inputs; a dim that
        nothing says is 1. Inputs that decide shapes are given as values, by name.
        """
        given: dict[str, Array | InputType] = {}
        for i in self.inputs:
            if i.name in values:
                given[i.name] = self._fitted(i, values[i.name])
                continue
            shape = (shapes or {}).get(i.name) or _shape(self.name, i, dims or {})
            assert i.dtype is not None, "the inputs of a model have dtypes"
            given[i.name] = InputType(i.dtype, tuple(shape))
        return self._of(given, open_device(on).describe())

    def _of(self, given: Mapping[str, Array | InputType], device: Description) -> ModelCompilation:
        """The compilation for these inputs, made once."""
        types = {n: _type_of(x) for n, x in given.items()}
        shapes = tuple((n, t.dtype, t.shape, t.values is None) for n, t in types.items())
        made = self._made.setdefault((shapes, device.device_class, device.limits), [])
        for c in made:
            if all(_same(types[n], asked) for n, asked in c.model.asked.items()):
                return c
        made.append(compile_model(self.graph, types, device.device_class, device.limits))
        return made[-1]

    def _bound(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Array]:
        names = [i.name for i in self.inputs]
        if len(args) > len(names):
            raise CallError(f"{self.signature()} takes {len(names)} inputs, {len(args)} were given")
        values = dict(zip(names, args, strict=False))
        for name, value in named.items():
            if name not in names:
                raise CallError(f"{self.signature()} has no input '{name}'")
            if name in values:
                raise CallError(f"{self.name}: '{name}' is given twice")
            values[name] = value
        missing = [n for n in names if n not in values]
        if missing:
            raise CallError(f"{self.signature()}: no value for {', '.join(missing)}")
        arrays = {i.name: self._fitted(i, values[i.name]) for i in self.inputs}
        self._check_dims(arrays)
        return arrays

    def _fitted(self, i: ModelInput, value: Any) -> Array:
        """The argument as an array of the input's dtype and rank."""
        assert i.dtype is not None, "the inputs of a model have dtypes"
        numbers = isinstance(value, int | float | list | tuple)
        found = array(np.asarray(value, i.dtype.numpy) if numbers else value)
        if found.dtype is not i.dtype and not (found.dtype is I32 and i.dtype is I64):
            raise CallError(
                f"{self.name}: {i.name} is {found.dtype}, the model says {i.dtype}",
                hint=f"{i.name}.astype(numpy.{i.dtype.numpy.name})",
            )
        if found.dtype is not i.dtype:
            found = array(found.numpy().astype(np.int64))
        if i.shape is not None and len(i.shape) != found.ndim:
            raise CallError(
                f"{self.name}: {i.name} has shape {list(found.shape)}, the model says {_typed(i)}"
            )
        return found

    def _check_dims(self, arrays: Mapping[str, Array]) -> None:
        dims: dict[str, tuple[int, str]] = {}
        for i in self.inputs:
            for axis, extent in enumerate(i.shape or ()):
                size, where = arrays[i.name].shape[axis], f"{i.name}.shape[{axis}]"
                if isinstance(extent, int) and extent != size:
                    raise CallError(f"{self.name}: {where} is {size}, the model says {extent}")
                if isinstance(extent, str):
                    known, place = dims.setdefault(extent, (size, where))
                    if known != size:
                        raise CallError(
                            f"{self.name}: dim {extent} is {known} in {place} and {size} in {where}"
                        )

    def _dtypes(self) -> list[DType]:
        """The dtypes that a device must hold; an i64 may be held as an i32."""
        found = [i.dtype for i in self.inputs if i.dtype is not None]
        return [t for t in dict.fromkeys(found) if t is not I64]

    def _array(self, what: str | Known, given: Mapping[str, Array], target: Target) -> Array:
        """What goes into a buffer of the program, as the target holds it."""
        if isinstance(what, str):
            return _narrowed(self.name, what, given[what], target)
        key = (
            (id(what.values), held_as(array(what.values[:0]).dtype, target))
            if what.values.ndim
            else (id(what.values), target)
        )
        if key not in self._weights:
            self._weights[key] = _constant(what.values, target)
        return self._weights[key]


def _constant(values: Values, target: Target) -> Array:
    narrow = values.dtype == np.int64 and held_as(I64, target) is I32
    return array(np.ascontiguousarray(values.astype(np.int32) if narrow else values))


def _narrowed(model: str, name: str, given: Array, target: Target) -> Array:
    """An input as the target holds it. Raises `CallError` for an i64 beyond 32 bits there."""
    if given.dtype is not I64 or held_as(I64, target) is I64:
        return given
    values = given.numpy()
    if values.size and not (WORD[0] <= values.min() and values.max() <= WORD[1]):
        raise CallError(
            f"{model}: {name} has values beyond 32 bits, and the device has no wider integers",
            hint="on='cpu'",
        )
    return array(values.astype(np.int32))


def _results(linked: Linked, found: tuple[Array, ...]) -> Any:
    made = tuple(found[r] if isinstance(r, int) else array(r) for r in linked.results)
    return made[0] if len(made) == 1 else made


def _type_of(x: Array | InputType) -> InputType:
    if isinstance(x, InputType):
        return x
    return InputType(x.dtype, x.shape, x.numpy)


def _same(given: InputType, asked: Values) -> bool:
    return given.values is not None and np.array_equal(given.values(), asked)


def _shape(model: str, i: ModelInput, dims: Mapping[str, int]) -> Shape:
    if i.shape is None:
        raise CallError(
            f"{model}: nothing says the shape of {i.name}", hint=f"shapes={{'{i.name}': (1, 3)}}"
        )
    return tuple(
        x if isinstance(x, int) else dims.get(x, DEFAULT_DIM) if x else DEFAULT_DIM for x in i.shape
    )


def _typed(i: ModelInput) -> str:
    extents = "..." if i.shape is None else ", ".join("?" if x is None else str(x) for x in i.shape)
    return f"{i.dtype}[{extents}]"


def from_onnx(model: Any) -> Model:
    """A model from a path, from bytes or from an `onnx.ModelProto`.

    Raises `SourceError` for what is no valid model, `UnsupportedError` with every node that has
    no operator.
    """
    from workbench.frontends.onnx import read  # noqa: PLC0415  (with the operators: when asked)

    return Model(read(model))
