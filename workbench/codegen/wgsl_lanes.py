"""Vectors in WGSL: the statements of a loop of two to four lanes as values `vec4<f32>`.

Elements that lie side by side are one value where their array is kept as vectors: a private
array of just the lanes, and storage of which every vector access is of a whole `vec4` and which
nothing else writes. What has no form for lanes is written for one lane after the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from workbench.base.dtypes import F16, F32, I32, U32
from workbench.base.source import NOWHERE
from workbench.codegen.wgsl_expr import (
    ANYTHING,
    ArrayPlace,
    Level,
    Scope,
    called,
    infix_sign,
    is_function,
    level,
    spelling,
    wgsl_type,
    write_expr,
    write_template,
)
from workbench.codegen.wgsl_flat import divisible, flat, quarter
from workbench.codegen.wgsl_prepare import fold_literals
from workbench.ir.expr import (
    Apply,
    Const,
    Expr,
    Load,
    Var,
    free_names,
    integer,
    loads,
    rebuild,
)
from workbench.ir.linear import linear
from workbench.ir.stmt import (
    Alloc,
    Body,
    For,
    LoopKind,
    Memory,
    Store,
    bodies,
    expressions,
    map_exprs,
    walk_stmts,
)

if TYPE_CHECKING:
    from workbench.base.text import Writer
    from workbench.ir.extents import Extent

WHOLE = 4
"""The lanes of a vector that storage is made of."""

_BUILTIN = frozenset({
    "min", "max", "abs", "sqrt", "floor", "ceil", "round", "trunc", "log", "log2",
})  # fmt: skip
"""WGSL's functions that do for vectors what they do for each component."""

_OPERATORS = frozenset({"add", "sub", "mul", "div", "neg"})

_MIXED = frozenset("+-*/")
"""Signs between a vector and a scalar."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """The variable that numbers the lanes, how many there are, and the locals that have lanes."""

    var: str
    count: int
    locals: frozenset[str] = frozenset()

    def differ(self, e: Expr) -> bool:
        """Whether an expression has a value for each lane."""
        return bool(free_names(e) & {self.var, *self.locals})


def lanes_of(s: For) -> Lanes:
    """The lanes of a vector, from 0 on."""
    assert isinstance(s.stop, Const), "a vector has a literal extent"
    return Lanes(s.var, int(s.stop.value))


def vector_arrays(body: Body) -> Mapping[str, int]:
    """The private arrays that are single values, with their lanes."""
    found = {
        s.name: s.shape[0]
        for s in walk_stmts(body)
        if isinstance(s, Alloc) and s.memory is Memory.PRIVATE and _has_lanes(s)
    }
    for array, index, lanes, _ in _uses(body, None):
        if array in found:
            whole = lanes is not None and index == (Var(lanes.var),) and lanes.count == found[array]
            known = isinstance(index[0], Const) and 0 <= index[0].value < found[array]
            if not whole and not known:
                del found[array]
    return found


def packed_arrays(body: Body, shapes: Mapping[str, ArrayPlace]) -> frozenset[str]:
    """The arrays that are kept as vectors of four: see the text of this module."""
    fit = {name for name, place in shapes.items() if _may_be_packed(place)}
    whole: set[str] = set()
    for array, index, lanes, written in _uses(body, None):
        if array not in fit:
            continue
        start = None if lanes is None else beside(shapes[array].shape, index, lanes)
        aligned = start is not None and lanes is not None and lanes.count == WHOLE
        aligned = aligned and start is not None and divisible(start)
        if aligned:
            whole.add(array)
        elif written or start is not None:
            fit.discard(array)
    return frozenset(whole & fit)


def beside(
    shape: tuple[Extent, ...], index: tuple[Expr, ...], lanes: Lanes
) -> tuple[dict[Expr, int], int] | None:
    """The number of the first lane's element, where the lanes' elements lie side by side."""
    if index == (Var(lanes.var),):
        return {}, 0
    if not index or any(lanes.differ(e) for e in index[:-1]):
        return None
    if not all(isinstance(x, int) for x in shape[1:]) or not isinstance(shape[0], int):
        return None
    terms, constant = linear(index[-1])
    rest = {t: n for t, n in terms.items() if t != Var(lanes.var)}
    if terms.get(Var(lanes.var)) != 1 or any(lanes.differ(t) for t in rest):
        return None
    terms, constant = flat(shape, index)
    return {t: n for t, n in terms.items() if t != Var(lanes.var)}, constant


def in_lane(s: Store, lanes: Lanes, lane: int) -> Store:
    """A store as one lane makes it."""
    changed = map_exprs(s, partial(_in_lane, lanes=lanes, lane=lane))
    assert isinstance(changed, Store), "the same statement"
    return changed


def vector_type(e: Expr, lanes: Lanes) -> str:
    """The type of a value for each lane."""
    return f"vec{lanes.count}<{wgsl_type(e.dtype)}>"


def write_lanes(
    w: Writer, e: Expr, scope: Scope, lanes: Lanes, bare: frozenset[Level] = ANYTHING
) -> None:
    """Write an expression as a vector; one without lanes becomes the same in each."""
    if not lanes.differ(e):
        w.write(vector_type(e, lanes) + "(")
        write_expr(w, e, scope)
        w.write(")")
        return
    parens = _level(e, scope) not in bare
    w.write("(" if parens else "")
    if e.origin is NOWHERE:
        _write_bare(w, e, scope, lanes)
    else:
        with w.mark(e.origin):
            _write_bare(w, e, scope, lanes)
    w.write(")" if parens else "")


def vector_place(place: ArrayPlace, index: tuple[Expr, ...], lanes: Lanes) -> Expr | str | None:
    """How the lanes' elements are one value: a name, the number of a vector, None: they are not."""
    start = beside(place.shape, index, lanes)
    if start is None:
        return None
    if place.lanes:
        return place.name
    return quarter(start) if place.packed and lanes.count == WHOLE else None


def _level(e: Expr, scope: Scope) -> Level:
    """The level of an expression with lanes: an operation's own, or a value's."""
    return level(e, scope) if isinstance(e, Apply) and _elementwise(e) else Level.PRIMARY


def _elementwise(e: Apply) -> bool:
    """Whether an operation is written the same for vectors."""
    if is_function(e):
        return False
    name, arguments = called(e), ", ".join(f"{{{n}}}" for n in range(len(e.args)))
    return e.op in _OPERATORS or (name in _BUILTIN and spelling(e) == f"{name}({arguments})")


def _write_bare(w: Writer, e: Expr, scope: Scope, lanes: Lanes) -> None:
    match e:
        case Var(name) if name in lanes.locals:
            w.write(scope.names[name])
        case Load(array, index) if at := vector_place(scope.arrays[array], index, lanes):
            write_vector_place(w, scope.arrays[array], at, scope)
        case Apply(_, args) if _elementwise(e):
            template = spelling(e)
            mixed = infix_sign(template) in _MIXED

            def write(w: Writer, x: Expr, scope: Scope, bare: frozenset[Level]) -> None:
                if mixed and not lanes.differ(x):
                    write_expr(w, x, scope, bare)
                else:
                    write_lanes(w, x, scope, lanes, bare)

            write_template(w, template, args, scope, write)
        case _:
            w.write(vector_type(e, lanes) + "(")
            for lane in range(lanes.count):
                w.write(", " if lane else "")
                write_expr(w, _in_lane(e, lanes, lane), scope)
            w.write(")")


def write_vector_place(w: Writer, place: ArrayPlace, at: Expr | str, scope: Scope) -> None:
    """The value that holds the lanes' elements."""
    w.write(place.name)
    if not isinstance(at, str):
        w.write("[")
        write_expr(w, at, scope)
        w.write("]")


def _in_lane(e: Expr, lanes: Lanes, lane: int) -> Expr:
    """An expression as one lane computes it."""

    def visit(x: Expr) -> Expr:
        match x:
            case Var(name) if name == lanes.var:
                return integer(lane, x.origin)
            case Var(name) if name in lanes.locals:
                return Load(name, (integer(lane),), x.dtype, origin=x.origin)
            case _:
                return rebuild(x, visit)

    return fold_literals(visit(e))


def _has_lanes(s: Alloc) -> bool:
    return len(s.shape) == 1 and 2 <= s.shape[0] <= WHOLE and s.dtype.kind in "fiu"


def _may_be_packed(place: ArrayPlace) -> bool:
    literal = all(isinstance(x, int) for x in place.shape) and bool(place.shape)
    if not literal or place.atomic or place.lanes or place.dtype not in {F32, F16, I32, U32}:
        return False
    count = math.prod(x for x in place.shape if isinstance(x, int))
    return count > 0 and count % WHOLE == 0


def _uses(
    body: Body, lanes: Lanes | None
) -> Iterator[tuple[str, tuple[Expr, ...], Lanes | None, bool]]:
    """Every access: the array, the subscript, the lanes around it, whether it writes."""
    for s in body:
        for e in expressions(s):
            yield from ((x.array, x.index, lanes, False) for x in loads(e))
        if isinstance(s, Store):
            yield s.array, s.index, lanes, True
        inner = lanes_of(s) if isinstance(s, For) and s.kind is LoopKind.VECTOR else lanes
        for b in bodies(s):
            yield from _uses(b, inner)
