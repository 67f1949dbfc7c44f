"""The asserts of a kernel: what they say of a run, and values for which one holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.errors import CallError
from workbench.ir.expr import Var, apply, free_names, integer
from workbench.ir.extents import LARGEST_OPEN
from workbench.ir.forms import variables_of
from workbench.ir.interpret import evaluate
from workbench.ir.show import expr_text
from workbench.passes.fold import bind_dims, fold

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from workbench.ir.expr import Expr
    from workbench.ir.graph import Graph

Number = np.ndarray[Any, np.dtype[Any]] | float
"""The value of a dim, or of a scalar as a 0-d array of its dtype."""

_STEPS = tuple(sign * n for n in (*range(1, 65), *(2**k for k in range(7, 25))) for sign in (1, -1))
"""How far from the value given another is looked for, the nearest first."""


def facts_left(graph: Graph, dims: Mapping[str, int], left: Collection[str]) -> tuple[Expr, ...]:
    """What is known of the i32 scalars of a run: the asserts that dims do not settle.

    Dims in `left` are open: scalars from 0 to the largest that an open dim may be.
    """
    given = {name: int(value) for name, value in dims.items() if name not in left}
    facts = [fold(bind_dims(fact, given)) for fact in graph.facts]
    for name in left:
        facts.append(apply("ge", Var(name), integer(0)))
        facts.append(apply("le", Var(name), integer(LARGEST_OPEN)))
    return tuple(fact for fact in facts if variables_of((fact,)))


def broken_fact(name: str, fact: Expr, values: Mapping[str, Number]) -> CallError:
    """The refusal of a call of the kernel `name` with values for which an assert does not hold."""
    shown = ", ".join(f"{k} = {v}" for k, v in values.items())
    return CallError(
        f"{name}: assert {expr_text(fact)} does not hold for {shown}",
        span=fact.origin.nearest_span(),
        hint=closest_call(fact, values),
    )


def closest_call(fact: Expr, values: Mapping[str, Number]) -> str:
    """`N = 8`: the nearest value of one name for which the assert holds, the others kept.

    `values` has one for each name of the assert; without such a value the assert itself is said.
    """
    names = sorted(free_names(fact))
    for step in _STEPS:
        for name in names:
            old = int(values[name])
            new = old + step
            if not -(2**24) <= new <= 2**24 or (new < 0 <= old):
                continue
            tried: dict[str, Number] = {n: values[n] for n in names}
            tried[name] = np.asarray(new, getattr(values[name], "dtype", np.int32))
            if evaluate(fact, tried):
                return f"{name} = {new}"
    return f"values for which {expr_text(fact)} holds"
