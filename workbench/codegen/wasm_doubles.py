"""Functions of f64 that WebAssembly has no instruction for, as LLVM IR; no library is linked.

`DOUBLES` maps `OP.f64` to the text of a function. Logarithms are sums of two numbers, the first
of which is short, so that its products are exact: what is lost of `y * log2(x)` does not count
after the power of two. The method is that of `e_pow.c` in Sun's fdlibm; angles are reduced as
M. Payne and R. Hanek do ("Radian reduction for trigonometric functions", 1983).
"""

from __future__ import annotations

import itertools
import math
import struct
from dataclasses import dataclass
from fractions import Fraction

from workbench.codegen.wasm_values import Function, Value, constant, either

_LN2 = Fraction("0.693147180559945309417232121458176568075500134360255254120680009493393621969")
_NAN, _INF = math.nan, math.inf


def _pi(bits: int) -> int:
    """The number pi times 2^bits, rounded down: J. Machin's sum of two angles of tangents."""
    one = 1 << (bits + 32)

    def angle(inverse: int) -> int:
        total, power, n = 0, one // inverse, 1
        while power:
            total += power // n if n % 4 == 1 else -(power // n)
            power, n = power // inverse**2, n + 2
        return total

    return (16 * angle(5) - 4 * angle(239)) >> 32


_FRACTION = 1216
_TWO_OVER_PI = (1 << (2 * _FRACTION + 65)) // _pi(_FRACTION + 64)
"""2 / pi times 2^1216, rounded down."""
_WORDS = [(_TWO_OVER_PI >> (_FRACTION - 64 * n)) & (2**64 - 1) for n in range(20)]
"""The bits of 2 / pi, 64 in a word; the first has those before its point, which are zeros."""
_QUARTER = Fraction(_pi(256), 2**257)


def _short(value: Fraction, bits: int) -> float:
    """The first bits of a number."""
    scale = Fraction(2) ** (bits - math.frexp(float(value))[1])
    return float(Fraction(math.floor(value * scale)) / scale)


def _split(value: Fraction, *bits: int) -> list[float]:
    """A number as a sum: parts of so many bits each, and the nearest to what is left."""
    parts: list[float] = []
    for count in bits:
        parts.append(_short(value, count))
        value -= Fraction(parts[-1])
    return [*parts, float(value)]


def _polynomial(x: Value, terms: list[float]) -> Value:
    """The polynomial whose constant term comes first."""
    *lower, second, first = terms
    value = x * first + second
    for term in reversed(lower):
        value = value * x + term
    return value


@dataclass(frozen=True, slots=True)
class _Two:
    """A sum of two numbers, the first of 26 bits."""

    high: Value
    low: Value


def _high(x: Value) -> Value:
    return (x.bits() & -(2**27)).number()


def _logarithm(x: Value) -> _Two:
    """The logarithm to base 2 of a positive number, within 2^-63 of its size."""
    tiny = x.below(2.0**-1022)
    bits = either(tiny, x * 2.0**54, x).bits()
    root = struct.unpack("<q", struct.pack("<d", math.sqrt(0.5)))[0]
    n = (bits - root).shifted_right(52)
    m = (bits - (n << 52)).number()
    whole = n.double() - either(tiny, constant(x, 54.0), constant(x, 0.0))

    less, more = m - 1.0, m + 1.0
    s = less / more
    s_high, less_high = _high(s), _high(less)
    rest = less - s_high * 2.0 - s_high * less_high - s_high * (less - less_high)
    s_low = rest / more
    square = s * s
    series = _polynomial(square, [3 / (2 * n + 5) for n in range(12)])
    series = series * square * square + (s_high + s) * s_low
    near_three = _high(s_high * s_high + series + 3.0)
    series = (s_high * s_high - (near_three - 3.0)) + series
    product = s_high * near_three
    product_low = s_low * near_three + s * series
    part = _high(product + product_low)
    part_low = (product - part) + product_low
    scale, scale_low = _split(Fraction(2, 3) / _LN2, 26)
    log = part * scale
    log_low = part_low * scale + (part + part_low) * scale_low
    high = _high(whole + log + log_low)
    return _Two(high, ((whole - high) + log) + log_low)


def _where_logarithms_are(x: Value, log: Value) -> Value:
    """-inf at 0, inf at inf, and NaN below 0 and of NaN."""
    log = either(x.equal(0.0), constant(x, -_INF), log)
    log = either(x.equal(_INF), x, log)
    return either(x.at_least(0.0), log, constant(x, _NAN))


def _log2(x: Value) -> Value:
    log = _logarithm(x)
    return _where_logarithms_are(x, log.high + log.low)


def _log(x: Value) -> Value:
    log = _logarithm(x)
    high, low = _split(_LN2, 26)
    return _where_logarithms_are(x, log.high * high + (log.high * low + log.low * float(_LN2)))


def _power(whole: Value, rest: Value) -> Value:
    """E to the power rest, which is 0.35 at most, times 2 to the power whole; in two factors."""
    sum_ = _polynomial(rest, [1 / math.factorial(n) for n in range(2, 15)])
    sum_ = sum_ * rest * rest + rest + 1.0
    n = whole.integer()
    half = n.shifted_right(1)
    return sum_ * ((half + 1023) << 52).number() * ((n - half + 1023) << 52).number()


def _exp(x: Value) -> Value:
    inside = x.least(720.0).greatest(-750.0)
    whole = (inside * float(1 / _LN2)).rounded()
    high, low = _split(_LN2, 32)
    return _power(whole, (inside - whole * high) - whole * low)


def _exp2(x: Value) -> Value:
    inside = x.least(1030.0).greatest(-1080.0)
    whole = inside.rounded()
    return _power(whole, (inside - whole) * float(_LN2))


def _pow(x: Value, y: Value) -> Value:
    """As in C: 1 where x is 1 or y is 0, a sign for odd y, NaN for other y and x below 0."""
    size = x.size()
    log, inside = _logarithm(size), y.least(1e25).greatest(-1e25)
    y_high = _high(inside)
    power = (y_high * log.high).least(1100.0).greatest(-1100.0)
    rest = (inside - y_high) * log.high + inside * log.low
    rest = rest.least(1.0).greatest(-1.0)
    whole = (power + rest).rounded()
    value = _power(whole, ((power - whole) + rest) * float(_LN2))

    zero, endless = constant(x, 0.0), constant(x, _INF)
    edge = size.equal(0.0) | size.equal(_INF)
    value = either(edge, either(size.equal(0.0) ^ y.below(0.0), zero, endless), value)
    value = either(size.equal(1.0), constant(x, 1.0), value)
    is_whole = y.floor().equal(y)
    half = y * 0.5
    odd = is_whole & half.floor().unequal(half)
    value = either(odd, value.signed_like(x), value)
    lost = x.below(0.0) & ~is_whole & size.unequal(_INF)
    value = either(lost | x.is_nan() | y.is_nan(), constant(x, _NAN), value)
    return either(y.equal(0.0) | x.equal(1.0), constant(x, 1.0), value)


def _tanh(x: Value) -> Value:
    """By e to the power 2 x, less 1: (e - 1) / (e + 1)."""
    twice = (x.size() * 2.0).least(60.0)
    near = _polynomial(twice, [1 / math.factorial(n) for n in range(1, 17)]) * twice
    more = either(twice.below(0.5), near, _exp(twice) - 1.0)
    return (more / (more + 2.0)).signed_like(x)


def _sine(x: Value, quarters: Value) -> Value:
    """The sine of x and some quarter turns."""
    function = x.function
    far = x.size().at_least(2.0**20)
    function.branch(far, "far", "near")
    function.label("near")
    whole = (x * float(1 / _QUARTER)).rounded()
    first, second, third = _split(_QUARTER, 33, 33)
    near = ((x - whole * first) - whole * second) - whole * third
    near_turns = whole.integer()
    function.jump("wave")
    function.label("far")
    far_turns, far_rest = _quarter_turns(x)
    function.jump("wave")
    function.label("wave")
    turns = function.joined(near_turns, "near", far_turns, "far")
    rest = function.joined(near, "near", far_rest, "far")
    turns = turns + quarters

    square = rest * rest
    sine = _polynomial(square, [(-1) ** n / math.factorial(2 * n + 1) for n in range(1, 9)])
    sine = sine * square * rest + rest
    cosine = _polynomial(square, [(-1) ** n / math.factorial(2 * n) for n in range(2, 10)])
    cosine = cosine * square * square + (1.0 - square * 0.5)
    wave = either((turns & 1).different(0), cosine, sine)
    return either((turns & 2).different(0), -wave, wave)


def _quarter_turns(x: Value) -> tuple[Value, Value]:
    """How many quarter turns an angle of 2^20 or more is, modulo 4, and the rest.

    x is m * 2^e. Of 2 / pi only the bits count that are less than 4 after the product with 2^e,
    and 192 of them are enough: m is below 2^53, and 76 bits are left of the nearest to a turn.
    """
    bits = x.bits()
    start = (bits.shifted_right(52) & 2047) - (1075 - 62)
    words = [_chosen(start.shifted_right(6), _WORDS[n : n + 17]) for n in range(4)]
    by = start & 63
    window = [(high << by) | low.down(1).down(63 - by) for high, low in itertools.pairwise(words)]
    m = (bits & (2**52 - 1)) | 2**52
    limbs = [limb for word in reversed(window) for limb in (word & (2**32 - 1), word.down(32))]
    product = _product(m & (2**32 - 1), m.down(32), limbs)
    phase = (product[5] << 32) | product[4]
    rest_low = ((product[3] << 32) | product[2]).unsigned_double() * 2.0**-126
    turns = (phase + 2**61).down(62)
    rest = (phase - (turns << 62)).double() * 2.0**-62 + rest_low
    angle = rest * float(_QUARTER) + (x - x)
    negative = x.below(0.0)
    return either(negative, 0 - turns, turns), either(negative, -angle, angle)


def _chosen(number: Value, words: list[int]) -> Value:
    """The word of that number: a module has no memory for constants."""
    value = constant(number, words[0])
    for n, word in enumerate(words[1:], 1):
        value = either(number.same(n), constant(number, word), value)
    return value


def _product(low: Value, high: Value, limbs: list[Value]) -> list[Value]:
    """The product of a number of two limbs of 32 bits with one of several, to as many."""
    mask = 2**32 - 1
    found: list[Value] = []
    carry = constant(low, 0)
    for n, limb in enumerate(limbs):
        column = carry + ((low * limb) & mask)
        if n >= 1:
            column = column + (low * limbs[n - 1]).down(32) + ((high * limbs[n - 1]) & mask)
        if n >= 2:
            column = column + (high * limbs[n - 2]).down(32)
        found.append(column & mask)
        carry = column.down(32)
    return found


_REMAINDER = f"""\
; the remainder of mantissas: eleven bits of the quotient at a time
define internal double @remainder.f64(double %a, double %b) noinline {{
entry:
  %a.bits = bitcast double %a to i64
  %b.bits = bitcast double %b to i64
  %x = and i64 %a.bits, {2**63 - 1}
  %y = and i64 %b.bits, {2**63 - 1}
  %endless = icmp uge i64 %x, {2047 << 52}
  %no.number = icmp ugt i64 %y, {2047 << 52}
  %nothing = icmp eq i64 %y, 0
  %either = or i1 %endless, %no.number
  %lost = or i1 %either, %nothing
  br i1 %lost, label %nan, label %order
nan:
  ret double 0x7FF8000000000000
order:
  %small = icmp ult i64 %x, %y
  br i1 %small, label %same, label %parts
same:
  ret double %a
parts:
  %x.power.stored = lshr i64 %x, 52
  %y.power.stored = lshr i64 %y, 52
  %x.power = call i64 @llvm.umax.i64(i64 %x.power.stored, i64 1)
  %y.power = call i64 @llvm.umax.i64(i64 %y.power.stored, i64 1)
  %x.less = sub i64 %x.power, 1
  %y.less = sub i64 %y.power, 1
  %x.base = shl i64 %x.less, 52
  %y.base = shl i64 %y.less, 52
  %m = sub i64 %x, %x.base
  %n = sub i64 %y, %y.base
  %first = urem i64 %m, %n
  %apart = sub i64 %x.power, %y.power
  br label %step
step:
  %rest = phi i64 [ %first, %parts ], [ %next, %more ]
  %left = phi i64 [ %apart, %parts ], [ %left.next, %more ]
  %done = icmp eq i64 %left, 0
  br i1 %done, label %result, label %more
more:
  %by = call i64 @llvm.umin.i64(i64 %left, i64 11)
  %shifted = shl i64 %rest, %by
  %next = urem i64 %shifted, %n
  %left.next = sub i64 %left, %by
  br label %step
result:
  %number = uitofp i64 %rest to double
  %exponent = sub i64 %y.power, 1075
  %half = ashr i64 %exponent, 1
  %other = sub i64 %exponent, %half
  %half.biased = add i64 %half, 1023
  %other.biased = add i64 %other, 1023
  %half.bits = shl i64 %half.biased, 52
  %other.bits = shl i64 %other.biased, 52
  %half.scale = bitcast i64 %half.bits to double
  %other.scale = bitcast i64 %other.bits to double
  %scaled = fmul double %number, %half.scale
  %size = fmul double %scaled, %other.scale
  %signed = call double @llvm.copysign.f64(double %size, double %a)
  ret double %signed
}}"""


def _texts() -> dict[str, str]:
    found = {
        f"{name}.f64": Function(f"{name}.f64", ("double",) * arity).text(meaning)
        for name, arity, meaning in (
            ("exp", 1, _exp), ("exp2", 1, _exp2), ("log", 1, _log), ("log2", 1, _log2),
            ("tanh", 1, _tanh), ("pow", 2, _pow),
        )
    }  # fmt: skip
    found["sine.part.f64"] = Function("sine.part.f64", ("double", "i64")).text(_sine)
    for name, quarters in (("sin", 0), ("cos", 1)):
        found[f"{name}.f64"] = f"""\
define internal double @{name}.f64(double %a) alwaysinline {{
  %result = call double @sine.part.f64(double %a, i64 {quarters})
  ret double %result
}}"""
    return found | {"remainder.f64": _REMAINDER}


DOUBLES: dict[str, str] = _texts()
"""Each function's text, by its name."""
