"""Updates: equations of arrays that have values already, which read the old ones.

The language says that every read comes before any write. So an update writes an array of its
own and copies it back, but where each element reads only itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from workbench.ir.expr import Expr, Load, Reduce, Var, loads, rebuild
from workbench.ir.graph import Array, Axis, Block, Equation, Graph, Repeat, defined, each, expanded
from workbench.ir.stmt import Store, map_bodies, map_exprs
from workbench.passes.names import fresh_name, names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.graph import Definition
    from workbench.ir.stmt import Stmt


def copy_updated_inputs(graph: Graph) -> Graph:
    """A parameter that is updated is copied first: arguments never change."""
    written = {a.name for d in each(graph.definitions) for a in defined(d)}
    taken = names_of(graph)
    names = {a.name: fresh_name(f"{a.name}_copy", taken)
             for a in graph.inputs if a.name in written}  # fmt: skip
    if not names:
        return graph
    copies = tuple(
        copied(a, names[a.name], "copied, for it is updated")
        for a in graph.inputs
        if a.name in names
    )
    return replace(
        graph,
        definitions=(*copies, *(_renamed(d, names) for d in graph.definitions)),
        outputs=tuple(names.get(o, o) for o in graph.outputs),
    )


def keep_old_values(graph: Graph) -> Graph:
    """An update that reads more than its own element is written beside the old values first.

    before:  u[i] = (u[i - 1] + u[i + 1]) / 2
    after:   u_new[i] = (u[i - 1] + u[i + 1]) / 2
             u[i] = u_new[i]
    """
    taken = names_of(graph)

    def keep(d: Equation | Block) -> tuple[Definition, ...]:
        if isinstance(d, Block) or _own_element(d):
            return (d,)
        name = fresh_name(f"{d.target}_new", taken)
        shape = tuple(a.extent for a in d.axes)
        back = copied(Array(name, d.dtype, shape, origin=d.place), d.target, "the new values")
        return replace(d, target=name), back

    definitions = expanded(graph.definitions, keep)
    return graph if definitions is graph.definitions else replace(graph, definitions=definitions)


def _own_element(d: Equation) -> bool:
    """Whether an equation reads of its target nothing but the element that it writes.

    A reduction is accumulated in the target, so it may not read it at all.
    """
    index = tuple(Var(a.name) for a in d.axes)
    found = [e for e in loads(d.value) if e.array == d.target]
    if isinstance(d.value, Reduce):
        return not found
    return all(e.index == index for e in found)


def copied(a: Array, name: str, why: str) -> Equation:
    """The equation that copies an array."""
    origin = a.origin.derive(why)
    axes = tuple(Axis(f"{name}_{n}", x, origin=origin) for n, x in enumerate(a.shape))
    value = Load(a.name, tuple(Var(x.name) for x in axes), a.dtype, origin=origin)
    return Equation(name, a.dtype, axes, value, origin=origin, place=origin)


def _renamed(d: Definition, names: Mapping[str, str]) -> Definition:
    """The definition with arrays called otherwise."""

    def expression(e: Expr) -> Expr:
        inner = rebuild(e, expression)
        if isinstance(inner, Load) and inner.array in names:
            return replace(inner, array=names[inner.array])
        return inner

    def statement(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda b: tuple(statement(x) for x in b))
        if isinstance(inner, Store) and inner.array in names:
            return replace(inner, array=names[inner.array])
        return inner

    match d:
        case Equation():
            target = names.get(d.target, d.target)
            return replace(d, target=target, value=expression(d.value))
        case Block():
            body = tuple(map_exprs(statement(s), expression) for s in d.body)
            defines = tuple(replace(a, name=names.get(a.name, a.name)) for a in d.defines)
            return replace(d, body=body, defines=defines)
        case Repeat():
            return replace(d, body=tuple(_renamed(x, names) for x in d.body))
        case _:
            assert_never(d)
