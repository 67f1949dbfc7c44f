"""Reductions: generator expressions under `sum prod max min any all argmax argmin`."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL, I32
from workbench.ir.expr import Cast, Expr, Range, Reduce, Var, integer
from workbench.ir.ops import REDUCTIONS
from workbench.lang import refuse
from workbench.lang.names import Context, Index
from workbench.lang.values import Value, both, settle, truth, whole

if TYPE_CHECKING:
    from workbench.lang.calls import Check

WORDS = frozenset(REDUCTIONS)


def is_reduction(node: ast.Call) -> bool:
    """Whether the call has a generator expression as its argument."""
    return len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp)


def refuse_arguments(c: Context, node: ast.Call, name: str) -> None:
    """`sum(x)`, `sum([x[i] for i in range(N)])`, `argmax(x)`."""
    match node.args:
        case [ast.ListComp() as inner] | [ast.SetComp() as inner]:
            span = c.report.span(inner)
            body = " ".join(span.text[1:-1].split())
            c.wrong(inner, f"'{name}' takes a generator, not a list", hint=f"{name}({body})")
        case [ast.Name(id=array)] if array in c.names:
            hint = f"{name}({array}[i] for i in range(N))"
            c.wrong(node, f"'{name}' reduces a generator expression", hint=hint)
        case _:
            hint = f"{name}(x[i] for i in range(N))"
            c.wrong(node, f"'{name}' reduces a generator expression", hint=hint)


def reduction(c: Context, node: ast.Call, name: str, check: Check) -> Value | None:
    """`sum(body for k in range(K) if test)`."""
    generator = node.args[0]
    assert isinstance(generator, ast.GeneratorExp)
    for keyword in node.keywords:
        c.wrong(keyword, f"'{name}' takes no argument by name", hint=f"{name}(...)")
    ranges: list[Range] = []
    tests: list[Expr | None] = []
    whole_ranges = True
    for part in generator.generators:
        found, index = _range(c, part, check)
        c = c.adding(index)
        whole_ranges = whole_ranges and found is not None
        ranges += [] if found is None else [found]
        for test in part.ifs:
            v = check(c, test)
            tests.append(None if v is None else truth(c, v, test))
    body = check(c, generator.elt)
    if body is None or not whole_ranges or any(t is None for t in tests):
        return None
    cond = _joined([t for t in tests if t is not None])
    if name in {"argmax", "argmin"} and len(ranges) != 1:
        c.wrong(node, f"'{name}' runs over exactly one range, here over {len(ranges)}")
        return None
    term = _term(c, name, body, generator.elt)
    if term is None:
        return None
    dtype = I32 if name in {"argmax", "argmin"} else term.dtype
    origin = c.report.origin(node)
    return Value(Reduce(REDUCTIONS[name], tuple(ranges), cond, term, dtype, origin=origin))


def _term(c: Context, name: str, body: Value, place: ast.expr) -> Expr | None:
    """The body in the dtype that the reduction folds."""
    if name in {"any", "all"}:
        return truth(c, body, place)
    term = settle(c, body, place)
    if term is None or term.dtype is not BOOL:
        return term
    if name in {"max", "min"}:
        word = "any" if name == "max" else "all"
        c.wrong(place, f"'{name}' does not apply to bool", hint=f"{word}(...)")
        return None
    return Cast(I32, term, origin=term.origin.derive("counted as i32"))


def _joined(tests: list[Expr]) -> Expr | None:
    result: Expr | None = None
    for test in tests:
        result = test if result is None else both(result, test, test, test.origin)
    return result


def _range(
    c: Context, part: ast.comprehension, check: Check
) -> tuple[Range | None, dict[str, Index]]:
    """`k in range(a, b)`, and the index that it binds."""
    if not isinstance(part.target, ast.Name):
        c.wrong(part.target, "a range binds one index", hint="for k in range(K)")
        return None, {}
    name = part.target.id
    if part.is_async:
        c.wrong(part, "'async' is not part of the language", hint=f"for {name} in range(K)")
    taken = c.clash(part.target, name, "an index")
    index = {name: Index(c.report.span(part.target))}
    bounds = bounds_of(c, part.iter, name, check)
    if bounds is None or taken:
        return None, {} if taken else index
    return Range(name, *bounds, origin=c.report.origin(part)), index


def bounds_of(c: Context, node: ast.expr, name: str, check: Check) -> tuple[Expr, Expr] | None:
    """The bounds of `range(a, b)`, as i32."""
    match node:
        case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]) if 0 < len(args) < 3:
            bounds = [_bound(c, a, check) for a in args]
            zero = integer(0, origin=c.report.origin(node).derive("starts at 0"))
            start = zero if len(bounds) == 1 else bounds[0]
            stop = bounds[-1]
            return None if start is None or stop is None else (start, stop)
        case ast.Call(func=ast.Name(id="range"), args=[_, _, _], keywords=[]):
            refuse.stepped_range(c, node, name)
        case ast.Call(func=ast.Name(id="grid")):
            c.wrong(node, "a grid stands in a 'for' block only", hint=f"for {name} in range(N)")
        case _:
            text = c.report.text(node)
            c.wrong(node, f"'{name}' runs over '{text}'", hint=f"for {name} in range(N)")
    return None


def _bound(c: Context, node: ast.expr, check: Check) -> Expr | None:
    v = check(c, node)
    e = None if v is None else whole(c, v, node, "a bound of a range")
    if e is None:
        return None
    return replace(e, origin=c.report.origin(node)) if isinstance(e, Var) else e
