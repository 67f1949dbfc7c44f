"""How large the terms of a result are: the scale on which its rounding errors stand.

A sum whose terms cancel is off by the rounding of the terms, not of the sum. The magnitude of a
graph is the same graph with the absolute value of every term of every float sum.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.ir.expr import Expr, Reduce, apply, rebuild
from workbench.ir.graph import Equation, Graph

if TYPE_CHECKING:
    from collections.abc import Mapping


def magnitude(graph: Graph) -> Graph:
    """The graph with `sum(abs(term))` for every `sum(term)` of floats."""
    definitions = tuple(
        replace(d, value=_absolute(d.value)) if isinstance(d, Equation) else d
        for d in graph.definitions
    )
    return replace(graph, definitions=definitions)


def scales(
    reference: Mapping[str, np.ndarray], magnitudes: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """For each output the largest finite magnitude of its elements or of their terms."""
    return {
        name: max(_largest(values), _largest(magnitudes[name]))
        for name, values in reference.items()
    }


def _largest(values: np.ndarray) -> float:
    if values.dtype.kind != "f" or not values.size:
        return 0.0
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _absolute(e: Expr) -> Expr:
    inner = rebuild(e, _absolute)
    if isinstance(inner, Reduce) and inner.op == "add" and inner.body.dtype.kind == "f":
        return replace(inner, body=apply("abs", inner.body))
    return inner
