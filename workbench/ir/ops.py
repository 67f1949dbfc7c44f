"""THE table of scalar operations: one row each, with everything that is true of it.

A row says what NumPy does, how a person reads it, and how each target spells it. Where a
target has no spelling, `define` gives the meaning in simpler operations, and the emitter
writes it once as a function of its own. To add an operation, add a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from workbench.base.dtypes import BOOL, F16, F32, DType, spread
from workbench.ir import functions
from workbench.ir.expr import Apply, Cast, Const, Expr, Select, apply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Meaning = Callable[..., np.ndarray]
    Define = Callable[..., Expr]

ATOM = 20
"""The precedence of names, literals, loads and calls: nothing binds tighter."""


@dataclass(frozen=True, slots=True)
class Op:
    """One scalar operation on arguments of one dtype.

    `kinds`: the dtype kinds it takes (f, i, u, b). `text`: how the loops text writes it.
    `wgsl`: template per kind; it may call a function of `codegen/wgsl_functions.py`.
    `llvm`: instruction or `llvm.` intrinsic per kind.
    `unit`: the identity of the reduction of the same name, or None. `ulp`: the largest error
    in units in the last place that targets may show in f32 (0: exact), and in f64; f16 is computed
    in f32.
    """

    name: str
    arity: int
    kinds: str
    numpy: Meaning
    text: str
    precedence: int = ATOM
    wgsl: Mapping[str, str] = field(default_factory=dict[str, str])
    llvm: Mapping[str, str] = field(default_factory=dict[str, str])
    define: Mapping[str, Define] = field(default_factory=dict[str, "Define"])
    unit: float | None = None
    ulp: float = 0
    compares: bool = False


def _all(kinds: str, template: str) -> dict[str, str]:
    return dict.fromkeys(kinds, template)


def _where(cond: Expr, yes: Expr, no: Expr) -> Expr:
    return Select(cond, yes, no)


def _safe_divisor(a: Expr, b: Expr) -> Expr:
    """`b`, or 1 where the machine's division would trap: b == 0, and the least int over -1."""
    one = Const(1, b.dtype)
    risky = apply("eq", b, Const(0, b.dtype))
    if a.dtype.kind == "i":
        least = apply("eq", a, Const(-(2 ** (a.dtype.bits - 1)), a.dtype))
        risky = apply("or", risky, apply("and", least, apply("eq", b, Const(-1, b.dtype))))
    return _where(risky, one, b)


def _floordiv_int(a: Expr, b: Expr) -> Expr:
    """Quotient towards minus infinity; 0 where b == 0; the least int over -1 wraps to itself."""
    zero, one = Const(0, a.dtype), Const(1, a.dtype)
    divisor = _safe_divisor(a, b)
    quotient = apply("quotient", a, divisor)
    if a.dtype.kind == "i":
        inexact = apply("ne", apply("remainder", a, divisor), zero)
        differ = apply("ne", apply("lt", a, zero), apply("lt", divisor, zero))
        quotient = _where(apply("and", inexact, differ), apply("sub", quotient, one), quotient)
    return _where(apply("eq", b, zero), zero, quotient)


def _mod_int(a: Expr, b: Expr) -> Expr:
    """Remainder with the sign of b; 0 where b == 0."""
    zero = Const(0, a.dtype)
    divisor = _safe_divisor(a, b)
    rest = apply("remainder", a, divisor)
    if a.dtype.kind == "i":
        differ = apply("ne", apply("lt", rest, zero), apply("lt", divisor, zero))
        wrong = apply("and", apply("ne", rest, zero), differ)
        rest = _where(wrong, apply("add", rest, divisor), rest)
    return _where(apply("eq", b, zero), zero, rest)


def _floordiv_float(a: Expr, b: Expr) -> Expr:
    """From the remainder: `a / b` may round up to a whole number that `a` does not reach."""
    zero, one = Const(0.0, a.dtype), Const(1.0, a.dtype)
    rest = apply("remainder", a, b)
    towards_zero = apply("div", apply("sub", a, rest), b)
    differ = apply("ne", apply("lt", rest, zero), apply("lt", b, zero))
    below = apply("and", apply("ne", rest, zero), differ)
    quotient = _where(below, apply("sub", towards_zero, one), towards_zero)
    return _where(apply("eq", b, zero), apply("div", a, b), apply("round", quotient))


def _mod_float(a: Expr, b: Expr) -> Expr:
    """fmod, moved to the sign of b, as Python and NumPy do."""
    zero = Const(0.0, a.dtype)
    rest = apply("remainder", a, b)
    differ = apply("ne", apply("lt", rest, zero), apply("lt", b, zero))
    return _where(apply("and", apply("ne", rest, zero), differ), apply("add", rest, b), rest)


def _shift(op: str) -> Define:
    """A shift that gives 0 (or the sign, for right shifts of negative ints) past the width."""

    def define(a: Expr, b: Expr) -> Expr:
        inside = apply("bitand", b, Const(a.dtype.bits - 1, b.dtype))
        small = apply("ge", b, Const(0, b.dtype))
        small = apply("and", small, apply("lt", b, Const(a.dtype.bits, b.dtype)))
        return _where(small, apply(op, a, inside), Const(0, a.dtype))

    return define


def _tan(x: Expr) -> Expr:
    return apply("div", apply("sin", x), apply("cos", x))


def _erf_numpy(x: np.ndarray) -> np.ndarray:
    from math import erf  # noqa: PLC0415  (only the reference needs it)

    return np.vectorize(erf, otypes=[np.float64])(x)


def _fmod_numpy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    safe = b if a.dtype.kind == "f" else np.where(b == 0, np.ones_like(b), b)
    return np.fmod(a, safe)


def _quotient_numpy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    safe = np.where(b == 0, np.ones_like(b), b)
    floor = np.floor_divide(a, safe)
    inexact = floor * safe != a
    return floor + (inexact & ((a < 0) != (safe < 0))).astype(a.dtype)


def _floordiv_numpy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype.kind == "f":
        return np.floor_divide(a, b)
    return np.where(b == 0, np.zeros_like(a), np.floor_divide(a, np.where(b == 0, 1, b)))


def _mod_numpy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype.kind == "f":
        return np.mod(a, b)
    return np.where(b == 0, np.zeros_like(a), np.mod(a, np.where(b == 0, 1, b)))


def _shift_numpy(shift: Meaning) -> Meaning:
    def meaning(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        small = (b >= 0) & (b < a.dtype.itemsize * 8)
        shifted = shift(a, np.where(small, b, 0).astype(a.dtype))
        return np.where(small, shifted, np.zeros_like(a))

    return meaning


def _count_numpy(x: np.ndarray) -> np.ndarray:
    return np.bitwise_count(x).astype(x.dtype)


def _infix(sign: str) -> str:
    return "{0} " + sign + " {1}"


def _function(name: str, meaning: Meaning, define: Define, ulp: float, *, arity: int = 1) -> Op:
    """A function of floats that every target computes from simpler ones."""
    arguments = ", ".join(f"{{{n}}}" for n in range(arity))
    return Op(name, arity, "f", meaning, f"{name}({arguments})", define={"f": define}, ulp=ulp)


_INT = "iu"
_NUM = "fiu"

ROWS: tuple[Op, ...] = (
    Op("add", 2, _NUM, np.add, _infix("+"), 11, _all(_NUM, _infix("+")),
       {"f": "fadd", "i": "add", "u": "add"}, unit=0),
    Op("sub", 2, _NUM, np.subtract, _infix("-"), 11, _all(_NUM, _infix("-")),
       {"f": "fsub", "i": "sub", "u": "sub"}),
    Op("mul", 2, _NUM, np.multiply, _infix("*"), 12, _all(_NUM, _infix("*")),
       {"f": "fmul", "i": "mul", "u": "mul"}, unit=1),
    Op("div", 2, "f", np.divide, _infix("/"), 12, {"f": _infix("/")}, {"f": "fdiv"}, ulp=2.5),
    Op("floordiv", 2, _NUM, _floordiv_numpy, _infix("//"), 12,
       define={"f": _floordiv_float, "i": _floordiv_int, "u": _floordiv_int}),
    Op("mod", 2, _NUM, _mod_numpy, _infix("%"), 12,
       define={"f": _mod_float, "i": _mod_int, "u": _mod_int}),
    Op("quotient", 2, _INT, _quotient_numpy, "quotient({0}, {1})", ATOM,
       _all(_INT, _infix("/")), {"i": "sdiv", "u": "udiv"}),
    Op("remainder", 2, _NUM, _fmod_numpy, "remainder({0}, {1})", ATOM,
       {**_all(_INT, _infix("%")), "f": "remainder_f32({0}, {1})"},
       {"f": "frem", "i": "srem", "u": "urem"}),
    Op("pow", 2, "f", np.power, "{0} ** {1}", 14, {"f": "pow_f32({0}, {1})"},
       {"f": "llvm.pow"}, ulp=3),
    Op("neg", 1, "fi", np.negative, "-{0}", 13, _all("fi", "-{0}"), {"f": "fneg", "i": "neg"}),
    Op("min", 2, _NUM, np.minimum, "min({0}, {1})", ATOM, _all(_NUM, "min({0}, {1})"),
       {"f": "llvm.minimum", "i": "llvm.smin", "u": "llvm.umin"}, unit=float("inf")),
    Op("max", 2, _NUM, np.maximum, "max({0}, {1})", ATOM, _all(_NUM, "max({0}, {1})"),
       {"f": "llvm.maximum", "i": "llvm.smax", "u": "llvm.umax"}, unit=float("-inf")),
    Op("eq", 2, "fiub", np.equal, _infix("=="), 6, _all("fiub", _infix("==")),
       {"f": "oeq", "i": "eq", "u": "eq", "b": "eq"}, compares=True),
    Op("ne", 2, "fiub", np.not_equal, _infix("!="), 6, _all("fiub", _infix("!=")),
       {"f": "une", "i": "ne", "u": "ne", "b": "ne"}, compares=True),
    Op("lt", 2, _NUM, np.less, _infix("<"), 6, _all(_NUM, _infix("<")),
       {"f": "olt", "i": "slt", "u": "ult"}, compares=True),
    Op("le", 2, _NUM, np.less_equal, _infix("<="), 6, _all(_NUM, _infix("<=")),
       {"f": "ole", "i": "sle", "u": "ule"}, compares=True),
    Op("gt", 2, _NUM, np.greater, _infix(">"), 6, _all(_NUM, _infix(">")),
       {"f": "ogt", "i": "sgt", "u": "ugt"}, compares=True),
    Op("ge", 2, _NUM, np.greater_equal, _infix(">="), 6, _all(_NUM, _infix(">=")),
       {"f": "oge", "i": "sge", "u": "uge"}, compares=True),
    Op("and", 2, "b", np.logical_and, _infix("and"), 4, {"b": _infix("&&")}, {"b": "and"}, unit=1),
    Op("or", 2, "b", np.logical_or, _infix("or"), 3, {"b": _infix("||")}, {"b": "or"}, unit=0),
    Op("not", 1, "b", np.logical_not, "not {0}", 5, {"b": "!{0}"}, {"b": "not"}),
    Op("bitand", 2, _INT, np.bitwise_and, _infix("&"), 9, _all(_INT, _infix("&")),
       _all(_INT, "and")),
    Op("bitor", 2, _INT, np.bitwise_or, _infix("|"), 7, _all(_INT, _infix("|")), _all(_INT, "or")),
    Op("bitxor", 2, _INT, np.bitwise_xor, _infix("^"), 8, _all(_INT, _infix("^")),
       _all(_INT, "xor")),
    Op("invert", 1, _INT, np.invert, "~{0}", 13, _all(_INT, "~{0}"), _all(_INT, "not")),
    Op("shl", 2, _INT, _shift_numpy(np.left_shift), _infix("<<"), 10,
       define=dict.fromkeys(_INT, _shift("shl_inside"))),
    Op("shr", 2, _INT, _shift_numpy(np.right_shift), _infix(">>"), 10,
       define=dict.fromkeys(_INT, _shift("shr_inside"))),
    Op("shl_inside", 2, _INT, np.left_shift, "shl_inside({0}, {1})", ATOM,
       {"i": "{0} << u32({1})", "u": "{0} << {1}"}, _all(_INT, "shl")),
    Op("shr_inside", 2, _INT, np.right_shift, "shr_inside({0}, {1})", ATOM,
       {"i": "{0} >> u32({1})", "u": "{0} >> {1}"}, {"i": "ashr", "u": "lshr"}),
    Op("abs", 1, "fi", np.abs, "abs({0})", ATOM, _all("fi", "abs({0})"),
       {"f": "llvm.fabs", "i": "llvm.abs"}),
    Op("sqrt", 1, "f", np.sqrt, "sqrt({0})", ATOM, {"f": "sqrt({0})"}, {"f": "llvm.sqrt"}, ulp=3),
    Op("exp", 1, "f", np.exp, "exp({0})", ATOM, {"f": "exp_f32({0})"}, {"f": "llvm.exp"}, ulp=3),
    Op("log", 1, "f", np.log, "log({0})", ATOM, {"f": "log({0})"}, {"f": "llvm.log"}, ulp=64),
    Op("exp2", 1, "f", np.exp2, "exp2({0})", ATOM, {"f": "exp2_f32({0})"},
       {"f": "llvm.exp2"}, ulp=3),
    Op("log2", 1, "f", np.log2, "log2({0})", ATOM, {"f": "log2({0})"}, {"f": "llvm.log2"}, ulp=64),
    Op("sin", 1, "f", np.sin, "sin({0})", ATOM, {"f": "sine_f32({0}, 0)"},
       {"f": "llvm.sin"}, ulp=4096),
    Op("cos", 1, "f", np.cos, "cos({0})", ATOM, {"f": "sine_f32({0}, 1)"},
       {"f": "llvm.cos"}, ulp=4096),
    Op("tan", 1, "f", np.tan, "tan({0})", ATOM,
       define={"f": _tan}, ulp=8192),
    Op("tanh", 1, "f", np.tanh, "tanh({0})", ATOM, {"f": "tanh(clamp({0}, -15.0, 15.0))"},
       {"f": "llvm.tanh"}, ulp=64),
    Op("floor", 1, "f", np.floor, "floor({0})", ATOM, {"f": "floor({0})"}, {"f": "llvm.floor"}),
    Op("ceil", 1, "f", np.ceil, "ceil({0})", ATOM, {"f": "ceil({0})"}, {"f": "llvm.ceil"}),
    Op("round", 1, "f", np.round, "round({0})", ATOM, {"f": "round({0})"},
       {"f": "llvm.roundeven"}),
    Op("erf", 1, "f", _erf_numpy, "erf({0})", ATOM, define={"f": functions.erf}, ulp=64),
    Op("trunc", 1, "f", np.trunc, "trunc({0})", ATOM, {"f": "trunc({0})"}, {"f": "llvm.trunc"}),
    Op("sign", 1, _NUM, np.sign, "sign({0})", ATOM, define=dict.fromkeys(_NUM, functions.sign)),
    Op("square", 1, _NUM, np.square, "square({0})", ATOM,
       define=dict.fromkeys(_NUM, functions.square)),
    Op("bitwise_count", 1, "u", _count_numpy, "bitwise_count({0})", ATOM,
       {"u": "countOneBits({0})"}, {"u": "llvm.ctpop"}),
    _function("reciprocal", np.reciprocal, functions.reciprocal, 2.5),
    _function("degrees", np.degrees, functions.degrees, 2),
    _function("radians", np.radians, functions.radians, 2),
    _function("log10", np.log10, functions.log10, 64),
    _function("log1p", np.log1p, functions.log1p, 64),
    _function("expm1", np.expm1, functions.expm1, 128),
    _function("sinh", np.sinh, functions.sinh, 128),
    _function("cosh", np.cosh, functions.cosh, 128),
    _function("arcsinh", np.arcsinh, functions.arcsinh, 64),
    _function("arccosh", np.arccosh, functions.arccosh, 64),
    _function("arctanh", np.arctanh, functions.arctanh, 64),
    _function("arctan", np.arctan, functions.arctan, 8),
    _function("arcsin", np.arcsin, functions.arcsin, 8),
    _function("arccos", np.arccos, functions.arccos, 8),
    _function("arctan2", np.arctan2, functions.arctan2, 8, arity=2),
    _function("hypot", np.hypot, functions.hypot, 8, arity=2),
    _function("cbrt", np.cbrt, functions.cbrt, 8),
    _function("logaddexp", np.logaddexp, functions.logaddexp, 64, arity=2),
)  # fmt: skip

OPS: dict[str, Op] = {row.name: row for row in ROWS}

REDUCTIONS: dict[str, str] = {
    "sum": "add", "prod": "mul", "max": "max", "min": "min", "any": "or", "all": "and",
    "argmax": "argmax", "argmin": "argmin",
}  # fmt: skip
"""The language's reductions and the operation each one folds with."""
WORDS = {fold_op: word for word, fold_op in REDUCTIONS.items()}
"""What the language calls the reduction with an operation."""


def unit(op: str, dtype: DType) -> Const:
    """The value an empty reduction gives: the identity of `op` in `dtype`."""
    value = OPS[op].unit
    if value is None:
        msg = f"'{op}' has no identity"
        raise KeyError(msg)
    if dtype is BOOL:
        return Const(bool(value), dtype)
    if dtype.kind == "f":
        return Const(float(value), dtype)
    least, greatest = spread(dtype)
    return Const(int(min(max(value, least), greatest)), dtype)


_THROUGH_F32 = {row.name for row in ROWS if row.ulp} | {"floordiv", "mod", "remainder"}
"""Operations on f16 that are computed in f32 and rounded once."""


def is_defined(op: str, dtype: DType) -> bool:
    """Whether an operation has a meaning in simpler ones."""
    return (dtype is F16 and op in _THROUGH_F32) or dtype.kind in OPS[op].define


def definition(e: Apply) -> Expr | None:
    """The meaning of an operation in simpler ones, or None where it is primitive."""
    dtype = e.args[0].dtype
    if dtype is F16 and e.op in _THROUGH_F32:
        return Cast(F16, apply(e.op, *(Cast(F32, x) for x in e.args)))
    define = OPS[e.op].define.get(dtype.kind)
    return None if define is None else define(*e.args)


def zero(dtype: DType) -> Const:
    """0, 0.0 or False."""
    return Const(False if dtype is BOOL else 0.0 if dtype.kind == "f" else 0, dtype)
