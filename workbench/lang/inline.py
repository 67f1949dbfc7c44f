"""Calls of functions without arrays: a call stands for the expressions that are returned.

Parameters and locals stand for values, so nothing of a call is left but its expressions; their
origins lead to the function's line and to the call. How functions are read is in `functions`.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from workbench.ir.expr import walk
from workbench.lang.names import Bound, Broken, Context, Function, Name
from workbench.lang.values import LARGEST_COPY, Value, fit, plural, settle

if TYPE_CHECKING:
    from workbench.lang.calls import Check
    from workbench.lang.report import Place


class Part(ast.expr):
    """One of the values that a call returns: what stands for `call` in a tuple assignment."""

    _fields = ("call",)
    call: ast.Call
    number: int
    count: int

    @staticmethod
    def of(call: ast.Call, count: int) -> list[Part]:
        """The `count` values of a call that is assigned to as many targets."""
        return [_part(call, number, count) for number in range(count)]


def _part(call: ast.Call, number: int, count: int) -> Part:
    made: dict[str, Any] = {"call": call, "number": number, "count": count}
    return ast.copy_location(Part(**made), call)


def part(c: Context, node: Part, check: Check) -> Value | None:
    """The value of one target of `a, b = f(x)`."""
    match node.call.func:
        case ast.Name(id=name) if isinstance(c.functions.get(name), Function):
            values = results(c, node.call, check)
        case _:
            c.wrong(node, f"{node.count} targets need {node.count} values", hint="a, b = b, a + b")
            return None
    if values is None:
        return None
    if len(values) != node.count:
        c.wrong(node, f"{node.count} targets, '{name}' returns {plural(len(values), 'value')}",
                hint="as many targets as values")  # fmt: skip
        return None
    return values[node.number]


def inlined(c: Context, node: ast.Call, check: Check) -> Value | None:
    """The value of a call inside an expression."""
    values = results(c, node, check)
    if values is None:
        return None
    if len(values) != 1:
        call = c.report.text(node)
        names = ", ".join("abcdefgh"[: len(values)])
        c.wrong(node, f"'{call}' returns {plural(len(values), 'value')}, one is used here",
                hint=f"{names} = {call} on a line of its own")  # fmt: skip
        return None
    return values[0]


def results(c: Context, node: ast.Call, check: Check) -> tuple[Value, ...] | None:
    """Everything that a call returns."""
    assert isinstance(node.func, ast.Name)
    function = c.functions[node.func.id]
    assert isinstance(function, Function)
    bound = _arguments(c, node, function, check)
    if bound is None:
        return None
    report = replace(c.report, call=c.report.origin(node))
    inner = Context(report, bound, in_block=True, functions=c.functions)
    return body_values(inner, function, check)


def _arguments(
    c: Context, node: ast.Call, function: Function, check: Check
) -> dict[str, Name] | None:
    """Each parameter with the value that the call gives it."""
    given = _given(c, node, function)
    if given is None:
        return None
    every = f"{function.node.name}({', '.join(x.name for x in function.parameters)})"
    bound: dict[str, Name] = {}
    for p in function.parameters:
        place = given.get(p.name)
        if place is None and p.default is None:
            c.wrong(node, f"'{function.node.name}' is called without '{p.name}'", hint=every)
            return None
        v = p.default if place is None else check(c, place)
        if v is None:
            return None
        if place is not None and p.dtype is not None:
            e = fit(c, v, p.dtype, place, f"'{p.name}'")
            v = None if e is None else Value(e)
        if v is None or not _small(c, v, node):
            return None
        bound[p.name] = Bound(v, c.report.span(node))
    return bound


def _given(c: Context, node: ast.Call, function: Function) -> dict[str, ast.expr] | None:
    """The arguments of a call by the names of the parameters."""
    names = [p.name for p in function.parameters]
    name = function.node.name
    if len(node.args) > len(names):
        c.wrong(node, f"'{name}' takes {plural(len(names), 'argument')}, {len(node.args)} given",
                hint=f"{name}({', '.join(names)})")  # fmt: skip
        return None
    found = dict(zip(names, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in names:
            c.wrong(keyword, f"'{name}' has no parameter of this name",
                    hint=f"{name}({', '.join(names)})")  # fmt: skip
            return None
        if keyword.arg in found:
            c.wrong(keyword, f"'{keyword.arg}' is given twice", hint=f"{name}({', '.join(names)})")
            return None
        found[keyword.arg] = keyword.value
    return found


def body_values(c: Context, function: Function, check: Check) -> tuple[Value, ...] | None:
    """What the lines of a function return, in a context of its parameters."""
    for line in function.lines:
        names = _line(c, line, check)
        if names is None:
            return None
        c = c.adding(names)
    values = [_returned(c, function, n, x, check) for n, x in enumerate(function.returned)]
    found = tuple(v for v in values if v is not None)
    return found if len(found) == len(values) else None


def _returned(
    c: Context, function: Function, number: int, node: ast.expr, check: Check
) -> Value | None:
    v = check(c, node)
    if v is None or not _small(c, v, node):
        return None
    if function.results is None:
        return v
    e = fit(c, v, function.results[number], node, f"a result of '{function.node.name}'")
    return None if e is None else Value(e)


def _line(c: Context, node: ast.Assign, check: Check) -> dict[str, Name] | None:
    """The names that an assignment gives values, every value computed before the first."""
    [target] = node.targets
    names = list(target.elts) if isinstance(target, ast.Tuple) else [target]
    match node.value:
        case ast.Tuple(elts=values) if isinstance(target, ast.Tuple):
            places = values
        case ast.Call() as call if isinstance(target, ast.Tuple):
            places = list[ast.expr](Part.of(call, len(names)))
        case _:
            places = [node.value]
    if len(places) != len(names):
        c.wrong(node, f"{len(names)} targets need {len(names)} values", hint="a, b = b, a + b")
        return None
    found: dict[str, Name] = {}
    for name, place in zip(names, places, strict=True):
        assert isinstance(name, ast.Name)
        v = _local(c, name, check(c, place), place)
        if v is None or not _small(c, v, place):
            return None
        found[name.id] = Bound(v, c.report.span(name))
    return found


def _local(c: Context, name: ast.Name, v: Value | None, place: ast.expr) -> Value | None:
    """The value in the dtype that the first assignment of a local fixes."""
    if v is None:
        return None
    match c.names.get(name.id):
        case Bound(old):
            e = fit(c, v, old.dtype, place, f"'{name.id}'")
        case Broken():
            return None
        case _:
            e = settle(c, v, place)
    return None if e is None else Value(e)


def _small(c: Context, v: Value, place: Place) -> bool:
    """Whether a value may stand wherever its name does; a mistake where it is large."""
    if sum(1 for _ in islice(walk(v.expr), LARGEST_COPY + 1)) <= LARGEST_COPY:
        return True
    c.wrong(place, "an inlined expression of this size is too large",
            hint="an equation or a local of a loop block for a part of it")  # fmt: skip
    return False
