"""Reductions: generator expressions under `sum prod max min any all argmax argmin`."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL, F16, F32, I32, NARROW
from workbench.ir.expr import (
    Cast,
    Const,
    Expr,
    Range,
    Reduce,
    Var,
    apply,
    free_names,
    integer,
    loads,
    substitute,
    walk,
)
from workbench.ir.ops import REDUCTIONS
from workbench.lang import lines, refuse, rewrites
from workbench.lang.extents import polynomial
from workbench.lang.names import ArrayName, Bound, Broken, Context, Dim, Index
from workbench.lang.prove import LARGEST_DIM
from workbench.lang.values import Value, both, settle, truth, whole

if TYPE_CHECKING:
    from workbench.base.source import Origin
    from workbench.lang.calls import Check
    from workbench.lang.names import Name

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
            hint = c.report.mended(node, f"{name}({body})")
            c.wrong(inner, f"'{name}' takes a generator, not a list", hint=hint)
        case [ast.Name(id=array)] if isinstance(old := c.names.get(array), ArrayName):
            hint = c.report.mended(node, lines.reduced(c, name, old))
            c.wrong(node, f"'{name}' reduces a generator expression", hint=hint)
        case _:
            c.wrong(node, f"'{name}' reduces a generator expression",
                    hint=_of_an_array(c, node, name))  # fmt: skip


def _of_an_array(c: Context, node: ast.Call, name: str) -> str:
    """The line with the reduction of the array that the arguments name first."""
    for x in (x for a in node.args for x in ast.walk(a)):
        if isinstance(x, ast.Name) and isinstance(old := c.names.get(x.id), ArrayName):
            return c.report.mended(node, lines.reduced(c, name, old))
    return f"a generator expression: {name}(x[i] for i in range(N))"


def reduction(c: Context, node: ast.Call, name: str, check: Check) -> Value | None:
    """`sum(body for k in range(K) if test)`."""
    generator = node.args[0]
    assert isinstance(generator, ast.GeneratorExp)
    for keyword in node.keywords:
        hint = c.report.mended(node, f"{name}{c.report.text(generator)}")
        c.wrong(keyword, f"'{name}' takes no argument by name", hint=hint)
    ranges: list[Range] = []
    tests: list[Expr | None] = []
    whole_ranges = True
    bounds: Bounds | None = None
    around = c.iteration if name in {"argmax", "argmin"} else ()
    for part in generator.generators:
        found, bounds, index = _range(c, part, check, generator)
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
        hint = _over_one_range(c, node, generator, name)
        words = f"'{name}' runs over exactly one range, here over {len(ranges)}"
        c.wrong(node, words, hint=hint)
        return None
    term = _term(c, name, body, node)
    if term is None:
        return None
    dtype = I32 if name in {"argmax", "argmin"} else term.dtype
    origin = c.report.origin(node)
    result = Reduce(REDUCTIONS[name], tuple(ranges), cond, term, dtype, around, origin=origin)
    if name in {"argmax", "argmin"} and bounds is not None:
        return Value(bounds.counted(result, origin))
    if dtype is F32 and body.dtype is F16:
        return Value(Cast(F16, result, origin=origin.derive("rounded to f16 at the end")))
    return Value(result)


def _over_one_range(c: Context, node: ast.Call, generator: ast.GeneratorExp, name: str) -> str:
    """The line with one range over all positions; of ranges from 0, else words."""
    sizes: dict[str, str] = {}
    for part in generator.generators:
        match part:
            case ast.comprehension(
                ast.Name(id=index), ast.Call(func=ast.Name(id="range"), args=[stop]), []
            ) if not any(isinstance(x, ast.Name) and x.id in sizes for x in ast.walk(stop)):
                sizes[index] = c.report.text(stop)
            case _:
                return "one range over all positions: A[p // K, p % K] for p in range(M * K)"
    body = c.report.text(generator.elt)
    return c.report.mended(node, lines.flattened(name, body, sizes))


def _term(c: Context, name: str, body: Value, node: ast.Call) -> Expr | None:
    """The body in the dtype that the reduction folds."""
    generator = node.args[0]
    assert isinstance(generator, ast.GeneratorExp)
    place = generator.elt
    if name in {"any", "all"}:
        return truth(c, body, place)
    term = settle(c, body, place)
    if term is None:
        return None
    if name in {"sum", "prod"}:
        wide = F32 if term.dtype is F16 else I32
        narrow = term.dtype in {F16, BOOL, *NARROW}
        origin = term.origin.derive(f"counted as {wide}")
        return Cast(wide, term, origin=origin) if narrow else term
    if term.dtype is not BOOL:
        return term
    if name in {"max", "min"}:
        word = "any" if name == "max" else "all"
        hint = c.report.mended(node.func, word)
        c.wrong(node, f"'{name}' does not apply to bool", hint=hint)
        return None
    return Cast(I32, term, origin=term.origin.derive("counted as i32"))


def _joined(tests: list[Expr]) -> Expr | None:
    result: Expr | None = None
    for test in tests:
        result = test if result is None else both(result, test, test, test.origin)
    return result


def _range(
    c: Context, part: ast.comprehension, check: Check, generator: ast.GeneratorExp
) -> tuple[Range | None, Bounds | None, dict[str, Name]]:
    """`k in range(a, b)`, and the index that it binds."""
    if not isinstance(part.target, ast.Name) or not _is_range(part.iter):
        _refuse_items(c, part, generator)
        return None, None, _broken(c, part.target)
    name = part.target.id
    if part.is_async:
        text = c.report.text(generator).replace("async for", "for", 1)
        hint = c.report.mended(generator, text)
        c.wrong(part, "'async' is not part of the language", hint=hint)
    renamed = lines.renamed_line(c.report, generator, part)
    taken = c.clash(part.target, name, "an index", renamed)
    bounds = bounds_of(c, part.iter, part.target, check, generator)
    if taken:
        return None, None, _broken(c, part.target)
    if bounds is None:
        return None, None, {name: Index(c.report.span(part.target))}
    variable = c.indices.get(name, name)
    found = Range(variable, bounds.start, bounds.stop, origin=c.report.origin(part))
    return found, bounds, {name: named(c, bounds.index, part.target, variable)}


def _is_range(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name("range" | "grid")):
            return True
        case _:
            return False


def _broken(c: Context, target: ast.expr) -> dict[str, Name]:
    """The names of a range that is wrong, whose uses are not reported again."""
    names = [x for x in ast.walk(target) if isinstance(x, ast.Name)]
    return {x.id: Broken(c.report.span(x)) for x in names}


def _refuse_items(c: Context, part: ast.comprehension, generator: ast.GeneratorExp) -> None:
    """`v for v in x`, `k * v for k, v in enumerate(x)`: the same with an index."""
    text = c.report.text(part.target)
    index = text if isinstance(part.target, ast.Name) and text not in c.names else c.free(1)[0]
    values = rewrites.items(c, generator, index)
    length = rewrites.length(c, part.iter)
    over = c.report.text(part.iter)
    hint = f"an index and its range: for {index} in range(N)"
    if values is not None and length is not None:
        body = lines.with_names(c.report.text(generator.elt), values)
        new = f"{body} for {index} in range({length})"
        hint = c.report.mended(generator, f"({new})")
    elif _is_range(part.iter) and isinstance(part.target, ast.Tuple):
        hint = lines.edited(c, generator, {part.target: c.report.text(part.target.elts[0])})
    c.wrong(part.target, f"'{text}' runs over '{over}', not over an index of a range", hint=hint)


def named(c: Context, index: Name, target: ast.Name, variable: str) -> Name:
    """What the name of an index stands for where its variable has another name."""
    if variable == target.id:
        return index
    v = Value(Var(target.id, I32, origin=c.report.origin(target)), weak=True)
    v = index.value if isinstance(index, Bound) else v
    new = substitute(v.expr, {target.id: Var(variable, I32)})
    return Bound(Value(new, v.weak), index.span, index=True)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The turns of a loop, `start` to `stop` as i32, and what its name stands for.

    With a step the turns are counted: `k` of `range(a, b, 2)` stands for `a + k * 2`, where the
    variable runs from 0.
    """

    start: Expr
    stop: Expr
    index: Name
    first: Expr | None = None
    step: int = 1

    def counted(self, turn: Expr, origin: Origin) -> Expr:
        """The value of the loop's name in a turn."""
        if self.first is None:
            return turn
        times = apply("mul", turn, integer(self.step, origin=origin), origin=origin)
        if self.first == integer(0):
            return times
        return apply("add", self.first, times, origin=origin)


def bounds_of(
    c: Context,
    node: ast.expr,
    target: ast.Name,
    check: Check,
    generator: ast.GeneratorExp | None = None,
) -> Bounds | None:
    """The bounds of `range(a, b)` and `range(a, b, 2)`; of the generator, if it is one's."""
    match node:
        case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]) if 0 < len(args) < 3:
            bounds = [_bound(c, a, check) for a in args]
            zero = integer(0, origin=c.report.origin(node).derive("starts at 0"))
            start = zero if len(bounds) == 1 else bounds[0]
            stop = bounds[-1]
            index = Index(c.report.span(target))
            return None if start is None or stop is None else Bounds(start, stop, index)
        case ast.Call(func=ast.Name(id="range"), args=[_, _, _], keywords=[]):
            return _stepped(c, node, target, check, generator)
        case ast.Call(func=ast.Name(id="grid") as function):
            hint = c.report.mended(function, "range")
            c.wrong(node, "a grid stands in a 'for' block only", hint=hint)
        case _:
            text = c.report.text(node)
            hint = c.report.mended(node, "range(8)")
            c.wrong(node, f"'{text}' is no range of one to three bounds", hint=hint)
    return None


def _stepped(
    c: Context,
    node: ast.Call,
    target: ast.Name,
    check: Check,
    generator: ast.GeneratorExp | None,
) -> Bounds | None:
    """`range(a, b, 2)`: how many turns there are, and the value of each."""
    first, end = (_bound(c, a, check) for a in node.args[:2])
    step = check(c, node.args[2])
    if first is None or end is None or step is None:
        return None
    if not isinstance(step.expr, Const) or step.dtype is not I32 or step.expr.value < 1:
        start, length = _said(c, node, first, end)
        refuse.step(c, node, target.id, start, length, generator)
        return None
    by, origin = int(step.expr.value), c.report.origin(node)
    if by == 1:
        return Bounds(first, end, Index(c.report.span(target)))
    turns = _turns(first, end, by, origin, plain=_small(c, first) and _small(c, end))
    zero = integer(0, origin=origin.derive("counts its turns"))
    place = c.report.origin(target)
    plain = Bounds(zero, turns, Index(c.report.span(target)), first, by)
    value = plain.counted(Var(target.id, I32, origin=place), place)
    index = Bound(Value(value, weak=True), c.report.span(target), index=True)
    return replace(plain, index=index)


def _said(c: Context, node: ast.Call, first: Expr, end: Expr) -> tuple[str, str]:
    """Where a range starts and how far its end is below; a function says it in its own names."""
    if c.report.call is None:
        sizes = polynomial(first), polynomial(apply("sub", first, end))
        return lines.polynomial_text(sizes[0]), lines.polynomial_text(sizes[1])
    texts = [c.report.text(a) for a in node.args[:2]]
    start, stop = (
        x if isinstance(a, ast.Name | ast.Constant) else f"({x})"
        for a, x in zip(node.args, texts, strict=False)
    )
    return start, start if stop == "0" else f"{start} - {stop}"


def _turns(first: Expr, end: Expr, by: int, origin: Origin, *, plain: bool) -> Expr:
    """How many values `range(first, end, by)` has; below 0 where it has none.

    Where the bounds are not `plain`, a form that nowhere leaves i32.
    """

    def two(op: str, a: Expr, b: Expr) -> Expr:
        return apply(op, a, b, origin=origin)

    size = integer(by, origin=origin)
    if plain:
        length = end if first == integer(0) else two("sub", end, first)
        return two("floordiv", two("add", length, integer(by - 1, origin=origin)), size)
    more = Cast(I32, two("gt", two("mod", end, size), two("mod", first, size)), origin=origin)
    return two("add", two("sub", two("floordiv", end, size), two("floordiv", first, size)), more)


def _small(c: Context, e: Expr) -> bool:
    """Whether a bound is made of dims, indices and numbers, which are far from the end of i32."""
    known = all(isinstance(c.names.get(n), Dim | Index) for n in free_names(e))
    numbers = all(abs(x.value) < LARGEST_DIM for x in walk(e) if isinstance(x, Const))
    return known and numbers and next(loads(e), None) is None


def _bound(c: Context, node: ast.expr, check: Check) -> Expr | None:
    v = check(c, node)
    e = None if v is None else whole(c, v, node, "a bound of a range")
    if e is None:
        return None
    return replace(e, origin=c.report.origin(node)) if isinstance(e, Var) else e
