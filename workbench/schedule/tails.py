"""What becomes of the iterations that are left where a factor does not divide an extent.

guard: the last tile runs whole, and its body asks whether there is an iteration.
peel:  whole tiles run without asking; what is left has a loop of its own behind them, `k_t`.
pad:   the last tile runs whole without asking; what it adds too much is the identity of the
       update, and whatever else would be seen is guarded for itself.

Pure changes of trees: `loop_steps` says when they keep the answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from workbench.base.source import Origin
from workbench.ir.expr import Apply, Const, Expr, Select, Var, apply, free_names, integer, loads
from workbench.ir.ops import unit, zero
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Barrier,
    Body,
    Break,
    Continue,
    For,
    If,
    Local,
    LoopKind,
    Outside,
    Stmt,
    Store,
    While,
)
from workbench.schedule.nests import copied, fresh, literal, with_values

TAILS = ("guard", "peel", "pad")
OUTER, INNER, TAIL = "_o", "_i", "_t"
"""What `split` adds to the name of a loop."""


def split(loop: For, count: Expr, factor: int, outer: str, inner: str, *, pad: bool = False) -> For:
    """The two loops that do what one that runs `count` times does; the guard is innermost."""
    origin = loop.origin.derive(f"split by {factor}")
    number = _joined(outer, inner, factor, origin)
    body = with_values(loop.body, {loop.var: iteration(loop, number, origin)})
    whole = literal(count)
    if whole is None or whole % factor:
        fits = apply("lt", number, replace(count, origin=origin), origin=origin)
        body = padded(body, fits) if pad else (_guard(fits, body, origin),)
    return _nested(loop, _parts(count, factor), factor, body, (outer, inner), origin)


def peeled(loop: For, count: Expr, factor: int, names: set[str]) -> Body:
    """Whole tiles, and behind them a loop over the iterations that are left, if there are any."""
    origin = loop.origin.derive(f"split by {factor}, the rest behind")
    outer, inner = fresh(names, loop.var + OUTER), fresh(names, loop.var + INNER)
    number = _joined(outer, inner, factor, origin)
    body = with_values(loop.body, {loop.var: iteration(loop, number, origin)})
    tiles = _whole(count, factor)
    main = _nested(loop, tiles, factor, body, (outer, inner), origin)
    whole = literal(count)
    if whole is not None and whole % factor == 0:
        return (main,)
    rest = origin.derive("the tail")
    tail = fresh(names, loop.var + TAIL)
    value = iteration(loop, Var(tail, origin=rest), rest)
    own = copied(with_values(loop.body, {loop.var: value}), names, "the tail")
    done = literal(tiles)
    first = apply("mul", tiles, integer(factor)) if done is None else integer(done * factor)
    return (main, For(tail, first, count, own, loop.kind, origin=rest))


def iteration(loop: For, number: Expr, origin: Origin) -> Expr:
    """The value of a loop's variable in its iteration of a number, counted from 0."""
    value = number
    if loop.step != 1:
        value = apply("mul", value, integer(loop.step, origin), origin=origin)
    if literal(loop.start) != 0:
        value = apply("add", value, loop.start, origin=origin)
    return value


def padded(body: Body, fits: Apply) -> Body:
    """The body where it may run, unseen, for an iteration that does not fit."""
    moving = free_names(fits)
    return tuple(_padded(s, fits, moving) for s in body)


def _padded(s: Stmt, fits: Apply, moving: frozenset[str]) -> Stmt:
    match s:
        case Store(reduce=str(op)) if not s.atomic and _steady(s.index, moving):
            return replace(s, value=_either(fits, s.value, _identity(op, s.value)))
        case Local():
            value = s.value
            plain = next(loads(value), None) is None
            return s if plain else replace(s, value=_either(fits, value, zero(value.dtype)))
        case If():
            both = apply("and", fits, s.cond, origin=s.cond.origin)
            then, orelse = s.then, padded(s.orelse, fits)
            return replace(s, cond=both, then=then, orelse=orelse)
        case For() if _steady((s.start, s.stop), moving):
            return replace(s, body=padded(s.body, fits))
        case Alloc():
            return s
        case For() | While() | Assign() | Store() | Break() | Continue() | Barrier() | Outside():
            return _guard(fits, (s,), s.origin)
        case _:
            assert_never(s)


def _steady(parts: tuple[Expr, ...], moving: frozenset[str]) -> bool:
    """Whether expressions may be evaluated in an iteration that does not fit."""
    return not any(free_names(e) & moving or next(loads(e), None) for e in parts)


def _identity(op: str, value: Expr) -> Const:
    """What an update may add unseen; for float sums -0.0, which keeps a zero's sign."""
    if op == "add" and value.dtype.kind == "f":
        return Const(-0.0, value.dtype)
    return unit(op, value.dtype)


def _either(fits: Expr, value: Expr, otherwise: Const) -> Select:
    return Select(fits, value, replace(otherwise, origin=value.origin), origin=value.origin)


def _guard(fits: Expr, body: Body, origin: Origin) -> If:
    return If(fits, body, guard=True, origin=origin.derive("the tail"))


def _joined(outer: str, inner: str, factor: int, origin: Origin) -> Apply:
    """`outer * factor + inner`."""
    tiles = apply("mul", Var(outer, origin=origin), integer(factor, origin), origin=origin)
    return apply("add", tiles, Var(inner, origin=origin), origin=origin)


def _nested(
    loop: For, tiles: Expr, factor: int, body: Body, names: tuple[str, str], origin: Origin
) -> For:
    parts = LoopKind.PARALLEL if loop.kind is LoopKind.WORKER else loop.kind
    small = For(names[1], integer(0), integer(factor), body, parts, origin=origin)
    return For(names[0], integer(0), tiles, (small,), loop.kind, origin=origin)


def _parts(count: Expr, factor: int) -> Expr:
    """`ceil(count / factor)`."""
    whole = literal(count)
    if whole is not None:
        return integer(-(-whole // factor))
    if factor == 1:
        return count
    return apply("floordiv", apply("add", count, integer(factor - 1)), integer(factor))


def _whole(count: Expr, factor: int) -> Expr:
    """`floor(count / factor)`, 0 where nothing runs."""
    whole = literal(count)
    if whole is not None:
        return integer(whole // factor)
    runs = count if isinstance(count, Var) else apply("max", count, integer(0))
    return apply("floordiv", runs, integer(factor))
