"""Functions in simpler operations, for the targets that have none of their own.

Each takes expressions of one float dtype and gives the expression that computes it. Series have
the terms that the dtype needs; both branches of a choice are harmless wherever it is made.
"""

from __future__ import annotations

from math import log, pi, sqrt

from workbench.ir.expr import Const, Expr, Select, apply

_TERMS = {16: 3, 32: 6, 64: 11}
"""Terms of a series in powers of a square below 1/16, by the bits of the dtype."""


def _c(x: Expr, value: float) -> Const:
    return Const(value, x.dtype)


def _add(a: Expr, b: Expr) -> Expr:
    return apply("add", a, b)


def _sub(a: Expr, b: Expr) -> Expr:
    return apply("sub", a, b)


def _mul(a: Expr, b: Expr) -> Expr:
    return apply("mul", a, b)


def _div(a: Expr, b: Expr) -> Expr:
    return apply("div", a, b)


def _less(a: Expr, b: Expr) -> Expr:
    return apply("lt", a, b)


def _signed(like: Expr, size: Expr) -> Expr:
    """`size` with the sign of `like`; where that is zero, zero."""
    negated = Select(_less(like, _c(like, 0.0)), apply("neg", size), size)
    return Select(apply("eq", like, _c(like, 0.0)), like, negated)


def _negative(x: Expr) -> Expr:
    """Whether the sign of x is minus, of a zero as well."""
    zero = _c(x, 0.0)
    below = _less(_div(_c(x, 1.0), x), zero)
    return apply("or", _less(x, zero), apply("and", apply("eq", x, zero), below))


def _polynomial(x: Expr, terms: list[float]) -> Expr:
    """The polynomial in x whose constant term comes first (Horner)."""
    *lower, last = terms
    value: Expr = _c(x, last)
    for term in reversed(lower):
        value = _add(_mul(value, x), _c(x, term))
    return value


def sign(x: Expr) -> Expr:
    """-1, 0 or 1; a NaN stays."""
    zero, one = Const(0, x.dtype), Const(1, x.dtype)
    if x.dtype.kind == "f":
        zero, one = _c(x, 0.0), _c(x, 1.0)
    if x.dtype.kind == "u":
        return Select(_less(zero, x), one, zero)
    return Select(_less(zero, x), one, Select(_less(x, zero), apply("neg", one), x))


def square(x: Expr) -> Expr:
    """`x * x`."""
    return _mul(x, x)


def reciprocal(x: Expr) -> Expr:
    """`1 / x`."""
    return _div(_c(x, 1.0), x)


def degrees(x: Expr) -> Expr:
    """An angle in degrees."""
    return _mul(x, _c(x, 180 / pi))


def radians(x: Expr) -> Expr:
    """An angle in radians."""
    return _mul(x, _c(x, pi / 180))


def log10(x: Expr) -> Expr:
    """The logarithm to base 10."""
    return _mul(apply("log", x), _c(x, 1 / log(10)))


def log1p(x: Expr) -> Expr:
    """`log(1 + x)`, exact for small x too: twice the area tangent of `x / (2 + x)`."""
    s = _div(x, _add(_c(x, 2.0), x))
    series = _polynomial(_mul(s, s), [2 / (2 * n + 1) for n in range(_TERMS[x.dtype.bits])])
    small = _less(apply("abs", x), _c(x, 0.25))
    direct = apply("log", _add(_c(x, 1.0), x))
    return Select(small, _mul(series, s), direct)


def expm1(x: Expr) -> Expr:
    """`exp(x) - 1`, exact for small x too."""
    terms, factorial = [1.0], 1.0
    for n in range(2, 2 * _TERMS[x.dtype.bits] - 2):
        factorial *= n
        terms.append(1 / factorial)
    small = _less(apply("abs", x), _c(x, 0.5))
    direct = _sub(apply("exp", x), _c(x, 1.0))
    return Select(small, _mul(_polynomial(x, terms), x), direct)


def sinh(x: Expr) -> Expr:
    """Hyperbolic sine; large ones by the exponential of half, which does not overflow early."""
    square_, terms, factorial = _mul(x, x), [1.0], 1.0
    for n in range(3, 2 * _TERMS[x.dtype.bits], 2):
        factorial *= n * (n - 1)
        terms.append(1 / factorial)
    half = apply("exp", _mul(apply("abs", x), _c(x, 0.5)))
    rest = _div(_div(_c(x, 0.5), half), half)
    large = _signed(x, _sub(_mul(_mul(half, _c(x, 0.5)), half), rest))
    return Select(_less(apply("abs", x), _c(x, 1.0)), _mul(_polynomial(square_, terms), x), large)


def cosh(x: Expr) -> Expr:
    """Hyperbolic cosine."""
    half = apply("exp", _mul(apply("abs", x), _c(x, 0.5)))
    return _add(_mul(_mul(half, _c(x, 0.5)), half), _div(_div(_c(x, 0.5), half), half))


def arcsinh(x: Expr) -> Expr:
    """Area hyperbolic sine, by log1p; of large numbers their square is not taken."""
    size = apply("abs", x)
    square_ = _mul(size, size)
    root = apply("sqrt", _add(square_, _c(x, 1.0)))
    near = apply("log1p", _add(size, _div(square_, _add(root, _c(x, 1.0)))))
    far = _add(apply("log", size), _c(x, log(2)))
    return _signed(x, Select(_less(size, _c(x, _FAR[x.dtype.bits])), near, far))


def arccosh(x: Expr) -> Expr:
    """Area hyperbolic cosine, by log1p of what x is above 1."""
    above = _sub(x, _c(x, 1.0))
    root = apply("sqrt", _mul(above, _add(x, _c(x, 1.0))))
    far = _add(apply("log", x), _c(x, log(2)))
    return Select(_less(x, _c(x, _FAR[x.dtype.bits])), apply("log1p", _add(above, root)), far)


_FAR = {16: 100.0, 32: 1e8, 64: 1e16}
"""From here on `x * x + 1` is `x * x`, and `2 * x` is in place of `x + sqrt(x * x + 1)`."""


def arctanh(x: Expr) -> Expr:
    """Area hyperbolic tangent."""
    size = apply("abs", x)
    ratio = _div(_mul(_c(x, 2.0), size), _sub(_c(x, 1.0), size))
    return _signed(x, _mul(_c(x, 0.5), apply("log1p", ratio)))


def arctan(x: Expr) -> Expr:
    """The angle, from that of a tangent below pi / 8, halved twice, by its series."""
    size, one = apply("abs", x), _c(x, 1.0)
    steep, middle = _less(_c(x, 2.414213562373095), size), _less(_c(x, 0.41421356237309503), size)
    turned = Select(steep, _div(_c(x, -1.0), size), _div(_sub(size, one), _add(size, one)))
    tangent = Select(middle, turned, size)
    for _ in range(2):
        tangent = _div(tangent, _add(one, apply("sqrt", _add(one, _mul(tangent, tangent)))))
    terms = [(-1) ** n * 4 / (2 * n + 1) for n in range(_TERMS[x.dtype.bits] - 1)]
    angle = _mul(_polynomial(_mul(tangent, tangent), terms), tangent)
    base = Select(steep, _c(x, pi / 2), Select(middle, _c(x, pi / 4), _c(x, 0.0)))
    return _signed(x, _add(base, angle))


def arctan2(y: Expr, x: Expr) -> Expr:
    """The angle of the point (x, y), -pi to pi; zeros and infinities by their signs."""
    zero, up, across = _c(x, 0.0), apply("abs", y), apply("abs", x)
    flat = apply("ge", across, up)
    ratio = _div(Select(flat, up, across), Select(flat, across, up))
    origin = apply("eq", _add(up, across), zero)
    even = Select(apply("eq", up, across), _c(x, 1.0), ratio)
    angle = apply("arctan", Select(origin, zero, even))
    angle = Select(flat, angle, _sub(_c(x, pi / 2), angle))
    angle = Select(_negative(x), _sub(_c(x, pi), angle), angle)
    return Select(_negative(y), apply("neg", angle), angle)


def arcsin(x: Expr) -> Expr:
    """The angle of a sine: that of the point on the circle."""
    one = _c(x, 1.0)
    root = apply("sqrt", _mul(_sub(one, x), _add(one, x)))
    return _signed(x, apply("arctan2", apply("abs", x), root))


def arccos(x: Expr) -> Expr:
    """The angle of a cosine: twice that of half the angle, which is exact near 1."""
    one = _c(x, 1.0)
    up, across = apply("sqrt", _sub(one, x)), apply("sqrt", _add(one, x))
    return _mul(_c(x, 2.0), apply("arctan2", up, across))


def hypot(x: Expr, y: Expr) -> Expr:
    """The length of (x, y), without the overflow of its square."""
    a, b = apply("abs", x), apply("abs", y)
    large, small = apply("max", a, b), apply("min", a, b)
    ratio = _div(small, large)
    length = _mul(large, apply("sqrt", _add(_c(x, 1.0), _mul(ratio, ratio))))
    endless = _c(x, float("inf"))
    infinite = apply("or", apply("eq", a, endless), apply("eq", b, endless))
    return Select(infinite, endless, Select(apply("eq", small, _c(x, 0.0)), large, length))


def cbrt(x: Expr) -> Expr:
    """The cube root: a power, and one step of Newton's for its last digits."""
    size = apply("abs", x)
    first = apply("exp2", _mul(apply("log2", size), _c(x, 1 / 3)))
    step = _div(_sub(first, _div(_div(size, first), first)), _c(x, 3.0))
    finite = _less(size, _c(x, float("inf")))
    return _signed(x, Select(finite, _sub(first, step), size))


def logaddexp(a: Expr, b: Expr) -> Expr:
    """`log(exp(a) + exp(b))`, without the overflow of the exponentials."""
    large, small = apply("max", a, b), apply("min", a, b)
    rest = apply("log1p", apply("exp", _sub(small, large)))
    return Select(apply("eq", a, b), _add(a, _c(a, log(2))), _add(large, rest))


def erf(x: Expr) -> Expr:
    """The error function: of f64 by its series and its fraction, of others within 1.5e-7."""
    return _erf_f64(x) if x.dtype.bits == 64 else _erf_short(x)


def _erf_short(x: Expr) -> Expr:
    """Abramowitz and Stegun, formula 7.1.26."""
    size = apply("abs", x)
    t = _div(_c(x, 1.0), _add(_c(x, 1.0), _mul(_c(x, 0.3275911), size)))
    terms = [0.0, 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429]
    tail = _mul(_polynomial(t, terms), apply("exp", apply("neg", _mul(x, x))))
    return _signed(x, _sub(_c(x, 1.0), tail))


def _erf_f64(x: Expr) -> Expr:
    """Up to 3 the series whose terms are all positive; beyond it what is left to 1, a fraction."""
    size = apply("abs", x)
    square_ = _mul(x, x)
    fall = _mul(_c(x, 1 / sqrt(pi)), apply("exp", apply("neg", square_)))
    terms = [2.0]
    for n in range(1, 60):
        terms.append(terms[-1] * 2 / (2 * n + 1))
    near = _mul(_mul(_polynomial(square_, terms), size), fall)
    fraction = size
    for n in range(24, 0, -1):
        fraction = _add(size, _div(_c(x, n / 2), fraction))
    far = _sub(_c(x, 1.0), _div(fall, fraction))
    return _signed(x, Select(_less(size, _c(x, 3.0)), near, far))
