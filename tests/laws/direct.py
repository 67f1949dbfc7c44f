"""The cell language evaluated directly: one element after the other, over Python's own tree.

The second opinion of the laws. It imports nothing of the workbench, so that a misreading there
cannot repeat itself here. Floats are Python's; a value that f32 cannot hold exactly is noted in
`Run.exact`, and what depends on it may then differ. It knows the forms that `growing.py` writes
and raises `KeyError` or `MatchError` for any other.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NUMPY = {"f32": np.float64, "i32": np.int32, "u32": np.uint32, "bool": np.bool_}
LOOP_LIMIT = 10_000
END = 2**32


class MatchError(Exception):
    """A form that this evaluator does not know."""


class OutsideError(Exception):
    """An index outside its array."""


class AssumptionError(Exception):
    """An `assert` of the program that does not hold for these inputs."""


class Leave(Exception):  # noqa: N818  (control flow, not an error)
    """A `break` or a `continue` on its way to its loop."""

    def __init__(self, *, ends: bool) -> None:
        super().__init__()
        self.ends = ends


@dataclass(frozen=True, slots=True)
class Number:
    """A value of a dtype; weak ones take the dtype of what they meet."""

    value: Any
    dtype: str
    weak: bool = False


@dataclass(slots=True)
class Run:
    """One execution: arrays by name, names that stand for numbers, and whether f32 holds all.

    `cut` is set where a float was compared, rounded or made an int.
    """

    arrays: dict[str, np.ndarray]
    names: dict[str, Number]
    dtypes: dict[str, str]
    exact: bool = True
    cut: bool = False
    declared: dict[str, tuple[str, tuple[ast.expr, ...]]] = field(default_factory=dict)


def run(
    text: str, dims: Mapping[str, int], inputs: Mapping[str, Any]
) -> tuple[tuple[np.ndarray, ...], Run]:
    """The results of the one kernel of a text, floats as float64, and the run that made them."""
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    numbers = {name: Number(value, "i32", weak=True) for name, value in dims.items()}
    r = Run({}, numbers, {})
    for a in function.args.args:
        dtype, shape = _annotation(a.annotation)
        r.dtypes[a.arg] = dtype
        if shape:
            r.arrays[a.arg] = np.asarray(inputs[a.arg]).astype(NUMPY[dtype])
        else:
            r.names[a.arg] = Number(inputs[a.arg], dtype)
    last = function.body[-1]
    assert isinstance(last, ast.Return)
    results = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
    returns = function.returns
    kinds = returns.elts if isinstance(returns, ast.Tuple) else [returns]
    names = [e.id for e in results if isinstance(e, ast.Name)]
    r.declared = {n: _annotation(k) for n, k in zip(names, kinds, strict=True)}
    for s in function.body[:-1]:
        _definition(r, s)
    return tuple(r.arrays[n] for n in names), r


def _annotation(node: ast.expr | None) -> tuple[str, tuple[ast.expr, ...]]:
    match node:
        case ast.Name(id=dtype):
            return dtype, ()
        case ast.Subscript(value=ast.Name(id=dtype), slice=ast.Tuple(elts=parts)):
            return dtype, tuple(parts)
        case ast.Subscript(value=ast.Name(id=dtype), slice=part):
            return dtype, (part,)
        case _:
            raise MatchError(ast.dump(node) if node else "no annotation")


def _definition(r: Run, s: ast.stmt) -> None:
    match s:
        case ast.Assert(test=test):
            if not evaluate(r, test).value:
                raise AssumptionError(ast.unparse(test))
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            _write(r, name, (), evaluate(r, value), ())
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name)) as target], value=value):
            _equation(r, name, _parts(target), value)
        case ast.For():
            for a, (_, shape) in r.declared.items():
                if a not in r.arrays and _stores(s, a):
                    _fresh(r, a, tuple(evaluate(r, x).value for x in shape))
            outside = dict(r.names)
            _grid(r, s)
            r.names = outside
        case _:
            raise MatchError(ast.dump(s))


def _stores(s: ast.stmt, name: str) -> bool:
    return any(
        isinstance(x, ast.Subscript) and isinstance(x.ctx, ast.Store) and _name(x.value) == name
        for x in ast.walk(s)
    )


def _equation(r: Run, name: str, axes: list[ast.expr], value: ast.expr) -> None:
    names = [_name(x) for x in axes]
    shape = tuple(_extent(r, name, place, axis, value) for place, axis in enumerate(names))
    found = []
    for point in itertools.product(*map(range, shape)):
        for axis, at in zip(names, point, strict=True):
            r.names[axis] = Number(at, "i32", weak=True)
        found.append((point, evaluate(r, value)))
    for axis in names:
        r.names.pop(axis, None)
    if not found:
        _fresh(r, name, shape)
    for point, v in found:
        _write(r, name, point, v, shape)


def _extent(r: Run, name: str, place: int, axis: str, value: ast.expr) -> int:
    """From the annotation, else from an array in which the axis stands alone."""
    if name in r.declared:
        return evaluate(r, r.declared[name][1][place]).value
    for x in ast.walk(value):
        if isinstance(x, ast.Subscript):
            for part, extent in zip(_parts(x), r.arrays[_name(x.value)].shape, strict=True):
                if isinstance(part, ast.Name) and part.id == axis:
                    return extent
    raise MatchError(f"no extent for {axis}")


def _fresh(r: Run, name: str, shape: tuple[int, ...], dtype: str = "f32") -> None:
    dtype = r.declared.get(name, (dtype, ()))[0]
    r.dtypes[name] = dtype
    r.arrays[name] = np.zeros(shape, NUMPY[dtype])


def _write(r: Run, name: str, point: tuple[int, ...], v: Number, shape: tuple[int, ...]) -> None:
    if name not in r.arrays:
        _fresh(r, name, shape, v.dtype)
    if any(not 0 <= p < extent for p, extent in zip(point, r.arrays[name].shape, strict=True)):
        raise OutsideError(f"{name}{list(point)}")
    r.arrays[name][point] = _to(r, v, r.dtypes[name]).value


def _name(node: ast.expr) -> str:
    assert isinstance(node, ast.Name)
    return node.id


def _parts(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


# Statements of blocks -----------------------------------------------------------------------


def _grid(r: Run, s: ast.For) -> None:
    assert isinstance(s.iter, ast.Call)
    names = [_name(x) for x in (s.target.elts if isinstance(s.target, ast.Tuple) else [s.target])]
    extents = [evaluate(r, x).value for x in s.iter.args]
    outside = dict(r.names)
    for point in itertools.product(*map(range, extents)):
        r.names = dict(outside)
        for name, at in zip(names, point, strict=True):
            r.names[name] = Number(at, "i32", weak=True)
        _body(r, s.body)


def _body(r: Run, body: list[ast.stmt]) -> None:
    for s in body:
        _statement(r, s)


def _statement(r: Run, s: ast.stmt) -> None:
    match s:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            new = [evaluate(r, v) for v in values]
            for target, v in zip(targets, new, strict=True):
                _assign(r, target, v)
        case ast.Assign(targets=[target], value=value):
            _assign(r, target, evaluate(r, value))
        case ast.AugAssign(target=target, op=op, value=value):
            both = ast.BinOp(ast.Name(_name(target), ast.Load()), op, value)
            _assign(r, target, evaluate(r, both))
        case ast.If(test=test, body=body, orelse=orelse):
            _body(r, body if evaluate(r, test).value else orelse)
        case ast.For(target=ast.Name(id=name), iter=ast.Call(args=args), body=body):
            _loop(r, body, _counted(r, name, args))
        case ast.While(test=test, body=body):
            _loop(r, body, _while(r, test))
        case ast.Break() | ast.Continue():
            raise Leave(ends=isinstance(s, ast.Break))
        case _:
            raise MatchError(ast.dump(s))


def _counted(r: Run, name: str, bounds: list[ast.expr]) -> Iterator[None]:
    for at in range(*(evaluate(r, x).value for x in bounds)):
        r.names[name] = Number(at, "i32", weak=True)
        yield


def _while(r: Run, test: ast.expr) -> Iterator[None]:
    for _ in range(LOOP_LIMIT):
        if not evaluate(r, test).value:
            return
        yield
    raise MatchError("a loop without end")


def _loop(r: Run, body: list[ast.stmt], turns: Iterator[None]) -> None:
    for _ in turns:
        try:
            _body(r, body)
        except Leave as leave:
            if leave.ends:
                return


def _assign(r: Run, target: ast.expr, v: Number) -> None:
    match target:
        case ast.Name(id=name):
            old = r.names.get(name)
            r.names[name] = Number(v.value, v.dtype) if old is None else _to(r, v, old.dtype)
        case ast.Subscript(value=ast.Name(id=name)):
            point = tuple(evaluate(r, x).value for x in _parts(target))
            _write(r, name, point, v, r.arrays[name].shape)
        case _:
            raise MatchError(ast.dump(target))


# Expressions --------------------------------------------------------------------------------


def evaluate(r: Run, e: ast.expr) -> Number:
    """The value of an expression; evaluates what Python would evaluate."""
    match e:
        case ast.Constant(value=bool() as value):
            return Number(value, "bool")
        case ast.Constant(value=value):
            return Number(value, "i32" if isinstance(value, int) else "f32", weak=True)
        case ast.Name(id=name):
            if name in r.names:
                return r.names[name]
            return Number(r.arrays[name].item(), r.dtypes[name])
        case ast.Subscript(value=ast.Name(id=name)):
            return _read(r, name, tuple(evaluate(r, x).value for x in _parts(e)))
        case ast.IfExp(test=test, body=yes, orelse=no):
            return evaluate(r, yes if evaluate(r, test).value else no)
        case ast.Call(func=ast.Name(id=name), args=[ast.GeneratorExp() as generator]):
            return _reduce(r, name, generator)
        case ast.Call(func=ast.Name(id=name), args=args):
            return _call(r, name, [evaluate(r, a) for a in args])
        case _:
            return _operation(r, e)


def _operation(r: Run, e: ast.expr) -> Number:
    match e:
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(r, type(op).__name__, evaluate(r, left), evaluate(r, right))
        case ast.UnaryOp(op=ast.Not(), operand=x):
            return Number(not evaluate(r, x).value, "bool")
        case ast.UnaryOp(op=op, operand=x):
            v = evaluate(r, x)
            return _held(r, (operator.neg if isinstance(op, ast.USub) else operator.inv)(v.value),
                         v.dtype, weak=v.weak)  # fmt: skip
        case ast.BoolOp(op=op, values=values):
            stop = isinstance(op, ast.Or)
            return Number(
                stop if any(evaluate(r, x).value is stop for x in values) else not stop, "bool"
            )
        case ast.Compare(left=left, ops=ops, comparators=rest):
            return Number(_compare(r, left, ops, rest), "bool")
        case _:
            raise MatchError(ast.dump(e))


def _read(r: Run, name: str, point: tuple[int, ...]) -> Number:
    a = r.arrays[name]
    if any(not 0 <= p < extent for p, extent in zip(point, a.shape, strict=True)):
        raise OutsideError(f"{name}{list(point)}")
    return Number(a[point].item(), r.dtypes[name])


def _held(r: Run, value: Any, dtype: str, *, weak: bool = False) -> Number:
    """A value within its dtype: ints wrap; whether f32 holds a float is noted."""
    match dtype:
        case "f32":
            with np.errstate(over="ignore"):
                same = float(np.float32(value)) == value
            r.exact = r.exact and (same or math.isnan(value))
            return Number(float(value), dtype, weak)
        case "i32":
            return Number((int(value) + END // 2) % END - END // 2, dtype, weak)
        case "u32":
            return Number(int(value) % END, dtype, weak)
        case _:
            return Number(bool(value), dtype)


def _to(r: Run, v: Number, dtype: str) -> Number:
    """A cast: float to int saturates, NaN gives 0."""
    if v.dtype == dtype:
        return Number(v.value, dtype)
    if v.dtype == "f32" and dtype in {"i32", "u32"}:
        r.cut = True
        low, high = (0, END - 1) if dtype == "u32" else (-(END // 2), END // 2 - 1)
        whole = 0 if math.isnan(v.value) else min(max(v.value, low), high)
        return _held(r, math.trunc(whole), dtype)
    return _held(r, v.value, dtype)


def _common(r: Run, a: Number, b: Number) -> tuple[Any, Any, str, bool]:
    """Both values in the dtype in which they meet, and whether the result is weak."""
    if a.weak and b.weak:
        dtype = "f32" if "f32" in {a.dtype, b.dtype} else "i32"
    elif "f32" in {a.dtype, b.dtype}:
        dtype = "f32"
    else:
        dtype = b.dtype if a.weak else a.dtype
    return _to(r, a, dtype).value, _to(r, b, dtype).value, dtype, a.weak and b.weak


def _floor_divide(a: Any, b: Any) -> Any:
    if isinstance(a, float):
        return float(math.floor(a / b))
    return a // b if b else 0


def _modulo(a: Any, b: Any) -> Any:
    return a % b if b or isinstance(a, float) else 0


def _shift(f: Callable[[int, int], int]) -> Callable[[int, int], int]:
    return lambda a, b: f(a, b) if 0 <= b < 32 else 0


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul,
    "FloorDiv": _floor_divide, "Mod": _modulo,
    "BitAnd": operator.and_, "BitOr": operator.or_, "BitXor": operator.xor,
    "LShift": _shift(operator.lshift), "RShift": _shift(operator.rshift),
    "min": min, "max": max,
}  # fmt: skip


def _binary(r: Run, op: str, left: Number, right: Number) -> Number:
    if op == "Div":
        a, b = _to(r, left, "f32").value, _to(r, right, "f32").value
        return _held(r, a / b, "f32", weak=left.weak and right.weak)
    a, b, dtype, weak = _common(r, left, right)
    if dtype == "f32" and op in {"FloorDiv", "Mod"}:
        r.cut = True
    return _held(r, BINARY[op](a, b), dtype, weak=weak)


COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


def _compare(r: Run, left: ast.expr, ops: list[ast.cmpop], rest: list[ast.expr]) -> bool:
    a = evaluate(r, left)
    for op, node in zip(ops, rest, strict=True):
        b = evaluate(r, node)
        if a.dtype == "bool":
            x, y = a.value, b.value
        else:
            x, y, dtype, _ = _common(r, a, b)
            r.cut = r.cut or dtype == "f32"
        if not COMPARE[type(op)](x, y):
            return False
        a = b
    return True


FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt, "exp": math.exp, "sin": math.sin, "cos": math.cos, "tanh": math.tanh,
}  # fmt: skip


def _call(r: Run, name: str, args: list[Number]) -> Number:
    match name, args:
        case "f32" | "i32" | "u32" | "bool", [x]:
            return _to(r, x, name)
        case "min" | "max", [first, *rest]:
            for other in rest:
                first = _binary(r, name, first, other)
            return first
        case "clip", [x, low, high]:
            return _binary(r, "min", _binary(r, "max", x, low), high)
        case "where", [cond, yes, no]:
            a, b, dtype, weak = (
                (yes.value, no.value, "bool", False) if yes.dtype == "bool" else _common(r, yes, no)
            )
            return Number(a if cond.value else b, dtype, weak)
        case "abs", [x]:
            return _held(r, abs(x.value), x.dtype, weak=x.weak)
        case "floor" | "ceil", [x]:
            r.cut = True
            return _held(r, getattr(math, name)(x.value), "f32")
        case _, [x] if name in FUNCTIONS:
            return _held(r, FUNCTIONS[name](_to(r, x, "f32").value), "f32")
        case _:
            raise MatchError(name)


# Reductions ---------------------------------------------------------------------------------

UNIT = {
    "sum": lambda _: 0,
    "prod": lambda _: 1,
    "max": lambda d: {"f32": -math.inf, "i32": -(END // 2), "u32": 0}[d],
    "min": lambda d: {"f32": math.inf, "i32": END // 2 - 1, "u32": END - 1}[d],
}
FOLD = {"sum": "Add", "prod": "Mult", "max": "max", "min": "min"}


def _terms(r: Run, generators: list[ast.comprehension]) -> Iterator[int]:
    """The value of the innermost index, at every iteration that the conditions let pass."""
    first, *rest = generators
    assert isinstance(first.iter, ast.Call)
    for _ in _counted(r, _name(first.target), first.iter.args):
        at = r.names[_name(first.target)].value
        if all(evaluate(r, test).value for test in first.ifs):
            if rest:
                yield from _terms(r, rest)
            else:
                yield at


def _reduce(r: Run, name: str, node: ast.GeneratorExp) -> Number:
    outside = dict(r.names)
    terms = ((at, evaluate(r, node.elt)) for at in _terms(r, node.generators))
    match name:
        case "any" | "all":
            values = [v.value for _, v in terms]
            result = Number(any(values) if name == "any" else all(values), "bool")
        case "argmax" | "argmin":
            found = list(terms)
            r.cut = r.cut or found[0][1].dtype == "f32"
            best = (max if name == "argmax" else min)(found, key=lambda t: t[1].value)
            result = Number(best[0], "i32")
        case _:
            result = _folded(r, name, [v for _, v in terms], node)
    r.names = outside
    return result


def _folded(r: Run, name: str, values: list[Number], node: ast.GeneratorExp) -> Number:
    """Terms folded in order; bools count as i32."""
    terms = [_to(r, v, "i32") if v.dtype == "bool" else Number(v.value, v.dtype) for v in values]
    dtype = terms[0].dtype if terms else _dtype(r, node)
    result = Number(UNIT[name](dtype), dtype)
    for t in terms:
        result = _binary(r, FOLD[name], result, t)
    return result


def _dtype(r: Run, node: ast.GeneratorExp) -> str:
    """The dtype of the terms of an empty reduction: that of the terms at indices of 0."""
    outside = dict(r.names)
    for g in node.generators:
        r.names[_name(g.target)] = Number(0, "i32", weak=True)
    exact, cut = r.exact, r.cut
    try:
        dtype = evaluate(r, node.elt).dtype
    except OutsideError:
        reads = (x for x in ast.walk(node.elt) if isinstance(x, ast.Subscript))
        dtype = r.dtypes[_name(next(reads).value)]
    r.names, r.exact, r.cut = outside, exact, cut
    return "i32" if dtype == "bool" else dtype
