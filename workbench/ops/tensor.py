"""What an operator knows of an array: its dtype, its shape, and what it is made from.

An operator is a function from tensors to tensors. What it computes it says as the text of a
kernel, a `Formula`; a reshape is a `View` of the same elements, and what is known before anything
runs is `Known`. Nothing is computed here but what shapes depend on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from workbench.base.dtypes import DTYPES, I64, DType
from workbench.base.errors import WorkbenchError
from workbench.base.source import Source
from workbench.ir.graph import Graph
from workbench.ir.interpret import run_graph
from workbench.lang import parse, prove_literal
from workbench.passes.graph import specialise

Values = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Bounds = tuple[int, int]
"""The least and the greatest value that a tensor of whole numbers may have."""
WORD: Bounds = (-(2**31), 2**31 - 1)
"""What 32 bits hold."""


class UnsupportedError(WorkbenchError, NotImplementedError):
    """A model asks for what no operator here does: the operator, its node, and what it asks."""


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """An input of the model; `read` gives its values where the host has them."""

    name: str
    read: Callable[[], Values] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Values that no run changes: weights, and what shapes say; `name` that of a weight."""

    values: Values
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """The result number `place` of a formula."""

    formula: Formula
    place: int


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The same elements, in the same order, with another shape."""

    of: Tensor


SourceOf = Given | Known | Computed | View


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array of a model: compared by identity, for equal ones may have other elements.

    `bounds` hold for the elements of an i64, where that is proved: they decide whether a target
    without 64-bit integers can hold it.
    """

    dtype: DType
    shape: Shape
    source: SourceOf
    bounds: Bounds | None = None

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def known(self) -> Values | None:
        """The values that no run changes; None where a run decides. Asks for no input."""
        match self.source:
            case Known(values):
                return values
            case View(of):
                values = of.known
                return None if values is None else values.reshape(self.shape)
            case Given() | Computed():
                return None

    @cached_property
    def value(self) -> Values | None:
        """The values, worked out on the host from inputs that are there; None where one is not.

        Who asks makes the answer a part of what is compiled.
        """
        match self.source:
            case Known(values):
                return values
            case View(of):
                return None if of.value is None else of.value.reshape(self.shape)
            case Given(_, read):
                return None if read is None else read()
            case Computed(formula, place):
                values = formula.values
                return None if values is None else values[place].reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Formula:
    """A kernel in the cell language over tensors, given in the order of its parameters."""

    name: str
    inputs: tuple[Tensor, ...]
    text: str
    results: tuple[tuple[DType, Shape], ...]

    @cached_property
    def values(self) -> tuple[Values, ...] | None:
        """The results by the reference interpreter; None where an input is not on the host."""
        given = [x.value for x in self.inputs]
        if any(x is None for x in given):
            return None
        graph = parsed(self.text)
        arrays = {
            a.name: np.ascontiguousarray(x, a.dtype.numpy).reshape(held(t.shape))
            for a, x, t in zip(graph.inputs, given, self.inputs, strict=True)
            if x is not None
        }
        found = run_graph(graph, arrays, wide=False)
        return tuple(found[name] for name in graph.outputs)


@lru_cache(maxsize=1024)
def parsed(text: str) -> Graph:
    """The graph of the last kernel of a text, proved; a formula's dims are literals."""
    graph = parse(Source(text, "formula")).kernels[-1]
    return prove_literal(graph, specialise(graph, {}), {})


def held(shape: Shape) -> Shape:
    """The shape of a tensor in a kernel: a scalar is an array of one element."""
    return shape or (1,)


def known(values: Any, dtype: DType | None = None, name: str = "") -> Tensor:
    """A tensor of values that no run changes."""
    array: Values = np.asarray(values)
    found = dtype or dtype_of(array)
    array = array.astype(found.numpy, copy=False)
    return Tensor(found, array.shape, Known(array, name), bounds_of(array) if array.size else None)


def dtype_of(values: Values) -> DType:
    """The dtype with the values of a NumPy array. Raises `UnsupportedError`."""
    for t in DTYPES.values():
        if t.numpy == values.dtype.newbyteorder("="):
            return t
    raise UnsupportedError(f"values of {values.dtype} are not there yet")


def bounds_of(values: Values) -> Bounds | None:
    """The least and the greatest of whole numbers, None for others."""
    if values.dtype.kind not in "iu" or not values.size:
        return None
    return int(values.min()), int(values.max())


def view(x: Tensor, shape: Shape) -> Tensor:
    """The same elements with another shape of the same size."""
    assert math.prod(shape) == x.size, f"a view of {x.shape} as {shape}"
    if shape == x.shape:
        return x
    return Tensor(x.dtype, shape, View(x), x.bounds)


def fits(x: Tensor) -> bool:
    """Whether 32 bits hold every element of an i64."""
    return x.bounds is not None and WORD[0] <= x.bounds[0] and x.bounds[1] <= WORD[1]


def joined(*tensors: Tensor) -> Bounds | None:
    """Bounds of elements that come from any of the tensors."""
    found = [x.bounds for x in tensors if x.size]
    known_bounds = [b for b in found if b is not None]
    if len(known_bounds) < len(found) or not found:
        return None
    return min(b[0] for b in known_bounds), max(b[1] for b in known_bounds)


def is_wide(x: Tensor) -> bool:
    """Whether a tensor is an i64 of which nothing says that 32 bits hold it."""
    return x.dtype is I64 and not fits(x)
