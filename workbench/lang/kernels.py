"""Kernels: the body of a function becomes a graph, statement by statement."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.ir.expr import loads
from workbench.ir.graph import Array, Graph
from workbench.lang import lines, rewrites
from workbench.lang.bounds import check_bounds
from workbench.lang.cover import check_writes
from workbench.lang.draft import Draft, agree
from workbench.lang.expressions import condition
from workbench.lang.extents import Declared, shape_text
from workbench.lang.names import ArrayName, Broken, Context, Dim
from workbench.lang.signature import Signature, parameters_of, signature
from workbench.lang.statements import statement
from workbench.lang.values import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    returned = _returned(c.adding(read.names), node, body)
    words = frozenset(x.id for x in ast.walk(node) if isinstance(x, ast.Name))
    draft = Draft(c, dict(read.names), {}, words, frozenset(x.id for x in returned))
    _declare_results(draft, node, returned, read)
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
        hint = f"return {_last_defined(node)} on a line after it"
        c.wrong(last, f"'{node.name}' ends without a return", hint=hint)
        return []
    value = body.pop()
    assert isinstance(value, ast.Return)
    if value.value is None:
        c.wrong(value, "'return' names what it returns", hint=f"return {_last_defined(node)}")
        return []
    parts = list(value.value.elts) if isinstance(value.value, ast.Tuple) else [value.value]
    names: list[ast.Name] = []
    for part in parts:
        match part:
            case ast.Name():
                names.append(part)
            case ast.Subscript(value=ast.Name(id=name)):
                c.wrong(part, "'return' names whole arrays", hint=c.report.mended(part, name))
            case _:
                c.wrong(part, "'return' names arrays, it does not compute them",
                        hint=_computed(c, node, part))  # fmt: skip
    return names if len(names) == len(parts) else []


def _last_defined(node: ast.FunctionDef) -> str:
    """The array or the local that a line gives a value last; else the first parameter."""
    inside = [x for s in node.body for x in ast.walk(s)]
    found = [x for x in inside if isinstance(x, ast.Name | ast.Subscript)]
    stored = [x for x in found if isinstance(x.ctx, ast.Store)]
    names = [x.value if isinstance(x, ast.Subscript) else x for x in stored]
    plain = [x.id for x in names if isinstance(x, ast.Name)]
    return plain[-1] if plain else next((a.arg for a in parameters_of(node)), "y")


def _computed(c: Context, node: ast.FunctionDef, part: ast.expr) -> str:
    """The equation for a value that is returned, and the line that returns its array."""
    used = {x.id for x in ast.walk(node) if isinstance(x, ast.Name)} | {*c.names}
    name = next((x for x in ("y", "z", "w", "r") if x not in used), c.another("result"))
    if isinstance(part, ast.BinOp) and isinstance(part.op, ast.MatMult):
        line = rewrites.product(c, name, part.left, part.right)
    else:
        line = rewrites.equation(c, name, part)
    after = c.report.mended(part, name)
    return f"an equation, and its array: {after}" if line is None else f"{line}\n{after}"


def _declare_results(
    draft: Draft, node: ast.FunctionDef, returned: list[ast.Name], read: Signature
) -> None:
    """The return annotation declares the arrays that the last line names."""
    if read.results is None and node.returns is not None:
        for name in returned:
            draft.names.setdefault(name.id, Broken(draft.context.report.span(name)))
    if read.results is None or not returned:
        return
    if len(read.results) != len(returned):
        verb = "is" if len(returned) == 1 else "are"
        said = [shape_text(x.dtype, x.shape) for x in read.results]
        draft.context.wrong(
            returned[0],
            f"{plural(len(returned), 'array')} {verb} returned, the signature says "
            f"{len(read.results)}",
            hint=_arrow([*said, *[said[-1]] * len(returned)][: len(returned)]),
        )
        return
    for name, said in zip(returned, read.results, strict=True):
        old = draft.declared.get(name.id)
        if old is not None and (old.dtype, old.shape) != (said.dtype, said.shape):
            same = [
                draft.declared.get(x.id, r) for x, r in zip(returned, read.results, strict=True)
            ]
            draft.context.wrong(
                name, f"'{name.id}' is returned twice, once as {shape_text(old.dtype, old.shape)} "
                f"and once as {shape_text(said.dtype, said.shape)}",
                hint=_arrow([shape_text(x.dtype, x.shape) for x in same]),
            )  # fmt: skip
        draft.declared.setdefault(name.id, said)


def _arrow(types: Sequence[str]) -> str:
    """The result of a signature."""
    return f"-> {types[0]}" if len(types) == 1 else f"-> ({', '.join(types)})"


def _facts(draft: Draft, body: list[ast.stmt]) -> None:
    """The leading asserts, taken off the body."""
    while body and isinstance(body[0], ast.Assert):
        node = body.pop(0)
        assert isinstance(node, ast.Assert)
        fact = condition(draft.context, node.test)
        if fact is not None and next(loads(fact), None) is not None:
            dim = next((k for k, n in draft.names.items() if isinstance(n, Dim)), "1")
            draft.context.wrong(node, "a fact is about dims and scalars, not elements",
                                hint=f"assert {dim} > 0")  # fmt: skip
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
            c.wrong(name, old.blocked, hint=old.remedy)
        elif name.id in arrays:
            _check_result(draft, name, arrays[name.id], returned)
        elif old is not None:
            array = c.another("y")
            hint = f"{array} = {name.id}\n{c.report.mended(name, array)}"
            c.wrong(name, f"'{name.id}' is not an array", hint=hint)
        elif name.id in draft.declared and not c.dunder(name, name.id):
            _never_defined(draft, name, arrays)
    for name, said in draft.declared.items():
        if name not in draft.names and name not in {x.id for x in returned}:
            _never_written(c, name, said)


def _never_written(c: Context, name: str, said: Declared) -> None:
    """`z: f32[N]` and no line that gives it values."""
    start = said.span.source.text.rfind(name, 0, said.span.start)
    place = replace(said.span, start=start, end=start + len(name))
    element = lines.indexed(name, c.free(len(said.shape)))
    hint = f"{element} = {lines.zero(said.dtype)} on a line after it"
    c.wrong(place, f"'{name}' is declared and never written", hint=hint)


def _never_defined(draft: Draft, name: ast.Name, arrays: dict[str, Array]) -> None:
    c = draft.context
    defined = [k for k, n in draft.names.items() if isinstance(n, ArrayName | Broken)]
    last = defined[-1] if defined else ""
    hint = c.report.mended(name, last) if last else ""
    c.report.unknown(name, "array", name.id, arrays, hint=hint)


def _check_result(draft: Draft, name: ast.Name, array: Array, returned: Sequence[ast.Name]) -> None:
    said = draft.declared.get(name.id)
    if said is None:
        return
    have = Declared(array.dtype, array.shape, said.span)
    if not agree(said, have):
        draft.context.wrong(
            name,
            f"'{name.id}' is {shape_text(array.dtype, array.shape)}, the signature returns "
            f"{shape_text(said.dtype, said.shape)}",
            hint=_arrow([_type_of(draft, x.id) for x in returned]),
        )


def _type_of(draft: Draft, name: str) -> str:
    """The type of an array that has one; else what the signature says."""
    old = draft.names.get(name)
    if isinstance(old, ArrayName):
        return shape_text(old.array.dtype, old.array.shape)
    said = draft.declared.get(name)
    return "f32" if said is None else shape_text(said.dtype, said.shape)
