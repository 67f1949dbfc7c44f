"""Graph passes, in order: literal dims, copies, hoisted reductions, scans, totals, old values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import I32
from workbench.ir.expr import (
    Expr,
    Iterated,
    Load,
    Reduce,
    Select,
    Var,
    free_names,
    rebuild,
    rebuild_turns,
    walk,
)
from workbench.ir.graph import Array, Block, Definition, Equation, Graph, Repeat, Scalar, expanded
from workbench.ir.ops import WORDS
from workbench.ir.stmt import map_exprs
from workbench.passes.fold import bind_dims, fold
from workbench.passes.names import fresh_name, names_of
from workbench.passes.scans import split_scans
from workbench.passes.totals import split_totals
from workbench.passes.updates import copied, copy_updated_inputs, keep_old_values

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


def specialise(graph: Graph, dims: Mapping[str, int], left: Collection[str] = ()) -> Graph:
    """The graph for one set of values of its symbols: every extent a literal, no dim left.

    The symbols in `left` stay open: they become scalars of the call.
    """
    values = {name: int(dims[name]) for name in graph.symbols() if name not in left}
    given = {s.name for s in graph.scalars}
    scalars = tuple(Scalar(name, I32) for name in graph.dims if name in left and name not in given)

    def f(e: Expr) -> Expr:
        return fold(bind_dims(e, values))

    return replace(
        graph,
        dims=(),
        inputs=tuple(_map_array(a, f) for a in graph.inputs),
        scalars=(*graph.scalars, *scalars),
        open=tuple(name for name in graph.symbols() if name in left),
        facts=(),
        definitions=tuple(_map_definition(d, f) for d in graph.definitions),
    )


def copy_outputs(graph: Graph) -> Graph:
    """A returned parameter, or an array returned twice, becomes an equation that copies it."""
    arrays = graph.arrays()
    inputs = {a.name for a in graph.inputs}
    outputs: list[str] = []
    copies: list[Equation] = []
    for name in graph.outputs:
        if name in inputs or name in outputs:
            fresh = fresh_name(f"{name}_copy", names_of(graph) | set(outputs))
            copies.append(copied(arrays[name], fresh, "copied, for it is returned"))
            outputs.append(fresh)
        else:
            outputs.append(name)
    if not copies:
        return graph
    return replace(graph, definitions=(*graph.definitions, *copies), outputs=tuple(outputs))


def hoist_reductions(graph: Graph) -> Graph:
    """A reduction that uses fewer indices than its equation becomes an equation of its own.

    before:  y[i, j] = e[i, j] / sum(e[i, k] for k in range(N))
    after:   y_sum[i] = sum(e[i, k] for k in range(N))
             y[i, j] = e[i, j] / y_sum[i]
    Reductions inside a branch of `a if c else b` stay, for they are evaluated only if taken.
    """
    names = names_of(graph)

    def hoist(d: Equation | Block) -> tuple[Definition, ...]:
        if isinstance(d, Block):
            return (d,)
        found: list[Equation] = []
        value = _hoist(d.value, d, found, names)
        return (*found, d if value is d.value else replace(d, value=value))

    definitions = expanded(graph.definitions, hoist)
    return graph if definitions is graph.definitions else replace(graph, definitions=definitions)


PASSES: tuple[tuple[str, Callable[[Graph], Graph]], ...] = (
    ("copy_updated_inputs", copy_updated_inputs),
    ("copy_outputs", copy_outputs),
    ("hoist_reductions", hoist_reductions),
    ("split_scans", split_scans),
    ("split_totals", split_totals),
    ("keep_old_values", keep_old_values),
)
"""What runs between the graph and its loops, in this order; each is a stage of the trace."""


def _hoist(e: Expr, home: Equation, found: list[Equation], names: set[str]) -> Expr:
    match e:
        case Select():
            cond = _hoist(e.cond, home, found, names)
            return e if cond is e.cond else replace(e, cond=cond)
        case Reduce():
            axes = frozenset(a.name for a in home.axes)
            used = free_names(e) & axes
            bound_outside = free_names(e) - axes
            if used == axes or _uses_locals(bound_outside, home):
                return rebuild(e, lambda x: _hoist(x, home, found, names))
            return _hoisted(e, home, found, names)
        case Iterated():
            return rebuild_turns(e, lambda x: _hoist(x, home, found, names), lambda x: x)
        case _:
            return rebuild(e, lambda x: _hoist(x, home, found, names))


def _uses_locals(names: frozenset[str], home: Equation) -> bool:
    """Whether any of the names is bound by a reduction of the equation."""
    bound = {r.var for e in walk(home.value) if isinstance(e, Reduce) for r in e.ranges}
    return bool(names & bound)


def _hoisted(e: Reduce, home: Equation, found: list[Equation], names: set[str]) -> Expr:
    used = free_names(e)
    axes = tuple(a for a in home.axes if a.name in used)
    name = fresh_name(f"{home.target}_{WORDS.get(e.op, e.op)}", names)
    place = e.origin.derive(f"hoisted out of {home.target}")
    value = rebuild(e, lambda x: _hoist(x, home, found, names))
    found.append(Equation(name, e.dtype, axes, value, origin=e.origin, place=place))
    index = tuple(Var(a.name, origin=a.origin) for a in axes)
    return Load(name, index, e.dtype, origin=place)


def _map_array(a: Array, f: Callable[[Expr], Expr]) -> Array:
    return replace(a, shape=tuple(f(x) for x in a.shape))


def _map_definition(d: Definition, f: Callable[[Expr], Expr]) -> Definition:
    if isinstance(d, Repeat):
        body = tuple(_map_definition(x, f) for x in d.body)
        return replace(d, start=f(d.start), stop=f(d.stop), body=body)
    if isinstance(d, Block):
        body = tuple(map_exprs(s, f) for s in d.body)
        return replace(d, body=body, defines=tuple(_map_array(a, f) for a in d.defines))
    axes = tuple(replace(a, extent=f(a.extent)) for a in d.axes)
    return replace(d, axes=axes, value=f(d.value))
