"""Reading a cell that may be unfinished: its head, its functions, and the names they define.

Made of tokens and indentation alone, so any text can be read; what is there is found, what is
missing is left out. It says nothing about whether a cell is right: that is `workbench.lang`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Kind = Literal["dim", "array", "scalar", "local", "index"]

_HEAD = re.compile(r"\s*%%wgpu_kernel(?=\s|\Z)")
_OTHER = re.compile(r"--lang[ =]+(?!index\b)\S")
_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<text>(?:\"{3}(?:[^\\]|\\.)*?(?:\"{3}|\Z)) | (?:'{3}(?:[^\\]|\\.)*?(?:'{3}|\Z))
          | "(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'?)
      | (?P<name>[^\W\d]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<line>\n)
      | (?P<space>[^\S\n]+)
      | (?P<sign>->|:=|(?:\*\*|//|<<|>>|[-+*/%&|^])=|[=!<>]=|\*\*|//|<<|>>|.)""",
    re.VERBOSE | re.DOTALL,
)
_UPDATES = frozenset({"=", "+=", "-=", "*=", "/=", "//=", "%=", "**=", "&=", "|=", "^="})
_BARE = frozenset({"return", "assert", "if", "elif", "else", "while", "for", "break", "continue"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text; `start` and `end` are offsets in the cell."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def closed(self) -> bool:
        """Whether a text literal has its closing quotes."""
        quotes = self.text[:3] if self.text[:3] in {'"""', "'''"} else self.text[:1]
        return len(self.text) >= 2 * len(quotes) and self.text.endswith(quotes)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with the columns of white space before it; no space and no comment."""

    indent: int
    tokens: tuple[Token, ...]

    @property
    def start(self) -> int:
        """The offset of the first token."""
        return self.tokens[0].start


@dataclass(frozen=True, slots=True)
class Definition:
    """A name with the text that defines it."""

    name: str
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the cell, from its decorator on. `kernel` is what `@schedule` names, if so.

    `body` is the offset at which the signature ends.
    """

    name: str
    start: int
    end: int
    body: int
    tokens: tuple[Token, ...]
    kernel: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A `%%wgpu_kernel` cell: options stand from `head` to `body`, the kernels after it."""

    text: str
    head: int
    body: int
    functions: tuple[Function, ...]

    @property
    def other(self) -> bool:
        """Whether `--lang` says that the body is in another language."""
        return _OTHER.search(self.text, self.head, self.body) is not None

    def in_head(self, offset: int) -> bool:
        """Whether an offset lies in the first line."""
        return "\n" not in self.text[self.head : offset]

    def function(self, offset: int) -> Function | None:
        """The function in which an offset lies."""
        return next((f for f in self.functions if f.start <= offset <= f.end), None)

    def in_signature(self, f: Function, offset: int) -> bool:
        """Whether an offset stands before the colon that ends a signature, where there is one."""
        return offset < f.body or (offset == f.body and self.text[offset - 1] != ":")

    def kernels(self) -> list[str]:
        """The names of the functions that are no schedules."""
        return [f.name for f in self.functions if f.kernel is None and f.name]

    def schedules(self) -> list[Function]:
        """The schedules."""
        return [f for f in self.functions if f.kernel is not None]


def read_cell(text: str) -> Cell | None:
    """The cell, or None where the text is another kind of cell."""
    found = _HEAD.match(text)
    if found is None:
        return None
    line_end = text.find("\n", found.end())
    body = len(text) if line_end < 0 else line_end + 1
    tokens = tuple(
        Token(m.lastgroup or "sign", m.group(), m.start(), m.end())
        for m in _TOKEN.finditer(text, body)
    )
    return Cell(text, found.end(), body, tuple(_functions(text, tokens)))


def statements(tokens: Sequence[Token]) -> list[Statement]:
    """The statements of a body. An open bracket ends where a line is not indented further."""
    found: list[Statement] = []
    words: list[Token] = []
    indent = depth = column = 0
    fresh = True
    for t in tokens:
        match t.kind:
            case "line":
                fresh, column = True, 0
                continue
            case "space":
                column += len(t.text) if fresh else 0
                continue
            case "comment":
                continue
            case _:
                pass
        if words and fresh and (depth <= 0 or (column <= indent and t.text not in {")", "]"})):
            found.append(Statement(indent, tuple(words)))
            words, depth = [], 0
        if not words:
            indent = column
        words.append(t)
        fresh = False
        depth += (t.text in {"(", "["}) - (t.text in {")", "]"})
    return [*found, Statement(indent, tuple(words))] if words else found


def signature(f: Function) -> list[Definition]:
    """The parameters of a function and its dims, in order."""
    words = [t for t in f.tokens if t.end <= f.body and t.kind not in {"space", "line", "comment"}]
    opening = next((i for i, t in enumerate(words) if t.text == "def"), 0) + 3
    found: dict[str, Definition] = {}
    dims: dict[str, str] = {}
    place = "the result"
    depth = 1
    for i, t in enumerate(words[opening:], start=opening):
        after = words[i + 1 : i + 4]
        depth += (t.text in {"(", "["}) - (t.text in {")", "]"})
        if t.kind != "name":
            continue
        if depth == 1 and after and after[0].text == ":":
            shaped = len(after) == 3 and after[2].text == "["
            place = _until_comma(words[i:])
            found.setdefault(t.text, Definition(t.text, "array" if shaped else "scalar", place))
        elif words[i - 1].text not in {":", "->"} and _in_brackets(words[: i + 1]):
            dims.setdefault(t.text, place)
    for name, text in dims.items():
        found.setdefault(name, Definition(name, "dim", text))
    return list(found.values())


def knobs(f: Function) -> list[str]:
    """The parameters of a schedule."""
    words = [t for t in f.tokens if t.end <= f.body and t.kind not in {"space", "line", "comment"}]
    opening = next((i for i, t in enumerate(words) if t.text == "def"), 0) + 3
    before = [w.text for w in words[opening - 1 :]]
    return [
        w.text
        for i, w in enumerate(words[opening:])
        if w.kind == "name" and before[i] in {"(", ","}
    ]


def definitions(f: Function, offset: int) -> list[Definition]:
    """The names that can be used at an offset: indices of the place first."""
    fixed = signature(f)
    known = {d.name for d in fixed}
    found: dict[str, Definition] = {}
    indices: dict[str, Definition] = {}
    around: list[Statement] = []
    for s in body_of(f):
        if s.start > offset:
            break
        around = [x for x in around if x.indent < s.indent]
        here = list(_defined(s))
        indices = {d.name: d for d in here if d.kind == "index"}
        if s.tokens[0].text == "for":
            around.append(s)
        for d in here:
            if d.kind != "index":
                found.setdefault(d.name, d)
    for s in around:
        indices.update({d.name: d for d in _defined(s) if d.kind == "index"})
    free = [d for d in indices.values() if d.name not in known and d.name not in found]
    return [*free, *fixed, *(d for d in found.values() if d.name not in known)]


def equations(f: Function) -> Iterator[tuple[str, list[str]]]:
    """For each statement that writes an array its name, and the indices that stand in it."""
    known = {d.name for d in signature(f)}
    for s in body_of(f):
        here = list(_defined(s))
        for d in here:
            if d.kind == "array":
                names = dict.fromkeys(x.name for x in here if x.kind == "index")
                yield d.name, [n for n in names if n not in known]


def body_of(f: Function) -> list[Statement]:
    """The statements after the signature."""
    return statements([t for t in f.tokens if t.start >= f.body])


def open_call(tokens: Sequence[Token], offset: int) -> tuple[str, list[Token]] | None:
    """The function in whose brackets an offset lies, and the tokens of its arguments so far."""
    opened: list[int] = []
    words = [t for t in tokens if t.start < offset and t.kind not in {"space", "comment", "line"}]
    for i, t in enumerate(words):
        if t.text in {"(", "["} and t.kind == "sign":
            opened.append(i)
        elif t.text in {")", "]"} and t.kind == "sign" and opened:
            opened.pop()
    for i in reversed(opened):
        if words[i].text == "(" and i and words[i - 1].kind == "name":
            return words[i - 1].text, words[i + 1 :]
    return None


def open_text(tokens: Sequence[Token], offset: int) -> int | None:
    """The offset of the quote that opens the text in which an offset lies, None outside texts."""
    inside = (
        t.start
        for t in tokens
        if t.kind == "text" and (t.start < offset < t.end or (offset == t.end and not t.closed))
    )
    return next(inside, None)


def in_comment(tokens: Sequence[Token], offset: int) -> bool:
    """Whether an offset lies in a comment."""
    return any(t.kind == "comment" and t.start < offset <= t.end for t in tokens)


def _functions(text: str, tokens: Sequence[Token]) -> Iterator[Function]:
    """The functions, each from its decorators to the next function's."""
    starts: list[int] = []
    decorated = False
    for i, t in enumerate(tokens):
        if text[t.start - 1] == "\n" and t.text in {"@", "def"}:
            if not decorated:
                starts.append(i)
            decorated = t.text == "@"
    for first, last in pairwise([*starts, len(tokens)]):
        yield _function(tokens[first:last], tokens[last - 1].end)


def _function(tokens: Sequence[Token], end: int) -> Function:
    words = [t for t in tokens if t.kind not in {"space", "line", "comment"}]
    texts = [t.text for t in words]
    place = texts.index("def") if "def" in texts else len(words)
    name = words[place + 1].text if place + 1 < len(words) else ""
    kernel = None
    if texts[:2] == ["@", "schedule"]:
        kernel = texts[3] if len(texts) > 3 and words[3].kind == "name" else ""
    body = _body(words[place:], tokens, end)
    return Function(name, words[0].start, end, body, tuple(tokens), kernel)


def _body(words: Sequence[Token], tokens: Sequence[Token], end: int) -> int:
    """The offset after the colon of a signature, or after the line where it breaks off."""
    lines = [t.start for t in tokens if t.kind == "line"]
    depth = 0
    for i, t in enumerate(words):
        depth += (t.text in {"(", "["}) - (t.text in {")", "]"})
        if depth == 0 and t.text == ":":
            return t.end
        following = words[i + 1] if i + 1 < len(words) else None
        broken = next((x for x in lines if x >= t.end), None)
        if following is None or broken is None or broken > following.start:
            continue
        if t.text not in {"(", "[", ","} and following.text not in {")", "]", "->"}:
            return broken
    return end


def _in_brackets(words: Sequence[Token]) -> bool:
    squares = sum((t.text == "[") - (t.text == "]") for t in words)
    return squares > 0


def _until_comma(words: Sequence[Token]) -> str:
    depth = 0
    parts: list[str] = []
    for t in words:
        if depth == 0 and t.text in {",", ")"}:
            break
        depth += (t.text in {"(", "["}) - (t.text in {")", "]"})
        parts.append({":": ": ", ",": ", ", "=": " = "}.get(t.text, t.text))
    return "".join(parts)


def _defined(s: Statement) -> Iterator[Definition]:
    """The names that one statement defines, and the indices that it uses."""
    words = s.tokens
    text = _line(words)
    for i, t in enumerate(words):
        if t.text == "for" and t.kind == "name":
            yield from _loop_indices(words[i + 1 :], text)
        if t.text == ":=" and i:
            yield Definition(words[i - 1].text, "local", text)
    if words[0].text in _BARE or words[0].kind != "name":
        return
    depth = 0
    for i, t in enumerate(words):
        depth += (t.text in {"(", "["}) - (t.text in {")", "]"})
        if depth == 0 and (t.text in _UPDATES or t.text == ":"):
            yield from _targets(words[:i], words[i:], text)
            return


def _loop_indices(words: Sequence[Token], text: str) -> Iterator[Definition]:
    for t in words:
        if t.text == "in":
            return
        if t.kind == "name":
            yield Definition(t.text, "index", text)


def _targets(left: Sequence[Token], right: Sequence[Token], text: str) -> Iterator[Definition]:
    """What stands left of `=` or of the colon of an annotation."""
    shaped = right[0].text == ":" and len(right) > 2 and right[2].text == "["
    depth = 0
    for i, t in enumerate(left):
        depth += (t.text == "[") - (t.text == "]")
        if t.kind != "name":
            continue
        if depth:
            yield Definition(t.text, "index", text)
            continue
        subscripted = i + 1 < len(left) and left[i + 1].text == "["
        yield Definition(t.text, "array" if shaped or subscripted else "local", text)


def _line(words: Sequence[Token]) -> str:
    """The words of a statement on one line, spaced as they were."""
    parts = [words[0].text]
    for before, t in pairwise(words):
        parts.append(" " + t.text if t.start > before.end else t.text)
    return "".join(parts)
