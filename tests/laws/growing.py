"""Programs of the cell language grown as text: what hypothesis chooses, in the language's words.

Every program has a meaning and stays inside its arrays. Floats are multiples of small powers of
two and mostly stay exact in f32, so that results can be compared for equality. Knows nothing of
the workbench.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

T = TypeVar("T")
INPUTS = {
    "a": ("f32", ("N",)), "b": ("f32", ("M", "N")), "m": ("i32", ("N",)), "u": ("u32", ("N",)),
    "p": ("bool", ("N",)), "w": ("i32", ("M",)), "s": ("i32", ()), "r": ("f32", ()),
}  # fmt: skip
AXES = {"i": "N", "j": "M"}


@dataclass(frozen=True, slots=True)
class Program:
    """A text, its dims and inputs, and what it is made of."""

    text: str
    dims: dict[str, int]
    inputs: dict[str, Any]
    forms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """What can be used where an expression grows: indices with their dims, arrays, locals."""

    pick: Callable[[list[Any]], Any]
    forms: set[str]
    arrays: dict[str, tuple[str, tuple[str, ...]]]
    indices: dict[str, str] = field(default_factory=dict)
    locals: dict[str, str] = field(default_factory=dict)
    reduces: int = 2

    def choose(self, *makers: Callable[[], T]) -> T:
        """What one of the makers makes."""
        return self.pick(list(makers))()

    def array(self, dtype: str) -> str:
        """The name of an array or scalar of a dtype."""
        return self.pick([name for name, (d, _) in self.arrays.items() if d == dtype])


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A program with inputs for it."""
    return grow(lambda options: options[draw(st.integers(0, len(options) - 1))])


def grow(pick: Callable[[list[Any]], Any]) -> Program:
    """A program; `pick` makes every choice."""
    forms: set[str] = set()
    scope = Scope(pick, forms, {n: x for n, x in INPUTS.items() if x[1] or n in "sr"})
    lines: list[str] = []
    results: list[str] = []
    for number in range(pick([1, 1, 2, 2, 3])):
        name = f"v{number}"
        dtype, hidden = pick(["f32", "f32", "i32", "i32", "u32", "bool"]), False
        match pick(["equation", "equation", "block", "block", "point"]):
            case "equation":
                axes = pick([("i",), ("j", "i")])
                hidden = number == 0 and pick([False, True])
                lines += _equation(scope, name, dtype, axes, hidden=hidden)
                scope.arrays[name] = (dtype, tuple(AXES[x] for x in axes))
            case "block":
                axes = pick([("i",), ("i",), ("j", "i")])
                lines += _block(scope, name, dtype, axes)
                scope.arrays[name] = (dtype, tuple(AXES[x] for x in axes))
            case _:
                forms.add("0-d")
                lines.append(f"{name} = {_reduction(scope, dtype, 1)}")
                scope.arrays[name] = (dtype, ())
        results += [] if hidden else [name]
    if not results:
        lines.append("last[i] = " + _expression(scope_of(scope, ("i",)), "f32", 2))
        scope.arrays["last"] = ("f32", ("N",))
        results.append("last")
    return _assembled(pick, scope, lines, results)


def scope_of(scope: Scope, axes: tuple[str, ...]) -> Scope:
    return replace(scope, indices={x: AXES[x] for x in axes})


def _assembled(
    pick: Callable[[list[Any]], Any], scope: Scope, lines: list[str], results: list[str]
) -> Program:
    used = set(re.findall(r"\w+", "\n".join(lines))) | {"b"}
    inputs = [n for n in INPUTS if n in used]
    parameters = ", ".join(f"{n}: {_typed(*INPUTS[n])}" for n in inputs)
    kinds = [_typed(*scope.arrays[n]) for n in results]
    result = kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"
    body = ["assert N > 0", "assert M > 0", *lines, f"return {', '.join(results)}"]
    text = f"def f({parameters}) -> {result}:\n" + "".join(f"    {x}\n" for x in body)
    dims = {"N": pick([1, 2, 3, 5, 7]), "M": pick([1, 2, 4])}
    rng = np.random.default_rng(pick(list(range(20))))
    values = {n: _values(rng, INPUTS[n][0], INPUTS[n][1], dims) for n in inputs}
    return Program(text, dims, values, frozenset(scope.forms))


def _typed(dtype: str, shape: tuple[str, ...]) -> str:
    return f"{dtype}[{', '.join(shape)}]" if shape else dtype


def _values(
    rng: np.random.Generator, dtype: str, shape: tuple[str, ...], dims: dict[str, int]
) -> Any:
    size = tuple(dims[d] for d in shape)
    match dtype:
        case "f32":
            values = (rng.integers(-16, 17, size) / 4).astype(np.float32)
        case "i32":
            extremes = rng.integers(-(2**31), 2**31, size)
            values = np.where(rng.random(size) < 0.1, extremes, rng.integers(-9, 10, size))
            values = values.astype(np.int32)
        case "u32":
            values = rng.integers(0, 2**32, size, dtype=np.uint32) >> rng.choice([0, 28], size)
            values = np.asarray(values).astype(np.uint32)
        case _:
            values = rng.integers(0, 2, size).astype(bool)
    return values if shape else values.item()


def _equation(
    scope: Scope, name: str, dtype: str, axes: tuple[str, ...], *, hidden: bool
) -> list[str]:
    inner = scope_of(scope, axes)
    if axes == ("i",):
        value = scope.choose(
            lambda: _expression(inner, dtype, 3),
            lambda: _reduction(inner, dtype, 2),
        )
    else:
        value = _expression(inner, dtype, 3)
    if hidden:
        index = ", ".join(axes)
        stand = "b[j, i]" if axes == ("j", "i") else "a[i]"
        value = f"({value}) if {stand} > -1.0 else {_literal(scope, dtype)}"
        scope.forms.add("intermediate")
        return [f"{name}[{index}] = {value}"]
    return [f"{name}[{', '.join(axes)}] = {value}"]


# Loop blocks ----------------------------------------------------------------------------------


def _block(scope: Scope, name: str, dtype: str, axes: tuple[str, ...]) -> list[str]:
    scope.forms.add("block")
    extents = ", ".join(AXES[x] for x in axes)
    inner = replace(scope_of(scope, axes), locals={}, reduces=1)
    lines: list[str] = []
    kinds = scope.pick([["f32"], ["i32"], ["f32", "i32"], ["u32", "f32"], ["i32", "bool"]])
    for kind in kinds:
        local = f"{name}_{kind}"
        first = {"f32": "0.0", "i32": "0", "u32": "u32(1)", "bool": "False"}[kind]
        first = scope.pick([first, _whole(inner, kind, 2) if kind != "bool" else first])
        lines.append(f"{local} = {first}")
        inner.locals[local] = kind
    for _ in range(scope.pick([1, 1, 2, 3])):
        lines += _statements(inner, name, 2)
    index = ", ".join(axes)
    if scope.pick([False, False, True]):
        test = _expression(inner, "bool", 2)
        lines += [f"if {test}:", f"    {name}[{index}] = {_whole(inner, dtype, 2)}"]
        lines += ["else:", f"    {name}[{index}] = {_whole(inner, dtype, 2)}"]
    else:
        lines.append(f"{name}[{index}] = {_whole(inner, dtype, 2)}")
    return [f"for {index} in grid({extents}):", *indented(lines)]


def indented(lines: list[str]) -> list[str]:
    return [f"    {x}" for x in lines]


def _whole(scope: Scope, dtype: str, depth: int) -> str:
    """An expression that is of its dtype also where nothing else says which."""
    value = _expression(scope, dtype, depth)
    return value if dtype == "bool" else f"{dtype}({value})"


def _statements(scope: Scope, name: str, depth: int) -> list[str]:
    makers = [lambda: _assign(scope), lambda: _assign(scope), lambda: _together(scope)]
    if depth:
        makers += [
            lambda: _if(scope, name, depth),
            lambda: _for(scope, name, depth),
            lambda: _for(scope, name, depth),
            lambda: _while(scope, name, depth),
        ]
    return scope.choose(*makers)


def _new_value(scope: Scope, local: str) -> str:
    """A value for a local that stays small however often it is assigned."""
    kind = scope.locals[local]
    e = _expression(scope, kind, 2)
    match kind:
        case "f32":
            scope.forms.add("recurrence")
            return f"clip({local} * {scope.pick(['0.5', '1.0', '2.0'])} + {e}, -8.0, 8.0)"
        case "i32" | "u32":
            scope.forms.add("recurrence")
            return f"{local} * {kind}(3) + {e}"
        case _:
            return e


def _assign(scope: Scope) -> list[str]:
    local = scope.pick(list(scope.locals))
    if scope.locals[local] in {"i32", "u32"} and scope.pick([False, True]):
        op = scope.pick(["+=", "-=", "^=", "*="])
        return [f"{local} {op} {_whole(scope, scope.locals[local], 1)}"]
    return [f"{local} = {_new_value(scope, local)}"]


def _together(scope: Scope) -> list[str]:
    if len(scope.locals) < 2:
        return _assign(scope)
    one, two = list(scope.locals)[:2]
    scope.forms.add("tuple")
    return [f"{one}, {two} = {_new_value(scope, one)}, {_new_value(scope, two)}"]


def _if(scope: Scope, name: str, depth: int) -> list[str]:
    scope.forms.add("if")
    lines = [f"if {_expression(scope, 'bool', 2)}:", *indented(_statements(scope, name, depth - 1))]
    if scope.pick([False, True]):
        lines += [f"elif {_expression(scope, 'bool', 1)}:"]
        lines += indented(_statements(scope, name, 0))
    if scope.pick([False, True]):
        lines += ["else:", *indented(_statements(scope, name, depth - 1))]
    return lines


def _for(scope: Scope, name: str, depth: int) -> list[str]:
    scope.forms.add("for")
    var = f"{name}_t{depth}"
    dim = scope.pick(["N", "M"])
    inner = replace(scope, indices={**scope.indices, var: dim})
    lines = _statements(inner, name, depth - 1)
    if scope.pick([False, False, True]):
        scope.forms.add("break")
        leave = scope.pick(["break", "continue"])
        lines += [f"if {_expression(inner, 'bool', 1)}:", f"    {leave}", *_assign(inner)]
    return [f"for {var} in range({scope.pick([dim, f'1, {dim}', dim])}):", *indented(lines)]


def _while(scope: Scope, name: str, depth: int) -> list[str]:
    scope.forms.add("while")
    count = f"{name}_w{depth}{len(scope.forms)}"
    lines = [f"{count} += 1", *_statements(scope, name, depth - 1)]
    test = _expression(scope, "bool", 1)
    head = [f"{count} = 0", f"while {count} < {scope.pick([2, 3, 5])} and ({test}):"]
    return [*head, *indented(lines)]


# Expressions ----------------------------------------------------------------------------------


def _literal(scope: Scope, dtype: str) -> str:
    match dtype:
        case "f32":
            return scope.pick(["0.0", "1.0", "-1.0", "0.5", "2.0", "3.0", "-0.25"])
        case "i32":
            return scope.pick(["0", "1", "2", "-3", "7", "5"])
        case "u32":
            return scope.pick(["u32(0)", "u32(1)", "u32(7)", "u32(4294967295)", "u32(255)"])
        case _:
            return scope.pick(["True", "False"])


def _leaf(scope: Scope, dtype: str) -> str:
    def local() -> str:
        names = [n for n, d in scope.locals.items() if d == dtype]
        return scope.pick(names) if names else _read(scope, scope.array(dtype))

    def index() -> str:
        if dtype != "i32":
            return _literal(scope, dtype)
        return scope.pick([*scope.indices, *scope.indices, "N", "M"])

    read = lambda: _read(scope, scope.array(dtype))  # noqa: E731
    return scope.choose(read, read, read, local, local, index, lambda: _literal(scope, dtype))


def _expression(scope: Scope, dtype: str, depth: int) -> str:
    if depth <= 0:
        return _leaf(scope, dtype)
    inner: Callable[[str], str] = lambda kind: _expression(scope, kind, depth - 1)  # noqa: E731
    makers: list[Callable[[], str]] = [
        lambda: _leaf(scope, dtype),
        lambda: f"({inner(dtype)} if {inner('bool')} else {inner(dtype)})",
        lambda: _guarded(scope, dtype),
    ]
    if scope.reduces:
        makers.append(lambda: _reduction(scope, dtype, depth - 1))
    match dtype:
        case "f32":
            makers += [lambda: _float(scope, inner)] * 4
        case "i32":
            makers += [lambda: _integer(scope, inner)] * 4
        case "u32":
            makers += [lambda: _unsigned(scope, inner)] * 4
        case _:
            makers += [lambda: _truth(scope, inner)] * 4
    return scope.choose(*makers)


def _float(scope: Scope, inner: Callable[[str], str]) -> str:
    def x() -> str:
        return inner("f32")

    return scope.choose(
        lambda: f"({x()} {scope.pick(['+', '-', '*'])} {x()})",
        lambda: f"({x()} {scope.pick(['+', '-', '*'])} {x()})",
        lambda: f"{scope.pick(['min', 'max'])}({x()}, {x()})",
        lambda: f"{scope.pick(['abs', 'floor', 'ceil', '-'])}({x()})",
        lambda: f"f32({inner('i32')} % 8)" if scope.pick([0, 1]) else x(),
        lambda: f"({x()} * {inner('i32')} / 4)" if scope.pick([False, True]) else f"({x()} / 2)",
        lambda: f"({x()} {scope.pick(['//', '%'])} {scope.pick(['2.0', '-3.0', '0.5'])})",
        lambda: f"clip({x()}, -2.0, {scope.pick(['0.5', '3.0'])})",
        lambda: f"where({inner('bool')}, {x()}, {x()})",
    )


def _integer(scope: Scope, inner: Callable[[str], str]) -> str:
    def x() -> str:
        return inner("i32")

    return scope.choose(
        lambda: f"({x()} {scope.pick(['+', '-', '*', '//', '%', '&', '|', '^'])} {x()})",
        lambda: f"({x()} {scope.pick(['//', '%'])} {scope.pick(['3', '-4', '0', '1'])})",
        lambda: f"({x()} {scope.pick(['<<', '>>'])} {scope.pick(['0', '3', '31', '40'])})",
        lambda: f"{scope.pick(['min', 'max'])}({x()}, {x()})",
        lambda: f"{scope.pick(['abs', '-', '~'])}({x()})",
        lambda: f"i32({inner(scope.pick(['f32', 'u32', 'bool']))})",
        lambda: f"clip({x()}, -5, 5)",
    )


def _unsigned(scope: Scope, inner: Callable[[str], str]) -> str:
    def x() -> str:
        return inner("u32")

    return scope.choose(
        lambda: f"({x()} {scope.pick(['+', '-', '*', '//', '%', '&', '|', '^'])} {x()})",
        lambda: f"({x()} {scope.pick(['<<', '>>'])} u32({scope.pick(['0', '5', '31', '32'])}))",
        lambda: f"{scope.pick(['min', 'max'])}({x()}, {x()})",
        lambda: f"u32({inner(scope.pick(['i32', 'f32', 'bool']))})",
        lambda: f"~({x()})",
    )


def _truth(scope: Scope, inner: Callable[[str], str]) -> str:
    def compare() -> str:
        kind = scope.pick(["f32", "i32", "u32"])
        return f"({inner(kind)} {scope.pick(['<', '<=', '>', '>=', '==', '!='])} {inner(kind)})"

    return scope.choose(
        compare,
        compare,
        lambda: f"({inner('bool')} {scope.pick(['and', 'or'])} {inner('bool')})",
        lambda: f"(not {inner('bool')})",
        lambda: f"(-2 <= {inner('i32')} < 5)",
    )


# Reads and their borders ----------------------------------------------------------------------


def _read(scope: Scope, array: str) -> str:
    _, shape = scope.arrays[array]
    if not shape:
        return array
    return f"{array}[{', '.join(_inside(scope, dim) for dim in shape)}]"


def _inside(scope: Scope, dim: str) -> str:
    """An index that stays inside an extent: as it is, or held there by a border form."""
    own = [v for v, d in scope.indices.items() if d == dim]
    if own and scope.pick([True, True, False]):
        return scope.pick(own)
    if not scope.indices:
        return scope.pick(["0", f"{dim} - 1"])
    scope.forms.add("border")
    v, shift = scope.pick(list(scope.indices)), scope.pick([1, 1, 2, 3])
    makers = [
        lambda: f"clip({v} - {shift}, 0, {dim} - 1)",
        lambda: f"min({v} + {shift}, {dim} - 1)",
        lambda: f"({v} - {shift}) % {dim}",
        lambda: f"({v} * 3 + {shift}) % {dim}",
        lambda: f"min(max({_leaf(replace(scope, arrays=INPUTS), 'i32')}, 0), {dim} - 1)",
        lambda: "0",
    ]
    if own:
        v = scope.pick(own)
        makers += [
            lambda: f"max({v} - {shift}, 0)",
            lambda: f"{v} // {shift}",
            lambda: f"{dim} - 1 - {v}",
        ]
    return scope.choose(*makers)


def _guarded(scope: Scope, dtype: str) -> str:
    """A read that happens only where a condition says that it is inside."""
    arrays = [n for n, (d, shape) in scope.arrays.items() if d == dtype and len(shape) == 1]
    array = scope.pick(arrays)
    (dim,) = scope.arrays[array][1]
    own = [v for v, d in scope.indices.items() if d == dim]
    if not own:
        return _leaf(scope, dtype)
    scope.forms.add("border")
    v, shift = scope.pick(own), scope.pick([1, 2])
    back = scope.pick([False, True])
    test = f"{v} >= {shift}" if back else f"{v} + {shift} < {dim}"
    read = f"{array}[{v} {'-' if back else '+'} {shift}]"
    if dtype == "bool":
        return f"({test} and {read})"
    return f"({read} if {test} else {_leaf(scope, dtype)})"


def _reduction(scope: Scope, dtype: str, depth: int) -> str:
    """A reduction that gives a value of the dtype."""
    scope.forms.add("reduction")
    var = f"k{scope.reduces}"
    dim = scope.pick(["N", "M"])
    inner = replace(scope, indices={**scope.indices, var: dim}, reduces=scope.reduces - 1)
    ranges = f"for {var} in range({dim})"
    if scope.pick([False, False, False, True]):
        second = f"q{scope.reduces}"
        inner.indices[second] = "M"
        ranges += f" for {second} in range(M)"
    test = ""
    if scope.pick([False, True]):
        scope.forms.add("filter")
        test = f" if {_expression(inner, 'bool', 1)}"
    match dtype:
        case "bool":
            body = _expression(inner, "bool", depth)
            return f"{scope.pick(['any', 'all'])}({body} {ranges}{test})"
        case "i32":
            return _whole_reduction(inner, ranges, test, depth)
        case "u32":
            word = scope.pick(["sum", "max", "min"])
            return f"{word}({_whole(inner, 'u32', depth)} {ranges}{test})"
        case _:
            word = scope.pick(["sum", "sum", "max", "min"])
            body = f"{word}({_whole(inner, 'f32', depth)} {ranges}{test})"
            return body if word == "sum" or not test else f"clip({body}, -8.0, 8.0)"


def _whole_reduction(inner: Scope, ranges: str, test: str, depth: int) -> str:
    kind = inner.pick(["f32", "i32"])
    best = inner.pick(["argmax", "argmin"])
    word = inner.pick(["sum", "prod", "max", "min"])
    one = " for q" not in ranges and not test
    return inner.choose(
        lambda: f"{word}({_whole(inner, 'i32', depth)} {ranges}{test})",
        lambda: f"sum({_expression(inner, 'bool', depth)} {ranges}{test})",
        lambda: f"{best}({_whole(inner, kind, depth)} {ranges})" if one else "s",
    )
