"""A program that shows a mistake made smaller, while it still shows it."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.laws.growing import Program


def smallest(program: Program, shows: Callable[[Program], bool], seconds: float) -> Program:
    """The smallest program found within the time that still `shows` what the first one did."""
    end = time.monotonic() + seconds
    again = True
    while again:
        again = False
        for candidate in _smaller(program):
            if time.monotonic() > end:
                return program
            if shows(candidate):
                program, again = candidate, True
                break
    return program


def _smaller(program: Program) -> Iterator[Program]:
    """The program without one statement, or with an expression in place of one around it."""
    count = len(list(_changes(ast.parse(program.text))))
    for number in range(count):
        tree = ast.parse(program.text)
        list(_changes(tree))[number]()
        kernel = tree.body[-1]
        if isinstance(kernel, ast.FunctionDef) and _results_that_are_left(kernel):
            text = ast.unparse(tree) + "\n"
            if len(text) < len(program.text):
                yield replace(program, text=text)


def _changes(tree: ast.Module) -> Iterator[Callable[[], None]]:
    """Everything that can be left out, as what does it: statements first, then expressions."""
    nodes = list(ast.walk(tree))
    for node in nodes:
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if not isinstance(body, list):
                continue
            for s in body:
                last = len(body) == 1 and body is not getattr(node, "orelse", None)
                if not last and not isinstance(s, ast.Return | ast.Assert):
                    yield lambda b=body, x=s: b.remove(x)
    for node in nodes:
        for name, value in ast.iter_fields(node):
            for inner in _inside(value):
                yield lambda n=node, f=name, x=inner: setattr(n, f, x)


def _inside(value: object) -> list[ast.expr]:
    """What an expression is made of that may stand in its place."""
    match value:
        case ast.IfExp(body=yes, orelse=no):
            return [yes, no]
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.BoolOp(values=values):
            return list(values)
        case ast.Call(args=args) if args and not isinstance(args[0], ast.GeneratorExp):
            return list(args)
        case _:
            return []


def _results_that_are_left(kernel: ast.FunctionDef) -> bool:
    """Take results that nothing defines off the signature; false where none is left."""
    known = {a.arg for a in kernel.args.args}
    for x in ast.walk(kernel):
        if isinstance(x, ast.Name | ast.Subscript) and isinstance(x.ctx, ast.Store):
            name = x.value if isinstance(x, ast.Subscript) else x
            known |= {name.id} if isinstance(name, ast.Name) else set()
    last, kinds = kernel.body[-1], kernel.returns
    if not isinstance(last, ast.Return) or not isinstance(last.value, ast.Tuple):
        return True
    if not isinstance(kinds, ast.Tuple):
        return False
    pairs = [
        (x, kind)
        for x, kind in zip(last.value.elts, kinds.elts, strict=True)
        if isinstance(x, ast.Name) and x.id in known
    ]
    if pairs:
        last.value.elts, kinds.elts = [x for x, _ in pairs], [kind for _, kind in pairs]
    if len(pairs) == 1:
        last.value, kernel.returns = pairs[0]
    return bool(pairs)
