"""Expressions as LLVM instructions, one for one.

Integers that stay inside i32 are computed in i64, the width of addresses and loop counters, so
that LLVM sees through them; all other integers wrap in their own width. Imports no LLVM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from workbench.base.dtypes import BOOL, I32, I64, DType
from workbench.base.errors import InternalError
from workbench.base.source import Origin
from workbench.codegen.llvm_casts import converted
from workbench.codegen.llvm_lines import (
    Lines,
    array_type as array_type_of,
    literal,
    stored_type,
    type_of,
)
from workbench.ir.expr import Apply, Cast, Const, Expr, Iterated, Load, Reduce, Select, Var, loads
from workbench.ir.extents import Extent, expression, literals
from workbench.ir.intervals import joined
from workbench.ir.ops import OPS, is_defined
from workbench.program import CheckedAccess

LEAST, GREATEST = -(2**31), 2**31 - 1
ANY = (LEAST, GREATEST)


@dataclass(frozen=True, slots=True)
class Counter:
    """A loop's variable: an i64 register, and the least and greatest value it has."""

    register: str
    bounds: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Register:
    """A scalar that is never assigned again."""

    register: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A scalar in memory of its own, which LLVM turns into registers."""

    pointer: str


@dataclass(frozen=True, slots=True)
class Place:
    """An array: where it starts, its dtype and shape."""

    pointer: str
    dtype: DType
    shape: tuple[Extent, ...]


Name = Counter | Register | Slot


@dataclass(slots=True, eq=False)
class Scope:
    """What the statements written so far have named, and the lines they go to.

    `defined` collects the operations (and their dtype) that need a function of their own;
    `functions` holds the texts of those that the processor has no instruction for, by name.
    `accesses` describes the accesses that are checked when they run, of the whole program.
    `written`, where there is one, holds the operands of the expressions written so far, by
    identity: one without jumps is written once and used wherever it stands again.
    """

    lines: Lines
    names: dict[str, Name] = field(default_factory=dict[str, Name])
    arrays: dict[str, Place] = field(default_factory=dict[str, Place])
    defined: dict[str, tuple[str, DType]] = field(default_factory=dict[str, tuple[str, DType]])
    written: dict[int, str] | None = None
    accesses: list[CheckedAccess] = field(default_factory=list[CheckedAccess])
    functions: Mapping[str, str] = field(default_factory=dict[str, str])
    open: tuple[str, ...] = ()


def value(scope: Scope, e: Expr) -> str:
    """Write what computes an expression; gives its operand, of the `type_of` its dtype."""
    if scope.written is None:
        return _value(scope, e)
    if id(e) not in scope.written:
        scope.written[id(e)] = _value(scope, e)
    return scope.written[id(e)]


def _value(scope: Scope, e: Expr) -> str:
    match e:
        case Const():
            return literal(e.value, e.dtype)
        case Var():
            return _read(scope, e)
        case Load():
            return _load(scope, e)
        case Apply():
            return _apply(scope, e)
        case Cast():
            return _cast(scope, e)
        case Select():
            return _select(scope, e)
        case Iterated():
            raise InternalError("a loop is left in an expression; lower them first")
        case Reduce():
            raise InternalError(f"a reduction ('{e.op}') is left in the loops; lower them first")
        case _:
            assert_never(e)


def wide(scope: Scope, e: Expr) -> str:
    """An integer expression as an i64 operand of the same value."""
    match e:
        case Const():
            return str(int(e.value))
        case Var() if isinstance(counter := scope.names.get(e.name), Counter):
            return counter.register
        case Apply() if _raw_bounds(scope, e) is not None:
            arguments = [wide(scope, a) for a in e.args]
            return scope.lines.value(e.op, _WIDE[e.op].format(*arguments), e.origin)
        case _:
            operand = value(scope, e)
            if e.dtype.bits == I64.bits:
                return operand
            extend = "sext" if e.dtype.kind == "i" else "zext"
            text = f"{extend} {type_of(e.dtype)} {operand} to i64"
            return scope.lines.value("wide", text, e.origin)


def address(scope: Scope, array: str, index: tuple[Expr, ...], origin: Origin) -> tuple[str, Place]:
    """Write what computes the address of an element; gives it and the array's place."""
    place = scope.arrays[array]
    if not index:
        return place.pointer, place
    if all(isinstance(x, int) for x in place.shape[1:]):
        row = array_type_of(place.dtype, literals(place.shape[1:]))
        steps = ", ".join(f"i64 {wide(scope, x)}" for x in index)
    else:
        row, steps = stored_type(place.dtype), f"i64 {_flat(scope, place, index, origin)}"
    text = f"getelementptr inbounds {row}, ptr {place.pointer}, {steps}"
    return scope.lines.value(f"{array}.at", text, origin), place


def _flat(scope: Scope, place: Place, index: tuple[Expr, ...], origin: Origin) -> str:
    """The number of an element in row-major order, where a dim is open."""
    flat = wide(scope, index[0])
    for e, extent in zip(index[1:], place.shape[1:], strict=True):
        length = wide(scope, expression(extent))
        row = scope.lines.value("row", f"mul nsw i64 {flat}, {length}", origin)
        flat = scope.lines.value("flat", f"add nsw i64 {row}, {wide(scope, e)}", origin)
    return flat


def load(scope: Scope, pointer: str, dtype: DType, *, name: str, origin: Origin) -> str:
    """Write the load of an element; a stored word becomes a bool."""
    text = f"load {stored_type(dtype)}, ptr {pointer}"
    loaded = scope.lines.value(name, text, origin)
    if dtype is not BOOL:
        return loaded
    return scope.lines.value("true", f"icmp ne i32 {loaded}, 0", origin)


def store(scope: Scope, operand: str, pointer: str, dtype: DType, origin: Origin) -> None:
    """Write the store of an element; a bool becomes a word."""
    if dtype is BOOL:
        operand = scope.lines.value("word", f"zext i1 {operand} to i32", origin)
    scope.lines.line(f"store {stored_type(dtype)} {operand}, ptr {pointer}", origin)


def operation(scope: Scope, op: str, operands: list[str], dtype: DType, origin: Origin) -> str:
    """Write an operation on operands of one dtype: an instruction, or a call of its meaning."""
    row, t = OPS[op], type_of(dtype)
    function = f"{op}.{dtype.name}"
    if is_defined(op, dtype) or function in scope.functions:
        scope.defined[function] = (op, dtype)
        result = type_of(BOOL) if row.compares else t
        arguments = ", ".join(f"{t} {x}" for x in operands)
        return scope.lines.value(op, f"call {result} @{function}({arguments})", origin)
    return scope.lines.value(op, instruction(op, operands, dtype), origin)


def fixed(scope: Scope, e: Expr) -> Name:
    """Write a value that keeps its name; integers made of loop counters stay as wide as they."""
    if e.dtype is I32 and _counts(scope, e) and bounds(scope, e) != ANY:
        return Counter(wide(scope, e), bounds(scope, e))
    return Register(value(scope, e))


def bounds(scope: Scope, e: Expr) -> tuple[int, int]:
    """The least and greatest value that an i32 expression can have; all of i32 if unknown."""
    match e:
        case Const():
            return int(e.value), int(e.value)
        case Var() if isinstance(counter := scope.names.get(e.name), Counter):
            return counter.bounds
        case _:
            return _raw_bounds(scope, e) or ANY


_WIDE = {
    "add": "add nsw i64 {0}, {1}",
    "sub": "sub nsw i64 {0}, {1}",
    "mul": "mul nsw i64 {0}, {1}",
    "min": "call i64 @llvm.smin.i64(i64 {0}, i64 {1})",
    "max": "call i64 @llvm.smax.i64(i64 {0}, i64 {1})",
    "floordiv": "udiv i64 {0}, {1}",
    "mod": "urem i64 {0}, {1}",
}


def _raw_bounds(scope: Scope, e: Expr) -> tuple[int, int] | None:
    """The bounds of an i32 operation in `_WIDE` whose result never leaves i32, else None."""
    if not (isinstance(e, Apply) and e.dtype is I32 and e.op in _WIDE):
        return None
    left, right = (bounds(scope, x) for x in e.args)
    if e.op in {"floordiv", "mod"} and left[0] < 0:
        return None  # the machine's unsigned division is meant
    found = joined(e.op, left, right)
    if found is None or found[0] < LEAST or found[1] > GREATEST:
        return None
    return found


def _counts(scope: Scope, e: Expr) -> bool:
    """Whether a loop counter stands in an integer expression outside of loads."""
    match e:
        case Var(name):
            return isinstance(scope.names.get(name), Counter)
        case Apply(_, args):
            return any(_counts(scope, a) for a in args)
        case _:
            return False


def _read(scope: Scope, e: Var) -> str:
    match scope.names[e.name]:
        case Counter(register):
            return scope.lines.value(e.name, f"trunc i64 {register} to i32", e.origin)
        case Register(register):
            return register
        case Slot(pointer):
            text = f"load {type_of(e.dtype)}, ptr {pointer}"
            return scope.lines.value(e.name, text, e.origin)


def _load(scope: Scope, e: Load) -> str:
    pointer, place = address(scope, e.array, e.index, e.origin)
    named = all(isinstance(x, Var) for x in e.index)
    where = [x.name for x in e.index if isinstance(x, Var)] if named else ["value"]
    return load(scope, pointer, place.dtype, name=".".join([e.array, *where]), origin=e.origin)


def _apply(scope: Scope, e: Apply) -> str:
    row = OPS[e.op]
    if row.compares and all(a.dtype is I32 for a in e.args) and _any_counts(scope, e.args):
        operands = [wide(scope, a) for a in e.args]
        return scope.lines.value(e.op, instruction(e.op, operands, I64), e.origin)
    if _raw_bounds(scope, e) is not None and _counts(scope, e):
        text = f"trunc i64 {wide(scope, e)} to i32"
        return scope.lines.value(e.op, text, e.origin)
    if e.op in {"and", "or"} and any(True for _ in loads(e.args[1])):
        return _short_circuit(scope, e)
    operands = [value(scope, a) for a in e.args]
    return operation(scope, e.op, operands, e.args[0].dtype, e.origin)


def _any_counts(scope: Scope, args: tuple[Expr, ...]) -> bool:
    return any(_counts(scope, a) for a in args)


def _short_circuit(scope: Scope, e: Apply) -> str:
    """`a and b`, `a or b`: what b loads may be there only if a says so."""
    constant = Const(e.op == "or", BOOL, origin=e.origin)
    first, second = e.args
    yes, no = (second, constant) if e.op == "and" else (constant, second)
    return _branches(scope, Select(first, yes, no, origin=e.origin), e.op)


def instruction(op: str, operands: list[str], dtype: DType, lanes: int = 1) -> str:
    """The text of a primitive operation, as its row in the table says it; of one lane or many."""
    spelling, one = OPS[op].llvm[dtype.kind], type_of(dtype)
    t = one if lanes == 1 else f"<{lanes} x {one}>"
    if spelling.startswith("llvm."):
        arguments = [f"{t} {x}" for x in operands]
        if spelling == "llvm.abs":  # its second argument says whether the least int is poison
            arguments.append("i1 false")
        suffix = {"half": "f16", "float": "f32", "double": "f64"}.get(one, one)
        suffix = suffix if lanes == 1 else f"v{lanes}{suffix}"
        return f"call {t} @{spelling}.{suffix}({', '.join(arguments)})"
    if OPS[op].compares:
        return f"{'f' if dtype.kind == 'f' else 'i'}cmp {spelling} {t} {operands[0]}, {operands[1]}"
    match spelling:
        case "not":
            ones = "true" if dtype is BOOL else "-1"
            return f"xor {t} {operands[0]}, {_same(ones, one, lanes)}"
        case "neg":
            return f"sub {t} {_same('0', one, lanes)}, {operands[0]}"
        case "fneg":
            return f"fneg {t} {operands[0]}"
        case _:
            return f"{spelling} {t} {operands[0]}, {operands[1]}"


def _same(number: str, one: str, lanes: int) -> str:
    return number if lanes == 1 else f"<{', '.join([f'{one} {number}'] * lanes)}>"


def _cast(scope: Scope, e: Cast) -> str:
    source, target = e.arg.dtype, e.dtype
    if source is I32 and target.kind in "fi" and target is not I32 and _counts(scope, e.arg):
        operand, source = wide(scope, e.arg), I64
    else:
        operand = value(scope, e.arg)
    function = f"{target.name}.from.{source.name}"
    if function in scope.functions:
        scope.defined[function] = ("cast", source)
        text = f"call {type_of(target)} @{function}({type_of(source)} {operand})"
        return scope.lines.value(target.name, text, e.origin)
    return converted(scope.lines, operand, source, target, e.origin)


def _select(scope: Scope, e: Select) -> str:
    if any(True for branch in (e.yes, e.no) for _ in loads(branch)):
        return _branches(scope, e, "either")
    cond, yes, no = (value(scope, x) for x in (e.cond, e.yes, e.no))
    t = type_of(e.dtype)
    return scope.lines.value("either", f"select i1 {cond}, {t} {yes}, {t} {no}", e.origin)


def _branches(scope: Scope, e: Select, name: str) -> str:
    """A choice by jumps: the loads of the branch not taken do not happen."""
    lines = scope.lines
    cond = value(scope, e.cond)
    then, other, after = (lines.fresh(f"{name}.{part}") for part in ("yes", "no", "after"))
    lines.branch(cond, then, other, e.origin)
    arms: list[str] = []
    for label, branch in ((then, e.yes), (other, e.no)):
        lines.begin(label)
        operand = value(scope, branch)
        arms.append(f"[ {operand}, %{lines.label} ]")
        lines.jump(after, e.origin)
    lines.begin(after)
    return lines.value(name, f"phi {type_of(e.dtype)} {', '.join(arms)}", e.origin)
