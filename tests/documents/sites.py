"""The places of the program that refuse a text or a call, and which of them an example reaches.

A site is a call that makes a mistake or leads to one. It is found in the program's own syntax
trees; that it was reached is read from the stack on which a mistake of an error was made.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from workbench.base import errors
from workbench.base.errors import Mistake, WorkbenchError

if TYPE_CHECKING:
    from types import CodeType

ROOT = Path(__file__).parents[2]
PLACES = ("lang", "passes", "codegen", "pipeline.py", "session/arguments.py")
"""What refuses the text of a cell or its call, below `workbench`."""

_REPORTING = frozenset({"wrong", "unknown", "clash", "Mistake"})
_ERRORS = frozenset(
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, WorkbenchError)
)
"""Errors with words of their own; one that is made of mistakes has said them before."""
_PURE = frozenset({"subscripted"})
"""Functions of `refuse` that only make a line."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A call by the place of its last character."""

    file: str
    line: int
    column: int


def sites() -> dict[Site, str]:
    """Every site with the function it stands in and its text, on one line."""
    found: dict[Site, str] = {}
    for place in PLACES:
        path = ROOT / "workbench" / place
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            found |= _sites_of(file)
    return found


def _sites_of(file: Path) -> dict[Site, str]:
    text = file.read_text(encoding="utf-8")
    tree, name = ast.parse(text), str(file.relative_to(ROOT))
    found: dict[Site, str] = {}
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for x in ast.walk(function):
            if isinstance(x, ast.Call) and _refuses(x):
                assert x.end_lineno is not None
                assert x.end_col_offset is not None
                words = " ".join(ast.unparse(x).split())
                found[Site(name, x.end_lineno, x.end_col_offset)] = f"{function.name}: {words}"
    return found


def _refuses(call: ast.Call) -> bool:
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="refuse"), attr=name)):
            return name not in _PURE
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in _REPORTING:
            return True
        case ast.Call(func=ast.Name(id=name), args=[words, *_]) if name in _ERRORS:
            return not isinstance(words, ast.Starred | ast.Call)
        case _:
            return False


@contextmanager
def traced() -> Iterator[set[Site]]:
    """The calls that stood on the stack whenever a mistake was made; the set grows."""
    reached: set[Site] = set()
    made = Mistake.__init__

    def make(self: Mistake, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        reached.update(_calls())

    with patch.object(Mistake, "__init__", make):
        yield reached


def _calls() -> Iterator[Site]:
    """The calls of the program that are under way, innermost first."""
    frame = sys._getframe(2)
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(ROOT / "workbench"):
            _, line, _, column = _position(frame.f_code, frame.f_lasti)
            if line is not None and column is not None:
                yield Site(str(file.relative_to(ROOT)), line, column)
        frame = frame.f_back


def _position(code: CodeType, instruction: int) -> tuple[int | None, ...]:
    return list(code.co_positions())[instruction // 2]
