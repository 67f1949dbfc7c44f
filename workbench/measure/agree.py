"""The same call on several devices, each compared with the graph evaluated at float64.

Small results are compared whole, large ones at selected elements: the first, the last and
random ones between, each computed on demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.ir.compare import agreement
from workbench.ir.demand import run_graph_at
from workbench.ir.interpret import run_graph
from workbench.measure.checks import WORK, work
from workbench.measure.magnitude import magnitude, scales
from workbench.passes.graph import specialise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.graph import Graph
    from workbench.pipeline import Compilation

POINTS = 64
"""Elements of a large result that are compared."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the outputs should be: whole arrays, or values at `points` of each."""

    values: Mapping[str, np.ndarray]
    points: Mapping[str, np.ndarray] | None
    scales: Mapping[str, float]
    terms: int

    def compare(self, outputs: Mapping[str, np.ndarray]) -> tuple[bool, str]:
        """Whether all outputs agree, and the words of the worst."""
        ok, words = True, "returns nothing"
        for name, expected in self.values.items():
            found = np.asarray(outputs[name])
            if self.points is not None:
                found = found[tuple(self.points[name].T)]
            one = agreement(found, expected, found.dtype, terms=self.terms, scale=self.scales[name])
            if ok:
                ok, words = one.ok, one.words
        if self.points is not None:
            count = min(len(p) for p in self.points.values())
            words = f"{words} at {count} selected elements"
        return ok, words


def expected(c: Compilation, inputs: Mapping[str, Any], seed: int = 0) -> Expected:
    """What a call of this compilation should give, whole or at selected elements."""
    graph = specialise(c.graph, c.dims)
    arrays = {a.name: np.asarray(inputs[a.name]) for a in graph.inputs}
    scalars = {s.name: inputs[s.name] for s in graph.scalars}
    names = c.program.outputs
    size = sum(max(1, int(np.prod(c.program.buffer(n).shape))) for n in names)
    amount = work(graph)
    terms = max(1, amount // max(1, size))
    if amount <= 4 * WORK or _has_blocks(graph):
        whole = run_graph(graph, arrays, scalars)
        sized = run_graph(magnitude(graph), arrays, scalars)
        renamed = dict(zip(names, graph.outputs, strict=True))
        values = {new: whole[old] for new, old in renamed.items()}
        sizes = scales(values, {new: sized[old] for new, old in renamed.items()})
        return Expected(values, None, sizes, terms)
    rng = np.random.default_rng(seed)
    points: dict[str, np.ndarray] = {}
    values: dict[str, np.ndarray] = {}
    sized: dict[str, np.ndarray] = {}
    for new, old in zip(names, graph.outputs, strict=True):
        shape = c.program.buffer(new).shape
        chosen = np.stack([rng.integers(0, n, POINTS) for n in shape], axis=1)
        chosen[0], chosen[-1] = 0, np.asarray(shape) - 1
        points[new] = chosen
        values[new] = run_graph_at(graph, arrays, scalars, old, chosen)
        sized[new] = run_graph_at(magnitude(graph), arrays, scalars, old, chosen)
    return Expected(values, points, scales(values, sized), terms)


def _has_blocks(graph: Graph) -> bool:
    from workbench.ir.graph import Block  # noqa: PLC0415

    return any(isinstance(d, Block) for d in graph.definitions)
