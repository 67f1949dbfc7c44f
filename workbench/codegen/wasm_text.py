"""The modules of a program as text with marks: stage `wasm`.

It is the text format of WebAssembly, made from LLVM's own listing of the code, whose debug lines
are the numbers of origins; assembled, it gives the module that runs, byte for byte. An instruction
that only pushes a value and has no line is marked as what uses the value. Imports no LLVM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from workbench.base.source import Origin
from workbench.base.text import Text, Writer, concatenated
from workbench.codegen.listing import origin_rows
from workbench.codegen.llvm_lines import origins
from workbench.codegen.wasm_link import MEMORY, MOST_PAGES, NAMESPACE, STACK
from workbench.program import Kernel, Program
from workbench.runtime.llvm import assembled

_STACK = "__stack_pointer"
"""What LLVM calls the global that says where private arrays go."""


def wasm_text(program: Program) -> Text:
    """The modules of what `wasm.source` gave.

    Raises `DeviceError` where llvmlite is missing.
    """
    return concatenated(_module(k) for k in program.kernels)


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction in the text format; `line` is its debug line, or 0."""

    text: str
    line: int = 0

    @property
    def name(self) -> str:
        """The instruction without its operands."""
        return self.text.split(" ", 1)[0]

    @property
    def pushes(self) -> bool:
        """Whether all that it does is to push a value."""
        return self.name in {"local.get", "global.get"} or self.name.endswith(".const")


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its parameters' types, its locals' types, and what it does."""

    name: str
    parameters: tuple[str, ...]
    results: tuple[str, ...]
    locals: tuple[str, ...]
    body: tuple[Instruction, ...]


def _module(kernel: Kernel) -> Text:
    known = origins(kernel.text)
    code = "\n".join(r.raw for r in origin_rows(kernel.code, "wasm32"))
    found = _in_order(tuple(functions(assembled(code, "wasm32"))))
    w = Writer("  ")
    w.line("(module")
    with w.indented():
        w.line(f'(import "{NAMESPACE}" "{MEMORY}" (memory 1 {MOST_PAGES} shared))')
        if any(_STACK in i.text for f in found for i in f.body):
            w.line(f'(import "{NAMESPACE}" "{STACK}" (global ${_STACK} (mut i32)))')
        for f in found:
            _write_function(w, f, known)
        w.line(f'(export "{kernel.name}" (func ${kernel.name})))')
    return w.text()


def _in_order(listed: tuple[Function, ...]) -> tuple[Function, ...]:
    """The functions as an object numbers them: in the order in which they are first mentioned."""
    calls = ((f.name, *(i.text[6:] for i in f.body if i.name == "call")) for f in listed)
    mentioned = list(dict.fromkeys(chain.from_iterable(calls)))
    return tuple(sorted(listed, key=lambda f: mentioned.index(f.name)))


def _write_function(w: Writer, f: Function, known: tuple[Origin, ...]) -> None:
    types = (("param", f.parameters), ("result", f.results))
    signature = "".join(f" ({kind} {' '.join(t)})" for kind, t in types if t)
    w.line(f"(func ${f.name}{signature}")
    with w.indented():
        if f.locals:
            w.line(f"(local {' '.join(f.locals)})")
        depth = 0
        for i in f.body:
            depth -= i.name in {"end", "else"}
            w.write("  " * depth)
            if 0 < i.line <= len(known):
                with w.mark(known[i.line - 1]):
                    w.write(i.text)
            else:
                w.write(i.text)
            w.end()
            depth += i.name in {"block", "loop", "if", "else"}
        w.line(")")


# Reading LLVM's listing.

_LOC = re.compile(r"\s+\.loc\s+\d+\s+(\d+)")
_SIGNATURE = re.compile(r"\s+\.functype\s+(\S+) \(([^)]*)\) -> \(([^)]*)\)")


def functions(listing: str) -> Iterator[Function]:
    """The functions of an assembly listing for wasm32, in their order."""
    current: Function | None = None
    body: list[Instruction] = []
    line, label = 0, ""
    for raw in listing.split("\n"):
        if (loc := _LOC.match(raw)) is not None:
            line = int(loc[1])
        elif raw and not raw[0].isspace():
            label = label if raw.startswith(".L") else raw.partition(":")[0]
        elif (found := _SIGNATURE.match(raw)) is not None:
            if found[1] == label:
                current = Function(label, _types(found[2]), _types(found[3]), (), ())
                body, line = [], 0
        elif current is None or not raw.strip():
            continue
        elif (words := raw.split(None, 1))[0] == ".local":
            current = replace(current, locals=_types(words[1]))
        elif words[0] == "end_function":
            yield replace(current, body=_with_lines(body))
            current = None
        elif not words[0].startswith("."):
            operands = words[1].strip() if len(words) > 1 else ""
            body.append(Instruction(_instruction(words[0], operands), line))


def _types(text: str) -> tuple[str, ...]:
    return tuple(t.strip() for t in text.split(",") if t.strip())


def _with_lines(body: list[Instruction]) -> tuple[Instruction, ...]:
    """The instructions, where those that only push a value have the line of what follows."""
    made: list[Instruction] = []
    line = 0
    for i in reversed(body):
        line = i.line or (line if i.pushes else 0)
        made.append(replace(i, line=line))
    return tuple(reversed(made))


_ENDS = {"end_block": "end", "end_loop": "end", "end_if": "end"}
_ACCESS = re.compile(r"(load|store)\w*$|\.atomic\.(load|store|rmw)")
_ADDRESS = re.compile(r"(\d+)(?::p2align=(\d+))?")
_LANES = {16: "i8x16", 8: "i16x8", 4: "i32x4", 2: "i64x2"}


def _instruction(name: str, operands: str) -> str:
    """An instruction of LLVM's listing in the text format."""
    parts = [p.strip() for p in operands.split(",")] if operands else []
    match name:
        case "block" | "loop" | "if":
            return f"{name} (result {operands})" if parts else name
        case "end_block" | "end_loop" | "end_if":
            return _ENDS[name]
        case "call" | "global.get" | "global.set":
            return f"{name} ${operands}"
        case "v128.const":
            floats = any(re.search("p|inf|nan", p) for p in parts)
            shape = _LANES[len(parts)]
            shape = shape.replace("i", "f") if floats else shape
            return " ".join([name, shape, *map(_number, parts)])
        case "br_table":
            return " ".join([name, *(p.strip("{} \t") for p in parts)])
        case "memory.fill" | "memory.copy":
            return name
        case _ if name.endswith(".select"):
            return "select"
        case _ if _ACCESS.search(name):
            return _access(name, parts)
        case _:
            return " ".join([name, *map(_number, parts)])


def _access(name: str, parts: list[str]) -> str:
    """A load or a store: the offset and the alignment, then the lane if there is one."""
    address, *lane = parts
    found = _ADDRESS.fullmatch(address)
    assert found is not None, address
    words = [name]
    if int(found[1]):
        words.append(f"offset={found[1]}")
    if found[2] is not None:
        words.append(f"align={2 ** int(found[2])}")
    return " ".join([*words, *lane])


def _number(text: str) -> str:
    return text.replace("infinity", "inf")
