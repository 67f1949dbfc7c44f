"""Loop blocks: whether two parallel iterations may write one element, by isl.

An update by `+`, `max` or `min` is made atomic where they may; a plain store is a mistake where
they do, with two iterations that isl found, and marked as unproved where isl cannot say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL
from workbench.ir import affine
from workbench.ir.expr import Const, Expr, Range, Var, apply, free_names, integer, substitute, walk
from workbench.ir.stmt import Store, map_bodies
from workbench.lang.prove import World, conditions_of, settled_by_literals, tame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from workbench.base.source import Span
    from workbench.ir.affine import Points
    from workbench.ir.graph import Array
    from workbench.ir.stmt import Body, Stmt
    from workbench.lang.accesses import Access
    from workbench.lang.report import Report

_LIKED = (8, 4)
"""Sizes of dims that counter-examples take if they can."""

ATOMIC = frozenset({"add", "max", "min"})
"""The operations of updates that devices can make atomic."""
_SIGNS = {"add": "+=", "max": "max", "min": "min", None: "="}


@dataclass(frozen=True, slots=True)
class Writes:
    """The stores of one array in one block, each with its conditions; `element` its indices.

    `again` is true where the array has values before the block.
    """

    world: World
    array: Array
    parallel: tuple[Range, ...]
    stores: tuple[Access, ...]
    uncertain: frozenset[int]
    again: bool

    @property
    def element(self) -> tuple[str, ...]:
        """The names of the indices of an element."""
        return tuple(f"(element {n})" for n in range(len(self.array.shape)))

    @property
    def outer(self) -> tuple[str, ...]:
        """Dims and scalars."""
        return tuple(dict.fromkeys((*self.world.dims, *self.world.scalars)))

    @property
    def loops(self) -> tuple[str, ...]:
        """The variables of the parallel loops."""
        return tuple(r.var for r in self.parallel)

    @property
    def operations(self) -> tuple[str | None, ...]:
        """The operations of its updates, None for plain stores, each once."""
        return tuple(dict.fromkeys(a.store.reduce for a in self.stores if a.store))


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two stores that two iterations may make to one element: an example, if isl has one."""

    stores: tuple[Access, Access]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """The stores to be made atomic and those that are not proved apart, by identity.

    `indices` are the parallel indices around each of the latter.
    """

    atomic: frozenset[int] = frozenset()
    indices: Mapping[int, tuple[Expr, ...]] | None = None

    def __or__(self, other: Marks) -> Marks:
        return Marks(self.atomic | other.atomic, {**(self.indices or {}), **(other.indices or {})})

    def put(self, body: Body) -> Body:
        """The body with exactly these marks."""
        return tuple(self._put(s) for s in body)

    def _put(self, s: Stmt) -> Stmt:
        inner = map_bodies(s, self.put)
        if not isinstance(inner, Store):
            return inner
        unproved = (self.indices or {}).get(id(s), ())
        return replace(inner, atomic=id(s) in self.atomic, unproved=unproved)


def clashes(report: Report, w: Writes) -> Marks | None:
    """The marks of the stores of an array; None after a mistake."""
    if all(pointwise(w, a) for a in w.stores) and _one_order(w):
        return Marks()
    found = list(_meetings(w))
    if not found:
        return Marks()
    match w.operations:
        case (None,):
            return _plain(report, w, found)
        case (op,) if op in ATOMIC:
            return Marks(frozenset(id(a.store) for a in w.stores))
        case _:
            _mixed(report, w, found[0])
            return None


def _plain(report: Report, w: Writes, found: Sequence[Meeting]) -> Marks | None:
    for m in found:
        if m.words:
            span = m.stores[1].origin.nearest_span()
            assert span is not None, "a store of a block has a place"
            hint = "an element for each iteration, or an update with += or max"
            if len(w.loops) == len(w.array.shape):
                hint = report.mended(span, f"{w.array.name}[{', '.join(w.loops)}]")
            report.wrong(span, m.words, hint=hint)
            return None
    indices = tuple(Var(r.var, origin=r.origin) for r in w.parallel)
    return Marks(indices={id(a.store): indices for m in found for a in m.stores})


def _mixed(report: Report, w: Writes, m: Meeting) -> None:
    """Several operations on one element by several iterations: the order would decide."""
    first = w.stores[0]
    other = next(a for a in w.stores if a.store and first.store
                 and a.store.reduce != first.store.reduce)  # fmt: skip
    one, two = (a.origin.nearest_span() for a in (first, other))
    assert one is not None, "a store of a block has a place"
    assert two is not None, "a store of a block has a place"
    signs = [_SIGNS.get(a.store.reduce if a.store else None, "=") for a in (first, other)]
    may = m.words or f"two iterations may write one element of {w.array.name}"
    report.wrong(
        two,
        f"'{w.array.name}' is written by '{signs[1]}' here and by '{signs[0]}' at line "
        f"{one.position[0]} ({' '.join(one.text.split())}), and {may}: the order would decide",
        hint="a grid for each, one after the other",
    )


def _meetings(w: Writes) -> Iterator[Meeting]:
    """The pairs of stores that two parallel iterations may make to one element."""
    for place, a in enumerate(w.stores):
        for b in w.stores[place:]:
            try:
                found = _meeting(w, a, b)
            except affine.EffortError:
                found = Meeting((a, b))
            if found is not None:
                yield found


def check_reads(report: Report, w: Writes, reads: Iterable[Access]) -> None:
    """Report what an iteration reads of an array while another one may write it."""
    for a in reads:
        for b in w.stores:
            m = _read_meeting(w, b, a)
            if m is None:
                continue
            span = a.origin.nearest_span()
            assert span is not None, "a read of a block has a place"
            name = w.array.name
            write = b.origin.nearest_span()
            assert write is not None, "a store of a block has a place"
            where = f"{' '.join(write.text.split())} at line {write.position[0]}"
            said = m.words or f"another iteration of the grid may write this element ({where})"
            report.wrong(span, f"{said}; a grid has no order",
                         hint=_kept_apart(report, name, span, write))  # fmt: skip
            break


def _kept_apart(report: Report, name: str, read: Span, write: Span) -> str:
    """The line that writes the new values into an array of their own."""
    if read == write:
        return "an update that is made at once: +=, -=, max or min"
    if read.position[0] != write.position[0]:
        return f"another array for the new values: {name}_2"
    return report.mended(write, write.text.replace(name, f"{name}_2", 1))


def apart(w: Writes, reads: Iterable[Access]) -> bool:
    """Whether it is proved that no iteration reads what another one writes."""
    reads = list(reads)
    if waits(w, (*w.outer, *(r.var for a in reads for r in a.scene.ranges)), *reads, *w.stores):
        return False
    return all(_read_meeting(w, b, a) is None for a in reads for b in w.stores)


def _read_meeting(w: Writes, store: Access, read: Access) -> Meeting | None:
    if pointwise(w, store) and store.index == read.index:
        return None
    words = "the iteration ({one}) writes {element}, which the iteration ({two}) reads"
    try:
        return _meeting(w, store, read, words)
    except affine.EffortError:
        return Meeting((store, read))


def _meeting(
    w: Writes,
    a: Access,
    b: Access,
    words: str = "the iterations ({one}) and ({two}) both write {element}",
) -> Meeting | None:
    """None where two iterations surely write different elements, or literal dims will tell."""
    first, second = happens(w, a), [_primed(w, e) for e in happens(w, b)]
    serial = [r.var for x in (a, b) for r in x.scene.ranges if r.var not in w.loops]
    inner = (*w.loops, *serial)
    variables = (*w.outer, *inner, *map(_other, inner), *w.element)
    apart: Expr = Const(value=False, dtype=BOOL)
    for n in w.loops:
        apart = apply("or", apart, apply("ne", Var(n), Var(_other(n))))
    everything = [*first, *second, apart]
    names = tuple(dict.fromkeys(variables))
    f = affine.frame(names, everything)
    with affine.bounded(f):
        points = meet(f, everything)
        if points.is_empty() or (not f.exact and waits(w, names, a, b)):
            return None
        if not f.exact:
            return Meeting((a, b))
        example = affine.sample(f, points, likes=likes(f, w))
    assert example is not None, "the set is not empty"
    one = ", ".join(f"{n} = {example[n]}" for n in w.loops)
    two = ", ".join(f"{n} = {example[_other(n)]}" for n in w.loops)
    element = f"{w.array.name}[{', '.join(str(example[n]) for n in w.element)}]"
    return Meeting((a, b), words.format(one=one, two=two, element=element))


def happens(w: Writes, a: Access) -> list[Expr]:
    """The conditions under which a store writes the element."""
    inner = tuple(r.var for r in a.scene.ranges)
    variables = tuple(dict.fromkeys((*w.outer, *w.element, *inner)))
    given = conditions_of(w.world, a.scene)
    conditions, index = tame(w.world, variables, given, a.index)
    return [*conditions, *_equal(w, index)]


def _equal(w: Writes, index: tuple[Expr, ...]) -> list[Expr]:
    return [apply("eq", Var(n), x) for n, x in zip(w.element, index, strict=True)]


def pointwise(w: Writes, a: Access) -> bool:
    """Whether the element is the parallel indices themselves, each once, in any order."""
    names = [x.name for x in a.index if isinstance(x, Var)]
    return len(names) == len(a.index) and sorted(names) == sorted(w.loops)


def _one_order(w: Writes) -> bool:
    """Whether all stores have their indices in the same order."""
    return len({a.index for a in w.stores}) == 1


def waits(w: Writes, variables: Sequence[str], *stores: Access) -> bool:
    """Whether literal dims will decide: what isl cannot say is arithmetic on dims only."""
    said = [e for a in stores for e in (*conditions_of(w.world, a.scene), *a.index)]
    return settled_by_literals(w.world, variables, [*said, *w.array.shape])


def _primed(w: Writes, e: Expr) -> Expr:
    """The same condition in the second iteration: all but dims and scalars are its own."""
    fixed = {*w.outer, *w.element}
    names = free_names(e) - fixed
    return substitute(e, {n: _second(e, n) for n in names})


def _other(name: str) -> str:
    """The name of a variable in the second iteration."""
    return f"{name}'"


def _second(e: Expr, name: str) -> Var:
    dtype = next(x.dtype for x in walk(e) if isinstance(x, Var) and x.name == name)
    return Var(_other(name), dtype)


def meet(f: affine.Frame, conditions: Iterable[Expr]) -> Points:
    """The points at which all conditions hold."""
    points = affine.everywhere(f)
    for c in conditions:
        points = points.intersect(affine.condition(f, c))
    return points


def likes(f: affine.Frame, w: Writes) -> list[Points]:
    """What counter-examples should be if they can: dims of usual sizes."""
    return [
        affine.condition(f, apply("eq", Var(d), integer(size)))
        for size in _LIKED
        for d in w.world.dims
    ]
