"""Names that stand for nothing: what was meant, or the line that gives them a meaning."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL
from workbench.lang import lines, rewrites
from workbench.lang.names import Context, arrays_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def name(c: Context, node: ast.Name, known: Iterable[str]) -> None:
    """A name in an expression: an index to sum over, a word to spell anew, or a parameter.

    It is said where it stands first.
    """
    if c.report.told(node.id, node):
        return
    loop = None if c.report.call is None else _loop_before(c, node)
    if loop is not None:
        own = isinstance(loop, ast.For) and _given(loop.target, node.id)
        before = f"{node.id} = 0.0 on a line before line {loop.lineno}"
        hint = f"a local that the loop computes: last = {node.id}" if own else before
        c.wrong(node, f"'{node.id}' may be read here before it has a value", hint=hint)
        return
    summed = _summed(c, node)
    plain = f"{node.id}: f32 as a parameter" if c.report.call is None else ""
    if summed or (len(node.id) == 1 and not c.in_block):
        c.wrong(node, f"'{node.id}' is not known: no index on the left, none of a range",
                hint=summed or plain)  # fmt: skip
    else:
        c.report.unknown(node, "name", node.id, known, hint=plain)


def array(c: Context, node: ast.Subscript, text: str) -> None:
    """The array of `Q[i]`, where it stands first."""
    if c.report.told(text, node.value):
        return
    said = f"{lines.declaration(c, node, None, {})} as a parameter"
    c.report.unknown(node.value, "array", text, arrays_of(c.names), hint=said)


def uncalled(c: Context, node: ast.Name) -> None:
    """A function of the language without its argument."""
    arrays = arrays_of(c.names).items()
    scope = lines.scope(c)
    element = next(
        (lines.indexed(k, scope[-len(x.array.shape) :]) for k, x in arrays
         if 0 < len(x.array.shape) <= len(scope) and x.array.dtype is not BOOL and not x.blocked),
        "1.0",
    )  # fmt: skip
    c.wrong(node, f"'{node.id}' is a function", hint=c.report.mended(node, f"{node.id}({element})"))


def _loop_before(c: Context, node: ast.Name) -> ast.For | ast.While | None:
    """The loop of the same function before a name, whose turns alone give it a value."""
    functions = (x for x in ast.parse(c.report.source.text).body if isinstance(x, ast.FunctionDef))
    for function in functions:
        if not function.lineno <= node.lineno <= (function.end_lineno or function.lineno):
            continue
        for loop in ast.walk(function):
            if not isinstance(loop, ast.For | ast.While):
                continue
            ended = (loop.end_lineno or node.lineno) < node.lineno
            if ended and any(_given(x, node.id) for x in ast.walk(loop)):
                return loop
    return None


def _given(x: ast.AST, name: str) -> bool:
    return isinstance(x, ast.Name) and x.id == name and isinstance(x.ctx, ast.Store)


def _summed(c: Context, node: ast.Name) -> str:
    """The line with a sum over the unknown indices of its value; "" where that says nothing."""
    text = c.report.source.line(c.report.span(node).position[0]).strip()
    try:
        [line] = ast.parse(text).body
    except (SyntaxError, ValueError):
        return ""
    if not isinstance(line, ast.Assign | ast.AugAssign):
        return ""
    extents = _extents(c, line)
    if node.id not in extents:
        return ""
    start = len(text.encode()[: line.value.col_offset].decode())
    ranges = "".join(f" for {k} in range({n})" for k, n in extents.items())
    return f"{text[:start]}sum({text[start:]}{ranges})"


def _extents(c: Context, line: ast.Assign | ast.AugAssign) -> dict[str, str]:
    """The unknown names that stand alone as an index on the right, with their extents."""
    targets = line.targets if isinstance(line, ast.Assign) else [line.target]
    taken = {x.id for t in targets for x in ast.walk(t) if isinstance(x, ast.Name)}
    taken |= {x.id for g in ast.walk(line.value) if isinstance(g, ast.comprehension)
              for x in ast.walk(g.target) if isinstance(x, ast.Name)}  # fmt: skip
    return rewrites.extents(c, line.value, frozenset({*taken, *c.names}))
