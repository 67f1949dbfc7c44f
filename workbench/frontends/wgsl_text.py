"""WGSL as tokens, and the expressions that stand in its declarations.

Reads names with template arguments, integers and `+ - * / %`; what stands elsewhere, in bodies
of functions above all, is skipped by brackets. Nothing here knows what a declaration means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.base.errors import SourceError
from workbench.base.source import Source, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["name", "number", "sign", "end"]

_TOKEN = re.compile(
    r"(?P<blank>\s+|//[^\n]*)|(?P<open>/\*)|(?P<name>[^\W\d]\w*)"
    r"|(?P<number>0[xX][\w.]+|\.?\d(?:[eE][+-]|[\w.])*)|(?P<sign>.)",
    re.DOTALL,
)
_COMMENT_END = re.compile(r"/\*|\*/")
_INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|0|[1-9]\d*)[iu]?")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text and its place; the last token is of kind `end`."""

    kind: Kind
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    """A name, with what stands in its template list: `array<f32, 4>`."""

    token: Token
    args: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    token: Token


@dataclass(frozen=True, slots=True)
class Binary:
    """One of `+ - * / %` between two expressions."""

    token: Token
    left: Expression
    right: Expression


Expression = Name | Number | Binary


def refusal(message: str, at: Token | Span | None, hint: str = "") -> SourceError:
    """What is not read, and where."""
    return SourceError(message, span=at.span if isinstance(at, Token) else at, hint=hint)


def tokens(source: Source) -> tuple[Token, ...]:
    """The tokens of a text, without blanks and comments.

    Raises `SourceError` for a comment that does not end.
    """
    return tuple(_tokens(source))


def _tokens(source: Source) -> Iterator[Token]:
    at = 0
    while found := _TOKEN.match(source.text, at):
        at = found.end()
        span = Span(source, found.start(), at)
        match found.lastgroup:
            case "open":
                at = _after_comment(source, span)
            case "name":
                yield Token("name", found[0], span)
            case "number":
                yield Token("number", found[0], span)
            case "sign":
                yield Token("sign", found[0], span)
            case _:
                pass
    yield Token("end", "", Span(source, max(0, at - 1), at))


def _after_comment(source: Source, opening: Span) -> int:
    """The offset behind a block comment; they nest."""
    depth, at = 1, opening.end
    while depth:
        found = _COMMENT_END.search(source.text, at)
        if found is None:
            raise refusal("this comment does not end", opening, "*/")
        depth += 1 if found[0] == "/*" else -1
        at = found.end()
    return at


def closing(found: tuple[Token, ...], at: int) -> int:
    """The place of the bracket that closes the one at `at`."""
    open_brackets: list[Token] = []
    for place in range(at, len(found)):
        token = found[place]
        if token.kind == "sign" and token.text in _CLOSING:
            open_brackets.append(token)
        elif token.kind == "sign" and token.text in _CLOSING.values():
            if _CLOSING[open_brackets[-1].text] != token.text:
                raise refusal(
                    f"'{token.text}' does not close '{open_brackets[-1].text}'", token,
                    f"'{_CLOSING[open_brackets[-1].text]}'",
                )  # fmt: skip
            open_brackets.pop()
            if not open_brackets:
                return place
    raise refusal(f"this '{open_brackets[-1].text}' is not closed", open_brackets[-1])


_STARTS = frozenset({"@", "alias", "const", "fn", "override", "struct", "var"})
"""What a declaration begins with, and nothing inside of one has outside of brackets."""


def until(found: tuple[Token, ...], at: int, sign: str) -> int:
    """The place of the next `sign` outside of brackets, before what starts a declaration."""
    start = at
    while found[at].text != sign:
        another = at > start and found[at].text in _STARTS
        if another or found[at].kind == "end" or found[at].text in _CLOSING.values():
            raise refusal(f"no '{sign}' ends this declaration", found[start], f"'{sign}'")
        at = (closing(found, at) if found[at].text in _CLOSING else at) + 1
    return at


def expect(found: tuple[Token, ...], at: int, text: str) -> int:
    """The place behind the token `text`, which has to stand here."""
    if found[at].text != text:
        raise refusal(f"'{text}' was expected here, not '{found[at].text}'", found[at])
    return at + 1


def name(found: tuple[Token, ...], at: int) -> Token:
    """The name that has to stand here."""
    if found[at].kind != "name":
        raise refusal(f"a name was expected here, not '{found[at].text}'", found[at])
    return found[at]


def expression(found: tuple[Token, ...], at: int) -> tuple[Expression, int]:
    """The expression that starts here, and the place behind it."""
    return _binary(found, at, ("+-", "*/%"))


def arguments(found: tuple[Token, ...], at: int, end: str) -> tuple[tuple[Expression, ...], int]:
    """Expressions between commas up to `end`, and the place behind it."""
    found_args: list[Expression] = []
    while found[at].text != end:
        one, at = expression(found, at)
        found_args.append(one)
        if found[at].text != end:
            at = expect(found, at, ",")
    return tuple(found_args), at + 1


def _binary(found: tuple[Token, ...], at: int, levels: tuple[str, ...]) -> tuple[Expression, int]:
    if not levels:
        return _primary(found, at)
    left, at = _binary(found, at, levels[1:])
    while found[at].kind == "sign" and found[at].text in levels[0]:
        right, after = _binary(found, at + 1, levels[1:])
        left, at = Binary(found[at], left, right), after
    return left, at


def _primary(found: tuple[Token, ...], at: int) -> tuple[Expression, int]:
    token = found[at]
    if token.text == "(":
        inner, at = expression(found, at + 1)
        return inner, expect(found, at, ")")
    if token.kind == "number":
        return Number(token), at + 1
    if token.kind == "name" and found[at + 1].text == "<":
        args, at = arguments(found, at + 2, ">")
        return Name(token, args), at
    if token.kind == "name":
        return Name(token), at + 1
    raise refusal(f"'{token.text}' is not read in a declaration", token, "a literal or a const")


def integer(token: Token) -> int:
    """The value of an integer literal; raises `SourceError` for other numbers."""
    whole = _INTEGER.fullmatch(token.text)
    if whole is None:
        raise refusal(f"{token.text} is not a whole number", token, "16 or 16u")
    return within(int(whole[1], 0), token)


def within(value: int, token: Token) -> int:
    """The value, refused where sizes do not go."""
    if not 0 <= value <= _LARGEST:
        raise refusal(f"{value} is no size: sizes go from 0 to {_LARGEST}", token)
    return value
