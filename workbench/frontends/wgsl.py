"""Hand-written WGSL: what its declarations say of buffers, scalars and entry points.

Only declarations are read, bodies are the driver's to judge. What a declaration says in a way
that is not read here is refused at its place, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from workbench.base.dtypes import F32, I32, U32, DType
from workbench.base.source import Origin, Source, Span
from workbench.base.text import Mark, Text
from workbench.frontends.wgsl_module import Module, Variable, module_of
from workbench.frontends.wgsl_text import (
    Binary,
    Expression,
    Name,
    Number,
    Token,
    arguments,
    expect,
    expression,
    integer,
    name,
    refusal,
    tokens,
    within,
)
from workbench.program import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCALARS: dict[str, DType] = {"f32": F32, "i32": I32, "u32": U32}
_LETTERS = {"f": F32, "i": I32, "u": U32}
_VECTORS = {f"vec{n}{letter}": (t, n) for n in (2, 4) for letter, t in _LETTERS.items()}
_READ = "array<f32>, array<i32>, array<u32>, atomics, vec2, vec4 and arrays of these"


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage buffer; `shape` as its type says, the first extent None where the call gives it.

    A vec2 or vec4 is an axis of its own, the last.
    """

    name: str
    index: int
    access: Literal["read", "read_write"]
    dtype: DType
    shape: tuple[int | None, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Shader:
    """A WGSL text as a kernel: its entry point, and its buffers in the order of their slots.

    `scalars` are the fields of the uniform in slot `uniform`, None where there is none.
    `text` is the whole source, each token marked with its own place.
    """

    source: Source
    entry: str
    workgroup_size: tuple[int, int, int]
    storage: tuple[Storage, ...]
    scalars: tuple[Parameter, ...]
    uniform: int | None
    text: Text

    @property
    def inputs(self) -> tuple[Storage, ...]:
        """The buffers that are only read."""
        return tuple(s for s in self.storage if s.access == "read")

    @property
    def outputs(self) -> tuple[Storage, ...]:
        """The buffers that are written."""
        return tuple(s for s in self.storage if s.access == "read_write")

    def place(self, name: str) -> Span | None:
        """Where a name of a buffer or a scalar stands first."""
        spans = (m.origin.span for m in self.text.marks)
        return next((s for s in spans if s is not None and s.text == name), None)


def read(source: Source, entry: str | None = None, *, preferred: str | None = None) -> Shader:
    """What a WGSL text declares, for the entry point of that name or the only one.

    Of several the `preferred` one is taken, where there is one of that name.
    Raises `SourceError` at the place of what is not read.
    """
    module = module_of(tokens(source))
    entry = _entry(module, source, entry or (preferred if preferred in module.entries else None))
    bound = [v for v in module.variables if v.attributes.keys() & {"group", "binding"}]
    storage: list[Storage] = []
    uniforms: list[tuple[int, tuple[Parameter, ...]]] = []
    slots: dict[int, str] = {}
    for v in bound:
        index = _slot(module, v)
        if index in slots:
            raise refusal(f"binding {index} is {slots[index]}'s, {v.token.text} needs another",
                          v.token, f"@binding({max(slots) + 1})")  # fmt: skip
        slots[index] = v.token.text
        match v.space:
            case ("storage",) | ("storage", "read"):
                storage.append(_storage(module, v, index, "read"))
            case ("storage", "read_write"):
                storage.append(_storage(module, v, index, "read_write"))
            case ("uniform",) if uniforms:
                raise refusal("one uniform at most is read", v.token, "fields of one struct")
            case ("uniform",):
                uniforms.append((index, _uniform(module, v)))
            case ("storage", access):
                raise refusal(f"storage is read or read_write, not {access}", v.token,
                              f"var<storage, read_write> {v.token.text}")  # fmt: skip
            case _:
                raise refusal(
                    f"'{v.token.text}' is no buffer: textures and samplers are not read", v.token,
                    "var<storage, read>, var<storage, read_write> or var<uniform>",
                )  # fmt: skip
    if not any(s.access == "read_write" for s in storage):
        raise refusal(
            "the shader writes no buffer", Span(source, 0, 1),
            "@group(0) @binding(0) var<storage, read_write> y: array<f32>;",
        )  # fmt: skip
    index, scalars = uniforms[0] if uniforms else (None, ())
    shader = Shader(
        source, entry, _workgroup_size(module, entry), tuple(sorted(storage, key=_by_slot)),
        scalars, index, _marked(source, module.found),
    )  # fmt: skip
    return _distinct([*(s.name for s in storage), *(p.name for p in scalars)], shader)


def _by_slot(s: Storage) -> int:
    return s.index


def _distinct(names: list[str], shader: Shader) -> Shader:
    """The shader, where no name stands for two arguments."""
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is None:
        return shader
    raise refusal(
        f"'{twice}' names two arguments", shader.place(twice),
        "another name for the field of the uniform",
    )  # fmt: skip


def _marked(source: Source, found: tuple[Token, ...]) -> Text:
    """The text with a mark for each line and each token in it."""
    marks: list[Mark] = []
    start = 0
    for line in source.text.splitlines(keepends=True):
        end = start + len(line)
        marks.append(Mark(start, end, Origin(Span(source, start, start + len(line.rstrip())))))
        start = end
    marks += [Mark(t.span.start, t.span.end, Origin(t.span)) for t in found if t.kind != "end"]
    return Text(source.text, tuple(sorted(marks, key=lambda m: (m.start, -m.end))))


def _entry(module: Module, source: Source, entry: str | None) -> str:
    names = list(module.entries)
    if not names:
        raise refusal(
            "the text has no entry point", Span(source, 0, 1),
            "@compute @workgroup_size(64) fn main(...) { }",
        )  # fmt: skip
    if entry is None and len(names) > 1:
        raise refusal(
            f"the text has {len(names)} entry points: {', '.join(names)}", Span(source, 0, 1),
            f"entry='{names[0]}'",
        )  # fmt: skip
    if entry is not None and entry not in names:
        raise refusal(
            f"no entry point '{entry}'; the text has {', '.join(names)}", Span(source, 0, 1)
        )
    return names[0] if entry is None else entry


def _workgroup_size(module: Module, entry: str) -> tuple[int, int, int]:
    at = module.entries[entry].get("workgroup_size")
    if at is None:
        raise refusal(
            f"'{entry}' has no workgroup size",
            module.found[module.entries[entry]["compute"] - 1],
            "@compute @workgroup_size(64)",
        )
    given, _ = arguments(module.found, expect(module.found, at, "("), ")")
    sizes = [_value(module, e) for e in given]
    if not 1 <= len(sizes) <= 3 or 0 in sizes:
        raise refusal("a workgroup has one to three sizes of at least 1", module.found[at - 1])
    x, y, z = [*sizes, 1, 1][:3]
    return x, y, z


def _slot(module: Module, v: Variable) -> int:
    numbers: dict[str, int] = {}
    for word in ("group", "binding"):
        if word not in v.attributes:
            raise refusal(f"'{v.token.text}' has no @{word}", v.token, f"@{word}(0)")
        at = expect(module.found, v.attributes[word], "(")
        given, _ = arguments(module.found, at, ")")
        if len(given) != 1:
            raise refusal(f"@{word} has one number", module.found[at])
        numbers[word] = _value(module, given[0])
    if numbers["group"] != 0:
        raise refusal(
            f"'{v.token.text}' is in group {numbers['group']}, only group 0 is bound", v.token,
            f"@group(0) @binding({numbers['binding']})",
        )  # fmt: skip
    return numbers["binding"]


def _storage(
    module: Module, v: Variable, index: int, access: Literal["read", "read_write"]
) -> Storage:
    dtype, shape = _type(module, _written(module, v))
    return Storage(v.token.text, index, access, dtype, shape, v.token.span)


def _written(module: Module, v: Variable) -> Expression:
    if v.type_at is None:
        raise refusal(f"'{v.token.text}' has no type", v.token, f"{v.token.text}: array<f32>")
    return expression(module.found, v.type_at)[0]


def _type(
    module: Module, e: Expression, seen: tuple[str, ...] = (), *, inner: bool = False
) -> tuple[DType, tuple[int | None, ...]]:
    """Element type and extents of a storage type."""
    word = e.token.text
    match e:
        case Name(args=()) if word in module.aliases and word not in seen:
            named, _ = expression(module.found, module.aliases[word])
            return _type(module, named, (*seen, word), inner=inner)
        case Name() if word in module.structs:
            raise refusal(f"'{word}' is a struct: buffers of structs are not read", e.token, _READ)
        case Name(args=()) if word in _SCALARS:
            return _SCALARS[word], ()
        case Name(args=()) if word in _VECTORS:
            dtype, lanes = _VECTORS[word]
            return dtype, (lanes,)
        case Name(args=(one,)) if word in {"vec2", "vec4"} and one.token.text in _SCALARS:
            return _SCALARS[one.token.text], (int(word[-1]),)
        case Name(args=(one,)) if word == "atomic" and one.token.text in {"i32", "u32"}:
            return _SCALARS[one.token.text], ()
        case Name(args=(one,)) if word == "array" and not inner:
            dtype, shape = _type(module, one, seen, inner=True)
            return dtype, (None, *shape)
        case Name(args=(one, count)) if word == "array":
            dtype, shape = _type(module, one, seen, inner=True)
            return dtype, (_value(module, count), *shape)
        case _:
            raise refusal(f"buffers of '{word}' are not read", e.token, _READ)


def _uniform(module: Module, v: Variable) -> tuple[Parameter, ...]:
    """The scalars of a uniform: itself, or the fields of its struct; 4 bytes each, no gaps."""
    e = _written(module, v)
    if e.token.text in module.structs:
        return _fields(module, module.structs[e.token.text])
    return (Parameter(v.token.text, _scalar(module, e)),)


def _fields(module: Module, at: int) -> tuple[Parameter, ...]:
    fields: list[Parameter] = []
    found = module.found
    while found[at].text != "}":
        if found[at].text == "@":
            raise refusal("attributes of a uniform's fields are not read", found[at], "a: f32,")
        token = name(found, at)
        e, at = expression(found, expect(found, at + 1, ":"))
        fields.append(Parameter(token.text, _scalar(module, e)))
        if found[at].text != "}":
            at = expect(found, at, ",")
    return tuple(fields)


def _scalar(module: Module, e: Expression) -> DType:
    dtype, shape = _type(module, e)
    if shape:
        raise refusal(f"'{e.token.text}' in a uniform is not read", e.token, "f32, i32 or u32")
    if e.token.text == "atomic":
        raise refusal("a uniform holds no atomics", e.token, "f32, i32 or u32")
    return dtype


def _value(module: Module, e: Expression, seen: Mapping[str, int] | None = None) -> int:
    """The value of a size. Raises `SourceError` for what is not a literal or a const."""
    seen = seen or {}
    match e:
        case Number():
            return integer(e.token)
        case Binary():
            left, right = _value(module, e.left, seen), _value(module, e.right, seen)
            return within(_computed(e.token, left, right), e.token)
        case Name():
            word = e.token.text
            if word in module.overrides:
                raise refusal(
                    f"'{word}' is an override: its value is known to the driver only", e.token,
                    f"const {word} = 16;",
                )  # fmt: skip
            if e.args or word not in module.constants or word in seen:
                raise refusal(f"'{word}' is no constant that is read", e.token, "a literal")
            at = module.constants[word]
            inner, end = expression(module.found, at)
            expect(module.found, end, ";")
            return _value(module, inner, {**seen, word: at})
        case _:
            assert_never(e)


def _computed(token: Token, left: int, right: int) -> int:
    match token.text:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case sign if right == 0:
            raise refusal(f"{left} {sign} 0 has no value", token)
        case "/":
            return left // right
        case _:
            return left % right
