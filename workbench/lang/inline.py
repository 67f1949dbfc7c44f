"""Calls of functions without arrays: a call stands for the expressions that are returned.

Parameters and locals stand for values, so nothing of a call is left but its expressions; their
origins lead to the function's line and to the call. How functions are read is in `functions`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from workbench.base.dtypes import BOOL
from workbench.ir.expr import Const, Expr, Reduce, Select, integer, walk
from workbench.lang import block_lines, lines
from workbench.lang.iterated import iterated
from workbench.lang.names import Bound, Broken, Context, Function, Name
from workbench.lang.values import LARGEST_COPY, Value, fit, plural, settle, truth, unified
from workbench.passes.fold import fold
from workbench.passes.names import fresh_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
            c.wrong(node, f"{node.count} targets need {node.count} values",
                    hint=lines.as_many_targets(c, node.call, 1))  # fmt: skip
            return None
    if values is None:
        return None
    if len(values) != node.count:
        c.wrong(node, f"{node.count} targets, '{name}' returns {plural(len(values), 'value')}",
                hint=lines.as_many_targets(c, node.call, len(values)))  # fmt: skip
        return None
    return values[node.number]


def inlined(c: Context, node: ast.Call, check: Check) -> Value | None:
    """The value of a call inside an expression."""
    values = results(c, node, check)
    if values is None:
        return None
    if len(values) != 1:
        call = c.report.text(node)
        names = [x for x in ("a", "b", "c", "d", "e") if x not in c.names][: len(values)]
        indices = [] if c.in_block else lines.scope(c)
        parts = [lines.indexed(x, indices) for x in names]
        after = c.report.mended(node, parts[0])
        c.wrong(node, f"'{call}' returns {plural(len(values), 'value')}, one is used here",
                hint=f"{', '.join(parts)} = {call}\n{after}")  # fmt: skip
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
    indices = _free(c, function.indices, bound)
    inner = Context(report, bound, in_block=True, functions=c.functions, indices=indices)
    return body_values(inner, function, check)


def _free(c: Context, indices: Mapping[str, str], bound: Mapping[str, Name]) -> dict[str, str]:
    """The indices under names that the arguments do not use, which may hold a call of the same."""
    if not indices:
        return {}
    values = [n.value.expr for n in bound.values() if isinstance(n, Bound)]
    used = {r.var for v in values for e in walk(v) if isinstance(e, Reduce) for r in e.ranges}
    if used.isdisjoint(indices.values()):
        return dict(indices)
    used |= set(re.findall(r"\w+", c.report.source.text))
    for f in c.functions.values():
        used |= set(f.indices.values()) if isinstance(f, Function) else set()
    return {name: fresh_name(new, used) for name, new in indices.items()}


def _arguments(
    c: Context, node: ast.Call, function: Function, check: Check
) -> dict[str, Name] | None:
    """Each parameter with the value that the call gives it."""
    given = _given(c, node, function)
    if given is None:
        return None
    bound: dict[str, Name] = {}
    for p in function.parameters:
        place = given.get(p.name)
        if place is None and p.default is None:
            c.wrong(
                node,
                f"'{function.node.name}' is called without '{p.name}'",
                hint=_called(c, node, function),
            )
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
                hint=_called(c, node, function))  # fmt: skip
        return None
    found = dict(zip(names, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in names:
            said = c.report.text(keyword).partition("=")[0].strip()
            c.wrong(keyword, f"'{said}' is no parameter of '{name}'",
                    hint=_called(c, node, function))  # fmt: skip
            return None
        if keyword.arg in found:
            c.wrong(keyword, f"'{keyword.arg}' is given twice", hint=_called(c, node, function))
            return None
        found[keyword.arg] = keyword.value
    return found


def _called(c: Context, node: ast.Call, function: Function) -> str:
    """The line of a call that gives every parameter: 1.0, where nothing is there for it."""
    names = [p.name for p in function.parameters]
    missing = {p.name: "1.0" for p in function.parameters if p.default is None}
    return c.report.called(node, names, missing)


def literal_range(node: ast.expr) -> range | None:
    """The numbers of `range(4)`, `range(1, 5)` and `range(0, 8, 2)`."""
    match node:
        case ast.Call(func=ast.Name("range"), args=[_, *_] as args, keywords=[]) if len(args) <= 3:
            numbers = [
                x.value for x in args if isinstance(x, ast.Constant) and type(x.value) is int
            ]
            whole = len(numbers) == len(args) and numbers[2:] != [0]
            return range(*numbers) if whole and all(n < 2**31 for n in numbers) else None
        case _:
            return None


def ends(nodes: list[ast.stmt]) -> bool:
    """Whether every way through lines ends at a return of a value."""
    match nodes:
        case [*_, ast.Return(value=ast.expr())]:
            return True
        case [*_, ast.If(body=body, orelse=orelse)]:
            return ends(body) and ends(orelse)
        case _:
            return False


def first_return(nodes: list[ast.stmt]) -> ast.Return | None:
    """The first return in lines."""
    return next((x for s in nodes for x in ast.walk(s) if isinstance(x, ast.Return)), None)


def returned(node: ast.Return) -> list[ast.expr]:
    """The values of a return."""
    assert node.value is not None, "a function returns values"
    return node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]


Values = tuple[Value, ...]


def body_values(c: Context, function: Function, check: Check) -> Values | None:
    """What the lines of a function return, in a context of its parameters."""
    found = _run(c, function, function.lines, check)
    assert not isinstance(found, Context), "every way through a function ends at a return"
    return found


def _run(
    c: Context, function: Function, nodes: Sequence[ast.stmt], check: Check
) -> Context | Values | None:
    """What lines return, or the names behind them; None after a mistake."""
    for n, line in enumerate(nodes):
        match line:
            case ast.Return():
                values = [_returned(c, function, n, x, check) for n, x in enumerate(returned(line))]
                found = tuple(v for v in values if v is not None)
                return found if len(found) == len(values) else None
            case ast.If():
                if first_return([line]) is not None:
                    return _returning(c, function, line, nodes[n + 1 :], check)
                after = _meeting(c, function, line, check)
            case ast.For() if literal_range(line.iter) is not None:
                after = _turns(c, function, line, check)
            case ast.For() | ast.While():
                after = _run_loop(c, function, line, check)
            case ast.Assign() | ast.AugAssign():
                names = _line(c, _written(line), check)
                after = None if names is None else c.adding(names)
            case _:
                raise AssertionError(line)
        if not isinstance(after, Context):
            return after
        c = after
    return c


def _run_loop(
    c: Context, function: Function, node: ast.For | ast.While, check: Check
) -> Context | None:
    """The names behind a loop that is run."""
    after = iterated(c, function, node, check, lambda x: _run(x, function, node.body, check))
    new = [] if after is None else [n for k, n in after.names.items() if n is not c.names.get(k)]
    small = [_small(c, n.value, node) for n in new if isinstance(n, Bound)]
    return after if all(small) else None


def _turns(c: Context, function: Function, node: ast.For, check: Check) -> Context | Values | None:
    """The names behind a loop, whose body is read once for each turn."""
    turns = literal_range(node.iter)
    assert turns is not None, "a loop of a function has a literal range"
    assert isinstance(node.target, ast.Name)
    for turn in turns:
        number = integer(turn, origin=c.report.origin(node.target))
        index = Bound(Value(number, weak=True), c.report.span(node.target))
        after = _run(c.adding({node.target.id: index}), function, node.body, check)
        if not isinstance(after, Context):
            return after
        c = after
    return c


def _returning(
    c: Context, function: Function, node: ast.If, rest: Sequence[ast.stmt], check: Check
) -> Context | Values | None:
    """What an `if` with a return and the lines behind it give; a branch that ends needs none."""
    ways = [x if ends(x) else [*x, *rest] for x in (node.body, node.orelse)]
    test = _test(c, node, check)
    if test is None or isinstance(test, Const):
        return None if test is None else _run(c, function, ways[0 if test.value else 1], check)
    yes, no = (_run(c, function, way, check) for way in ways)
    if yes is None or no is None:
        return None
    assert not isinstance(yes, Context), "every way through a function ends at a return"
    assert not isinstance(no, Context), "every way through a function ends at a return"
    chosen = [_chosen(c, node, test, a, b) for a, b in zip(yes, no, strict=True)]
    found = tuple(v for v in chosen if v is not None and _small(c, v, node))
    return found if len(found) == len(chosen) else None


def _meeting(c: Context, function: Function, node: ast.If, check: Check) -> Context | Values | None:
    """The names behind an `if` without a return."""
    test = _test(c, node, check)
    if test is None or isinstance(test, Const):
        taken = node.body if test is not None and test.value else node.orelse
        return None if test is None else _run(c, function, taken, check)
    yes, no = (_run(c, function, branch, check) for branch in (node.body, node.orelse))
    if isinstance(yes, Context) and isinstance(no, Context):
        return _met(c, node, test, yes, no)
    return None


def _test(c: Context, node: ast.If, check: Check) -> Expr | None:
    """The condition of an `if`, a literal where it is one."""
    v = check(c, node.test)
    test = None if v is None else truth(c, v, node.test)
    return None if test is None else fold(test)


def _chosen(c: Context, node: ast.If, test: Expr, yes: Value, no: Value) -> Value | None:
    """The value that an `if` chooses, both in one dtype."""
    if yes.dtype is no.dtype is BOOL:
        return Value(Select(test, yes.expr, no.expr, origin=test.origin))
    pair = unified(c, yes, no, node.test)
    return None if pair is None else Value(Select(test, *pair, origin=test.origin))


def _met(c: Context, node: ast.If, test: Expr, yes: Context, no: Context) -> Context | None:
    """The names behind an `if`: a local has the value of the branch that was taken."""
    met: dict[str, Name] = {}
    for name in {**yes.names, **no.names}:
        a, b = yes.names.get(name), no.names.get(name)
        if a is b:
            continue
        if not (isinstance(a, Bound) and isinstance(b, Bound)):
            continue  # it has no value behind the `if`
        v = _chosen(c, node, test, a.value, b.value)
        if v is None or not _small(c, v, node):
            return None
        met[name] = Bound(v, a.span)
    return c.adding(met)


def _written(node: ast.Assign | ast.AugAssign) -> ast.Assign:
    """`x += e` as `x = x + e`."""
    if isinstance(node, ast.Assign):
        return node
    assert isinstance(node.target, ast.Name)
    old = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
    value = ast.copy_location(ast.BinOp(old, node.op, node.value), node)
    return ast.copy_location(ast.Assign([node.target], value), node)


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
        hint = lines.as_many_values(c, node.value, len(names))
        c.wrong(node, f"{len(names)} targets need {len(names)} values", hint=hint)
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
        case Bound(old, span):
            hint = block_lines.begun_as_float(c, name.id, span, v.dtype)
            e = fit(c, v, old.dtype, place, f"'{name.id}'", hint=hint)
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
