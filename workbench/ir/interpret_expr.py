"""What expressions mean: evaluation over lanes with NumPy, reductions included.

Only lanes that take a branch load in it. Floats are computed in their own dtype, or all in
float64 where the run is wide; integers wrap at their width in both. It writes nothing.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from workbench.base.dtypes import DType
from workbench.base.errors import RunError
from workbench.base.progress import BOARD
from workbench.ir.expr import (
    Apply,
    Cast,
    Const,
    Expr,
    Iterated,
    Iteration,
    Load,
    Range,
    Reduce,
    Select,
    Var,
)
from workbench.ir.lanes import (
    AT_ONCE,
    Indices,
    Lanes,
    Mask,
    Value,
    both,
    first_iteration,
    iteration_words,
    load,
    numpy_dtype,
)
from workbench.ir.ops import OPS, unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.base.source import Origin

_FOLDS = {"any": "or", "all": "and"}


def evaluate_lanes(lanes: Lanes, e: Expr, mask: Mask) -> Value:
    """The value of an expression in every lane; lanes outside `mask` get any value.

    Raises `RunError` for an index outside (without a watch) and for argmax of nothing.
    """
    match e:
        case Const():
            return _constant(lanes, e)
        case Var(name):
            return lanes.env[name]
        case Load(_, index):
            at = tuple(evaluate_lanes(lanes, x, mask) for x in index)
            return load(lanes, e, at, mask, partial(indices_of, lanes, e.iteration, mask))
        case Apply():
            return _apply(lanes, e, mask)
        case Cast(dtype, arg):
            return convert(evaluate_lanes(lanes, arg, mask), dtype, wide=lanes.wide)
        case Select():
            return _select(lanes, e, mask)
        case Reduce(op):
            return (_best if op in {"argmax", "argmin"} else _fold)(lanes, e, mask)
        case Iterated():
            return _iterated(lanes, e, mask)
        case _:
            assert_never(e)


def indices_of(lanes: Lanes, iteration: Iteration, mask: Mask) -> Indices:
    """The indices around a place, in every lane."""
    return tuple((name, evaluate_lanes(lanes, x, mask)) for name, x in iteration)


def constant(value: float, dtype: DType, *, wide: bool = False) -> Value:
    """A scalar of a dtype; integers wrap."""
    if dtype.kind in "iu":
        value = int(value) % 2**dtype.bits
        if dtype.kind == "i" and value >= 2 ** (dtype.bits - 1):
            value -= 2**dtype.bits
    return numpy_dtype(dtype, wide=wide).type(value)


def _constant(lanes: Lanes, e: Const) -> Value:
    """A literal of the program, made once."""
    known = lanes.constants.get(id(e))
    if known is None:
        known = lanes.constants[id(e)] = constant(e.value, e.dtype, wide=lanes.wide)
    return known


def convert(value: Value, dtype: DType, *, wide: bool = False) -> Value:
    """A cast: float to int truncates and saturates, NaN gives 0; ints wrap; to bool is != 0."""
    want = numpy_dtype(dtype, wide=wide)
    if value.dtype == want:
        return value
    if value.dtype.kind == "f" and want.kind in "iu":
        bounds = np.iinfo(want)
        low, high = float(bounds.min), float(bounds.max)
        real = np.trunc(value.astype(np.float64))
        inside = (real > low) & (real < high)
        whole = np.where(inside, real, 0.0).astype(want)
        whole = np.where(real <= low, want.type(bounds.min), whole)
        return np.where(real >= high, want.type(bounds.max), whole)
    if want.kind == "b":
        return np.not_equal(value, 0)
    return value.astype(want)


def trips(start: Value, stop: Value, step: int, mask: Mask) -> int:
    """The largest number of iterations that a lane of `mask` makes."""
    span = np.subtract(stop, start, dtype=np.int64)
    if mask is not None:
        span = np.where(mask, span, 0)
    return max(0, -(-int(span.max()) // step)) if span.size else 0


def _apply(lanes: Lanes, e: Apply, mask: Mask) -> Value:
    if e.op in {"and", "or"} and lanes.loads(e.args[1]):
        return _short_circuit(lanes, e, mask)
    values = [evaluate_lanes(lanes, x, mask) for x in e.args]
    result = OPS[e.op].numpy(*values)
    want = numpy_dtype(e.dtype, wide=lanes.wide)
    return result if result.dtype == want else result.astype(want)


def _short_circuit(lanes: Lanes, e: Apply, mask: Mask) -> Value:
    """`and` and `or` read memory on the right only where the left leaves the answer open."""
    left = evaluate_lanes(lanes, e.args[0], mask)
    still = left if e.op == "and" else np.logical_not(left)
    open_lanes = both(mask, np.asarray(still))
    if not np.any(open_lanes):
        return left
    right = evaluate_lanes(lanes, e.args[1], open_lanes)
    return np.where(still, right, left)


def _select(lanes: Lanes, e: Select, mask: Mask) -> Value:
    cond = evaluate_lanes(lanes, e.cond, mask)
    if cond.ndim == 0:
        return evaluate_lanes(lanes, e.yes if cond else e.no, mask)
    if not (lanes.loads(e.yes) or lanes.loads(e.no)):
        return np.where(cond, evaluate_lanes(lanes, e.yes, mask), evaluate_lanes(lanes, e.no, mask))
    taken, other = both(mask, cond), both(mask, ~cond)
    if not np.any(other):
        return evaluate_lanes(lanes, e.yes, mask)
    if not np.any(taken):
        return evaluate_lanes(lanes, e.no, mask)
    yes = evaluate_lanes(lanes, e.yes, taken)
    return np.where(cond, yes, evaluate_lanes(lanes, e.no, other))


def _iterated(lanes: Lanes, e: Iterated, mask: Mask) -> Value:
    """What a value is after a loop: lanes whose loop has ended rest."""
    values = [np.asarray(evaluate_lanes(lanes, x, mask)) for x in e.first]
    hidden = {name: lanes.env[name] for name in e.bound if name in lanes.env}
    for alive in _turns(lanes, e, values, mask):
        new = [evaluate_lanes(lanes, x, alive) for x in e.following]
        values[:] = (
            new
            if alive is None
            else [np.where(alive, n, old) for n, old in zip(new, values, strict=True)]
        )
    for name in e.bound:
        lanes.env.pop(name, None)
    lanes.env.update(hidden)
    return values[e.place]


def _turns(lanes: Lanes, e: Iterated, values: list[Value], mask: Mask) -> Iterator[Mask]:
    """The lanes that take part in each turn, with the names of the loop bound."""
    over = e.over
    if isinstance(over, Range):
        start, stop = (evaluate_lanes(lanes, x, mask) for x in (over.start, over.stop))
        for turn in range(trips(start, stop, 1, mask)):
            BOARD.look()
            var = np.add(start, np.int32(turn))
            lanes.env.update(zip(e.names, values, strict=True))
            lanes.env[over.var] = var
            yield both(mask, np.asarray(var < stop))
        return
    alive = mask
    while True:
        lanes.env.update(zip(e.names, values, strict=True))
        alive = both(alive, np.asarray(evaluate_lanes(lanes, over, alive)))
        if alive is not None and not alive.any():
            return
        lanes.turn(e.origin)
        yield alive


def _fold(lanes: Lanes, e: Reduce, mask: Mask) -> Value:
    """Any reduction but argmax and argmin, piece by piece of its iterations."""
    op = OPS[_FOLDS.get(e.op, e.op)]
    start = unit(op.name, e.dtype)
    neutral = constant(start.value, e.dtype, wide=lanes.wide)
    fold: Any = op.numpy
    rank, total = len(lanes.shape), neutral
    for inside, active in _pieces(lanes, e, e.ranges, mask, None):
        body = convert(evaluate_lanes(lanes, e.body, active), e.dtype, wide=lanes.wide)
        if inside is not None:
            body = np.where(inside, body, neutral)
        body = _over_ranges(lanes, body, rank)
        axes = tuple(range(len(lanes.shape) - rank))
        total = fold(total, fold.reduce(body, axis=axes, dtype=neutral.dtype))
    return total


def _best(lanes: Lanes, e: Reduce, mask: Mask) -> Value:
    """For argmax and argmin: the first index of the best value; the first NaN is the best."""
    largest = e.op == "argmax"
    fold = np.maximum if largest else np.minimum
    worst = unit("max" if largest else "min", e.body.dtype)
    rank = len(lanes.shape)
    best = constant(worst.value, e.body.dtype, wide=lanes.wide)
    index: Value = np.int32(-1)  # pyright: ignore[reportAssignmentType]
    found: Value = np.bool_(0)  # pyright: ignore[reportAssignmentType]
    for inside, active in _pieces(lanes, e, e.ranges, mask, None):
        body = evaluate_lanes(lanes, e.body, active)
        var = lanes.env[e.ranges[0].var]
        valid: Value = np.asarray(True if inside is None else inside)
        body, var, valid = np.broadcast_arrays(_over_ranges(lanes, body, rank), var, valid)
        body = np.where(valid, body, constant(worst.value, e.body.dtype, wide=lanes.wide))
        peak = fold.reduce(body, axis=0)
        hit = valid & (np.equal(body, peak) | np.not_equal(body, body))  # NaN is not itself
        here = np.expand_dims(hit.argmax(axis=0), 0)
        ahead = (peak > best) if largest else (peak < best)
        better = ~found | ahead | (np.not_equal(peak, peak) & np.equal(best, best))
        better &= hit.any(axis=0)
        best = np.where(better, peak, best)
        index = np.where(better, np.take_along_axis(var, here, 0)[0], index)
        found = found | better
    missing = ~found if mask is None else ~found & mask
    if np.any(missing) and math.prod(lanes.shape):
        hit = np.broadcast_to(missing, lanes.shape)
        raise empty_range(e.op, e.origin, indices_of(lanes, e.iteration, mask), hit)
    return index


def empty_range(op: str, origin: Origin, indices: Indices, hit: Value) -> RunError:
    """The error of an argmax or argmin that runs over nothing in the lanes of `hit`."""
    return RunError(
        f"{op} of an empty range has no answer{iteration_words(first_iteration(indices, hit))}",
        span=origin.nearest_span(),
        hint="give the range at least one index, or guard it: `... if n > 0 else -1`",
    )


def _over_ranges(lanes: Lanes, body: Value, rank: int) -> Value:
    """The body broadcast over the axes of the ranges, whose grid has `rank` axes outside."""
    ranges = lanes.shape[: len(lanes.shape) - rank]
    return np.broadcast_to(body, np.broadcast_shapes(body.shape, ranges + (1,) * rank))


def _pieces(
    lanes: Lanes, e: Reduce, ranges: tuple[Range, ...], mask: Mask, inside: Mask
) -> Iterator[tuple[Mask, Mask]]:
    """Pieces of the iterations, as leading axes of the grid while each is yielded.

    Yields the iterations that exist (None: all of them) and those of running lanes.
    """
    if not ranges:
        if e.cond is not None:
            cond = np.asarray(evaluate_lanes(lanes, e.cond, both(mask, inside)))
            inside = both(inside, cond)
        yield inside, both(mask, inside)
        return
    first, *rest = ranges
    outer, hidden = lanes.shape, lanes.env.get(first.var)
    active = both(mask, inside)
    start, stop = (evaluate_lanes(lanes, x, active) for x in (first.start, first.stop))
    even = start.ndim == 0 and stop.ndim == 0
    count = trips(start, stop, 1, active)
    at_once = max(1, AT_ONCE // max(1, _used(lanes, e, ranges, active, start, stop)))
    for begin in range(0, count, at_once):
        length = min(at_once, count - begin)
        steps = np.arange(begin, begin + length, dtype=np.int32)
        var = start + steps.reshape((length,) + (1,) * len(outer))
        lanes.env[first.var], lanes.shape = var, (length, *outer)
        exists = inside if even else both(inside, np.asarray(var < stop))
        yield from _pieces(lanes, e, tuple(rest), mask, exists)
    lanes.shape = outer
    lanes.env.pop(first.var, None)
    if hidden is not None:
        lanes.env[first.var] = hidden


def _used(lanes: Lanes, e: Reduce, ranges: tuple[Range, ...], mask: Mask, *bounds: Value) -> int:
    """The number of values that the body has per iteration: lanes it does not use do not count."""
    names = lanes.free_names(e.body) - {r.var for r in ranges}
    known = (lanes.env.get(name) for name in names)
    shapes = [v.shape for v in (*known, mask, *bounds) if v is not None]
    return math.prod(np.broadcast_shapes(*shapes))
