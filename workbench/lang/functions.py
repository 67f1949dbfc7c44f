"""Functions without arrays: their form is read here, and `inline` gives their calls a meaning.

A function is parameters with optional dtypes and defaults, assignments to locals, and a return
of one value or several. None reaches itself through its calls.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from workbench.base.dtypes import F32
from workbench.ir.expr import Var
from workbench.ir.graph import Scalar
from workbench.lang import lines, refuse
from workbench.lang.expressions import OPERATIONS, expression
from workbench.lang.inline import body_values, ends, first_return, literal_range, returned
from workbench.lang.names import Bound, Broken, Context, Function, Name, Parameter, ScalarName
from workbench.lang.signature import dtype_of, parameters_of, starred
from workbench.lang.values import Value, fit, plural
from workbench.passes.names import fresh_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.base.dtypes import DType
    from workbench.lang.report import Report

LARGEST_FUNCTION = 2000
"""Nodes of the tree that a function may have with everything that it calls."""


def functions(report: Report, nodes: list[ast.FunctionDef]) -> dict[str, Function | None]:
    """The functions of a text by name; None for those with a mistake."""
    found: dict[str, Function | None] = dict.fromkeys(n.name for n in nodes)
    calls = {n.name: [(x, k) for x, k in _called(n) if x in found] for n in nodes}
    sizes: dict[str, int] = {}
    words = set(re.findall(r"\w+", report.source.text))
    for node in nodes:
        before = len(report.mistakes)
        c = Context(report, {})
        if not _too_deep(c, node, calls, sizes, {n.name: n for n in nodes}):
            function = _function(c, node, words)
            found[node.name] = function if len(report.mistakes) == before else None
    for name, function in found.items():
        if function is not None and not _right(report, function, found):
            found[name] = None
    return found


def _called(node: ast.FunctionDef) -> list[tuple[str, int]]:
    """The names of what a function calls, and how often each call is read."""
    return [
        (x.func.id, times)
        for x, times in _read(node, 1)
        if isinstance(x, ast.Call) and isinstance(x.func, ast.Name)
    ]


def _read(node: ast.AST, times: int) -> Iterator[tuple[ast.AST, int]]:
    """Every node of a tree, with how often it is read: what is in a loop once for each turn."""
    yield node, times
    turns = literal_range(node.iter) if isinstance(node, ast.For) else None
    inside = times * (1 if turns is None else len(turns))
    body = set(map(id, node.body)) if isinstance(node, ast.For) else set[int]()
    for x in ast.iter_child_nodes(node):
        yield from _read(x, inside if id(x) in body else times)


def _too_deep(
    c: Context,
    node: ast.FunctionDef,
    calls: Mapping[str, list[tuple[str, int]]],
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
    calls: Mapping[str, list[tuple[str, int]]],
    sizes: dict[str, int],
    nodes: Mapping[str, ast.FunctionDef],
    around: tuple[str, ...],
) -> int | None:
    """Nodes of a function and of all it calls; None where it reaches itself."""
    if name in around:
        return None
    if name not in sizes:
        total = sum(times for _, times in _read(nodes[name], 1))
        for inner, times in calls[name]:
            size = _size(inner, calls, sizes, nodes, (*around, name))
            if size is None:
                return None
            total += times * size
        sizes[name] = total
    return sizes[name]


def _head(node: ast.FunctionDef) -> ast.expr:
    """The name in the line of `def`, as a place."""
    place = ast.Name(node.name, ast.Load(), lineno=node.lineno, end_lineno=node.lineno)
    place.col_offset = node.col_offset + len("def ")
    place.end_col_offset = place.col_offset + len(node.name.encode())
    return place


def _function(c: Context, node: ast.FunctionDef, words: set[str]) -> Function | None:
    if node.name in {"grid", "range", "schedule"}:
        c.wrong(
            _head(node),
            f"'{node.name}' is a word of the language",
            hint=c.report.mended(_head(node), f"{node.name}_2"),
        )
    if not c.dunder(node, node.name):
        _check_form(c, node)
    parameters = _parameters(c, node)
    results = _results(c, node)
    body = list(node.body)
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body.pop(0)
    before = len(c.report.mistakes)
    _lines(c, body, parameters)
    if not ends(body):
        if len(c.report.mistakes) == before:
            hint = f"return {_last_local(body, parameters)} on a line after it"
            c.wrong(body[-1] if body else node, f"'{node.name}' ends without a value", hint=hint)
        return None
    _check_results(c, node, results)
    return Function(node, parameters, results, tuple(body), _indices(node, words))


def _last_local(nodes: list[ast.stmt], parameters: tuple[Parameter, ...]) -> str:
    """The local that gets a value last; without one a parameter."""
    names = [x.id for s in nodes for x in ast.walk(s)
             if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)]  # fmt: skip
    return names[-1] if names else next((p.name for p in parameters), "0.0")


def _check_results(c: Context, node: ast.FunctionDef, results: tuple[DType, ...] | None) -> None:
    """Report a return of more or fewer values than are said, or than another one has."""
    returns = [x for x in ast.walk(node) if isinstance(x, ast.Return) and x.value is not None]
    returns.sort(key=lambda x: x.lineno)
    wanted = len(results) if results is not None else None
    for x in returns:
        assert x.value is not None
        number = len(returned(x))
        if results is None and wanted is not None and number != wanted:
            c.wrong(x, f"{plural(number, 'value')} returned here and {wanted} at line "
                    f"{returns[0].lineno}",
                    hint=lines.as_many_values(c, x.value, wanted))  # fmt: skip
        elif wanted is not None and number != wanted:
            c.wrong(x.value, f"{plural(number, 'value')} returned, '{node.name}' says "
                    f"{wanted}", hint=lines.as_many_values(c, x.value, wanted))  # fmt: skip
        wanted = number if wanted is None else wanted


def _indices(node: ast.FunctionDef, words: set[str]) -> dict[str, str]:
    """A name of its own for each index of a reduction; `words` grows by them."""
    targets = [x.target for x in ast.walk(node) if isinstance(x, ast.comprehension)]
    names = dict.fromkeys(x.id for x in targets if isinstance(x, ast.Name))
    return {name: fresh_name(f"{node.name}_{name}", words) for name in names}


def _check_form(c: Context, node: ast.FunctionDef) -> None:
    """What stands nowhere in an inlined function."""
    for star in (node.args.vararg, node.args.kwarg, *node.args.kwonlyargs):
        if star is not None:
            place = starred(c, star)
            c.wrong(place, f"'{place.text}': a function names its parameters",
                    hint=c.report.mended(place, star.arg))  # fmt: skip
    for x in ast.walk(node):
        match x:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                c.dunder(x, name)
            case ast.Subscript(value=ast.Name(id=name)) if x is not node.returns:
                c.wrong(x, f"'{name}' in a function without arrays in its signature",
                        hint=f"its element as an argument: {node.name}({name}[i])")  # fmt: skip
            case _:
                pass


def _parameters(c: Context, node: ast.FunctionDef) -> tuple[Parameter, ...]:
    arguments = parameters_of(node)
    defaults = dict(zip([a.arg for a in arguments][::-1], node.args.defaults[::-1], strict=False))
    names: dict[str, Name] = {}
    found: list[Parameter] = []
    for a in arguments:
        if c.adding(names).clash(a, a.arg, "a parameter"):
            names[a.arg] = Broken(c.report.span(a))
            continue
        dtype = None if a.annotation is None else dtype_of(c, a.annotation)
        default = _default(c, defaults[a.arg], dtype) if a.arg in defaults else None
        found.append(Parameter(a.arg, dtype, default))
        scalar = Scalar(a.arg, dtype or F32, None, origin=c.report.origin(a))
        names[a.arg] = ScalarName(scalar, c.report.span(a))
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


Parameters = tuple[Parameter, ...]


def _lines(c: Context, nodes: list[ast.stmt], parameters: Parameters) -> None:
    """Report what is wrong with the form of lines; nothing stands behind a return."""
    for n, s in enumerate(nodes):
        _line(c, s, parameters)
        if ends([s]) and n + 1 < len(nodes):
            c.wrong(nodes[n + 1], "this line stands behind a return", hint="the return after it")


def _line(c: Context, node: ast.stmt, parameters: Parameters) -> None:
    match node:
        case ast.Assign() | ast.AugAssign() if _assigns(node):
            pass
        case ast.If():
            _check_branches(c, node, parameters)
        case ast.Return():
            if node.value is None:
                value = next((p.name for p in parameters), "0.0")
                c.wrong(node, "a return without a value", hint=f"return {value}")
        case ast.For():
            _loop(c, node, parameters)
        case ast.AnnAssign(target=ast.Name(id=name)):
            dtype, value = c.report.text(node.annotation), "0.0"
            value = "0.0" if node.value is None else c.report.text(node.value)
            c.wrong(node, f"'{name}': locals of a function have no annotation",
                    hint=f"{name} = {dtype}({value})")  # fmt: skip
        case ast.While():
            _loop_body(c, node, parameters)
        case _:
            refuse.statement(c, node)


def _assigns(node: ast.Assign | ast.AugAssign) -> bool:
    """Whether it gives values to locals."""
    match node:
        case ast.Assign(targets=[ast.Name()]):
            return True
        case ast.Assign(targets=[ast.Tuple(elts=names)]):
            return all(isinstance(x, ast.Name) for x in names)
        case ast.AugAssign(target=ast.Name()):
            return type(node.op) in OPERATIONS
        case _:
            return False


def _check_branches(c: Context, node: ast.If, parameters: Parameters) -> None:
    """An `if` that returns does so on every way through one branch: lines behind are read once."""
    for branch in (node.body, node.orelse):
        _lines(c, branch, parameters)
    found = first_return([node])
    if found is not None and not (ends(node.body) or ends(node.orelse)):
        c.wrong(found, "a return here, while both branches of the 'if' around it may go on",
                hint="else: return ... in the inner 'if'")  # fmt: skip


def _loop(c: Context, node: ast.For, parameters: Parameters) -> None:
    """A loop of numbers is written out where the function is called; another one is run."""
    if not isinstance(node.target, ast.Name):
        refuse.loop_target(c, node.target)
    _loop_body(c, node, parameters)


def _loop_body(c: Context, node: ast.For | ast.While, parameters: Parameters) -> None:
    if node.orelse:
        refuse.loop_else(c, node)
    _lines(c, node.body, parameters)
    if (found := first_return(node.body)) is not None:
        c.wrong(
            found,
            "'return' inside a loop is not there yet",
            hint="a local that the loop computes, returned after it",
        )


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
