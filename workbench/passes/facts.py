"""Values for which an assert of a kernel holds: what a refused call can be changed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.errors import CallError
from workbench.ir.expr import free_names
from workbench.ir.interpret import evaluate
from workbench.ir.show import expr_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.expr import Expr

Number = np.ndarray[Any, np.dtype[Any]] | float
"""The value of a dim, or of a scalar as a 0-d array of its dtype."""

_STEPS = tuple(sign * n for n in (*range(1, 65), *(2**k for k in range(7, 25))) for sign in (1, -1))
"""How far from the value given another is looked for, the nearest first."""


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
