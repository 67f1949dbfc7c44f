"""What is known at a place of a loop block."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workbench.ir.stmt import Alloc
from workbench.lang.names import Broken, Context, LocalName, Name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.lang.extents import Declared


@dataclass(frozen=True, slots=True)
class Flow:
    """What is known at a place: the context, the locals that surely have a value, the loops.

    `scalars` (every local so far) and `private` (every private array) are shared by all places
    of a block and grow; `certain` is None where control never arrives. `loops` are all
    variables of loops in the block, `updated` the arrays it writes that have values before.
    """

    context: Context
    scalars: dict[str, LocalName]
    declared: Mapping[str, Declared]
    loops: frozenset[str]
    certain: frozenset[str] | None = frozenset()
    in_loop: bool = False
    private: dict[str, Alloc] = field(default_factory=dict[str, Alloc])
    updated: frozenset[str] = frozenset()

    @property
    def here(self) -> Context:
        """The context with the locals known here."""
        sure = self.certain
        names: dict[str, Name] = {
            k: replace(v, certain=sure is None or k in sure) for k, v in self.scalars.items()
        }
        return self.context.adding(names)

    def having(self, *names: str) -> Flow:
        """The same place once these locals have a value."""
        sure = self.certain
        return self if sure is None else replace(self, certain=sure | set(names))


def breaking(flow: Flow, node: ast.stmt) -> Flow:
    """The flow after a statement that is wrong: the names that it sets are not reported again."""
    names = [x for x in ast.walk(node) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)]
    known = flow.here.names
    broken: dict[str, Name] = {
        x.id: Broken(flow.context.report.span(x)) for x in names if x.id not in known
    }
    return replace(flow, context=flow.context.adding(broken))
