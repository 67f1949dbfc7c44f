"""Copies: the loops that bring a box of elements into closer memory and back, or compute it there.

`memory_steps` and `compute_steps` decide what may be copied; here the statements are made.
Dimensions in which a box has one element are left out of the copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

from workbench.base.source import Origin
from workbench.ir.expr import Const, Expr, Load, Select, Var, apply, integer, substitute
from workbench.ir.extents import expression
from workbench.ir.linear import minus, plus
from workbench.ir.loops import Buffer
from workbench.ir.stmt import (
    Alloc,
    Body,
    For,
    If,
    LoopKind,
    Memory,
    Stmt,
    Store,
    map_bodies,
    map_exprs,
    reads,
    subscript,
)
from workbench.schedule.borders import Borders
from workbench.schedule.nests import derived, fresh, literal, with_loads, with_values
from workbench.schedule.producers import Producer
from workbench.schedule.regions import Box

Index = tuple[Expr, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is copied and how: `fetch` the old values first, `keep` the new ones at the end.

    `outside` tells for each dimension whether the box may begin before the array and end
    past it.
    """

    loop: For
    buffer: Buffer
    memory: Memory
    region: Box
    outside: Borders
    fetch: bool
    keep: bool
    origin: Origin
    transposed: bool = False
    pad: int = 0
    double: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the copy as its elements are counted, before it is laid out."""
        return tuple(size for size in self.region.extents if size > 1)


def cached(loop: For, plan: Plan, names: set[str]) -> For:
    """The loop with the copy declared, fetched, used instead of the array, and kept."""
    name = fresh(names, f"{plan.buffer.name}_{plan.memory.value}")
    shape = plan.shape
    declared = Alloc(name, plan.buffer.dtype, shape, plan.memory, origin=plan.origin)
    shared = plan.memory is Memory.WORKGROUP
    fetch, keep = (_fetch_together, _keep_together) if shared else (_fetch_alone, _keep_alone)
    fetched = fetch(plan, name, names) if plan.fetch else ()
    kept = keep(plan, name, names) if plan.keep else ()
    used = tuple(_using(s, plan, name) for s in loop.body)
    place = _after_copies(loop.body, plan.buffer.name) if shared else 0
    body = (*used[:place], declared, *fetched, *used[place:], *kept)
    return replace(loop, body=tuple(_laid_out(s, plan, name) for s in body))


def ahead(loop: For, plan: Plan, names: set[str]) -> Body:
    """The loop behind its first copy; while an iteration uses one half, the next is fetched."""
    name = fresh(names, f"{plan.buffer.name}_{plan.memory.value}")
    origin = plan.origin
    var = Var(loop.var, origin=origin)
    following = apply("add", var, integer(1, origin), origin=origin)
    first = _fetch_for(loop, integer(0, origin), plan, name, names)
    later = _fetch_for(loop, following, plan, name, names)
    note = origin.derive("fetched for the next iteration")
    later = replace(later, kind=LoopKind.PREFETCH, origin=note)
    used = _half(tuple(_using(s, plan, name) for s in loop.body), name, var)
    place = _after_copies(loop.body, plan.buffer.name)
    body: Body = (
        Alloc(name, plan.buffer.dtype, (2, *plan.shape), plan.memory, origin=origin),
        first,
        replace(loop, body=(*used[:place], later, *used[place:])),
    )
    return tuple(_laid_out(s, plan, name) for s in body)


def _fetch_for(loop: For, iteration: Expr, plan: Plan, name: str, names: set[str]) -> For:
    """The copy that an iteration of a loop needs, made in its half if there is that iteration."""
    corner = tuple(substitute(e, {loop.var: iteration}) for e in plan.region.corner)
    its = replace(plan, region=replace(plan.region, corner=corner))
    (fetched,) = _half(_fetch_together(its, name, names), name, iteration)
    assert isinstance(fetched, For)
    if isinstance(iteration, Const) and (literal(loop.stop) or 0) > 0:
        return fetched
    exists = apply("lt", iteration, loop.stop, origin=plan.origin)
    return replace(fetched, body=(If(exists, fetched.body, guard=True, origin=plan.origin),))


def _half(body: Body, name: str, iteration: Expr) -> Body:
    """The statements with accesses of the copy turned to the half that an iteration uses."""
    even = isinstance(iteration, Const)
    half = iteration if even else _op("mod", iteration, 2, iteration.origin)
    return tuple(_moved(s, name, name, lambda index: (half, *index)) for s in body)


def _laid_out(s: Stmt, plan: Plan, name: str) -> Stmt:
    """The statement where rows of the copy are columns, or have elements that nobody uses."""
    if not plan.transposed and not plan.pad:
        return s
    if isinstance(s, Alloc) and s.name == name:
        *first, last = _order(s.shape, plan)
        return replace(s, shape=(*first, last + plan.pad))
    return _moved(s, name, name, lambda index: _order(index, plan))


def _order(parts: Sequence[T], plan: Plan) -> tuple[T, ...]:
    """The parts of a subscript or shape, the last two exchanged where the copy is transposed."""
    if not plan.transposed:
        return tuple(parts)
    return (*parts[:-2], parts[-1], parts[-2])


def _after_copies(body: Body, array: str) -> int:
    """Where the copies end that a workgroup makes at the start of a body without this array."""
    for number, s in enumerate(body):
        copies = isinstance(s, Alloc) or (isinstance(s, For) and s.kind.together)
        if not copies or any(x.array == array for x in reads((s,))):
            return number
    return len(body)


def _using(s: Stmt, plan: Plan, name: str) -> Stmt:
    """The statement with every access of the array turned to the copy."""
    corner = plan.region.corner

    def index(old: Sequence[Expr]) -> tuple[Expr, ...]:
        places = zip(old, corner, plan.region.extents, strict=True)
        return tuple(_at(minus(e, c), e.origin) for e, c, size in places if size > 1)

    return _moved(s, plan.buffer.name, name, index)


def _moved(s: Stmt, array: str, name: str, index: Callable[[Sequence[Expr]], Index]) -> Stmt:
    """The statement with accesses of `array` turned to `name`, at another index."""

    def stores(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda b: tuple(stores(x) for x in b))
        if isinstance(inner, Store) and inner.array == array:
            return replace(inner, array=name, index=index(inner.index))
        return inner

    def turned(x: Load) -> Expr:
        return replace(x, array=name, index=index(x.index))

    return stores(map_exprs(s, lambda e: with_loads(e, array, turned)))


def _at(e: Expr, origin: Origin) -> Expr:
    """The expression in the place of one with that origin."""
    return replace(derived(e, origin), origin=origin)


def computed(loop: For, plan: Plan, producer: Producer, names: set[str]) -> For:
    """The loop with what it reads of an array computed at its beginning, under the array's name."""
    name = plan.buffer.name
    part = _elements(plan, [subscript(d) for d in range(len(plan.shape))])
    declared = Alloc(
        name, plan.buffer.dtype, plan.shape, plan.memory, part, origin=plan.buffer.origin
    )
    together = plan.memory is Memory.WORKGROUP
    filled = _fill_together(plan, producer, names) if together else _fill_alone(plan, producer)
    used = tuple(_using(s, plan, name) for s in loop.body)
    return replace(loop, body=(declared, *filled, *used))


def _fill_alone(plan: Plan, producer: Producer) -> Body:
    """The loops of the producer, over the box in place of the array."""
    sizes = dict(zip((x.var for x in producer.axes), plan.region.extents, strict=True))
    places: list[Expr] = [Var(x.var, origin=x.origin) for x in producer.axes if sizes[x.var] > 1]
    body = _instance(plan, producer, places, producer.element)
    for x in reversed(producer.order):
        if sizes[x.var] > 1:
            body = (replace(x, stop=integer(sizes[x.var], x.stop.origin), body=body),)
    return body


def _fill_together(plan: Plan, producer: Producer, names: set[str]) -> Body:
    """One loop that is shared out; an element is summed up in a private value, and stored once."""
    match producer.element:
        case (Store(reduce=None),):
            element = producer.element
        case _:
            element = _in_private(producer, fresh(names, f"{plan.buffer.name}_private"))
    return _together(
        plan, fresh(names, "fill"), "computed by the whole workgroup",
        lambda places: _instance(plan, producer, places, element),
    )  # fmt: skip


def _in_private(producer: Producer, name: str) -> Body:
    """The statements that compute an element, in a private value until it is whole."""
    array, origin = producer.buffer, producer.buffer.origin
    index = tuple(Var(x.var, origin=origin) for x in producer.axes)
    whole = Load(name, (), array.dtype, origin=origin)
    return (
        Alloc(name, array.dtype, (), Memory.PRIVATE, origin=origin),
        *(_moved(s, array.name, name, lambda _: ()) for s in producer.element),
        Store(array.name, index, whole, origin=origin, place=origin),
    )


def _instance(plan: Plan, producer: Producer, places: Sequence[Expr], element: Body) -> Body:
    """The statements that compute the element at a place of the box, if the array has it."""
    elements = _elements(plan, places)
    values = dict(zip((x.var for x in producer.axes), elements, strict=True))
    body = tuple(_using(s, plan, plan.buffer.name) for s in with_values(element, values))
    test = _in_array(plan, elements)
    return body if test is None else (If(test, body, guard=True, origin=plan.origin),)


def _fetch_together(plan: Plan, name: str, names: set[str]) -> Body:
    return _together(
        plan, fresh(names, "fetch"), "fetched by the whole workgroup",
        lambda places: (_fetched(plan, name, places),),
    )  # fmt: skip


def _together(plan: Plan, var: str, note: str, body: Callable[[Sequence[Expr]], Body]) -> Body:
    """A loop over all places of a copy, shared out to the invocations of a workgroup."""
    shape = plan.shape
    count = Var(var, origin=plan.origin)
    places: list[Expr] = []
    for d, size in enumerate(shape):
        after = math.prod(shape[d + 1 :])
        place: Expr = count if after == 1 else _op("floordiv", count, after, plan.origin)
        places.append(_op("mod", place, size, plan.origin) if d else place)
    stop, origin = integer(math.prod(shape)), plan.origin.derive(note)
    return (For(var, integer(0), stop, body(places), LoopKind.COOPERATIVE, origin=origin),)


def _op(op: str, e: Expr, by: int, origin: Origin) -> Expr:
    return apply(op, e, integer(by, origin), origin=origin)


def _fetch_alone(plan: Plan, name: str, names: set[str]) -> Body:
    places, variables = _places(plan, "fetch", names)
    return _over(plan, variables, (_fetched(plan, name, places),), "fetched")


def _keep_together(plan: Plan, name: str, names: set[str]) -> Body:
    return _together(
        plan, fresh(names, "keep"), "written back by the whole workgroup",
        lambda places: (_kept(plan, name, places),),
    )  # fmt: skip


def _keep_alone(plan: Plan, name: str, names: set[str]) -> Body:
    places, variables = _places(plan, "keep", names)
    return _over(plan, variables, (_kept(plan, name, places),), "written back")


def _kept(plan: Plan, name: str, places: Sequence[Expr]) -> Stmt:
    """The store that brings one element of the copy back, if the array has it."""
    elements = _elements(plan, places)
    load = Load(name, tuple(places), plan.buffer.dtype, origin=plan.origin)
    origin = plan.origin.derive("written back")
    stored = Store(plan.buffer.name, elements, load, origin=origin, place=plan.origin)
    test = _in_array(plan, elements)
    return stored if test is None else If(test, (stored,), guard=True, origin=origin)


def _fetched(plan: Plan, name: str, places: Sequence[Expr]) -> Store:
    """The store that brings one element of the box into the copy, 0 from outside the array."""
    elements = _elements(plan, places)
    dtype = plan.buffer.dtype
    value: Expr = Load(plan.buffer.name, elements, dtype, origin=plan.origin)
    test = _in_array(plan, elements)
    if test is not None:
        zero = Const(0.0 if dtype.kind == "f" else dtype.kind != "b" and 0, dtype)
        value = Select(test, value, replace(zero, origin=plan.origin), origin=plan.origin)
    return Store(name, tuple(places), value, origin=plan.origin, place=plan.origin)


def _places(plan: Plan, stem: str, names: set[str]) -> tuple[list[Expr], list[tuple[str, int]]]:
    """A subscript into the copy, and the variables (with extents) that run over it."""
    variables = [(fresh(names, f"{stem}_{d}"), size) for d, size in enumerate(plan.shape)]
    return [Var(name, origin=plan.origin) for name, _ in variables], variables


def _over(plan: Plan, variables: Sequence[tuple[str, int]], body: Body, note: str) -> Body:
    for var, size in reversed(variables):
        origin = plan.origin.derive(note)
        body = (For(var, integer(0), integer(size), body, origin=origin),)
    return body


def _elements(plan: Plan, places: Sequence[Expr]) -> tuple[Expr, ...]:
    """The element of the array at a place of the copy."""
    rest = iter(places)
    pairs = zip(plan.region.corner, plan.region.extents, strict=True)
    elements = (corner if size == 1 else plus(corner, next(rest)) for corner, size in pairs)
    return tuple(derived(e, plan.origin) for e in elements)


def _in_array(plan: Plan, elements: Sequence[Expr]) -> Expr | None:
    """Whether the element is one of the array, as far as that is not certain."""
    tests: list[Expr] = []
    for e, (low, high), extent in zip(elements, plan.outside, plan.buffer.shape, strict=True):
        tests += [apply("ge", e, integer(0), origin=plan.origin)] if low else []
        tests += [apply("lt", e, expression(extent), origin=plan.origin)] if high else []
    if not tests:
        return None
    return reduce(lambda a, b: apply("and", a, b, origin=plan.origin), tests)
