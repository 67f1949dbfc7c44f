"""Bugs to put into the compiler on purpose: each is one changed row, constant or function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from workbench import pipeline
from workbench.base import dtypes
from workbench.codegen import llvm_casts, llvm_expr, wgsl_prepare
from workbench.ir import ops
from workbench.ir.expr import apply, integer
from workbench.ir.stmt import For
from workbench.lang import (
    assignments,
    blocks,
    calls,
    comparisons,
    inline,
    kernel_calls,
    reductions,
    values,
)
from workbench.passes import fold, lower, mapping, turns, updates
from workbench.schedule import loop_steps

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Bug:
    """What puts it in, a word of the programs that may show it, and the paths that may.

    Programs with that word are tried first. `opened`: it is looked for at ever new sizes.
    """

    put: Callable[[Patch], None]
    near: str = ""
    on: tuple[str, ...] = ("interpreter", "cpu", "native")
    opened: bool = False


def row(op: str, near: str = "", **changes: Any) -> Bug:
    """A bug in one row of the operations table."""
    return Bug(lambda p: p.setitem(ops.OPS, op, replace(ops.OPS[op], **changes)), near)


def llvm(op: str, near: str = "", **kinds: str) -> Bug:
    return replace(row(op, near, llvm={**ops.OPS[op].llvm, **kinds}), on=("cpu",))


def wgsl(op: str, near: str = "", **kinds: str) -> Bug:
    return replace(row(op, near, wgsl={**ops.OPS[op].wgsl, **kinds}), on=("native",))


def meant(op: str, other: str, near: str, second: Callable[..., Any] = lambda _, b: b) -> Bug:
    """An operation defined as another one; `second` makes the right side, so that none traps."""
    wrong = dict.fromkeys(ops.OPS[op].define, lambda a, b: apply(other, a, second(a, b)))
    return row(op, near, define=wrong)


def changed(module: Any, name: str, change: Callable[[Any], Any], near: str = "") -> Bug:
    """Another function, made from the one that is there, in its place."""
    return Bug(lambda p: p.setattr(module, name, change(getattr(module, name))), near)


def takes(names: dict[str, str]) -> Callable[[Any], Any]:
    """A function of an operation's name that takes one for another."""
    return lambda f: lambda op, *args, **more: f(names.get(op, op), *args, **more)


def always(value: Any) -> Callable[[Any], Any]:
    """A function that gives the same for everything."""
    return lambda _: lambda *_, **__: value


def _ends_early(f: Any) -> Any:
    return lambda var, start, stop, *args, **more: f(
        var, start, apply("sub", stop, integer(1)), *args, **more
    )


def _starts_at_zero(f: Any) -> Any:
    def bounds(*args: Any) -> Any:
        found = f(*args)
        return None if found is None else (integer(0), found[1])

    return bounds


def _shorter(s: For) -> For:
    return replace(s, stop=apply("sub", s.stop, integer(1)))


def _larger(f: Any) -> Any:
    return lambda e, index, shape, access: f(e, index, tuple(n + 1 for n in shape), access)


def _turned(f: Any) -> Any:
    def given(c: Any, node: Any, function: Any) -> Any:
        found = f(c, node, function)
        if found is None:
            return None
        return dict(zip(found, reversed(found.values()), strict=True))

    return given


def _other_order(f: Any) -> Any:
    return lambda name, buffers, scalars, body, outputs, *more, **named: f(
        name, buffers, scalars, body, outputs[::-1], *more, **named
    )


def _without_last(f: Any) -> Any:
    def turns(repeat: For, body: Any) -> Any:
        made = f(repeat, body)
        return replace(made, count=max(0, made.count - 1)) if isinstance(made.count, int) else made

    return turns


ARITHMETIC = {
    "floor division cuts": meant("floordiv", "quotient", "// -4", ops._safe_divisor),
    "modulo keeps the sign of the dividend": meant("mod", "remainder", "% -4", ops._safe_divisor),
    "left shifts take the width modulo": meant("shl", "shl_inside", "<< 40"),
    "right shifts of ints are logical": llvm("shr_inside", "] >> ", i="lshr"),
    "right shifts of unsigned ints keep the sign": llvm("shr_inside", ">>", u="ashr"),
    "ints compare as unsigned": llvm("lt", "<", i="ult"),
    "unsigned ints compare as signed": llvm("gt", "] > u[", u="sgt"),
    "at most is less on the cpu": llvm("le", "] <= ", i="slt"),
    "at least is more on the gpu": wgsl("ge", "] >= ", i="{0} > {1}"),
    "the larger is the smaller": llvm("max", "max", f="llvm.minimum"),
    "the smaller of unsigned ints is signed": llvm("min", "min", u="llvm.smin"),
    "or is exclusive on the gpu": wgsl("bitor", "|", i="{0} ^ {1}"),
    "exclusive or is or on the cpu": llvm("bitxor", "^", i="or"),
    "invert negates": wgsl("invert", "(~u[", u="~{0} + 1u"),
    "a ceiling is a floor": llvm("ceil", "ceil", f="llvm.floor"),
    "halves round away from zero": llvm("round", "round(", f="llvm.round"),
    "a product loses its right side": wgsl("mul", "*", f="{0}"),
    "a difference is a sum": llvm("sub", "] - ", i="add"),
    "an absolute value is none": wgsl("abs", "abs(a", f="{0}"),
    "not is nothing": wgsl("not", "not", b="{0}"),
    "division of unsigned ints is signed": llvm("quotient", "//", u="sdiv"),
    "bits are counted one too many": wgsl("bitwise_count", "count", u="countOneBits({0}) + 1u"),
    "x - 0 is 0 - x": changed(
        fold, "_identity", lambda f: lambda e: e.args[1] if e.op == "sub" else f(e), "-"
    ),
    "floats cut away from zero": changed(
        llvm_casts, "_conversion", lambda f: lambda *args: f(*args).replace("fptosi", "fptoui"),
        "i32(",
    ),
}  # fmt: skip

REDUCTIONS = {
    "sums start at one": row("add", "sum", unit=1),
    "products start at zero": row("mul", "prod", unit=0),
    "maxima start at zero": row("max", "max", unit=0),
    "minima start at zero": row("min", "min", unit=0),
    "any starts at true": row("or", "any", unit=1),
    "all starts at false": row("and", "all", unit=0),
    "the last of equals is the best": changed(
        lower, "apply", takes({"gt": "ge", "lt": "le"}), "arg"
    ),
    "filters hold always": changed(reductions, "_joined", always(None), "if"),
    "ranges start at zero": changed(reductions, "bounds_of", _starts_at_zero, "range(i, N)"),
    "lowered loops end early": changed(lower, "For", _ends_early),
}

LANGUAGE = {
    "where is the other way round": changed(
        calls, "Select", lambda f: lambda c, a, b, **more: f(c, b, a, **more), "where"
    ),
    "and is or": changed(
        comparisons, "both", lambda _: lambda a, b, _late, o: values.either(a, b, o), "and"
    ),
    "a bool counts as its opposite": changed(
        reductions, "Cast", lambda f: lambda t, e, **more: f(t, apply("not", e), **more), "sum"
    ),
    "arguments come in the other order": changed(inline, "_given", _turned, "f0("),
    "both results of a call are the first": changed(
        calls, "part", lambda f: lambda c, node, check: f(c, _first(node), check), "= f"
    ),
    "private arrays start at one": changed(
        assignments, "filled",
        lambda f: lambda a, value, names: f(a, replace(value, value=1), names), "_own",
    ),
    "together is one after the other": changed(
        assignments, "_kept", lambda _: lambda _flow, pair, _origin, _out: pair, "_f32, v"
    ),
    "a called kernel changes its arguments": changed(
        kernel_calls, "_in_place", always(value=True), "c0("
    ),
    "results come in the other order": changed(lower, "Loops", _other_order),
}  # fmt: skip

RUNS = {
    "what is read outside is not reported": changed(
        lower, "inside", lambda _: lambda _e, _index, _shape, access: access, "[g["
    ),
    "one past the end is inside": changed(lower, "inside", _larger, "[g["),
    "updates read what they wrote": changed(
        updates, "_own_element", always(value=True), "[i] = "
    ),
    "the number of a turn grows by two": changed(
        turns, "integer", lambda f: lambda n, **more: f(2 * n, **more), "for t"
    ),
    "the last turn is left out": changed(mapping, "turns", _without_last, "for t"),
    "the right side of and is taken where it is not asked for": changed(
        wgsl_prepare, "_not", lambda _: lambda cond: cond
    ),
    "split forgets the guard": changed(
        loop_steps, "If",
        lambda f: lambda _cond, *args, **more: f(
            apply("eq", integer(0), integer(0)), *args, **more
        ),
    ),
    "a workgroup is one too few": changed(
        mapping, "_mapped_loop", lambda f: lambda s, *args, **more: f(_shorter(s), *args, **more)
    ),
    "branches change places": changed(
        blocks, "If", lambda f: lambda test, a, b=(), **more: f(test, b, a, **more), "else:"
    ),
}  # fmt: skip


def _first(node: Any) -> Any:
    return inline.Part.of(node.call, node.count)[0]


def numpy_of(op: str, dtype: type, near: str, meaning: Callable[..., Any]) -> Bug:
    """An operation that the interpreter computes otherwise, in one dtype."""
    right = ops.OPS[op].numpy

    def wrong(a: Any, b: Any) -> Any:
        return (meaning if a.dtype == dtype else right)(a, b)

    return replace(row(op, near, numpy=wrong), on=("interpreter",))


def _saturated(a: Any, b: Any) -> Any:
    return np.clip(np.add(a, b, dtype=np.int32), -128, 127).astype(np.int8)


def conversion(old: str, new: str, near: str) -> Bug:
    """A cast on the cpu with another instruction."""

    def wrong(f: Any) -> Any:
        return lambda *args: (f(*args) or "").replace(old, new) or None

    bug = changed(llvm_casts, "_conversion", wrong, near)
    return replace(bug, on=("cpu",))


def _short_floats(f: Any) -> Any:
    """The join of two dtypes with no float above f32 but where one is an f64."""

    def joined(a: Any, b: Any) -> Any:
        found = f(a, b)
        return dtypes.F32 if found is dtypes.F64 and dtypes.F64 not in {a, b} else found

    return joined


def _as_signed(f: Any) -> Any:
    def instruction(op: str, operands: list[str], dtype: Any, lanes: int = 1) -> Any:
        signed = dtypes.I8 if dtype is dtypes.U8 and ops.OPS[op].compares else dtype
        return f(op, operands, signed, lanes)

    return instruction


def _of_the_first_size(f: Any) -> Any:
    def programs(*args: Any) -> Any:
        at, first = f(*args), dict[str, int]()

        def program(sizes: Any) -> Any:
            first.update({n: v for n, v in sizes.items() if n not in first})
            return at(first)

        return program

    return programs


DTYPES = {
    "i8 stops at its ends": numpy_of("add", np.int8, "i8", _saturated),
    "i8 loses its sign": conversion("sext i8", "zext i8", "i8"),
    "u8 gets a sign": conversion("zext i8", "sext i8", "u8"),
    "u8 compares as signed": replace(
        changed(llvm_expr, "instruction", _as_signed, "byte"), on=("cpu",)
    ),
    "floats become u8 as they become i8": conversion("fptoui.sat.i8", "fptosi.sat.i8", "u8("),
    "sums of small ints stay small": Bug(
        lambda p: p.setattr(reductions, "NARROW", ()), "i8(", ("interpreter",)
    ),
    "sums of f16 count in f16": Bug(
        lambda p: p.setattr(reductions, "F32", dtypes.F16), "sum(f16", ("interpreter",)
    ),
    "products of i64 are cut to 32 bits": numpy_of(
        "mul", np.int64, "i64", lambda a, b: np.multiply(a, b).astype(np.int32).astype(np.int64)
    ),
    "sums of f64 are rounded to f32": numpy_of(
        "add", np.float64, "f64", lambda a, b: np.add(a, b).astype(np.float32).astype(np.float64)
    ),
    "i64 is a wide i32 where it becomes a float": conversion("sitofp i64", "uitofp i64", "long"),
    "a float with an i64 is an f32": Bug(
        lambda p: p.setattr(values, "joined", _short_floats(values.joined)),
        "long", ("interpreter",),
    ),
}  # fmt: skip

OPEN = {
    "an open dim is the first size": replace(
        changed(pipeline, "_programs", _of_the_first_size), on=("cpu",), opened=True
    ),
}  # fmt: skip


BUGS = {**ARITHMETIC, **REDUCTIONS, **LANGUAGE, **RUNS, **DTYPES, **OPEN}
