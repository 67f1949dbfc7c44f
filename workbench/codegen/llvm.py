"""From scheduled loops to LLVM IR: one kernel per nest, for the CPU.

A kernel is a module of text that needs nothing else: the function of the kernel's name unpacks
its arguments and calls `NAME.body`, which shows each array and scalar by its name. Nothing here
imports LLVM: what it makes of the text is the business of `runtime/llvm.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.base.dtypes import U32
from workbench.base.errors import CodegenError
from workbench.base.source import NOWHERE
from workbench.codegen.llvm_expr import Place, Register, Scope, load
from workbench.codegen.llvm_functions import needed, write_definition
from workbench.codegen.llvm_lines import Lines, identifier, type_of
from workbench.codegen.llvm_nests import (
    all_expressions,
    all_nests,
    iterates,
    iterations,
    nests,
)
from workbench.codegen.llvm_stmt import (
    FINISH,
    STATUS,
    Inside,
    write_body,
    write_open,
    write_range,
    write_slots,
)
from workbench.codegen.order import Sized, actions
from workbench.ir.bound import bound_buffers
from workbench.ir.device import Turns
from workbench.ir.expr import free_names
from workbench.ir.extents import expression
from workbench.ir.graph import Scalar
from workbench.ir.loops import Buffer, Loops
from workbench.ir.repeats import turns
from workbench.ir.stmt import (
    Alloc,
    Body,
    For,
    LoopKind,
    Memory,
    Outside,
    Stmt,
    reads,
    walk_stmts,
    writes,
)
from workbench.program import (
    STATUS_WORDS,
    Action,
    Binding,
    Buffer as ProgramBuffer,
    CheckedAccess,
    Copy,
    Kernel,
    Parameter,
    Program,
)

PRIVATE_BYTES = 256 * 1024
"""The most that the private arrays of a kernel may take: they lie on a worker's stack."""

_ENDING = {"stop": "ptr", "begin": "i64", "end": "i64"}
"""The last parameters of every body: the stop word, and the iterations to run."""

_MATHEMATICS = """
    acos asin atan atan2 cbrt ceil copysign cos cosh erf exp exp10 exp2 expm1 fabs floor fma fmax
    fmin fmod frexp ldexp log log10 log1p log2 modf nearbyint pow rint round roundeven sin sincos
    sinh sqrt tan tanh trunc
"""
_MEMORY = """
    memcpy memmove memset memcmp bcmp bzero strlen malloc calloc free
    memset_pattern4 memset_pattern8 memset_pattern16
"""
_CALLED = {*_MEMORY.split(), *(n + end for n in _MATHEMATICS.split() for end in ("", "f", "l"))}
"""Functions of C that LLVM calls by itself: a kernel of such a name would be called instead."""

SIGNATURE = "(ptr %buffers, ptr %scalars, ptr %stop, i64 %begin, i64 %end)"


@dataclass(frozen=True, slots=True)
class Processor:
    """What LLVM's code is for: its name, and what it has to be told of it.

    `functions` are the texts of operations that have no instruction there and are in no library;
    `attributes` are written on the function that computes.
    """

    name: str = "cpu"
    functions: Mapping[str, str] = field(default_factory=dict[str, str])
    attributes: str = ""


CPU = Processor()


def emit(loops: Loops, processor: Processor = CPU) -> Program:
    """The program that runs loops without open dims on a CPU; raises as `translate` does."""
    return translate(loops, processor)({})


def translate(loops: Loops, processor: Processor = CPU) -> Callable[[Mapping[str, int]], Program]:
    """The program that runs the loops on a CPU, for any values of the open dims: with one text.

    Raises `CodegenError` where private arrays do not fit on a stack.
    """
    buffers = (*loops.buffers, *_temporaries(loops.body))
    body = tuple(s for s in loops.body if not _in_storage(s))
    alone = len({tuple(map(id, nest)) for nest in all_nests(body)}) == 1
    accesses: list[CheckedAccess] = []
    words = _status(buffers)
    kernels: list[Kernel] = []
    sized: list[Sized] = []
    made: dict[tuple[int, ...], int] = {}

    def kernel(nest: Body) -> int:
        same = tuple(map(id, nest))
        if same in made:
            return made[same]
        made[same] = len(kernels)
        name = _kernel_name(loops, nest, tuple(k.name for k in kernels), alone=alone)
        _check_private(name, nest, processor)
        scope = Scope(Lines(), accesses=accesses, functions=processor.functions, open=loops.open)
        given = (*buffers, words)
        kernels.append(_kernel(scope, name, nest, given, loops.scalars, processor.attributes))
        sized.append((name, (iterations(nest, loops.open), 1, 1)))
        return made[same]

    def steps(body: Body) -> Iterator[int | Turns]:
        for nest in nests(body):
            match nest:
                case (For(kind=LoopKind.REPEAT) as repeat,):
                    yield turns(repeat, tuple(steps(repeat.body)))
                case _:
                    yield kernel(nest)

    order = tuple(steps(body))
    return lambda values: _program(
        loops, (*bound_buffers(buffers, values), words), values,
        tuple(kernels), actions(order, sized, values), tuple(accesses),
    )  # fmt: skip


def _program(
    loops: Loops,
    given: tuple[Buffer, ...],
    values: Mapping[str, int],
    kernels: tuple[Kernel, ...],
    dispatches: tuple[Action, ...],
    accesses: tuple[CheckedAccess, ...],
) -> Program:
    *buffers, words = given
    copies = {o: f"{o}_copy" for o in loops.outputs if _role(buffers, o) == "input"}
    return Program(
        name=loops.name,
        target="llvm",
        buffers=_program_buffers(buffers, copies, words if accesses else None),
        scalars=tuple(Parameter(s.name, s.dtype, values.get(s.name)) for s in loops.scalars),
        inputs=tuple(b.name for b in loops.buffers if b.role == "input"),
        outputs=tuple(copies.get(o, o) for o in loops.outputs),
        kernels=kernels,
        body=(*dispatches, *(Copy(o, copy) for o, copy in copies.items())),
        accesses=accesses,
    )


def _program_buffers(
    buffers: Sequence[Buffer], copies: dict[str, str], words: Buffer | None
) -> tuple[ProgramBuffer, ...]:
    """The buffers, then the copies that are returned, then the status words."""
    sources = {b.name: b for b in buffers}
    copied = [(copy, sources[o]) for o, copy in copies.items()]
    found = [ProgramBuffer(b.name, b.dtype, b.sizes, b.role, b.panels) for b in buffers]
    found += [ProgramBuffer(copy, b.dtype, b.sizes, "output") for copy, b in copied]
    if words is not None:
        found.append(ProgramBuffer(words.name, words.dtype, words.sizes, "status"))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Signature:
    """What a kernel is given: its buffers in binding order, and its scalars with their slots."""

    name: str
    buffers: tuple[Buffer, ...]
    written: frozenset[str]
    scalars: tuple[tuple[int, Scalar], ...]


def _kernel(
    scope: Scope,
    name: str,
    nest: Body,
    buffers: tuple[Buffer, ...],
    scalars: tuple[Scalar, ...],
    attributes: str,
) -> Kernel:
    """One kernel; the last buffer is for its status words, and bound where it may report.

    What it may report is appended to the accesses of the scope, in which its number counts.
    """
    *_, words = buffers
    written = {s.array for s in writes(nest)}
    written |= {words.name for s in walk_stmts(nest) if isinstance(s, Outside)}
    touched = {e.array for e in reads(nest)} | written
    used = frozenset[str]().union(*(free_names(e) for e in all_expressions(nest)))
    given = tuple(b for b in buffers if b.name in touched)
    used |= {n for b in given for x in b.shape for n in free_names(expression(x))}
    signature = _Signature(
        name,
        given,
        frozenset(written),
        tuple((slot, s) for slot, s in enumerate(scalars) if s.name in used),
    )
    lines = scope.lines
    _write_body_function(scope, signature, nest, words.name, attributes)
    lines.plain()
    _write_entry(lines, signature)
    done: set[str] = set()
    while missing := [f for f in needed(scope) if f not in done]:
        lines.plain()
        write_definition(scope, missing[0])
        done.add(missing[0])
    bindings = tuple(
        Binding(n, b.name, "read_write" if b.name in signature.written else "read")
        for n, b in enumerate(signature.buffers)
    )
    return Kernel(name, lines.code(name), bindings, text=lines.text())


def _status(buffers: tuple[Buffer, ...]) -> Buffer:
    """The buffer for status words, under a name that no array has."""
    name = "status"
    while any(b.name == name for b in buffers):
        name += "_words"
    return Buffer(name, U32, (STATUS_WORDS,), "temporary")


def _write_body_function(
    scope: Scope, signature: _Signature, nest: Body, words: str, attributes: str
) -> None:
    """Write the function that computes; `words` names the status words among its buffers."""
    lines = scope.lines
    for reserved in (*_ENDING, FINISH):
        lines.fresh(reserved)
    parameters: list[str] = []
    for b in signature.buffers:
        pointer = "%" + lines.fresh(b.name)
        scope.arrays[STATUS if b.name == words else b.name] = Place(pointer, b.dtype, b.shape)
        access = "" if b.name in signature.written else "readonly "
        whole = max(4, math.prod(b.sizes) * b.dtype.bits // 8) if _literal(b) else 4
        parameters.append(f"ptr noalias {access}align 64 dereferenceable({whole}) {pointer}")
    for _, s in signature.scalars:
        register = "%" + lines.fresh(s.name)
        scope.names[s.name] = Register(register)
        parameters.append(f"{type_of(s.dtype)} {register}")
    parameters += [f"{t} %{name}" for name, t in _ENDING.items()]
    written = ", ".join(sorted(signature.written & {b.name for b in signature.buffers}))
    lines.plain(f"; {signature.name}: writes {written or 'nothing'}")
    text = f"define internal void @{signature.name}.body({', '.join(parameters)}) noinline {{"
    lines.plain(text, metadata=f"{attributes}!dbg !4")
    lines.begin(lines.fresh("entry"))
    write_open(scope, [s for _, s in signature.scalars])
    write_slots(scope, nest)
    match nest:
        case (For() as loop,) if iterates(loop, scope.open):
            write_range(scope, loop, begin="%begin", end="%end")
        case _:
            write_body(scope, nest, Inside())
    lines.jump(FINISH)
    lines.begin(FINISH)
    lines.line("ret void")
    lines.plain("}")


def _write_entry(lines: Lines, signature: _Signature) -> None:
    """Write the function that a device calls."""
    lines.forget_names()
    for reserved in ("buffers", "scalars", *_ENDING, "entry"):
        lines.fresh(reserved)
    lines.plain("; what a device calls; every kernel has these arguments")
    lines.plain(f"define void @{signature.name}{SIGNATURE} {{")
    lines.plain("entry:")
    arguments: list[str] = []
    for n, b in enumerate(signature.buffers):
        slot = lines.value(f"{b.name}.slot", f"getelementptr ptr, ptr %buffers, i64 {n}")
        arguments.append(f"ptr {lines.value(b.name, f'load ptr, ptr {slot}')}")
    for n, s in signature.scalars:
        slot = lines.value(f"{s.name}.slot", f"getelementptr i64, ptr %scalars, i64 {n}")
        loaded = load(Scope(lines), slot, s.dtype, name=s.name, origin=NOWHERE)
        arguments.append(f"{type_of(s.dtype)} {loaded}")
    arguments += [f"{t} %{name}" for name, t in _ENDING.items()]
    lines.line(f"call void @{signature.name}.body({', '.join(arguments)})")
    lines.line("ret void")
    lines.plain("}")


def _literal(b: Buffer) -> bool:
    return all(isinstance(x, int) for x in b.shape)


def _kernel_name(loops: Loops, nest: Body, taken: tuple[str, ...], *, alone: bool) -> str:
    """The function's name, and the array it writes where there are several kernels."""
    stored = [s.array for s in writes(nest) if loops.buffer(s.array)]
    name = identifier(loops.name if alone or not stored else f"{loops.name}_{stored[-1]}")
    if name in _CALLED or name == "llvm":  # `llvm.body` would be an intrinsic
        name = f"kernel_{name}"
    count = 2
    unique = name
    while unique in taken:
        unique, count = f"{name}_{count}", count + 1
    return unique


def _in_storage(s: Stmt) -> bool:
    return isinstance(s, Alloc) and s.memory is Memory.STORAGE


def _temporaries(body: Body) -> Iterator[Buffer]:
    """The arrays between nests that stand as statements."""
    for s in body:
        if isinstance(s, Alloc) and s.memory is Memory.STORAGE:
            yield Buffer(s.name, s.dtype, s.shape, "temporary", origin=s.origin)


def _role(buffers: Sequence[Buffer], name: str) -> str:
    return next(b.role for b in buffers if b.name == name)


def _check_private(name: str, nest: Body, processor: Processor) -> None:
    """Refuse arrays that a worker's stack cannot hold."""
    arrays = [s for s in walk_stmts(nest) if isinstance(s, Alloc)]
    total = sum(map(_bytes, arrays))
    if total > PRIVATE_BYTES:
        largest = max(arrays, key=_bytes)
        raise CodegenError(
            f"kernel '{name}': its private arrays take {total} bytes ('{largest.name}' "
            f"{_bytes(largest)}), a worker of the {processor.name} holds {PRIVATE_BYTES}",
            hint="a smaller tile, or an array of the kernel instead of a local one",
            span=largest.origin.nearest_span(),
        )


def _bytes(s: Alloc) -> int:
    return math.prod(s.shape) * s.dtype.bits // 8
