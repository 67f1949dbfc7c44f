"""What a call of a compilation should give, by its real inputs; see `reference.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.measure.reference import (
    Reference,
    can_select,
    reference,
    selected_reference,
    shorter,
    work,
)
from workbench.passes.graph import specialise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.pipeline import Compilation

WHOLE = 12_000_000
"""Scalar evaluations up to which a reference is computed whole."""


def expected(c: Compilation, inputs: Mapping[str, Any]) -> Reference:
    """The reference of a call with these arrays and scalars, by name; large ones at points."""
    graph = specialise(c.graph, c.dims)
    arrays = {a.name: np.asarray(inputs[a.name]) for a in graph.inputs}
    scalars = {s.name: inputs[s.name] for s in graph.scalars}
    large = work(graph) > WHOLE and can_select(graph)
    make = selected_reference if large else reference
    made = make(graph, arrays, scalars, names=c.program.outputs)
    return replace(made, stored=shorter(graph, c.stages["scheduled"].value))
