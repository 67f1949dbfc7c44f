"""What a reader must know of the numbers of a graph: where they may differ from run to run.

Whole numbers add up to the same in every order, and the greatest of some values is the same in
every order, NaN included; the sum of floats is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.base.source import NOWHERE, Origin, origin_field
from workbench.ir.expr import loads
from workbench.ir.graph import Block, Equation, defined, each
from workbench.ir.lanes import quoted
from workbench.ir.stmt import Store, adds_in_any_order, reads, writes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workbench.ir.graph import Definition, Graph


@dataclass(frozen=True, slots=True)
class Remark:
    """One array whose values may differ, the store that is the cause, and why, in words.

    `kind` is "nondeterministic" for float additions in no fixed order, "unproved" for plain
    writes of which it is not proved that no two iterations make them to one element.
    `reaches` are the results that are computed from the array.
    """

    kind: Literal["nondeterministic", "unproved"]
    array: str
    words: str
    reaches: tuple[str, ...] = ()
    origin: Origin = origin_field()


def remarks(graph: Graph) -> tuple[Remark, ...]:
    """The remarks of a graph whose stores are marked, in text order, one for each place."""
    found: dict[Remark, None] = {}
    for d in each(graph.definitions):
        for s in writes(d.body) if isinstance(d, Block) else ():
            if s.unproved or adds_in_any_order(s):
                reached = _reached(graph, s.array)
                others = tuple(o for o in dict.fromkeys(graph.outputs) if o in reached - {s.array})
                found.setdefault(_remark(s, others))
    return tuple(found)


def _remark(s: Store, others: tuple[str, ...]) -> Remark:
    place = s.place if s.place is not NOWHERE else s.origin
    at = quoted(s.origin)
    tail = f"; so may {' and '.join(others)}, computed from it" if others else ""
    if s.unproved:
        return Remark(
            "unproved", s.array,
            f"{s.array} may differ from run to run: it is not proved that no two iterations of "
            f"{at} write the same element, and either value may stay{tail}",
            others, origin=place,
        )  # fmt: skip
    return Remark(
        "nondeterministic", s.array,
        f"{s.array} may differ from run to run in its last digits: {at} adds floats in the order "
        f"in which iterations come{tail}",
        others, origin=place,
    )  # fmt: skip


def _reached(graph: Graph, array: str) -> frozenset[str]:
    """The array and all that are computed from it; repeats come around again."""
    found = frozenset({array})
    while True:
        wider = found | {name for d in graph.definitions for name in _made_from(d, found)}
        if wider == found:
            return found
        found = wider


def _made_from(d: Definition, arrays: frozenset[str]) -> Iterator[str]:
    """What a definition computes from some arrays."""
    for x in each((d,)):
        read: Iterable[str] = (
            {e.array for e in loads(x.value)}
            if isinstance(x, Equation)
            else {e.array for e in reads(x.body)}
        )
        if arrays & set(read):
            yield from (a.name for a in defined(x))
