"""Lines whose value is a call: `h = conv(x, w)` of a kernel, `a[i], b[i] = f(x[i])`."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.ir.expr import Load, Var, loads
from workbench.ir.graph import Equation, Graph
from workbench.lang import lines
from workbench.lang.draft import break_names, define, has_values, taken
from workbench.lang.equations import equation
from workbench.lang.extents import Declared
from workbench.lang.inline import Part
from workbench.lang.kernel_calls import kernel_call
from workbench.lang.names import ArrayName, Broken, Context, Function
from workbench.passes.names import fresh_name

if TYPE_CHECKING:
    from workbench.lang.draft import Draft


def is_kernel_call(c: Context, node: ast.expr) -> bool:
    """Whether an expression calls another kernel of the text."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in c.functions and name not in c.names:
            return not isinstance(c.functions[name], Function)
        case _:
            return False


def call_of_kernel(draft: Draft, node: ast.Assign, target: ast.expr, call: ast.Call) -> None:
    """`h = conv(x, w)`: what the called kernel defines, under new names."""
    c = draft.context
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    targets = [x for x in parts if isinstance(x, ast.Name)]
    assert isinstance(call.func, ast.Name)
    callee = c.functions[call.func.id]
    if not isinstance(callee, Graph):
        if not c.report.mistakes:
            hint = f"def {call.func.id}(...): before this kernel; none calls itself"
            c.wrong(call, f"'{call.func.id}' stands after this kernel, or calls it", hint=hint)
        break_names(draft, node)
        return
    new = [not has_values(draft, x.id) and taken(draft, x, x.id) for x in targets]
    if len(targets) != len(parts) or len({x.id for x in targets}) != len(parts):
        hint = c.report.mended(target, ", ".join(lines.distinct(c, parts)))
        c.wrong(target, "a kernel defines whole arrays, each once", hint=hint)
    elif not any(new):
        found = kernel_call(
            c, call, callee, targets, words=draft.words, world=draft.world, turns=draft.turns,
            declared=draft.declared,
        )  # fmt: skip
        if found is not None:
            draft.facts += found.facts
            for d in found.definitions:
                define(draft, "", call, d)
            return
    break_names(draft, node)


def assign_parts(draft: Draft, targets: list[ast.expr], call: ast.Call) -> None:
    """`a[i], b[i] = f(x[i])`: an equation for each value; every read comes before any write."""
    c = draft.context
    found: list[tuple[str, ast.expr, Equation | None]] = []
    for target, value in zip(targets, Part.of(call, len(targets)), strict=True):
        match target:
            case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
                line = ast.copy_location(ast.Assign([target], value), call)
                if any(name == other for other, _, _ in found):
                    hint = c.renamed(target, name, c.another(name))
                    c.wrong(target, f"'{name}' stands twice on the left", hint=hint)
                    continue
                old, said = draft.names.get(name), draft.declared.get(name)
                if isinstance(old, ArrayName) and not old.blocked:
                    said = Declared(old.array.dtype, old.array.shape, old.span)
                elif taken(draft, target, name):
                    draft.names.setdefault(name, Broken(c.report.span(target)))
                    continue
                found.append((name, target, equation(c, line, target, said)))
            case _:
                text = c.report.text(target)
                c.wrong(target, f"'{text}' cannot be defined",
                        hint="an array on the left: y[i] = ...")  # fmt: skip
    _define_at_once(draft, found)


def _define_at_once(draft: Draft, found: list[tuple[str, ast.expr, Equation | None]]) -> None:
    """The equations in order; one whose old array a later one reads is kept aside until then."""
    late: list[tuple[str, ast.expr, Equation]] = []
    for n, (name, target, e) in enumerate(found):
        after = {x.array for _, _, d in found[n + 1 :] if d is not None for x in loads(d.value)}
        if e is None or name not in after:
            define(draft, name, target, e)
            continue
        fresh = fresh_name(f"{name}_new", {*draft.words, *draft.names})
        place = (e.place or e.origin).derive("the new values")
        define(draft, fresh, target, replace(e, target=fresh, place=place))
        index = tuple(Var(a.name, origin=place) for a in e.axes)
        kept = Load(fresh, index, e.dtype, origin=place)
        late.append((name, target, replace(e, value=kept)))
    for name, target, e in late:
        define(draft, name, target, e)
