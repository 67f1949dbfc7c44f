"""What statements mean: execution over lanes, one implementation for loops and device kernels.

Parallel loops become axes of the grid of lanes, other loops iterate; control flow is a mask of
the lanes that still run. Execution is a generator that stops at each barrier, so that the SIMT
interpreter can run groups of lanes at different speeds; loops have no barriers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, assert_never

import numpy as np

from workbench.base.progress import BOARD
from workbench.base.source import NOWHERE
from workbench.ir.expr import Load, walk
from workbench.ir.interpret_expr import empty_range, evaluate_lanes, indices_of, trips
from workbench.ir.lanes import (
    AT_ONCE,
    SMALLEST_COST,
    Kind,
    Lanes,
    Mask,
    Place,
    Spot,
    Value,
    Where,
    allocate,
    both,
    either,
    locate,
    numpy_dtype,
    outside_error,
)
from workbench.ir.ops import OPS
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
    Memory,
    Outside,
    Stmt,
    Store,
    While,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from workbench.base.source import Origin

_NOBODY = np.zeros((), np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """The lanes of `mask` came to a barrier."""

    barrier: Barrier
    mask: Mask


Flow: TypeAlias = "Generator[Arrival, None, Mask]"


def run_loops_body(lanes: Lanes, body: Body) -> None:
    """Run statements without barriers to their end."""
    for arrival in run_body(lanes, body, None):
        message = f"a barrier stands in loops: {arrival.barrier}"
        raise AssertionError(message)


def run_body(lanes: Lanes, body: Body, mask: Mask) -> Flow:
    """Run statements; gives the lanes that run on after them (the others broke or continued)."""
    for s in body:
        if lanes.follow is not None and not isinstance(s, For | While):
            lanes.follow(s, mask)
        after = yield from _run(lanes, s, mask)
        if after is not mask and after is not None and not after.any():
            return after
        mask = after
    return mask


def _run(lanes: Lanes, s: Stmt, mask: Mask) -> Flow:  # noqa: C901  (one case per statement)
    match s:
        case For():
            yield from _for(lanes, s, mask)
        case While():
            yield from _while(lanes, s, mask)
        case If():
            return (yield from _if(lanes, s, mask))
        case Local(name, value):
            lanes.env[name] = evaluate_lanes(lanes, value, mask)
        case Assign():
            _assign(lanes, s, mask)
        case Store():
            _store(lanes, s, mask)
        case Alloc():
            _allocate(lanes, s)
        case Break():
            lanes.leave(mask)
            return _NOBODY
        case Continue():
            return _NOBODY
        case Barrier():
            yield Arrival(s, mask)
        case Outside():
            _report(lanes, s, mask)
        case _:
            assert_never(s)
    return mask


def _report(lanes: Lanes, s: Outside, mask: Mask) -> None:
    """An access that a check found outside: a fault of device kernels, else `RunError`."""
    index = tuple(evaluate_lanes(lanes, x, mask) for x in s.index)
    hit = np.broadcast_to(np.asarray(True if mask is None else mask), lanes.shape)
    if not hit.any():
        return
    indices = partial(indices_of, lanes, s.iteration, mask)
    if s.kind == "finds":
        raise empty_range("argmax or argmin", s.origin, indices(), hit)
    where = Where(s.kind, s.origin, indices)
    if lanes.watch is None:
        raise outside_error(s.array, lanes.arrays[s.array], index, hit, where)
    lanes.watch.outside(s.array, index, hit, where)


def _for(lanes: Lanes, s: For, mask: Mask) -> Flow:
    match s.kind:
        case LoopKind.SERIAL | LoopKind.UNROLLED | LoopKind.VECTOR | LoopKind.REPEAT:
            if _accumulates(lanes, s):
                yield from _parallel(lanes, s, mask)
            else:
                yield from _serial(lanes, s, mask)
        case (
            LoopKind.PARALLEL | LoopKind.WORKER | LoopKind.COOPERATIVE | LoopKind.PREFETCH
            | LoopKind.WORKGROUP_X | LoopKind.WORKGROUP_Y | LoopKind.WORKGROUP_Z
            | LoopKind.INVOCATION_X | LoopKind.INVOCATION_Y | LoopKind.INVOCATION_Z
        ):  # fmt: skip
            yield from _parallel(lanes, s, mask)
        case _:
            assert_never(s.kind)
    return mask


def _accumulates(lanes: Lanes, s: For) -> bool:
    """Whether a serial loop of few lanes only adds to arrays that it does not read.

    Such a loop gives the same result, rounding included, with its iterations as lanes:
    `_combine` folds colliding lanes in the order of the iterations.
    """
    if lanes.watch is not None or math.prod(lanes.shape) >= SMALLEST_COST:
        return False
    stores = [x for x in s.body if isinstance(x, Store) and x.reduce is not None]
    targets = {x.array for x in stores}
    if len(stores) != len(s.body) or len(targets) != len(stores):
        return False
    read = {e.array for x in stores for e in walk(x.value) if isinstance(e, Load)}
    plain = not any(isinstance(e, Load) for x in stores for i in x.index for e in walk(i))
    return plain and not targets & read


def _parallel(lanes: Lanes, s: For, mask: Mask) -> Flow:
    """All iterations at once, as a new leading axis of the grid; large grids in pieces."""
    start, stop = evaluate_lanes(lanes, s.start, mask), evaluate_lanes(lanes, s.stop, mask)
    even = start.ndim == 0 and stop.ndim == 0
    count = trips(start, stop, s.step, mask)
    grid, separate = lanes.shape, lanes.separate
    at_once = max(1, AT_ONCE // max(1, _width(lanes, s)))
    own = not s.kind.on_invocations
    for first in range(0, count, at_once):
        length = min(at_once, count - first)
        steps = np.arange(first, first + length, dtype=np.int32) * np.int32(s.step)
        var = np.asarray(start + steps.reshape((length,) + (1,) * len(grid)))
        lanes.shape, lanes.separate = (length, *grid), (own, *separate)
        lanes.env[s.var] = var
        yield from run_body(lanes, s.body, mask if even else both(mask, np.asarray(var < stop)))
    lanes.shape, lanes.separate = grid, separate
    return mask


def _width(lanes: Lanes, s: For) -> int:
    """Lanes that an iteration of a loop has: a copy is the same for a whole workgroup."""
    if not s.kind.together:
        return math.prod(lanes.shape)
    axes = zip(lanes.shape, lanes.separate, strict=True)
    return math.prod(n for n, separate in axes if separate)


def _serial(lanes: Lanes, s: For, mask: Mask) -> Flow:
    """Iterations one after the other; lanes with fewer iterations rest."""
    start, stop = evaluate_lanes(lanes, s.start, mask), evaluate_lanes(lanes, s.stop, mask)
    even = start.ndim == 0 and stop.ndim == 0
    alive = mask
    for number in range(trips(start, stop, s.step, mask)):
        BOARD.look()
        var = np.add(start, np.int32(number * s.step))
        active = alive if even else both(alive, np.asarray(var < stop))
        if lanes.follow is not None:
            lanes.follow(s, active)
        lanes.env[s.var] = var
        alive, any_left = yield from _iteration(lanes, s.body, active, alive)
        if not any_left:
            break
    return mask


def _while(lanes: Lanes, s: While, mask: Mask) -> Flow:
    alive = mask
    while True:
        if lanes.follow is not None:
            lanes.follow(s, alive)
        cond = np.asarray(evaluate_lanes(lanes, s.cond, alive))
        if cond.ndim or not cond:
            alive = both(alive, cond)
        if alive is not None and not alive.any():
            return mask
        lanes.turn(s.origin)
        alive, any_left = yield from _iteration(lanes, s.body, alive, alive)
        if not any_left:
            return mask


def _iteration(
    lanes: Lanes, body: Body, active: Mask, alive: Mask
) -> Generator[Arrival, None, tuple[Mask, bool]]:
    """One iteration for `active` lanes; gives those of `alive` that did not break, and if any."""
    lanes.broken.append(False)
    if active is None or active.any():
        yield from run_body(lanes, body, active)
    broken = lanes.broken.pop()
    if broken is False:
        return alive, True
    if broken is None:
        return _NOBODY, False
    alive = both(alive, ~broken)
    return alive, alive is None or bool(alive.any())


def _if(lanes: Lanes, s: If, mask: Mask) -> Flow:
    cond = np.asarray(evaluate_lanes(lanes, s.cond, mask))
    yes, no = both(mask, cond), both(mask, ~cond)
    if no is None or not no.any():
        return (yield from run_body(lanes, s.then, mask))
    if yes is None or not yes.any():
        return (yield from run_body(lanes, s.orelse, mask))
    after_yes = yield from run_body(lanes, s.then, yes)
    after_no = yield from run_body(lanes, s.orelse, no)
    if after_yes is yes and after_no is no:
        return mask
    return either(after_yes, after_no)


def _assign(lanes: Lanes, s: Assign, mask: Mask) -> None:
    new = evaluate_lanes(lanes, s.value, mask)
    lanes.env[s.name] = new if mask is None else np.where(mask, new, lanes.env[s.name])


def _allocate(lanes: Lanes, s: Alloc) -> None:
    dtype = numpy_dtype(s.dtype, wide=lanes.wide)
    if s.memory is Memory.WORKGROUP and lanes.shared is not None:
        if s.name not in lanes.shared:
            lanes.shared[s.name] = allocate(lanes, s.shape, dtype, s.memory)
        lanes.arrays[s.name] = lanes.shared[s.name]
        return
    if s.memory is Memory.STORAGE:
        lanes.arrays[s.name] = Place(allocate(lanes, s.shape, dtype, s.memory).cells, s.shape)
        return
    lanes.arrays[s.name] = allocate(lanes, s.shape, dtype, s.memory)


def _store(lanes: Lanes, s: Store, mask: Mask) -> None:
    place = lanes.arrays[s.array]
    spot = _spot(lanes, s, mask)
    value = evaluate_lanes(lanes, s.value, mask).astype(place.cells.dtype, copy=False)
    if spot.outside is not None:
        mask = both(mask, ~spot.outside)
    if place.size == 0:
        return
    if lanes.watch is not None:
        peace = f"atomic {s.reduce}" if s.atomic else "unproved" if s.unproved else ""
        lanes.watch.touch(s.array, spot.at, mask, _kind(s), _named(s), peace)
    if s.unproved and lanes.apart is not None:
        indices = tuple(evaluate_lanes(lanes, x, mask) for x in s.unproved)
        lanes.apart.add(s, spot.at, mask, indices, lanes.shape)
    takes_turns = _takes_turns(lanes, s, place, spot)
    every_lane = takes_turns or s.reduce is not None
    at = np.broadcast_to(spot.at, lanes.shape) if every_lane else spot.at
    at, value = _chosen(at, value, mask, turned=takes_turns)
    if s.reduce is None:
        place.cells[at] = value
    elif takes_turns:
        _ufunc(s.reduce).at(place.cells, at, value)
    else:
        place.cells[at] = _ufunc(s.reduce)(place.cells[at], value)


def _chosen(at: Value, value: Value, mask: Mask, *, turned: bool) -> tuple[Value, Value]:
    """The elements and values of the lanes that run.

    The grid of lanes has its innermost loop first: `turned` around, its lanes are in the order
    of the loops.
    """
    if mask is None and value.shape == at.shape and not turned:
        return at, value
    shape = np.broadcast_shapes(at.shape, value.shape, () if mask is None else mask.shape)
    at, value = np.broadcast_to(at, shape), np.broadcast_to(value, shape)
    here = None if mask is None else np.broadcast_to(mask, shape)
    if turned:
        at, value, here = at.T, value.T, None if here is None else here.T
    return (at, value) if here is None else (at[here], value[here])


def _takes_turns(lanes: Lanes, s: Store, place: Place, spot: Spot) -> bool:
    """Whether lanes that meet in one element come one after the other, as loops would.

    In device kernels only atomic updates do: else a lane reads, computes and writes, and one of
    them wins.
    """
    if s.atomic or s.unproved:
        return True
    if s.reduce is None or lanes.watch is not None:
        return False
    if spot.distinct is None:
        spot.distinct = _distinct(place, np.broadcast_to(spot.at, lanes.shape))
    return not spot.distinct


def _kind(s: Store) -> Kind:
    if s.reduce is None:
        return "writes"
    return "atomically updates" if s.atomic else "updates"


def _ufunc(op: str) -> np.ufunc:
    meaning = OPS[op].numpy
    assert isinstance(meaning, np.ufunc), f"'{op}' does not reduce"
    return meaning


def _distinct(place: Place, at: Value) -> bool:
    """Whether no two lanes have the same element."""
    flat = at.reshape(-1)
    if flat.size > place.cells.size:
        return False
    order = np.arange(flat.size)
    last = np.empty(place.cells.size, np.intp)
    last[flat] = order
    return bool((last[flat] == order).all())


def _spot(lanes: Lanes, s: Store, mask: Mask) -> Spot:
    """Where a store goes; the spot of the last time, where nothing it depends on has changed."""
    place = lanes.arrays[s.array]
    steady = lanes.watch is None and not any(lanes.loads(x) for x in s.index)
    inputs: tuple[object, ...] = ()
    if steady:
        names = frozenset[str]().union(*(lanes.free_names(x) for x in s.index))
        inputs = (place, mask, *(lanes.env[n] for n in sorted(names)))
        known = lanes.spots.get(id(s))
        if known is not None and known.serves(inputs, lanes.shape):
            return known
    index = tuple(evaluate_lanes(lanes, x, mask) for x in s.index)
    indices = partial(indices_of, lanes, s.iteration, mask)
    where = Where(_kind(s), _named(s), indices)
    at, outside = locate(lanes, s.array, index, mask, where)
    spot = Spot(inputs, lanes.shape, at, outside)
    if steady:
        lanes.spots[id(s)] = spot
    return spot


def _named(s: Store) -> Origin:
    """What messages quote for a store: its left-hand side, where that is known."""
    return s.origin if s.place is NOWHERE else s.place
