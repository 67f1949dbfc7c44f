"""Vectors in LLVM: the statements of a vector loop as instructions on `<8 x float>`.

Elements that lie side by side are read and written at once; what has no form for lanes is
computed for one lane after the other. Imports no LLVM.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from workbench.base.dtypes import BOOL, I32, DType
from workbench.base.source import NOWHERE, Origin
from workbench.codegen.llvm_expr import Register, Scope, address, instruction, value
from workbench.codegen.llvm_lines import type_of
from workbench.ir.expr import (
    Apply,
    Expr,
    Load,
    Select,
    Var,
    free_names,
    integer,
    rebuild,
)
from workbench.ir.linear import linear
from workbench.ir.ops import is_defined
from workbench.ir.stmt import For, Local, Store, map_exprs
from workbench.passes.fold import fold, literal_int


@dataclass(slots=True, eq=False)
class Lanes:
    """The variable of the lanes, its first value, how many there are, and locals with lanes."""

    var: str
    first: int
    step: int
    count: int
    values: dict[str, str] = field(default_factory=dict[str, str])

    def differ(self, e: Expr) -> bool:
        """Whether an expression has a value for each lane."""
        return bool(free_names(e) & {self.var, *self.values})


def write_vector(
    scope: Scope, loop: For, count: int, write_store: Callable[[Scope, Store], None]
) -> None:
    """Write the statements of a vector, each for all lanes before the next one."""
    first = literal_int(loop.start)
    assert first is not None, "a vector has literal bounds"
    lanes = Lanes(loop.var, first, loop.step, count)
    for s in loop.body:
        match s:
            case Local(name, e, fixed=True) if lanes.differ(e):
                lanes.values[name] = _value(scope, e, lanes)
            case Local(name, e, fixed=True):
                scope.names[name] = Register(value(scope, e))
            case Store():
                _store(scope, s, lanes, write_store)
            case _:
                raise AssertionError("a vector holds stores and fixed locals")


def _store(
    scope: Scope, s: Store, lanes: Lanes, write_store: Callable[[Scope, Store], None]
) -> None:
    place = scope.arrays[s.array]
    if not lanes.differ(s.value) and not any(map(lanes.differ, s.index)):
        write_store(scope, s)
        return
    whole = _beside(s.index, lanes) and place.dtype is not BOOL
    if not whole or (s.reduce is not None and is_defined(s.reduce, place.dtype)):
        for lane in range(lanes.count):
            changed = map_exprs(s, partial(_in_lane, scope=scope, lanes=lanes, lane=lane))
            assert isinstance(changed, Store), "the same statement"
            write_store(scope, changed)
        return
    target = s.origin if s.place is NOWHERE else s.place
    operand = _value(scope, s.value, lanes)
    pointer = _address(scope, s.array, s.index, lanes, target)
    kind = _type(place.dtype, lanes)
    if s.reduce is not None:
        old = scope.lines.value(f"{s.array}.old", _load(pointer, kind, place.dtype.bits), target)
        text = instruction(s.reduce, [old, operand], place.dtype, lanes.count)
        operand = scope.lines.value(s.reduce, text, s.origin)
    align = place.dtype.bits // 8
    scope.lines.line(f"store {kind} {operand}, ptr {pointer}, align {align}", target)


def _value(scope: Scope, e: Expr, lanes: Lanes) -> str:
    """Write an expression for all lanes; gives the operand, a vector."""
    if not lanes.differ(e):
        return _everywhere(scope, value(scope, e), e, lanes)
    lines = scope.lines
    match e:
        case Var(name) if name in lanes.values:
            return lanes.values[name]
        case Var() if e.dtype is I32:
            numbers = (lanes.first + n * lanes.step for n in range(lanes.count))
            return f"<{', '.join(f'i32 {n}' for n in numbers)}>"
        case Load(array, index) if e.dtype is not BOOL and _beside(index, lanes):
            pointer = _address(scope, array, index, lanes, e.origin)
            text = _load(pointer, _type(e.dtype, lanes), e.dtype.bits)
            return lines.value(f"{array}.lanes", text, e.origin)
        case Apply(op, args) if not _is_called(scope, e):
            operands = [_value(scope, a, lanes) for a in args]
            text = instruction(op, operands, args[0].dtype, lanes.count)
            return lines.value(op, text, e.origin)
        case Select(cond, yes, no):
            test, a, b = (_value(scope, x, lanes) for x in (cond, yes, no))
            kind = _type(e.dtype, lanes)
            text = f"select {_type(BOOL, lanes)} {test}, {kind} {a}, {kind} {b}"
            return lines.value("either", text, e.origin)
        case _:
            return _one_by_one(scope, e, lanes)


def _is_called(scope: Scope, e: Apply) -> bool:
    """Whether an operation is a function of its own, which takes one lane."""
    dtype = e.args[0].dtype
    return is_defined(e.op, dtype) or f"{e.op}.{dtype.name}" in scope.functions


def _everywhere(scope: Scope, operand: str, e: Expr, lanes: Lanes) -> str:
    """The same value in each lane."""
    kind, one = _type(e.dtype, lanes), type_of(e.dtype)
    if not operand.startswith("%"):
        return f"<{', '.join([f'{one} {operand}'] * lanes.count)}>"
    text = f"insertelement {kind} poison, {one} {operand}, i64 0"
    first = scope.lines.value("lane", text, e.origin)
    zeros = f"<{lanes.count} x i32> zeroinitializer"
    text = f"shufflevector {kind} {first}, {kind} poison, {zeros}"
    return scope.lines.value("all", text, e.origin)


def _one_by_one(scope: Scope, e: Expr, lanes: Lanes) -> str:
    kind, one = _type(e.dtype, lanes), type_of(e.dtype)
    whole = "poison"
    for lane in range(lanes.count):
        operand = value(scope, _in_lane(e, scope=scope, lanes=lanes, lane=lane))
        text = f"insertelement {kind} {whole}, {one} {operand}, i64 {lane}"
        whole = scope.lines.value("lanes", text, e.origin)
    return whole


def _in_lane(e: Expr, *, scope: Scope, lanes: Lanes, lane: int) -> Expr:
    """An expression as one lane computes it."""

    def visit(x: Expr) -> Expr:
        match x:
            case Var(name) if name == lanes.var:
                return integer(lanes.first + lane * lanes.step, x.origin)
            case Var(name) if name in lanes.values:
                own = f"{name} in lane {lane}"
                if own not in scope.names:
                    text = (
                        f"extractelement {_type(x.dtype, lanes)} {lanes.values[name]}, i64 {lane}"
                    )
                    scope.names[own] = Register(scope.lines.value(name, text, x.origin))
                return replace(x, name=own)
            case _:
                return rebuild(x, visit)

    return fold(visit(e))


def _beside(index: tuple[Expr, ...], lanes: Lanes) -> bool:
    """Whether the lanes' elements lie side by side."""
    if not index or lanes.step != 1 or any(lanes.differ(e) for e in index[:-1]):
        return False
    terms, _ = linear(index[-1])
    lane = Var(lanes.var)
    return terms.get(lane) == 1 and not any(lanes.differ(t) for t in terms if t != lane)


def _address(
    scope: Scope, array: str, index: tuple[Expr, ...], lanes: Lanes, origin: Origin
) -> str:
    """The address of the first lane's element."""
    first = tuple(_in_lane(e, scope=scope, lanes=lanes, lane=0) for e in index)
    return address(scope, array, first, origin)[0]


def _load(pointer: str, kind: str, bits: int) -> str:
    return f"load {kind}, ptr {pointer}, align {bits // 8}"


def _type(dtype: DType, lanes: Lanes) -> str:
    return f"<{lanes.count} x {type_of(dtype)}>"
