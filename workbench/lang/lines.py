"""Lines to write instead, made of the user's own names, dims and dtypes.

Refusals ask here; each line that comes out is one that the language takes.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from workbench.base.dtypes import F32, I32, joined
from workbench.ir.show import expr_text
from workbench.lang.names import ArrayName, Context, Dim, arrays_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.dtypes import DType
    from workbench.lang.extents import Polynomial
    from workbench.lang.report import Place, Report

_INDICES = "ijklmnpq"
_WORDS: Mapping[str, str] = {"mean": "sum"}
"""Methods of arrays that are a reduction of another name, and something more."""


def free_indices(c: Context, count: int) -> list[str]:
    """Names for so many indices, none of which stands for something else."""
    free = [x for x in _INDICES if x not in c.names]
    numbered = (f"i{n}" for n in range(len(c.names) + count))
    return [*free, *(x for x in numbered if x not in c.names)][:count]


def reduced(c: Context, word: str, name: ArrayName) -> str:
    """`sum(x[i, j] for i in range(M) for j in range(N))`; a mean divides it."""
    sizes = [expr_text(x) for x in name.array.shape]
    indices = free_indices(c, len(sizes))
    text = name.array.name + (f"[{', '.join(indices)}]" if indices else "")
    ranges = "".join(f" for {i} in range({n})" for i, n in zip(indices, sizes, strict=True))
    if not ranges:
        return text
    if word in {"argmax", "argmin"} and len(sizes) != 1:
        return flattened(word, text, dict(zip(indices, sizes, strict=True)))
    call = f"{_WORDS.get(word, word)}({text}{ranges})"
    return call if word != "mean" else f"{call} / {_operand(_product(sizes))}"


def flattened(word: str, body: str, ranges: Mapping[str, str]) -> str:
    """An argmax over several ranges from 0 as one over a position; `body` is an expression."""
    tree = ast.parse(body, mode="eval").body
    used = {x.id for x in ast.walk(tree) if isinstance(x, ast.Name)} | set(ranges)
    at = next(x for x in ("p", "q", "at", *(f"p{n}" for n in range(len(used) + 1)))
              if x not in used or x in ranges)  # fmt: skip
    sizes = list(ranges.values())
    parts: dict[str, str] = {}
    for place, name in enumerate(ranges):
        inner = _product(sizes[place + 1 :])
        e = at if not inner else f"{at} // {_operand(inner)}"
        parts[name] = e if place == 0 else f"{_operand(e)} % {_operand(sizes[place])}"
    last = list(ranges)[-1]
    parts[last] = f"{at} % {_operand(sizes[-1])}"
    return f"{word}({with_names(body, parts)} for {at} in range({_product(sizes)}))"


def with_names(text: str, values: Mapping[str, str]) -> str:
    """An expression on one line with expressions in the place of names."""
    tree = ast.parse(text, mode="eval").body
    subscripts = [s.slice for s in ast.walk(tree) if isinstance(s, ast.Subscript)]
    alone = {id(x) for s in subscripts for x in (s.elts if isinstance(s, ast.Tuple) else [s])}
    found = [x for x in ast.walk(tree) if isinstance(x, ast.Name) and x.id in values]
    raw = text.encode()
    for x in sorted(found, key=lambda x: -x.col_offset):
        new = values[x.id] if id(x) in alone else _operand(values[x.id])
        assert x.end_col_offset is not None
        raw = raw[: x.col_offset] + new.encode() + raw[x.end_col_offset :]
    return raw.decode()


def declaration(
    c: Context, target: ast.Subscript, value: ast.expr | None, extents: Mapping[str, str]
) -> str:
    """`T: f32[N, 8]` for what a line writes; `extents` are those of loops, by their names.

    The dtype is that of the arrays on the right, and a dim of the kernel stands for an extent
    that is not known, one of each at most.
    """
    parts = list(target.slice.elts) if isinstance(target.slice, ast.Tuple) else [target.slice]
    known = [extents.get(p.id) if isinstance(p, ast.Name) else None for p in parts]
    name = ast.unparse(target.value)
    return f"{name}: {_dtype_of(c, value)}[{', '.join(filled(c, known))}]"


def filled(c: Context, sizes: list[str | None]) -> list[str]:
    """The extents, with dims that none of them names, or 8, where one is not known."""
    said = {x for x in sizes if x is not None}
    spare = iter([k for k, n in c.names.items() if isinstance(n, Dim) and k not in said])
    return [next(spare, "8") if x is None else x for x in sizes]


def _dtype_of(c: Context, value: ast.expr | None) -> DType:
    """The dtype of the arrays that are read, joined; f32 where none is."""
    if value is None:
        return F32
    arrays = arrays_of(c.names)
    inside = {id(x) for s in ast.walk(value) if isinstance(s, ast.Subscript)
              for x in ast.walk(s.slice)}  # fmt: skip
    read = [arrays[x.id].array.dtype for x in ast.walk(value)
            if isinstance(x, ast.Name) and x.id in arrays and id(x) not in inside]  # fmt: skip
    found: DType | None = read[0] if read else None
    for dtype in read[1:]:
        found = None if found is None else joined(found, dtype)
    return found or (I32 if read else F32)


def polynomial_text(p: Polynomial) -> str:
    """`N - 1`, `2 * N + M`."""
    text = ""
    for names, factor in sorted(p.items(), key=lambda x: (not x[0], x[1] < 0, x[0])):
        size = abs(factor)
        parts = [*([str(size)] if size != 1 or not names else []), *names]
        term = " * ".join(parts)
        if not text:
            text = term if factor > 0 else f"-{term}"
        else:
            text += f" {'+' if factor > 0 else '-'} {term}"
    return text or "0"


def cast_line(report: Report, place: Place, dtype: DType) -> str:
    """The line with `dtype(...)` around the value at a place; of `x[i] += e` around `e`."""
    match place:
        case ast.BinOp(left, op, right) if _is_update(report, place):
            value = report.text(right)
            target = report.text(left)
            if isinstance(op, ast.Add | ast.Sub):
                return report.mended(right, f"{dtype}({value})")
            sign = _between(report, left, right).removesuffix("=")
            right_side = value if _is_operand(right) else f"({value})"
            return f"{target} = {dtype}({target} {sign} {right_side})"
        case _:
            text = report.text(place)
            if text != report.span(place).text:
                return f"{dtype}(...) around the value"
            return report.mended(place, f"{dtype}({text})")


def _is_update(report: Report, node: ast.BinOp) -> bool:
    """Whether an operation is what `x[i] += e` stands for."""
    return _between(report, node.left, node.right).endswith("=")


def _between(report: Report, left: ast.expr, right: ast.expr) -> str:
    start, end = report.span(left).end, report.span(right).start
    return report.source.text[start:end].strip(" ()\t\\\n")


def _is_operand(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Constant | ast.Subscript | ast.Call)


def _product(sizes: list[str]) -> str:
    if len(sizes) == 1:
        return sizes[0]
    return " * ".join(_operand(x) for x in sizes)


def _operand(text: str) -> str:
    """The text of an expression as an operand of another."""
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def renamed_line(report: Report, generator: ast.GeneratorExp, part: ast.comprehension) -> str:
    """The line with another name for the index of a part; "" where two parts bind the same."""
    assert isinstance(part.target, ast.Name)
    name = part.target.id
    bound = [x.target.id for x in generator.generators if isinstance(x.target, ast.Name)]
    if bound.count(name) > 1:
        return ""
    used = set(re.findall(r"\w+", report.source.text))
    new = next((x for x in ("k", *_INDICES) if x not in used), f"{name}_1")
    before = generator.generators[: generator.generators.index(part) + 1]
    outer = {x for each in before for x in ast.walk(each.iter)}
    span = report.span(generator)
    text = span.text
    places = [
        report.span(x).start - span.start
        for x in ast.walk(generator)
        if isinstance(x, ast.Name) and x.id == name and x not in outer
    ]
    for at in sorted(places, reverse=True):
        text = text[:at] + new + text[at + len(name) :]
    return report.mended(generator, text)
