"""Hints put into the text that they mend, as a reader would.

A hint is the line, or the lines, to write in the place of the one that is wrong. Words at its
end say another place; `->` at its start stands for the result of the signature.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import parse

if TYPE_CHECKING:
    from workbench.base.errors import Mistake

PLACES = re.compile(
    r"(?P<code>.+) (?P<where>on a line before it|on a line after it|on a line before the block"
    r"|on a line before line (?P<before>\d+)|at line (?P<at>\d+)"
    r"|as the first line of the block|as the first line|as a parameter|before the kernel)"
)
PARAMETER = re.compile(r"[^,(]*(\[[^\]]*\])?[^,]*")


def mistakes(text: str) -> tuple[Mistake, ...]:
    """What is wrong with a text; nothing where it is taken."""
    try:
        parse(Source(text))
    except SourceError as error:
        return error.mistakes
    return ()


def mended(text: str, mistake: Mistake) -> str | None:
    """The text with a hint in its place; None where the hint is no line."""
    if mistake.span is None or not mistake.hint:
        return None
    lines, at = text.split("\n"), mistake.span.position[0] - 1
    if mistake.hint.startswith("-> "):
        head = _head(lines, at)
        lines[head] = re.sub(r"->.*:", f"{mistake.hint}:", lines[head])
        return "\n".join(lines)
    found = PLACES.fullmatch(mistake.hint)
    if found is not None:
        return "\n".join(_placed(lines, at, found))
    if not _is_code(mistake.hint, lines[at]):
        return None
    return "\n".join([*lines[:at], *_indented(mistake.hint, lines[at]), *lines[at + 1 :]])


def _placed(lines: list[str], at: int, found: re.Match[str]) -> list[str]:
    code = found["code"]
    match found["where"]:
        case "on a line before it":
            return _inserted(lines, at, code, lines[at])
        case "on a line after it":
            return _inserted(lines, at + 1, code, lines[at])
        case "on a line before the block":
            block = _block(lines, at)
            return _inserted(lines, block, code, lines[block])
        case "as the first line of the block":
            block = _block(lines, at)
            return _inserted(lines, block + 1, code, lines[block + 1])
        case "as the first line":
            return _first_line(lines, at, code)
        case "as a parameter":
            return _parameter(lines, at, code)
        case "before the kernel":
            head = _head(lines, at)
            return [*lines[:head], code, "", *lines[head:at], *lines[at + 1 :]]
        case _ if found["before"]:
            number = int(found["before"]) - 1
            return _inserted(lines, number, code, lines[number])
        case _:
            number = int(found["at"]) - 1
            return [*lines[:number], *_indented(code, lines[number]), *lines[number + 1 :]]


def _inserted(lines: list[str], at: int, code: str, beside: str) -> list[str]:
    return [*lines[:at], *_indented(code, beside), *lines[at:]]


def _indented(code: str, beside: str) -> list[str]:
    indent = beside[: len(beside) - len(beside.lstrip())]
    return [indent + x for x in code.split("\n")]


def _head(lines: list[str], at: int) -> int:
    """The line of the `def` around a line."""
    return next(n for n in range(at, -1, -1) if lines[n].startswith("def "))


def _block(lines: list[str], at: int) -> int:
    """The line of the outermost `for` around a line."""
    return next(n for n in range(at, -1, -1) if lines[n].startswith("    for "))


def _first_line(lines: list[str], at: int, code: str) -> list[str]:
    """The line on top of the kernel, behind its asserts; an assert is moved."""
    rest = [x for n, x in enumerate(lines) if n != at or x.strip() != code]
    place = _head(lines, at) + 1
    while rest[place].startswith(("    assert ", '    """')):
        place += 1
    return [*rest[:place], f"    {code}", *rest[place:]]


def _parameter(lines: list[str], at: int, code: str) -> list[str]:
    """The signature with a parameter more, or with another type of one; `global` goes away."""
    head = _head(lines, at)
    name = re.match(r"\w+", code)
    assert name is not None
    start, _, rest = lines[head].partition("(")
    inside, end, results = rest.rpartition(")") if "->" not in rest else _until_arrow(rest)
    given = [x.strip() for x in re.findall(r"[^,\[]+(?:\[[^\]]*\][^,]*)?", inside)]
    names = [re.split(r"\W", x)[0] for x in given]
    if name[0] in names:
        given[names.index(name[0])] = code
    else:
        plain = next((n for n, x in enumerate(given) if "=" in x), len(given))
        given.insert(len(given) if "=" in code else plain, code)
    new = [*lines[:head], f"{start}({', '.join(given)}{end}{results}", *lines[head + 1 :]]
    return [x for n, x in enumerate(new) if n != at or not x.strip().startswith("global ")]


def _until_arrow(rest: str) -> tuple[str, str, str]:
    place = rest.index(") ->")
    return rest[:place], ")", rest[place + 1 :]


def _is_code(hint: str, line: str) -> bool:
    """Whether a hint is lines for the place of this one."""
    for more in ("", "\n    pass", "\ndef f():\n    pass"):
        try:
            body = ast.parse(hint + more).body
        except SyntaxError:
            continue
        alone = any(isinstance(x, ast.Expr) for x in body)
        return "..." not in hint and (not alone or _is_call(line))
    return False


def _is_call(line: str) -> bool:
    try:
        return isinstance(ast.parse(line.strip()).body[0], ast.Expr)
    except (SyntaxError, IndexError):
        return False
