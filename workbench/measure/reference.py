"""What a call should give: the graph at float64, and how far rounding alone may move it.

Two things keep the comparison fair. A sum whose terms cancel is off by the rounding of the
terms: its scale is that of the same graph with the absolute value of every term. An element
that a comparison of floats decides (an escape count, an argmax of near ties) may come out
differently at float32: a result may differ in as many elements as the graph itself does
between float32 and float64, and in none where it does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from workbench.ir.compare import agreement
from workbench.ir.demand import run_graph_at
from workbench.ir.expr import Expr, Reduce, apply, rebuild, substitute, walk
from workbench.ir.graph import Block, Equation, Graph, Repeat, expanded
from workbench.ir.interpret import run_graph
from workbench.ir.stmt import Alloc, For, LoopKind, Store, map_bodies, walk_stmts
from workbench.passes.fold import fold, literal_int

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.base.dtypes import DType
    from workbench.ir.compare import Agreement
    from workbench.ir.graph import Definition
    from workbench.ir.loops import Loops
    from workbench.ir.stmt import Stmt
    from workbench.pipeline import Target

    Arrays = Mapping[str, np.ndarray]

POINTS = 64
"""Elements of a large result that are compared."""
BLOCK_STEPS = 64
"""Statements that one element of a loop block is taken to run, for estimates."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The outputs at float64: whole, or at `points` of each.

    `rounded` are the outputs of the same graph in its own dtypes (whole references only),
    `scales` the sizes of the terms, `terms` how many of them an element sums, about. `stored` is
    the float as which a schedule keeps values on the way, where it is shorter than the graph's.
    """

    values: Arrays
    rounded: Arrays | None
    points: Arrays | None
    scales: Mapping[str, float]
    terms: int
    stored: DType | None = None

    def compare(self, outputs: Arrays, target: Target = "llvm") -> tuple[bool, str]:
        """Whether all outputs agree, and the words of the worst.

        What a program for `target` gives in place of a NaN is only counted where it is for a GPU:
        WGSL promises none.
        """
        worst: tuple[bool, str] = (True, "returns nothing")
        notes: list[str] = []
        for name in self.values:
            found = np.asarray(outputs[name])
            if self.points is not None:
                found = found[tuple(self.points[name].T)]
            if target == "wgsl" and (lost := self._lost(name, found)).any():
                notes.append(self._unspecified(name, lost))
                found = np.where(lost, found.dtype.type(np.nan), found)
            one = self._compare(name, found)
            if worst[0]:
                worst = one
        words = worst[1]
        if self.points is not None:
            words += f" at {min(len(p) for p in self.points.values())} selected elements"
        return worst[0], "; ".join([words, *notes])

    def _lost(self, name: str, found: np.ndarray) -> np.ndarray:
        """The elements that should be NaN, and are numbers."""
        values = self.values[name]
        if found.dtype.kind != "f" or values.dtype.kind != "f" or found.shape != values.shape:
            return np.zeros(found.shape, bool)
        return np.isnan(values) & ~np.isnan(found)

    def _unspecified(self, name: str, lost: np.ndarray) -> str:
        first = np.argwhere(lost)[0]
        place = (first if self.points is None else self.points[name][first[0]]).tolist()
        count = f"{int(lost.sum())} of {lost.size} elements of " if lost.size > 1 else ""
        where = f", the first at {place}," if place else ""
        return f"{count}'{name}'{where} unspecified: NaN here, which WGSL does not promise"

    def _compare(self, name: str, found: np.ndarray) -> tuple[bool, str]:
        one = self._agreement(name, found)
        if one.ok or self.rounded is None or one.wrong == found.size:
            return one.ok, one.words
        undecided = self._agreement(name, self.rounded[name]).wrong
        if one.wrong > 2 * undecided:
            return False, one.words
        return True, (
            f"agrees but for {one.wrong} of {found.size} elements that rounding decides "
            f"(float32 alone moves {undecided})"
        )

    def _agreement(self, name: str, found: np.ndarray) -> Agreement:
        stored = None if self.stored is None else self.stored.numpy
        return agreement(
            found, self.values[name], found.dtype,
            terms=self.terms, scale=self.scales[name], stored=stored,
        )  # fmt: skip


def shorter(graph: Graph, loops: Loops) -> DType | None:
    """The shortest float of arrays that loops keep, where the arrays of their graph are longer."""
    own = {a.dtype for a in graph.arrays().values()}
    there = {b.dtype for b in loops.buffers}
    there |= {s.dtype for s in walk_stmts(loops.body) if isinstance(s, Alloc)}
    least = min((t.bits for t in own if t.kind == "f"), default=0)
    found = [t for t in there if t.kind == "f" and t.bits < least]
    return min(found, key=lambda t: t.bits, default=None)


def reference(
    graph: Graph, arrays: Arrays, scalars: Mapping[str, Any], *, names: Sequence[str]
) -> Reference:
    """The reference of a specialised graph, whole; its outputs are called `names`."""
    found = run_graph(graph, arrays, scalars)
    rounded = run_graph(graph, arrays, scalars, wide=False)
    sized = run_graph(magnitude(graph), arrays, scalars)
    values = _renamed(found, graph, names)
    return Reference(
        values,
        _renamed(rounded, graph, names),
        None,
        _scales(values, _renamed(sized, graph, names)),
        _terms(graph, values),
    )


def selected_reference(
    graph: Graph,
    arrays: Arrays,
    scalars: Mapping[str, Any],
    *,
    names: Sequence[str],
    seed: int = 0,
) -> Reference:
    """The first, the last and random elements of each output, each computed on demand."""
    rng = np.random.default_rng(seed)
    shapes = {n: a.shape for n, a in graph.arrays().items()}
    points: dict[str, np.ndarray] = {}
    values: dict[str, np.ndarray] = {}
    sized: dict[str, np.ndarray] = {}
    for new, old in zip(names, graph.outputs, strict=True):
        extents = [literal_int(x) or 0 for x in shapes[old]]
        chosen = np.stack([rng.integers(0, n, POINTS) for n in extents], axis=1)
        chosen[0], chosen[-1] = 0, np.asarray(extents) - 1
        points[new] = chosen
        values[new] = run_graph_at(graph, arrays, scalars, old, chosen)
        sized[new] = run_graph_at(magnitude(graph), arrays, scalars, old, chosen)
    terms = max(1, work(graph) // max(1, sum(_size(graph, o) for o in graph.outputs)))
    return Reference(values, None, points, _scales(values, sized), terms)


def work(graph: Graph) -> int:
    """How many scalar evaluations a specialised graph takes, about."""
    return _work(graph, graph.definitions)


def _work(graph: Graph, definitions: tuple[Definition, ...]) -> int:
    total = 0
    for d in definitions:
        match d:
            case Equation():
                largest = {a.name: a.extent for a in d.axes}
                per_point = 1 + sum(
                    _terms_of(e, largest) for e in walk(d.value) if isinstance(e, Reduce)
                )
                total += per_point * math.prod(literal_int(a.extent) or 0 for a in d.axes)
            case Block():
                total += BLOCK_STEPS * max(_points(d), sum(_size(graph, a.name) for a in d.defines))
            case Repeat():
                start, stop = literal_int(d.start) or 0, literal_int(d.stop)
                turns = max(0, BLOCK_STEPS if stop is None else stop - start)
                total += turns * _work(graph, d.body)
            case _:
                assert_never(d)
    return total


def _points(d: Block) -> int:
    """How many iterations the grid of a block has."""
    loops = [s for s in walk_stmts(d.body) if isinstance(s, For) and s.kind is LoopKind.PARALLEL]
    return math.prod(max(0, literal_int(s.stop) or 0) for s in loops)


def _terms_of(e: Reduce, largest: Mapping[str, Expr]) -> int:
    """How many terms a reduction has at most, about; `largest` are the ends of other indices."""
    total, ends = 1, dict(largest)
    for r in e.ranges:
        ends[r.var] = fold(substitute(r.stop, ends))
        total *= max(1, literal_int(ends[r.var]) or BLOCK_STEPS)
    return total


def can_select(graph: Graph) -> bool:
    """Whether elements can be computed on demand: blocks run whole, 0-d results are one."""
    blocks = any(isinstance(d, Block | Repeat) for d in graph.definitions)
    arrays = graph.arrays()
    return not blocks and all(arrays[o].shape and _size(graph, o) for o in graph.outputs)


def magnitude(graph: Graph) -> Graph:
    """The graph with `sum(abs(term))` for every `sum(term)` of floats, in updates of blocks too."""

    def sized(d: Equation | Block) -> tuple[Definition, ...]:
        if isinstance(d, Equation):
            return (replace(d, value=_absolute(d.value)),)
        return (replace(d, body=tuple(map(_sized_updates, d.body))),)

    return replace(graph, definitions=expanded(graph.definitions, sized))


def _sized_updates(s: Stmt) -> Stmt:
    inner = map_bodies(s, lambda body: tuple(map(_sized_updates, body)))
    if isinstance(inner, Store) and inner.reduce == "add" and inner.value.dtype.kind == "f":
        return replace(inner, value=apply("abs", inner.value))
    return inner


def _absolute(e: Expr) -> Expr:
    inner = rebuild(e, _absolute)
    if isinstance(inner, Reduce) and inner.op == "add" and inner.body.dtype.kind == "f":
        return replace(inner, body=apply("abs", inner.body))
    return inner


def _renamed(found: Arrays, graph: Graph, names: Sequence[str]) -> dict[str, np.ndarray]:
    return {new: found[old] for new, old in zip(names, graph.outputs, strict=True)}


def _scales(values: Arrays, magnitudes: Arrays) -> dict[str, float]:
    return {n: max(_largest(v), _largest(magnitudes[n])) for n, v in values.items()}


def _largest(values: np.ndarray) -> float:
    if values.dtype.kind != "f" or not values.size:
        return 0.0
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _terms(graph: Graph, values: Arrays) -> int:
    return max(1, work(graph) // max(1, sum(v.size for v in values.values())))


def _size(graph: Graph, name: str) -> int:
    return math.prod(literal_int(x) or 0 for x in graph.arrays()[name].shape)
