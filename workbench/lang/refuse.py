"""What the language does not say, and what it does not say yet: one place for each.

A refusal names the construct and the line to write instead. To add a construct to the
language, take its refusal out here and give it a meaning where this was called.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.base.dtypes import ALIASES, DTYPES
from workbench.ir.graph import Graph
from workbench.ir.show import expr_text
from workbench.lang import lines, rewrites
from workbench.lang.names import INDICES, ArrayName, Context
from workbench.lang.values import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXPRESSIONS: Mapping[type[ast.AST], tuple[str, str]] = {
    ast.ListComp: ("a list", "an equation for its elements: y[i] = ..."),
    ast.SetComp: ("a set", "an equation for its elements: y[i] = ..."),
    ast.DictComp: ("a dict", "an equation for its elements: y[i] = ..."),
    ast.GeneratorExp: ("a bare generator", "an equation for its elements: y[i] = ..."),
    ast.List: ("a list", "an array as a parameter, or an equation for each value"),
    ast.Set: ("a set", "an array as a parameter, or an equation for each value"),
    ast.Dict: ("a dict", "an array as a parameter, or an equation for each value"),
    ast.Tuple: ("a tuple", "an equation for each value"),
    ast.Lambda: ("a lambda", "the expression itself, or a function beside the kernel"),
    ast.NamedExpr: ("':=' outside of a loop block", ""),
    ast.Await: ("'await'", ""),
    ast.Yield: ("'yield'", ""),
    ast.YieldFrom: ("'yield from'", ""),
    ast.JoinedStr: ("a string", "a number"),
    ast.Starred: ("'*' in front of a value", "the values one by one"),
    ast.Slice: ("a slice", "an index for each element: x[i + 1]"),
}

_STATEMENTS: Mapping[type[ast.AST], tuple[str, str]] = {
    ast.Import: ("an import", "no line: the functions of the language need none"),
    ast.ImportFrom: ("an import", "no line: the functions of the language need none"),
    ast.ClassDef: ("a class", "functions beside each other: def double(x: f32[N]) -> f32[N]:"),
    ast.FunctionDef: ("a function inside a function", "the function beside the kernel, above it"),
    ast.AsyncFunctionDef: ("an async function", ""),
    ast.With: ("'with'", "the lines inside, without it"),
    ast.Try: ("'try'", "a value for each case: a if c else b"),
    ast.Raise: ("'raise'", "a fact that calls are held to: assert N > 0"),
    ast.Delete: ("'del'", "no line: an array is given back once nothing needs it"),
    ast.Nonlocal: ("'nonlocal'", "a parameter of the function"),
    ast.Match: ("'match'", "a value for each case: a if c else b"),
    ast.Return: ("'return' inside a block", "'return' as the last line of the kernel"),
    ast.Assert: ("'assert' inside a block", ""),
    ast.Pass: ("'pass'", "no line"),
    ast.Expr: ("an expression on a line of its own", "an equation that keeps it: y[i] = ..."),
}


_NUMBERS = frozenset({"pi", "inf", "nan"})
_METHODS = frozenset({"sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin"})


def expression(c: Context, node: ast.expr) -> None:
    """An expression that the language does not have."""
    match node:
        case ast.Attribute():
            attribute(c, node)
        case ast.BinOp(op=ast.MatMult()):
            matrix_product(c, node)
        case _:
            what, hint = _EXPRESSIONS.get(type(node), (f"'{type(node).__name__}'", ""))
            c.wrong(node, f"{what} is not part of the language", hint=_line_for(c, node) or hint)


def _line_for(c: Context, node: ast.expr) -> str:
    """The line with what is meant, where that is clear."""
    match node:
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            text = c.report.text(node)
            return c.report.mended(node, f"sum({text[1:-1].strip()})")
        case ast.Await(value) | ast.Yield(ast.expr() as value) | ast.YieldFrom(value):
            return c.report.mended(node, c.report.text(value))
        case ast.NamedExpr(target, value):
            new = lines.indexed(target.id, lines.scope(c))
            first, then = f"{new} = {c.report.text(value)}", c.report.mended(node, new)
            again = f"\n    {first} as the last line of the loop too"
            return f"{first}\n{then}{again if then.startswith('while') else ''}"
        case _:
            return ""


def statement(c: Context, node: ast.stmt) -> None:
    """A statement that the language does not have at this place."""
    what, hint = _STATEMENTS.get(type(node), (f"'{_keyword(node)}' at this place", ""))
    match node:
        case ast.Expr() if any(
            c.dunder(x, x.id) for x in ast.walk(node) if isinstance(x, ast.Name)
        ):
            return
        case ast.Expr(ast.Constant(value=str(text))) if text.isprintable():
            hint = f"# {text}"
        case ast.Expr(ast.Call(func=ast.Name(id=name))) if name in c.functions:
            hint = c.report.mended(node, f"{c.another('h')} = {c.report.text(node)}")
        case ast.Global(names=[name, *_]):
            what, hint = "'global'", f"{name}: f32 as a parameter"
        case ast.Assert():
            hint = f"{c.report.text(node)} as the first line"
        case ast.AsyncFunctionDef():
            span = c.report.span(node)
            hint = " ".join(c.report.source.line(span.position[0]).split()[1:])
        case ast.While():
            hint = "a loop with its number of turns: for t in range(T):"
        case ast.Break() | ast.Continue():
            hint = "bounds of the loop that end it, or 'if ...:' around its other lines"
        case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target):
            c.wrong(target, f"'{c.report.text(target)}' cannot be assigned here",
                    hint="names of locals on the left")  # fmt: skip
            return
        case _:
            pass
    c.wrong(c.report.header(node), f"{what} is not part of the language", hint=hint)


def attribute(c: Context, node: ast.Attribute, around: ast.expr | None = None) -> None:
    """`x.shape`, `x.T`; `around` is the call or the subscript of it, if there is one."""
    text = c.report.text(node)
    if c.dunder(node, node.attr):
        return
    array = c.names.get(node.value.id) if isinstance(node.value, ast.Name) else None
    hint = ""
    if isinstance(array, ArrayName):
        hint = _of_array(c, node, array, around)
    elif node.attr in _NUMBERS and around is None:
        hint = c.report.mended(node, node.attr)
    elif node.attr in _METHODS:
        hint = f"a reduction: {node.attr}(x[i] for i in range(N))".replace("mean", "sum")
    c.wrong(node, f"'{text}': attributes are not part of the language",
            hint=hint or "the values themselves: x[i]")  # fmt: skip


def _of_array(c: Context, node: ast.Attribute, array: ArrayName, around: ast.expr | None) -> str:
    """The line without an attribute of an array, where its meaning is clear."""
    shape = [expr_text(x) for x in array.array.shape]
    match node.attr, around:
        case "shape", ast.Subscript(slice=ast.Constant(int(place))) if 0 <= place < len(shape):
            return c.report.mended(around, lines.operand(shape[place]))
        case "shape", _:
            return "the dims of the signature: " + ", ".join(shape)
        case "size", None:
            return c.report.mended(node, lines.product(shape))
        case "ndim", None:
            return c.report.mended(node, str(len(shape)))
        case "T", ast.Subscript() if len(shape) == 2:
            parts = [c.report.text(x) for x in lines.each(around.slice)]
            return c.report.mended(around, lines.indexed(array.array.name, parts[::-1]))
        case "T", None if len(shape) == 2:
            indices = lines.as_many([], lines.scope(c), 2)[::-1]
            return c.report.mended(node, lines.indexed(array.array.name, indices))
        case word, ast.Call(args=[], keywords=[]) if word in _METHODS:
            return c.report.mended(around, lines.reduced(c, word, array))
        case "astype", ast.Call(args=[dtype, *_]):
            rank = len(shape)
            element = lines.indexed(array.array.name, lines.as_many([], lines.scope(c), rank))
            return c.report.mended(around, f"{dtype_word(dtype)}({element})")
        case _:
            return ""


def dtype_word(node: ast.expr) -> str:
    """The dtype that `np.float32`, `'f4'` and the like mean; f32 where that is not known."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) | ast.Constant(value=str(name)):
            return ALIASES.get(name, name if name in DTYPES else "f32")
        case _:
            return "f32"


def matrix_product(c: Context, node: ast.BinOp) -> None:
    """`A @ B` inside of a larger expression."""
    name = c.another("T")
    line = rewrites.product(c, name, node.left, node.right)
    hint = "C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))"
    if line is not None:
        hint = f"{line}\n{c.report.mended(node, name)}"
    c.wrong(node, "'@' is not part of the language", hint=hint)


def whole_array(c: Context, node: ast.Name, name: ArrayName) -> None:
    """An array without its indices."""
    rank = len(name.array.shape)
    indices = lines.scope(c) or c.free(rank)
    hint = c.report.mended(node, lines.indexed(node.id, lines.as_many([], indices, rank)))
    message = f"'{node.id}' is an array with {plural(rank, 'dimension')}, used here without indices"
    c.wrong(node, message, hint=hint)


def whole_assignment(c: Context, node: ast.Assign, target: str) -> bool:
    """`C = A + B` on whole arrays: the equation to write. False where it is none."""
    match node.value:
        case ast.BinOp(left, ast.MatMult(), right):
            line = rewrites.product(c, target, left, right)
            if line is None:
                return False
            c.wrong(node.value, "'@' is not part of the language", hint=line)
            return True
        case ast.Call(ast.Attribute(attr="dot" | "matmul"), [left, right], []):
            line = rewrites.product(c, target, left, right)
            if line is not None:
                words = f"'{c.report.text(node.value.func)}': functions stand without a module"
                c.wrong(node.value.func, words, hint=line)
                return True
        case _:
            pass
    if any(isinstance(x, ast.MatMult) for x in ast.walk(node.value)):
        return False
    if not rewrites.rank(c, node.value):
        return False
    hint = rewrites.equation(c, target, node.value) or f"{subscripted(target, 1)} = ..."
    c.wrong(node, f"'{target}' is made of whole arrays; an equation names its indices", hint=hint)
    return True


def sliced(c: Context, node: ast.Subscript, part: ast.expr) -> None:
    """`x[1:3]` where one value stands."""
    hint = ""
    match node:
        case ast.Subscript(ast.Name(id=name), ast.Slice(lower, upper, None)) if (
            isinstance(old := c.names.get(name), ArrayName) and len(old.array.shape) == 1
        ):
            (k,) = c.free(1)
            bounds = [] if lower is None else [c.report.text(lower)]
            stop = expr_text(old.array.shape[0]) if upper is None else c.report.text(upper)
            over = ", ".join([*bounds, stop])
            hint = c.report.mended(node, f"sum({name}[{k}] for {k} in range({over}))")
        case _:
            pass
    what, words = _EXPRESSIONS[ast.Slice]
    c.wrong(part, f"{what} is not part of the language", hint=hint or words)


def slice_written(c: Context, node: ast.Assign, target: ast.Subscript, part: ast.expr) -> None:
    """`y[:] = x`: the equation for all elements."""
    whole = all(
        isinstance(x, ast.Slice) and x.lower is x.upper is x.step is None
        for x in lines.each(target.slice)
    )
    hint = "a loop block for a part of the elements: for i in grid(N):"
    if whole and isinstance(target.value, ast.Name):
        hint = rewrites.equation(c, target.value.id, node.value) or hint
    c.wrong(part, "a slice is not part of the language", hint=hint)


def subscripted(name: str, rank: int) -> str:
    """`A[i, j]` for a rank of 2."""
    return f"{name}[{', '.join(INDICES[n % len(INDICES)] for n in range(rank))}]"


def point_write(c: Context, node: ast.expr, target: ast.Subscript, value: ast.expr) -> None:
    """`y[i + 1] = e` as an equation."""
    extents = rewrites.extents(c, value, frozenset())
    names = rewrites.unknown_indices(c, target)
    hint = "a block for a part of the elements: for i in grid(N):"
    if names and all(n in extents for n in names):
        loops = f"for {', '.join(names)} in grid({', '.join(extents[n] for n in names)}):"
        hint = f"{loops}\n    {c.report.text(target)} = {c.report.text(value)}"
    c.wrong(
        node,
        f"'{c.report.text(node)}' on the left of an equation is not a new index; an array "
        "written in parts needs a loop block",
        hint=hint,
    )


def inner_grid(c: Context, node: ast.For) -> None:
    """`grid` inside a loop block."""
    c.wrong(
        node.iter,
        "a grid inside a block is not there yet",
        hint=" ".join(c.report.source.line(c.report.span(node).position[0]).split()).replace(
            "grid(", "range(", 1
        ),
    )


def loop_target(c: Context, target: ast.expr) -> None:
    """`for k, v in range(3):`."""
    names = [x.id for x in ast.walk(target) if isinstance(x, ast.Name)]
    hint = c.report.mended(target, names[0] if names else c.free(1)[0])
    c.wrong(target, "a loop binds a name", hint=hint)


def loop_else(c: Context, node: ast.For | ast.While) -> None:
    """`else:` under a loop."""
    span, last = c.report.span(node.orelse[0]), c.report.span(node.body[-1])
    at = span.source.text.find("else", last.end)
    place = type(span)(span.source, at, at + len("else"))
    c.wrong(place, "'else' of a loop is not part of the language",
            hint="its lines after the loop, without 'else'")  # fmt: skip


def moving_start(c: Context, node: ast.expr, made_of: str) -> None:
    """`range(m[0], n, 2)`."""
    assert isinstance(node, ast.Call)
    start = node.args[0]
    c.wrong(start, f"the start of a range with a step is made of dims, scalars and {made_of}",
            hint=c.report.mended(start, "0"))  # fmt: skip


def data_range(c: Context, node: ast.expr) -> None:
    """A range whose bounds depend on array elements."""
    c.wrong(
        node,
        f"'{c.report.text(node)}' depends on array elements; such ranges are not there yet",
        hint="a grid of dims, with a condition inside: for i in grid(N):",
    )


def step(
    c: Context,
    node: ast.Call,
    name: str,
    first: str,
    length: str,
    generator: ast.GeneratorExp | None,
) -> None:
    """`range(a, b, -1)`, `range(a, b, n)`; `first` is `a`, and `length` is `a - b`.

    In a generator the line has the new index in its body; in a loop the hint says it.
    """
    start, stop, by = (c.report.text(a) for a in node.args)
    new, value = f"range({start}, {stop}, 2)", ""
    if by == "-1":
        new, value = f"range({length})", f"{first} - {name}"
    elif by.startswith("-"):
        down = by[1:]
        new = f"range(({length} + {down} - 1) // {down})"
        value = f"{first} - {name} * {down}"
    if generator is not None and value:
        body = lines.with_names(c.report.text(generator.elt), {name: value})
        hint = lines.edited(c, generator, {generator.elt: body, node: new})
    else:
        hint = c.report.mended(node, new) + (f" with {value} for {name}" if value else "")
    text = c.report.text(node.args[2])
    message = f"the step of a range is a whole literal from 1 on, here {text}"
    c.wrong(node.args[2], message, hint=hint)


def kernel_call(c: Context, node: ast.Call, name: str) -> None:
    """A call of a kernel inside an expression."""
    callee, call, target = c.functions.get(name), c.report.text(node), c.another("h")
    indices = lines.scope(c)
    if isinstance(callee, Graph):
        rank = len(callee.arrays()[callee.outputs[0]].shape)
        indices = lines.as_many([], indices, rank)
    c.wrong(
        node,
        f"'{name}' is a kernel; it is called on a line of its own",
        hint=f"{target} = {call}\n{c.report.mended(node, lines.indexed(target, indices))}",
    )


def _keyword(node: ast.stmt) -> str:
    match node:
        case ast.AugAssign():
            return "an update"
        case _:
            return type(node).__name__.lower()
