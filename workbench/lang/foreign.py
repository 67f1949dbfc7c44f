"""Functions that others know and the language says with an equation: `mean`, `relu`, `np.dot`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from workbench.ir.show import expr_text
from workbench.lang import lines, rewrites
from workbench.lang.names import ArrayName, Context

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MEANT: Mapping[str, str] = {
    "relu": "maximum({}, 0.0)", "sigmoid": "1 / (1 + exp(-{}))", "float": "f32({})",
    "int": "i32({})", "softplus": "log1p(exp({}))", "silu": "{} / (1 + exp(-{}))",
    "rsqrt": "1 / sqrt({})", "isnan": "({} != {})", "negative": "-{}",
}  # fmt: skip
"""What a function of one value is in the language."""

_REDUCED: Mapping[str, str] = {
    "sum": "sum", "mean": "mean", "average": "mean", "prod": "prod", "max": "max", "amax": "max",
    "min": "min", "amin": "min", "argmax": "argmax", "argmin": "argmin", "any": "any",
    "all": "all",
}  # fmt: skip


def line(c: Context, node: ast.Call, name: str) -> str | None:
    """The line with what the call of a function of Python or NumPy means, where that is clear."""
    match name, node.args:
        case (("len" | "size"), [ast.Name(id=x)]) if isinstance(old := c.names.get(x), ArrayName):
            sizes = [expr_text(n) for n in old.array.shape]
            size = lines.product(sizes[:1] if name == "len" else sizes)
            return c.report.mended(node, lines.operand(size))
        case word, [ast.Name(id=x)] if (
            word in _REDUCED and isinstance(old := c.names.get(x), ArrayName) and not node.keywords
        ):
            return c.report.mended(node, lines.reduced(c, _REDUCED[word], old))
        case (("norm" | "softmax" | "cumsum"), [ast.Name(id=x)]) if (
            isinstance(old := c.names.get(x), ArrayName) and len(old.array.shape) == 1
        ):
            return _of_vector(c, node, name, old)
        case (("dot" | "matmul"), [left, right]):
            target = c.another("T")
            made = rewrites.product(c, target, left, right)
            return None if made is None else f"{made}\n{c.report.mended(node, target)}"
        case word, [x] if word in _MEANT:
            text = lines.operand(c.report.text(x))
            return c.report.mended(node, _MEANT[word].replace("{}", text))
        case _:
            return None


def _of_vector(c: Context, node: ast.Call, name: str, array: ArrayName) -> str:
    """The line with a norm, a softmax or a prefix sum of an array with one dimension."""
    (k,) = c.free(1)
    i = next(iter(lines.scope(c)), "0")
    x, size = array.array.name, expr_text(array.array.shape[0])
    over = f"for {k} in range({size})"
    match name:
        case "norm":
            return c.report.mended(node, f"sqrt(sum({x}[{k}] ** 2 {over}))")
        case "cumsum":
            return c.report.mended(node, f"sum({x}[{k}] for {k} in range({i} + 1))")
        case _:
            top = c.another("top")
            value = f"exp({x}[{i}] - {top}) / sum(exp({x}[{k}] - {top}) {over})"
            return f"{top} = max({x}[{k}] {over})\n{c.report.mended(node, value)}"


def function(c: Context, node: ast.Call, place: ast.Name, known: Iterable[str]) -> None:
    """A function that is none of the language."""
    meant = line(c, node, place.id)
    if meant is not None:
        c.wrong(place, f"function '{place.id}' is not known", hint=meant)
        return
    args = ", ".join("abcdefgh"[: len(node.args)])
    hint = f"a function before the kernel: def {place.id}({args}):"
    c.report.unknown(place, "function", place.id, known, hint=hint)
