"""Assignments in loop blocks: locals, elements of arrays, tuples, and `+=` on locals."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import F32, DType
from workbench.base.source import Origin
from workbench.ir.expr import Expr, Var, free_names, integer, loads
from workbench.ir.stmt import Alloc, Assign, Stmt, Store
from workbench.lang import block_lines, block_updates, lines
from workbench.lang.equations import written_out
from workbench.lang.expressions import OPERATIONS, binary, expression
from workbench.lang.flow import Flow, breaking
from workbench.lang.inline import Part
from workbench.lang.names import ArrayName, Broken, Context, LocalName, Name
from workbench.lang.private import declare_private, filled, names_of_private
from workbench.lang.signature import dtype_of
from workbench.lang.values import Value, fit, plural, settle, whole

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Target:
    """One target of an assignment with its value: a local, or an element of an array."""

    node: ast.Name | ast.Subscript
    value: ast.expr
    expr: Expr = field(default_factory=lambda: integer(0))


def assign(flow: Flow, node: ast.Assign, target: ast.expr, out: list[Stmt]) -> Flow:
    """`v = e`, `C[y, x] = e`, `a, b = b, a + b`."""
    if isinstance(target, ast.Subscript) and _base(target) in flow.updated:
        around = block_updates.around_old(target, node.value)
        if around is not None:
            out += _array_update(flow, node, target, around)
            return flow
    left = list(target.elts) if isinstance(target, ast.Tuple) else [target]
    right = [node.value]
    if isinstance(target, ast.Tuple):
        right = _values(node.value, len(left))
        if len(right) != len(left):
            hint = lines.as_many_values(flow.context, node.value, len(left))
            flow.context.wrong(node, f"{len(left)} targets need {len(left)} values", hint=hint)
            return breaking(flow, node)
    pairs: list[Target] = []
    for t, value in zip(left, right, strict=True):
        if isinstance(t, ast.Name | ast.Subscript):
            pairs.append(Target(t, value))
        else:
            text = flow.context.report.text(t)
            bare = flow.context.report.mended(t, text.strip("[]*"))
            hint = bare if isinstance(t, ast.List | ast.Starred) else "a local or an element"
            flow.context.wrong(t, f"'{text}' cannot be assigned", hint=hint)
            return breaking(flow, node)
    return _assign_all(flow, node, pairs, out)


def _values(node: ast.expr, count: int) -> list[ast.expr]:
    """The values on the right of a tuple: those written, or those that a call returns."""
    match node:
        case ast.Tuple(elts=values):
            return values
        case ast.Call():
            return list[ast.expr](Part.of(node, count))
        case _:
            return []


def _assign_all(flow: Flow, node: ast.stmt, pairs: Sequence[Target], out: list[Stmt]) -> Flow:
    """Every value is computed before the first target changes."""
    origin = flow.context.report.origin(node)
    values: list[Target] = []
    for pair in pairs:
        e = _value_for(flow, pair)
        if e is not None:
            values.append(replace(pair, expr=e))
    assigned: list[str] = []
    ready: list[Target] = []
    for pair in values:
        read = free_names(pair.expr) | {x.array for x in loads(pair.expr)}
        if read & set(assigned):
            ready = [_kept(flow, p, origin, out) for p in values]
            break
        ready.append(pair)
        assigned.append(_base(pair.node))
    names: list[str] = []
    for pair in ready:
        if isinstance(pair.node, ast.Name):
            names.append(pair.node.id)
            out.append(Assign(pair.node.id, pair.expr, origin=origin))
        else:
            out += _store(flow, pair.node, pair.expr, origin)
    known = flow.here.names
    broken: dict[str, Name] = {
        p.node.id: Broken(flow.context.report.span(p.node))
        for p in pairs
        if isinstance(p.node, ast.Name) and p.node.id not in known
    }
    flow = replace(flow, context=flow.context.adding(broken)) if broken else flow
    return flow.having(*names, *(p.node.id for p in pairs if isinstance(p.node, ast.Name)))


def _array_update(
    flow: Flow, node: ast.Assign, target: ast.Subscript, around: ast.expr
) -> list[Store]:
    """`h[e] += v` on an array with values."""
    name = flow.here.names[_base(target)]
    assert isinstance(name, ArrayName), "an updated array has values"
    found = block_updates.operands(flow.here, name, target, around)
    if found is None:
        return []
    op, value = found
    stores = _store(flow, target, value, flow.context.report.origin(node))
    return [replace(s, reduce=op) for s in stores]


def _base(node: ast.Name | ast.Subscript) -> str:
    """The local or the array that a target changes."""
    name = node.value if isinstance(node, ast.Subscript) else node
    return name.id if isinstance(name, ast.Name) else ""


def _kept(flow: Flow, pair: Target, origin: Origin, out: list[Stmt]) -> Target:
    """The value in a local of its own, for a target before it changes what it reads."""
    base = pair.node.id if isinstance(pair.node, ast.Name) else "element"
    name, number = f"{base}_next", 1
    while name in flow.here.names:
        number += 1
        name = f"{base}_next{number}"
    span = flow.context.report.span(pair.node)
    flow.scalars[name] = LocalName(pair.expr.dtype, span)
    out.append(Assign(name, pair.expr, origin=origin.derive("computed before any target changes")))
    return replace(pair, expr=Var(name, pair.expr.dtype, origin=pair.expr.origin))


def _value_for(flow: Flow, pair: Target) -> Expr | None:
    """The value in the dtype of its target; the first assignment of a local fixes it."""
    c = flow.here
    v = expression(c, pair.value)
    match pair.node:
        case ast.Name():
            return _local_value(flow, c, pair.node, v, pair.value)
        case ast.Subscript(value=ast.Name(id=name)):
            said = flow.declared.get(name)
            if said is None and name not in c.names:
                c.wrong(pair.node, f"array '{name}' is not known",
                        hint="its declaration before it, in this body or around it")  # fmt: skip
            if v is None or said is None:
                return None
            return fit(c, v, said.dtype, pair.value, f"'{name}'")
        case _:
            hint = "an element of an array: y[i] = ..."
            if isinstance(pair.node.value, ast.Subscript):
                hint = c.report.mended(pair.node, lines.joined_indices(c, pair.node))
            c.wrong(pair.node, "an element of a named array is written", hint=hint)
            return None


def _local_value(
    flow: Flow, c: Context, node: ast.Name, v: Value | None, place: ast.expr
) -> Expr | None:
    old = flow.scalars.get(node.id)
    if old is None and isinstance(c.names.get(node.id), Broken):
        return None
    if old is None:
        if node.id in flow.declared:
            count = len(flow.declared[node.id].shape)
            new = lines.indexed(node.id, lines.as_many([], lines.scope(c), count))
            c.wrong(node, f"'{node.id}' is declared as an array, not a local",
                    hint=c.report.mended(node, new))  # fmt: skip
            return None
        if _new_local(flow, c, node):
            return None
        e = None if v is None else settle(c, v, place)
        span = c.report.span(node)
        if e is not None:
            flow.scalars[node.id] = LocalName(e.dtype, span)
        return e
    if v is None:
        return None
    if _outgrows(v, old.dtype):
        line = old.span.position[0]
        words = f"'{node.id}' is {old.dtype} since line {line}, the value is {v.dtype}"
        c.wrong(place, words, hint=block_lines.first_wider(c, node.id, line, v.dtype))
        flow.scalars[node.id] = replace(old, dtype=v.dtype)
        return None
    return fit(c, v, old.dtype, place, f"'{node.id}'")


def _outgrows(v: Value, local: DType) -> bool:
    """Whether a value would be cut in a local: a float in a whole number, a wide in a narrow."""
    if v.dtype.kind == "f" and local.kind in "iu":
        return True
    numbers = "b" not in {v.dtype.kind, local.kind}
    return numbers and not v.weak and local.bits < v.dtype.bits


def _new_local(flow: Flow, c: Context, node: ast.Name) -> bool:
    """Report a name that cannot become a local; true if so."""
    if c.clash(node, node.id, "a local"):
        return True
    if node.id not in flow.loops:
        return False
    hint = c.report.mended(node, c.another(node.id))
    c.wrong(node, f"'{node.id}' is a local here and the variable of a loop elsewhere", hint=hint)
    return True


def _store(flow: Flow, node: ast.Subscript, value: Expr, origin: Origin) -> list[Store]:
    c = flow.here
    assert isinstance(node.value, ast.Name)
    name = node.value.id
    shape = flow.declared[name].shape
    parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if len(parts) != len(shape):
        c.wrong(
            node,
            f"'{name}' has {plural(len(shape), 'dimension')}, {plural(len(parts), 'index')} given",
            hint=lines.refilled(c, node, len(shape)),
        )
        return []
    index: list[Expr] = []
    for part in parts:
        v = expression(c, part)
        e = None if v is None else whole(c, v, part, "an index")
        index += [] if e is None else [e]
    if len(index) != len(parts):
        return []
    place = c.report.origin(node)
    return [Store(name, tuple(index), value, iteration=c.iteration, origin=origin, place=place)]


def annotated(flow: Flow, node: ast.AnnAssign, out: list[Stmt]) -> Flow:
    """`v: f32 = 0`."""
    c = flow.here
    if not isinstance(node.target, ast.Name):
        value = "0.0" if node.value is None else c.report.text(node.value)
        hint = f"{c.report.text(node.target)} = {value}"
        c.wrong(node, "an element has no annotation", hint=hint)
        return flow
    if isinstance(node.annotation, ast.Subscript):
        return _private(flow, node, node.target, out)
    dtype = dtype_of(c, node.annotation)
    if node.value is None:
        zero = lines.zero(dtype or F32)
        c.wrong(node, f"'{node.target.id}' has no value",
                hint=c.report.mended(node, f"{c.report.text(node)} = {zero}"))  # fmt: skip
        return breaking(flow, node)
    if dtype is None:
        return flow
    return _declared_local(flow, node, node.target, dtype, out)


def _private(flow: Flow, node: ast.AnnAssign, target: ast.Name, out: list[Stmt]) -> Flow:
    """`acc: f32[8]` or `acc: f32[8] = 0.0`, known in the rest of its body."""
    c = flow.here
    v = None if node.value is None else expression(c, node.value)
    a = declare_private(c, node, target, flow.private)
    if a is None:
        broken = Broken(c.report.span(target))
        return replace(flow, context=flow.context.adding({target.id: broken}))
    flow.private[a.name] = a
    out.append(a)
    if node.value is not None and v is not None:
        value = fit(c, v, a.dtype, node.value, f"'{a.name}'")
        if value is not None:
            out.append(filled(a, value, _unused(c, flow, a)))
    name, said = names_of_private(c, a, c.report.span(target))
    declared = {**flow.declared, a.name: said}
    return replace(flow, context=flow.context.adding({a.name: name}), declared=declared)


def _unused(c: Context, flow: Flow, a: Alloc) -> tuple[str, ...]:
    """Names for the loops that fill an array."""
    found: list[str] = []
    for n in range(len(a.shape)):
        name = f"{a.name}_{n}"
        while name in c.names or name in flow.loops:
            name += "_"
        found.append(name)
    return tuple(found)


def _declared_local(
    flow: Flow, node: ast.AnnAssign, target: ast.Name, dtype: DType, out: list[Stmt]
) -> Flow:
    c = flow.here
    assert node.value is not None
    if target.id not in flow.scalars:
        if _new_local(flow, c, target):
            return flow
        flow.scalars[target.id] = LocalName(dtype, c.report.span(target))
    return _assign_all(flow, node, [Target(target, node.value)], out)


def augmented(flow: Flow, node: ast.AugAssign, out: list[Stmt]) -> Flow:
    """`acc += e` on a local, and on elements."""
    c = flow.here
    match node.target:
        case ast.Name() as target:
            _local_update(flow, node, target, out)
        case ast.Subscript(value=ast.Name(id=name)) if name in flow.private:
            _update(flow, node, node.target, out)
        case ast.Subscript(value=ast.Name(id=name)) if name in flow.updated:
            return assign(flow, written_out(node, node.target), node.target, out)
        case ast.Subscript(value=ast.Name()):
            pass  # it has no type, which was said for the block
        case _:
            hint = "a local or an element of an array on the left: y[i] += ..."
            if isinstance(node.target, ast.Subscript):
                hint = c.report.mended(node.target, lines.joined_indices(c, node.target))
            c.wrong(node.target, "only locals and elements of arrays can be updated", hint=hint)
    return flow


def _local_update(flow: Flow, node: ast.AugAssign, target: ast.Name, out: list[Stmt]) -> None:
    c, name = flow.here, target.id
    old = expression(c, ast.copy_location(ast.Name(name, ast.Load()), target))
    v = expression(c, node.value)
    if old is None or v is None:
        return
    if type(node.op) not in OPERATIONS:
        c.wrong(node, "this operation has no '=' form", hint=block_lines.without_sign(c, node))
        return
    if name not in flow.scalars:
        value = f"{name} {block_lines.sign(c, node)} {lines.operand(c.report.text(node.value))}"
        c.clash(target, name, "a local", f"{c.another(name)} = {value}")
        return
    joined = binary(c, node, OPERATIONS[type(node.op)], old, v)
    e = None if joined is None else _local_value(flow, c, target, joined, node.value)
    if e is not None:
        out.append(Assign(name, e, origin=c.report.origin(node)))


def _update(flow: Flow, node: ast.AugAssign, target: ast.Subscript, out: list[Stmt]) -> None:
    """`acc[k] += e` on an element of a private array."""
    c = flow.here
    place = ast.copy_location(ast.Subscript(target.value, target.slice, ast.Load()), target)
    old, v = expression(c, place), expression(c, node.value)
    if old is None or v is None:
        return
    if type(node.op) not in OPERATIONS:
        c.wrong(
            node,
            "this operation has no '=' form",
            hint=block_lines.without_sign(c, node),
        )
        return
    joined = binary(c, node, OPERATIONS[type(node.op)], old, v)
    if joined is None:
        return
    value = fit(c, joined, old.dtype, node.value, f"'{c.report.text(target)}'")
    if value is not None:
        out += _store(flow, target, value, c.report.origin(node))
