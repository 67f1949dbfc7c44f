"""Some workgroups of the real device kernels, with what they wrote beside what it should be.

Each kernel of a function runs its first, last and two random workgroups. Arrays that earlier
kernels would have left it come from the graph, on demand; so a late kernel of a large function
is simulated without running the early ones. What loop blocks define is not computed here, for
the graph could only compute it whole, nor what steps make, a packed copy for one: a kernel that
reads it finds zeros and is not compared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from workbench.base.panels import plain
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
    from workbench.ir.loops import Buffer

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
    made_by_steps = {b.name for b in kernel.buffers if not _known(b, places)}
    arrays: dict[str, Value] = {}
    supply: dict[str, Place] = {}
    for b in kernel.buffers:
        if b.name in kernel.written:
            before = inputs.get(b.name)
            undefined = poison(b.sizes, b.dtype.numpy).reshape(b.sizes)
            arrays[b.name] = undefined if before is None else before.copy(order="C")
        elif b.name in unknown | made_by_steps:
            arrays[b.name] = np.zeros(b.sizes, b.dtype.numpy)
        elif b.panels is not None:
            arrays[b.name] = np.ascontiguousarray(b.panels.pack(inputs[b.name]))
        else:
            supply[b.name] = places[b.name]
    findings = run_some_workgroups(kernel, arrays, scalars, seed=seed, supply=supply)
    points: dict[str, Value] = {}
    found: dict[str, Value] = {}
    expected: dict[str, Value] = {}
    fed = all(b.name in kernel.written for b in kernel.buffers if b.name in made_by_steps)
    for b in kernel.buffers:
        flat = findings.written.get(b.name)
        if flat is not None and fed and b.name in compared - made_by_steps:
            step = -(-len(flat) // MOST)
            chosen = flat[:: max(1, step)]
            points[b.name], meant = _meant(b, chosen)
            found[b.name] = arrays[b.name].reshape(-1)[chosen]
            expected[b.name] = elements(places[b.name], meant)
    return Sample(kernel.name, findings, points, found, expected)


def _known(b: Buffer, places: Mapping[str, Place]) -> bool:
    """Whether the graph says what a buffer holds: steps make packed copies, and panels between."""
    return b.name in places and places[b.name].shape == plain(b.sizes, b.panels)


def _meant(b: Buffer, chosen: Value) -> tuple[Value, Value]:
    """The elements of an array at places in storage: their indices, and their places in C order."""
    if not b.sizes:
        return chosen[:, None], chosen
    points = np.stack(np.unravel_index(chosen, b.sizes), 1)
    if b.panels is None:
        return points, chosen
    points = b.panels.indices(points)
    shape = plain(b.sizes, b.panels)
    return points, np.asarray(np.ravel_multi_index(tuple(points.T), shape))
