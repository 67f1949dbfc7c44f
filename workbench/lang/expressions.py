"""Expressions: a syntax tree becomes a typed value, or mistakes and None.

A part that is wrong is reported once; what stands around it stays silent.
"""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL, F32, I32
from workbench.ir.expr import Const, Expr, Load, Select, Var, apply
from workbench.ir.show import expr_text
from workbench.lang import calls, comparisons, lines, refuse, rewrites, unknown
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
from workbench.lang.report import closest
from workbench.lang.values import (
    Value,
    common,
    plural,
    quotient_of,
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
            return comparisons.comparison(c, node, expression)
        case ast.BoolOp():
            return comparisons.bool_operation(c, node, expression)
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
        parts = [node.left, node.right] if isinstance(node, ast.BinOp) else []
        hint = lines.cast_parts(c, node, parts, I32) if isinstance(node, ast.BinOp) else ""
        c.wrong(node, f"'{sign}' is arithmetic on two bools", hint=hint)
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
        c.wrong(node, words, hint=_whole_operands(c, node, left, right))
        return None
    return Value(apply(op, *args, origin=origin), left.weak and right.weak)


def _whole_operands(c: Context, node: ast.BinOp | ast.AugAssign, left: Value, right: Value) -> str:
    """The line with the floats of an operation cut to whole numbers."""
    if isinstance(node, ast.AugAssign):
        return "a local that is i32 from its first assignment on"
    pairs = ((node.left, left), (node.right, right))
    return lines.cast_parts(c, node, [x for x, v in pairs if v.dtype.kind == "f"], I32)


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
            hint = c.report.mended(node, "0.0")
            c.wrong(node, f"'{c.report.text(node)}' is not a value of the language", hint=hint)
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
    hint = f"{node.id} = {lines.zero(name.dtype)} as the first line of the block"
    c.wrong(node, f"'{node.id}' may be read here before it has a value", hint=hint)
    return None


def _bare_array(c: Context, node: ast.Name, name: ArrayName) -> Value | None:
    """A 0-d array is read by its name; any other wants its indices."""
    if not name.blocked and not name.array.shape:
        return Value(Load(node.id, (), name.array.dtype, origin=c.report.origin(node)))
    if name.blocked:
        c.wrong(node, name.blocked, hint=name.remedy)
    else:
        refuse.whole_array(c, node, name)
    return None


def _unknown(c: Context, node: ast.Name) -> None:
    if c.dunder(node, node.id):
        return
    if node.id in calls.FUNCTIONS:
        unknown.uncalled(c, node)
    else:
        unknown.name(c, node, [*c.names, *NUMBERS])


def _load(c: Context, node: ast.Subscript) -> Value | None:
    parts = lines.each(node.slice)
    cut = next((p for p in parts if isinstance(p, ast.Slice) or _is_ellipsis(p)), None)
    if cut is not None:
        refuse.sliced(c, node, cut)
        return None
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
            hint=lines.refilled(c, node, len(shape)),
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
                case ArrayName() as name:
                    c.wrong(node, name.blocked, hint=name.remedy)
                case Broken():
                    pass
                case None:
                    if not c.dunder(node.value, text):
                        unknown.array(c, node, text)
                case _:
                    close = closest(text, arrays_of(c.names))
                    place = node if close is None else node.value
                    hint = c.report.mended(place, close or text)
                    c.wrong(node, f"'{text}' is not an array", hint=hint)
        case ast.Attribute():
            refuse.attribute(c, node.value, node)
        case ast.Subscript():
            hint = c.report.mended(node, lines.joined_indices(c, node))
            c.wrong(node, "an element has no indices of its own", hint=hint)
        case _:
            _no_array(c, node)
    return None


def _no_array(c: Context, node: ast.Subscript) -> None:
    """`(x + 1)[i]`."""
    parts = [c.report.text(x) for x in lines.each(node.slice)]
    element = rewrites.elementwise(c, node.value, parts)
    right = element is not None and rewrites.rank(c, node.value) == len(parts)
    hint = c.report.mended(node, f"({element})") if right else "an array as a parameter"
    c.wrong(node, f"'{c.report.text(node.value)}' is not an array", hint=hint)


def _index(c: Context, part: ast.expr, name: ArrayName | None, place: int) -> Expr | None:
    """One index of a load; a negative literal is a mistake, for nothing counts from the end."""
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
            sign, inner = c.report.text(node)[0], c.report.text(node.operand)
            hint = c.report.mended(node.operand, f"i32({inner})")
            if v.dtype is BOOL:
                hint = c.report.mended(node, f"not {inner}")
            c.wrong(node, f"'{sign}' does not apply to {v.dtype}", hint=hint)
            return None


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
