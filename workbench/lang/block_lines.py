"""Lines to write instead in and around loop blocks.

As in `lines`, refusals ask here, and what comes out is taken.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from workbench.base.dtypes import F32
from workbench.lang import lines, rewrites

if TYPE_CHECKING:
    from workbench.base.dtypes import DType
    from workbench.base.source import Span
    from workbench.lang.names import Context


def first_wider(c: Context, name: str, line: int, dtype: DType) -> str:
    """The first assignment of a local in the dtype that it needs later."""
    text = c.report.source.line(line).strip()
    match lines.only_assignment(text):
        case ast.Assign([ast.Name(id=target)], ast.Constant(value=int(value))) if target == name:
            new = f"{float(value)}" if dtype is F32 else f"{dtype}({value})"
        case ast.Assign([ast.Name(id=target)], value) if target == name:
            new = f"{dtype}({ast.unparse(value)})"
        case _:
            return f"{name} = {lines.zero(dtype)} as the first line of the block"
    return f"{name} = {new} at line {line}"


def begun_as_float(c: Context, name: str, place: Span, dtype: DType) -> str:
    """The first assignment of a function's local, as the float it becomes later; "" elsewhere."""
    line = place.position[0]
    match lines.only_assignment(c.report.source.line(line).strip()):
        case ast.Assign([ast.Name(id=target)]) if target == name and dtype.kind == "f":
            return first_wider(c, name, line, dtype)
        case _:
            return ""


def sign(c: Context, node: ast.AugAssign) -> str:
    """The operation of `v **= 2` as a word between two values."""
    start, end = c.report.span(node.target).end, c.report.span(node.value).start
    return c.report.source.text[start:end].strip(" (\\\n").removesuffix("=")


def without_sign(c: Context, node: ast.AugAssign) -> str:
    """`v = v ** 2` for `v **= 2`."""
    target, value = c.report.text(node.target), lines.operand(c.report.text(node.value))
    word = sign(c, node)
    if word == "@":
        return "an equation with the sum of the products"
    return c.report.mended(node, f"{target} = {target} {word} {value}")


def grid(c: Context, node: ast.For) -> str:
    """The header of a grid with an extent for each of its loops."""
    assert isinstance(node.iter, ast.Call)
    names = list(dict.fromkeys(x.id for x in _names(node.target)))
    given: list[str | None] = [c.report.text(x) for x in node.iter.args]
    used = {x.id for s in node.body for x in ast.walk(s) if isinstance(x, ast.Name)}
    while len(names) > max(len(given), 1) and names[-1] not in used:
        names.pop()
    count = max(len(names), len(given), 1)
    names += [x for x in c.free(count + len(names)) if x not in names]
    sizes = lines.filled(c, [*given, *[None] * count][:count])
    return f"for {', '.join(names[:count])} in grid({', '.join(sizes)}):"


def over_items(c: Context, node: ast.For, kind: Literal["grid", "range"]) -> str:
    """`for i in grid(N):` and the items by their index, for `for v in x:`."""
    unknown = rewrites.unknown_indices(c, ast.Module(node.body, []))
    names = {x.id for x in ast.walk(node.target) if isinstance(x, ast.Name)}
    index = next((k for k in unknown if k not in names), c.free(1)[0])
    values, length = rewrites.item(c, node.target, node.iter, index), rewrites.length(c, node.iter)
    if values is None or length is None:
        return f"an index and its extent: for {index} in {kind}(N):"
    kept = [f"\n    {name} = {value}" for name, value in values.items() if value != index]
    index = next((name for name, value in values.items() if value == index), index)
    return "".join([f"for {index} in {kind}({length}):", *kept])


def _names(node: ast.expr) -> list[ast.Name]:
    return [x for x in ast.walk(node) if isinstance(x, ast.Name)]
