"""Lines to write instead, made of the user's own names, dims and dtypes.

Refusals ask here; each line that comes out is one that the language takes.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from workbench.base.dtypes import F32, I32, joined
from workbench.ir.show import expr_text
from workbench.lang.names import INDICES, ArrayName, Context, Dim, arrays_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.base.dtypes import DType
    from workbench.base.source import Source
    from workbench.lang.extents import Polynomial
    from workbench.lang.report import Place, Report

_WORDS: Mapping[str, str] = {"mean": "sum"}
"""Methods of arrays that are a reduction of another name, and something more."""


def zero(dtype: DType) -> str:
    """The literal of nothing."""
    return {"f": "0.0", "b": "False"}.get(dtype.kind, "0")


def one(dtype: DType) -> str:
    """The literal of a plain value."""
    return {"f": "1.0", "b": "True"}.get(dtype.kind, "1")


def indexed(name: str, indices: Sequence[str]) -> str:
    """`A[i, j]`, and `s` without indices."""
    return f"{name}[{', '.join(indices)}]" if indices else name


def scope(c: Context) -> list[str]:
    """The indices that stand here."""
    return [name for name, _ in c.iteration]


def as_many(given: Sequence[str], more: Sequence[str], count: int) -> list[str]:
    """So many texts: those given, then what else there is, then zeros."""
    spare = [x for x in more if x not in given]
    return [*given, *spare, *["0"] * count][:count]


def refilled(c: Context, node: ast.Subscript, count: int) -> str:
    """The line with so many indices at a place: those written, and others that stand here."""
    parts = [c.report.text(x) for x in each(node.slice)]
    new = indexed(c.report.text(node.value), as_many(parts, scope(c), count))
    return c.report.mended(node, new)


def one_each(c: Context, targets: Sequence[ast.expr], value: ast.expr) -> str:
    """The lines for `a = b = e`."""
    text = c.report.text(value)
    return "\n".join(f"{c.report.text(t)} = {text}" for t in targets)


def as_many_values(c: Context, value: ast.expr, count: int) -> str:
    """The line with so many values on the right, the last one several times."""
    given = [c.report.text(x) for x in each(value)]
    return c.report.mended(value, ", ".join([*given, *[given[-1]] * count][:count]))


def as_many_targets(c: Context, call: ast.Call, count: int) -> str:
    """The line with so many targets for what a call returns."""
    line = only_assignment(c.report.source.line(c.report.span(call).position[0]).strip())
    if not isinstance(line, ast.Assign):
        return "as many targets as values"
    left = [ast.unparse(x) for x in each(line.targets[0])]
    first = _base(line.targets[0])
    used = {*c.names, *(w for t in left for w in re.findall(r"\w+", t))}
    spare = [x for x in ("b", "c", "d", "e", "f", "g") if x not in used]
    more = [left[0].replace(first, x, 1) for x in spare]
    return f"{', '.join([*left, *more][:count])} = {ast.unparse(line.value)}"


def only_assignment(line: str) -> ast.stmt | None:
    """The statement on a line of its own; None where it is none."""
    try:
        body = ast.parse(line).body
    except (SyntaxError, ValueError):
        return None
    return body[0] if len(body) == 1 else None


def one_by_one(c: Context, target: ast.expr, value: ast.expr) -> str:
    """The lines for `a[i], b[i] = e, f`; a value that a line before changes is kept aside."""
    left, right = each_of(target), each_of(value)
    if len(left) != len(right):
        return "a line for each"
    names = [_base(t) for t in left]
    texts = [c.report.text(v) for v in right]
    first: list[str] = []
    for n, v in enumerate(right):
        read = {x.id for x in ast.walk(v) if isinstance(x, ast.Name)}
        if read & set(names[:n]) and isinstance(left[n], ast.Subscript):
            kept = c.report.text(left[n]).replace(names[n], c.another(f"{names[n]}_new"), 1)
            first.append(f"{kept} = {texts[n]}")
            texts[n] = kept
    last = [f"{c.report.text(t)} = {text}" for t, text in zip(left, texts, strict=True)]
    return "\n".join([*first, *last])


def _base(node: ast.expr) -> str:
    return next((x.id for x in ast.walk(node) if isinstance(x, ast.Name)), "")


def each_of(node: ast.expr) -> list[ast.expr]:
    """The parts of a tuple or a list; of anything else, itself."""
    return list(node.elts) if isinstance(node, ast.Tuple | ast.List) else [node]


def distinct(c: Context, targets: Sequence[ast.expr]) -> list[str]:
    """A name of its own for each target."""
    found: list[str] = []
    for t in targets:
        name = _base(t) or c.another("h")
        found.append(name if name not in found else c.another(name))
    return found


def edited(c: Context, node: ast.expr, edits: Mapping[ast.expr, str]) -> str:
    """The line with other texts for some parts of an expression."""
    span = c.report.span(node)
    text = span.text
    for part in sorted(edits, key=lambda x: -c.report.span(x).start):
        place = c.report.span(part)
        text = text[: place.start - span.start] + edits[part] + text[place.end - span.start :]
    return c.report.mended(node, " ".join(text.split()))


def cast_parts(c: Context, node: ast.expr, parts: Sequence[ast.expr], dtype: DType) -> str:
    """The line with `dtype(...)` around some parts of an expression."""
    return edited(c, node, {x: f"{dtype}({c.report.text(x)})" for x in parts})


def joined_indices(c: Context, node: ast.Subscript) -> str:
    """`A[i, j]` for `A[i][j]`."""
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Subscript):
        parts = [*(c.report.text(x) for x in each(inner.slice)), *parts]
        inner = inner.value
    return indexed(c.report.text(inner), parts)


def each(node: ast.expr) -> list[ast.expr]:
    """The parts of a tuple; of anything else, itself."""
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def reduced(c: Context, word: str, name: ArrayName) -> str:
    """`sum(x[i, j] for i in range(M) for j in range(N))`; a mean divides it."""
    sizes = [expr_text(x) for x in name.array.shape]
    indices = c.free(len(sizes))
    text = name.array.name + (f"[{', '.join(indices)}]" if indices else "")
    ranges = "".join(f" for {i} in range({n})" for i, n in zip(indices, sizes, strict=True))
    if not ranges:
        return text
    if word in {"argmax", "argmin"} and len(sizes) != 1:
        return flattened(word, text, dict(zip(indices, sizes, strict=True)))
    call = f"{_WORDS.get(word, word)}({text}{ranges})"
    return call if word != "mean" else f"{call} / {operand(product(sizes))}"


def flattened(word: str, body: str, ranges: Mapping[str, str]) -> str:
    """An argmax over several ranges from 0 as one over a position; `body` is an expression."""
    used = {*re.findall(r"\w+", body), *ranges}
    at = next(x for x in ("p", "q", "at", *(f"p{n}" for n in range(len(used) + 1)))
              if x not in used or x in ranges)  # fmt: skip
    sizes = list(ranges.values())
    parts: dict[str, str] = {}
    for place, name in enumerate(ranges):
        inner = product(sizes[place + 1 :])
        e = at if not inner else f"{at} // {operand(inner)}"
        parts[name] = e if place == 0 else f"{operand(e)} % {operand(sizes[place])}"
    last = list(ranges)[-1]
    parts[last] = f"{at} % {operand(sizes[-1])}"
    return f"{word}({with_names(body, parts)} for {at} in range({product(sizes)}))"


def with_names(text: str, values: Mapping[str, str]) -> str:
    """An expression on one line with expressions in the place of names."""
    tree = parsed(text)
    if tree is None:
        return text
    subscripts = [s.slice for s in ast.walk(tree) if isinstance(s, ast.Subscript)]
    alone = {id(x) for s in subscripts for x in (s.elts if isinstance(s, ast.Tuple) else [s])}
    found = [x for x in ast.walk(tree) if isinstance(x, ast.Name) and x.id in values]
    raw = text.encode()
    for x in sorted(found, key=lambda x: -x.col_offset):
        new = values[x.id] if id(x) in alone else operand(values[x.id])
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
    parts = each(target.slice)
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


def valued(source: Source, name: str, said: str, dtype: DType) -> str:
    """The declaration of an array, `f32[N]`, with a value: where it stands, else on top."""
    new = f"{name}: {said} = {zero(dtype)}"
    line = re.search(rf"^[ ]+{re.escape(name)}[ ]*:", source.text, re.MULTILINE)
    if line is None:
        return f"{new} as the first line"
    return f"{new} at line {source.position(line.start())[0]}"


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
            return report.mended(place, f"{dtype}({report.text(place)})")


def _is_update(report: Report, node: ast.BinOp) -> bool:
    """Whether an operation is what `x[i] += e` stands for."""
    return _between(report, node.left, node.right).endswith("=")


def _between(report: Report, left: ast.expr, right: ast.expr) -> str:
    start, end = report.span(left).end, report.span(right).start
    return report.source.text[start:end].strip(" ()\t\\\n")


def _is_operand(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Constant | ast.Subscript | ast.Call)


def product(sizes: list[str]) -> str:
    """The text of a product; empty where nothing is multiplied."""
    if len(sizes) == 1:
        return sizes[0]
    return " * ".join(operand(x) for x in sizes)


def operand(text: str) -> str:
    """The text of an expression as an operand of another."""
    tree = parsed(text)
    return text if tree is not None and _is_operand(tree) else f"({text})"


def parsed(text: str) -> ast.expr | None:
    """An expression on one line; None where comments or strings do not survive that."""
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None


def renamed_line(report: Report, generator: ast.GeneratorExp, part: ast.comprehension) -> str:
    """The line with another name for the index of a part; "" where two parts bind the same."""
    assert isinstance(part.target, ast.Name)
    name = part.target.id
    bound = [x.target.id for x in generator.generators if isinstance(x.target, ast.Name)]
    if bound.count(name) > 1:
        return ""
    used = set(re.findall(r"\w+", report.source.text))
    new = next((x for x in ("k", *INDICES) if x not in used), f"{name}_1")
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
