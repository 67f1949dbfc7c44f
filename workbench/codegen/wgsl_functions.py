"""Functions that an emitted module brings along: operations and casts that WGSL does not have.

An operation's function is written from its `define` in the table of operations; parts used
twice become a `let`. Nothing here is marked: the call is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.dtypes import F16
from workbench.codegen.wgsl_expr import (
    SPECIAL,
    Scope,
    called,
    cast_function,
    function_name,
    is_function,
    special,
    wgsl_type,
    write_expr,
)
from workbench.codegen.wgsl_prepare import fold_literals
from workbench.ir.expr import Apply, Cast, Const, Expr, Var, children, rebuild, walk
from workbench.ir.ops import OPS, definition
from workbench.ir.stmt import Alloc, Body, expressions, walk_stmts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.base.text import Writer
    from workbench.ir.graph import Scalar
    from workbench.ir.loops import Buffer

_PARAMETERS = ("a", "b")

_WRITTEN = {
    "i32_from_f32": """\
// The nearest i32 towards zero; NaN gives 0.
fn i32_from_f32(x: f32) -> i32 {
    if ((bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u) { return 0; }
    if (x >= 2147483648.0) { return 2147483647; }
    if (x <= -2147483648.0) { return -2147483648; }
    return i32(x);
}""",
    "u32_from_f32": """\
// The nearest u32 towards zero; NaN gives 0.
fn u32_from_f32(x: f32) -> u32 {
    if ((bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u) { return 0u; }
    if (x >= 4294967296.0) { return 4294967295u; }
    if (x <= 0.0) { return 0u; }
    return u32(x);
}""",
    "exp_f32": """\
// e to the power x. WGSL promises no more than 3 + 2 |x| units in the last place.
// The parts of log(2) are short, so that the first product is exact.
fn exp_f32(x: f32) -> f32 {
    if ((bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u) { return x; }
    let power = round(clamp(x, -104.0, 89.0) * 1.44269504);
    var rest = clamp(x, -104.0, 89.0) - power * 0.693359375;
    rest = rest + power * 2.12194440e-4;
    var sum = 1.9875691500e-4 * rest + 1.3981999507e-3;
    sum = ((sum * rest + 8.3334519073e-3) * rest + 4.1665795894e-2) * rest + 1.6666665459e-1;
    sum = (sum * rest + 5.0000001201e-1) * rest * rest + rest + 1.0;
    let half = i32(power) >> 1u;
    let scale = bitcast<f32>((half + 127) << 23u);
    return sum * scale * bitcast<f32>((i32(power) - half + 127) << 23u);
}""",
    "exp2_f32": """\
// 2 to the power x. WGSL promises no more than 3 + 2 |x| units in the last place.
fn exp2_f32(x: f32) -> f32 {
    if ((bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u) { return x; }
    let inside = clamp(x, -151.0, 129.0);
    return power_of_two(inside - round(inside), round(inside));
}""",
    "pow_f32": """\
// x to the power y. WGSL's pow leaves out negative x and zeros, and is off by y log2(x) units.
fn pow_f32(x: f32, y: f32) -> f32 {
    if (x == 1.0 || y == 0.0) { return 1.0; }
    let bits = bitcast<u32>(x) & 0x7fffffffu;
    if (bits > 0x7f800000u) { return x; }
    if ((bitcast<u32>(y) & 0x7fffffffu) > 0x7f800000u) { return y; }
    let negative = (bitcast<u32>(x) >> 31u) == 1u;
    let whole = abs(y) >= 8388608.0 || floor(y) == y;
    let odd = whole && abs(y) < 16777216.0 && (i32(y) & 1) == 1;
    var size = 0.0;
    if (bits == 0u || bits == 0x7f800000u) {
        size = bitcast<f32>(select(0u, 0x7f800000u, (bits == 0u) == (y < 0.0)));
    } else {
        if (negative && !whole) { return bitcast<f32>(bits | 0x7fc00000u); }
        size = pow_size(bits, clamp(y, -1.0e10, 1.0e10));
    }
    return select(size, -size, negative && odd);
}""",
    "pow_size": """\
// The positive number with these bits, to the power y: the logarithm to base 2 and its product
// with y are sums of two, the first short, so that products are exact.
fn pow_size(bits: u32, y: f32) -> f32 {
    var number = i32(bits);
    var exponent = 0;
    if (bits < 0x00800000u) {
        number = bitcast<i32>(f32(bits));
        exponent = -149;
    }
    let above = (number - 0x3f3504f3) >> 23u;
    let whole = f32(above + exponent);
    let m = bitcast<f32>(number - (above << 23u));
    let less = m - 1.0;
    let s = less / (m + 1.0);
    let s_high = high(s);
    let less_high = high(less);
    let left = less - 2.0 * s_high;
    let s_rest = opaque(opaque(left) - s_high * less_high) - s_high * (less - less_high);
    let s_low = s_rest / (m + 1.0);
    let square = s * s;
    var sum = 0.230769231 * square + 0.272727273;
    sum = (sum * square + 0.333333333) * square + 0.428571429;
    sum = (sum * square + 0.6) * square * square + (s_high + s) * s_low;
    let series_high = high(s_high * s_high + sum + 3.0);
    let series_low = opaque(s_high * s_high - opaque(series_high - 3.0)) + sum;
    let product = s_high * series_high;
    let product_rest = s_low * series_high + s * series_low;
    let part_high = high(product + product_rest);
    let part_low = opaque(product - part_high) + product_rest;
    let part = 0.961669921875 * part_high;
    let part_rest = 0.961669921875 * part_low + 1.2677205e-4 * (part_high + part_low);
    let log_high = bitcast<f32>(bitcast<u32>(whole + part + part_rest) & 0xffffe000u);
    let log_low = opaque(opaque(whole - log_high) + part) + part_rest;
    let y_high = high(y);
    let power_high = clamp(y_high * log_high, -160.0, 130.0);
    let power_low = clamp((y - y_high) * log_high + y * log_low, -1.0, 1.0);
    let power = round(power_high + power_low);
    return power_of_two(opaque(power_high - power) + power_low, power);
}""",
    "power_of_two": """\
// 2 to the power rest + whole, for a rest of a half at most; in two factors, for small results.
fn power_of_two(rest: f32, whole: f32) -> f32 {
    var sum = 1.5453166e-4 * rest + 1.33813065e-3;
    sum = ((sum * rest + 9.61808255e-3) * rest + 5.55038101e-2) * rest + 2.40226508e-1;
    sum = (sum * rest + 6.93147181e-1) * rest + 1.0;
    let half = i32(whole) >> 1u;
    let scale = bitcast<f32>((half + 127) << 23u);
    return sum * scale * bitcast<f32>((i32(whole) - half + 127) << 23u);
}""",
    "high": """\
// The first 12 bits of a number: products of two such are exact.
fn high(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}""",
    "opaque": """\
// x but for its last bit: WGSL lets a compiler reassociate sums, and none sees through this.
fn opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffffffeu);
}""",
    "sine_f32": """\
// The sine of x and some quarter turns. WGSL promises 2^-11, and nothing beyond pi.
// The parts of pi / 2 are short, so that products with up to 2^12 are exact.
fn sine_f32(x: f32, quarters: i32) -> f32 {
    if (abs(x) > 8192.0) { return select(cos(x), sin(x), quarters == 0); }
    let turns = round(x * 0.63661975);
    var rest = x - turns * 1.5703125;
    rest = rest - turns * 0.00048375129699707031;
    rest = rest - turns * 7.54978995489188e-8;
    let quarter = i32(turns) + quarters;
    let square = rest * rest;
    var sine = -1.9515295891e-4 * square + 8.3321608736e-3;
    sine = (sine * square - 1.6666654611e-1) * square * rest + rest;
    var cosine = 2.443315711809948e-5 * square - 1.388731625493765e-3;
    cosine = (cosine * square + 4.166664568298827e-2) * square * square - 0.5 * square + 1.0;
    let size = select(sine, cosine, (quarter & 1) == 1);
    return select(size, -size, (quarter & 2) == 2);
}""",
    "remainder_f32": """\
// x minus the multiple of y towards zero; WGSL's % rounds on the way, and so may its fma.
// It is also the remainder of the one by y * 2^n: so no quotient has to be above 2^23.
fn remainder_f32(x: f32, y: f32) -> f32 {
    let size = abs(y);
    if (bitcast<u32>(size) == 0x7f800000u) { return x; }
    var rest = abs(x);
    let finite = bitcast<u32>(rest) < 0x7f800000u && bitcast<u32>(size) != 0u;
    if (finite && (bitcast<u32>(rest) >> 23u) >= (bitcast<u32>(size) >> 23u) + 22u) {
        rest = remainder_near(rest, size, 242u);
        rest = remainder_near(rest, size, 220u);
        rest = remainder_near(rest, size, 198u);
        rest = remainder_near(rest, size, 176u);
        rest = remainder_near(rest, size, 154u);
        rest = remainder_near(rest, size, 132u);
        rest = remainder_near(rest, size, 110u);
        rest = remainder_near(rest, size, 88u);
        rest = remainder_near(rest, size, 66u);
        rest = remainder_near(rest, size, 44u);
        rest = remainder_near(rest, size, 22u);
    }
    rest = remainder_near(rest, size, 0u);
    return select(rest, -rest, x < 0.0);
}

// The remainder by size * 2^power, for a quotient below 2^23; products of halves are exact.
fn remainder_near(x: f32, unscaled: f32, power: u32) -> f32 {
    if (power != 0u && (bitcast<u32>(x) >> 23u) < (bitcast<u32>(unscaled) >> 23u) + power) {
        return x;
    }
    let size = bitcast<f32>(bitcast<u32>(unscaled) + (power << 23u));
    let count = trunc(x / size);
    let count_high = bitcast<f32>(bitcast<u32>(count) & 0xfffff000u);
    let size_high = bitcast<f32>(bitcast<u32>(size) & 0xfffff000u);
    var rest = x - count_high * size_high;
    rest = rest - count_high * (size - size_high) - (count - count_high) * size_high;
    rest = rest - (count - count_high) * (size - size_high);
    if (rest < 0.0) { rest += size; }
    if (rest >= size) { rest -= size; }
    return rest;
}""",
}
"""Functions that have no definition in the table of operations: casts, and operations whose
template calls them because WGSL's own mean something else at the edges."""

_CALLS = {
    "exp2_f32": ("power_of_two",),
    "pow_f32": ("pow_size", "power_of_two", "high", "opaque"),
}
"""The functions that such a function calls, and those that they call."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a body uses that the module must declare: functions by name, and special constants."""

    operations: dict[str, Apply]
    written: tuple[str, ...]
    specials: tuple[str, ...]

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of all functions."""
        return (*self.operations, *self.written)


def needs(body: Body) -> Needs:
    """What the expressions of a prepared body need, also by way of definitions."""
    operations: dict[str, Apply] = {}
    written: dict[str, None] = {}
    specials: dict[str, None] = {}

    def visit(found: Iterable[Expr]) -> None:
        for e in found:
            if isinstance(e, Const) and special(e):
                specials[special(e)] = None
            elif isinstance(e, Cast) and cast_function(e):
                written[cast_function(e)] = None
            elif isinstance(e, Apply) and called(e) in _WRITTEN:
                written.update(dict.fromkeys((called(e), *_CALLS.get(called(e), ()))))
            elif isinstance(e, Apply) and is_function(e) and function_name(e) not in operations:
                operations[function_name(e)] = e
                visit(walk(_meaning(e)))

    for s in walk_stmts(body):
        for e in expressions(s):
            visit(walk(e))
    return Needs(operations, tuple(written), tuple(specials))


def write_extensions(
    w: Writer, buffers: Iterable[Buffer], scalars: Iterable[Scalar], body: Body
) -> None:
    """Enable what a module's dtypes want: f16 where something has it."""
    dtypes = [x.dtype for x in (*buffers, *scalars)]
    dtypes += (s.dtype for s in walk_stmts(body) if isinstance(s, Alloc))
    dtypes += (x.dtype for s in walk_stmts(body) for e in expressions(s) for x in walk(e))
    if F16 in dtypes:
        w.line("enable f16;")
        w.line()


def write_needs(w: Writer, needed: Needs) -> None:
    """Declare them; the order of declarations is free in WGSL."""
    if needed.specials:
        w.line()
        w.line("// WGSL has no literal for these: their bits are read at run time.")
        for name in needed.specials:
            w.line(f"var<private> {name}: u32 = {SPECIAL[name]:#010x}u;")
    for name, e in needed.operations.items():
        w.line()
        _write_function(w, name, e)
    for name in needed.written:
        w.line()
        for text in _WRITTEN[name].splitlines():
            w.line(text)


def _meaning(e: Apply) -> Expr:
    parameters = tuple(Var(name, x.dtype) for name, x in zip(_PARAMETERS, e.args, strict=False))
    meaning = definition(Apply(e.op, parameters, e.dtype))
    assert meaning is not None, f"{e.op} has a definition"
    return fold_literals(meaning)


def _write_function(w: Writer, name: str, e: Apply) -> None:
    typed = [f"{p}: {wgsl_type(x.dtype)}" for p, x in zip(_PARAMETERS, e.args, strict=False)]
    row = OPS[e.op]
    how = "computed in f32" if e.dtype is F16 else "as Python and NumPy mean it"
    w.line(f"// {row.text.format(*_PARAMETERS)}, {how}.")
    w.line(f"fn {name}({', '.join(typed)}) -> {wgsl_type(e.dtype)} {{")
    parts, result = _shared(_meaning(e))
    known = [*_PARAMETERS, *(part for part, _ in parts)]
    scope = Scope({n: n for n in known}, {}, {})
    with w.indented():
        for part, value in parts:
            w.write(f"let {part} = ")
            write_expr(w, value, scope)
            w.write(";")
            w.end()
        w.write("return ")
        write_expr(w, result, scope)
        w.write(";")
        w.end()
    w.line("}")


def _shared(root: Expr) -> tuple[list[tuple[str, Expr]], Expr]:
    """The parts that occur more than once, in order of use, and the expression over them."""
    uses: dict[int, int] = {}

    def count(e: Expr) -> None:
        uses[id(e)] = uses.get(id(e), 0) + 1
        if uses[id(e)] == 1:
            for child in children(e):
                count(child)

    parts: list[tuple[str, Expr]] = []
    names: dict[int, Var] = {}

    def named(e: Expr) -> Expr:
        if id(e) in names:
            return names[id(e)]
        inner = rebuild(e, named)
        if uses[id(e)] < 2 or not children(e):
            return inner
        part = Var(f"part_{len(parts) + 1}", e.dtype)
        parts.append((part.name, inner))
        names[id(e)] = part
        return part

    count(root)
    return parts, named(root)
