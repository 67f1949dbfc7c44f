"""What names of a graph stand for at one place of the loops that lowering makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import I32
from workbench.ir.expr import Expr, Iteration, Var, free_names, substitute
from workbench.passes.names import fresh_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.extents import Extent


@dataclass(frozen=True, slots=True)
class Scope:
    """Names taken in the whole function (grows), and what names of the source stand for here.

    `shapes` are those of all arrays; `known` has values before a run: open dims and turns around.
    `scalars` are the parameters.
    """

    taken: set[str]
    values: Mapping[str, Expr]
    shapes: Mapping[str, tuple[Extent, ...]]
    known: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()

    def bind(self, name: str, dtype: Var | None = None) -> tuple[str, Scope]:
        """A fresh name for `name` and the scope in which it stands for it."""
        fresh = fresh_name(name, self.taken)
        var = Var(fresh, I32 if dtype is None else dtype.dtype)
        return fresh, replace(self, values={**self.values, name: var})

    def around(self, iteration: Iteration) -> Iteration:
        """The indices around a place, as loops say them; those that no loop has are left out."""
        here = {*self.values, *self.scalars}
        found = ((n, substitute(x, self.values)) for n, x in iteration if free_names(x) <= here)
        return tuple(found)
