"""Fresh names: what a pass calls what it makes."""

from __future__ import annotations

from workbench.ir.expr import Iterated, Reduce, walk
from workbench.ir.graph import Equation, Graph, each, repeats
from workbench.ir.stmt import walk_stmts


def names_of(graph: Graph) -> set[str]:
    """Every name used in a graph: arrays, scalars, indices, locals."""
    names = set(graph.arrays()) | {s.name for s in graph.scalars} | set(graph.dims)
    names |= {r.var for r in repeats(graph.definitions)}
    for d in each(graph.definitions):
        if isinstance(d, Equation):
            names |= {a.name for a in d.axes}
            for e in walk(d.value):
                if isinstance(e, Reduce):
                    names |= {r.var for r in e.ranges}
                if isinstance(e, Iterated):
                    names |= e.bound
        else:
            for s in walk_stmts(d.body):
                names |= {getattr(s, "var", ""), getattr(s, "name", "")}
    return names - {""}


def fresh_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or `wanted_1`, `wanted_2` ... if it is taken; the answer is taken from now on."""
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name
