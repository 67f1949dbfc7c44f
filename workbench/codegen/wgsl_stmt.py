"""Statements in WGSL, each marked with its origin; loops and conditions at their header only."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from workbench.base.dtypes import DType
from workbench.base.source import NOWHERE, Origin
from workbench.codegen.faults import reported
from workbench.codegen.wgsl_atomic import write_update
from workbench.codegen.wgsl_expr import (
    ARITHMETIC,
    ArrayPlace,
    Scope,
    wgsl_type,
    write_expr,
    write_place,
)
from workbench.codegen.wgsl_lanes import (
    WHOLE,
    Lanes,
    in_lane,
    lanes_of,
    vector_place,
    write_lanes,
    write_vector_place,
)
from workbench.codegen.wgsl_loops import written_out
from workbench.ir.expr import Apply, Load, integer, loads
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Barrier,
    Body,
    Break,
    Continue,
    For,
    If,
    Local,
    LoopKind,
    Memory,
    Outside,
    Stmt,
    Store,
    While,
    expressions,
    walk_stmts,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from workbench.base.text import Writer

_WORDS = {Break: "break", Continue: "continue", Barrier: "workgroupBarrier()"}
_COMPOUND = {"add": "+=", "mul": "*="}


@dataclass(frozen=True, slots=True)
class Emission:
    """What names stand for, and the numbers of what may be reported, by `id` of the statement.

    `budgets` are the loops that carry an iteration budget, `faults` the accesses; `around` is how
    many indices a report has.
    """

    scope: Scope
    budgets: Mapping[int, int]
    faults: Mapping[int, int]
    around: int = 0


def array_type(dtype: DType, shape: tuple[int, ...], *, packed: bool = False) -> str:
    """The type of an array in private or workgroup memory; a 0-d one is a plain value."""
    element, count = wgsl_type(dtype), max(1, math.prod(shape))
    if packed:
        element, count = f"vec{WHOLE}<{element}>", count // WHOLE
    return f"array<{element}, {count}>" if shape else element


def write_body(w: Writer, body: Body, emission: Emission) -> None:
    """Write prepared statements, one a line."""
    rest = list(body)
    while rest:
        s = rest.pop(0)
        if rest and _initialises(s, rest[0]):
            _write_initialised(w, s, rest.pop(0), emission.scope)
        else:
            _write_stmt(w, s, emission)


@contextmanager
def _marked(w: Writer, origin: Origin) -> Generator[None]:
    if origin is NOWHERE:
        yield
        return
    with w.mark(origin):
        yield


def _write_stmt(w: Writer, s: Stmt, emission: Emission) -> None:
    match s:
        case For(kind=LoopKind.VECTOR):
            _write_vector(w, s, emission)
        case For():
            _write_for(w, s, emission)
        case While():
            _write_while(w, s, emission)
        case If():
            _write_if(w, s, emission)
        case Local() | Assign():
            _write_local(w, s, emission.scope)
        case Store():
            _write_store(w, s, emission.scope)
        case Alloc():
            _write_alloc(w, s, emission.scope)
        case Outside():
            _write_outside(w, s, emission)
        case Break() | Continue() | Barrier():
            with _marked(w, s.origin):
                w.write(_WORDS[type(s)])
            _close(w)
        case _:
            assert_never(s)


def _write_outside(w: Writer, s: Outside, emission: Emission) -> None:
    """`outside(0u, at, array<i32, 2>(i, k));`, 0 for the indices that this access has not."""
    with _marked(w, s.origin):
        w.write(f"outside({emission.faults[id(s)]}u, ")
        write_expr(w, s.index[s.place], emission.scope)
        if emission.around:
            w.write(f", array<i32, {emission.around}>(")
            values = reported(s)
            for n in range(emission.around):
                w.write(", " if n else "")
                write_expr(w, values[n] if n < len(values) else integer(0), emission.scope)
            w.write(")")
        w.write(")")
    _close(w)


def _close(w: Writer) -> None:
    w.write(";")
    w.end()


def _write_alloc(w: Writer, s: Alloc, scope: Scope) -> None:
    """Private memory; workgroup memory is declared by the module."""
    if s.memory is Memory.WORKGROUP:
        return
    place = scope.arrays[s.name]
    element = wgsl_type(s.dtype)
    kind = f"vec{place.lanes}<{element}>" if place.lanes else array_type(s.dtype, s.shape)
    with _marked(w, s.origin):
        w.write(f"var {place.name}: {kind}")
    _close(w)


def _write_for(w: Writer, s: For, emission: Emission) -> None:
    values = written_out(s)
    if values is not None:
        _write_unrolled(w, s, values, emission)
        return
    scope = emission.scope
    name = scope.names[s.var]
    with _marked(w, s.origin):
        w.write(f"for (var {name} = ")
        write_expr(w, s.start, scope)
        w.write(f"; {name} < ")
        write_expr(w, s.stop, scope, ARITHMETIC)
        w.write(f"; {name}++)" if s.step == 1 else f"; {name} += {s.step})")
    _write_loop_body(w, s, emission)


def _write_unrolled(w: Writer, s: For, values: range, emission: Emission) -> None:
    name = emission.scope.names[s.var]
    for value in values:
        with _marked(w, s.origin):
            w.write("{")
        w.end()
        with w.indented():
            w.line(f"let {name} = {value};")
            write_body(w, s.body, emission)
        w.line("}")


def _write_vector(w: Writer, s: For, emission: Emission) -> None:
    """The statements of a vector, each for all lanes, in the body around it."""
    lanes = lanes_of(s)
    for inner in s.body:
        match inner:
            case Store() if lanes.differ(inner.value) or any(map(lanes.differ, inner.index)):
                _write_lanes_store(w, inner, emission.scope, lanes)
            case Local(name, value, fixed=True) if lanes.differ(value):
                with _marked(w, inner.origin):
                    w.write(f"let {emission.scope.names[name]} = ")
                    write_lanes(w, value, emission.scope, lanes)
                _close(w)
                lanes = replace(lanes, locals=lanes.locals | {name})
                own = ArrayPlace(
                    emission.scope.names[name], value.dtype, (lanes.count,), storage=False,
                    lanes=lanes.count,
                )  # fmt: skip
                scope = replace(emission.scope, arrays={**emission.scope.arrays, name: own})
                emission = replace(emission, scope=scope)
            case _:
                assert not _differs(inner, lanes), "a vector holds stores and fixed locals"
                _write_stmt(w, inner, emission)


def _differs(s: Stmt, lanes: Lanes) -> bool:
    return any(lanes.differ(e) for x in walk_stmts((s,)) for e in expressions(x))


def _write_lanes_store(w: Writer, s: Store, scope: Scope, lanes: Lanes) -> None:
    """One store of a vector where the elements are one value, else a store for each lane."""
    place = scope.arrays[s.array]
    at = vector_place(place, s.index, lanes)
    if at is None:
        for lane in range(lanes.count):
            _write_store(w, in_lane(s, lanes, lane), scope)
        return
    value, sign = s.value, "="
    if s.reduce in _COMPOUND:
        sign = _COMPOUND[s.reduce]
    elif s.reduce is not None:
        old = Load(s.array, s.index, place.dtype, origin=s.place)
        value = Apply(s.reduce, (old, s.value), place.dtype, origin=s.origin)
    with _marked(w, s.origin):
        with _marked(w, s.place):
            write_vector_place(w, place, at, scope)
        w.write(f" {sign} ")
        write_lanes(w, value, scope, lanes)
    _close(w)


def _write_while(w: Writer, s: While, emission: Emission) -> None:
    with _marked(w, s.origin):
        w.write("while (")
        write_expr(w, s.cond, emission.scope)
        w.write(")")
    _write_loop_body(w, s, emission)


def _write_loop_body(w: Writer, s: For | While, emission: Emission) -> None:
    """The body in braces; a loop with a budget takes one from it in each iteration."""
    number = emission.budgets.get(id(s))
    w.write(" {")
    w.end()
    with w.indented():
        if number is not None:
            w.line("if (budget == 0u) { break; }")
            w.line("budget -= 1u;")
        write_body(w, s.body, emission)
    w.line("}")
    if number is not None:
        w.line(f"if (budget == 0u) {{ out_of_budget({number}u); }}")


def _open_block(w: Writer, body: Body, emission: Emission) -> None:
    w.write(" {")
    w.end()
    with w.indented():
        write_body(w, body, emission)


def _write_if(w: Writer, s: If, emission: Emission) -> None:
    """An `if`; an `else` that holds one other `if` is written as `else if`."""
    with _marked(w, s.origin):
        w.write("if (")
        write_expr(w, s.cond, emission.scope)
        w.write(")")
    _open_block(w, s.then, emission)
    match s.orelse:
        case ():
            w.line("}")
        case (If() as other,):
            w.write("} else ")
            _write_if(w, other, emission)
        case _:
            w.write("} else")
            _open_block(w, s.orelse, emission)
            w.line("}")


def _write_local(w: Writer, s: Local | Assign, scope: Scope) -> None:
    name = scope.names[s.name]
    with _marked(w, s.origin):
        match s:
            case Local(fixed=True):
                w.write(f"let {name} = ")
            case Local():
                w.write(f"var {name}: {wgsl_type(s.value.dtype)} = ")
            case Assign():
                w.write(f"{name} = ")
            case _:
                assert_never(s)
        write_expr(w, s.value, scope)
    _close(w)


def _initialises(s: Stmt, following: Stmt) -> bool:
    """Whether `following` gives the private value that `s` declares its first value."""
    return (
        isinstance(s, Alloc)
        and s.memory is Memory.PRIVATE
        and not s.shape
        and isinstance(following, Store)
        and following.array == s.name
        and following.reduce is None
        and not any(x.array == s.name for x in loads(following.value))
    )


def _write_initialised(w: Writer, s: Stmt, store: Stmt, scope: Scope) -> None:
    assert isinstance(s, Alloc), "a declaration"
    assert isinstance(store, Store), "and its first value"
    with _marked(w, store.origin), _marked(w, s.origin):
        w.write("var ")
        with _marked(w, store.place):
            w.write(scope.arrays[s.name].name)
        w.write(f": {wgsl_type(s.dtype)} = ")
        write_expr(w, store.value, scope)
    _close(w)


def _write_store(w: Writer, s: Store, scope: Scope) -> None:
    place = scope.arrays[s.array]
    value, sign = s.value, "="
    if place.atomic and s.atomic:
        pass
    elif s.reduce in _COMPOUND and not place.wraps_bool and not place.atomic:
        sign = _COMPOUND[s.reduce]
    elif s.reduce is not None:
        old = Load(s.array, s.index, place.dtype, origin=s.place)
        value = Apply(s.reduce, (old, s.value), place.dtype, origin=s.origin)
    if place.atomic:
        with _marked(w, s.origin):
            write_update(w, replace(s, value=value), scope)
        _close(w)
        return
    with _marked(w, s.origin):
        with _marked(w, s.place):
            write_place(w, place, s.index, scope)
        w.write(f" {sign} ")
        w.write("u32(" if place.wraps_bool else "")
        write_expr(w, value, scope)
        w.write(")" if place.wraps_bool else "")
    _close(w)
