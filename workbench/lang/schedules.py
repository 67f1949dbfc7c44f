"""`@schedule(kernel)` functions: their knobs, and one step a line."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.lang.module import Argument, Arithmetic, Knob, Plain, ScheduleText, Sign, StepText
from workbench.lang.names import Context

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.lang.report import Report

_SIGNS: Mapping[type[ast.operator], Sign] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip


def is_schedule(node: ast.FunctionDef) -> bool:
    """Whether the function stands under `@schedule(...)`."""
    return any(_decorates(d) for d in node.decorator_list)


def schedule(report: Report, node: ast.FunctionDef, kernels: Sequence[str]) -> ScheduleText | None:
    """What a schedule function says; None where something is wrong (and reported)."""
    before = len(report.mistakes)
    c = Context(report, {})
    kernel = _kernel(c, node, kernels)
    knobs = _knobs(c, node)
    calls = [_step(c, s, knobs) for s in node.body if not _is_text(s)]
    found = tuple(x for x in calls if x is not None)
    if len(report.mistakes) > before or kernel is None:
        return None
    return ScheduleText(node.name, kernel, knobs, found, report.span(node))


def _decorates(node: ast.expr) -> bool:
    function = node.func if isinstance(node, ast.Call) else node
    return isinstance(function, ast.Name) and function.id == "schedule"


def _kernel(c: Context, node: ast.FunctionDef, kernels: Sequence[str]) -> str | None:
    """The kernel that the decorator names."""
    for other in node.decorator_list:
        if not _decorates(other):
            c.wrong(other, "a schedule has one decorator", hint="no line: '@schedule' is it")
    for decorator in node.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="schedule"), args=[ast.Name(id=name) as place],
                          keywords=[]):  # fmt: skip
                if name in kernels:
                    return name
                if not c.dunder(place, name):
                    last = c.report.mended(place, kernels[-1]) if kernels else ""
                    c.report.unknown(place, "kernel", name, kernels, hint=last)
                return None
            case _:
                continue
    name = kernels[-1] if kernels else "kernel"
    c.wrong(node.decorator_list[0], "a schedule names its kernel", hint=f"@schedule({name})")
    return None


def _knobs(c: Context, node: ast.FunctionDef) -> dict[str, Plain]:
    parameters = [*node.args.posonlyargs, *node.args.args]
    count = len(parameters) - len(node.args.defaults)
    others = [node.args.vararg, node.args.kwarg, *node.args.kwonlyargs]
    for a in (*parameters[:count], *(x for x in others if x is not None)):
        hint = c.report.mended(a, f"{a.arg}=8")
        c.wrong(a, f"knob '{a.arg}' has no default", hint=hint)
    knobs: dict[str, Plain] = dict.fromkeys((a.arg for a in parameters[:count]), 0)
    for a, default in zip(parameters[count:], node.args.defaults, strict=True):
        value = _argument(c, default, {})
        knobs[a.arg] = None if isinstance(value, Knob | Arithmetic) else value
        if isinstance(value, Knob | Arithmetic):
            c.wrong(default, "a default is a literal", hint=c.report.mended(default, "8"))
    return knobs


def _is_text(node: ast.stmt) -> bool:
    """A docstring, or `pass` for an empty schedule."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
            return True
        case _:
            return False


def _step(c: Context, node: ast.stmt, knobs: Mapping[str, Plain]) -> StepText | None:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name)) as call):
            if c.dunder(call, name):
                return None
            args = [_argument(c, a, knobs) for a in call.args]
            options: list[tuple[str, Argument]] = []
            for keyword in call.keywords:
                if keyword.arg is None:
                    c.wrong(keyword, "'**' is not part of a step",
                            hint="the options one by one: tail='guard'")  # fmt: skip
                else:
                    options.append((keyword.arg, _argument(c, keyword.value, knobs)))
            return StepText(name, tuple(args), tuple(options), c.report.span(node))
        case _:
            c.wrong(node, "a line of a schedule is the call of one step",
                    hint="a step: split('k', 8)")  # fmt: skip
            return None


def _argument(c: Context, node: ast.expr, knobs: Mapping[str, Plain]) -> Argument:
    """A literal, a knob, or whole-number arithmetic on these."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Name(id=name) if name in knobs:
            return Knob(name)
        case ast.Name(id=name):
            if not c.dunder(node, name):
                c.report.unknown(node, "knob", name, knobs, hint=f"{name}=8 as a parameter")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SIGNS:
            parts = (_argument(c, left, knobs), _argument(c, right, knobs))
            return Arithmetic(_SIGNS[type(op)], *parts, c.report.span(node))
        case _:
            text = c.report.text(node)
            message = f"'{text}' is no argument of a step: literals, knobs and their arithmetic are"
            new = "8"
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                new = f"{c.report.text(node.left)} // {c.report.text(node.right)}"
            c.wrong(node, message, hint=c.report.mended(node, new))
    return None
