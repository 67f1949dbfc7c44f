"""What names of a graph stand for at one place of the loops that lowering makes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.base.dtypes import I32
from workbench.ir.expr import Expr, Iterated, Iteration, Var, free_names, substitute
from workbench.ir.stmt import Assign, Local
from workbench.passes.names import fresh_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.extents import Extent
    from workbench.ir.stmt import Stmt


@dataclass(frozen=True, slots=True)
class Scope:
    """Names taken in the whole function (grows), and what names of the source stand for here.

    `shapes` are those of all arrays; `known` has values before a run: open dims and turns around.
    `scalars` are the parameters. `iterated` has the loops that the statement at hand has made for
    values: where they stand, what they compute, and the locals that have it.
    """

    taken: set[str]
    values: Mapping[str, Expr]
    shapes: Mapping[str, tuple[Extent, ...]]
    known: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()
    iterated: list[tuple[list[Stmt], Iterated, tuple[Var, ...]]] = field(default_factory=list[Any])

    def bind(self, name: str, dtype: Var | None = None) -> tuple[str, Scope]:
        """A fresh name for `name` and the scope in which it stands for it."""
        fresh = fresh_name(name, self.taken)
        var = Var(fresh, I32 if dtype is None else dtype.dtype)
        return fresh, replace(self, values={**self.values, name: var})

    def apart(self) -> Scope:
        """The same names for another statement."""
        return replace(self, iterated=[])

    def around(self, iteration: Iteration) -> Iteration:
        """The indices around a place, as loops say them; those that no loop has are left out."""
        here = {*self.values, *self.scalars}
        found = ((n, substitute(x, self.values)) for n, x in iteration if free_names(x) <= here)
        return tuple(found)


def set_at_once(values: list[Var], new: list[Expr], taken: set[str]) -> list[Stmt]:
    """Locals given new values, which are all computed before the first is set."""
    changed = [(v, x) for v, x in zip(values, new, strict=True) if x != v]
    out: list[Stmt] = []
    if len(changed) > 1:
        for n, (v, x) in enumerate(changed):
            name = fresh_name(f"{v.name}_next", taken)
            out.append(Local(name, x, fixed=True, origin=x.origin))
            changed[n] = (v, Var(name, x.dtype, origin=x.origin))
    return [*out, *(Assign(v.name, x, origin=x.origin) for v, x in changed)]
