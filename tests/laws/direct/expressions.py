"""Expressions evaluated as Python would: what is not taken is not evaluated."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator

from tests.laws.direct.values import (
    NUMPY,
    FormError,
    Number,
    OutsideError,
    Run,
    binary,
    call,
    cast,
    common,
    compare,
    greatest,
    held,
    is_float,
    least,
    quotient,
)

Value = Callable[[Run, ast.expr], Number]


def evaluate(r: Run, e: ast.expr) -> Number:
    """The value of an expression."""
    match e:
        case ast.Constant(value=bool() as value):
            return Number(value, "bool")
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            return Number(-value, "i32", weak=True)
        case ast.Constant(value=value):
            return Number(value, "i32" if isinstance(value, int) else "f32", weak=True)
        case ast.Name(id=name):
            if name in r.names:
                return r.names[name]
            return Number(r.arrays[name].item(), r.dtypes[name])
        case ast.Subscript(value=ast.Name(id=name)):
            return read(r, name, point_of(r, e))
        case ast.IfExp(test=test, body=yes, orelse=no):
            return _where(r, test, yes, no)
        case ast.Call(func=ast.Name(id=name), args=args):
            return _call(r, e, name, args)
        case ast.NamedExpr(target=ast.Name(id=name), value=value):
            keep(r, name, evaluate(r, value))
            return r.names[name]
        case _:
            return _operation(r, e)


def _call(r: Run, e: ast.Call, name: str, args: list[ast.expr]) -> Number:
    match args:
        case [ast.GeneratorExp() as generator]:
            return _reduce(r, name, generator)
        case [test, yes, no] if name == "where":
            return _where(r, test, yes, no)
        case _ if name in r.functions:
            (result,) = called(r, e)
            return result
        case _:
            return call(r, name, [evaluate(r, a) for a in args])


def _operation(r: Run, e: ast.expr) -> Number:
    match e:
        case ast.BinOp(left=left, op=op, right=right):
            return binary(r, type(op).__name__, evaluate(r, left), evaluate(r, right))
        case ast.UnaryOp(op=ast.Not(), operand=x):
            return Number(not evaluate(r, x).value, "bool")
        case ast.UnaryOp(op=op, operand=x):
            v = evaluate(r, x)
            change = operator.neg if isinstance(op, ast.USub) else operator.inv
            return held(r, change(v.value), v.dtype, weak=v.weak)
        case ast.BoolOp(op=op, values=values):
            stop = isinstance(op, ast.Or)
            found = any(evaluate(r, x).value is stop for x in values)
            return Number(stop if found else not stop, "bool")
        case ast.Compare(left=left, ops=ops, comparators=rest):
            return Number(_compared(r, left, ops, rest), "bool")
        case _:
            raise FormError(ast.dump(e))


def _compared(r: Run, left: ast.expr, ops: list[ast.cmpop], rest: list[ast.expr]) -> bool:
    a = evaluate(r, left)
    for op, node in zip(ops, rest, strict=True):
        b = evaluate(r, node)
        if not compare(r, type(op).__name__, a, b):
            return False
        a = b
    return True


def _where(r: Run, test: ast.expr, yes: ast.expr, no: ast.expr) -> Number:
    """As `yes if test else no`, in the dtype of both."""
    taken, other = (yes, no) if evaluate(r, test).value else (no, yes)
    v = evaluate(r, taken)
    if v.dtype == "bool":
        return v
    value, _, dtype, weak = common(r, v, sample(r, other))
    return Number(value, dtype, weak)


def point_of(r: Run, e: ast.Subscript) -> tuple[int, ...]:
    """The index of an access."""
    parts = e.slice.elts if isinstance(e.slice, ast.Tuple) else [e.slice]
    return tuple(cast(r, evaluate(r, x), "i32").value for x in parts)


def read(r: Run, name: str, point: tuple[int, ...]) -> Number:
    """An element. Raises `OutsideError`."""
    a = r.arrays[name]
    if any(not 0 <= p < extent for p, extent in zip(point, a.shape, strict=True)):
        raise OutsideError(f"{name}{list(point)}")
    return Number(a[point].item(), r.dtypes[name])


def keep(r: Run, name: str, v: Number) -> None:
    """Give a local a value; the first one fixes its dtype."""
    old = r.names.get(name)
    r.names[name] = Number(v.value, v.dtype) if old is None else cast(r, v, old.dtype)


def named(node: ast.expr) -> str:
    """The name that a node is."""
    if not isinstance(node, ast.Name):
        raise FormError(ast.dump(node))
    return node.id


# Functions of the text ----------------------------------------------------------------------


def called(r: Run, node: ast.Call, value: Value = evaluate) -> list[Number]:
    """Everything that a call of a function without arrays returns; `value` evaluates."""
    function = r.functions[named(node.func)]
    parameters = function.args.args
    names = [p.arg for p in parameters]
    given = dict(zip(names, node.args, strict=False))
    given |= {k.arg: k.value for k in node.keywords if k.arg}
    defaults = dict(zip(reversed(names), reversed(function.args.defaults), strict=False))
    inner = Run(functions=r.functions, cut=r.cut)
    for p in parameters:
        v = value(r, given[p.arg]) if p.arg in given else value(inner, defaults[p.arg])
        said = p.annotation
        inner.names[p.arg] = v if said is None else cast(r, v, named(said))
    *lines, last = function.body
    for line in lines:
        if not isinstance(line, ast.Assign):
            raise FormError(ast.dump(line))
        values = values_of(inner, line, value)
        targets = line.targets[0]
        parts = targets.elts if isinstance(targets, ast.Tuple) else [targets]
        for target, v in zip(parts, values, strict=True):
            keep(inner, named(target), v)
    assert isinstance(last, ast.Return)
    returned = last.value
    parts = returned.elts if isinstance(returned, ast.Tuple) else [returned]
    results = [value(inner, x) for x in parts if x is not None]
    r.take(inner)
    return results


def values_of(r: Run, s: ast.Assign, value: Value = evaluate) -> list[Number]:
    """The values on the right of an assignment, all computed before any target changes."""
    match s.targets[0], s.value:
        case ast.Tuple(), ast.Tuple(elts=values):
            return [value(r, v) for v in values]
        case ast.Tuple(), ast.Call() as function:
            return called(r, function, value)
        case _:
            return [value(r, s.value)]


# Reductions ---------------------------------------------------------------------------------

_UNIT = {
    "sum": lambda _: 0,
    "prod": lambda _: 1,
    "max": lambda d: -math.inf if is_float(d) else least(d),
    "min": lambda d: math.inf if is_float(d) else greatest(d),
}
_FOLD = {"sum": "Add", "prod": "Mult", "max": "max", "min": "min"}


def counted(r: Run, name: str, bounds: list[ast.expr]) -> Iterator[int]:
    """The values of a range, the index kept at each."""
    for at in range(*(cast(r, evaluate(r, x), "i32").value for x in bounds)):
        r.names[name] = Number(at, "i32", weak=True)
        yield at


def _terms(r: Run, generators: list[ast.comprehension]) -> Iterator[int]:
    """The value of the innermost index, at every iteration that the conditions let pass."""
    first, *rest = generators
    assert isinstance(first.iter, ast.Call)
    name = named(first.target)
    for at in counted(r, name, first.iter.args):
        if all(evaluate(r, test).value for test in first.ifs):
            if rest:
                yield from _terms(r, rest)
            else:
                yield at


def _reduce(r: Run, name: str, node: ast.GeneratorExp) -> Number:
    outside = dict(r.names)
    terms = [(at, evaluate(r, node.elt)) for at in _terms(r, node.generators)]
    match name:
        case "any" | "all":
            values = [v.value for _, v in terms]
            result = Number(any(values) if name == "any" else all(values), "bool")
        case "argmax" | "argmin":
            if not terms:
                raise OutsideError(f"{name} of nothing")
            r.cut = r.cut or is_float(terms[0][1].dtype)
            best = (max if name == "argmax" else min)(terms, key=lambda t: t[1].value)
            result = Number(best[0], "i32")
        case _:
            result = _folded(r, name, [v for _, v in terms], node)
    r.names = outside
    return result


def _folded(r: Run, name: str, values: list[Number], node: ast.GeneratorExp) -> Number:
    """Terms folded in order; sums of bools and of small ints are i32, f16 counts in f32."""
    term = values[0].dtype if values else _term_dtype(r, node)
    dtype = term
    if _counts(name, term):
        dtype = "i32"
    wide = "f32" if term == "f16" else dtype
    result = Number(_UNIT[name](wide), wide)
    for v in values:
        result = binary(r, _FOLD[name], result, cast(r, v, wide))
    return result if wide == dtype else cast(r, result, dtype)


def _counts(name: str, term: str) -> bool:
    """Whether a reduction of such terms is an i32."""
    return term == "bool" or (name in {"sum", "prod"} and term in {"i8", "u8"})


def _term_dtype(r: Run, node: ast.GeneratorExp) -> str:
    """The dtype of the terms of an empty reduction."""
    outside = dict(r.names)
    for g in node.generators:
        r.names[named(g.target)] = Number(0, "i32", weak=True)
    dtype = sample(r, node.elt).dtype
    r.names = outside
    return dtype


def sample(r: Run, e: ast.expr) -> Number:
    """A value of the dtype of an expression that is not to be evaluated."""
    match e:
        case ast.Subscript(value=ast.Name(id=name)):
            return Number(0, r.dtypes[name])
        case (
            ast.IfExp(body=yes, orelse=no) | ast.Call(args=[_, yes, no], func=ast.Name(id="where"))
        ):
            return _either(r, yes, no)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            v = _either(r, left, right)
            return v if is_float(v.dtype) else Number(0.0, quotient(v.dtype), v.weak)
        case ast.BinOp(left=left, right=right):
            return _either(r, left, right)
        case ast.UnaryOp(op=ast.Not()) | ast.BoolOp() | ast.Compare():
            return Number(value=False, dtype="bool")
        case ast.UnaryOp(operand=x) | ast.NamedExpr(value=x):
            return sample(r, x)
        case ast.Call(func=ast.Name(id=name)) if name in r.functions:
            return called(r, e, sample)[0]
        case ast.Call(func=ast.Name(id=name), args=args):
            return _sample_call(r, name, args)
        case _:
            return evaluate(r, e)


def _either(r: Run, a: ast.expr, b: ast.expr) -> Number:
    x, y = sample(r, a), sample(r, b)
    if x.dtype == "bool":
        return x
    _, _, dtype, weak = common(r, x, y)
    return Number(0.0 if is_float(dtype) else 0, dtype, weak)


def _sample_call(r: Run, name: str, args: list[ast.expr]) -> Number:
    match name, args:
        case "any" | "all", _:
            return Number(value=False, dtype="bool")
        case "argmax" | "argmin", _:
            return Number(0, "i32")
        case _, _ if name in NUMPY:
            return Number(0, name)
        case _, [ast.GeneratorExp() as node]:
            dtype = _term_dtype(r, node)
            return Number(0, "i32" if _counts(name, dtype) else dtype)
        case (("min" | "max" | "clip"), [first, *rest]):
            v = sample(r, first)
            for other in rest:
                _, _, dtype, weak = common(r, v, sample(r, other))
                v = Number(0, dtype, weak)
            return v
        case "where", [_, yes, no]:
            return _either(r, yes, no)
        case _, [x]:
            return sample(r, x)
        case _:
            raise FormError(name)
