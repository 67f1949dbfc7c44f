"""Operators on each element by itself, most of them a row: what is written for `{0}`, `{1}`.

Operands broadcast. A row says for which kinds of dtypes it holds (f, i, u, b).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import add, mul, sub

from workbench.base.dtypes import BOOL, F32, I64, DType, joined as joined_dtype
from workbench.ops.formula import literal, pointwise
from workbench.ops.named import operator
from workbench.ops.tensor import Bounds, Tensor, UnsupportedError, joined, view

NAN = "is_nan"
"""The name of the formula that tells NaN, which WGSL does not promise to do."""
Arithmetic = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Row:
    """An operator that is one expression.

    `parameters` are its attributes, with their defaults, which the expression names in braces;
    `gives` is its dtype where that is not the operands'. `whole` is what it does to whole numbers,
    monotonous in each operand: bounds follow from the ends of theirs.
    """

    expression: str
    kinds: str = "f"
    parameters: Mapping[str, float] | None = None
    gives: DType | None = None
    whole: Arithmetic | None = None

    def __call__(self, *operands: Tensor, **attributes: float) -> Tensor:
        """The result for operands of one dtype. Raises `UnsupportedError` for another kind."""
        first = operands[0]
        if first.dtype.kind not in self.kinds:
            raise UnsupportedError(f"of {first.dtype}")
        known = dict(self.parameters or {})
        for name, value in attributes.items():
            if name not in known:
                raise UnsupportedError(f"its attribute {name}")
            known[name] = value
        words = {n: literal(v, F32) for n, v in known.items()}
        places = [f"{{{n}}}" for n in range(len(operands))]
        expression = self.expression.format(*places, **words)
        bounds = corners(self.whole, operands) if first.dtype is I64 else None
        dtype = self.gives or first.dtype
        return pointwise("pointwise", expression, *operands, dtype=dtype, bounds=bounds)


def corners(whole: Arithmetic | None, operands: tuple[Tensor, ...]) -> Bounds | None:
    """Bounds of a function of whole numbers that is monotonous in each of them."""
    bounds = [x.bounds for x in operands]
    if whole is None or any(b is None for b in bounds):
        return None
    ends: list[tuple[int, ...]] = [()]
    for b in bounds:
        assert b is not None
        ends = [(*e, n) for e in ends for n in b]
    found = [whole(*e) for e in ends]
    return min(found), max(found)


def _negative(a: int) -> int:
    return -a


def _sign(a: int) -> int:
    return (a > 0) - (a < 0)


def _not_below_0(a: int) -> int:
    return max(a, 0)


_SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}

ROWS: dict[str, Row] = {
    "Add": Row("{0} + {1}", "fiu", whole=add),
    "Sub": Row("{0} - {1}", "fiu", whole=sub),
    "Mul": Row("{0} * {1}", "fiu", whole=mul),
    "And": Row("{0} and {1}", "b"),
    "Or": Row("{0} or {1}", "b"),
    "Xor": Row("{0} != {1}", "b"),
    "Not": Row("not {0}", "b"),
    "Equal": Row("{0} == {1}", "fiub", gives=BOOL),
    "Greater": Row("{0} > {1}", "fiu", gives=BOOL),
    "GreaterOrEqual": Row("{0} >= {1}", "fiu", gives=BOOL),
    "Less": Row("{0} < {1}", "fiu", gives=BOOL),
    "LessOrEqual": Row("{0} <= {1}", "fiu", gives=BOOL),
    "BitwiseAnd": Row("{0} & {1}", "iu"),
    "BitwiseOr": Row("{0} | {1}", "iu"),
    "BitwiseXor": Row("{0} ^ {1}", "iu"),
    "BitwiseNot": Row("~{0}", "iu"),
    "Neg": Row("-{0}", "fi", whole=_negative),
    "Reciprocal": Row("1 / {0}"),
    "Exp": Row("exp({0})"),
    "Log": Row("log({0})"),
    "Sqrt": Row("sqrt({0})"),
    "Sin": Row("sin({0})"),
    "Cos": Row("cos({0})"),
    "Tan": Row("tan({0})"),
    "Asin": Row("arcsin({0})"),
    "Acos": Row("arccos({0})"),
    "Atan": Row("arctan({0})"),
    "Sinh": Row("sinh({0})"),
    "Cosh": Row("cosh({0})"),
    "Tanh": Row("tanh({0})"),
    "Asinh": Row("arcsinh({0})"),
    "Acosh": Row("arccosh({0})"),
    "Atanh": Row("arctanh({0})"),
    "Erf": Row("erf({0})"),
    "Ceil": Row("ceil({0})"),
    "Floor": Row("floor({0})"),
    "Round": Row("round({0})"),
    "Sign": Row("sign({0})", "fiu", whole=_sign),
    "Relu": Row("max({0}, 0)", "fi", whole=_not_below_0),
    "Sigmoid": Row("1 / (1 + exp(-{0}))"),
    "Softplus": Row("max({0}, 0) + log1p(exp(-abs({0})))"),
    "Softsign": Row("{0} / (1 + abs({0}))"),
    "LeakyRelu": Row("({0} if {0} >= 0 else {alpha} * {0})", parameters={"alpha": 0.01}),
    "PRelu": Row("({0} if {0} >= 0 else {1} * {0})", "fi"),
    "Elu": Row("({0} if {0} >= 0 else {alpha} * expm1({0}))", parameters={"alpha": 1.0}),
    "Celu": Row(
        "max({0}, 0) + min(0, {alpha} * expm1({0} / {alpha}))", parameters={"alpha": 1.0}
    ),
    "Selu": Row(
        "{gamma} * ({0} if {0} > 0 else {alpha} * expm1({0}))", parameters=_SELU
    ),
    "HardSigmoid": Row(
        "max(0.0, min(1.0, {alpha} * {0} + {beta}))", parameters={"alpha": 0.2, "beta": 0.5}
    ),
    "HardSwish": Row("{0} * max(0.0, min(1.0, {0} / 6 + 0.5))"),
    "Mish": Row(
        "({0} if {0} > 20 else "
        "{0} * exp({0}) * (exp({0}) + 2) / (exp({0}) * (exp({0}) + 2) + 2))"
    ),
    "Swish": Row("{0} / (1 + exp(-{alpha} * {0}))", parameters={"alpha": 1.0}),
    "ThresholdedRelu": Row("({0} if {0} > {alpha} else 0)", parameters={"alpha": 1.0}),
    "Shrink": Row(
        "({0} + {bias} if {0} < -{lambd} else {0} - {bias} if {0} > {lambd} else 0)",
        parameters={"bias": 0.0, "lambd": 0.5},
    ),
}  # fmt: skip


@operator("Abs")
def absolute(x: Tensor) -> Tensor:
    """The size of numbers without their sign."""
    if x.dtype.kind == "u":
        return x
    ends = None if x.bounds is None else (0, max(abs(x.bounds[0]), abs(x.bounds[1])))
    return pointwise("pointwise", "abs({0})", x, bounds=ends)


@operator("Identity")
def identity(x: Tensor) -> Tensor:
    """The same."""
    return x


@operator("Gelu")
def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """X times the probability that a normal variable is below it."""
    if approximate == "tanh":
        slope = math.sqrt(2 / math.pi)
        inner = f"{slope!r} * ({{0}} + 0.044715 * {{0}} * {{0}} * {{0}})"
        return pointwise("gelu", f"0.5 * {{0}} * (1 + tanh({inner}))", x)
    return pointwise("gelu", f"0.5 * {{0}} * (1 + erf({{0}} * {math.sqrt(0.5)!r}))", x)


@operator("IsNaN")
def is_nan(x: Tensor) -> Tensor:
    """Whether numbers are none."""
    return pointwise(NAN, "{0} != {0}", x, dtype=BOOL)


@operator("IsInf")
def is_infinite(x: Tensor, *, detect_negative: int = 1, detect_positive: int = 1) -> Tensor:
    """Whether numbers are infinite, of the signs asked for."""
    asked = [
        w for w, on in (("{0} == inf", detect_positive), ("{0} == -inf", detect_negative)) if on
    ]
    return pointwise("pointwise", " or ".join(asked) or "{0} != {0} and {0} == {0}", x, dtype=BOOL)


@operator("Div")
def divide(a: Tensor, b: Tensor) -> Tensor:
    """The quotient; of whole numbers towards zero."""
    if a.dtype.kind == "f":
        return pointwise("pointwise", "{0} / {1}", a, b)
    if a.dtype.kind == "u":
        return pointwise("pointwise", "{0} // {1}", a, b)
    towards_zero = """
        def towards_zero(a, b):
            q = a // b
            return q + 1 if q < 0 and q * b != a else q
    """
    most = None if a.bounds is None else max(abs(a.bounds[0]), abs(a.bounds[1]))
    bounds = None if most is None else (-most, most)
    return pointwise(
        "divide", "towards_zero({0}, {1})", a, b, bounds=bounds, functions=towards_zero
    )


@operator("Mod")
def modulo(a: Tensor, b: Tensor, *, fmod: int = 0) -> Tensor:
    """The rest: with the sign of the divisor, or, for `fmod`, of the dividend."""
    most = None if b.bounds is None else max(abs(b.bounds[0]), abs(b.bounds[1]))
    bounds = None if most is None else (-most, most)
    return pointwise("pointwise", "fmod({0}, {1})" if fmod else "{0} % {1}", a, b, bounds=bounds)


@operator("Pow")
def power(a: Tensor, b: Tensor) -> Tensor:
    """A to the b, in the dtype of a."""
    exponent = b.known
    if exponent is not None and exponent.size == 1 and float(exponent.reshape(-1)[0]) in range(9):
        n = int(exponent.reshape(-1)[0])
        bounds = None if a.bounds is None else (-(top := max(map(abs, a.bounds)) ** n), top)
        return pointwise("pointwise", f"{{0}} ** {n}" if n else "0 * {0} + 1", a, bounds=bounds)
    wanted = joined_dtype(a.dtype, b.dtype)
    wide = wanted if wanted is not None and wanted.kind == "f" else None
    kind = wide or F32
    if a.dtype.kind != "f" and b.dtype.kind != "f":
        return _whole_power(a, b)
    said = f"{kind}({{0}}) ** {kind}({{1}})"
    return pointwise(
        "power", said if kind is a.dtype else f"{a.dtype}({said})", a, b, dtype=a.dtype
    )


def _whole_power(a: Tensor, b: Tensor) -> Tensor:
    """A product of whole numbers, as long as the exponent says; bits of it, one after the other."""
    whole = """
        def whole_power(base, exponent):
            result, square, left = 0 * base + 1, base, exponent
            while left > 0:
                result = result * square if left % 2 == 1 else result
                square = square * square
                left = left // 2
            return result
    """
    return pointwise("power", "whole_power({0}, {1})", a, b, functions=whole)


@operator("BitShift")
def bit_shift(a: Tensor, b: Tensor, *, direction: str) -> Tensor:
    """Bits moved to the left or to the right, where the sign, if there is one, moves in."""
    if direction == "LEFT":
        return pointwise("pointwise", "{0} << {1}", a, b)
    last = a.dtype.bits - 1
    most = f"({{1}} if 0 <= {{1}} < {last} else {last})" if a.dtype.kind == "i" else "{1}"
    return pointwise("pointwise", f"{{0}} >> {most}", a, b)


@operator("Where")
def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """X where the condition holds, else y."""
    bounds = joined(x, y)
    return pointwise(
        "where", "({1} if {0} else {2})", condition, x, y, dtype=x.dtype, bounds=bounds
    )


@operator("Clip")
def clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """X within limits that are single numbers; the upper one counts where they cross."""
    given = [v for v in (low, high) if v is not None]
    expression = "{0}"
    if low is not None:
        expression = "max({0}, {1})"
    if high is not None:
        expression = f"min({expression}, {{{len(given)}}})"
    scalars = [view(v, ()) for v in given]
    result = pointwise("clip", expression, x, *scalars, bounds=_clipped(x, low, high))
    return view(result, x.shape)


def _clipped(x: Tensor, low: Tensor | None, high: Tensor | None) -> Bounds | None:
    least = x.bounds[0] if x.bounds else -(2**63)
    most = x.bounds[1] if x.bounds else 2**63
    if low is not None and low.bounds:
        least, most = max(least, low.bounds[0]), max(most, low.bounds[1])
    if high is not None and high.bounds:
        least, most = min(least, high.bounds[0]), min(most, high.bounds[1])
    return (least, most)


def _fold(name: str, expression: str, whole: Arithmetic) -> Callable[..., Tensor]:
    @operator(name)
    def folded(*operands: Tensor) -> Tensor:
        result = operands[0]
        for x in operands[1:]:
            bounds = corners(whole, (result, x))
            result = pointwise("pointwise", expression, result, x, bounds=bounds)
        return result

    return folded


maximum = _fold("Max", "max({0}, {1})", max)
minimum = _fold("Min", "min({0}, {1})", min)
total = _fold("Sum", "{0} + {1}", add)


@operator("Mean")
def mean(*operands: Tensor) -> Tensor:
    """The mean of several arrays, element by element."""
    summed = total(*operands)
    return pointwise("pointwise", f"{{0}} / {len(operands)}", summed)


@operator("Cast")
def cast(x: Tensor, *, to: DType, saturate: int = 1, round_mode: str = "up") -> Tensor:
    """The same numbers in another dtype; what it does not hold is as NumPy has it."""
    del saturate, round_mode  # of the small floats, which are not there
    if x.dtype is to:
        return x
    if to is BOOL:
        return pointwise("cast", "{0} != 0", x, dtype=BOOL)
    bounds = x.bounds
    if to is I64 and x.dtype is not I64:
        bounds = _bounds_of(x)
    words = "{0}"
    if x.dtype.kind == "f" and to.kind in "iu" and to.bits < 32:
        words = "i32({0})"  # the bits that fit, as processors do; a cast would saturate
    return pointwise("cast", f"{to}({words})", x, dtype=to, bounds=bounds)


def _bounds_of(x: Tensor) -> Bounds | None:
    match x.dtype.kind:
        case "b":
            return 0, 1
        case "i":
            return -(2 ** (x.dtype.bits - 1)), 2 ** (x.dtype.bits - 1) - 1
        case "u":
            return 0, 2**x.dtype.bits - 1
        case "f":
            return None


@operator("CastLike")
def cast_like(x: Tensor, target: Tensor, *, saturate: int = 1, round_mode: str = "up") -> Tensor:
    """The same numbers in the dtype of another array."""
    return cast(x, to=target.dtype, saturate=saturate, round_mode=round_mode)


@operator("Dropout")
def dropout(
    x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None, *, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """x, and that nothing was dropped: a model that runs does not learn."""
    del ratio, seed
    if training is not None and (training.value is None or bool(training.value.reshape(-1)[0])):
        raise UnsupportedError("in training")
    return x, pointwise("kept", "{0} == {0} or {0} != {0}", x, dtype=BOOL)
