"""Equations: `C[i, j] = ...` with its axes and dtype, and `s = ...` without axes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.base.source import Span
from workbench.ir.expr import Expr
from workbench.ir.graph import Equation
from workbench.lang import lines, refuse
from workbench.lang.expressions import expression
from workbench.lang.extents import Declared, axes_of, shape_text
from workbench.lang.names import Context, Index, ScalarName
from workbench.lang.values import fit, plural, settle

if TYPE_CHECKING:
    from workbench.lang.report import Place


def equation(
    c: Context, node: ast.Assign, target: ast.Subscript | ast.Name, declared: Declared | None
) -> Equation | None:
    """The equation that a line says, or mistakes and None."""
    if isinstance(target, ast.Name):
        if (declared is None or declared.shape) and refuse.whole_assignment(c, node, target.id):
            return None
        name, axes = target.id, dict[str, Span]()
    else:
        assert isinstance(target.value, ast.Name)
        name = target.value.id
        cut = next((x for x in lines.each(target.slice) if isinstance(x, ast.Slice)), None)
        if cut is not None:
            refuse.slice_written(c, node, target, cut)
            return None
        found = _axes(c, node, target)
        if found is None:
            _read_anyway(c, node.value, target)
            return None
        axes = found
    inner = c.adding({k: Index(span) for k, span in axes.items()})
    value = value_of(inner, node.value, declared, name)
    if value is None or not _rank_fits(c, target, name, len(axes), declared):
        return None
    extents = axes_of(inner, axes, value, declared, name)
    if extents is None:
        return None
    origin, place = c.report.origin(node), c.report.origin(target)
    return Equation(name, value.dtype, extents, value, origin=origin, place=place)


def written_out(node: ast.AugAssign, target: ast.Subscript | ast.Name) -> ast.Assign:
    """`C[i, j] += e` as `C[i, j] = C[i, j] + e`."""
    old = (
        ast.Name(target.id, ast.Load())
        if isinstance(target, ast.Name)
        else ast.Subscript(target.value, target.slice, ast.Load())
    )
    value = ast.BinOp(ast.copy_location(old, target), node.op, node.value)
    return ast.copy_location(ast.Assign([target], ast.copy_location(value, node)), node)


def _axes(c: Context, node: ast.Assign, target: ast.Subscript) -> dict[str, Span] | None:
    """The indices on the left: new names, each once."""
    axes: dict[str, Span] = {}
    right = True
    for part in lines.each(target.slice):
        if not isinstance(part, ast.Name) or isinstance(c.names.get(part.id), ScalarName):
            refuse.point_write(c, part, target, node.value)
            return None
        if part.id in axes:
            twice(c, part)
            right = False
        elif c.clash(part, part.id, "an index"):
            right = False
        else:
            axes[part.id] = c.report.span(part)
    return axes if right else None


def twice(c: Context, part: ast.Name) -> None:
    """`y[i, i] = ...`."""
    hint = c.report.mended(part, c.another(part.id, "an index"))
    c.wrong(part, f"index '{part.id}' stands twice on the left", hint=hint)


def _read_anyway(c: Context, node: ast.expr, target: ast.Subscript) -> None:
    """Look for mistakes on the right of an equation whose left is wrong."""
    names = {x.id: Index(c.report.span(x)) for x in ast.walk(target.slice)
             if isinstance(x, ast.Name) and x.id not in c.names}  # fmt: skip
    expression(c.adding(names), node)


def value_of(c: Context, node: ast.expr, declared: Declared | None, name: str) -> Expr | None:
    """The right side in the dtype of its target, or mistakes and None."""
    v = expression(c, node)
    if v is None:
        return None
    if declared is None:
        return settle(c, v, node)
    return fit(c, v, declared.dtype, node, f"'{name}'")


def _rank_fits(c: Context, place: Place, name: str, rank: int, declared: Declared | None) -> bool:
    if declared is None or len(declared.shape) == rank:
        return True
    said = shape_text(declared.dtype, declared.shape)
    hint = ""
    if isinstance(place, ast.Subscript):
        parts = [c.report.text(x) for x in lines.each(place.slice)]
        indices = lines.as_many(parts, c.free(len(declared.shape)), len(declared.shape))
        hint = c.report.mended(place, lines.indexed(name, indices))
    elif isinstance(place, ast.Name):
        hint = c.report.mended(place, lines.indexed(name, c.free(len(declared.shape))))
    c.wrong(place, f"'{name}' is declared {said}, here it has {plural(rank, 'index')}", hint=hint)
    return False
