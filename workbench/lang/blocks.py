"""Loop blocks: `for y, x in grid(H, W):` with scalars, serial loops, `if` and `while` inside."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.source import Origin, Span
from workbench.ir.expr import Expr, free_names, integer, is_arithmetic, loads
from workbench.ir.graph import Array, Block
from workbench.ir.stmt import Body, Break, Continue, For, If, LoopKind, Stmt, While
from workbench.lang import block_lines, lines, refuse
from workbench.lang.assignments import annotated, assign, augmented
from workbench.lang.expressions import condition, expression
from workbench.lang.extents import Declared
from workbench.lang.flow import Flow, breaking
from workbench.lang.locals import declare
from workbench.lang.named import written_out
from workbench.lang.names import ArrayName, Broken, Context, Index, Name
from workbench.lang.private import check_written, private_names
from workbench.lang.reductions import bounds_of
from workbench.lang.values import plural, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def written(c: Context, node: ast.For) -> dict[str, Span]:
    """The arrays that a loop writes, its private ones left out, each with its first place."""
    found: dict[str, Span] = {}
    private = private_names(node)
    for x in ast.walk(node):
        match x:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()) if name not in private:
                found.setdefault(name, c.report.span(x))
            case _:
                pass
    return found


def block(c: Context, node: ast.For, declared: Mapping[str, Declared]) -> Block | None:
    """The block that a `for ... in grid(...)` says, or mistakes and None."""
    before = len(c.report.mistakes)
    arrays = _targets(c, node, declared)
    updated = {a.name: old for a in arrays if isinstance(old := c.names.get(a.name), ArrayName)}
    declared = {**declared, **{k: _as_declared(old) for k, old in updated.items()}}
    if node.orelse:
        refuse.loop_else(c, node)
    loops = _grid(c, node)
    places = written(c, node)
    names: dict[str, Name] = {a.name: ArrayName(a, places[a.name]) for a in arrays}
    names |= updated
    names |= {x.id: Broken(c.report.span(x)) for x in _names(node.target)}
    names |= {var: Index(span) for var, span, _ in loops}
    for name, span in written(c, node).items():
        names.setdefault(name, c.names.get(name, Broken(span)))
    inner = replace(c.adding(names), in_block=True)
    flow = Flow(inner, {}, declared, _variables(node), updated=frozenset(a.name for a in arrays))
    body, _ = _body(flow, node.body)
    check_written(inner, body)
    if len(c.report.mistakes) > before:
        return None
    whole_body = declare(body, {k: v.dtype for k, v in flow.scalars.items()})
    for var, span, stop in reversed(loops):
        origin = Origin(span)
        start = integer(0, origin=origin.derive("starts at 0"))
        whole_body = (For(var, start, stop, whole_body, LoopKind.PARALLEL, origin=origin),)
    return Block(whole_body, tuple(arrays), origin=_header(c, node, node.iter))


def _variables(node: ast.For) -> frozenset[str]:
    """The variables of all loops in a block."""
    targets = [x.target for x in ast.walk(node) if isinstance(x, ast.For)]
    return frozenset(n.id for t in targets for n in _names(t))


def _names(node: ast.expr) -> list[ast.Name]:
    return [n for n in ast.walk(node) if isinstance(n, ast.Name)]


def _targets(c: Context, node: ast.For, declared: Mapping[str, Declared]) -> list[Array]:
    found: list[Array] = []
    for name, span in written(c, node).items():
        old, said = c.names.get(name), declared.get(name)
        if isinstance(old, Broken):
            continue
        if isinstance(old, ArrayName) and old.blocked:
            c.wrong(span, old.blocked, hint=old.remedy)
        elif isinstance(old, ArrayName):
            found.append(replace(old.array, origin=Origin(span)))
        elif old is not None or name.startswith("__"):
            c.clash(span, name, "an array")
        elif said is None:
            hint = f"{_declaration(c, node, name)} on a line before the block"
            c.wrong(span, f"'{name}' is written in a block and has no type", hint=hint)
        else:
            found.append(Array(name, said.dtype, said.shape, origin=Origin(span)))
    return found


def _declaration(c: Context, node: ast.For, name: str) -> str:
    """`T: f32[H, W]` from the first line of a block that writes the array."""
    sizes: dict[str, str] = {}
    for loop in [x for x in ast.walk(node) if isinstance(x, ast.For)]:
        stops = loop.iter.args if isinstance(loop.iter, ast.Call) else []
        if len(stops) == len(_names(loop.target)):
            sizes |= {x.id: c.report.text(e)
                      for x, e in zip(_names(loop.target), stops, strict=True)}  # fmt: skip
    for s in ast.walk(node):
        targets = s.targets if isinstance(s, ast.Assign) else []
        targets = [s.target] if isinstance(s, ast.AugAssign) else targets
        for target in targets:
            match target:
                case ast.Subscript(value=ast.Name(id=other)) if other == name:
                    value = s.value if isinstance(s, ast.Assign | ast.AugAssign) else None
                    return lines.declaration(c, target, value, sizes)
                case _:
                    pass
    return f"{name}: f32[{lines.filled(c, [None])[0]}]"


def _as_declared(name: ArrayName) -> Declared:
    return Declared(name.array.dtype, name.array.shape, name.span)


def _grid(c: Context, node: ast.For) -> list[tuple[str, Span, Expr]]:
    """The parallel loops: variable, its place, extent."""
    targets = list(node.target.elts) if isinstance(node.target, ast.Tuple) else [node.target]
    assert isinstance(node.iter, ast.Call)
    extents = [_grid_extent(c, a) for a in node.iter.args]
    if node.iter.keywords or len(extents) != len(targets) or not extents:
        c.wrong(
            node.iter,
            f"a grid has one extent per loop: {plural(len(targets), 'loop')}, "
            f"{plural(len(extents), 'extent')}",
            hint=block_lines.grid(c, node),
        )
        return []
    found: list[tuple[str, Span, Expr]] = []
    for target, extent in zip(targets, extents, strict=True):
        if not isinstance(target, ast.Name):
            c.wrong(target, "a loop binds a name", hint=block_lines.grid(c, node))
        elif any(var == target.id for var, _, _ in found):
            hint = c.report.mended(target, c.another(target.id, "an index"))
            c.wrong(target, f"'{target.id}' names two loops of one grid", hint=hint)
        elif not c.clash(target, target.id, "a loop") and extent is not None:
            found.append((target.id, c.report.span(target), extent))
    return found


def _grid_extent(c: Context, node: ast.expr) -> Expr | None:
    v = expression(c, node)
    e = None if v is None else whole(c, v, node, "an extent of a grid")
    if e is not None and next(loads(e), None) is not None:
        refuse.data_range(c, node)
        return None
    return e


def _header(c: Context, node: ast.stmt, last: ast.expr) -> Origin:
    """The line of a compound statement without its body."""
    start, end = c.report.span(node).start, c.report.span(last).end
    return Origin(Span(c.report.source, start, end))


def _body(flow: Flow, nodes: Sequence[ast.stmt]) -> tuple[Body, Flow]:
    out: list[Stmt] = []
    for node in nodes:
        flow = _parts(flow, node, out)
    return tuple(out), flow


def _parts(flow: Flow, node: ast.stmt, out: list[Stmt]) -> Flow:
    """The statement, the assignments of its `:=` before it."""
    for part in written_out(flow.here, node):
        flow = _statement(flow, part, out)
    return flow


def _statement(flow: Flow, node: ast.stmt, out: list[Stmt]) -> Flow:
    """Append what a statement says to `out`; gives the flow after it."""
    match node:
        case ast.Assign(targets=[target]):
            return assign(flow, node, target, out)
        case ast.Assign():
            hint = lines.one_each(flow.context, node.targets, node.value)
            flow.context.wrong(node, "one assignment has one '='", hint=hint)
            return breaking(flow, node)
        case ast.AnnAssign():
            return annotated(flow, node, out)
        case ast.AugAssign():
            return augmented(flow, node, out)
        case ast.For():
            return _for(flow, node, out)
        case ast.While():
            return _while(flow, node, out)
        case ast.If():
            return _if(flow, node, out)
        case ast.Break() | ast.Continue():
            return _leave(flow, node, out)
        case ast.Pass():
            pass
        case _:
            refuse.statement(flow.context, node)
    return flow


def _for(flow: Flow, node: ast.For, out: list[Stmt]) -> Flow:
    c = flow.here
    match node.iter:
        case ast.Call(func=ast.Name(id="grid")):
            refuse.inner_grid(c, node)
            return flow
        case _:
            pass
    if not _is_range(node.iter):
        text = c.report.text(node.iter)
        hint = block_lines.over_items(c, node, "range")
        c.wrong(node.iter, f"'{text}' is no range, and a loop runs over one", hint=hint)
        return breaking(flow, node)
    if not isinstance(node.target, ast.Name):
        refuse.loop_target(c, node.target)
        return breaking(flow, node)
    name = node.target.id
    if node.orelse:
        refuse.loop_else(c, node)
    bounds = bounds_of(c, node.iter, node.target, expression)
    if bounds is not None and bounds.first is not None and not _steady(flow, bounds.first):
        refuse.moving_start(c, node.iter, "indices")
    place = c.report.span(node.target)
    index: Name = Broken(place)
    if not c.clash(node.target, name, "a loop"):
        index = bounds.index if bounds else Index(place)
    inner = replace(flow, context=flow.context.adding({name: index}), in_loop=True)
    body, _ = _body(inner, node.body)
    if bounds is not None:
        out.append(For(name, bounds.start, bounds.stop, body, origin=_header(c, node, node.iter)))
    return flow


def _is_range(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name("range")):
            return True
        case _:
            return False


def _steady(flow: Flow, e: Expr) -> bool:
    """Whether an expression keeps its value while a loop runs."""
    return is_arithmetic(e) and not free_names(e) & set(flow.scalars)


def _while(flow: Flow, node: ast.While, out: list[Stmt]) -> Flow:
    c = flow.here
    if node.orelse:
        refuse.loop_else(c, node)
    test = condition(c, node.test)
    body, _ = _body(replace(flow, in_loop=True), node.body)
    if test is not None:
        out.append(While(test, body, origin=_header(c, node, node.test)))
    return flow


def _if(flow: Flow, node: ast.If, out: list[Stmt]) -> Flow:
    c = flow.here
    test = condition(c, node.test)
    then, after_then = _body(flow, node.body)
    orelse, after_else = _body(flow, node.orelse)
    if test is not None:
        out.append(If(test, then, orelse, origin=_header(c, node, node.test)))
    a, b = after_then.certain, after_else.certain
    met = b if a is None else a if b is None else a & b
    return replace(flow, certain=met)


def _leave(flow: Flow, node: ast.Break | ast.Continue, out: list[Stmt]) -> Flow:
    c = flow.context
    origin = c.report.origin(node)
    if not flow.in_loop:
        word = "break" if isinstance(node, ast.Break) else "continue"
        c.wrong(node, f"'{word}' leaves a serial loop; a grid has none to leave",
                hint="if ...: around the rest of the block")  # fmt: skip
        return flow
    out.append(Break(origin=origin) if isinstance(node, ast.Break) else Continue(origin=origin))
    return replace(flow, certain=None)
