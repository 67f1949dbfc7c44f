"""What the language does not say, and what it does not say yet: one place for each.

A refusal names the construct and the line to write instead. To add a construct to the
language, take its refusal out here and give it a meaning where this was called.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.ir.show import expr_text
from workbench.lang import lines
from workbench.lang.names import ArrayName, Context, arrays_of
from workbench.lang.values import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

_INDICES = "ijklmnpq"

_EXPRESSIONS: Mapping[type[ast.AST], tuple[str, str]] = {
    ast.ListComp: ("a list", "sum(x[i] for i in range(N))"),
    ast.SetComp: ("a set", "sum(x[i] for i in range(N))"),
    ast.DictComp: ("a dict", "an array: y[i] = x[i]"),
    ast.GeneratorExp: ("a bare generator", "sum(x[i] for i in range(N))"),
    ast.List: ("a list", "an array as a parameter: x: f32[N]"),
    ast.Set: ("a set", "an array as a parameter: x: f32[N]"),
    ast.Dict: ("a dict", "an array as a parameter: x: f32[N]"),
    ast.Tuple: ("a tuple", "one value per name: a = 1.0"),
    ast.Lambda: ("a lambda", "the expression itself"),
    ast.NamedExpr: ("':=' outside of a loop block", "an equation of its own: v[i] = ..."),
    ast.Await: ("'await'", "the expression itself"),
    ast.Yield: ("'yield'", "return y"),
    ast.YieldFrom: ("'yield from'", "return y"),
    ast.JoinedStr: ("a string", "a number"),
    ast.Starred: ("'*' in front of a value", "the values one by one"),
    ast.Slice: ("a slice", "one equation with an index: y[i] = x[i + 1]"),
}

_STATEMENTS: Mapping[type[ast.AST], tuple[str, str]] = {
    ast.Import: ("an import", "the functions of the language need none: exp(x[i])"),
    ast.ImportFrom: ("an import", "the functions of the language need none: exp(x[i])"),
    ast.ClassDef: ("a class", "def double(x: f32[N]) -> f32[N]:"),
    ast.FunctionDef: ("a function inside a function", "the function before this one"),
    ast.AsyncFunctionDef: ("an async function", "def double(x: f32[N]) -> f32[N]:"),
    ast.With: ("'with'", "the equations themselves"),
    ast.Try: ("'try'", "a if c else b"),
    ast.Raise: ("'raise'", "a leading fact: assert N > 0"),
    ast.Delete: ("'del'", "another name"),
    ast.Global: ("'global'", "a parameter: alpha: f32"),
    ast.Nonlocal: ("'nonlocal'", "a parameter: alpha: f32"),
    ast.Match: ("'match'", "a if c else b"),
    ast.Return: ("'return' inside a block", "return y on the last line, outside of the block"),
    ast.Assert: ("'assert' inside a block", "assert N > 0 on the first line of the kernel"),
    ast.Pass: ("'pass'", "y[i] = x[i]"),
    ast.Expr: ("an expression on a line of its own", "y[i] = ..."),
}


_METHODS = frozenset({"sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin"})
_ATTRIBUTES: Mapping[str, str] = {
    **{word: f"{word}(x[i] for i in range(N))" for word in _METHODS},
    "mean": "sum(x[i] for i in range(N)) / N",
    "shape": "the dims of the signature: x: f32[M, N]",
    "T": "y[i, j] = x[j, i]",
}


def expression(c: Context, node: ast.expr) -> None:
    """An expression that the language does not have."""
    match node:
        case ast.Attribute():
            attribute(c, node)
        case ast.BinOp(op=ast.MatMult()):
            matrix_product(c, node)
        case _:
            what, hint = _EXPRESSIONS.get(type(node), (f"'{type(node).__name__}'", ""))
            c.wrong(node, f"{what} is not part of the language", hint=hint)


def statement(c: Context, node: ast.stmt) -> None:
    """A statement that the language does not have at this place."""
    what, hint = _STATEMENTS.get(type(node), (f"'{_keyword(node)}' at this place", ""))
    match node:
        case ast.Expr() if any(
            c.dunder(x, x.id) for x in ast.walk(node) if isinstance(x, ast.Name)
        ):
            return
        case ast.While():
            hint = "for t in range(T):, or 'while' inside for i in grid(N):"
        case ast.Break() | ast.Continue():
            hint = "bounds of the loop that end it, or 'if ...:' around its other lines"
        case _:
            pass
    c.wrong(node, f"{what} is not part of the language", hint=hint)


def attribute(c: Context, node: ast.Attribute, call: ast.Call | None = None) -> None:
    """`np.exp`, `x.shape`, `x.T`; `call` is the call of it, if it is called."""
    text = c.report.text(node)
    if c.dunder(node, node.attr):
        return
    hint = _ATTRIBUTES.get(node.attr, "the values themselves: x[i]")
    array = c.names.get(node.value.id) if isinstance(node.value, ast.Name) else None
    if isinstance(array, ArrayName):
        rank = len(array.array.shape)
        if call is not None and node.attr in _METHODS and not call.args and not call.keywords:
            hint = c.report.mended(call, lines.reduced(c, node.attr, array))
        elif node.attr == "T" and rank == 2:
            hint = f"{array.array.name}[j, i]"
        elif node.attr == "shape":
            hint = "the dims of the signature: " + ", ".join(map(expr_text, array.array.shape))
    c.wrong(node, f"'{text}': attributes are not part of the language", hint=hint)


def matrix_product(c: Context, node: ast.BinOp) -> None:
    """`A @ B`."""
    hint = "C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))"
    match node:
        case ast.BinOp(ast.Name(id=a), _, ast.Name(id=b)):
            arrays = arrays_of(c.names)
            if a in arrays and b in arrays and len(arrays[a].array.shape) == 2:
                inner = expr_text(arrays[a].array.shape[1])
                hint = f"C[i, j] = sum({a}[i, k] * {b}[k, j] for k in range({inner}))"
        case _:
            pass
    c.wrong(node, "'@' is not part of the language", hint=hint)


def whole_array(c: Context, node: ast.Name, name: ArrayName) -> None:
    """An array without its indices."""
    rank = len(name.array.shape)
    hint = c.report.mended(node, subscripted(node.id, rank))
    message = f"'{node.id}' is an array with {plural(rank, 'dimension')}, used here without indices"
    c.wrong(node, message, hint=hint)


def whole_assignment(c: Context, node: ast.Assign, target: str) -> bool:
    """`C = A + B` on whole arrays: the equation to write. False where it is none."""
    arrays = {k: a for k, a in arrays_of(c.names).items() if a.array.shape}
    bare = [x for x in _bare_names(node.value) if x.id in arrays]
    if not bare or any(isinstance(x, ast.MatMult) for x in ast.walk(node.value)):
        return False
    rank = max(len(arrays[x.id].array.shape) for x in bare)
    text = c.report.text(node.value)
    start = c.report.span(node.value).start
    if text == c.report.span(node.value).text:
        for x in sorted(bare, key=lambda x: -c.report.span(x).start):
            place = c.report.span(x)
            new = subscripted(x.id, len(arrays[x.id].array.shape))
            text = text[: place.start - start] + new + text[place.end - start :]
        hint = f"{subscripted(target, rank)} = {text}"
    else:
        hint = subscripted(target, rank) + " = ..."
    c.wrong(node, f"'{target}' is made of whole arrays; an equation names its indices", hint=hint)
    return True


def subscripted(name: str, rank: int) -> str:
    """`A[i, j]` for a rank of 2."""
    return f"{name}[{', '.join(_INDICES[n % len(_INDICES)] for n in range(rank))}]"


def point_write(c: Context, node: ast.expr, target: str) -> None:
    """`y[0] = e`, `y[i + 1] = e`, `y[n] = e` as an equation."""
    c.wrong(
        node,
        f"'{c.report.text(node)}' on the left of an equation is not a new index; an array "
        "written in parts needs a loop block",
        hint=f"for i in grid(N): {target}[i] = ... if i == 0 else ...",
    )


def inner_grid(c: Context, node: ast.For) -> None:
    """`grid` inside a loop block."""
    c.wrong(
        node,
        "a grid inside a block is not there yet",
        hint="one grid for all parallel loops: for y, x in grid(H, W):",
    )


def data_range(c: Context, node: ast.expr) -> None:
    """A range whose bounds depend on array elements."""
    c.wrong(
        node,
        f"'{c.report.text(node)}' depends on array elements; such ranges are not there yet",
        hint="a range of dims with a condition: sum(x[k] for k in range(N) if k < n[i])",
    )


def step(c: Context, node: ast.Call, name: str, first: str, length: str) -> None:
    """`range(a, b, -1)`, `range(a, b, n)`; `first` is `a`, and `length` is `a - b`."""
    start, stop, by = (_operand(c, a) for a in node.args)
    hint = c.report.mended(node, f"range({start}, {stop}, 2)")
    if by == "(-1)":
        hint = c.report.mended(node, f"range({length})") + f" with {first} - {name} for {name}"
    elif by.startswith("(-"):
        down = by[2:-1]
        hint = c.report.mended(node, f"range(({length} + {down} - 1) // {down})")
        hint += f" with {first} - {name} * {down} for {name}"
    text = c.report.text(node.args[2])
    message = f"the step of a range is a whole literal from 1 on, here {text}"
    c.wrong(node.args[2], message, hint=hint)


def _operand(c: Context, node: ast.expr) -> str:
    """The text of an expression as an operand of another: `3`, `N`, `(N - 1)`."""
    text = c.report.text(node)
    return text if isinstance(node, ast.Name | ast.Constant) else f"({text})"


def kernel_call(c: Context, node: ast.Call, name: str) -> None:
    """A call of a kernel inside an expression."""
    c.wrong(
        node,
        f"'{name}' is a kernel; it is called on a line of its own",
        hint=f"h = {name}(...) and then h[i]",
    )


def _bare_names(node: ast.AST) -> list[ast.Name]:
    """Names that stand neither under a subscript nor as the function of a call."""
    match node:
        case ast.Name():
            return [node]
        case ast.Subscript():
            return []
        case ast.Call(args=args):
            return [x for a in args for x in _bare_names(a)]
        case _:
            return [x for child in ast.iter_child_nodes(node) for x in _bare_names(child)]


def _keyword(node: ast.stmt) -> str:
    match node:
        case ast.AugAssign():
            return "an update"
        case _:
            return type(node).__name__.lower()
