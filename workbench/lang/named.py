"""`:=` in loop blocks: an assignment of its own where Python evaluates it.

    while (r := a % b) > 0:       while True:
        a, b = b, r                   r = a % b
                                      if not r > 0: break
                                      a, b = b, r

A part that may not be evaluated (right of `and`, a branch of `a if c else b`) stays a part of
its own: `if a and (v := e) > 0:` without `else`, and `while`, test one after the other; anywhere
else it is refused.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.lang.names import Context

Node = TypeVar("Node", bound=ast.AST)


@dataclass(slots=True)
class _Order:
    """What a statement evaluates, in order: names read, and names set with their values."""

    c: Context
    read: set[str] = field(default_factory=set[str])
    made: list[ast.Assign] = field(default_factory=list[ast.Assign])

    def expression(self, node: ast.expr) -> ast.expr:
        """The expression with a name in place of each `:=`, whose values go to `made`."""
        match node:
            case ast.NamedExpr(target, value):
                before = set(self.read)
                value = self.expression(value)
                self.read = before
                return self._named(node, target, value)
            case ast.Name(id=name):
                self.read.add(name)
                return node
            case ast.BoolOp(values=[first, *rest]):
                self._certain(rest, "an assignment on a line before it, or nested ifs")
                return _with(node, values=[self.expression(first), *map(self.expression, rest)])
            case ast.IfExp(test, yes, no):
                test = self.expression(test)
                self._certain([yes, no], "if ...: and else: with assignments")
                return _with(node, test=test, body=self.expression(yes), orelse=self.expression(no))
            case ast.Compare(left, _, [first, *rest]):
                left, first = self.expression(left), self.expression(first)
                self._certain(rest, "an assignment on a line before it")
                return _with(node, left=left, comparators=[first, *map(self.expression, rest)])
            case ast.GeneratorExp():
                self._certain([node], "an assignment before the reduction")
                self.read |= {x.id for x in ast.walk(node) if isinstance(x, ast.Name)}
                return node
            case _:
                return self._parts(node)

    def _parts(self, node: ast.expr) -> ast.expr:
        new: dict[str, object] = {}
        for name, value in ast.iter_fields(node):
            match value:
                case ast.expr():
                    new[name] = self.expression(value)
                case list() if name in {"elts", "args"}:
                    inside: list[ast.expr] = getattr(node, name)
                    new[name] = [self.expression(x) for x in inside]
                case _:
                    pass
        return _with(node, **new)

    def _named(self, node: ast.NamedExpr, target: ast.Name, value: ast.expr) -> ast.expr:
        name = target.id
        if name in self.read or any(name == _target(x) for x in self.made):
            self.c.wrong(node, f"'{name}' is read or set earlier on this line, and set here",
                         hint="an assignment on a line of its own")  # fmt: skip
        self.made.append(ast.copy_location(ast.Assign([target], value), node))
        return ast.copy_location(ast.Name(name, ast.Load()), target)

    def _certain(self, nodes: Sequence[ast.expr], hint: str) -> None:
        """Report a `:=` in what may not be evaluated, or more than once."""
        for x in nodes:
            for inner in ast.walk(x):
                if isinstance(inner, ast.NamedExpr):
                    self.c.wrong(inner, "':=' stands where it may not be evaluated, or several "
                                 "times", hint=hint)  # fmt: skip
                    return


def _target(node: ast.Assign) -> str:
    [target] = node.targets
    assert isinstance(target, ast.Name)
    return target.id


def _with(node: Node, **fields: object) -> Node:
    """The same node with other children."""
    if all(getattr(node, k) is v for k, v in fields.items()):
        return node
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def has_named(node: ast.AST | None) -> bool:
    """Whether `:=` stands in an expression."""
    return node is not None and any(isinstance(x, ast.NamedExpr) for x in ast.walk(node))


def written_out(c: Context, node: ast.stmt) -> list[ast.stmt]:
    """The statement as statements without `:=`; itself where there is none."""
    order = _Order(c)
    match node:
        case ast.Assign(targets, value) if has_named(value) or any(map(has_named, targets)):
            value = order.expression(value)
            targets = [order.expression(t) for t in targets]
            return [*order.made, _with(node, value=value, targets=targets)]
        case ast.AugAssign(target, _, value) if has_named(value) or has_named(target):
            target, value = order.expression(target), order.expression(value)
            return [*order.made, _with(node, target=target, value=value)]
        case ast.AnnAssign(value=ast.expr() as value) if has_named(value):
            value = order.expression(value)
            return [*order.made, _with(node, value=value)]
        case ast.For(iter=ast.expr() as over) if has_named(over):
            over = order.expression(over)
            return [*order.made, _with(node, iter=over)]
        case ast.If(test) if has_named(test):
            return _if(c, node)
        case ast.While(test) if has_named(test):
            return [_while(c, node)]
        case _:
            return [node]


def _tests(test: ast.expr) -> list[ast.expr]:
    """What is tested one after the other."""
    match test:
        case ast.BoolOp(ast.And(), values):
            return [x for v in values for x in _tests(v)]
        case _:
            return [test]


def _if(c: Context, node: ast.If) -> list[ast.stmt]:
    """`if` with its tests nested where an `else` does not ask which one failed."""
    first, *rest = [node.test] if node.orelse else _tests(node.test)
    order = _Order(c)
    test = order.expression(first)
    body = list(node.body)
    if rest:
        inner = rest[0] if len(rest) == 1 else _and(node.test, rest)
        body = [_with(node, test=inner)]
    return [*order.made, _with(node, test=test, body=body)]


def _and(whole: ast.expr, values: list[ast.expr]) -> ast.expr:
    return ast.copy_location(ast.BoolOp(ast.And(), values), whole)


def _while(c: Context, node: ast.While) -> ast.While:
    body: list[ast.stmt] = []
    for part in _tests(node.test):
        order = _Order(c)
        test = order.expression(part)
        no = ast.copy_location(ast.UnaryOp(ast.Not(), test), part)
        leave = ast.copy_location(ast.Break(), part)
        body += [*order.made, ast.copy_location(ast.If(no, [leave], []), part)]
    always = ast.copy_location(ast.Constant(value=True), node.test)
    return _with(node, test=always, body=[*body, *node.body])
