"""Whole programs: functions, equations, updates, loops over time, results."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st

from tests.laws.growing.blocks import FIRST, block, new_value
from tests.laws.growing.expressions import (
    call,
    element,
    expression,
    folded,
    inside,
    literal,
    reduction,
    whole,
)
from tests.laws.growing.scope import (
    AXES,
    FLOATS,
    INPUTS,
    MORE,
    PLACES,
    TURNS,
    WHOLE,
    Function,
    Pick,
    Program,
    Scope,
    extras,
    indented,
    inputs_of,
    typed,
    values,
)

SIZES = {"N": [1, 2, 3, 5, 7], "M": [1, 2, 4]}
LARGE = [33, 70, 130]
"""Extents for programs without loops, whose direct evaluation takes no longer than that."""


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A program with inputs for it."""
    return grow(lambda options: options[draw(st.integers(0, len(options) - 1))])


@dataclass(frozen=True, slots=True)
class Callee:
    """A kernel of the text that another may call: its parameters, and types of its results."""

    name: str
    takes: tuple[str, ...]
    gives: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(slots=True)
class Draft:
    """A kernel while it grows: its scope, lines and results; `inside` a loop over time."""

    scope: Scope
    lines: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    callees: tuple[Callee, ...] = ()
    made: int = 0
    inside: bool = False

    def name(self) -> str:
        """A name for the next array."""
        self.made += 1
        return f"{'x' if self.inside else 'v'}{self.made - 1}"

    def add(self, name: str, dtype: str, axes: tuple[str, ...], *, result: bool = True) -> None:
        """An array that is now defined."""
        self.scope.arrays[name] = (dtype, tuple(AXES[x] for x in axes))
        if result and not self.inside:
            self.results.append(name)


def grow(pick: Pick) -> Program:
    """A program; `pick` makes every choice."""
    forms: set[str] = set()
    more = extras(pick)
    inputs = inputs_of(more) | (PLACES if pick([False, True]) else {})
    functions, heads = _functions(Scope(pick, forms, reduces=0, steady=True, more=more))
    callees: tuple[Callee, ...] = ()
    if pick([False, False, True]):
        own = Scope(
            pick, forms, inputs_of(more), numbers=("N", "M"), functions=functions, more=more
        )
        called = _grown(own)
        lines, takes = _lines(called, "c0")
        heads += lines
        gives = tuple(called.scope.arrays[n] for n in called.results)
        callees = (Callee("c0", tuple(takes), gives),)
    scope = Scope(pick, forms, inputs, numbers=("N", "M"), functions=functions, more=more)
    return _assembled(_grown(scope, callees), heads)


def _grown(scope: Scope, callees: tuple[Callee, ...] = ()) -> Draft:
    """A kernel with at least one result."""
    draft = Draft(scope, callees=callees)
    for _ in range(scope.pick([1, 2, 3, 3, 4, 5])):
        _definition(draft)
    if not draft.results:
        draft.lines.append("last[i] = " + expression(scope.over(("i",)), "f32", 2))
        draft.add("last", "f32", ("i",))
    return draft


def _lines(draft: Draft, name: str) -> tuple[list[str], list[str]]:
    """The lines of a kernel, and its parameters."""
    scope = draft.scope
    used = set(re.findall(r"\w+", "\n".join(draft.lines))) | {"b"}
    known = {**INPUTS, **MORE, **PLACES, **TURNS}
    inputs = [n for n in known if n in used]
    parameters = ", ".join(f"{n}: {typed(*known[n])}" for n in inputs)
    kinds = [typed(*scope.arrays[n]) for n in draft.results]
    result = kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"
    if len(kinds) > 1:
        scope.forms.add("several results")
    body = ["assert N > 0", "assert M > 0", *draft.lines, f"return {', '.join(draft.results)}"]
    return [f"def {name}({parameters}) -> {result}:", *indented(body)], inputs


def _assembled(draft: Draft, heads: list[str]) -> Program:
    scope, pick = draft.scope, draft.scope.pick
    lines, inputs = _lines(draft, "f")
    text = "".join(f"{x}\n" for x in (*heads, *lines))
    sizes = dict(SIZES)
    if not re.search(r"\b(for|while)\b", text) and scope.rarely(3):
        sizes["N"] = LARGE
    dims = {d: pick(options) for d, options in sizes.items()}
    rng = np.random.default_rng(pick(list(range(20))))
    astray = "g" in inputs and scope.rarely(2)
    more = set(scope.more) & set(re.findall(r"\w+", text))
    given = {n: values(rng, n, dims, astray=astray) for n in inputs}
    return Program(text, dims, given, frozenset(scope.forms), frozenset(more))


# Definitions --------------------------------------------------------------------------------


def _definition(draft: Draft) -> None:
    pick = draft.scope.pick
    makers: list[Callable[[Draft], None]] = [
        _equation, _equation, _equation, _block, _block, _block, _number, _scan, _update, _count,
        _parts,
    ]  # fmt: skip
    if draft.callees:
        makers += [_call_of_kernel] * 5
    if any(len(f.gives) == 2 for f in draft.scope.functions):
        makers.append(_pair)
    if not draft.inside:
        makers += [_time, _time]
    pick(makers)(draft)


def _equation(draft: Draft) -> None:
    scope, pick = draft.scope, draft.scope.pick
    name, dtype = draft.name(), scope.dtype()
    axes = pick([("i",), ("j", "i")])
    inner = scope.over(axes)
    make = reduction if axes == ("i",) and pick([False, True]) else expression
    value = make(inner, dtype, 2 if make is reduction else pick([1, 2, 3]))
    hidden = draft.inside or (not draft.results and scope.rarely(3))
    if hidden:
        stand = "b[j, i]" if axes == ("j", "i") else "a[i]"
        value = f"({value}) if {stand} > -1.0 else {literal(scope, dtype)}"
        scope.forms.add("intermediate")
    draft.lines.append(f"{name}[{', '.join(axes)}] = {value}")
    draft.add(name, dtype, axes, result=not hidden)


def _block(draft: Draft) -> None:
    scope, pick = draft.scope, draft.scope.pick
    name, dtype, axes = draft.name(), scope.dtype(), pick([("i",), ("i",), ("j", "i")])
    if draft.inside:
        draft.lines.append(f"{name}: {typed(dtype, tuple(AXES[x] for x in axes))}")
    draft.lines += block(scope, name, dtype, axes)
    draft.add(name, dtype, axes)


def _number(draft: Draft) -> None:
    """A result without axes."""
    draft.scope.forms.add("0-d")
    name, dtype = draft.name(), draft.scope.dtype()
    draft.lines.append(f"{name} = {reduction(draft.scope, dtype, 1)}")
    draft.add(name, dtype, ())


def _scan(draft: Draft) -> None:
    """A range that ends at an axis of which the body is free."""
    scope, pick = draft.scope, draft.scope.pick
    scope.forms.add("scan")
    name, dtype, axes = draft.name(), scope.dtype(), pick([("i",), ("i",), ("j", "i")])
    free = {x: AXES[x] for x in axes if x != "i"}
    inner = replace(scope, indices={**free, "k": "N"}, reduces=0, steady=True)
    bounds = pick(["i + 1", "i + 1", "i", "i, N"])
    value = folded(inner, dtype, f"for k in range({bounds})", 2, some=bounds != "i")
    if draft.inside or axes == ("j", "i"):
        stand = "b[j, i]" if axes == ("j", "i") else "a[i]"
        value = f"({value}) if {stand} > -9.0 else {literal(scope, dtype)}"
    draft.lines.append(f"{name}[{', '.join(axes)}] = {value}")
    draft.add(name, dtype, axes)


def _count(draft: Draft) -> None:
    """Elements that several iterations may update; whole numbers come out the same in any order."""
    scope, pick = draft.scope, draft.scope.pick
    if draft.inside:
        _equation(draft)
        return
    scope.forms.add("atomic")
    name, dtype = draft.name(), pick(["i32", "i32", "u32", "f32"])
    draft.lines.append(f"{name}[k] = {FIRST[dtype]}")
    axes = pick([("i",), ("j", "i")])
    inner = replace(scope.over(axes), reduces=1)
    at = f"{name}[{inside(inner, 'N')}]"
    more = expression(inner, dtype, 2) if dtype == "f32" else whole(inner, dtype, 2)
    change = pick([f"{at} += {more}", f"{at} = max({at}, {more})", f"{at} = min({at}, {more})"])
    lines = [change]
    if pick([False, True]):
        lines = [f"if {expression(inner, 'bool', 2)}:", f"    {change}"]
    extents = ", ".join(AXES[x] for x in axes)
    draft.lines += [f"for {', '.join(axes)} in grid({extents}):", *indented(lines)]
    draft.add(name, dtype, ("i",))


def _parts(draft: Draft) -> None:
    """An array with a value, written point by point, row by row, or where a condition says."""
    scope, pick = draft.scope, draft.scope.pick
    if draft.inside:
        _equation(draft)
        return
    scope.forms.add("parts")
    name, dtype, axes = draft.name(), scope.dtype(("f32", "i32", "u32")), pick([("i",), ("j", "i")])
    draft.lines.append(f"{name}: {typed(dtype, tuple(AXES[x] for x in axes))} = {FIRST[dtype]}")
    draft.add(name, dtype, axes)
    along, rest = axes[0], axes[1:]
    dim, turn = AXES[along], f"t{draft.made}"
    point, row = scope.over(rest), replace(scope.over(rest), numbers=(*scope.numbers, turn))
    at = lambda first: f"{name}[{', '.join((first, *rest))}]"  # noqa: E731
    if pick([False, True]):
        draft.lines.append(f"{at(pick(['0', f'{dim} - 1']))} = {whole(point, dtype, 2)}")
    if pick([False, True]):
        value = new_value(row, at(f"{turn} - 1"), dtype)
        draft.lines += [f"for {turn} in range(1, {dim}):", f"    {at(turn)} = {value}"]
    if pick([False, True]):
        others = {n: kind for n, kind in scope.arrays.items() if n != name}
        own = replace(scope.over(axes), arrays=others)
        test, value = expression(own, "bool", 2), new_value(own, at(along), dtype)
        draft.lines += [
            f"for {', '.join(axes)} in grid({', '.join(AXES[x] for x in axes)}):",
            f"    if {test}:",
            f"        {at(along)} = {value}",
        ]


def _call_of_kernel(draft: Draft) -> None:
    """The results of another kernel, for arrays at hand."""
    scope, pick = draft.scope, draft.scope.pick
    scope.forms.add("kernel call")
    callee = pick(list(draft.callees))
    given: list[str] = []
    for n in callee.takes:
        kind = {**INPUTS, **MORE, **TURNS}[n]
        alike = [x for x, k in scope.arrays.items() if k == kind and (kind[1] or x == n)]
        given.append(pick([*alike, literal(scope, kind[0])] if n in "sr" else alike or [n]))
    names = [draft.name() for _ in callee.gives]
    draft.lines.append(f"{', '.join(names)} = {callee.name}({', '.join(given)})")
    for name, (dtype, shape) in zip(names, callee.gives, strict=True):
        draft.add(name, dtype, tuple(x for d in shape for x, dim in AXES.items() if dim == d))


def _pair(draft: Draft) -> None:
    """Two equations by one call."""
    scope, pick = draft.scope, draft.scope.pick
    function = pick([f for f in scope.functions if len(f.gives) == 2])
    names = draft.name(), draft.name()
    if draft.inside:
        draft.lines += [f"{n}: {d}[N]" for n, d in zip(names, function.gives, strict=True)]
    value = call(scope.over(("i",)), function.name, 2)
    draft.lines.append(f"{names[0]}[i], {names[1]}[i] = {value}")
    for name, dtype in zip(names, function.gives, strict=True):
        draft.add(name, dtype, ("i",))


def _update(draft: Draft, *, of: list[str] | None = None) -> None:
    """An array that has values gets new ones, made from the old ones."""
    scope, pick = draft.scope, draft.scope.pick
    names = of or [
        *draft.results,
        *draft.results,
        "a",
        "m",
        "u",
        "b",
        "p",
        *(n for n, (_, shape) in MORE.items() if shape),
    ]
    name = pick([n for n in names if n in scope.arrays])
    dtype, shape = scope.arrays[name]
    axes = tuple(x for dim in shape for x, d in AXES.items() if d == dim)
    inner = scope.over(axes)
    scope.forms.add("update")
    at = f"{name}[{', '.join(axes)}]" if axes else name
    if dtype in WHOLE and pick([False, True]):
        op = pick(["+=", "-=", "*=", "^="])
        draft.lines.append(f"{at} {op} {whole(inner, dtype, 2)}")
    elif dtype in FLOATS and not draft.inside and pick([False, True]):
        draft.lines.append(f"{at} {pick(['+=', '-='])} {expression(inner, dtype, 2)}")
    else:
        old = pick([at, element(inner, name)])
        draft.lines.append(f"{at} = {new_value(inner, old, dtype)}")
    if name not in draft.results:
        draft.results.append(name)


def _time(draft: Draft) -> None:
    """Definitions in a loop over time: at least one update, and what is new in each turn."""
    scope, pick = draft.scope, draft.scope.pick
    scope.forms.add("time loop")
    outside = list(scope.arrays)
    var = f"t{draft.made}"
    bounds = pick(["2", "3", "1, 3", "M", "h", "1, h", "h + 1"])
    inner = Draft(
        replace(scope, arrays=dict(scope.arrays), numbers=(*scope.numbers, var, var, var)),
        results=list(draft.results), callees=draft.callees, made=draft.made,
        inside=True,
    )  # fmt: skip
    if scope.pick([False, True]):
        _definition(inner)
    _update(inner, of=[*draft.results, "a", "m", "b"])
    if scope.rarely(3):
        _update(inner, of=[*draft.results, "a", "u"])
    if scope.rarely(2):
        _under(inner, var)
    draft.made = inner.made
    draft.results[:] = [n for n in inner.results if n in outside]
    declared = [x for x in inner.lines if re.match(r"x\d+: ", x)]
    lines = [x for x in inner.lines if x not in declared]
    draft.lines += [*declared, f"for {var} in range({bounds}):", *indented(lines)]


def _under(draft: Draft, turn: str) -> None:
    """An update in a loop whose bounds need the turn of the loop around, or in an `if` on it."""
    scope, pick = draft.scope, draft.scope.pick
    start = len(draft.lines)
    if pick([False, True]):
        scope.forms.add("loop of turns")
        draft.made += 1
        var = f"t{draft.made}"
        bounds = pick([turn, f"{turn} + 1", f"{turn}, 3", f"h - {turn}", f"{turn} % 2, {turn}"])
        numbers = scope.numbers
        draft.scope = replace(scope, numbers=(*numbers, var, var))
        _update(draft, of=[*draft.results, "a", "m"])
        if scope.rarely(3):
            _under(draft, pick([turn, var]))
        draft.scope = scope
        head = f"for {var} in range({bounds}):"
    else:
        scope.forms.add("if of turns")
        _update(draft, of=[*draft.results, "a", "m"])
        if scope.rarely(3):
            _under(draft, turn)
        head = "if " + pick(
            [f"{turn} % 2 == 0", f"{turn} > 0 and h > 1", f"{turn} < M or N < 3", f"{turn} != h"]
        ) + ":"  # fmt: skip
    lines = draft.lines[start:]
    draft.lines[start:] = [head, *indented(lines)]
    if head.startswith("if") and scope.rarely(3):
        below = len(draft.lines)
        _update(draft, of=[*draft.results, "a", "m"])
        draft.lines[below:] = ["else:", *indented(draft.lines[below:])]


# Functions ----------------------------------------------------------------------------------


def _functions(empty: Scope) -> tuple[tuple[Function, ...], list[str]]:
    """Functions without arrays, with their lines; a later one may call an earlier one."""
    pick = empty.pick
    made: list[Function] = []
    lines: list[str] = []
    for number in range(pick([0, 0, 0, 1, 2])):
        takes = tuple(empty.dtype() for _ in range(pick([1, 2, 3])))
        gives = tuple(empty.dtype() for _ in range(pick([1, 1, 2])))
        parameters = {f"{'xyz'[n]}{number}": dtype for n, dtype in enumerate(takes)}
        scope = replace(empty, arrays={}, locals=parameters, functions=tuple(made))
        said = ", ".join(pick([n, f"{n}: {d}"]) for n, d in parameters.items())
        name = f"f{number}"
        lines.append(f"def {name}({said}):")
        local = scope.dtype()
        lines.append(f"    l{number} = {whole(scope, local, 2)}")
        scope.locals[f"l{number}"] = local
        lines.append(f"    return {', '.join(whole(scope, d, 2) for d in gives)}")
        made.append(Function(name, takes, gives))
    return tuple(made), lines
