"""Where the scalars of a loop block are declared: in the innermost body that holds all uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.base.source import NOWHERE, Origin
from workbench.ir.expr import Const, free_names
from workbench.ir.stmt import Assign, Body, Local, Stmt, bodies, expressions, map_bodies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.dtypes import DType


def declare(body: Body, dtypes: Mapping[str, DType]) -> Body:
    """The same body with a `Local` for each name of `dtypes`; before, all are `Assign`.

    Where the first use of a name in its body is an assignment, that becomes the declaration;
    else a zero is declared before the statement that holds the first use.
    """
    counts = _assignments(body)
    here = {name for name in dtypes if _home(body, name)}
    inner = {k: v for k, v in dtypes.items() if k not in here}
    result: list[Stmt] = []
    for s in body:
        for name in sorted(n for n in here if _mentions(s, n)):
            here.discard(name)
            if isinstance(s, Assign) and s.name == name and name not in free_names(s.value):
                s = Local(name, s.value, fixed=counts[name] == 1, origin=s.origin)  # noqa: PLW2901
            else:
                result.append(_zero(name, dtypes[name], _origin(s)))
        result.append(map_bodies(s, lambda b: declare(b, inner)))
    return tuple(result)


def _home(body: Body, name: str) -> bool:
    """Whether no single inner body holds every use of the name."""
    users = [s for s in body if _mentions(s, name)]
    if not users:
        return False
    if len(users) > 1 or _mentions_directly(users[0], name):
        return True
    return sum(any(_mentions(s, name) for s in b) for b in bodies(users[0])) > 1


def _mentions(s: Stmt, name: str) -> bool:
    return _mentions_directly(s, name) or any(_mentions(x, name) for b in bodies(s) for x in b)


def _mentions_directly(s: Stmt, name: str) -> bool:
    if isinstance(s, Assign) and s.name == name:
        return True
    return any(name in free_names(e) for e in expressions(s))


def _assignments(body: Body) -> dict[str, int]:
    counts: dict[str, int] = {}
    for s in body:
        if isinstance(s, Assign):
            counts[s.name] = counts.get(s.name, 0) + 1
        for inner in bodies(s):
            for name, count in _assignments(inner).items():
                counts[name] = counts.get(name, 0) + count
    return counts


def _zero(name: str, dtype: DType, origin: Origin) -> Local:
    value = {"f": 0.0, "b": False}.get(dtype.kind, 0)
    note = f"declares {name}"
    return Local(name, Const(value, dtype, origin=origin.derive(note)), origin=origin.derive(note))


def _origin(s: Stmt) -> Origin:
    return getattr(s, "origin", NOWHERE)
