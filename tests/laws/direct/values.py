"""Numbers as the language means them: dtypes, weak values, casts, and operations of two.

Floats are Python's; a value that its dtype cannot hold exactly is noted in `Run.loose`, and what
depends on it may then differ. A cast to a shorter float rounds as the language says.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NUMPY: dict[str, Any] = {
    "f16": np.float64, "f32": np.float64, "f64": np.float64, "bool": np.bool_,
    "i8": np.int8, "u8": np.uint8, "i32": np.int32, "u32": np.uint32, "i64": np.int64,
}  # fmt: skip
"""What an array of a dtype is held in."""
HOLDS: dict[str, Any] = {"f16": np.float16, "f32": np.float32, "f64": np.float64}
BITS = {"i8": 8, "u8": 8, "i32": 32, "u32": 32, "i64": 64}


LARGEST_HALF = 65504
"""Beyond it an f16 is infinite, and what is made of it is no longer near what floats say."""


class FormError(Exception):
    """A form that this evaluator does not know."""


class OutsideError(Exception):
    """An index outside its array, or the best of nothing; `run` is what came before it."""

    run: Run | None = None


class AssumptionError(Exception):
    """An `assert` of the program that does not hold for these inputs."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value of a dtype; weak ones take the dtype of what they meet."""

    value: Any
    dtype: str
    weak: bool = False


@dataclass(slots=True)
class Run:
    """One execution: arrays by name, names that stand for numbers, and whether floats are exact.

    `loose` are the dtypes that could not hold a value, `reach` is the greatest of those values.
    `rounded`: a cast to a shorter float could not hold one.
    `cut` is set where a float was compared, rounded or made an int. `declared` are dtypes and
    extents that a line or the signature says; `functions` the other functions of the text.
    """

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    names: dict[str, Number] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    declared: dict[str, tuple[str, tuple[ast.expr, ...]]] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    reach: float = 0.0
    rounded: bool = False
    cut: bool = False

    @property
    def exact(self) -> bool:
        """Whether every float was held exactly."""
        return not self.loose

    def take(self, other: Run) -> None:
        """What another execution, that this one called, says of its floats."""
        self.loose |= other.loose
        self.reach = max(self.reach, other.reach)
        self.rounded, self.cut = self.rounded or other.rounded, self.cut or other.cut


def is_float(dtype: str) -> bool:
    return dtype in HOLDS


def least(dtype: str) -> int:
    """The least whole number of a dtype."""
    return 0 if dtype[0] == "u" else -(2 ** (BITS[dtype] - 1))


def greatest(dtype: str) -> int:
    """The greatest whole number of a dtype."""
    return least(dtype) + 2 ** BITS[dtype] - 1


def held(r: Run, value: Any, dtype: str, *, weak: bool = False) -> Number:
    """A value within its dtype: ints wrap; whether the dtype holds a float is noted."""
    if dtype == "bool":
        return Number(bool(value), dtype)
    if not is_float(dtype):
        low = least(dtype)
        return Number((int(value) - low) % 2 ** BITS[dtype] + low, dtype, weak)
    if dtype == "f64":
        same = abs(value) < 2**30 and float(value) * 2**20 % 1 == 0
    else:
        with np.errstate(over="ignore"):
            same = float(HOLDS[dtype](value)) == value
    if dtype == "f16" and 0 < abs(value) < 2.0**-14:
        same = False
    if not (same or math.isnan(value) or math.isinf(value)):
        r.loose.add(dtype)
        r.reach = max(r.reach, abs(value))
        r.cut = r.cut or (dtype == "f16" and abs(value) > LARGEST_HALF)
    return Number(float(value), dtype, weak)


def cast(r: Run, v: Number, dtype: str) -> Number:
    """The value in another dtype: float to int saturates, NaN gives 0."""
    if v.dtype == dtype:
        return Number(v.value, dtype)
    if is_float(v.dtype) and dtype in BITS:
        r.cut = True
        value = 0 if math.isnan(v.value) else min(max(v.value, least(dtype)), greatest(dtype))
        return held(r, math.trunc(value), dtype)
    if is_float(v.dtype) and is_float(dtype) and not v.weak:
        return held(r, _rounded(r, v.value, dtype), dtype)
    return held(r, v.value, dtype)


def _rounded(r: Run, value: float, dtype: str) -> float:
    """What a cast to a shorter float gives; what it makes infinite or tiny is left as it is."""
    with np.errstate(over="ignore", under="ignore"):
        short = float(HOLDS[dtype](value))
    if dtype == "f64" or short == value or not 2.0**-14 <= abs(short) < math.inf:
        return value
    r.rounded = True
    return short


def common(r: Run, a: Number, b: Number) -> tuple[Any, Any, str, bool]:
    """Both values in the dtype in which they meet, and whether the result is weak."""
    dtype = _met(a, b)
    return cast(r, a, dtype).value, cast(r, b, dtype).value, dtype, a.weak and b.weak


def _met(a: Number, b: Number) -> str:
    weak, firm = (a, b) if a.weak else (b, a)
    if a.weak != b.weak and not (is_float(weak.dtype) and not is_float(firm.dtype)):
        return firm.dtype
    return joined(a.dtype, b.dtype)


_COUNTS_AS = {"i8": "f16", "u8": "f16", "i32": "f32", "u32": "f32", "i64": "f64"}
_WIDER = ("f16", "f32", "f64")
_HOLDS_BOTH = {
    ("i8", "u8"): "i32", ("i32", "i8"): "i32", ("i32", "u8"): "i32", ("u32", "u8"): "u32",
    ("i64", "i8"): "i64", ("i64", "u8"): "i64", ("i32", "i64"): "i64", ("i64", "u32"): "i64",
}  # fmt: skip


def joined(a: str, b: str) -> str:
    """The dtype of two numbers that meet, as the table of the language says."""
    if a == b:
        return a
    if is_float(a) or is_float(b):
        return max((_COUNTS_AS.get(x, x) for x in (a, b)), key=_WIDER.index)
    try:
        return _HOLDS_BOTH[min(a, b), max(a, b)]
    except KeyError:
        raise FormError(f"{a} with {b}") from None


def _floor_divide(a: Any, b: Any) -> Any:
    if isinstance(a, float):
        return float(math.floor(a / b)) if math.isfinite(a / b) else a // b
    return a // b if b else 0


def _modulo(a: Any, b: Any) -> Any:
    return a % b if b or isinstance(a, float) else 0


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul,
    "FloorDiv": _floor_divide, "Mod": _modulo,
    "BitAnd": operator.and_, "BitOr": operator.or_, "BitXor": operator.xor,
    "Pow": operator.pow, "min": min, "max": max,
}  # fmt: skip


def binary(r: Run, op: str, left: Number, right: Number) -> Number:
    """An operation of two numbers, by the name of Python's own tree."""
    if op == "Div":
        a, b, dtype, weak = common(r, left, right)
        return held(r, a / b, quotient(dtype), weak=weak)
    a, b, dtype, weak = common(r, left, right)
    if op in {"LShift", "RShift"}:
        shift = operator.lshift if op == "LShift" else operator.rshift
        return held(r, shift(a, b) if 0 <= b < BITS[dtype] else 0, dtype, weak=weak)
    if is_float(dtype) and op in {"FloorDiv", "Mod"}:
        r.cut = True
    return held(r, _BINARY[op](a, b), dtype, weak=weak)


def quotient(dtype: str) -> str:
    """The dtype of `/` of two numbers that meet as `dtype`."""
    return dtype if is_float(dtype) else "f64" if dtype == "i64" else "f32"


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Eq": operator.eq, "NotEq": operator.ne, "Lt": operator.lt, "LtE": operator.le,
    "Gt": operator.gt, "GtE": operator.ge,
}  # fmt: skip


def compare(r: Run, op: str, a: Number, b: Number) -> bool:
    """A comparison, by the name of Python's own tree."""
    if a.dtype == "bool":
        return _COMPARE[op](a.value, b.value)
    if a.weak != b.weak and {a.dtype, b.dtype} & {"i8", "u8"}:
        return _COMPARE[op](a.value, b.value)
    x, y, dtype, _ = common(r, a, b)
    r.cut = r.cut or is_float(dtype)
    return _COMPARE[op](x, y)


_ROUNDS: dict[str, Callable[[float], int]] = {
    "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc, "round": round, "rint": round,
}  # fmt: skip
_FLOATS: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt, "exp": math.exp, "sin": math.sin, "cos": math.cos, "tanh": math.tanh,
}  # fmt: skip


def call(r: Run, name: str, args: list[Number]) -> Number:
    """A function of the language on values."""
    match name, args:
        case _, [x] if name in NUMPY:
            return cast(r, x, name)
        case "min" | "max" | "minimum" | "maximum", [first, *rest]:
            for other in rest:
                first = binary(r, name[:3], first, other)
            return first
        case "clip", [x, low, high]:
            return binary(r, "min", binary(r, "max", x, low), high)
        case _, [x]:
            return _of_one(r, name, x)
        case _:
            raise FormError(name)


def _of_one(r: Run, name: str, x: Number) -> Number:
    match name:
        case "abs":
            return held(r, abs(x.value), x.dtype, weak=x.weak)
        case "sign":
            r.cut = r.cut or is_float(x.dtype)
            return held(r, (x.value > 0) - (x.value < 0), x.dtype, weak=x.weak)
        case "square":
            return binary(r, "Mult", x, x)
        case "bitwise_count":
            return held(r, int(x.value).bit_count(), x.dtype)
        case _ if name in _ROUNDS:
            r.cut = r.cut or is_float(x.dtype)
            whole = not is_float(x.dtype) or not math.isfinite(x.value)
            return x if whole else held(r, _ROUNDS[name](x.value), x.dtype)
        case _ if name in _FLOATS:
            return held(r, _FLOATS[name](cast(r, x, "f32").value), "f32")
        case _:
            raise FormError(name)
