"""Expressions: a syntax tree becomes a typed value, or mistakes and None.

A part that is wrong is reported once; what stands around it stays silent.
"""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL, F32, I32
from workbench.base.source import Span
from workbench.ir.expr import Const, Expr, Load, Select, Var, apply
from workbench.ir.show import expr_text
from workbench.lang import calls, refuse
from workbench.lang.inline import Part
from workbench.lang.names import (
    ArrayName,
    Bound,
    Broken,
    Context,
    Dim,
    Index,
    LocalName,
    ScalarName,
    arrays_of,
)
from workbench.lang.values import (
    Value,
    both,
    common,
    either,
    narrow,
    plural,
    quotient_of,
    repeatable,
    settle,
    truth,
    unified,
    unwrapped,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


NUMBERS: Mapping[str, float] = {"inf": math.inf, "nan": math.nan, "pi": math.pi}
"""Names of numbers that every kernel knows."""

OPERATIONS: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.BitAnd: "bitand",
    ast.BitOr: "bitor",
    ast.BitXor: "bitxor",
    ast.LShift: "shl",
    ast.RShift: "shr",
}
"""The infix operations by the sign that Python's tree has for them; `**` and `@` are others."""

_COMPARE: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}

_INTEGER_ONLY = frozenset({"bitand", "bitor", "bitxor", "shl", "shr"})
_ON_BOOLS: Mapping[str, str] = {"bitand": "and", "bitor": "or", "bitxor": "ne"}


def expression(c: Context, node: ast.expr) -> Value | None:
    """The typed value of an expression."""
    match node:
        case ast.Constant():
            return _constant(c, node)
        case ast.Name():
            return _name(c, node)
        case ast.Subscript():
            return _load(c, node)
        case ast.UnaryOp():
            return _unary(c, node)
        case ast.BinOp():
            return _binary(c, node)
        case ast.Compare():
            return _comparison(c, node)
        case ast.BoolOp():
            return _bool_operation(c, node)
        case ast.IfExp():
            return _choice(c, node)
        case ast.Call() | Part():
            return calls.call(c, node, expression)
        case _:
            refuse.expression(c, node)
            return None


def strong(c: Context, node: ast.expr) -> Expr | None:
    """An expression with the dtype it has alone."""
    v = expression(c, node)
    return None if v is None else settle(c, v, node)


def condition(c: Context, node: ast.expr) -> Expr | None:
    """An expression that must be a bool."""
    v = expression(c, node)
    return None if v is None else truth(c, v, node)


def _binary(c: Context, node: ast.BinOp) -> Value | None:
    if isinstance(node.op, ast.Pow):
        return calls.power(c, node, node.left, node.right, expression)
    if type(node.op) not in OPERATIONS:
        refuse.expression(c, node)
        return None
    left, right = expression(c, node.left), expression(c, node.right)
    if left is None or right is None:
        return None
    return binary(c, node, OPERATIONS[type(node.op)], left, right)


def binary(
    c: Context, node: ast.BinOp | ast.AugAssign, op: str, left: Value, right: Value
) -> Value | None:
    """An infix operation of `OPERATIONS`."""
    origin = c.report.origin(node)
    sign = c.report.text(node)
    if left.dtype is right.dtype is BOOL:
        if op in _ON_BOOLS:
            return Value(apply(_ON_BOOLS[op], left.expr, right.expr, origin=origin))
        c.wrong(node, f"'{sign}' is arithmetic on two bools", hint="i32(...) around each of them")
        return None
    if not unwrapped(c, op, left, right, node):
        return None
    meet = quotient_of if op == "div" else common
    dtype = meet(c, left, right, node)
    args = None if dtype is None else unified(c, left, right, node, dtype)
    if args is None:
        return None
    if op in _INTEGER_ONLY and args[0].dtype.kind == "f":
        words = f"'{sign}' wants whole numbers, this is {args[0].dtype}"
        c.wrong(node, words, hint="i32(...) around them")
        return None
    return Value(apply(op, *args, origin=origin), left.weak and right.weak)


def _constant(c: Context, node: ast.Constant) -> Value | None:
    origin = c.report.origin(node)
    match node.value:
        case bool():
            return Value(Const(node.value, BOOL, origin=origin))
        case int():
            return Value(Const(node.value, I32, origin=origin), weak=True)
        case float():
            return Value(Const(node.value, F32, origin=origin), weak=True)
        case complex():
            c.wrong(node, "complex numbers are pairs for now", hint="two arrays: re[i], im[i]")
        case str() | bytes():
            c.wrong(node, "a string is not a value of the language", hint="a number")
        case _:
            c.wrong(node, f"'{c.report.text(node)}' is not a value of the language", hint="0.0")
    return None


def _name(c: Context, node: ast.Name) -> Value | None:
    origin = c.report.origin(node)
    match c.names.get(node.id):
        case Dim() | Index():
            return Value(Var(node.id, I32, origin=origin), weak=True)
        case ScalarName(scalar):
            return Value(Var(node.id, scalar.dtype, origin=origin))
        case LocalName() as name:
            return _local(c, node, name)
        case ArrayName() as name:
            return _bare_array(c, node, name)
        case Bound(value):
            return value
        case Broken():
            pass
        case None if node.id in NUMBERS:
            return Value(Const(NUMBERS[node.id], F32, origin=origin), weak=True)
        case None:
            _unknown(c, node)
    return None


def _local(c: Context, node: ast.Name, name: LocalName) -> Value | None:
    if name.certain:
        return Value(Var(node.id, name.dtype, origin=c.report.origin(node)))
    zero = {"f": "0.0", "b": "False"}.get(name.dtype.kind, "0")
    hint = f"{node.id} = {zero} before it"
    c.wrong(node, f"'{node.id}' may be read here before it has a value", hint=hint)
    return None


def _bare_array(c: Context, node: ast.Name, name: ArrayName) -> Value | None:
    """A 0-d array is read by its name; any other wants its indices."""
    if not name.blocked and not name.array.shape:
        return Value(Load(node.id, (), name.array.dtype, origin=c.report.origin(node)))
    if name.blocked:
        c.wrong(node, name.blocked)
    else:
        refuse.whole_array(c, node, name)
    return None


def _unknown(c: Context, node: ast.Name) -> None:
    if c.dunder(node, node.id):
        return
    if node.id in calls.FUNCTIONS:
        c.wrong(node, f"'{node.id}' is a function", hint=f"{node.id}(...)")
        return
    known = [*c.names, *NUMBERS]
    if len(node.id) == 1 and not c.in_block:
        hint = f"y[{node.id}] = ... on the left, or sum(... for {node.id} in range(N))"
        c.wrong(node, f"'{node.id}' is not known: no index on the left, none of a range", hint=hint)
    else:
        c.report.unknown(node, "name", node.id, known)


def _load(c: Context, node: ast.Subscript) -> Value | None:
    parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    name = _array(c, node)
    index = [_index(c, p, name, place) for place, p in enumerate(parts)]
    if name is None:
        return None
    shape = name.array.shape
    if len(parts) != len(shape):
        c.wrong(
            node,
            f"'{name.array.name}' has {plural(len(shape), 'dimension')}, "
            f"{plural(len(parts), 'index')} given",
            hint=refuse.subscripted(name.array.name, len(shape)),
        )
        return None
    found = tuple(x for x in index if x is not None)
    if len(found) != len(index):
        return None
    origin = c.report.origin(node)
    return Value(
        Load(name.array.name, found, name.array.dtype, iteration=c.iteration, origin=origin)
    )


def _array(c: Context, node: ast.Subscript) -> ArrayName | None:
    match node.value:
        case ast.Name(id=text):
            match c.names.get(text):
                case ArrayName() as name if not name.blocked:
                    return name
                case ArrayName(blocked=why):
                    c.wrong(node, why)
                case Broken():
                    pass
                case None:
                    if not c.dunder(node.value, text):
                        c.report.unknown(node.value, "array", text, arrays_of(c.names))
                case _:
                    c.wrong(node, f"'{text}' is not an array", hint=text)
        case ast.Attribute():
            refuse.attribute(c, node.value)
        case ast.Subscript():
            c.wrong(node, "an element has no indices of its own", hint="all in one: A[i, j]")
        case _:
            c.wrong(node, f"'{c.report.text(node.value)}' is not an array", hint="x[i]")
    return None


def _index(c: Context, part: ast.expr, name: ArrayName | None, place: int) -> Expr | None:
    """One index of a load; a negative literal is a mistake, for nothing counts from the end."""
    if isinstance(part, ast.Slice | ast.Starred) or _is_ellipsis(part):
        refuse.expression(
            c, part if not _is_ellipsis(part) else ast.copy_location(ast.Slice(), part)
        )
        return None
    v = expression(c, part)
    if v is None:
        return None
    if isinstance(v.expr, Const) and v.expr.value < 0 and v.dtype is I32:
        hint = ""
        if name is not None and place < len(name.array.shape):
            end = f"{expr_text(name.array.shape[place])} - {-v.expr.value}"
            hint = c.report.mended(part, end)
        c.wrong(part, f"index {v.expr.value}: nothing counts from the end", hint=hint)
        return None
    return whole(c, v, part, "an index")


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _unary(c: Context, node: ast.UnaryOp) -> Value | None:
    v = expression(c, node.operand)
    if v is None:
        return None
    origin = c.report.origin(node)
    match node.op:
        case ast.Not():
            test = truth(c, v, node.operand)
            return None if test is None else Value(apply("not", test, origin=origin))
        case ast.USub() if v.dtype.kind in "fi":
            if v.weak and isinstance(v.expr, Const):
                return Value(Const(-v.expr.value, v.dtype, origin=origin), weak=True)
            return Value(apply("neg", v.expr, origin=origin), v.weak)
        case ast.UAdd() if v.dtype.kind in "fiu":
            return v
        case ast.Invert() if v.dtype.kind in "iu":
            inner = settle(c, v, node.operand)
            return None if inner is None else Value(apply("invert", inner, origin=origin), v.weak)
        case _:
            sign = c.report.text(node)[0]
            hint = "not ..." if v.dtype is BOOL else "i32(...)"
            c.wrong(node, f"'{sign}' does not apply to {v.dtype}", hint=hint)
            return None


def _comparison(c: Context, node: ast.Compare) -> Value | None:
    nodes = [node.left, *node.comparators]
    values = [expression(c, n) for n in nodes]
    found = [v for v in values if v is not None]
    if len(found) != len(values):
        return None
    middle = zip(found[1:-1], nodes[1:-1], strict=True)
    if not all(repeatable(c, v.expr, 2, n) for v, n in middle):
        return None
    result: Expr | None = None
    start = c.report.span(node).start
    for place, op in enumerate(node.ops):
        left, right = found[place], found[place + 1]
        end = c.report.span(nodes[place + 1]).end
        pair = Span(c.report.source, c.report.span(nodes[place]).start, end)
        test = _compare(c, op, left, right, pair)
        if test is None:
            return None
        origin = c.report.origin(Span(c.report.source, start, end))
        result = test if result is None else both(result, test, right.expr, origin)
    return None if result is None else Value(result)


def _compare(c: Context, op: ast.cmpop, left: Value, right: Value, pair: Span) -> Expr | None:
    if type(op) not in _COMPARE:
        c.wrong(pair, "'in' and 'is' are not part of the language", hint="a == b")
        return None
    name = _COMPARE[type(op)]
    args = unified(c, left, right, pair, I32 if narrow(left, right) else None)
    if args is None:
        return None
    if args[0].dtype is BOOL and name not in {"eq", "ne"}:
        c.wrong(pair, "bools have no order", hint="i32(...) around them")
        return None
    return apply(name, *args, origin=c.report.origin(pair))


def _bool_operation(c: Context, node: ast.BoolOp) -> Value | None:
    tests = [condition(c, n) for n in node.values]
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


def _choice(c: Context, node: ast.IfExp) -> Value | None:
    test = condition(c, node.test)
    yes, no = expression(c, node.body), expression(c, node.orelse)
    if test is None or yes is None or no is None:
        return None
    return select(c, node, test, yes, no)


def select(c: Context, node: ast.expr, test: Expr, yes: Value, no: Value) -> Value | None:
    """`yes if test else no`, both in one dtype."""
    origin = c.report.origin(node)
    if yes.dtype is no.dtype is BOOL:
        return Value(Select(test, yes.expr, no.expr, origin=origin))
    args = unified(c, yes, no, node)
    if args is None:
        return None
    return Value(Select(test, *args, origin=origin), yes.weak and no.weak)
