"""Kernels: the body of a function becomes a graph, statement by statement."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workbench.base.source import Origin, Span
from workbench.ir.expr import Expr, loads
from workbench.ir.graph import Array, Definition, Graph, Repeat, defined
from workbench.lang import blocks, refuse
from workbench.lang.bounds import check_bounds
from workbench.lang.cover import check_writes
from workbench.lang.equations import equation, written_out
from workbench.lang.expressions import condition, expression
from workbench.lang.extents import Declared, same, shape_text
from workbench.lang.inline import Part
from workbench.lang.names import ArrayName, Broken, Context, Index, Name
from workbench.lang.private import private_arrays
from workbench.lang.reductions import bounds_of
from workbench.lang.signature import Signature, declared, parameters_of, signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.lang.names import Callee
    from workbench.lang.report import Report


@dataclass(slots=True)
class _Draft:
    """A kernel while it is read: names, declarations and definitions grow line by line."""

    start: Context
    names: dict[str, Name]
    declared: dict[str, Declared]
    facts: list[Expr] = field(default_factory=list[Expr])
    definitions: list[Definition] = field(default_factory=list[Definition])

    @property
    def context(self) -> Context:
        """The names known at this line."""
        return self.start.adding(self.names)


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
    draft = _Draft(c, dict(read.names), {})
    _declare_results(draft, returned, read)
    _facts(draft, body)
    for statement in body:
        _statement(draft, statement)
    outputs = tuple(x.id for x in returned)
    _check_outputs(draft, returned)
    if len(report.mistakes) > before:
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


def _declare_results(draft: _Draft, returned: list[ast.Name], read: Signature) -> None:
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


def _facts(draft: _Draft, body: list[ast.stmt]) -> None:
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


def _statement(draft: _Draft, node: ast.stmt) -> None:
    match node:
        case ast.Assign(targets=[target]):
            _assign(draft, node, target)
        case ast.AnnAssign(target=ast.Name() as target):
            _annotated(draft, node, target)
        case ast.AugAssign(target=ast.Subscript(value=ast.Name()) | ast.Name() as target):
            _update(draft, node, target)
        case ast.For():
            _for(draft, node)
        case ast.Assert():
            draft.context.wrong(node, "facts stand at the top of a kernel", hint="the line first")
        case ast.Return():
            draft.context.wrong(node, "'return' is the last line of a kernel", hint="return y")
        case ast.Assign():
            draft.context.wrong(node, "one equation defines one array", hint="a line for each")
        case _:
            refuse.statement(draft.context, node)
            _break(draft, node)


def _break(draft: _Draft, node: ast.stmt) -> None:
    """The names that a refused statement would define are not reported again."""
    for x in ast.walk(node):
        if isinstance(x, ast.Name | ast.Subscript) and isinstance(x.ctx, ast.Store):
            name = x.value if isinstance(x, ast.Subscript) else x
            if isinstance(name, ast.Name):
                draft.names.setdefault(name.id, Broken(draft.start.report.span(x)))


def _update(draft: _Draft, node: ast.AugAssign, target: ast.Subscript | ast.Name) -> None:
    """`C[i, j] += e`."""
    name = target.id if isinstance(target, ast.Name) else ast.unparse(target.value)
    if name not in draft.names and not draft.context.dunder(target, name):
        place = draft.context.report.text(target)
        hint = f"{place} = 0 on a line before it"
        draft.context.wrong(target, f"'{name}' has no values to update yet", hint=hint)
        draft.names[name] = Broken(draft.start.report.span(target))
        return
    _assign(draft, written_out(node, target), target)


def _assign(draft: _Draft, node: ast.Assign, target: ast.expr) -> None:
    c = draft.context
    match target:
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            old = draft.names.get(name)
            said = draft.declared.get(name)
            if isinstance(old, ArrayName) and not old.blocked:
                said = Declared(old.array.dtype, old.array.shape, old.span)
            elif _taken(draft, target, name):
                draft.names[name] = draft.names.get(name, Broken(c.report.span(target)))
                return
            found = equation(c, node, target, said)
            _define(draft, name, target, found)
        case ast.Tuple(elts=targets) if isinstance(node.value, ast.Call):
            _assign_parts(draft, targets, node.value)
        case ast.Tuple():
            c.wrong(target, "one equation defines one array", hint="a line for each")
            _break(draft, node)
        case _:
            text = c.report.text(target)
            c.wrong(target, f"'{text}' cannot be defined", hint="y[i] = ...")


def _assign_parts(draft: _Draft, targets: list[ast.expr], call: ast.Call) -> None:
    """`a[i], b[i] = f(x[i])`: an equation for each value, none of which reads the others."""
    c = draft.context
    found: list[tuple[str, ast.expr, Definition | None]] = []
    for target, value in zip(targets, Part.of(call, len(targets)), strict=True):
        match target:
            case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
                line = ast.copy_location(ast.Assign([target], value), call)
                if any(name == other for other, _, _ in found):
                    c.wrong(target, f"'{name}' stands twice on the left", hint="a[i], b[i] = ...")
                elif isinstance(draft.names.get(name), ArrayName):
                    refuse.update(c, line, name)
                elif not _taken(draft, target, name):
                    said = draft.declared.get(name)
                    found.append((name, target, equation(c, line, target, said)))
                else:
                    draft.names.setdefault(name, Broken(c.report.span(target)))
            case _:
                text = c.report.text(target)
                c.wrong(target, f"'{text}' cannot be defined", hint="a[i], b[i] = ...")
    for name, target, definition in found:
        _define(draft, name, target, definition)


def _taken(draft: _Draft, target: ast.expr, name: str) -> bool:
    """Report a target whose name stands for something already."""
    c = draft.context
    old = draft.names.get(name)
    if isinstance(old, Broken):
        return True
    place = target.value if isinstance(target, ast.Subscript) else target
    return c.clash(place, name, "an array")


def _define(draft: _Draft, name: str, place: ast.expr, found: Definition | None) -> None:
    span = draft.start.report.span(place)
    if found is None:
        draft.names[name] = Broken(span)
        return
    draft.definitions.append(found)
    for array in defined(found):
        origin = array.origin.nearest_span()
        draft.names[array.name] = ArrayName(array, span if origin is None else origin)


def _annotated(draft: _Draft, node: ast.AnnAssign, target: ast.Name) -> None:
    """`T: f32[M, N]` declares; `s: f32 = ...` is an equation without axes."""
    c = draft.context
    if _taken(draft, target, target.id):
        return
    said = declared(c, node.annotation)
    if said is None:
        return
    old = draft.declared.get(target.id)
    if old is not None and not _agree(old, said):
        c.wrong(
            node.annotation,
            f"'{target.id}' is {shape_text(said.dtype, said.shape)} here and "
            f"{shape_text(old.dtype, old.shape)} in the signature",
            hint=f"{target.id}: {shape_text(old.dtype, old.shape)}",
        )
        return
    draft.declared[target.id] = said
    if node.value is None:
        return
    if said.shape:
        refuse.array_value(c, node, target.id)
        draft.names[target.id] = Broken(said.span)
        return
    line = ast.copy_location(ast.Assign([target], node.value), node)
    _define(draft, target.id, target, equation(c, line, target, said))


def _agree(a: Declared, b: Declared) -> bool:
    if a.dtype != b.dtype or len(a.shape) != len(b.shape):
        return False
    return all(same(x, y) for x, y in zip(a.shape, b.shape, strict=True))


def _for(draft: _Draft, node: ast.For) -> None:
    c = draft.context
    match node.iter:
        case ast.Call(func=ast.Name(id="grid")):
            found = blocks.block(c, node, draft.declared)
            for name, span in blocks.written(c, node).items():
                if found is None and name not in draft.names:
                    draft.names[name] = Broken(span)
            if found is not None:
                _define(draft, "", node.target, found)
                _close(draft, node, found)
        case ast.Call(func=ast.Name(id="range")):
            _repeat(draft, node)
        case _:
            c.wrong(node.iter, f"a block runs over a grid, not over '{c.report.text(node.iter)}'",
                    hint="for y, x in grid(H, W):")  # fmt: skip


def _close(draft: _Draft, node: ast.For, block: Definition) -> None:
    """The names of private arrays stay taken after their block, and cannot be read."""
    line = draft.start.report.span(node).position[0]
    for a in private_arrays(block):
        why = f"'{a.name}' is private to the block at line {line}"
        span = a.origin.nearest_span() or draft.start.report.span(node)
        draft.names[a.name] = ArrayName(a, span, why)


def _repeat(draft: _Draft, node: ast.For) -> None:
    """`for t in range(T):` around equations and blocks."""
    c = draft.context
    if node.orelse:
        c.wrong(node.orelse[0], "'else' of a loop is not part of the language", hint="if ...:")
    if not isinstance(node.target, ast.Name):
        c.wrong(node.target, "a loop binds a name", hint="for t in range(T):")
        _break(draft, node)
        return
    name, span = node.target.id, c.report.span(node.target)
    bounds = bounds_of(c, node.iter, name, expression)
    if c.clash(node.target, name, "a loop"):
        _break(draft, node)
        return
    before, outside = draft.definitions, dict(draft.names)
    draft.definitions = []
    draft.names[name] = Index(span)
    for statement in node.body:
        _statement(draft, statement)
    body, draft.definitions = tuple(draft.definitions), before
    del draft.names[name]
    for made, old in draft.names.items():
        if made not in outside and isinstance(old, ArrayName) and not old.blocked:
            draft.names[made] = replace(old, blocked=_gone(made, span))
    if bounds is not None and body:
        header = Span(span.source, c.report.span(node).start, c.report.span(node.iter).end)
        draft.definitions.append(Repeat(name, *bounds, body, origin=Origin(header)))


def _gone(name: str, loop: Span) -> str:
    return (
        f"'{name}' is new in each turn of the loop at line {loop.position[0]} and gone after it; "
        "an array defined before the loop keeps its values"
    )


def _check_outputs(draft: _Draft, returned: list[ast.Name]) -> None:
    """Each result is defined, and a returned parameter is what the signature says."""
    c = draft.context
    arrays = {
        k: n.array for k, n in draft.names.items() if isinstance(n, ArrayName) and not n.blocked
    }
    for name in returned:
        old = draft.names.get(name.id)
        if isinstance(old, Broken):
            continue
        if name.id not in arrays:
            if old is not None:
                c.wrong(name, f"'{name.id}' is not an array", hint="return y")
            elif name.id in draft.declared and not c.dunder(name, name.id):
                _never_defined(draft, name, arrays)
            continue
        if isinstance(old, ArrayName) and old.blocked:
            c.wrong(name, old.blocked, hint=f"{name.id}[i] = ... before the loop")
            continue
        _check_result(draft, name, arrays[name.id])
    for name, said in draft.declared.items():
        if name not in draft.names and name not in {x.id for x in returned}:
            c.wrong(said.span, f"'{name}' is declared and never written", hint=f"{name}[i] = ...")


def _never_defined(draft: _Draft, name: ast.Name, arrays: dict[str, Array]) -> None:
    draft.context.report.unknown(name, "array", name.id, arrays)


def _check_result(draft: _Draft, name: ast.Name, array: Array) -> None:
    said = draft.declared.get(name.id)
    if said is None:
        return
    have = Declared(array.dtype, array.shape, said.span)
    if not _agree(said, have):
        draft.context.wrong(
            name,
            f"'{name.id}' is {shape_text(array.dtype, array.shape)}, the signature returns "
            f"{shape_text(said.dtype, said.shape)}",
            hint=f"-> {shape_text(array.dtype, array.shape)}",
        )
