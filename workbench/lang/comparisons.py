"""Comparisons, also chained ones, and `and` and `or`.

`check` is the function that types an expression; it is passed in, for it calls this.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL, I32
from workbench.base.source import Span
from workbench.ir.expr import Expr, apply
from workbench.ir.show import expr_text
from workbench.lang import lines
from workbench.lang.names import ArrayName, Context
from workbench.lang.values import Value, both, either, narrow, repeatable, truth, unified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.lang.calls import Check

_COMPARE: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("eq", "=="),
    ast.NotEq: ("ne", "!="),
    ast.Lt: ("lt", "<"),
    ast.LtE: ("le", "<="),
    ast.Gt: ("gt", ">"),
    ast.GtE: ("ge", ">="),
}
"""The operation of each sign, and the sign."""


def comparison(c: Context, node: ast.Compare, check: Check) -> Value | None:
    """`a < b`, and `a < b <= c` as its pairs, the middle evaluated for each."""
    nodes = [node.left, *node.comparators]
    if not all(type(op) in _COMPARE for op in node.ops):
        _membership(c, node)
        return None
    values = [check(c, n) for n in nodes]
    found = [v for v in values if v is not None]
    if len(found) != len(values):
        return None
    middle = zip(found[1:-1], nodes[1:-1], strict=True)
    if not all(repeatable(c, v.expr, 2, n) for v, n in middle):
        return None
    result: Expr | None = None
    start = c.report.span(node).start
    for place, op in enumerate(node.ops):
        right = found[place + 1]
        end = c.report.span(nodes[place + 1]).end
        pair = Span(c.report.source, c.report.span(nodes[place]).start, end)
        test = _compare(c, op, (found[place], right), nodes[place : place + 2], pair)
        if test is None:
            return None
        origin = c.report.origin(Span(c.report.source, start, end))
        result = test if result is None else both(result, test, right.expr, origin)
    return None if result is None else Value(result)


def _compare(
    c: Context, op: ast.cmpop, values: tuple[Value, Value], nodes: list[ast.expr], pair: Span
) -> Expr | None:
    name, sign = _COMPARE[type(op)]
    args = unified(c, *values, pair, I32 if narrow(*values) else None)
    if args is None:
        return None
    if args[0].dtype is BOOL and name not in {"eq", "ne"}:
        one, two = (f"i32({c.report.text(x)})" for x in nodes)
        hint = c.report.mended(pair, f"{one} {sign} {two}")
        c.wrong(pair, "bools have no order", hint=hint)
        return None
    return apply(name, *args, origin=c.report.origin(pair))


def _membership(c: Context, node: ast.Compare) -> None:
    """`a in x`, `a is b`, and their opposites."""
    hint = "comparisons: a == b or a == c"
    match node.ops, node.comparators:
        case [ast.Is() | ast.IsNot() as op], [right]:
            sign = "==" if isinstance(op, ast.Is) else "!="
            new = f"{c.report.text(node.left)} {sign} {c.report.text(right)}"
            hint = c.report.mended(node, new)
        case [ast.In() | ast.NotIn() as op], [right]:
            said = _found_in(c, node.left, right)
            if said is not None:
                hint = c.report.mended(node, said if isinstance(op, ast.In) else f"not {said}")
        case _:
            pass
    c.wrong(node, "'in' and 'is' are not part of the language", hint=hint)


def _found_in(c: Context, left: ast.expr, right: ast.expr) -> str | None:
    """`any(a == x[k] for k in range(N))` for `a in x`; of a few values, a test for each."""
    text = lines.operand(c.report.text(left))
    match right:
        case ast.Tuple(elts=[_, *_] as values) | ast.List(elts=[_, *_] as values):
            tests = [f"{text} == {lines.operand(c.report.text(x))}" for x in values]
            return f"({' or '.join(tests)})"
        case ast.Name(id=name) if isinstance(old := c.names.get(name), ArrayName):
            indices = c.free(len(old.array.shape))
            pairs = zip(indices, old.array.shape, strict=True)
            ranges = "".join(f" for {k} in range({expr_text(n)})" for k, n in pairs)
            return f"any({text} == {lines.indexed(name, indices)}{ranges})"
        case _:
            return None


def bool_operation(c: Context, node: ast.BoolOp, check: Check) -> Value | None:
    """`a and b`, `a or b`: no more is evaluated than decides."""
    values = [check(c, n) for n in node.values]
    tests = [None if v is None else truth(c, v, n)
             for v, n in zip(values, node.values, strict=True)]  # fmt: skip
    found = [t for t in tests if t is not None]
    if len(found) != len(tests):
        return None
    result = found[0]
    start = c.report.span(node).start
    for test, place in zip(found[1:], node.values[1:], strict=True):
        span = Span(c.report.source, start, c.report.span(place).end)
        origin = c.report.origin(span)
        if isinstance(node.op, ast.And):
            result = both(result, test, test, origin)
        else:
            result = either(result, test, origin)
    return Value(result)
