"""What is known of a kernel while its lines are read."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.base.dtypes import I32
from workbench.ir.expr import Expr, Var, apply, free_names
from workbench.ir.graph import Definition, defined
from workbench.lang.extents import Declared, same
from workbench.lang.names import ArrayName, Broken, Context, Dim, Name, ScalarName
from workbench.lang.prove import World

if TYPE_CHECKING:
    from workbench.ir.expr import Range


@dataclass(slots=True)
class Draft:
    """A kernel while it is read: names, declarations and definitions grow line by line.

    `words` are all names that stand anywhere in it, `results` those that are returned; `turns`
    are the time loops around this line.
    """

    start: Context
    names: dict[str, Name]
    declared: dict[str, Declared]
    words: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()
    turns: tuple[Range, ...] = ()
    facts: list[Expr] = field(default_factory=list[Expr])
    definitions: list[Definition] = field(default_factory=list[Definition])

    @property
    def context(self) -> Context:
        """The names known at this line."""
        return self.start.adding(self.names)

    @property
    def world(self) -> World:
        """What holds at this line."""
        arrays = [n.array for n in self.names.values() if isinstance(n, ArrayName)]
        scalars = [n.scalar for n in self.names.values() if isinstance(n, ScalarName)]
        used = {x for a in arrays for e in a.shape for x in free_names(e)}
        dims = [k for k, n in self.names.items() if isinstance(n, Dim)]
        dims += [s.name for s in scalars if s.name in used]
        whole = tuple(s.name for s in scalars if s.dtype is I32)
        return World(tuple(dims), whole, tuple(self.facts))

    @property
    def here(self) -> World:
        """What holds at this line in every turn of the loops around it."""
        w, facts = self.world, list[Expr]()
        for r in self.turns:
            facts += [apply("le", r.start, Var(r.var)), apply("lt", Var(r.var), r.stop)]
        return World(w.dims, (*w.scalars, *(r.var for r in self.turns)), (*w.facts, *facts))


def has_values(draft: Draft, name: str) -> bool:
    """Whether an array of this name can be read, and so updated, at this line."""
    old = draft.names.get(name)
    return isinstance(old, ArrayName) and not old.blocked


def break_names(draft: Draft, node: ast.stmt) -> None:
    """The names that a refused statement would define are not reported again."""
    for x in ast.walk(node):
        if isinstance(x, ast.FunctionDef):
            draft.names.setdefault(x.name, Broken(draft.start.report.span(x)))
        if isinstance(x, ast.Name | ast.Subscript) and isinstance(x.ctx, ast.Store):
            name = x.value if isinstance(x, ast.Subscript) else x
            if isinstance(name, ast.Name):
                draft.names.setdefault(name.id, Broken(draft.start.report.span(x)))


def taken(draft: Draft, target: ast.expr, name: str) -> bool:
    """Report a target whose name stands for something already."""
    c = draft.context
    old = draft.names.get(name)
    if isinstance(old, Broken):
        return True
    place = target.value if isinstance(target, ast.Subscript) else target
    return c.clash(place, name, "an array")


def define(draft: Draft, name: str, place: ast.expr, found: Definition | None) -> None:
    """Append a definition and the names of its arrays; without one, `name` is broken."""
    span = draft.start.report.span(place)
    if found is None:
        draft.names[name] = Broken(span)
        return
    draft.definitions.append(found)
    for array in defined(found):
        origin = array.origin.nearest_span()
        draft.names[array.name] = ArrayName(array, span if origin is None else origin)


def agree(a: Declared, b: Declared) -> bool:
    """Whether two annotations say the same."""
    if a.dtype != b.dtype or len(a.shape) != len(b.shape):
        return False
    return all(same(x, y) for x, y in zip(a.shape, b.shape, strict=True))
