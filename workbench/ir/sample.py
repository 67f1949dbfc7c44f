"""Some workgroups of the real device kernels, with what they wrote beside what it should be.

Each kernel of a function runs its first, last and two random workgroups. Arrays that earlier
kernels would have left it come from the graph, on demand; so a late kernel of a large function
is simulated without running the early ones. What loop blocks define is not computed here, for
the graph could only compute it whole: a kernel that reads it finds zeros and is not compared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from workbench.ir.demand import demanded, elements
from workbench.ir.expr import loads
from workbench.ir.graph import Block, Equation, Graph, Repeat, defined, each
from workbench.ir.lanes import Value, poison
from workbench.ir.simt import run_some_workgroups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.device import DeviceKernel, Mapped
    from workbench.ir.findings import Findings
    from workbench.ir.lanes import Place

    Arrays = Mapping[str, np.ndarray[Any, Any]]

MOST = 512
"""Elements compared of one array."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What some workgroups of one kernel did.

    `found` has, for each array it wrote, the values of the elements at `points` ([n, rank]) as
    computed, `expected` the same by the graph at float64. Left out of both are arrays of loop
    blocks, what is computed from them, and arrays that are written twice.
    """

    kernel: str
    findings: Findings
    points: Mapping[str, Value]
    found: Mapping[str, Value]
    expected: Mapping[str, Value]


def run_samples(
    mapped: Mapped,
    graph: Graph,
    inputs: Arrays,
    scalars: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
) -> tuple[Sample, ...]:
    """A sample of each kernel. `graph` is the specialised graph that was lowered.

    Raises `RunError` for a `while` beyond its budget.
    """
    places = demanded(graph, inputs, scalars)
    made = Counter(a.name for d in each(graph.definitions) for a in defined(d))
    written = Counter(name for k in mapped.kernels for name in k.written)
    unknown = _from_blocks(graph)
    once = {n for n in made if made[n] == 1 and written[n] == 1 and n not in inputs}
    return tuple(
        _sample(k, once - unknown, unknown, places, inputs, scalars, seed=seed + number)
        for number, k in enumerate(mapped.kernels)
    )


def _from_blocks(graph: Graph) -> set[str]:
    """The arrays of blocks, those that repeats or updates change, and those computed from them."""
    made = Counter(a.name for d in each(graph.definitions) for a in defined(d))
    found = {name for name, times in made.items() if times > 1}
    for d in graph.definitions:
        match d:
            case Block() | Repeat():
                found |= {a.name for a in defined(d)}
            case Equation():
                if any(e.array in found for e in loads(d.value)):
                    found.add(d.target)
            case _:
                assert_never(d)
    return found


def _sample(
    kernel: DeviceKernel,
    compared: set[str],
    unknown: set[str],
    places: dict[str, Place],
    inputs: Arrays,
    scalars: Mapping[str, float] | None,
    *,
    seed: int,
) -> Sample:
    arrays: dict[str, Value] = {}
    supply: dict[str, Place] = {}
    for b in kernel.buffers:
        if b.name in kernel.written:
            before = inputs.get(b.name)
            undefined = poison(b.sizes, b.dtype.numpy).reshape(b.sizes)
            arrays[b.name] = undefined if before is None else before.copy(order="C")
        elif b.name in unknown:
            arrays[b.name] = np.zeros(b.sizes, b.dtype.numpy)
        else:
            supply[b.name] = places[b.name]
    findings = run_some_workgroups(kernel, arrays, scalars, seed=seed, supply=supply)
    points: dict[str, Value] = {}
    found: dict[str, Value] = {}
    expected: dict[str, Value] = {}
    for name, flat in findings.written.items():
        if name in compared:
            step = -(-len(flat) // MOST)
            chosen = flat[:: max(1, step)]
            shape = arrays[name].shape
            points[name] = (
                np.stack(np.unravel_index(chosen, shape), 1) if shape else chosen[:, None]
            )
            found[name] = arrays[name].reshape(-1)[chosen]
            expected[name] = elements(places[name], chosen)
    return Sample(kernel.name, findings, points, found, expected)
