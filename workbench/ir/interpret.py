"""The reference interpreter: what expressions, graphs and loops compute, with NumPy.

Every stage can be executed: `run_graph` is the reference (float64), and `run_loops` runs loops
before and after any schedule. Device kernels run in `simt`, selected elements of large graphs
in `demand`. Nothing here is fast code for users, and nothing chooses an order of computation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.dtypes import BOOL, F32, I32, DType
from workbench.base.progress import BOARD
from workbench.ir.expr import Expr, Var, integer
from workbench.ir.graph import Array, Block, Definition, Graph, Repeat, defined
from workbench.ir.interpret_expr import constant, evaluate_lanes
from workbench.ir.interpret_stmt import run_loops_body
from workbench.ir.lanes import (
    BUDGET,
    Lanes,
    Place,
    Value,
    numpy_dtype,
    poison,
    stored,
)
from workbench.ir.stmt import For, LoopKind, Stmt, Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.ir.apart import Apart
    from workbench.ir.graph import Scalar
    from workbench.ir.loops import Buffer, Loops

    Arrays = Mapping[str, np.ndarray[Any, Any]]
    Numbers = Mapping[str, float]


def evaluate(
    e: Expr, env: Mapping[str, Value | float], arrays: Arrays | None = None, *, wide: bool = False
) -> Value:
    """The value of an expression; `env` has numbers or arrays of equal shape, one per lane.

    Numbers in `env` must be of the dtype of their variable, Python ints count as i32 and floats
    as f32 (float64 where `wide`). Raises `RunError` for an index outside its array.
    """
    lanes = Lanes({}, {name: _number(v, wide=wide) for name, v in env.items()}, wide)
    lanes.shape = np.broadcast_shapes(*(v.shape for v in lanes.env.values()))
    for name, values in (arrays or {}).items():
        lanes.arrays[name] = stored(values)
    with np.errstate(all="ignore"):
        return np.asarray(evaluate_lanes(lanes, e, None))


def run_graph(
    graph: Graph,
    inputs: Arrays,
    scalars: Numbers | None = None,
    *,
    wide: bool = True,
    budget: int = BUDGET,
) -> dict[str, Value]:
    """The outputs of a specialised graph, by name: definitions computed one after the other.

    Floats are computed and returned in float64 where `wide`, else in their own dtype. Raises
    `RunError` for an index outside, argmax of nothing, and a `while` beyond the budget
    (iterations times lanes, at least 4096).
    """
    lanes = graph_lanes(graph, inputs, scalars, wide=wide, budget=budget)
    with np.errstate(all="ignore"):
        for d in graph.definitions:
            define(lanes, d)
    arrays = graph.arrays()
    return {n: _result(lanes.arrays[n], arrays[n].dtype, wide=wide) for n in graph.outputs}


def run_loops(
    loops: Loops,
    inputs: Arrays,
    scalars: Numbers | None = None,
    *,
    wide: bool = False,
    budget: int = BUDGET,
    apart: Apart | None = None,
) -> dict[str, Value]:
    """The outputs of loops, by name; the same for every legal schedule of them.

    Parallel loops of every kind run as lanes, cooperative copies too; others iterate. Memory
    that nobody wrote holds NaN or an improbable integer. Errors as `run_graph`'s. `apart` is
    told what stores write that are not proved apart.
    """
    values = scalar_values(loops.scalars, scalars, wide=wide)
    lanes = Lanes({}, values, wide, budget=budget, apart=apart)
    for b in loops.buffers:
        if b.role == "input":
            place = given_buffer(inputs, b)
        else:
            place = Place(poison(b.sizes, numpy_dtype(b.dtype, wide=wide)), b.sizes)
        lanes.arrays[b.name] = place
    with np.errstate(all="ignore"):
        run_loops_body(lanes, loops.body)
    buffers = {b.name: b for b in loops.buffers}
    results = {n: _result(lanes.arrays[n], buffers[n].dtype, wide=wide) for n in loops.outputs}
    return {n: in_order(buffers[n], values) for n, values in results.items()}


def define(lanes: Lanes, d: Definition) -> None:
    """Compute what a definition defines; an equation reads the old arrays while it runs."""
    if isinstance(d, Repeat):
        _repeat(lanes, d)
        return
    made = {a.name: _fresh(lanes, a) for a in defined(d)}
    run = replace(lanes, spots={}, names={}, loading={}, constants={})
    if isinstance(d, Block):
        for name, place in made.items():
            if name in lanes.arrays:
                place.cells[...] = lanes.arrays[name].cells
        lanes.arrays |= made
        run_loops_body(run, d.body)
        return
    unnamed = f"{d.target} (new)"
    index = tuple(Var(a.name) for a in d.axes)
    body: tuple[Stmt, ...] = (Store(unnamed, index, d.value, origin=d.origin, place=d.place),)
    for a in reversed(d.axes):
        body = (For(a.name, integer(0), a.extent, body, LoopKind.PARALLEL, origin=a.origin),)
    lanes.arrays[unnamed] = made[d.target]
    run_loops_body(run, body)
    lanes.arrays[d.target] = lanes.arrays.pop(unnamed)


def _repeat(lanes: Lanes, d: Repeat) -> None:
    """Run the definitions of a repeat once for each value of its variable."""
    start, stop = (int(evaluate_lanes(lanes, e, None)) for e in (d.start, d.stop))
    for number in range(start, stop):
        BOARD.look()
        lanes.env[d.var] = constant(number, I32)
        for inner in d.body:
            define(lanes, inner)
    lanes.env.pop(d.var, None)
    for a in defined(d):
        if a.name not in lanes.arrays:
            lanes.arrays[a.name] = _fresh(lanes, a)


def _fresh(lanes: Lanes, a: Array) -> Place:
    shape = tuple(extent(lanes, x) for x in a.shape)
    return Place(poison(shape, numpy_dtype(a.dtype, wide=lanes.wide)), shape)


def extent(lanes: Lanes, e: Expr) -> int:
    """The value of an extent, 0 where it is below."""
    return max(0, int(evaluate_lanes(lanes, e, None)))


def graph_lanes(
    graph: Graph, inputs: Arrays, scalars: Numbers | None, *, wide: bool, budget: int = BUDGET
) -> Lanes:
    """A run with the inputs and scalars of a specialised graph, nothing computed yet."""
    assert not graph.dims, f"graph '{graph.name}' is not specialised: it has dims {graph.dims}"
    lanes = Lanes({}, scalar_values(graph.scalars, scalars, wide=wide), wide, budget=budget)
    for a in graph.inputs:
        shape = tuple(extent(lanes, x) for x in a.shape)
        lanes.arrays[a.name] = given(inputs, a.name, a.dtype, shape)
    return lanes


def given(arrays: Arrays, name: str, dtype: DType, shape: tuple[int, ...]) -> Place:
    """The place of an array given by name, whose dtype and shape are asserted."""
    values = arrays[name]
    assert values.shape == shape, f"'{name}' has shape {values.shape}, not {shape}"
    assert values.dtype in {dtype.numpy, np.dtype(np.float64)}, (
        f"'{name}' has dtype {values.dtype}, not {dtype}"
    )
    return stored(values)


def given_buffer(arrays: Arrays, b: Buffer) -> Place:
    """The place of an input, laid out as it is in storage."""
    return given({b.name: in_storage(b, arrays[b.name])}, b.name, b.dtype, b.sizes)


def in_storage(b: Buffer, values: Value) -> Value:
    """The values of an input as its buffer holds them."""
    return values if b.panels is None else b.panels.pack(values)


def in_order(b: Buffer, values: Value) -> Value:
    """What a buffer holds, in C order."""
    return values if b.panels is None else np.ascontiguousarray(b.panels.unpack(values))


def scalar_values(
    scalars: Sequence[Scalar], given_values: Numbers | None, *, wide: bool = False
) -> dict[str, Value]:
    """The scalar parameters by name, defaults for those not given."""
    values: dict[str, Value] = {}
    for s in scalars:
        number = (given_values or {}).get(s.name, s.default)
        assert number is not None, f"scalar '{s.name}' has no value"
        values[s.name] = constant(number, s.dtype, wide=wide)
    return values


def _result(place: Place, dtype: DType, *, wide: bool) -> Value:
    return place.cells.reshape(place.shape).astype(numpy_dtype(dtype, wide=wide))


def _number(value: Value | float, *, wide: bool) -> Value:
    """A value of `env` as lanes hold it."""
    match value:
        case bool():
            return constant(value, BOOL)
        case int():
            return constant(value, I32)
        case float():
            return constant(value, F32, wide=wide)
        case _:
            return value.astype(np.float64) if wide and value.dtype.kind == "f" else value
