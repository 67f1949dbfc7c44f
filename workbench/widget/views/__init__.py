"""Pictures of a compilation: one file here for each, found by its name.

A file holds `VIEW`: how its value is made from a `Subject`, and the value's two twins. The page
draws the same value in the file of that name in js/src/views; it travels as JSON, and only once
somebody looks. What a picture shows is computed in lower layers, so that numbers can be tested
and asked for without it.
"""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from workbench.base.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.session.subject import Subject
    from workbench.widget.messages import Json

Arguments = Mapping[str, Any]
"""What the page asks with: JSON, so nothing in it may be trusted."""


@dataclass(frozen=True, slots=True)
class View:
    """One kind of picture.

    `draw` gives a frozen dataclass for a subject and what the page asks with (nothing at first),
    or raises `WorkbenchError` where this compilation has no such picture. `text` and `html` are
    the twins of that value: lines for a terminal, and one element without a script.
    """

    name: str
    title: str
    draw: Callable[[Subject, Arguments], Any]
    text: Callable[[Any], str]
    html: Callable[[Any], str]


def view_names() -> tuple[str, ...]:
    """The names of all views, in order; none of them is imported."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__)))


@cache
def view(name: str) -> View:
    """The view of that name. Raises `WorkbenchError` for one that is not there."""
    if name not in view_names():
        raise WorkbenchError(f"no view '{name}'", hint=", ".join(view_names()))
    return cast("View", import_module(f"{__name__}.{name}").VIEW)


def plain(value: object) -> Json:
    """A value as JSON: dataclasses by field, tuples as lists, numbers that are not finite None."""
    match value:
        case Enum():
            return plain(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case tuple() | list():
            return [plain(x) for x in cast("tuple[object, ...]", value)]
        case dict():
            items = cast("dict[object, object]", value).items()
            return {str(k): plain(x) for k, x in items}
        case _:
            assert is_dataclass(value), f"a picture holds plain values, not {type(value).__name__}"
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
