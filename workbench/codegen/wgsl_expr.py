"""Expressions in WGSL, every subexpression marked; parentheses where WGSL's grammar wants them.

WGSL is stricter than C: `a & b == c`, `a && b || c`, `a << b + c` and `--a` are no programs,
and `f(a < b, c > d)` and `a < b >> c` read as templates. So an expression has a level (what it
looks like from outside) and each place says which levels may stand there bare.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from string import Formatter
from typing import TYPE_CHECKING, assert_never

import numpy as np

from workbench.base.dtypes import BOOL, CORE, F16, F32, DType
from workbench.base.errors import CodegenError
from workbench.base.source import NOWHERE
from workbench.codegen.wgsl_flat import flat, packed
from workbench.ir.expr import Apply, Cast, Const, Expr, Iterated, Load, Reduce, Select, Var, apply
from workbench.ir.extents import LARGEST_INDEX, Extent, product
from workbench.ir.ops import OPS, is_defined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.base.text import Writer


COMPONENTS = "xyzw"
"""What WGSL calls the lanes of a value."""


class Level(Enum):
    """What an expression is to the grammar around it; operators of one level may chain."""

    PRIMARY = "name, literal, call"
    UNARY = "-"
    PRODUCT = "*"
    SUM = "+"
    SHIFT = "<<"
    RELATION = "<"
    BIT_AND = "&"
    BIT_OR = "|"
    BIT_XOR = "^"
    AND = "&&"
    OR = "||"


_SIGNS = {
    "*": Level.PRODUCT, "/": Level.PRODUCT, "%": Level.PRODUCT,
    "+": Level.SUM, "-": Level.SUM,
    "<<": Level.SHIFT, ">>": Level.SHIFT,
    "==": Level.RELATION, "!=": Level.RELATION, "<": Level.RELATION, "<=": Level.RELATION,
    ">": Level.RELATION, ">=": Level.RELATION,
    "&": Level.BIT_AND, "|": Level.BIT_OR, "^": Level.BIT_XOR,
    "&&": Level.AND, "||": Level.OR,
}  # fmt: skip

_TIGHT = frozenset({Level.PRIMARY, Level.UNARY})
_TERM = _TIGHT | {Level.PRODUCT}
ARITHMETIC = _TERM | {Level.SUM}
_TEST = ARITHMETIC | {Level.RELATION}
_SIDES: dict[Level, tuple[frozenset[Level], frozenset[Level]]] = {
    Level.PRODUCT: (_TERM, _TIGHT),
    Level.SUM: (_TERM | {Level.SUM}, _TERM),
    Level.SHIFT: (_TIGHT, _TIGHT),
    Level.RELATION: (ARITHMETIC, ARITHMETIC),
    Level.BIT_AND: (_TIGHT | {Level.BIT_AND}, _TIGHT),
    Level.BIT_OR: (_TIGHT | {Level.BIT_OR}, _TIGHT),
    Level.BIT_XOR: (_TIGHT | {Level.BIT_XOR}, _TIGHT),
    Level.AND: (_TEST | {Level.AND}, _TEST),
    Level.OR: (_TEST | {Level.OR}, _TEST),
}
"""Which levels may stand bare to the left and to the right of a sign of each level."""

ANYTHING = frozenset(Level)
_ONE_OF_MANY = ANYTHING - {Level.RELATION}
_OPERAND = frozenset({Level.PRIMARY})
_LONG = 1e9

SPECIAL = {
    "inf_bits": 0x7F800000,
    "minus_inf_bits": 0xFF800000,
    "nan_bits": 0x7FC00000,
    "minus_zero_bits": 0x80000000,
}
"""f32 values that WGSL has no literal for, as bits in a private variable: read at run time,
because a compiler that sees them in a constant refuses the program (infinity, NaN) or drops
the sign (minus zero, in Tint)."""


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """How an array is reached: its WGSL name, element type and shape, and whether it is storage.

    Storage holds bool as u32 words, and 0-d arrays as arrays of one element. An `atomic` one is
    updated atomically in this kernel, so every access of it is of that kind (`wgsl_atomic`).
    One with `lanes` is a single vector value; a `packed` one is an array of vectors of four.
    """

    name: str
    dtype: DType
    shape: tuple[Extent, ...]
    storage: bool
    atomic: bool = False
    lanes: int = 0
    packed: bool = False

    @property
    def wraps_bool(self) -> bool:
        """Whether an element must be converted to be a bool."""
        return self.storage and self.dtype is BOOL


@dataclass(frozen=True, slots=True)
class Scope:
    """What names stand for in a kernel: variables, scalar parameters, arrays."""

    names: Mapping[str, str]
    scalars: Mapping[str, str]
    arrays: Mapping[str, ArrayPlace]


def write_expr(w: Writer, e: Expr, scope: Scope, bare: frozenset[Level] = ANYTHING) -> None:
    """Write a prepared expression; in parentheses unless its level is one of `bare`."""
    parens = level(e, scope) not in bare
    w.write("(" if parens else "")
    if e.origin is NOWHERE:
        _write_bare(w, e, scope)
    else:
        with w.mark(e.origin):
            _write_bare(w, e, scope)
    w.write(")" if parens else "")


def level(e: Expr, scope: Scope) -> Level:
    """The level of an expression as `write_expr` writes it."""
    match e:
        case Const():
            return Level.UNARY if literal(e).startswith("-") else Level.PRIMARY
        case Var(name):
            wrapped = e.dtype is BOOL and name in scope.scalars
            return Level.RELATION if wrapped else Level.PRIMARY
        case Load(array):
            return Level.RELATION if scope.arrays[array].wraps_bool else Level.PRIMARY
        case Apply():
            return _template_level(spelling(e))
        case Cast() | Select() | Reduce() | Iterated():
            return Level.PRIMARY
        case _:
            assert_never(e)


def wgsl_type(dtype: DType) -> str:
    """The type of a value; f16 wants `enable f16`. Raises `CodegenError` for others."""
    if dtype not in {*CORE, F16}:
        names = ", ".join(t.name for t in (*CORE, F16))
        raise CodegenError(f"WGSL has no {dtype}", hint=f"one of {names}, or on='cpu'")
    return dtype.name


def stored_type(dtype: DType) -> str:
    """The type of an element in storage: bool is a u32 word."""
    return "u32" if dtype is BOOL else wgsl_type(dtype)


def scalar_type(dtype: DType) -> str:
    """The type of a scalar in the block of uniforms, where f16 is an f32."""
    return "f32" if dtype is F16 else stored_type(dtype)


def literal(c: Const) -> str:
    """A literal that every WGSL compiler reads as exactly this value of its dtype."""
    if c.dtype is BOOL:
        return "true" if c.value else "false"
    if c.dtype.kind == "f":
        name = special(c)
        if name:
            bits = f"bitcast<f32>({name})"
            return bits if c.dtype is F32 else f"{c.dtype}({bits})"
        if c.dtype is F16:
            return f"{float(np.float16(c.value))!r}h"
        return _float_literal(float(c.value))
    return f"{int(c.value)}{'u' if c.dtype.kind == 'u' else ''}"


def special(c: Const) -> str:
    """The private variable with the bits of this constant, or '' where a literal does."""
    value = float(c.value)
    if c.dtype.kind != "f" or (math.isfinite(value) and (value or math.copysign(1, value) > 0)):
        return ""
    if math.isnan(value):
        return "nan_bits"
    if value == 0:
        return "minus_zero_bits"
    return "inf_bits" if value > 0 else "minus_inf_bits"


def spelling(e: Apply) -> str:
    """How an operation is written: the table's template, or a call of its own function."""
    kind = e.args[0].dtype.kind
    row = OPS[e.op]
    if is_function(e):
        return function_name(e) + "(" + ", ".join(f"{{{n}}}" for n in range(row.arity)) + ")"
    if kind in row.wgsl:
        return row.wgsl[kind]
    takes = ", ".join(k for k in "fiub" if k in row.wgsl or k in row.define)
    raise CodegenError(
        f"WGSL has no '{e.op}' for {e.args[0].dtype}; it has it for the kinds {takes}",
        span=e.origin.nearest_span(),
        hint="a cast, or on='cpu'",
    )


def is_function(e: Apply) -> bool:
    """Whether an operation is a function of the module: WGSL has none that means the same."""
    dtype = e.args[0].dtype
    return is_defined(e.op, dtype) and (dtype is F16 or dtype.kind not in OPS[e.op].wgsl)


def function_name(e: Apply) -> str:
    """The function that stands for an operation WGSL does not have."""
    return f"{e.op}_{e.args[0].dtype}"


def called(e: Apply) -> str:
    """The function that an operation is written as a call of, '' where it is an operator."""
    return spelling(e).partition("(")[0] if _template_level(spelling(e)) is Level.PRIMARY else ""


def cast_function(e: Cast) -> str:
    """The function that casts as the language says, '' where WGSL's own conversion does."""
    if e.arg.dtype.kind == "f" and e.dtype.kind in "iu":
        return f"{e.dtype}_from_{e.arg.dtype}"
    return ""


def write_place(w: Writer, place: ArrayPlace, index: Sequence[Expr], scope: Scope) -> None:
    """An element: `A[i * 64 + k]` in row-major order; a 0-d array outside storage is its name."""
    w.write(place.name)
    if not index and not place.storage:
        return
    if place.lanes and isinstance(index[0], Const):
        w.write("." + COMPONENTS[int(index[0].value)])
        return
    w.write("[")
    if place.packed:
        quotient, component = packed(flat(place.shape, index))
        write_expr(w, quotient, scope)
        if isinstance(component, Const):
            w.write("]." + COMPONENTS[int(component.value)])
            return
        w.write("][")
        write_expr(w, component, scope)
    else:
        write_flat(w, place.shape, index, scope)
    w.write("]")


def _write_load(w: Writer, place: ArrayPlace, index: Sequence[Expr], scope: Scope) -> None:
    if not place.atomic:
        write_place(w, place, index, scope)
        return
    w.write("bitcast<f32>(atomicLoad(&" if place.dtype is F32 else "atomicLoad(&")
    write_place(w, place, index, scope)
    w.write("))" if place.dtype is F32 else ")")


def write_flat(w: Writer, shape: tuple[Extent, ...], index: Sequence[Expr], scope: Scope) -> None:
    """The number of an element in row-major order.

    A literal outside its extent stands where control never comes (`x[3] if N > 3 else 0.0` with
    N = 2), and is written 0: WGSL compilers refuse it also there.
    """
    written = False
    for axis, part in enumerate(index):
        stride, extent = product(shape[axis + 1 :]), shape[axis]
        end = extent if isinstance(extent, int) else LARGEST_INDEX
        never = isinstance(part, Const) and not 0 <= part.value < end
        e = Const(0, part.dtype, origin=part.origin) if never else part
        if e == Const(0, e.dtype) and len(index) > 1:
            continue
        w.write(" + " if written else "")
        written = True
        if not isinstance(stride, int):
            write_expr(w, apply("mul", e, stride, origin=e.origin), scope, _TERM)
        elif isinstance(e, Const):
            write_expr(w, Const(int(e.value) * stride, e.dtype, origin=e.origin), scope)
        elif stride == 1:
            write_expr(w, e, scope, _TERM | {Level.SUM})
        else:
            write_expr(w, e, scope, _TERM)
            w.write(f" * {stride}")
    w.write("" if written else "0")


def _write_bare(w: Writer, e: Expr, scope: Scope) -> None:
    match e:
        case Const():
            w.write(literal(e))
        case Var(name):
            wrapped = e.dtype is BOOL and name in scope.scalars
            short = e.dtype is F16 and name in scope.scalars
            w.write("f16(" if short else "")
            w.write(scope.scalars.get(name) or scope.names[name])
            w.write(" != 0u" if wrapped else ")" if short else "")
        case Load(array, index):
            place = scope.arrays[array]
            _write_load(w, place, index, scope)
            w.write(" != 0u" if place.wraps_bool else "")
        case Apply(_, args):
            write_template(w, spelling(e), args, scope)
        case Cast(dtype, arg):
            w.write((cast_function(e) or wgsl_type(dtype)) + "(")
            write_expr(w, arg, scope)
            w.write(")")
        case Select(cond, yes, no):
            write_template(w, "select({2}, {1}, {0})", (cond, yes, no), scope)
        case Reduce() | Iterated():
            raise AssertionError("lowering turned every reduction into loops")
        case _:
            assert_never(e)


def _template_level(template: str) -> Level:
    sign = infix_sign(template)
    if sign:
        return _SIGNS[sign]
    return Level.UNARY if template.endswith("}") else Level.PRIMARY


def infix_sign(template: str) -> str:
    """`<<` of `{0} << u32({1})`, '' where the template is no infix operation."""
    return template.split()[1] if template.startswith("{0} ") else ""


Write = Callable[["Writer", Expr, Scope, frozenset[Level]], None]


def write_template(
    w: Writer, template: str, args: Sequence[Expr], scope: Scope, write: Write = write_expr
) -> None:
    """Fill a template; what stands bare in a field follows from what is around it."""
    sign = infix_sign(template)
    relations = sum(level(x, scope) is Level.RELATION for x in args)
    argument = ANYTHING if relations < 2 else _ONE_OF_MANY
    for text, field in _fields(template):
        w.write(text)
        if field is None:
            continue
        if text.endswith("(") or (template.endswith(")") and text.endswith(", ")):
            bare = argument
        elif sign:
            bare = _SIDES[_SIGNS[sign]][0 if text == "" else 1]
        else:
            bare = _OPERAND
        write(w, args[int(field)], scope, bare)


@cache
def _fields(template: str) -> tuple[tuple[str, str | None], ...]:
    """The texts of a template, each with the field after it."""
    return tuple((text, field) for text, field, _, _ in Formatter().parse(template))


def _float_literal(value: float) -> str:
    """The shortest decimal that is read back as this f32, also by way of f64."""
    exact = np.float32(value)
    if exact == np.floor(exact) and abs(exact) < _LONG:
        return f"{float(exact):.1f}"
    text = str(exact)
    if np.float32(float(text)) != exact or abs(float(text)) > float(np.finfo(np.float32).max):
        text = repr(float(exact))
    return text
