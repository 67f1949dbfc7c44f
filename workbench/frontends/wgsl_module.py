"""The declarations of a WGSL text by name: where each goes on, not yet what it means.

WGSL lets a declaration stand after its use, so all are collected first; `wgsl.py` looks into
those that it needs. Bodies of functions are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.frontends.wgsl_text import Token, arguments, closing, expect, name, refusal, until

_DIRECTIVES = ("enable", "requires", "diagnostic", "const_assert")

Attributes = dict[str, int]
"""Names of attributes, each with the place behind it, where its arguments begin."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A module-scope variable: its attributes, the names in `<>`, and where its type stands."""

    token: Token
    attributes: Attributes
    space: tuple[str, ...]
    type_at: int | None


@dataclass(frozen=True, slots=True)
class Module:
    """The declarations by name, as places in `found` where they go on."""

    found: tuple[Token, ...]
    constants: dict[str, int] = field(default_factory=dict[str, int])
    overrides: dict[str, int] = field(default_factory=dict[str, int])
    aliases: dict[str, int] = field(default_factory=dict[str, int])
    structs: dict[str, int] = field(default_factory=dict[str, int])
    variables: list[Variable] = field(default_factory=list["Variable"])
    entries: dict[str, Attributes] = field(default_factory=dict[str, "Attributes"])


def module_of(found: tuple[Token, ...]) -> Module:
    """The declarations of a text. Raises `SourceError` where a text is none."""
    module = Module(found)
    at = 0
    while found[at].kind != "end":
        attributes, at = _attributes(found, at)
        at = _declaration(module, attributes, at)
    return module


def _attributes(found: tuple[Token, ...], at: int) -> tuple[Attributes, int]:
    attributes: Attributes = {}
    while found[at].text == "@":
        word = name(found, at + 1)
        at += 2
        attributes[word.text] = at
        if found[at].text == "(":
            at = closing(found, at) + 1
    return attributes, at


def _declaration(module: Module, attributes: Attributes, at: int) -> int:
    """Collect one declaration; gives the place behind it."""
    found = module.found
    word = found[at].text
    if word == ";":
        return at + 1
    if word in _DIRECTIVES:
        return until(found, at, ";") + 1
    if word == "var":
        return _variable(module, attributes, at + 1)
    if word not in {"const", "override", "alias", "struct", "fn"}:
        raise refusal(f"'{word}' starts no declaration", found[at])
    named = name(found, at + 1).text
    match word:
        case "fn":
            if "compute" in attributes:
                module.entries[named] = attributes
            expect(found, at + 2, "(")
            return closing(found, _body(found, closing(found, at + 2) + 1)) + 1
        case "struct":
            module.structs[named] = expect(found, at + 2, "{")
            return closing(found, at + 2) + 1
        case "alias":
            module.aliases[named] = expect(found, at + 2, "=")
        case "override":
            module.overrides[named] = at
        case _:
            module.constants[named] = _initial(found, at + 2)
    return until(found, at, ";") + 1


def _body(found: tuple[Token, ...], at: int) -> int:
    """The place of the brace that opens a function's body, behind its result type."""
    start = at
    while found[at].text != "{":
        if found[at].kind == "end" or found[at].text in {";", "}"}:
            raise refusal("this function has no body", found[start], "{ }")
        at += 1
    return at


def _initial(found: tuple[Token, ...], at: int) -> int:
    """The place behind the `=` of a constant, whose type may be written or not."""
    while found[at].text != "=":
        if found[at].kind == "end" or found[at].text == ";":
            raise refusal("this constant has no value", found[at])
        at += 1
    return at + 1


def _variable(module: Module, attributes: Attributes, at: int) -> int:
    found = module.found
    space: tuple[str, ...] = ()
    if found[at].text == "<":
        words, at = arguments(found, at + 1, ">")
        space = tuple(w.token.text for w in words)
    token = name(found, at)
    type_at = at + 2 if found[at + 1].text == ":" else None
    module.variables.append(Variable(token, attributes, space, type_at))
    return until(found, at, ";") + 1
