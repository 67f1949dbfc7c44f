"""The reference interpreter: what expressions, graphs and loops compute, with NumPy.

Every stage can be executed: `run_graph` and `run_graph_at` are the reference (float64), and
`run_loops` runs loops before and after any schedule. Device kernels run in `simt`. Nothing here
is fast code for users, and nothing here chooses an order of computation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.dtypes import BOOL, F32, I32, DType
from workbench.ir.expr import Expr, Var, integer
from workbench.ir.graph import Array, Block, Definition, Equation, Graph, defined
from workbench.ir.interpret_expr import constant, evaluate_lanes
from workbench.ir.interpret_stmt import run_loops_body
from workbench.ir.lanes import (
    AT_ONCE,
    BUDGET,
    Lanes,
    Place,
    Value,
    numpy_dtype,
    poison,
    stored,
)
from workbench.ir.stmt import For, LoopKind, Stmt, Store, reads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from workbench.ir.graph import Scalar
    from workbench.ir.loops import Loops

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
    lanes = _graph_lanes(graph, inputs, scalars, wide=wide, budget=budget)
    with np.errstate(all="ignore"):
        for d in graph.definitions:
            _define(lanes, d)
    arrays = graph.arrays()
    return {n: _result(lanes.arrays[n], arrays[n].dtype, wide=wide) for n in graph.outputs}


def run_graph_at(
    graph: Graph,
    inputs: Arrays,
    scalars: Numbers | None,
    output: str,
    points: np.ndarray[Any, Any],
) -> Value:
    """Selected elements of one output at float64: `points` is [n, rank], the answer [n].

    Computes only what these elements need: an element of a defined array is computed when it is
    first read, and kept. Arrays of a loop block, and what the block reads, are computed whole.
    """
    lanes = _graph_lanes(graph, inputs, scalars, wide=True, budget=BUDGET)
    places = [dict(lanes.arrays)]
    with np.errstate(all="ignore"):
        for d in graph.definitions:
            before = dict(places[-1])
            if isinstance(d, Equation):
                shape = tuple(_extent(lanes, a.extent) for a in d.axes)
                cells = np.zeros(0, numpy_dtype(d.dtype, wide=True))
                supply = _Supply(d, shape, before, lanes)
                places.append({**before, d.target: Place(cells, shape, demand=supply.at)})
            else:
                places.append(_run_block_whole(lanes, d, before))
        final = places[-1][output]
        flat = np.zeros(len(points), np.intp)
        for n, extent in enumerate(final.shape):
            flat = flat * extent + points[:, n].astype(np.intp)
        return final.cells[flat] if final.demand is None else final.demand(flat)


def run_loops(
    loops: Loops,
    inputs: Arrays,
    scalars: Numbers | None = None,
    *,
    wide: bool = False,
    budget: int = BUDGET,
) -> dict[str, Value]:
    """The outputs of loops, by name; the same for every legal schedule of them.

    Parallel loops of every kind run as lanes, cooperative copies too; others iterate. Memory
    that nobody wrote holds NaN or an improbable integer. Errors as `run_graph`'s.
    """
    lanes = Lanes({}, scalar_values(loops.scalars, scalars, wide=wide), wide, budget=budget)
    for b in loops.buffers:
        if b.role == "input":
            place = given(inputs, b.name, b.dtype, b.shape)
        else:
            place = Place(poison(b.shape, numpy_dtype(b.dtype, wide=wide)), b.shape)
        lanes.arrays[b.name] = place
    with np.errstate(all="ignore"):
        run_loops_body(lanes, loops.body)
    dtypes = {b.name: b.dtype for b in loops.buffers}
    return {n: _result(lanes.arrays[n], dtypes[n], wide=wide) for n in loops.outputs}


class _Supply:
    """The elements of one equation, computed when they are first asked for, and kept."""

    def __init__(
        self, d: Equation, shape: tuple[int, ...], arrays: dict[str, Place], lanes: Lanes
    ) -> None:
        self._equation, self._shape = d, shape
        self._arrays, self._lanes = arrays, lanes
        self._known = np.zeros(0, np.intp)
        self._values = np.zeros(0, numpy_dtype(d.dtype, wide=True))

    def at(self, flat: Value) -> Value:
        """The elements at flat positions."""
        wanted, back = np.unique(flat, return_inverse=True)
        new = np.setdiff1d(wanted, self._known, assume_unique=True)
        if new.size:
            values = np.concatenate([self._compute(piece) for piece in _cut(new)])
            known = np.concatenate([self._known, new])
            order = np.argsort(known)
            self._known = known[order]
            self._values = np.concatenate([self._values, values])[order]
        found = self._values[np.searchsorted(self._known, wanted)]
        return found[back].reshape(np.shape(flat))

    def _compute(self, flat: Value) -> Value:
        d = self._equation
        env = {n: v for n, v in self._lanes.env.items() if n not in {a.name for a in d.axes}}
        index = np.unravel_index(flat, self._shape) if self._shape else ()
        env |= {a.name: x.astype(np.int32) for a, x in zip(d.axes, index, strict=True)}
        lanes = Lanes(self._arrays, env, wide=True, shape=(flat.size,))
        value = evaluate_lanes(lanes, d.value, None)
        dtype = numpy_dtype(d.dtype, wide=True)
        return np.broadcast_to(value, (flat.size,)).astype(dtype)


def _cut(flat: Value) -> Iterable[Value]:
    """Points in pieces, so that what their reductions compute at once stays small."""
    step = AT_ONCE // 64
    return (flat[n : n + step] for n in range(0, flat.size, step))


def _run_block_whole(lanes: Lanes, d: Block, places: dict[str, Place]) -> dict[str, Place]:
    """The places after a block; what it reads of earlier definitions is computed first."""
    made = {a.name for a in d.defines}
    whole = dict(places)
    for name in {e.array for e in reads(d.body)} | made:
        place = whole.get(name)
        if place is not None and place.demand is not None:
            cells = place.demand(np.arange(place.size))
            whole[name] = Place(cells, place.shape)
    inner = Lanes(whole, dict(lanes.env), wide=True, budget=lanes.budget)
    _define(inner, d)
    return {**places, **{name: inner.arrays[name] for name in made}}


def _define(lanes: Lanes, d: Definition) -> None:
    """Compute what a definition defines; an equation reads the old arrays while it runs."""
    made = {a.name: _fresh(lanes, a) for a in defined(d)}
    run = replace(lanes, spots={}, names={}, loading={})
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


def _fresh(lanes: Lanes, a: Array) -> Place:
    shape = tuple(_extent(lanes, x) for x in a.shape)
    return Place(poison(shape, numpy_dtype(a.dtype, wide=lanes.wide)), shape)


def _extent(lanes: Lanes, e: Expr) -> int:
    return max(0, int(evaluate_lanes(lanes, e, None)))


def _graph_lanes(
    graph: Graph, inputs: Arrays, scalars: Numbers | None, *, wide: bool, budget: int = BUDGET
) -> Lanes:
    assert not graph.dims, f"graph '{graph.name}' is not specialised: it has dims {graph.dims}"
    lanes = Lanes({}, scalar_values(graph.scalars, scalars, wide=wide), wide, budget=budget)
    for a in graph.inputs:
        shape = tuple(_extent(lanes, x) for x in a.shape)
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
