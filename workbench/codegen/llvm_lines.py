"""The lines of LLVM IR: names, types, literals, and every line written twice.

Once for people, through the `Writer`, with marks; once for LLVM, with the debug locations that
carry origins through its passes. Imports nothing of LLVM and knows nothing of statements.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, field

import numpy as np

from workbench.base.dtypes import BOOL, DType
from workbench.base.source import NOWHERE, Origin
from workbench.base.text import Text, Writer

FIRST_FREE = 5
"""Metadata 0 to 4 are the module's own; see `_METADATA`."""

_METADATA = """
!llvm.module.flags = !{{!0}}
!llvm.dbg.cu = !{{!1}}
!0 = !{{i32 2, !"Debug Info Version", i32 3}}
!1 = distinct !DICompileUnit(language: DW_LANG_C99, file: !2, emissionKind: DebugDirectivesOnly)
!2 = !DIFile(filename: "{name}", directory: ".")
!3 = !DISubroutineType(types: !{{}})
!4 = distinct !DISubprogram(name: "{name}", scope: !2, file: !2, line: 1, type: !3, unit: !1, \
spFlags: DISPFlagDefinition)
"""


@dataclass(slots=True, eq=False)
class Lines:
    """A kernel's IR being written; like `Writer`, mutable until `text` and `code` are taken.

    `label` is the label whose instructions are written now. The debug line of an instruction is
    the number of its origin, counted from 1 in the order of first appearance in the text.
    """

    label: str = ""
    _writer: Writer = field(default_factory=lambda: Writer("  "))
    _code: list[str] = field(default_factory=list[str])
    _names: set[str] = field(default_factory=set[str])
    _locations: dict[Origin, int] = field(default_factory=dict[Origin, int])
    _metadata: list[str] = field(default_factory=list[str])

    def forget_names(self) -> None:
        """A new function starts: its names are its own."""
        self._names.clear()

    def fresh(self, base: str) -> str:
        """A name that no other value of this function has, without its percent sign.

        Repeated names end in letters, because LLVM's copies of a value end in digits.
        """
        plain = identifier(base)
        root = plain + "_" if plain[-1].isdigit() else plain
        name, count = root, 1
        while name in self._names:
            name, count = f"{root}.{_letters(count)}", count + 1
        self._names.add(name)
        return name

    def line(self, text: str, origin: Origin = NOWHERE, *, metadata: str = "") -> None:
        """An instruction; `metadata` (`, !name !5`) is written for LLVM only."""
        with self._writer.indented():
            if origin is NOWHERE:
                self._writer.line(text)
                self._code.append(f"  {text}{metadata}")
            else:
                with self._writer.mark(origin):
                    self._writer.write(text)
                self._writer.end()
                self._code.append(f"  {text}{metadata}, !dbg !{self._location(origin)}")

    def value(self, base: str, text: str, origin: Origin = NOWHERE) -> str:
        """An instruction with a result; gives the result's name."""
        name = "%" + self.fresh(base)
        self.line(f"{name} = {text}", origin)
        return name

    def begin(self, label: str) -> None:
        """Start the instructions of a label."""
        self.plain(f"{label}:")
        self.label = label

    def jump(self, label: str, origin: Origin = NOWHERE, *, metadata: str = "") -> None:
        """Go to a label."""
        self.line(f"br label %{label}", origin, metadata=metadata)

    def branch(self, cond: str, yes: str, no: str, origin: Origin = NOWHERE) -> None:
        """Go to one of two labels."""
        self.line(f"br i1 {cond}, label %{yes}, label %{no}", origin)

    def plain(self, text: str = "", *, metadata: str = "") -> None:
        """A line that is no instruction, without indentation; `metadata` is for LLVM only."""
        self._writer.line(text)
        if metadata:
            text = text.removesuffix("{") + metadata + " {"
        self._code.append(text)

    def note(self, text: str) -> None:
        """A comment for the reader."""
        with self._writer.indented():
            self._writer.line(f"; {text}")

    def unrolled(self) -> str:
        """Metadata for the jump that closes a loop which LLVM is to unroll wholly."""
        number = self._next()
        self._metadata.append(f'!{number} = distinct !{{!{number}, !{{!"llvm.loop.unroll.full"}}}}')
        return f", !llvm.loop !{number}"

    def text(self) -> Text:
        """What people read."""
        return self._writer.text()

    def code(self, name: str) -> str:
        """What LLVM reads: a module of its own."""
        return "\n".join([*self._code, _METADATA.format(name=name), *self._metadata, ""])

    def _location(self, origin: Origin) -> int:
        if origin not in self._locations:
            number = self._next()
            line = len(self._locations) + 1
            self._metadata.append(f"!{number} = !DILocation(line: {line}, scope: !4)")
            self._locations[origin] = number
        return self._locations[origin]

    def _next(self) -> int:
        return FIRST_FREE + len(self._metadata)


def origins(text: Text) -> tuple[Origin, ...]:
    """The origins that the debug lines 1, 2, .. of a kernel stand for."""
    return tuple(dict.fromkeys(m.origin for m in text.marks))


def identifier(name: str) -> str:
    """A name that LLVM, linkers and listings show as it is; letters outside ASCII are spelt."""
    return re.sub(r"[^A-Za-z0-9_.]", lambda m: f"u{ord(m.group()):x}", name) or "_"


def type_of(dtype: DType) -> str:
    """The type of a value in a register."""
    if dtype is BOOL:
        return "i1"
    return {"f16": "half", "f32": "float", "f64": "double"}.get(dtype.name, f"i{dtype.bits}")


def stored_type(dtype: DType) -> str:
    """The type of an element in memory: bool is a 32-bit word."""
    return "i32" if dtype is BOOL else type_of(dtype)


def array_type(dtype: DType, shape: tuple[int, ...]) -> str:
    """The type of a whole array: `[4 x [8 x float]]`."""
    inner = stored_type(dtype)
    for extent in reversed(shape):
        inner = f"[{extent} x {inner}]"
    return inner


def literal(value: bool | float, dtype: DType) -> str:  # noqa: FBT001  (a value, not a switch)
    """A constant; a float that is no short decimal is written as the bits of a double."""
    if dtype is BOOL:
        return "true" if value else "false"
    if dtype.kind != "f":
        return str(int(value))
    with np.errstate(over="ignore"):  # beyond the largest float lies infinity
        rounded = np.asarray(value, np.float64).astype(dtype.numpy)
    if dtype.name == "f16":
        return f"0xH{int(rounded.view(np.uint16)):04X}"
    exact = float(rounded)
    # A decimal is exact when it has few enough binary digits behind the point.
    if math.isfinite(exact) and abs(exact) < 2**20 and (exact * 1024).is_integer():
        return repr(exact)
    return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"


def _letters(count: int) -> str:
    """b, c, .., z, ba, bb, ..: names for the second, third, .. value of one name."""
    text = ""
    while count:
        count, rest = divmod(count, 26)
        text = chr(ord("a") + rest) + text
    return text
