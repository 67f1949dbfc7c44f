"""Producers: nests that compute every element of a temporary array by itself.

`compute_steps` moves them; here they are recognised, and it is asked whether what they read is
still the same at another place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.ir.access import accesses, leaves
from workbench.ir.deps import Clash, carried, met
from workbench.ir.expr import Expr, Load, Var, free_names, loads
from workbench.ir.extents import expression
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Body,
    For,
    Local,
    LoopKind,
    Memory,
    Outside,
    Stmt,
    Store,
    expressions,
    reads,
    walk_stmts,
    writes,
)
from workbench.schedule.names import shown
from workbench.schedule.nests import literal, loops_in, repeated
from workbench.schedule.step import YES, Verdict, no

_OPEN = {LoopKind.SERIAL, LoopKind.PARALLEL}


@dataclass(frozen=True, slots=True)
class Producer:
    """How each element of an array is computed, by itself: `element`, for values of the axes.

    `axes` has the loop of each dimension, `order` the same loops outermost first; `body` is the
    one in which the nest stands, at `place`.
    """

    buffer: Buffer
    body: Body
    place: int
    axes: tuple[For, ...]
    order: tuple[For, ...]
    element: Body

    @property
    def later(self) -> Body:
        """The statements behind the nest."""
        return self.body[self.place + 1 :]


def producer(loops: Loops, array: str) -> Producer | Verdict:
    """The nest that computes a temporary array, or why it cannot be taken from its place."""
    buffer = loops.buffer(array)
    if buffer is None or buffer.role != "temporary" or array in loops.outputs:
        if array in loops.inner:
            return no(f"{array} is computed inside a loop already")
        names = [b.name for b in loops.buffers if b.role == "temporary"]
        words = "is no array of this kernel" if buffer is None else f"is an {buffer.role}"
        hint = ", ".join(map(repr, names)) or "a kernel of several equations"
        return no(f"{array} {words}; what other equations read can be moved", hint=hint)
    body, places = _home(loops.body, array)
    if len(places) != 1:
        origins = [next(writes((body[n],))).origin for n in places]
        return no(f"{len(places)} nests write {array}", *origins)
    nest = body[places[0]]
    order, element = _axes(nest, len(buffer.shape))
    found = _element(loops, buffer, nest, order, element)
    if isinstance(found, Verdict):
        return found
    return Producer(buffer, body, places[0], found, order, element)


def _home(body: Body, array: str) -> tuple[Body, list[int]]:
    """The body in which the nests that write an array stand, and their places there."""
    places = [n for n, s in enumerate(body) if any(w.array == array for w in writes((s,)))]
    if len(places) == 1:
        only = body[places[0]]
        if isinstance(only, For) and repeated(only):
            return _home(only.body, array)
    return body, places


def _axes(nest: Stmt, rank: int) -> tuple[tuple[For, ...], Body]:
    """The outermost loops that stand directly in one another, as many as there are dimensions."""
    order: list[For] = []
    body: Body = (nest,)
    while len(order) < rank:
        match body:
            case (For() as loop,):
                order.append(loop)
                body = loop.body
            case _:
                break
    return tuple(order), body


def _element(
    loops: Loops, buffer: Buffer, nest: Stmt, order: Sequence[For], element: Body
) -> tuple[For, ...] | Verdict:
    """The loop of each dimension, or why the elements are not computed each by itself."""
    array, own = buffer.name, {x.var: x for x in order}
    stores = [s for s in writes((nest,)) if s.array == array]
    index = stores[0].index
    names = [e.name for e in index if isinstance(e, Var)]
    if len(own) < len(buffer.shape) or sorted(names) != sorted(own):
        reason = f"{array} is not computed element by element: its subscripts are no plain loops"
        return no(reason, stores[0].place, stores[0].origin, hint="before split, tile and fuse")
    places: list[tuple[Stmt | Load, tuple[Expr, ...]]] = [(s, s.index) for s in stores]
    places += [(x, x.index) for x in reads((nest,)) if x.array == array]
    for s, other in places:
        if other != index:
            return no(f"an element of {array} needs another one", s.origin)
    axes = tuple(own[name] for name in names)
    for x, extent in zip(axes, buffer.shape, strict=True):
        whole = literal(x.start) == 0 and x.step == 1 and x.stop == expression(extent)
        if not whole or x.kind not in _OPEN:
            words = f"is {x.kind.value}" if whole else f"does not run over all of {array}"
            hint = f"before other steps on {shown(loops, x.var)!r}"
            return no(f"'{shown(loops, x.var)}' {words}", x.origin, hint=hint)
    refusal = _mixed(loops, buffer, element)
    return axes if refusal else refusal


def _mixed(loops: Loops, buffer: Buffer, element: Body) -> Verdict:
    """Refuses statements that do more than compute one element."""
    own = {s.name for s in walk_stmts(element) if isinstance(s, Alloc)}
    if leaves(element):
        return no(f"a break or continue ends the loops of {buffer.name}")
    kept = kept_outside(loops, element)
    if kept:
        reason = f"'{min(kept)}', which {buffer.name} needs, is kept outside of its elements"
        return no(reason, element[0].origin)
    for s in walk_stmts(element):
        match s:
            case Store(array) if array != buffer.name and array not in own:
                return no(f"{array} is written in the same nest", s.origin)
            case Store() if s.atomic or s.unproved:
                return no(f"{s.array} is updated atomically", s.origin)
            case Outside():
                reason = f"an access of {s.array} is checked there, once for each element"
                return no(reason, s.origin, hint="an index that is proved to stay inside")
            case For() if s.kind.mapped or s.kind.together or s.kind is LoopKind.WORKER:
                return no(f"'{shown(loops, s.var)}' is mapped onto {s.kind.value}", s.origin)
            case Alloc() if s.memory is not Memory.PRIVATE:
                return no(f"it holds {s.name} in {s.memory.value} memory", s.origin)
            case _:
                pass
    return YES


def kept_outside(loops: Loops, body: Body) -> set[str]:
    """The locals and private arrays that statements use and that others declare."""
    used: set[str] = set()
    for s in walk_stmts(body):
        for e in expressions(s):
            used |= free_names(e) | {x.array for x in loads(e)}
        if isinstance(s, Assign):
            used.add(s.name)
    return used & (_declared(loops.body) - _declared(body))


def _declared(body: Body) -> set[str]:
    return {s.name for s in walk_stmts(body) if isinstance(s, Local | Alloc)}


def readers(body: Body, array: str) -> Iterator[tuple[Stmt, Load]]:
    """The statements of a body that read an array, each with its first load of it."""
    for s in body:
        first = next((x for x in reads((s,)) if x.array == array), None)
        if first is not None:
            yield s, first


def changed(p: Producer, later: Body) -> Clash | None:
    """What the element's inputs become before `later` reads them, which now computes elements.

    `later` are the statements that stood behind the nest, with the element's statements put in.
    """
    own = {s.name for s in walk_stmts(p.element) if isinstance(s, Alloc)}
    inputs = {x.array for x in reads(p.element)} - own
    if not inputs & {s.array for s in writes(later)}:
        return None
    moved = {id(x.origin) for x in reads(p.element)}
    touched = [a for a in accesses(later) if a.array in inputs]
    again = [a for a in touched if not a.changes and id(a.origin) in moved]
    clash = met([a for a in touched if a.changes], again)
    if clash is not None:
        return clash
    for nest in later:
        inside = [a for a in accesses((nest,)) if a.array in inputs]
        for x in loops_in((nest,)):
            if x.kind not in {LoopKind.SERIAL, LoopKind.UNROLLED, LoopKind.REPEAT}:
                clash = carried(inside, x.var)
                if clash is not None:
                    return clash
    return None


def refuse_change(p: Producer, clash: Clash) -> Verdict:
    """The refusal of a change that comes in between."""
    return no(
        f"{clash.array}, from which {p.buffer.name} is computed, changes before it is read",
        *clash.where,
        example=clash.words,
        hint=f"leave {p.buffer.name} in a nest of its own",
    )
