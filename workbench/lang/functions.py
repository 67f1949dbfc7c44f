"""Functions without arrays: their form is read here, and `inline` gives their calls a meaning.

A function is parameters with optional dtypes and defaults, assignments to locals, and a return
of one value or several. None reaches itself through its calls.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.ir.expr import Var
from workbench.lang import refuse
from workbench.lang.expressions import OPERATIONS, expression
from workbench.lang.inline import body_values
from workbench.lang.names import Bound, Broken, Context, Function, Name, Parameter
from workbench.lang.signature import dtype_of, parameters_of
from workbench.lang.values import Value, fit, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.dtypes import DType
    from workbench.lang.report import Report

LARGEST_FUNCTION = 2000
"""Nodes of the tree that a function may have with everything that it calls."""


def functions(report: Report, nodes: list[ast.FunctionDef]) -> dict[str, Function | None]:
    """The functions of a text by name; None for those with a mistake."""
    found: dict[str, Function | None] = dict.fromkeys(n.name for n in nodes)
    calls = {n.name: [x for x in _called(n) if x in found] for n in nodes}
    sizes: dict[str, int] = {}
    for node in nodes:
        before = len(report.mistakes)
        c = Context(report, {})
        if not _too_deep(c, node, calls, sizes, {n.name: n for n in nodes}):
            function = _function(c, node)
            found[node.name] = function if len(report.mistakes) == before else None
    for name, function in found.items():
        if function is not None and not _right(report, function, found):
            found[name] = None
    return found


def _called(node: ast.FunctionDef) -> list[str]:
    """The names of what a function calls, one for each call."""
    return [
        x.func.id
        for x in ast.walk(node)
        if isinstance(x, ast.Call) and isinstance(x.func, ast.Name)
    ]


def _too_deep(
    c: Context,
    node: ast.FunctionDef,
    calls: Mapping[str, list[str]],
    sizes: dict[str, int],
    nodes: Mapping[str, ast.FunctionDef],
) -> bool:
    """Report a function that reaches itself, or is too large with what it calls."""
    size = _size(node.name, calls, sizes, nodes, ())
    if size is None:
        c.wrong(_head(node), f"'{node.name}' calls itself; a function is inlined where it is "
                "called", hint="a loop in a block: for t in range(T):")  # fmt: skip
    elif size > LARGEST_FUNCTION:
        c.wrong(_head(node), f"'{node.name}' is too large to be inlined",
                hint="equations for the parts")  # fmt: skip
    return size is None or size > LARGEST_FUNCTION


def _size(
    name: str,
    calls: Mapping[str, list[str]],
    sizes: dict[str, int],
    nodes: Mapping[str, ast.FunctionDef],
    around: tuple[str, ...],
) -> int | None:
    """Nodes of a function and of all it calls; None where it reaches itself."""
    if name in around:
        return None
    if name not in sizes:
        total = sum(1 for _ in ast.walk(nodes[name]))
        for inner in calls[name]:
            size = _size(inner, calls, sizes, nodes, (*around, name))
            if size is None:
                return None
            total += size
        sizes[name] = total
    return sizes[name]


def _head(node: ast.FunctionDef) -> ast.expr:
    """The name in the line of `def`, as a place."""
    place = ast.Name(node.name, ast.Load(), lineno=node.lineno, end_lineno=node.lineno)
    place.col_offset = node.col_offset + len("def ")
    place.end_col_offset = place.col_offset + len(node.name.encode())
    return place


def _function(c: Context, node: ast.FunctionDef) -> Function | None:
    if node.name in {"grid", "range", "schedule"}:
        c.wrong(
            _head(node), f"'{node.name}' is a word of the language", hint=f"def {node.name}_2(...)"
        )
    if not c.dunder(node, node.name):
        _check_form(c, node)
    parameters = _parameters(c, node)
    results = _results(c, node)
    body = list(node.body)
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body.pop(0)
    if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
        c.wrong(body[-1] if body else node, f"'{node.name}' ends without a value",
                hint="return x * x")  # fmt: skip
        return None
    last = body[-1].value
    returned = tuple(last.elts) if isinstance(last, ast.Tuple) else (last,)
    lines = [x for s in body[:-1] for x in _line(c, s)]
    if results is not None and len(results) != len(returned):
        c.wrong(last, f"{plural(len(returned), 'value')} returned, '{node.name}' says "
                f"{len(results)}", hint="as many values as results after '->'")  # fmt: skip
    return Function(node, parameters, results, tuple(lines), returned)


def _check_form(c: Context, node: ast.FunctionDef) -> None:
    """What stands nowhere in an inlined function."""
    for star in (node.args.vararg, node.args.kwarg, *node.args.kwonlyargs):
        if star is not None:
            c.wrong(star, f"'{star.arg}': a function names its parameters", hint="def f(x, y):")
    for x in ast.walk(node):
        match x:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                c.dunder(x, name)
            case ast.Subscript(value=ast.Name(id=name)) if x is not node.returns:
                c.wrong(x, f"'{name}' in a function without arrays in its signature",
                        hint=f"its element as an argument: {node.name}({name}[i])")  # fmt: skip
            case ast.GeneratorExp():
                c.wrong(x, "a reduction in an inlined function is not there yet",
                        hint=f"its value as an argument: {node.name}(sum(...))")  # fmt: skip
            case _:
                pass


def _parameters(c: Context, node: ast.FunctionDef) -> tuple[Parameter, ...]:
    arguments = parameters_of(node)
    defaults = dict(zip([a.arg for a in arguments][::-1], node.args.defaults[::-1], strict=False))
    names: dict[str, Name] = {}
    found: list[Parameter] = []
    for a in arguments:
        if c.adding(names).clash(a, a.arg, "a parameter"):
            continue
        dtype = None if a.annotation is None else dtype_of(c, a.annotation)
        default = _default(c, defaults[a.arg], dtype) if a.arg in defaults else None
        found.append(Parameter(a.arg, dtype, default))
        names[a.arg] = Broken(c.report.span(a))
    return tuple(found)


def _default(c: Context, node: ast.expr, dtype: DType | None) -> Value | None:
    v = expression(c, node)
    if v is None or dtype is None:
        return v
    e = fit(c, v, dtype, node, "the parameter")
    return None if e is None else Value(e)


def _results(c: Context, node: ast.FunctionDef) -> tuple[DType, ...] | None:
    if node.returns is None:
        return None
    parts = node.returns.elts if isinstance(node.returns, ast.Tuple) else [node.returns]
    dtypes = [dtype_of(c, x) for x in parts]
    return tuple(x for x in dtypes if x is not None)


def _line(c: Context, node: ast.stmt) -> list[ast.Assign]:
    """A line of the body as an assignment to names."""
    match node:
        case ast.Assign(targets=[ast.Name()]):
            return [node]
        case ast.Assign(targets=[ast.Tuple(elts=names)]) if all(
            isinstance(x, ast.Name) for x in names
        ):
            return [node]
        case ast.AugAssign(target=ast.Name(id=name) as target) if type(node.op) in OPERATIONS:
            old = ast.copy_location(ast.Name(name, ast.Load()), target)
            value = ast.copy_location(ast.BinOp(old, node.op, node.value), node)
            return [ast.copy_location(ast.Assign([target], value), node)]
        case ast.If():
            c.wrong(node, "'if' in an inlined function is not part of the language",
                    hint="x = a if c else b")  # fmt: skip
        case ast.Return():
            c.wrong(node, "'return' is the last line of a function", hint="return a if c else b")
        case ast.AnnAssign(target=ast.Name(id=name)):
            c.wrong(node, f"'{name}': locals of a function have no annotation",
                    hint=f"{name} = f32(...)")  # fmt: skip
        case ast.For() | ast.While():
            c.wrong(node, "a loop in an inlined function is not there yet",
                    hint="the loop in a block of the kernel: for i in grid(N):")  # fmt: skip
        case _:
            refuse.statement(c, node)
    return []


def _right(report: Report, function: Function, known: Mapping[str, Function | None]) -> bool:
    """Whether a function whose parameters all have dtypes is right before any call."""
    before = len(report.mistakes)
    names: dict[str, Name] = {}
    for p in function.parameters:
        if p.dtype is None:
            return True
        names[p.name] = Bound(Value(Var(p.name, p.dtype)), report.span(function.node))
    c = Context(report, names, in_block=True, functions=known)
    body_values(c, function, expression)
    return len(report.mistakes) == before
