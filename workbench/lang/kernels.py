"""Kernels: the body of a function becomes a graph, statement by statement."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.ir.expr import loads
from workbench.ir.graph import Array, Graph
from workbench.lang.bounds import check_bounds
from workbench.lang.cover import check_writes
from workbench.lang.draft import Draft, agree
from workbench.lang.expressions import condition
from workbench.lang.extents import Declared, shape_text
from workbench.lang.names import ArrayName, Broken, Context
from workbench.lang.signature import Signature, parameters_of, signature
from workbench.lang.statements import statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.lang.names import Callee
    from workbench.lang.report import Report


def kernel(report: Report, node: ast.FunctionDef, functions: Mapping[str, Callee]) -> Graph | None:
    """The graph of a kernel; None where something is wrong (and reported).

    `functions` are the other functions of the text by name.
    """
    before = len(report.mistakes)
    c = Context(report, {}, functions=functions)
    if c.dunder(node, node.name):
        return None
    read = signature(c, node)
    body = list(node.body)
    doc = _docstring(body)
    returned = _returned(c, node, body)
    words = frozenset(x.id for x in ast.walk(node) if isinstance(x, ast.Name))
    draft = Draft(c, dict(read.names), {}, words)
    _declare_results(draft, returned, read)
    _facts(draft, body)
    for line in body:
        statement(draft, line)
    outputs = tuple(x.id for x in returned)
    _check_outputs(draft, returned)
    broken = any(isinstance(draft.names.get(o), Broken) for o in outputs)
    if broken or len(report.mistakes) > before:
        return None
    graph = Graph(
        node.name, read.dims, read.inputs, read.scalars, tuple(draft.facts),
        tuple(draft.definitions), outputs, doc, tuple(a.arg for a in parameters_of(node)),
        origin=report.origin(node),
    )  # fmt: skip
    graph = check_bounds(report, graph)
    graph = check_writes(report, graph)
    return None if len(report.mistakes) > before else graph


def _docstring(body: list[ast.stmt]) -> str:
    match body:
        case [ast.Expr(value=ast.Constant(value=str(text))), *_]:
            body.pop(0)
            return text
        case _:
            return ""


def _returned(c: Context, node: ast.FunctionDef, body: list[ast.stmt]) -> list[ast.Name]:
    """The names that the last line returns; the line is taken off the body."""
    if not body or not isinstance(body[-1], ast.Return):
        last = body[-1] if body else node
        c.wrong(last, f"'{node.name}' ends without a return", hint="return y")
        return []
    value = body.pop()
    assert isinstance(value, ast.Return)
    if value.value is None:
        c.wrong(value, "'return' names what it returns", hint="return y")
        return []
    parts = list(value.value.elts) if isinstance(value.value, ast.Tuple) else [value.value]
    names: list[ast.Name] = []
    for part in parts:
        match part:
            case ast.Name():
                names.append(part)
            case ast.Subscript(value=ast.Name(id=name)):
                c.wrong(part, "'return' names whole arrays", hint=f"return {name}")
            case _:
                c.wrong(part, "'return' names arrays, it does not compute them",
                        hint=f"y[i] = {c.report.text(part)} and then return y")  # fmt: skip
    return names if len(names) == len(parts) else []


def _declare_results(draft: Draft, returned: list[ast.Name], read: Signature) -> None:
    """The return annotation declares the arrays that the last line names."""
    if read.results is None or not returned:
        return
    if len(read.results) != len(returned):
        draft.context.wrong(
            returned[0],
            f"{len(returned)} arrays are returned, the signature says {len(read.results)}",
            hint="as many names after 'return' as results after '->'",
        )
        return
    for name, said in zip(returned, read.results, strict=True):
        old = draft.declared.get(name.id)
        if old is not None and (old.dtype, old.shape) != (said.dtype, said.shape):
            draft.context.wrong(
                name, f"'{name.id}' is returned twice, once as {shape_text(old.dtype, old.shape)} "
                f"and once as {shape_text(said.dtype, said.shape)}",
            )  # fmt: skip
        draft.declared[name.id] = said


def _facts(draft: Draft, body: list[ast.stmt]) -> None:
    """The leading asserts, taken off the body."""
    while body and isinstance(body[0], ast.Assert):
        node = body.pop(0)
        assert isinstance(node, ast.Assert)
        fact = condition(draft.context, node.test)
        if fact is not None and next(loads(fact), None) is not None:
            hint = "assert N > 0"
            draft.context.wrong(node, "a fact is about dims and scalars, not elements", hint=hint)
        elif fact is not None:
            draft.facts.append(fact)


def _check_outputs(draft: Draft, returned: list[ast.Name]) -> None:
    """Each result is defined, and a returned parameter is what the signature says."""
    c = draft.context
    arrays = {
        k: n.array for k, n in draft.names.items() if isinstance(n, ArrayName) and not n.blocked
    }
    for name in returned:
        old = draft.names.get(name.id)
        if isinstance(old, Broken):
            continue
        if isinstance(old, ArrayName) and old.blocked:
            c.wrong(name, old.blocked)
        elif name.id in arrays:
            _check_result(draft, name, arrays[name.id])
        elif old is not None:
            c.wrong(name, f"'{name.id}' is not an array", hint="return y")
        elif name.id in draft.declared and not c.dunder(name, name.id):
            _never_defined(draft, name, arrays)
    for name, said in draft.declared.items():
        if name not in draft.names and name not in {x.id for x in returned}:
            c.wrong(said.span, f"'{name}' is declared and never written", hint=f"{name}[i] = ...")


def _never_defined(draft: Draft, name: ast.Name, arrays: dict[str, Array]) -> None:
    draft.context.report.unknown(name, "array", name.id, arrays)


def _check_result(draft: Draft, name: ast.Name, array: Array) -> None:
    said = draft.declared.get(name.id)
    if said is None:
        return
    have = Declared(array.dtype, array.shape, said.span)
    if not agree(said, have):
        draft.context.wrong(
            name,
            f"'{name.id}' is {shape_text(array.dtype, array.shape)}, the signature returns "
            f"{shape_text(said.dtype, said.shape)}",
            hint=f"-> {shape_text(array.dtype, array.shape)}",
        )
