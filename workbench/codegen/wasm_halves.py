"""f16 on WebAssembly, which has none: kept as its bits, computed in f32, rounded after each step.

    y[i] = x[i] * x[i] + s      y[i] = half(f32(half(f32(x[i]) * f32(x[i]))) + f32(s))

An f32 has more than twice the digits of an f16, so a result that is rounded to both, one after
the other, is the one that is rounded once. LLVM's own f16 is not used: for wasm32 it calls a
library, and the modules here have none.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from workbench.base.dtypes import BOOL, F16, F32, F64, DType
from workbench.codegen.wasm_values import double
from workbench.ir.expr import Apply, Cast, Const, Expr, Load, Var, apply, rebuild
from workbench.ir.stmt import Alloc, Store, map_bodies, map_exprs, walk_stmts

if TYPE_CHECKING:
    from workbench.ir.loops import Loops
    from workbench.ir.stmt import Stmt
    from workbench.program import Program

HALF = DType("half", "u", 16)
"""The bits of an f16; no text has this dtype, and no operation but the casts below."""

_EXACT = frozenset({"neg", "abs", "min", "max", "floor", "ceil", "round", "trunc", "sign"})
"""Operations that give an f16 wherever they are given some."""


def _atomic(fold: str) -> str:
    """The text of an atomic update: computed again until nobody wrote in between."""
    return f"""\
define internal void @atomic.{fold}.half(ptr %place, i16 %a) noinline {{
entry:
  %x = call float @f32.from.half(i16 %a)
  %first = load atomic i16, ptr %place monotonic, align 2
  br label %again
again:
  %old = phi i16 [ %first, %entry ], [ %now, %again ]
  %y = call float @f32.from.half(i16 %old)
  %both = {_FOLDS[fold]}
  %new = call i16 @half.from.f32(float %both)
  %met = cmpxchg ptr %place, i16 %old, i16 %new monotonic monotonic
  %now = extractvalue {{ i16, i1 }} %met, 0
  %done = extractvalue {{ i16, i1 }} %met, 1
  br i1 %done, label %end, label %again
end:
  ret void
}}"""


_FOLDS = {
    "add": "fadd float %y, %x",
    "max": "call float @llvm.maximum.f32(float %y, float %x)",
    "min": "call float @llvm.minimum.f32(float %y, float %x)",
}

FUNCTIONS = {
    **{f"atomic.{fold}.half": _atomic(fold) for fold in _FOLDS},
    "f32.from.half": f"""\
; the f32 that equals an f16: its exponent is moved, which is a product where it is the least
define internal float @f32.from.half(i16 %a) alwaysinline {{
  %bits = zext i16 %a to i32
  %size = and i32 %bits, 32767
  %place = shl i32 %size, 13
  %small = bitcast i32 %place to float
  %scaled = fmul float %small, {double(2.0**112)}
  %finite = bitcast float %scaled to i32
  %endless = or i32 %place, 2139095040
  %top = icmp uge i32 %size, 31744
  %value = select i1 %top, i32 %endless, i32 %finite
  %sign.bit = and i32 %bits, 32768
  %sign = shl i32 %sign.bit, 16
  %signed = or i32 %value, %sign
  %result = bitcast i32 %signed to float
  ret float %result
}}""",
    "half.from.f32": """\
; the nearest f16, of two as near the even one; infinity from 65520 on
define internal i16 @half.from.f32(float %a) alwaysinline {
  %bits = bitcast float %a to i32
  %size = and i32 %bits, 2147483647
  %number = bitcast i32 %size to float
  %rounded = fadd float %number, 0.5
  %rounded.bits = bitcast float %rounded to i32
  %small = sub i32 %rounded.bits, 1056964608
  %down = lshr i32 %size, 13
  %odd = and i32 %down, 1
  %moved = add i32 %size, -939520001
  %even = add i32 %moved, %odd
  %normal = lshr i32 %even, 13
  %is.small = icmp ult i32 %size, 947912704
  %finite = select i1 %is.small, i32 %small, i32 %normal
  %is.nan = icmp ugt i32 %size, 2139095040
  %endless = select i1 %is.nan, i32 32256, i32 31744
  %is.large = icmp uge i32 %size, 1199570944
  %value = select i1 %is.large, i32 %endless, i32 %finite
  %top = lshr i32 %bits, 16
  %sign = and i32 %top, 32768
  %signed = or i32 %value, %sign
  %result = trunc i32 %signed to i16
  ret i16 %result
}""",
    "half.from.f64": """\
; the nearest f16: bits that no f32 has are gone, and the last one left says whether there were any
define internal i16 @half.from.f64(double %a) alwaysinline {
  %bits = bitcast double %a to i64
  %cut = and i64 %bits, 536870911
  %some = icmp ne i64 %cut, 0
  %sticky = select i1 %some, i64 536870912, i64 0
  %kept = and i64 %bits, -536870912
  %odd = or i64 %kept, %sticky
  %wide = bitcast i64 %odd to double
  %single = fptrunc double %wide to float
  %result = call i16 @half.from.f32(float %single)
  ret i16 %result
}""",
}
"""The casts and the atomic updates, by the names that the code generator gives them."""


def halves(loops: Loops) -> Loops:
    """The loops with every f16 kept as `HALF` and computed in f32; themselves where none is."""
    arrays = {b.name for b in loops.buffers if b.dtype is F16}
    arrays |= {s.name for s in walk_stmts(loops.body) if isinstance(s, Alloc) and s.dtype is F16}
    scalars = frozenset(s.name for s in loops.scalars if s.dtype is F16)
    computed = tuple(map_exprs(s, partial(_value, scalars=scalars)) for s in loops.body)
    return replace(
        loops,
        buffers=tuple(replace(b, dtype=_kept(b.dtype)) for b in loops.buffers),
        scalars=tuple(replace(s, dtype=_kept(s.dtype)) for s in loops.scalars),
        body=tuple(_stored(s, frozenset(arrays)) for s in computed),
    )


def named(program: Program) -> Program:
    """The program of such loops with the dtypes that hosts know: f16 again."""
    return replace(
        program,
        buffers=tuple(replace(b, dtype=_said(b.dtype)) for b in program.buffers),
        scalars=tuple(replace(s, dtype=_said(s.dtype)) for s in program.scalars),
    )


def _kept(dtype: DType) -> DType:
    return HALF if dtype is F16 else dtype


def _said(dtype: DType) -> DType:
    return F16 if dtype is HALF else dtype


def _value(e: Expr, scalars: frozenset[str]) -> Expr:
    """An expression of the same value, in f32 where its dtype is f16."""
    inner = rebuild(e, lambda x: _value(x, scalars))
    if e.dtype is not F16:
        return inner
    match inner:
        case Const(value):
            with np.errstate(over="ignore"):  # beyond the largest float lies infinity
                return Const(float(np.float16(value)), F32, origin=e.origin)
        case Var(name) if name in scalars:
            return _wide(replace(inner, dtype=HALF))
        case Var():
            return replace(inner, dtype=F32)
        case Load():
            return _wide(replace(inner, dtype=HALF))
        case Apply(op):
            whole = replace(inner, dtype=F32)
            return whole if op in _EXACT else _wide(Cast(HALF, whole, origin=e.origin))
        case Cast(_, arg):
            assert isinstance(e, Cast), "a rewrite keeps the kind of an expression"
            if e.arg.dtype in {F16, BOOL}:
                return arg if e.arg.dtype is F16 else replace(inner, dtype=F32)
            if arg.dtype not in {F32, F64}:
                arg = Cast(F32, arg, origin=e.origin)
            return _wide(Cast(HALF, arg, origin=e.origin))
        case _:
            return inner


def _wide(e: Expr) -> Expr:
    return Cast(F32, e, origin=e.origin)


def _stored(s: Stmt, arrays: frozenset[str]) -> Stmt:
    """A statement that writes f16 as its bits; a plain update reads, computes and writes."""
    inner = map_bodies(s, lambda body: tuple(_stored(x, arrays) for x in body))
    match inner:
        case Alloc():
            return replace(inner, dtype=_kept(inner.dtype))
        case Store(array, index, value, op) if array in arrays:
            if op is not None and not inner.atomic:
                old = _wide(Load(array, index, HALF, origin=inner.place))
                value, op = apply(op, old, value, origin=inner.origin), None
            return replace(inner, value=_bits(value), reduce=op)
        case _:
            return inner


def _bits(e: Expr) -> Expr:
    """The bits of a value in f32, rounded to f16; those that it was made of, where there are."""
    match e:
        case Cast(dtype, arg) if dtype is F32 and arg.dtype is HALF:
            return arg
        case _:
            return Cast(HALF, e, origin=e.origin)
