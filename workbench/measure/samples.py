"""Some workgroups of the device kernels at the real sizes: their faults, and their numbers.

What they wrote is compared with the graph at float64, element by element; what loop blocks
define is not, see `ir/sample.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.ir.compare import agreement
from workbench.ir.demand import run_graph_at
from workbench.ir.expr import Apply, Cast, Expr, Iterated, Reduce, walk
from workbench.ir.graph import Equation, Graph, each
from workbench.ir.ops import OPS
from workbench.ir.sample import Sample, run_samples
from workbench.measure.reference import magnitude
from workbench.passes.fold import literal_int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.dtypes import DType
    from workbench.ir.device import Mapped

    Arrays = Mapping[str, np.ndarray]

UNDECIDED = 0.01
"""The share of elements that may differ where comparisons of rounded floats decide them."""
_JUMPS = {"floor", "ceil", "round", "floordiv", "mod", "remainder"}


def sampled(
    mapped: Mapped,
    graph: Graph,
    inputs: Arrays,
    scalars: Mapping[str, Any],
    stored: DType | None = None,
) -> tuple[bool, str]:
    """Whether four workgroups of each kernel are right, and in words what was looked at.

    `graph` is the specialised graph that was lowered to these kernels, `stored` a shorter float
    as which they keep values on the way.
    """
    compared = 0
    for sample in run_samples(mapped, graph, inputs, scalars):
        if not sample.findings.ok:
            return False, f"{sample.kernel}: {sample.findings.faults[0].words}"
        for name in sample.found:
            wrong = _wrong(sample, name, graph, inputs, scalars, stored)
            if wrong:
                return False, f"{sample.kernel}: {name} {wrong}"
            compared += len(sample.found[name])
    words = "the first, the last and two random workgroups have no race and no stray"
    if compared:
        words += f", and {compared} elements that they wrote agree"
    return True, words


def _wrong(
    sample: Sample,
    name: str,
    graph: Graph,
    inputs: Arrays,
    scalars: Mapping[str, Any],
    stored: DType | None,
) -> str:
    """What is wrong with the values of one array; nothing where they agree."""
    found, expected = sample.found[name], sample.expected[name]
    sized = run_graph_at(magnitude(graph), inputs, scalars, name, sample.points[name])
    sizes = np.abs(np.append(sized, expected))
    scale = float(sizes[np.isfinite(sizes)].max(initial=0.0))
    one = agreement(
        found, expected, found.dtype, terms=_terms(graph, name), scale=scale,
        stored=None if stored is None else stored.numpy,
    )  # fmt: skip
    undecided = UNDECIDED * found.size if _jumps(graph) else 0
    return one.words if one.wrong > undecided else ""


def _terms(graph: Graph, name: str) -> int:
    """How many terms an element of an array sums."""
    (value,) = (
        d.value for d in each(graph.definitions) if isinstance(d, Equation) and d.target == name
    )
    ranges = (e.ranges for e in walk(value) if isinstance(e, Reduce))
    return 1 + sum(math.prod(max(1, literal_int(r.stop) or 64) for r in each) for each in ranges)


def _jumps(graph: Graph) -> bool:
    """Whether a rounding can change results by more than itself: floats are compared or cut."""
    equations = (d.value for d in each(graph.definitions) if isinstance(d, Equation))
    return any(_cuts(e) for value in equations for e in walk(value))


def _cuts(e: Expr) -> bool:
    match e:
        case Apply(op, args):
            return args[0].dtype.kind == "f" and (op in _JUMPS or OPS[op].compares)
        case Cast(dtype, arg):
            return arg.dtype.kind == "f" and dtype.kind != "f"
        case Reduce(op):
            return op in {"argmax", "argmin"}
        case Iterated():
            return True
        case _:
            return False
