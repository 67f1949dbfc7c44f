"""Expressions of a dtype: rows of forms with places for others, reads, and reductions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from tests.laws.growing.scope import FEW, Scope

DTYPES = {
    "f": "f32", "i": "i32", "u": "u32", "b": "bool",
    "h": "f16", "d": "f64", "l": "i64", "c": "i8", "y": "u8",
}  # fmt: skip
_COMPARE = ("<", "<=", ">", ">=", "==", "!=")


def _floats(kind: str, name: str) -> tuple[str, ...]:
    """What is grown of a float dtype that only some programs have."""
    x = f"{{{kind}}}"
    return (
        *(f"({x} {sign} {x})" for sign in "+-*+-*"), f"min({x}, {x})", f"max({x}, {x})",
        f"abs({x})", f"floor({x})", f"ceil({x})", f"trunc({x})", f"(-{x})", f"round({x})",
        f"sign({x})", f"square({x})", f"({x} * 0.5)", f"({x} / 2)", f"({x} // 2.0)",
        f"({x} % -3.0)", f"clip({x}, -2.0, 0.5)", f"where({{b}}, {x}, {x})", f"{name}({{b}})",
        f"{name}({{f}})", f"{name}({{i}} % 8)", f"{name}({{u}} % u32(8))", f"(1 - {x})",
    )  # fmt: skip


def _integers(kind: str, name: str) -> tuple[str, ...]:
    """What is grown of a dtype of whole numbers that only some programs have."""
    x = f"{{{kind}}}"
    return (
        *(f"({x} {sign} {x})" for sign in ("+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>")),
        f"({x} + 1)", f"({x} - 3)", f"({x} * 7)", f"({x} // 3)", f"({x} % 3)", f"({x} // 0)",
        f"({x} % 0)", f"({x} << 3)", f"({x} << 70)", f"({x} >> 1)", f"({x} >> 7)", f"({x} >> 31)",
        f"min({x}, {x})", f"max({x}, {x})", f"(~{x})", f"clip({x}, 2, 5)", f"square({x})",
        f"sign({x})", f"where({{b}}, {x}, {x})", f"({x} ** 2)",
        *(f"{name}({{{other}}})" for other in "fiub"), f"(7 - {x})",
    )  # fmt: skip


FORMS: dict[str, tuple[str, ...]] = {
    "f32": (
        "({f} + {f})", "({f} - {f})", "({f} * {f})", "({f} + {f})", "({f} - {f})", "({f} / 2)",
        "min({f}, {f})", "max({f}, {f})", "abs({f})", "floor({f})", "ceil({f})", "trunc({f})",
        "(-{f})", "round({f})", "sign({f})", "square({f})", "f32({i} % 8)", "(({i} % 8) / 4)",
        "f32({b})", "f32({u} % u32(8))", "({f} // 2.0)", "({f} // -3.0)", "({f} % 0.5)",
        "({f} % -3.0)", "clip({f}, -2.0, 0.5)", "clip({f}, -1.0, 3.0)", "where({b}, {f}, {f})",
        "({f} * ({i} % 4))",
    ),
    "i32": (
        "({i} + {i})", "({i} - {i})", "({i} * {i})", "({i} // {i})", "({i} % {i})", "({i} & {i})",
        "({i} | {i})", "({i} ^ {i})", "({i} // 3)", "({i} // -4)", "({i} % 3)", "({i} % -4)",
        "({i} // 0)", "({i} % 0)", "({i} << 3)", "({i} << {i})", "({i} << 40)", "({i} >> 1)",
        "({i} >> 3)", "({i} >> 31)", "({i} >> {i})", "min({i}, {i})", "max({i}, {i})", "abs({i})",
        "(-{i})", "(~{i})", "i32({f})", "i32({u})", "i32({b})", "clip({i}, -5, 5)", "sign({i})",
        "square({i})", "({i} ** 3)", "where({b}, {i}, {i})",
    ),
    "u32": (
        "({u} + {u})", "({u} - {u})", "({u} * {u})", "({u} // {u})", "({u} % {u})", "({u} & {u})",
        "({u} | {u})", "({u} ^ {u})", "({u} << u32(5))", "({u} << {u})", "({u} >> u32(5))",
        "({u} >> u32(31))", "({u} >> u32(32))", "min({u}, {u})", "max({u}, {u})", "(~{u})",
        "u32(i32({i}))", "u32({f})", "u32({b})", "bitwise_count({u})", "({u} // 7)", "({u} % 10)",
    ),
    "bool": (
        *(f"({{{kind}}} {sign} {{{kind}}})" for kind in "fiu" for sign in _COMPARE),
        *("({b} and {b})", "({b} or {b})", "(not {b})") * 2,
        "({f} <= 0.5)", "({f} >= -0.5)", "({f} < 1.0)", "({f} > -1.0)", "({i} <= 2)", "({i} > -2)",
        "(-2 <= {i} < 5)", "({b} == {b})", "({b} != {b})", "bool({i})", "bool({f})",
    ),
    "f16": _floats("h", "f16"),
    "f64": (*_floats("d", "f64"), "({d} + {f})", "({d} * i32({i}))", "({d} - {u})"),
    "i8": (*_integers("c", "i8"), "(-{c})", "abs({c})", "({c} // -4)", "({c} % -4)"),
    "u8": _integers("y", "u8"),
    "i64": (
        *_integers("l", "i64"), "(-{l})", "abs({l})", "({l} // -4)", "({l} % -4)",
        "({l} + i32({i}))", "({l} * {u})", "({l} >> 40)", "({l} << 33)", "({l} + 4294967296)",
    ),
}  # fmt: skip
"""Each place in braces is an expression of that kind."""

MIXED: dict[str, tuple[str, ...]] = {
    "f32": (
        "f32({h})", "f32({d})", "f32({l})", "f32({c})", "f32({y})", "({h} + f32({f}))",
        "({f} * {c})", "({y} / 4)", "({c} / ({y} | 1))", "({c} * 0.5)", "({h} * i32({i} % 8))",
        "({f} - {y})", "(f32({f}) + {h})",
    ),
    "i32": (
        "i32({h})", "i32({d})", "i32({l})", "i32({c})", "i32({y})", "({c} + {y})", "({c} * {y})",
        "(i32({i}) + {c})", "({y} - i32({i}))", "max({c}, {y})", "(i32({i}) % {c})",
    ),
    "u32": ("u32({l})", "u32({c})", "u32({y})", "u32({h})", "u32({d})", "({u} + {y})"),
    "bool": (
        *(f"({{{kind}}} {sign} {{{kind}}})" for kind in "hdlcy" for sign in _COMPARE),
        "({c} < {y})", "({l} >= {u})", "({l} == i32({i}))", "({h} < {f})", "({d} > {f})",
        "({c} < 5)", "({y} > 200)", "({l} <= 2147483648)", "({h} > 0.5)", "bool({c})", "bool({h})",
        "bool({l})",
    ),
    "f16": ("({h} + {c})", "({h} * {y})", "({c} - {h})", "f16({d})", "f16({l} % 16)"),
    "f64": ("({d} + {h})", "({d} * {l})", "({l} / 4)", "({f} + {l})", "f64({l})", "({l} * 0.5)"),
    "i8": ("i8({y})", "i8({l})", "i8({h})", "i8({d})"),
    "u8": ("u8({c})", "u8({l})", "u8({h})", "u8({d})"),
    "i64": (
        "i64({c})", "i64({y})", "({l} + {c})", "({l} * {y})", "i64({h})", "i64({d})",
        "i64({f} + ({l} % 1073741824))",
    ),
}  # fmt: skip
"""Forms of programs that have the dtypes that stand in them."""

LITERALS = {
    "f32": ["0.0", "1.0", "-1.0", "0.5", "2.0", "3.0", "-0.25"],
    "i32": ["0", "1", "2", "-3", "7", "5", "-1", "-100"],
    "u32": ["u32(0)", "u32(1)", "u32(7)", "u32(4294967295)", "u32(255)", "u32(2147483648)"],
    "bool": ["True", "False"],
    "f16": ["f16(0.5)", "f16(1.0)", "f16(-2.0)", "f16(3.0)"],
    "f64": ["f64(0.25)", "f64(1.0)", "f64(-3.0)", "f64(2.0)"],
    "i8": ["i8(0)", "i8(1)", "i8(-3)", "i8(127)", "i8(-128)", "i8(100)"],
    "u8": ["u8(0)", "u8(1)", "u8(7)", "u8(255)", "u8(128)"],
    "i64": ["i64(0)", "i64(3)", "i64(-1)", "i64(4294967296)", "i64(-9223372036854775808)"],
}
"""Those of the dtypes that not all programs have are not weak."""


def expression(scope: Scope, dtype: str, depth: int) -> str:
    """An expression of a dtype; whole numbers among them may be weak."""
    if depth <= 0:
        return leaf(scope, dtype)
    inner: Callable[[str], str] = lambda kind: expression(scope, kind, depth - 1)  # noqa: E731
    makers: list[Callable[[], str]] = [
        *[lambda: _formed(scope, dtype, depth)] * 5,
        lambda: leaf(scope, dtype),
        lambda: f"({inner(dtype)} if {inner('bool')} else {inner(dtype)})",
    ]
    if scope.arrays:
        makers.append(lambda: _guarded(scope, dtype))
    if scope.reduces and scope.arrays:
        makers.append(lambda: reduction(scope, dtype, depth - 1))
    if any(f.gives == (dtype,) for f in scope.functions):
        makers.append(lambda: _called(scope, dtype, depth))
    return scope.choose(*makers)


def whole(scope: Scope, dtype: str, depth: int) -> str:
    """An expression that is of its dtype also where nothing else says which."""
    value = expression(scope, dtype, depth)
    return value if dtype == "bool" else f"{dtype}({value})"


def literal(scope: Scope, dtype: str) -> str:
    return scope.pick(LITERALS[dtype])


def leaf(scope: Scope, dtype: str) -> str:
    """A read, a local, an index, or a literal."""
    names = [n for n, d in scope.locals.items() if d == dtype]
    arrays = [n for n, (d, _) in scope.arrays.items() if d == dtype]
    private = [n for n, d in scope.private.items() if d == dtype]
    makers: list[Callable[[], str]] = [lambda: literal(scope, dtype)]
    makers += [lambda: element(scope, scope.pick(arrays))] * 3 if arrays else []
    makers += [lambda: scope.pick(names)] * 2 if names else []
    makers += [lambda: own_element(scope, scope.pick(private))] * 2 if private else []
    if dtype == "i32" and (scope.indices or scope.numbers):
        makers.append(lambda: scope.pick([*scope.indices, *scope.indices, *scope.numbers]))
    return scope.choose(*makers)


@cache
def _forms(dtype: str, more: tuple[str, ...]) -> list[str]:
    """The forms of a dtype in a program that has those dtypes beside the usual ones."""
    mixed = MIXED.get(dtype, ())
    own = [x for x in mixed if {DTYPES[k] for k in re.findall(r"{(\w)}", x)} <= {*FEW, *more}]
    return [*FORMS[dtype], *own * (3 if dtype in FEW else 1)]


def _formed(scope: Scope, dtype: str, depth: int) -> str:
    form = scope.pick(_forms(dtype, scope.more))
    return re.sub(r"{(\w)}", lambda m: expression(scope, DTYPES[m[1]], depth - 1), form)


def _called(scope: Scope, dtype: str, depth: int) -> str:
    return call(scope, scope.pick([f for f in scope.functions if f.gives == (dtype,)]).name, depth)


def call(scope: Scope, name: str, depth: int) -> str:
    """A call of a function of the text."""
    scope.forms.add("function")
    (function,) = (f for f in scope.functions if f.name == name)
    inner = replace(scope, steady=True, reduces=0)
    return f"{name}({', '.join(whole(inner, d, depth - 1) for d in function.takes)})"


# Reads and their borders ----------------------------------------------------------------------


def element(scope: Scope, array: str) -> str:
    """An element of an array, or a number without axes."""
    _, shape = scope.arrays[array]
    return f"{array}[{', '.join(inside(scope, dim) for dim in shape)}]" if shape else array


def own_element(scope: Scope, name: str) -> str:
    """An element of a private array, which has three."""
    makers = [lambda: scope.pick(["0", "1", "2"])]
    if scope.indices:
        v = scope.pick(list(scope.indices))
        makers += [lambda: f"{v} % 3", lambda: f"min({v}, 2)", lambda: f"({v} + 1) % 3"]
    return f"{name}[{scope.choose(*makers)}]"


def inside(scope: Scope, dim: str) -> str:
    """An index that stays inside an extent: as it is, or held there by a border form."""
    own = [v for v, d in scope.indices.items() if d == dim]
    if own and scope.pick([True, True, False]):
        return scope.pick(own)
    if not scope.indices:
        return scope.pick(["0", f"{dim} - 1"])
    if "g" in scope.arrays and not scope.steady and scope.rarely(8):
        return looked_up(scope)
    scope.forms.add("border")
    v, shift = scope.pick(list(scope.indices)), scope.pick([1, 1, 2, 3])
    numbers = [n for n, (d, _) in scope.arrays.items() if d == "i32"]
    makers = [
        lambda: f"clip({v} - {shift}, 0, {dim} - 1)",
        lambda: f"min({v} + {shift}, {dim} - 1)",
        lambda: f"({v} - {shift}) % {dim}",
        lambda: f"({v} * 3 + {shift}) % {dim}",
        lambda: f"min(max({_plain(scope, scope.pick(numbers))}, 0), {dim} - 1)",
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


def _plain(scope: Scope, array: str) -> str:
    """An element with the simplest index."""
    index: list[str] = []
    for dim in scope.arrays[array][1]:
        own = [v for v, d in scope.indices.items() if d == dim]
        index.append(scope.pick(own) if own else "0")
    return f"{array}[{', '.join(index)}]" if index else array


def looked_up(scope: Scope) -> str:
    """An index that data says; it is checked when it runs."""
    scope.forms.add("data")
    return _plain(scope, "g")


def _guarded(scope: Scope, dtype: str) -> str:
    """A read that happens only where a condition says that it is inside."""
    arrays = [n for n, (d, shape) in scope.arrays.items() if d == dtype and len(shape) == 1]
    if not arrays:
        return leaf(scope, dtype)
    array = scope.pick(arrays)
    (dim,) = scope.arrays[array][1]
    own = [v for v, d in scope.indices.items() if d == dim]
    if not own:
        return leaf(scope, dtype)
    scope.forms.add("border")
    v, shift = scope.pick(own), scope.pick([1, 2])
    back = scope.pick([False, True])
    test = f"{v} >= {shift}" if back else f"{v} + {shift} < {dim}"
    read = f"{array}[{v} {'-' if back else '+'} {shift}]"
    if dtype == "bool":
        return f"({test} and {read})"
    return f"({read} if {test} else {leaf(scope, dtype)})"


# Reductions -----------------------------------------------------------------------------------


def ranged(scope: Scope) -> tuple[str, str, bool]:
    """The bounds of a range inside a dim, that dim, and whether it surely is not empty."""
    dim = scope.pick(["N", "M"])
    own = [v for v, d in scope.indices.items() if d == dim]
    if own and scope.rarely(4):
        scope.forms.add("triangle")
        v = scope.pick(own)
        bounds = scope.pick([
            f"{v} + 1", v, f"{v}, {dim}", f"max({v} - 1, 0), min({v} + 2, {dim})", f"{v} // 2 + 1",
        ])  # fmt: skip
        return bounds, dim, bounds != v
    if "g" in scope.arrays and scope.indices and not scope.steady and scope.rarely(6):
        at = looked_up(scope)
        return scope.pick([at, f"{at}, {dim}", f"0, {at} + 1"]), dim, False
    if scope.rarely(10):
        scope.forms.add("step")
        return f"{scope.pick([0, 0, 1])}, {dim}, {scope.pick([2, 3])}", dim, False
    return dim, dim, True


def reduction(scope: Scope, dtype: str, depth: int) -> str:
    """A reduction that gives a value of the dtype."""
    scope.forms.add("reduction")
    var = f"k{scope.reduces}"
    bounds, dim, some = ranged(scope)
    inner = replace(scope, indices={**scope.indices, var: dim}, reduces=scope.reduces - 1)
    ranges = f"for {var} in range({bounds})"
    if scope.rarely(4):
        second = f"q{scope.reduces}"
        bounds, dim, _ = ranged(inner)
        inner.indices[second] = dim
        ranges += f" for {second} in range({bounds})"
    test = ""
    if scope.pick([False, True]):
        scope.forms.add("filter")
        test = f" if {expression(inner, 'bool', 1)}"
    some = some and not test and " for q" not in ranges
    return folded(inner, dtype, f"{ranges}{test}", depth, some=some)


def folded(inner: Scope, dtype: str, ranges: str, depth: int, *, some: bool) -> str:
    """A reduction of the dtype over ranges; `some`: over one of them, which is not empty."""
    match dtype:
        case "bool":
            body = expression(inner, "bool", depth)
            return f"{inner.pick(['any', 'all'])}({body} {ranges})"
        case "i32":
            return _whole_number(inner, ranges, depth, some=some)
        case "u32" | "i64":
            word = inner.pick(["sum", "max", "min"])
            return f"{word}({whole(inner, dtype, depth)} {ranges})"
        case "i8" | "u8":
            return f"{inner.pick(['max', 'min'])}({whole(inner, dtype, depth)} {ranges})"
        case _:
            word = inner.pick(["sum", "sum", "max", "min"])
            body = f"{word}({whole(inner, dtype, depth)} {ranges})"
            return body if word == "sum" or some else f"clip({body}, -8.0, 8.0)"


def _whole_number(inner: Scope, ranges: str, depth: int, *, some: bool) -> str:
    kind = inner.dtype(("f32", "i32"))
    best = inner.pick(["argmax", "argmin"])
    word = inner.pick(["sum", "prod", "max", "min"])
    small = [d for d in inner.more if d in {"i8", "u8"}]
    counted = inner.pick(["i32", *small])
    word = inner.pick(["sum", "prod"]) if counted != "i32" else word
    one = some or (" for q" not in ranges and not inner.steady and inner.rarely(12))
    return inner.choose(
        lambda: f"{word}({whole(inner, counted, depth)} {ranges})",
        lambda: f"sum({expression(inner, 'bool', depth)} {ranges})",
        lambda: f"{best}({whole(inner, kind, depth)} {ranges})" if one else literal(inner, "i32"),
    )
