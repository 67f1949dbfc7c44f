"""Loop blocks: locals, private arrays, loops, branches, recurrences."""

from __future__ import annotations

from dataclasses import replace

from tests.laws.growing.expressions import (
    call,
    expression,
    own_element,
    ranged,
    whole,
)
from tests.laws.growing.scope import AXES, FLOATS, WHOLE, Scope, indented

FIRST = {
    "f32": "0.0", "i32": "0", "u32": "u32(1)", "bool": "False", "f16": "f16(0.5)",
    "f64": "f64(0.0)", "i8": "i8(1)", "u8": "u8(3)", "i64": "i64(2)",
}  # fmt: skip


def block(scope: Scope, name: str, dtype: str, axes: tuple[str, ...]) -> list[str]:
    """A block that writes every element of one array."""
    inner = replace(scope.over(axes), forms=set[str](), locals={}, private={}, reduces=1)
    lines: list[str] = []
    kinds = scope.pick([["f32"], ["i32"], ["f32", "i32"], ["u32", "f32"], ["i32", "bool"]])
    if scope.more and scope.pick([True, True, False]):
        kinds = [scope.pick(list(scope.more)), *kinds[1:]]
    for kind in kinds:
        local = f"{name}_{kind}"
        first = scope.pick([FIRST[kind], whole(inner, kind, 2) if kind != "bool" else FIRST[kind]])
        lines.append(f"{local} = {first}")
        inner.locals[local] = kind
    if scope.rarely(4):
        scope.forms.add("private")
        kind = scope.dtype(("f32", "i32"))
        lines.append(f"{name}_own: {kind}[3] = {FIRST[kind]}")
        inner.private[f"{name}_own"] = kind
    for _ in range(scope.pick([1, 1, 2, 3])):
        lines += _statements(inner, name, 2)
    lines += _writes(inner, name, dtype, axes)
    again = {"block with a recurrence"} if "recurrence" in inner.forms else set[str]()
    scope.forms.update(inner.forms, {"block"}, again)
    return [f"for {', '.join(axes)} in grid({', '.join(AXES[x] for x in axes)}):", *indented(lines)]


def _writes(scope: Scope, name: str, dtype: str, axes: tuple[str, ...]) -> list[str]:
    """The element of the block, written once, also where a condition says what."""
    at = f"{name}[{', '.join(axes)}]"
    if not scope.rarely(3):
        return [f"{at} = {_outcome(scope, dtype)}"]
    return [
        f"if {expression(scope, 'bool', 2)}:",
        f"    {at} = {_outcome(scope, dtype)}",
        "else:",
        f"    {at} = {_outcome(scope, dtype)}",
    ]


def _outcome(scope: Scope, dtype: str) -> str:
    """What a block comes to: mostly made from one of its locals or private elements."""
    kinds = {**scope.locals, **{own_element(scope, n): d for n, d in scope.private.items()}}
    local = scope.pick(list(kinds))
    if scope.rarely(3) or "bool" in {dtype, kinds[local]} != {"bool"}:
        return whole(scope, dtype, 2)
    if dtype == "bool":
        return f"{local} != {expression(scope, 'bool', 1)}"
    cast = local if kinds[local] == dtype else f"{dtype}({local})"
    return scope.pick([cast, f"{cast} + {whole(scope, dtype, 1)}"])


def _statements(scope: Scope, name: str, depth: int) -> list[str]:
    makers = [lambda: _assign(scope), lambda: _assign(scope), lambda: _together(scope)]
    if scope.private:
        makers += [lambda: _store(scope)] * 3
    if depth:
        makers += [
            lambda: _if(scope, name, depth),
            lambda: _for(scope, name, depth),
            lambda: _for(scope, name, depth),
            lambda: _while(scope, name, depth),
        ]
    return scope.choose(*makers)


def new_value(scope: Scope, old: str, kind: str) -> str:
    """A value made from an old one, which stays small however often it is assigned."""
    e = expression(scope, kind, 2)
    match kind:
        case _ if kind in FLOATS:
            scope.forms.add("recurrence")
            return f"clip({old} * {scope.pick(['0.5', '1.0', '2.0'])} + {e}, -8.0, 8.0)"
        case _ if kind in WHOLE:
            scope.forms.add("recurrence")
            return f"{old} * {kind}(3) + {e}"
        case _:
            return e


def _assign(scope: Scope) -> list[str]:
    local = scope.pick(list(scope.locals))
    kind = scope.locals[local]
    if kind in WHOLE and scope.pick([False, True]):
        op = scope.pick(["+=", "-=", "^=", "*=", "|=", "&="])
        return [f"{local} {op} {whole(scope, kind, 1)}"]
    return [f"{local} = {new_value(scope, local, kind)}"]


def _together(scope: Scope) -> list[str]:
    if len(scope.locals) < 2:
        return _assign(scope)
    one, two = list(scope.locals)[:2]
    kinds = (scope.locals[one], scope.locals[two])
    scope.forms.add("tuple")
    functions = [f.name for f in scope.functions if f.gives == kinds]
    if functions:
        return [f"{one}, {two} = {call(scope, scope.pick(functions), 2)}"]
    new = new_value(scope, one, kinds[0])
    if kinds[1] != "bool" and scope.rarely(2):
        return [f"{one}, {two} = {new}, {kinds[1]}({one})"]
    return [f"{one}, {two} = {new}, {new_value(scope, two, kinds[1])}"]


def _store(scope: Scope) -> list[str]:
    """An element of a private array gets a value, or changes places with another."""
    name = scope.pick(list(scope.private))
    kind = scope.private[name]
    one, two = own_element(scope, name), own_element(scope, name)
    scope.forms.add("recurrence")
    makers = [
        lambda: [f"{one} = {new_value(scope, two, kind)}"],
        lambda: [f"{one}, {two} = {two}, {one}"],
    ]
    if kind in WHOLE:
        makers.append(lambda: [f"{one} {scope.pick(['+=', '-='])} {whole(scope, kind, 1)}"])
    return scope.choose(*makers)


def _if(scope: Scope, name: str, depth: int) -> list[str]:
    scope.forms.add("if")
    test, inner = expression(scope, "bool", 2), scope
    if scope.rarely(4):
        scope.forms.add(":=")
        new = f"{name}_n{depth}"
        test = f"({new} := {whole(scope, 'i32', 2)}) {scope.pick(['<', '>=', '!='])} 1"
        inner = replace(scope, locals={**scope.locals, new: "i32"})
    lines = [f"if {test}:", *indented(_statements(inner, name, depth - 1))]
    if scope.pick([False, True]):
        lines += [f"elif {expression(scope, 'bool', 1)}:"]
        lines += indented(_statements(scope, name, 0))
    if scope.pick([False, True]):
        lines += ["else:", *indented(_statements(scope, name, depth - 1))]
    return lines


def _for(scope: Scope, name: str, depth: int) -> list[str]:
    scope.forms.add("for")
    var = f"{name}_t{depth}"
    bounds, dim, _ = ranged(scope)
    if bounds == dim and scope.rarely(3):
        bounds = f"1, {dim}"
    inner = replace(scope, indices={**scope.indices, var: dim})
    lines = _statements(inner, name, depth - 1)
    if scope.rarely(3):
        scope.forms.add("break")
        leave = scope.pick(["break", "continue"])
        lines += [f"if {expression(inner, 'bool', 1)}:", f"    {leave}", *_assign(inner)]
    return [f"for {var} in range({bounds}):", *indented(lines)]


def _while(scope: Scope, name: str, depth: int) -> list[str]:
    scope.forms.add("while")
    count = f"{name}_w{depth}{len(scope.forms)}"
    lines = [f"{count} += 1", *_statements(scope, name, depth - 1)]
    test = expression(scope, "bool", 1)
    head = [f"{count} = 0", f"while {count} < {scope.pick([2, 3, 5])} and ({test}):"]
    return [*head, *indented(lines)]
