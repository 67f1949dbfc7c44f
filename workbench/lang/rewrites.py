"""Equations in the place of what Python and NumPy say of whole arrays: `y = x[1:] + x[:-1]`.

Refusals ask here; what has no equation of its own gives None.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.ir.ops import REDUCTIONS
from workbench.ir.show import expr_text
from workbench.lang import lines
from workbench.lang.names import ArrayName, Context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.ir.graph import Array

Edit = tuple[int, int, str]
"""Characters of the source and what stands there instead."""


def equation(c: Context, target: str, value: ast.expr) -> str | None:
    """`y[i] = 2 * x[i + 1]`: the line that gives an array the value, whole arrays written out."""
    count = rank(c, value)
    indices = c.free(count) if count else unknown_indices(c, value)
    text = elementwise(c, value, indices)
    return None if text is None else f"{lines.indexed(target, indices)} = {text}"


def rank(c: Context, node: ast.AST) -> int:
    """How many indices an element of what an expression says of whole arrays has."""
    match node:
        case ast.Name() | ast.Attribute(attr="T"):
            return len(_shape(c, node))
        case ast.Subscript(value=ast.Name(), slice=inside):
            parts = lines.each(inside)
            left = len(_shape(c, node.value)) - len(parts)
            return max(left, 0) + sum(isinstance(x, ast.Slice) for x in parts)
        case ast.ListComp():
            return 1 if items(c, node, "i") is not None else 0
        case ast.GeneratorExp() | ast.Lambda():
            return 0
        case ast.Call(func=ast.Name(id=name), args=[_]) if name in REDUCTIONS:
            return 0
        case ast.Call(args=args):
            return max((rank(c, x) for x in args), default=0)
        case _:
            return max((rank(c, x) for x in ast.iter_child_nodes(node)), default=0)


def unknown_indices(c: Context, node: ast.AST) -> list[str]:
    """The names of subscripts that stand for nothing yet, in their order."""
    bound = {x.id for g in ast.walk(node) if isinstance(g, ast.comprehension)
             for x in ast.walk(g.target) if isinstance(x, ast.Name)}  # fmt: skip
    inside = [s.slice for s in ast.walk(node) if isinstance(s, ast.Subscript)]
    found = [x for s in inside for x in ast.walk(s) if isinstance(x, ast.Name)]
    found.sort(key=lambda x: (x.lineno, x.col_offset))
    return list(dict.fromkeys(x.id for x in found if x.id not in {*c.names, *bound}))


def extents(c: Context, node: ast.AST, taken: frozenset[str]) -> dict[str, str]:
    """The extents of the names that stand alone as an index; of those that are not `taken`."""
    found: dict[str, str] = {}
    for x in ast.walk(node):
        if isinstance(x, ast.Subscript):
            for part, extent in zip(lines.each(x.slice), _shape(c, x.value), strict=False):
                if isinstance(part, ast.Name) and part.id not in taken:
                    found.setdefault(part.id, extent)
    return found


def elementwise(c: Context, node: ast.expr, indices: Sequence[str]) -> str | None:
    """The text of an expression with the element of these indices for each whole array."""
    edits = _edits(c, node, indices)
    if edits is None:
        return None
    span = c.report.span(node)
    text = span.text
    for start, end, new in sorted(edits, reverse=True):
        text = text[: start - span.start] + new + text[end - span.start :]
    return " ".join(text.split())


def _edits(c: Context, node: ast.AST, indices: Sequence[str]) -> list[Edit] | None:
    match node:
        case ast.Name() | ast.Attribute(attr="T") if shape := _shape(c, node):
            mine = indices[-len(shape) :]
            name = node if isinstance(node, ast.Name) else node.value
            mine = mine if isinstance(node, ast.Name) else mine[::-1]
            return [_edit(c, node, lines.indexed(c.report.text(name), mine))]
        case ast.Subscript(value=ast.Name(id=name)) if rank(c, node):
            new = _sliced(c, node, indices)
            return None if new is None else [_edit(c, node, lines.indexed(name, new))]
        case ast.Subscript() | ast.GeneratorExp():
            return []
        case ast.ListComp():
            values = items(c, node, indices[-1]) if indices else None
            if values is None:
                return None
            return [_edit(c, node, lines.with_names(c.report.text(node.elt), values))]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name) as function) if (
            module not in c.names
        ):
            inner = _all(c, node.args, indices)
            return None if inner is None else [*inner, _edit(c, function, name)]
        case ast.Call():
            return _all(c, node.args, indices)
        case _:
            return _all(c, list(ast.iter_child_nodes(node)), indices)


def _all(c: Context, nodes: Sequence[ast.AST], indices: Sequence[str]) -> list[Edit] | None:
    found = [_edits(c, x, indices) for x in nodes]
    whole = [x for x in found if x is not None]
    return [e for x in whole for e in x] if len(whole) == len(found) else None


def _edit(c: Context, node: ast.expr, new: str) -> Edit:
    span = c.report.span(node)
    return span.start, span.end, new


def _sliced(c: Context, node: ast.Subscript, indices: Sequence[str]) -> list[str] | None:
    """The indices of an element of `A[1:, 0]`."""
    shape = _shape(c, node.value)
    parts = lines.each(node.slice)
    if len(parts) > len(shape):
        return None
    left = list(indices[len(indices) - rank(c, node) :])
    found: list[str] = []
    for part, extent in zip(parts, shape, strict=False):
        new = _place(c, part, left.pop(0), extent) if isinstance(part, ast.Slice) else (
            c.report.text(part))  # fmt: skip
        if new is None:
            return None
        found.append(new)
    return [*found, *left]


def _place(c: Context, part: ast.Slice, index: str, extent: str) -> str | None:
    """Where the element `index` of a slice stands in the array."""
    match part.step:
        case None:
            pass
        case ast.Constant(value=int(step)) if step > 0:
            index = f"{index} * {step}"
        case ast.UnaryOp(ast.USub(), ast.Constant(1)) if part.lower is part.upper is None:
            return f"{extent} - 1 - {index}"
        case _:
            return None
    match part.lower:
        case None | ast.Constant(0):
            return index
        case ast.UnaryOp(ast.USub(), ast.Constant(int(back))):
            return f"{extent} - {back} + {index}"
        case lower:
            return f"{index} + {lines.operand(c.report.text(lower))}"


def items(
    c: Context, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, index: str
) -> dict[str, str] | None:
    """What the names of `for v in x` and the like stand for at an index."""
    match node.generators:
        case [ast.comprehension(target, over, [], 0)]:
            return item(c, target, over, index)
        case _:
            return None


def item(c: Context, target: ast.expr, over: ast.expr, index: str) -> dict[str, str] | None:
    """`{v: x[i]}` for `v` in `x`; also of `enumerate`, `zip` and `range`."""
    match target, over:
        case ast.Name(id=v), ast.Name(id=x) if len(_shape(c, over)) == 1:
            return {v: f"{x}[{index}]"}
        case ast.Name(id=v), ast.Call(func=ast.Name("range"), args=[_]):
            return {v: index}
        case ast.Name(id=v), ast.Call(func=ast.Name("range"), args=[start, _]):
            return {v: f"{index} + {lines.operand(c.report.text(start))}"}
        case ast.Tuple(elts=[ast.Name(id=k), v]), ast.Call(func=ast.Name("enumerate"), args=[x]):
            inner = item(c, v, x, index)
            return None if inner is None else {k: index, **inner}
        case ast.Tuple(elts=targets), ast.Call(func=ast.Name("zip"), args=args) if len(
            targets
        ) == len(args):
            pairs = [item(c, t, x, index) for t, x in zip(targets, args, strict=True)]
            whole = [x for x in pairs if x is not None]
            return {k: v for x in whole for k, v in x.items()} if len(whole) == len(pairs) else None
        case _:
            return None


def length(c: Context, over: ast.expr) -> str | None:
    """How many items `x`, `enumerate(x)` and `zip(x, y)` have."""
    match over:
        case ast.Name() if shape := _shape(c, over):
            return shape[0]
        case ast.Call(func=ast.Name("enumerate" | "zip"), args=[x, *_]):
            return length(c, x)
        case _:
            return None


def product(c: Context, target: str, left: ast.expr, right: ast.expr) -> str | None:
    """`C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))` for the product of two arrays."""
    a, b = _shape(c, left), _shape(c, right)
    if not 0 < len(a) < 3 or not 0 < len(b) < 3:
        return None
    i, j, k = c.free(3)
    one = lines.indexed(c.report.text(left), [i, k][2 - len(a) :])
    two = lines.indexed(c.report.text(right), [k, j][: len(b)])
    free = [*([i] if len(a) == 2 else []), *([j] if len(b) == 2 else [])]
    return f"{lines.indexed(target, free)} = sum({one} * {two} for {k} in range({a[-1]}))"


def matching(c: Context, array: Array) -> str | None:
    """An array of the kernel with the dtype and the rank of another, the newest first."""
    for name, x in reversed(list(c.names.items())):
        if (
            isinstance(x, ArrayName)
            and not x.blocked
            and x.array.dtype == array.dtype
            and len(x.array.shape) == len(array.shape)
        ):
            return name
    return None


def _shape(c: Context, node: ast.AST) -> list[str]:
    """The extents of the array that a name, or the transpose of one, stands for."""
    match node:
        case ast.Attribute(value=ast.Name() as inner, attr="T"):
            return _shape(c, inner)[::-1]
        case ast.Name(id=name) if isinstance(old := c.names.get(name), ArrayName):
            return [expr_text(x) for x in old.array.shape]
        case _:
            return []
