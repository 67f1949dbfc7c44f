"""What LLVM made of a program, as texts with marks: `llvm`, `llvm-opt`, `asm`.

LLVM's own listings are read line by line; the debug line of an instruction is the number of its
origin. Two things that LLVM leaves out are put back: an instruction that it moved keeps its name,
which tells its origin, and a load that became an operand is marked as that operand. An
instruction that still has no origin stays unmarked. Imports no LLVM: `runtime/llvm.py` runs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from workbench.base.source import Origin
from workbench.base.text import Text, Writer, concatenated
from workbench.codegen.llvm_lines import origins
from workbench.program import Kernel, Program
from workbench.runtime.llvm import Processor, assembled, optimised as optimise, parsed


def unoptimised(program: Program) -> Text:
    """The LLVM IR of every kernel, as it was emitted."""
    return concatenated(k.text for k in program.kernels)


def optimised(program: Program, processor: Processor = "host") -> Text:
    """The LLVM IR of every kernel after LLVM's passes.

    Raises `DeviceError` where llvmlite is missing.
    """
    return concatenated(_optimised(k, processor) for k in program.kernels)


def assembly(program: Program) -> Text:
    """The machine code of every kernel, for this processor.

    Raises `DeviceError` where llvmlite is missing.
    """
    return concatenated(_assembly(k) for k in program.kernels)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a listing of LLVM IR.

    `name` is the value it defines (or empty), `line` its debug line (0: none), `uses` the names
    of its operands. `located` is true for instructions of the function that has debug lines.
    """

    raw: str
    located: bool = False
    name: str = ""
    line: int = 0
    uses: tuple[str, ...] = ()

    @property
    def loads(self) -> bool:
        """Whether it reads memory."""
        return re.search(r"= load |@llvm\.masked\.load|@llvm\.masked\.gather", self.raw) is not None


_NAME = r'%("[^"]*"|[-\w.$]+)'
_LOCATION = re.compile(r"!(\d+) = (?:distinct )?!DILocation\(line: (\d+)")
_DEBUG = re.compile(r", !dbg !(\d+)")


def rows(listing: str) -> tuple[Row, ...]:
    """The lines of a module as LLVM prints it."""
    lines = listing.split("\n")
    places = {m[1]: int(m[2]) for m in map(_LOCATION.match, lines) if m}
    found: list[Row] = []
    inside = False
    for raw in lines:
        if raw.startswith("define"):
            inside = " !dbg " in raw
        elif raw == "}":
            inside = False
        instruction = inside and re.match(r"  [^ ;]", raw) is not None
        found.append(_row(raw, places) if instruction else Row(raw))
    return tuple(found)


def _row(raw: str, places: dict[str, int]) -> Row:
    named = re.match(rf"  {_NAME} = ", raw)
    debug = _DEBUG.search(raw)
    names = re.findall(_NAME, raw)
    return Row(
        raw,
        located=True,
        name=named[1] if named else "",
        line=places.get(debug[1], 0) if debug else 0,
        uses=tuple(names[1:] if named else names),
    )


def origin_rows(code: str, processor: Processor = "host") -> tuple[Row, ...]:
    """The optimised module, with the origins that moved instructions lost put back by name."""
    lines = {r.name: r.line for r in rows(parsed(code)) if r.name and r.line}
    found = rows(optimise(code, processor))
    scope = next((m[1] for r in found if (m := _SCOPE.match(r.raw))), None)
    if scope is None:
        return found
    repaired: list[Row] = []
    seen: dict[str, int] = {}
    for r in found:
        repaired.append(_put_back(r, lines, seen, scope))
        seen[r.name] = repaired[-1].line
    return tuple(repaired)


_SCOPE = re.compile(r"!(\d+) = distinct !DISubprogram")
_COPY = re.compile(r"(\.[a-z]+\d*|\.?\d+)$")
"""What LLVM appends to the name of a value of which it makes another."""


_SPREAD = re.compile(r"= (insertelement|shufflevector) ")
"""What makes a vector of one value: it belongs to that value."""


def _put_back(row: Row, lines: dict[str, int], seen: dict[str, int], scope: str) -> Row:
    """The row with the line of its name, among `lines`, or of the value that it spreads.

    A name that was emitted says more than the debug line: an instruction that LLVM runs before
    the branch it stood behind gets the line of the branch.
    """
    line = lines.get(row.name, row.line)
    if row.located and row.name and not line:
        line = _line_of(row.name, lines)
        if not line and _SPREAD.search(row.raw):
            line = next((seen[u] for u in row.uses if seen.get(u)), 0)
    if not row.located or line == row.line:
        return row
    bare = _DEBUG.sub("", row.raw)
    return replace(row, raw=f"{bare}, !dbg !DILocation(line: {line}, scope: !{scope})", line=line)


def _line_of(name: str, lines: dict[str, int]) -> int:
    """The line of the value of that name, or of the one that it was copied from; else 0."""
    while name not in lines:
        shorter = _COPY.sub("", name)
        if shorter in {name, ""}:
            return 0
        name = shorter
    return lines[name]


def _optimised(kernel: Kernel, processor: Processor) -> Text:
    known = origins(kernel.text)
    w = Writer("  ")
    shown = [
        (r, _readable(r.raw)) for r in origin_rows(kernel.code, processor) if not _is_noise(r.raw)
    ]
    _write_lines(w, [(text, r.line) for r, text in shown], known)
    return w.text()


def _write_lines(w: Writer, lines: list[tuple[str, int]], known: tuple[Origin, ...]) -> None:
    """Write lines with the origins of their debug lines; one empty line at most, and inside."""
    ends = [*lines[1:], ("", 0)]
    begun = False
    for (text, line), (after, _) in zip(lines, ends, strict=True):
        begun = begun or bool(text)
        if not begun or (not text and not after):
            continue
        indent = len(text) - len(text.lstrip())
        w.write(text[:indent])
        _write_marked(w, text[indent:], _origin(line, known), w.write)
        w.end()


def _write_marked(
    w: Writer, text: str, origin: Origin | None, write: Callable[[str], None]
) -> None:
    if origin is None:
        write(text)
        return
    with w.mark(origin):
        write(text)


def _origin(line: int, known: tuple[Origin, ...]) -> Origin | None:
    return known[line - 1] if 0 < line <= len(known) else None


_NOISE = re.compile(
    r"; ModuleID|source_filename|target |attributes #|!|declare |; Function Attrs|; uselistorder"
)
_WORDS = re.compile(
    r" ?\b(local_unnamed_addr|unnamed_addr|captures\(none\)|nonnull|dso_local|noundef)(?= )"
)


def _is_noise(raw: str) -> bool:
    return _NOISE.match(raw) is not None


def _readable(raw: str) -> str:
    """A line without what only LLVM reads."""
    text = re.sub(r",? ![\w.]+ (!\d+|!DILocation\(.*\))", "", raw)
    text = re.sub(r" #\d+\b", "", text)
    text = re.sub(r" +; preds = .*", "", text)
    return _WORDS.sub("", text).rstrip()


# Assembly.


@dataclass(frozen=True, slots=True)
class Instruction:
    """A line of assembly that is shown: an instruction, or a label or a constant (`line` 0)."""

    text: str
    line: int = 0


_LOC = re.compile(r"\s+\.loc\s+\d+\s+(\d+)")
_LABEL = re.compile(r"([\w.$]+):")
_HIDDEN_LABEL = re.compile(r"\.?L(tmp|func_|debug|info|cu_|line_|sec_|str|pub|addr)")
_CONSTANT = re.compile(r"\.?L?CPI")
_CONTENT = re.compile(r"\s+\.(byte|short|hword|long|word|quad|xword|zero|ascii|asciz)\b")


def instructions(listing: str) -> Iterator[Instruction]:
    """The labels, constants and instructions of an assembly listing, directives left out."""
    line, constant = 0, False
    for raw in listing.split("\n"):
        code = re.sub(r"\s*(##|//).*$", "", raw).rstrip()
        if (loc := _LOC.match(code)) is not None:
            line = int(loc[1])
        elif re.match(r"\s+\.section\s+\.?(debug|__DWARF)", code):
            return
        elif (label := _LABEL.match(code)) is not None:
            constant = _CONSTANT.match(label[1]) is not None
            if not _HIDDEN_LABEL.match(label[1]):
                yield Instruction(code)
        elif re.match(r"\s+\.", code):
            constant = constant and _CONTENT.match(code) is not None
            if constant:
                yield Instruction("  " + " ".join(code.split()))
        elif (words := code.split(None, 1)) and not code.lstrip().startswith("#"):
            operands = words[1] if len(words) > 1 else ""
            yield Instruction(f"  {words[0]:<10} {operands}".rstrip(), line)


def _assembly(kernel: Kernel) -> Text:
    known = origins(kernel.text)
    ir = origin_rows(kernel.code)
    shown = tuple(instructions(assembled("\n".join(r.raw for r in ir))))
    folded = _folded(ir, frozenset(i.line for i in shown))
    w = Writer("  ")
    for before, i in pairwise((Instruction(""), *shown)):
        if before.text.startswith("  ret") and not i.text.startswith((" ", ".L")):
            w.line()
        indent = len(i.text) - len(i.text.lstrip())
        w.write(i.text[:indent])
        _write_marked(
            w, i.text[indent:], _origin(i.line, known), _operand_writer(w, i, folded, known)
        )
        w.end()
    return w.text()


_MEMORY = re.compile(r"(-?\w*\((?!%rip|%rsp|%rbp)[^)]*\)(?:\{1to\d+\})?)(?=,)")
"""A memory operand of AT&T syntax that is read, as it is not the last; not one on the stack."""


def _operand_writer(
    w: Writer, i: Instruction, folded: dict[int, int], known: tuple[Origin, ...]
) -> Callable[[str], None]:
    """What writes an instruction, marking a memory operand that was a load of its own."""
    operand = _origin(folded.get(i.line, 0), known)

    def write(text: str) -> None:
        found = _MEMORY.search(text) if operand is not None else None
        if operand is None or found is None:
            w.write(text)
            return
        w.write(text[: found.start()])
        with w.mark(operand):
            w.write(found[0])
        w.write(text[found.end() :])

    return write


def _folded(ir: tuple[Row, ...], present: frozenset[int]) -> dict[int, int]:
    """For each debug line, the one of the load that its memory operand must be.

    That is the only load it uses, or the only one without an instruction of its own; `present`
    are the debug lines that have instructions.
    """
    by_name = {r.name: r for r in ir if r.name}
    feeding: dict[int, set[int]] = {}
    for r in ir:
        if r.line:
            feeding.setdefault(r.line, set()).update(_loads_of(r, by_name, present))
    found: dict[int, int] = {}
    for line, candidates in feeding.items():
        absent = candidates - present
        if len(candidates) == 1 or len(absent) == 1:
            found[line] = next(iter(absent or candidates))
    return found


def _loads_of(row: Row, by_name: dict[str, Row], present: frozenset[int]) -> Iterator[int]:
    """The debug lines of the loads that an instruction uses.

    Directly, or through what became part of the same instruction: what has no line, the same
    line, or a line without instructions of its own.
    """
    waiting, seen = list(row.uses), set[str]()
    while waiting:
        name = waiting.pop()
        used = by_name.get(name)
        if used is None or name in seen:
            continue
        seen.add(name)
        if used.loads and used.line not in {0, row.line}:
            yield used.line
        elif used.line in {0, row.line} or used.line not in present:
            waiting += used.uses
