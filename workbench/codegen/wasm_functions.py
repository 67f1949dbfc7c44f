"""Functions that WebAssembly has no instruction for, as LLVM IR; no library is linked.

Those of f32 are computed in f64, with polynomials that leave an error of about 0.01 units in the
last place of an f32 before it is rounded, and are exact where C's functions are; those of f64 are
in `wasm_doubles.py`. `FUNCTIONS` maps `OP.DTYPE` to the text; a text may call others.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from fractions import Fraction

from workbench.codegen.wasm_doubles import DOUBLES
from workbench.codegen.wasm_values import double


def _polynomial(result: str, x: str, coefficients: Iterable[float]) -> str:
    """Lines that compute a polynomial of `x`; the coefficient of the highest power comes first."""
    first, *others = coefficients
    lines: list[str] = []
    value = double(first)
    for n, c in enumerate(others):
        name = f"%{result}" if n == len(others) - 1 else f"%{result}.{n}"
        lines.append(f"  %{result}.times.{n} = fmul double {value}, {x}")
        lines.append(f"  {name} = fadd double %{result}.times.{n}, {double(c)}")
        value = name
    return "\n".join(lines)


_PI_BITS = int(Fraction(2) ** 254 * Fraction("0.6366197723675813430755350534900574481378385829618"
    "257949906693762355871905369614036204547563945512646197338907"))  # fmt: skip
"""2 / pi times 2^254, of which the first 192 bits are used."""
_TWO_OVER_PI = [(_PI_BITS >> shift) & (2**64 - 1) for shift in (192, 128, 64)]
_QUARTER = math.pi / 2

_TEXTS = {
    "exp2.part": f"""\
; 2 to the power t, within 2e-10; t is cut to what leaves the range of f32
define internal double @exp2.part(double %t) alwaysinline {{
  %below = call double @llvm.minimum.f64(double %t, double 300.0)
  %inside = call double @llvm.maximum.f64(double %below, double -300.0)
  %whole = call double @llvm.roundeven.f64(double %inside)
  %rest = fsub double %inside, %whole
  %r = fmul double %rest, {double(math.log(2))}
{_polynomial("p", "%r", [1 / math.factorial(n) for n in range(8, -1, -1)])}
  %n = call i64 @llvm.fptosi.sat.i64.f64(double %whole)
  %biased = add i64 %n, 1023
  %bits = shl i64 %biased, 52
  %power = bitcast i64 %bits to double
  %result = fmul double %p, %power
  ret double %result
}}""",
    "log2.part": f"""\
; the logarithm to base 2, within 5e-11 of its size; -inf at 0, nan below
define internal double @log2.part(double %x) alwaysinline {{
  %bits = bitcast double %x to i64
  %above = sub i64 %bits, {struct.unpack("<q", struct.pack("<d", math.sqrt(0.5)))[0]}
  %n = ashr i64 %above, 52
  %scale = shl i64 %n, 52
  %mantissa = sub i64 %bits, %scale
  %m = bitcast i64 %mantissa to double
  %less = fsub double %m, 1.0
  %more = fadd double %m, 1.0
  %s = fdiv double %less, %more
  %square = fmul double %s, %s
{_polynomial("p", "%square", [2 / math.log(2) / n for n in (11, 9, 7, 5, 3, 1)])}
  %part = fmul double %s, %p
  %whole = sitofp i64 %n to double
  %sum = fadd double %whole, %part
  %zero = fcmp oeq double %x, 0.0
  %at.zero = select i1 %zero, double {double(-math.inf)}, double %sum
  %large = fcmp oeq double %x, {double(math.inf)}
  %at.inf = select i1 %large, double %x, double %at.zero
  %number = fcmp oge double %x, 0.0
  %result = select i1 %number, double %at.inf, double {double(math.nan)}
  ret double %result
}}""",
    "exp.f32": f"""\
define internal float @exp.f32(float %a) alwaysinline {{
  %x = fpext float %a to double
  %t = fmul double %x, {double(1 / math.log(2))}
  %power = call double @exp2.part(double %t)
  %result = fptrunc double %power to float
  ret float %result
}}""",
    "exp2.f32": """\
define internal float @exp2.f32(float %a) alwaysinline {
  %x = fpext float %a to double
  %power = call double @exp2.part(double %x)
  %result = fptrunc double %power to float
  ret float %result
}""",
    "log.f32": f"""\
define internal float @log.f32(float %a) alwaysinline {{
  %x = fpext float %a to double
  %log2 = call double @log2.part(double %x)
  %log = fmul double %log2, {double(math.log(2))}
  %result = fptrunc double %log to float
  ret float %result
}}""",
    "log2.f32": """\
define internal float @log2.f32(float %a) alwaysinline {
  %x = fpext float %a to double
  %log = call double @log2.part(double %x)
  %result = fptrunc double %log to float
  ret float %result
}""",
    "pow.f32": f"""\
; as in C: 1 where a is 1 or b is 0, a sign for odd b, nan for other b below 0
define internal float @pow.f32(float %a, float %b) alwaysinline {{
  %x = fpext float %a to double
  %y = fpext float %b to double
  %size = call double @llvm.fabs.f64(double %x)
  %log = call double @log2.part(double %size)
  %t = fmul double %log, %y
  %power = call double @exp2.part(double %t)
  %unit = fcmp oeq double %size, 1.0
  %number = fcmp ord double %y, 0.0
  %unit.number = and i1 %unit, %number
  %at.unit = select i1 %unit.number, double 1.0, double %power
  %floor = call double @llvm.floor.f64(double %y)
  %whole = fcmp oeq double %floor, %y
  %half = fmul double %y, 0.5
  %half.floor = call double @llvm.floor.f64(double %half)
  %broken = fcmp one double %half.floor, %half
  %odd = and i1 %whole, %broken
  %opposite = fneg double %at.unit
  %signed = call double @llvm.copysign.f64(double %at.unit, double %x)
  %with.sign = select i1 %odd, double %signed, double %at.unit
  %below = fcmp olt double %x, 0.0
  %finite = fcmp one double %size, {double(math.inf)}
  %not.whole = xor i1 %whole, true
  %no.root = and i1 %below, %not.whole
  %outside = and i1 %no.root, %finite
  %known = select i1 %outside, double {double(math.nan)}, double %with.sign
  %nothing = fcmp oeq double %y, 0.0
  %one = fcmp oeq double %x, 1.0
  %always = or i1 %nothing, %one
  %value = select i1 %always, double 1.0, double %known
  %result = fptrunc double %value to float
  ret float %result
}}""",
    "tanh.f32": f"""\
; near 0 its series, else 1 - 2 / (e^2x + 1)
define internal float @tanh.f32(float %a) alwaysinline {{
  %x = fpext float %a to double
  %square = fmul double %x, %x
{_polynomial("p", "%square", [-1382 / 155925, 62 / 2835, -17 / 315, 2 / 15, -1 / 3, 1.0])}
  %near = fmul double %p, %x
  %size = call double @llvm.fabs.f64(double %x)
  %t = fmul double %size, {double(2 / math.log(2))}
  %power = call double @exp2.part(double %t)
  %more = fadd double %power, 1.0
  %part = fdiv double 2.0, %more
  %far = fsub double 1.0, %part
  %signed = call double @llvm.copysign.f64(double %far, double %x)
  %small = fcmp olt double %size, 0.25
  %value = select i1 %small, double %near, double %signed
  %result = fptrunc double %value to float
  ret float %result
}}""",
    "sine.part": f"""\
; the sine of x and some quarter turns. The first part of pi / 2 is short: products are exact
define internal float @sine.part(float %a, i64 %quarters) noinline {{
entry:
  %x = fpext float %a to double
  %size = call double @llvm.fabs.f64(double %x)
  %large = fcmp ogt double %size, {double(2.0**28)}
  br i1 %large, label %far, label %near
near:
  %turns = fmul double %x, {double(1 / _QUARTER)}
  %whole = call double @llvm.roundeven.f64(double %turns)
  %first = fmul double %whole, 0x3FF921FB50000000
  %second = fmul double %whole, 0x3E5110B4611A6263
  %less = fsub double %x, %first
  %near.rest = fsub double %less, %second
  %near.turns = call i64 @llvm.fptosi.sat.i64.f64(double %whole)
  br label %wave
far:
  %far.turns.rest = call {{ i64, double }} @quarter.turns(float %a)
  %far.turns = extractvalue {{ i64, double }} %far.turns.rest, 0
  %far.rest = extractvalue {{ i64, double }} %far.turns.rest, 1
  br label %wave
wave:
  %n = phi i64 [ %near.turns, %near ], [ %far.turns, %far ]
  %r = phi double [ %near.rest, %near ], [ %far.rest, %far ]
  %square = fmul double %r, %r
{_polynomial("s", "%square", [(-1) ** n / math.factorial(2 * n + 1) for n in range(5, -1, -1)])}
  %sine = fmul double %s, %r
{_polynomial("cosine", "%square", [(-1) ** n / math.factorial(2 * n) for n in range(5, -1, -1)])}
  %quarter = add i64 %n, %quarters
  %one = and i64 %quarter, 1
  %odd = icmp ne i64 %one, 0
  %wave.size = select i1 %odd, double %cosine, double %sine
  %two = and i64 %quarter, 2
  %down = icmp ne i64 %two, 0
  %opposite = fneg double %wave.size
  %value = select i1 %down, double %opposite, double %wave.size
  %result = fptrunc double %value to float
  ret float %result
}}""",
    "quarter.turns": f"""\
; how many quarter turns a large angle is, modulo 4, and the rest: by 96 bits of 2 / pi
define internal {{ i64, double }} @quarter.turns(float %a) noinline {{
  %bits = bitcast float %a to i32
  %wide = zext i32 %bits to i64
  %fraction = and i64 %wide, 8388607
  %m = or i64 %fraction, 8388608
  %up = lshr i64 %wide, 23
  %exponent = and i64 %up, 255
  %shift = sub i64 %exponent, 150
  %late = icmp uge i64 %shift, 64
  %high = select i1 %late, i64 {_TWO_OVER_PI[1]}, i64 {_TWO_OVER_PI[0]}
  %middle = select i1 %late, i64 {_TWO_OVER_PI[2]}, i64 {_TWO_OVER_PI[1]}
  %low = select i1 %late, i64 0, i64 {_TWO_OVER_PI[2]}
  %by = and i64 %shift, 63
  %back = sub i64 63, %by
  %high.up = shl i64 %high, %by
  %middle.half = lshr i64 %middle, 1
  %middle.down = lshr i64 %middle.half, %back
  %window = or i64 %high.up, %middle.down
  %middle.up = shl i64 %middle, %by
  %low.half = lshr i64 %low, 1
  %low.down = lshr i64 %low.half, %back
  %next = or i64 %middle.up, %low.down
  %next.top = lshr i64 %next, 32
  %whole = mul i64 %m, %window
  %parts = mul i64 %m, %next.top
  %part = lshr i64 %parts, 32
  %phase = add i64 %whole, %part
  %nearest = add i64 %phase, {2**61}
  %turns = lshr i64 %nearest, 62
  %turned = shl i64 %turns, 62
  %rest = sub i64 %phase, %turned
  %angle = sitofp i64 %rest to double
  %r = fmul double %angle, {double(_QUARTER / 2.0**62)}
  %negative = icmp slt i32 %bits, 0
  %minus.turns = sub i64 0, %turns
  %n = select i1 %negative, i64 %minus.turns, i64 %turns
  %minus.r = fneg double %r
  %signed = select i1 %negative, double %minus.r, double %r
  %gap = fsub float %a, %a
  %nan = fpext float %gap to double
  %checked = fadd double %signed, %nan
  %first = insertvalue {{ i64, double }} poison, i64 %n, 0
  %both = insertvalue {{ i64, double }} %first, double %checked, 1
  ret {{ i64, double }} %both
}}""",
    "sin.f32": """\
define internal float @sin.f32(float %a) alwaysinline {
  %result = call float @sine.part(float %a, i64 0)
  ret float %result
}""",
    "cos.f32": """\
define internal float @cos.f32(float %a) alwaysinline {
  %result = call float @sine.part(float %a, i64 1)
  ret float %result
}""",
    "remainder.f32": f"""\
; a - b * trunc(a / b), exact: quotients below 2^28 times an f32 fit an f64
define internal float @remainder.f32(float %a, float %b) noinline {{
entry:
  %x.signed = fpext float %a to double
  %y.signed = fpext float %b to double
  %x = call double @llvm.fabs.f64(double %x.signed)
  %y = call double @llvm.fabs.f64(double %y.signed)
  %reach = fmul double %y, {double(2.0**28)}
  %near = fcmp olt double %x, %reach
  br i1 %near, label %last, label %far
far:
  %folded = call double @remainder.part(double %x, double %y)
  br label %last
last:
  %size = phi double [ %x, %entry ], [ %folded, %far ]
  %rest = call double @remainder.step(double %size, double %y)
  %endless = fcmp oeq double %y, {double(math.inf)}
  %number = fcmp one double %x, {double(math.inf)}
  %whole = and i1 %endless, %number
  %value = select i1 %whole, double %x, double %rest
  %signed = call double @llvm.copysign.f64(double %value, double %x.signed)
  %result = fptrunc double %signed to float
  ret float %result
}}""",
    "remainder.step": """\
; x modulo y; x / y is below 2^28, and may have been rounded up to a whole number
define internal double @remainder.step(double %x, double %y) alwaysinline {
  %quotient = fdiv double %x, %y
  %whole = call double @llvm.trunc.f64(double %quotient)
  %product = fmul double %whole, %y
  %rest = fsub double %x, %product
  %below = fcmp olt double %rest, 0.0
  %again = fadd double %rest, %y
  %result = select i1 %below, double %again, double %rest
  ret double %result
}""",
    "remainder.part": f"""\
; what is left of x below 2^28 y, modulo y: 28 bits of the quotient at a time
define internal double @remainder.part(double %x, double %y) noinline {{
entry:
  br label %step
step:
  %scale = phi double [ {double(2.0**252)}, %entry ], [ %smaller, %step ]
  %size = phi double [ %x, %entry ], [ %rest, %step ]
  %multiple = fmul double %y, %scale
  %rest = call double @remainder.step(double %size, double %multiple)
  %smaller = fmul double %scale, {double(2.0**-28)}
  %more = fcmp oge double %smaller, {double(2.0**28)}
  br i1 %more, label %step, label %done
done:
  ret double %rest
}}""",
}

FUNCTIONS: dict[str, str] = _TEXTS | DOUBLES
"""Each function's text, by its name."""
