"""From one WebAssembly object file to a module that an engine takes.

LLVM writes an object as if nothing else were linked to it, so that every index in its code is
right already. What is left to do: export the kernel, say which memory it works in, shorten the
numbers that were given room for larger ones, and drop what only linkers read. An object that needs
more is refused: functions of a C library, or constants in memory. Imports no LLVM.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.base.errors import CodegenError, InternalError

NAMESPACE = "workbench"
"""The module that everything is imported from."""

MEMORY, STACK = "memory", "stack"
"""The imports: the shared memory, and the address below which private arrays go (if there are any).
"""

PAGE = 65536
"""Bytes of a page of memory."""

MOST_PAGES = 65536
"""What 32-bit addresses reach: 4 GiB."""

_MAGIC = b"\0asm\1\0\0\0"
_CUSTOM, _TYPE, _IMPORT, _FUNCTION, _EXPORT, _CODE, _DATA = 0, 1, 2, 3, 7, 10, 11
_KEPT = (_TYPE, _IMPORT, _FUNCTION, _CODE)
_IMPORTED_FUNCTION, _IMPORTED_TABLE, _IMPORTED_MEMORY, _IMPORTED_GLOBAL = range(4)
_SHARED_WITH_MAXIMUM = 3
_SYMBOL_TABLE = 8
_RELOCATED = frozenset({0, 6, 7})
"""The number of a function, a type, a global."""
_IS_FUNCTION, _IS_DATA, _IS_SECTION = 0, 1, 3
_UNDEFINED, _EXPLICIT_NAME = 0x10, 0x40


@dataclass(slots=True, eq=False)
class _Reader:
    """Reads a part of an object from its start on."""

    content: bytes
    place: int = 0

    @property
    def more(self) -> bool:
        return self.place < len(self.content)

    def byte(self) -> int:
        self.place += 1
        return self.content[self.place - 1]

    def number(self) -> int:
        """An unsigned LEB128."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def bytes(self) -> bytes:
        """As many bytes as the number in front of them says."""
        size = self.number()
        self.place += size
        return self.content[self.place - size : self.place]

    def name(self) -> str:
        return self.bytes().decode()


def linked(image: bytes, name: str) -> bytes:
    """The module of an object: it exports the function `name`, and imports what it works in.

    Raises `CodegenError` where the object needs what is not there.
    """
    parts = dict(sections(image))
    imports = _Reader(parts.get(_IMPORT, b"\0"))
    if parts.get(_DATA, b"\0") != b"\0":
        raise CodegenError(
            f"kernel '{name}': its code keeps constants in memory, and a module for wasm has none",
            hint="on='cpu'",
        )
    parts[_IMPORT] = _imports(imports, name)
    parts[_CODE] = _code(parts[_CODE], sorted(_relocations(_custom(image, "reloc.CODE"), name)))
    made = {number: parts[number] for number in _KEPT if number in parts}
    made[_EXPORT] = _number(1) + _text(name) + b"\0" + _number(_function_index(image, name))
    return _MAGIC + b"".join(bytes([n]) + _counted(made[n]) for n in sorted(made))


def sections(image: bytes) -> Iterator[tuple[int, bytes]]:
    """The sections that every module may have, by number."""
    if not image.startswith(_MAGIC):
        raise InternalError("LLVM wrote no WebAssembly")
    reader = _Reader(image, len(_MAGIC))
    while reader.more:
        number, content = reader.byte(), reader.bytes()
        if number != _CUSTOM:
            yield number, content


def _imports(reader: _Reader, name: str) -> bytes:
    """The import section of the module, from that of the object."""
    made: list[bytes] = []
    missing: list[str] = []
    for _ in range(reader.number()):
        reader.name()
        imported, kind = reader.name(), reader.byte()
        match kind:
            case 0:
                reader.number()
                missing.append(imported)
            case 2:
                if reader.byte() & 1:
                    reader.number()
                reader.number()
                limits = bytes([_SHARED_WITH_MAXIMUM]) + _number(1) + _number(MOST_PAGES)
                made.append(_text(NAMESPACE) + _text(MEMORY) + bytes([kind]) + limits)
            case 3:
                type_and_mutability = bytes([reader.byte(), reader.byte()])
                made.append(_text(NAMESPACE) + _text(STACK) + bytes([kind]) + type_and_mutability)
            case _:
                missing.append(imported)
    if missing:
        raise CodegenError(
            f"kernel '{name}': its code calls {', '.join(missing)}, which is not there on wasm",
            hint="on='cpu'",
        )
    return _number(len(made)) + b"".join(made)


def _code(section: bytes, places: list[int]) -> bytes:
    """The code section with the numbers at `places` as short as they can be."""
    reader = _Reader(section)
    made = [_number(reader.number())]
    while reader.more:
        size = reader.number()
        place, stop = reader.place, reader.place + size
        body = bytearray()
        for number in (p for p in places if place <= p < stop):
            padded = _Reader(section, number)
            body += section[place:number] + _number(padded.number())
            place = padded.place
        made.append(_counted(bytes(body) + section[place:stop]))
        reader.place = stop
    return b"".join(made)


def _relocations(section: bytes | None, name: str) -> Iterator[int]:
    """Where in the code section the number of a function, a type or a global stands."""
    if section is None:
        return
    reader = _Reader(section)
    reader.number()  # the section that it is about
    for _ in range(reader.number()):
        kind, place = reader.byte(), reader.number()
        reader.number()  # the symbol
        if kind not in _RELOCATED:
            raise CodegenError(f"kernel '{name}': its code has addresses that wasm gives no place")
        yield place


def _function_index(image: bytes, name: str) -> int:
    """The number of the function of that name, from the symbol table for linkers."""
    for symbol, index in _functions(_Reader(_symbols(image))):
        if symbol == name:
            return index
    raise InternalError(f"the object has no function '{name}'")


def _symbols(image: bytes) -> bytes:
    """The symbol table of an object."""
    content = _Reader(_custom(image, "linking") or b"\0")
    content.number()  # the version
    while content.more:
        kind, table = content.byte(), content.bytes()
        if kind == _SYMBOL_TABLE:
            return table
    raise InternalError("the object has no symbol table")


def _custom(image: bytes, name: str) -> bytes | None:
    """What a section that only linkers read says, without its name."""
    reader = _Reader(image, len(_MAGIC))
    while reader.more:
        number, content = reader.byte(), _Reader(reader.bytes())
        if number == _CUSTOM and content.name() == name:
            return content.content[content.place :]
    return None


def _functions(table: _Reader) -> Iterator[tuple[str, int]]:
    """The defined functions of a symbol table, with their numbers."""
    for _ in range(table.number()):
        kind, flags = table.byte(), table.number()
        if kind == _IS_DATA:
            table.name()
            if not flags & _UNDEFINED:
                for _ in range(3):
                    table.number()
            continue
        index = table.number()
        named = kind != _IS_SECTION and (not flags & _UNDEFINED or flags & _EXPLICIT_NAME)
        symbol = table.name() if named else ""
        if kind == _IS_FUNCTION and not flags & _UNDEFINED:
            yield symbol, index


def _number(value: int) -> bytes:
    """An unsigned LEB128."""
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _counted(content: bytes) -> bytes:
    return _number(len(content)) + content


def _text(text: str) -> bytes:
    return _counted(text.encode())
