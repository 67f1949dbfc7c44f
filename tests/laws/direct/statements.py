"""Kernels run line by line: equations, updates, blocks, loops over time, and calls of kernels."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tests.laws.direct.expressions import (
    counted,
    evaluate,
    keep,
    named,
    point_of,
    values_of,
)
from tests.laws.direct.values import (
    NUMPY,
    AssumptionError,
    FormError,
    Number,
    OutsideError,
    Run,
    cast,
)

LOOP_LIMIT = 10_000


class Leave(Exception):  # noqa: N818  (control flow, not an error)
    """A `break` or a `continue` on its way to its loop."""

    def __init__(self, *, ends: bool) -> None:
        super().__init__()
        self.ends = ends


def run(
    text: str, dims: Mapping[str, int], inputs: Mapping[str, Any]
) -> tuple[tuple[np.ndarray, ...], Run]:
    """The results of the last kernel of a text, floats as float64, and the run that made them."""
    functions = {f.name: f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)}
    *_, kernel = functions.values()
    return _kernel(kernel, functions, dims, inputs)


def _kernel(
    function: ast.FunctionDef,
    functions: dict[str, ast.FunctionDef],
    dims: Mapping[str, int],
    inputs: Mapping[str, Any],
) -> tuple[tuple[np.ndarray, ...], Run]:
    r = Run(functions=functions)
    r.names |= {name: Number(value, "i32", weak=True) for name, value in dims.items()}
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
    names = [e.id for e in results if isinstance(e, ast.Name)]
    r.declared = dict(zip(names, _returns(function), strict=True))
    try:
        for s in function.body[:-1]:
            _definition(r, s)
    except OutsideError as error:
        error.run = r
        raise
    return tuple(r.arrays[n] for n in names), r


def _returns(function: ast.FunctionDef) -> list[tuple[str, tuple[ast.expr, ...]]]:
    kinds = function.returns
    return [_annotation(k) for k in (kinds.elts if isinstance(kinds, ast.Tuple) else [kinds])]


def _annotation(node: ast.expr | None) -> tuple[str, tuple[ast.expr, ...]]:
    match node:
        case ast.Name(id=dtype):
            return dtype, ()
        case ast.Subscript(value=ast.Name(id=dtype), slice=ast.Tuple(elts=parts)):
            return dtype, tuple(parts)
        case ast.Subscript(value=ast.Name(id=dtype), slice=part):
            return dtype, (part,)
        case _:
            raise FormError(ast.dump(node) if node else "no annotation")


def _definition(r: Run, s: ast.stmt) -> None:
    match s:
        case ast.Assert(test=test):
            if not evaluate(r, test).value:
                raise AssumptionError(ast.unparse(test))
        case ast.Assign(value=ast.Call(func=ast.Name(id=name)) as call) if _is_kernel(r, name):
            _call_of_kernel(r, s.targets[0], call)
        case ast.Assign(targets=[target]):
            _equations(r, target.elts if isinstance(target, ast.Tuple) else [target], s)
        case ast.AugAssign(target=target, op=op, value=value):
            both = ast.BinOp(_loaded(target), op, value)
            _equations(r, [target], ast.Assign([target], both))
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            r.declared[name] = _annotation(annotation)
            if value is not None:
                _filled(r, name, evaluate(r, value))
        case _:
            _around(r, s)


def _around(r: Run, s: ast.stmt) -> None:
    """A block, or control flow around definitions."""
    match s:
        case ast.For(iter=ast.Call(func=ast.Name(id="grid"))):
            _block(r, s)
        case ast.For(target=ast.Name(id=name), iter=ast.Call(args=args), body=body):
            _over_time(r, body, counted(r, name, args))
            r.names.pop(name, None)
        case ast.If(test=test, body=body, orelse=orelse):
            for line in body if evaluate(r, test).value else orelse:
                _definition(r, line)
        case _:
            raise FormError(ast.dump(s))


def _loaded(target: ast.expr) -> ast.expr:
    """The expression that reads what an assignment writes."""
    if isinstance(target, ast.Subscript):
        return ast.Subscript(target.value, target.slice, ast.Load())
    return ast.Name(named(target), ast.Load())


def _parts(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


# Equations ----------------------------------------------------------------------------------


def _equations(r: Run, targets: list[ast.expr], s: ast.Assign) -> None:
    """One equation for each target; every value is computed before the first is written."""
    found = [_points(r, t, s, place) for place, t in enumerate(targets)]
    for target, (shape, points) in zip(targets, found, strict=True):
        name = named(target.value if isinstance(target, ast.Subscript) else target)
        if name not in r.arrays:
            _fresh(r, name, shape, points[0][1].dtype if points else "f32")
        for point, v in points:
            _write(r, name, point, v)


def _points(
    r: Run, target: ast.expr, s: ast.Assign, place: int
) -> tuple[tuple[int, ...], list[tuple[tuple[int, ...], Number]]]:
    """The shape of an equation, and the value at each point that it writes.

    A subscript that is a new name is an axis; any other says which points are written.
    """
    if not isinstance(target, ast.Subscript):
        return (), [((), values_of(r, s)[place])]
    name, parts = named(target.value), _parts(target)
    axes = {n: x.id for n, x in enumerate(parts) if isinstance(x, ast.Name) and x.id not in r.names}
    shape = tuple(_extent(r, name, n, axis, s.value) for n, axis in axes.items())
    points: list[tuple[tuple[int, ...], Number]] = []
    for at in itertools.product(*map(range, shape)):
        for axis, x in zip(axes.values(), at, strict=True):
            r.names[axis] = Number(x, "i32", weak=True)
        points.append((point_of(r, target), values_of(r, s)[place]))
    for axis in axes.values():
        r.names.pop(axis, None)
    return shape, points


def _extent(r: Run, name: str, place: int, axis: str, value: ast.expr) -> int:
    """From the array itself or its annotation, else from one in which the axis stands alone."""
    if name in r.arrays:
        return r.arrays[name].shape[place]
    if name in r.declared:
        return evaluate(r, r.declared[name][1][place]).value
    for x in ast.walk(value):
        if isinstance(x, ast.Subscript):
            for part, extent in zip(_parts(x), r.arrays[named(x.value)].shape, strict=True):
                if isinstance(part, ast.Name) and part.id == axis:
                    return extent
    raise FormError(f"no extent for {axis}")


def _fresh(r: Run, name: str, shape: tuple[int, ...], dtype: str) -> None:
    dtype = r.declared.get(name, (dtype, ()))[0]
    r.dtypes[name] = dtype
    r.arrays[name] = np.zeros(shape, NUMPY[dtype])


def _filled(r: Run, name: str, v: Number) -> None:
    """A declared array, every element with the same value."""
    dtype, shape = r.declared[name]
    _fresh(r, name, tuple(evaluate(r, x).value for x in shape), dtype)
    r.arrays[name][...] = cast(r, v, dtype).value


def _write(r: Run, name: str, point: tuple[int, ...], v: Number) -> None:
    if any(not 0 <= p < extent for p, extent in zip(point, r.arrays[name].shape, strict=True)):
        raise OutsideError(f"{name}{list(point)}")
    r.arrays[name][point] = cast(r, v, r.dtypes[name]).value


def _over_time(r: Run, body: list[ast.stmt], turns: Iterable[int]) -> None:
    """Every turn; what only the loop defines is new in each turn and gone after it."""
    before = set(r.arrays)
    for _ in turns:
        for s in body:
            _definition(r, s)
        for name in set(r.arrays) - before:
            del r.arrays[name]


# Calls of kernels ---------------------------------------------------------------------------


def _is_kernel(r: Run, name: str) -> bool:
    function = r.functions.get(name)
    return function is not None and any(
        isinstance(a.annotation, ast.Subscript) for a in function.args.args
    )


def _call_of_kernel(r: Run, target: ast.expr, node: ast.Call) -> None:
    function = r.functions[named(node.func)]
    parameters = {a.arg: a for a in function.args.args}
    given = dict(zip(parameters, node.args, strict=False))
    given |= {k.arg: k.value for k in node.keywords if k.arg}
    dims: dict[str, int] = {}
    inputs: dict[str, Any] = {}
    for name, a in parameters.items():
        dtype, shape = _annotation(a.annotation)
        if not shape:
            inputs[name] = cast(r, evaluate(r, given[name]), dtype).value
            continue
        inputs[name] = r.arrays[named(given[name])]
        for extent, size in zip(shape, inputs[name].shape, strict=True):
            if isinstance(extent, ast.Name):
                dims[extent.id] = size
    results, inner = _kernel(function, r.functions, dims, inputs)
    r.take(inner)
    targets = target.elts if isinstance(target, ast.Tuple) else [target]
    for t, result, (dtype, _) in zip(targets, results, _returns(function), strict=True):
        r.arrays[named(t)], r.dtypes[named(t)] = result.copy(), dtype


# Blocks -------------------------------------------------------------------------------------


def _block(r: Run, s: ast.For) -> None:
    assert isinstance(s.iter, ast.Call)
    for a, (dtype, shape) in r.declared.items():
        if a not in r.arrays and _stores(s, a):
            _fresh(r, a, tuple(evaluate(r, x).value for x in shape), dtype)
    names = [named(x) for x in (s.target.elts if isinstance(s.target, ast.Tuple) else [s.target])]
    extents = [evaluate(r, x).value for x in s.iter.args]
    outside, known = dict(r.names), dict(r.declared)
    for point in itertools.product(*map(range, extents)):
        r.names = dict(outside)
        for name, at in zip(names, point, strict=True):
            r.names[name] = Number(at, "i32", weak=True)
        _body(r, s.body)
    r.names, r.declared = outside, known


def _stores(s: ast.stmt, name: str) -> bool:
    return any(
        isinstance(x, ast.Subscript) and isinstance(x.ctx, ast.Store) and named(x.value) == name
        for x in ast.walk(s)
    )


def _body(r: Run, body: list[ast.stmt]) -> None:
    for s in body:
        _statement(r, s)


def _statement(r: Run, s: ast.stmt) -> None:
    match s:
        case ast.Assign(targets=[target]):
            targets = target.elts if isinstance(target, ast.Tuple) else [target]
            for t, v in zip(targets, values_of(r, s), strict=True):
                _assign(r, t, v)
        case ast.AugAssign(target=target, op=op, value=value):
            _assign(r, target, evaluate(r, ast.BinOp(_loaded(target), op, value)))
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            _annotated(r, name, _annotation(annotation), value)
        case ast.If(test=test, body=body, orelse=orelse):
            _body(r, body if evaluate(r, test).value else orelse)
        case ast.For(target=ast.Name(id=name), iter=ast.Call(args=args), body=body):
            _loop(r, body, counted(r, name, args))
        case ast.While(test=test, body=body):
            _loop(r, body, _while(r, test))
        case ast.Break() | ast.Continue():
            raise Leave(ends=isinstance(s, ast.Break))
        case _:
            raise FormError(ast.dump(s))


def _annotated(
    r: Run, name: str, said: tuple[str, tuple[ast.expr, ...]], value: ast.expr | None
) -> None:
    """A local or a private array with its dtype."""
    v = Number(0, "i32", weak=True) if value is None else evaluate(r, value)
    if said[1]:
        r.declared[name] = said
        _filled(r, name, v)
    else:
        r.names[name] = cast(r, v, said[0])


def _while(r: Run, test: ast.expr) -> Iterator[int]:
    for turn in range(LOOP_LIMIT):
        if not evaluate(r, test).value:
            return
        yield turn
    raise FormError("a loop without end")


def _loop(r: Run, body: list[ast.stmt], turns: Iterable[int]) -> None:
    for _ in turns:
        try:
            _body(r, body)
        except Leave as leave:
            if leave.ends:
                return


def _assign(r: Run, target: ast.expr, v: Number) -> None:
    match target:
        case ast.Name(id=name):
            keep(r, name, v)
        case ast.Subscript(value=ast.Name(id=name)):
            _write(r, name, point_of(r, target), v)
        case _:
            raise FormError(ast.dump(target))
