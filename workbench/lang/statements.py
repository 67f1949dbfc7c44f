"""The lines of a kernel: equations, declarations, blocks, time loops, calls of kernels."""

from __future__ import annotations

import ast
from dataclasses import replace

from workbench.base.dtypes import I32
from workbench.base.source import Origin, Span
from workbench.ir.expr import (
    Cast,
    Expr,
    Range,
    Var,
    apply,
    integer,
    is_arithmetic,
    loads,
    walk,
)
from workbench.ir.graph import Array, Axis, Definition, Equation, Repeat
from workbench.lang import block_lines, blocks, lines, refuse
from workbench.lang.called import assign_parts, call_of_kernel, is_kernel_call
from workbench.lang.draft import Draft, agree, break_names, define, has_values, taken
from workbench.lang.equations import equation, value_of, written_out
from workbench.lang.expressions import condition, expression
from workbench.lang.extents import Declared, shape_text
from workbench.lang.names import ArrayName, Broken, Context, Index, Name, ScalarName
from workbench.lang.points import is_point, point
from workbench.lang.private import private_arrays
from workbench.lang.reductions import Bounds, bounds_of
from workbench.lang.signature import declared
from workbench.passes.names import fresh_name


def statement(draft: Draft, node: ast.stmt) -> None:
    """One line of a kernel; what is wrong is reported."""
    match node:
        case ast.Assign(targets=[target]):
            _assign(draft, node, target)
        case ast.AnnAssign(target=ast.Name() as target):
            _annotated(draft, node, target)
        case ast.AugAssign(target=ast.Subscript(value=ast.Name()) | ast.Name() as target):
            _update(draft, node, target)
        case ast.For():
            _for(draft, node)
        case ast.If():
            _if(draft, node)
        case ast.Assert():
            hint = f"{draft.context.report.text(node)} as the first line"
            draft.context.wrong(node, "facts stand at the top of a kernel", hint=hint)
        case ast.Return():
            hint = "no line here; a value for each case: a if c else b"
            draft.context.wrong(node, "'return' is the last line of a kernel", hint=hint)
        case ast.Assign(targets, value):
            draft.context.wrong(node, "one equation defines one array",
                                hint=lines.one_each(draft.context, targets, value))  # fmt: skip
            break_names(draft, node)
        case _:
            refuse.statement(draft.context, node)
            break_names(draft, node)


def _update(draft: Draft, node: ast.AugAssign, target: ast.Subscript | ast.Name) -> None:
    """`C[i, j] += e`."""
    name = target.id if isinstance(target, ast.Name) else ast.unparse(target.value)
    if name not in draft.names and not draft.context.dunder(target, name):
        c = draft.context
        hint = f"{c.report.text(target)} = 0 on a line before it"
        if name not in draft.declared and isinstance(target, ast.Subscript):
            said = lines.declaration(c, target, node.value, {})
            hint = f"{said} = 0 on a line before it"
        c.wrong(target, f"'{name}' has no values to update yet", hint=hint)
        draft.names[name] = Broken(draft.start.report.span(target))
        return
    _assign(draft, written_out(node, target), target)


def _assign(draft: Draft, node: ast.Assign, target: ast.expr) -> None:
    c = draft.context
    if is_kernel_call(c, node.value) and not isinstance(target, ast.Subscript):
        assert isinstance(node.value, ast.Call)
        call_of_kernel(draft, node, target, node.value)
        return
    match target:
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            old = draft.names.get(name)
            said = draft.declared.get(name)
            if isinstance(old, ArrayName) and not old.blocked:
                said = Declared(old.array.dtype, old.array.shape, old.span)
            elif taken(draft, target, name):
                draft.names[name] = draft.names.get(name, Broken(c.report.span(target)))
                return
            if isinstance(target, ast.Subscript) and is_point(c, target):
                _point(draft, node, target, said)
                return
            found = equation(c, node, target, said)
            define(draft, name, target, found)
        case ast.Tuple(elts=targets) if isinstance(node.value, ast.Call):
            assign_parts(draft, targets, node.value)
        case ast.Tuple() | ast.List():
            hint = lines.one_by_one(c, target, node.value)
            c.wrong(target, "one equation defines one array", hint=hint)
            break_names(draft, node)
        case ast.Subscript(value=ast.Subscript()):
            hint = c.report.mended(target, lines.joined_indices(c, target))
            c.wrong(target, "an element has no indices of its own", hint=hint)
        case _:
            text = c.report.text(target)
            c.wrong(target, f"'{text}' cannot be defined", hint="an array on the left: y[i] = ...")


def _point(draft: Draft, node: ast.Assign, target: ast.Subscript, said: Declared | None) -> None:
    """`c[k] = ...`: one point of an array that is defined or declared."""
    assert isinstance(target.value, ast.Name)
    name = target.value.id
    if said is None:
        hint = f"{lines.declaration(draft.context, target, node.value, {})} on a line before it"
        draft.context.wrong(target, f"'{name}' is written in parts and has no type", hint=hint)
        draft.names[name] = Broken(draft.start.report.span(target))
        return
    fresh = fresh_name(f"{name}_new", {*draft.words, *draft.names})
    c = draft.context
    if _named_like_an_index(draft, node, target):
        draft.names[name] = Broken(c.report.span(target))
        return
    if not has_values(draft, name):
        c = c.adding({name: ArrayName(Array(name, said.dtype, said.shape), said.span)})
    found = point(c, node, target, said, draft.here, fresh)
    if found is None and not has_values(draft, name):
        draft.names[name] = Broken(draft.start.report.span(target))
    for d in found or ():
        define(draft, name, target, d)


def _named_like_an_index(draft: Draft, node: ast.Assign, target: ast.Subscript) -> bool:
    """Report `y[i] = ...` for a result without values where `i` is a scalar parameter."""
    c = draft.context
    assert isinstance(target.value, ast.Name)
    name = target.value.id
    if name not in draft.results or has_values(draft, name):
        return False
    for part in lines.each(target.slice):
        old = c.names.get(part.id) if isinstance(part, ast.Name) else None
        if isinstance(part, ast.Name) and isinstance(old, ScalarName):
            new = {part.id: c.another(part.id, "an index")}
            left = lines.with_names(c.report.text(target), new)
            right = lines.with_names(c.report.text(node.value), new)
            line = old.span.position[0]
            c.wrong(part, f"'{part.id}' is a scalar parameter (line {line}), no free index, and "
                    f"'{name}' has no other values", hint=f"{left} = {right}")  # fmt: skip
            return True
    return False


def _annotated(draft: Draft, node: ast.AnnAssign, target: ast.Name) -> None:
    """`T: f32[M, N]` declares; `s: f32 = ...` is an equation without axes."""
    c = draft.context
    if has_values(draft, target.id) and not c.dunder(target, target.id):
        _defined_already(draft, node, target)
        return
    if taken(draft, target, target.id):
        return
    said = declared(c, node.annotation)
    if said is None:
        return
    old = draft.declared.get(target.id)
    if old is not None and not agree(old, said):
        c.wrong(
            node.annotation,
            f"'{target.id}' is {shape_text(said.dtype, said.shape)} here and "
            f"{shape_text(old.dtype, old.shape)} in the signature",
            hint=c.report.mended(node.annotation, shape_text(old.dtype, old.shape)),
        )
        return
    draft.declared[target.id] = said
    if node.value is None:
        return
    if said.shape:
        define(draft, target.id, target, _filled(draft, node.value, target, said))
        return
    line = ast.copy_location(ast.Assign([target], node.value), node)
    define(draft, target.id, target, equation(c, line, target, said))


def _defined_already(draft: Draft, node: ast.AnnAssign, target: ast.Name) -> None:
    """`x: f32[N] = 1` where `x` has values: a parameter, or an array of a line before."""
    old = draft.names[target.id]
    assert isinstance(old, ArrayName)
    c, shape = draft.context, old.array.shape
    line, _ = old.span.position
    place = lines.indexed(target.id, c.free(len(shape)))
    value = place if node.value is None else c.report.text(node.value)
    said = shape_text(old.array.dtype, shape)
    c.wrong(target, f"'{target.id}' is {said} with values since line {line}, a declaration makes "
            "a new array", hint=f"{place} = {value}")  # fmt: skip


def _filled(draft: Draft, node: ast.expr, target: ast.Name, said: Declared) -> Definition | None:
    """`h: i32[256] = 0`: every element has this value."""
    c = draft.context
    value = value_of(c, node, said, target.id)
    if value is None:
        return None
    used = {*draft.words, *draft.names}
    place = c.report.origin(target)
    axes = tuple(
        Axis(fresh_name(f"{target.id}_{n}", used), extent, origin=place)
        for n, extent in enumerate(said.shape)
    )
    return Equation(target.id, said.dtype, axes, value, origin=c.report.origin(node), place=place)


def _for(draft: Draft, node: ast.For) -> None:
    c = draft.context
    match node.iter:
        case ast.Call(func=ast.Name(id="grid")):
            found = blocks.block(c, node, draft.declared)
            for name, span in blocks.written(c, node).items():
                if found is None and name not in draft.names:
                    draft.names[name] = Broken(span)
            if found is None:
                break_names(draft, node)
            else:
                define(draft, "", node.target, found)
                _close(draft, node, found)
        case ast.Call(func=ast.Name(id="range")):
            _repeat(draft, node)
        case _:
            c.wrong(node.iter, f"a block runs over a grid, not over '{c.report.text(node.iter)}'",
                    hint=block_lines.over_items(c, node, "grid"))  # fmt: skip
            break_names(draft, node)


def _close(draft: Draft, node: ast.For, block: Definition) -> None:
    """The names of private arrays stay taken after their block, and cannot be read."""
    line = draft.start.report.span(node).position[0]
    for a in private_arrays(block):
        why = f"'{a.name}' is private to the block at line {line}"
        span = a.origin.nearest_span() or draft.start.report.span(node)
        remedy = "an array of the kernel that the block writes: y[i] = ..."
        draft.names[a.name] = ArrayName(a, span, why, remedy)


def _repeat(draft: Draft, node: ast.For) -> None:
    """`for t in range(T):` around equations and blocks."""
    c = draft.context
    if node.orelse:
        refuse.loop_else(c, node)
    if not isinstance(node.target, ast.Name):
        refuse.loop_target(c, node.target)
        break_names(draft, node)
        return
    name, span = node.target.id, c.report.span(node.target)
    bounds = bounds_of(c, node.iter, node.target, expression)
    if bounds is not None and _moves(bounds):
        refuse.moving_start(c, node.iter, "numbers")
    if c.clash(node.target, name, "a loop"):
        break_names(draft, node)
        return
    index = Index(span) if bounds is None else bounds.index
    over = None if bounds is None else Range(name, bounds.start, bounds.stop)
    body = _turns(draft, node.body, over, {name: index}, gone=_gone(span), line=span.position[0])
    if over is not None and body:
        header = Span(span.source, c.report.span(node).start, c.report.span(node.iter).end)
        draft.definitions.append(Repeat(name, over.start, over.stop, body, origin=Origin(header)))


def _turns(
    draft: Draft,
    nodes: list[ast.stmt],
    over: Range | None,
    names: dict[str, Name],
    *,
    gone: str,
    line: int,
) -> tuple[Definition, ...]:
    """What lines define that run several times; the arrays that only they define are `gone`.

    `line` is where the loop begins.
    """
    before, outside = draft.definitions, {*draft.names, *draft.declared}
    around = draft.turns
    draft.definitions = []
    draft.names |= names
    draft.turns = around if over is None else (*around, over)
    for inner in nodes:
        statement(draft, inner)
    draft.turns = around
    body, draft.definitions = tuple(draft.definitions), before
    for name in names:
        del draft.names[name]
    for made, old in draft.names.items():
        if made not in outside and isinstance(old, ArrayName) and not old.blocked:
            said = shape_text(old.array.dtype, old.array.shape)
            remedy = f"{made}: {said} = {lines.zero(old.array.dtype)} on a line before line {line}"
            draft.names[made] = replace(old, blocked=f"'{made}' {gone}", remedy=remedy)
    return body


def _if(draft: Draft, node: ast.If) -> None:
    """`if t % 2 == 0:` around equations and blocks: a loop of one turn or none."""
    c = draft.context
    test = condition(c, node.test)
    if test is not None and not _known(test):
        c.wrong(
            node.test,
            f"'{c.report.text(node.test)}' decides about whole lines, so it is made of dims, "
            "i32 parameters and the turns of loops around",
            hint=_chosen(c, node),
        )
        test = None
    if test is None:
        break_names(draft, node)
        return
    origin = c.report.origin(node.test)
    span = c.report.span(node)
    line = span.position[0]
    gone = (
        f"is defined in a branch of the 'if' at line {line} and gone after it; "
        "an array defined before the 'if' keeps its values"
    )
    for branch, holds in ((node.body, test), (node.orelse, apply("not", test, origin=origin))):
        name = fresh_name("once", {*draft.words, *draft.names})
        over = Range(name, integer(0, origin=origin), Cast(I32, holds, origin=origin))
        index = Index(span, said=False)
        body = _turns(draft, branch, over, {name: index}, gone=gone, line=line)
        if body:
            header = Span(span.source, span.start, c.report.span(node.test).end)
            draft.definitions.append(
                Repeat(name, over.start, over.stop, body, origin=Origin(header))
            )


def _chosen(c: Context, node: ast.If) -> str:
    """The first equation under an `if` with the condition in it."""
    target, value = "y[i]", "..."
    match node.body[0]:
        case ast.Assign(targets=[ast.Subscript() | ast.Name() as left], value=right):
            target, value = c.report.text(left), c.report.text(right)
        case _:
            pass
    return f"{target} = {value} if {c.report.text(node.test)} else {target}"


def _known(test: Expr) -> bool:
    """Whether a condition is known before anything runs."""
    names = all(x.dtype is I32 for x in walk(test) if isinstance(x, Var))
    return names and is_arithmetic(test)


def _moves(bounds: Bounds) -> bool:
    """Whether the first value of a loop with a step may change while it runs."""
    return bounds.first is not None and next(loads(bounds.first), None) is not None


def _gone(loop: Span) -> str:
    return (
        f"is new in each turn of the loop at line {loop.position[0]} and gone after it; "
        "an array defined before the loop keeps its values"
    )
