"""Integer arithmetic on literals, done at compile time, so that indices read like a textbook's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench.ir.expr import Apply, Const, Expr, Var, integer, rebuild
from workbench.ir.ops import OPS


def fold(e: Expr) -> Expr:
    """The same expression with integer and bool operations on literals evaluated.

    Also `x + 0`, `x - 0`, `x * 1`, `x // 1` and `x * 0` for i32; floats are left as written.
    """
    inner = rebuild(e, fold)
    if not isinstance(inner, Apply) or inner.args[0].dtype.kind not in "iub":
        return inner
    if all(isinstance(a, Const) for a in inner.args):
        return _evaluate(inner)
    return _identity(inner)


def literal_int(e: Expr) -> int | None:
    """The value of an integer literal, None for anything else."""
    folded = fold(e)
    return int(folded.value) if isinstance(folded, Const) else None


def bind_dims(e: Expr, values: dict[str, int]) -> Expr:
    """Each dim replaced by its value, which keeps the origin of the place where it stood."""
    match e:
        case Var(name) if name in values:
            return integer(values[name], origin=e.origin)
        case _:
            return rebuild(e, lambda x: bind_dims(x, values))


def _evaluate(e: Apply) -> Expr:
    args = [np.asarray(a.value, a.dtype.numpy) for a in e.args if isinstance(a, Const)]
    with np.errstate(all="ignore"):
        value = OPS[e.op].numpy(*args).astype(e.dtype.numpy)
    return Const(value.item(), e.dtype, origin=e.origin)


def _identity(e: Apply) -> Expr:
    match e:
        case Apply("add" | "sub", (x, Const(0))) | Apply("mul" | "floordiv", (x, Const(1))):
            return replace(x, origin=e.origin) if isinstance(x, Const) else x
        case Apply("add", (Const(0), x)) | Apply("mul", (Const(1), x)):
            return x
        case Apply("mul", (Const(0) as zero, _)) | Apply("mul", (_, Const(0) as zero)):
            return zero
        case _:
            return e
