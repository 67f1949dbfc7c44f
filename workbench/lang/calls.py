"""Calls: casts, the functions of the operations table under NumPy's names, and reductions.

`check` is the function that types an expression; it is passed in, for it calls this.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Protocol

from workbench.base.dtypes import BOOL, DTYPES, I32, U32, DType
from workbench.ir.expr import Apply, Cast, Const, Expr, Select, apply
from workbench.ir.ops import OPS
from workbench.lang import foreign, lines, reductions, refuse
from workbench.lang.inline import Part, inlined, part
from workbench.lang.names import Broken, Context, Function
from workbench.lang.values import (
    Value,
    convert,
    floating,
    quotient_of,
    repeatable,
    settle,
    truth,
    unified,
    unwrapped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    class Check(Protocol):
        """The function that types an expression."""

        def __call__(self, c: Context, node: ast.expr, /) -> Value | None:
            """The value, or None after a mistake."""
            ...


_FLOAT: Mapping[str, str] = {
    **{
        name: name
        for name in (
            "sqrt", "cbrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos",
            "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh",
            "arctanh", "erf", "degrees", "radians", "reciprocal",
        )
    },
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh",
    "acosh": "arccosh", "atanh": "arctanh", "deg2rad": "radians", "rad2deg": "degrees",
}  # fmt: skip
"""Functions whose argument and result are floats, and the operation of each."""

_FLOATS: Mapping[str, str] = {
    "arctan2": "arctan2", "atan2": "arctan2", "hypot": "hypot", "logaddexp": "logaddexp",
}  # fmt: skip
"""Functions of two floats."""

_ROUNDING: Mapping[str, str] = {
    "floor": "floor", "ceil": "ceil", "round": "round", "rint": "round", "trunc": "trunc",
}  # fmt: skip
"""Functions that leave whole numbers as they are."""

_PLAIN: Mapping[str, str] = {
    "abs": "abs", "absolute": "abs", "sign": "sign", "square": "square",
    "bitwise_count": "bitwise_count",
}  # fmt: skip
"""Functions whose result has the dtype of their argument."""

_UNARY = {**_FLOAT, **_ROUNDING, **_PLAIN}

_JOINING: Mapping[str, str] = {"minimum": "min", "maximum": "max", "min": "min", "max": "max"}

_POWERS = frozenset({"power", "pow"})

_ARITY: Mapping[str, int] = {
    **dict.fromkeys(_UNARY, 1),
    **dict.fromkeys((*_POWERS, *_FLOATS, "fmod", "minimum", "maximum"), 2),
    **dict.fromkeys(("clip", "where"), 3),
}

FUNCTIONS = frozenset({*_ARITY, *_JOINING, *reductions.WORDS, *DTYPES})
"""Everything that can be called."""

LARGEST_POWER = 64
"""Whole powers up to this one are products."""


def call(c: Context, node: ast.Call | Part, check: Check) -> Value | None:
    """The value of a call, or one of several that it returns."""
    if isinstance(node, Part):
        return part(c, node, check)
    if not isinstance(node.func, ast.Name):
        _refuse_function(c, node)
        return None
    name = node.func.id
    if name not in c.names and isinstance(c.functions.get(name), Function):
        return inlined(c, node, check)
    if name in reductions.WORDS and reductions.is_reduction(node):
        return reductions.reduction(c, node, name, check)
    if name not in FUNCTIONS:
        _unknown(c, node, node.func)
        return None
    if name in reductions.WORDS and (name not in _JOINING or len(node.args) == 1):
        reductions.refuse_arguments(c, node, name)
        return None
    if node.keywords:
        _refuse_keywords(c, node, name)
        return None
    values = [check(c, a) for a in node.args]
    found = [v for v in values if v is not None]
    if len(found) != len(values) or not _arity(c, node, name):
        return None
    return _apply(c, node, name, found, check)


def _apply(c: Context, node: ast.Call, name: str, args: list[Value], check: Check) -> Value | None:
    if name in DTYPES:
        return _cast(c, node, DTYPES[name], args[0])
    if name == "where":
        return _where(c, node, args)
    if name in _POWERS:
        return power(c, node, node.args[0], node.args[1], check)
    if any(a.dtype is BOOL for a in args):
        flags = [x for x, a in zip(node.args, args, strict=True) if a.dtype is BOOL]
        hint = lines.cast_parts(c, node, flags, I32)
        c.wrong(node, f"'{name}' does not apply to bool", hint=hint)
        return None
    if name in _JOINING:
        return _fold(c, node, _JOINING[name], args)
    if name == "clip":
        return _clip(c, node, args)
    if name in _FLOATS:
        return _of_floats(c, node, _FLOATS[name], args)
    if name == "fmod":
        return _fold_pair(c, node, "remainder", args[0], args[1])
    return _unary(c, node, name, args[0])


def _refuse_keywords(c: Context, node: ast.Call, name: str) -> None:
    """`clip(x[i], min=0, max=1)`: the same in order, as many as there are."""
    values = [*node.args, *(k.value for k in node.keywords)]
    wanted = 1 if name in DTYPES else _ARITY.get(name, len(values))
    args = [*map(c.report.text, values), *["1.0"] * wanted][:wanted]
    hint = c.report.mended(node, f"{name}({', '.join(args)})")
    c.wrong(node.keywords[0], f"'{name}' takes no argument by name", hint=hint)


def _arity(c: Context, node: ast.Call, name: str) -> bool:
    wanted = 1 if name in DTYPES else _ARITY.get(name, len(node.args))
    if len(node.args) == wanted and node.args:
        return True
    many = "argument" if wanted == 1 else "arguments"
    args = [*map(c.report.text, node.args), *["1.0"] * wanted][:wanted]
    hint = c.report.mended(node, f"{name}({', '.join(args)})")
    c.wrong(node, f"'{name}' takes {wanted} {many}, {len(node.args)} given", hint=hint)
    return False


def _unary(c: Context, node: ast.Call, name: str, arg: Value) -> Value | None:
    origin = c.report.origin(node)
    op = _UNARY[name]
    if name in _FLOAT:
        e = convert(c, arg, floating(arg), node.args[0])
        return None if e is None else Value(apply(op, e, origin=origin), arg.weak)
    e = settle(c, arg, node.args[0])
    if e is None:
        return None
    if (name in _ROUNDING and e.dtype.kind != "f") or (op == "abs" and e.dtype.kind == "u"):
        return arg
    if e.dtype.kind not in OPS[op].kinds:
        hint = lines.cast_parts(c, node, node.args, U32)
        c.wrong(node, f"'{name}' does not apply to {e.dtype}", hint=hint)
        return None
    return Value(apply(op, e, origin=origin), arg.weak)


def _of_floats(c: Context, node: ast.Call, op: str, args: list[Value]) -> Value | None:
    """A function of two floats; whole numbers become floats."""
    dtype = quotient_of(c, args[0], args[1], node)
    pair = None if dtype is None else unified(c, args[0], args[1], node, dtype)
    if pair is None:
        return None
    origin = c.report.origin(node)
    return Value(apply(op, *pair, origin=origin), args[0].weak and args[1].weak)


def _fold(c: Context, node: ast.Call, op: str, args: list[Value]) -> Value | None:
    result: Value | None = args[0]
    for v in args[1:]:
        result = None if result is None else _fold_pair(c, node, op, result, v)
    return result


def _clip(c: Context, node: ast.Call, args: list[Value]) -> Value | None:
    """`minimum(maximum(x, low), high)`, as NumPy says it."""
    low = _fold_pair(c, node, "max", args[0], args[1])
    return None if low is None else _fold_pair(c, node, "min", low, args[2])


def _fold_pair(c: Context, node: ast.Call, op: str, a: Value, b: Value) -> Value | None:
    pair = unified(c, a, b, node) if unwrapped(c, op, a, b, node) else None
    if pair is None:
        return None
    return Value(apply(op, *pair, origin=c.report.origin(node)), a.weak and b.weak)


def _where(c: Context, node: ast.Call, args: list[Value]) -> Value | None:
    test, yes, no = args
    chosen = truth(c, test, node.args[0])
    if chosen is None:
        return None
    if yes.dtype is no.dtype is BOOL:
        return Value(Select(chosen, yes.expr, no.expr, origin=c.report.origin(node)))
    pair = unified(c, yes, no, node)
    if pair is None:
        return None
    return Value(Select(chosen, *pair, origin=c.report.origin(node)), yes.weak and no.weak)


def _cast(c: Context, node: ast.Call, dtype: DType, arg: Value) -> Value | None:
    """`f32(x)`; a literal is read in that dtype, and `bool(x)` is `x != 0`."""
    origin = c.report.origin(node)
    e = arg.expr
    if dtype is BOOL:
        whole = settle(c, arg, node.args[0])
        if whole is None or whole.dtype is BOOL:
            return None if whole is None else Value(whole)
        zero = Const(0.0 if whole.dtype.kind == "f" else 0, whole.dtype)
        return Value(apply("ne", whole, zero, origin=origin))
    if isinstance(e, Const) and arg.weak and (dtype.kind == "f" or e.dtype is I32):
        read = convert(c, arg, dtype, node.args[0])
        return None if read is None else Value(Const(_number(read), dtype, origin=origin))
    inner = settle(c, arg, node.args[0])
    return None if inner is None else Value(Cast(dtype, inner, origin=origin))


def _number(e: Expr) -> float:
    assert isinstance(e, Const)
    return e.value


def power(
    c: Context, node: ast.expr, base: ast.expr, exponent: ast.expr, check: Check
) -> Value | None:
    """`x ** n`: a product for a whole literal n, else `pow` on floats."""
    x, n = check(c, base), check(c, exponent)
    if x is None or n is None:
        return None
    if BOOL in {x.dtype, n.dtype}:
        pairs = ((base, x), (exponent, n))
        hint = lines.cast_parts(c, node, [p for p, v in pairs if v.dtype is BOOL], I32)
        c.wrong(node, "'**' does not apply to bool", hint=hint)
        return None
    if n.weak and isinstance(n.expr, Const) and n.dtype is I32:
        return _whole_power(c, node, x, int(n.expr.value), base)
    if x.dtype.kind != "f" and n.dtype.kind != "f":
        hint = c.report.mended(node, f"f32({c.report.text(base)}) ** {c.report.text(exponent)}")
        c.wrong(node, "a whole number to a power that is no literal is not there", hint=hint)
        return None
    pair = unified(c, x, n, node)
    if pair is None:
        return None
    return Value(apply("pow", *pair, origin=c.report.origin(node)), x.weak and n.weak)


def _whole_power(
    c: Context, node: ast.expr, x: Value, exponent: int, base: ast.expr
) -> Value | None:
    origin = c.report.origin(node)
    if abs(exponent) > LARGEST_POWER:
        hint = c.report.mended(node, f"exp2({exponent} * log2({c.report.text(base)}))")
        c.wrong(node, f"whole powers are products and end at {LARGEST_POWER}", hint=hint)
        return None
    if exponent < 0 and x.dtype.kind != "f":
        hint = c.report.mended(node, f"f32({c.report.text(base)}) ** {exponent}")
        c.wrong(node, "a negative power of a whole number is no whole number", hint=hint)
        return None
    e = settle(c, x, base)
    if e is None or not repeatable(c, e, abs(exponent), base):
        return None
    one = Const(1.0 if e.dtype.kind == "f" else 1, e.dtype, origin=origin)
    if exponent == 0:
        return Value(one, x.weak)
    result = e
    for _ in range(abs(exponent) - 1):
        result = Apply("mul", (result, e), e.dtype, origin=origin)
    if exponent < 0:
        result = apply("div", one, result, origin=origin)
    if result is e:
        return x
    return Value(result, x.weak)


def _unknown(c: Context, node: ast.Call, function: ast.Name) -> None:
    name = function.id
    if c.dunder(node, name):
        return
    if name in c.names:
        if not isinstance(c.names[name], Broken):
            args = [c.report.text(x) for x in node.args]
            hint = c.report.mended(node, lines.indexed(name, args))
            c.wrong(node, f"'{name}' is not a function", hint=hint)
    elif name in c.functions:
        if c.functions[name] is not None or not c.report.mistakes:  # else it is one of those
            refuse.kernel_call(c, node, name)
    elif name in {"grid", "range"}:
        index = next(iter(lines.scope(c)), "0")
        c.wrong(node, f"'{name}' stands in 'for' only", hint=c.report.mended(node, index))
    else:
        foreign.function(c, node, function, FUNCTIONS)


def _refuse_function(c: Context, node: ast.Call) -> None:
    """`np.exp(x)`, `f()()`, `"..."()`."""
    match node.func:
        case ast.Attribute(attr=name) as function if not _of_a_name(c, function):
            text = c.report.text(function)
            if c.dunder(function, name):
                return
            hint = foreign.line(c, node, name)
            if hint is None and name not in FUNCTIONS:
                c.wrong(function, f"'{text}' is no function of the language",
                        hint="equations for what it computes")  # fmt: skip
                return
            hint = hint or c.report.mended(function, name)
            c.wrong(function, f"'{text}': functions stand without a module", hint=hint)
        case ast.Attribute():
            refuse.attribute(c, node.func, node)
        case ast.Call(func=ast.Name(id=name)) if c.dunder(node.func, name):
            pass
        case _:
            c.wrong(node, "only functions of the language can be called",
                    hint="a function before the kernel: def g(a):")  # fmt: skip


def _of_a_name(c: Context, function: ast.Attribute) -> bool:
    """Whether an attribute is one of something that stands here, not of a module."""
    inner: ast.expr = function
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return not isinstance(inner, ast.Name) or inner.id in c.names
