"""Arrays that are written in parts: each element that is read or returned is written before.

An access happens at a time: its place in the text, with the turns of the serial loops around
it. A write comes before a read in text order, in an earlier turn, or before the grid; what other
iterations of the same grid write meanwhile does not count. isl says whether the writes reach
every element read; a write under a condition that it cannot say does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from workbench.ir import affine
from workbench.ir.expr import Expr, Range, Var, apply, integer, substitute, walk
from workbench.ir.forms import opaque
from workbench.ir.graph import Block, Definition, Equation, Graph, Repeat, defined
from workbench.lang.accesses import Moment, Scene, accesses_of
from workbench.lang.extents import shape_text
from workbench.lang.lines import valued
from workbench.lang.prove import World, conditions_of, meet, settled_by_literals, tame

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workbench.base.errors import Mistake
    from workbench.base.source import Origin
    from workbench.ir.affine import Points
    from workbench.ir.graph import Array
    from workbench.lang.report import Report

_LIKED = (8, 4)


Covered = frozenset[tuple[int, str]]
"""Blocks, by identity, and arrays of which they write every element."""


@dataclass(frozen=True, slots=True)
class _Event:
    """A read or a write of elements at a time; `span` is where it is reported.

    `index` is None where all elements are meant.
    """

    array: str
    index: tuple[Expr, ...] | None
    scene: Scene
    place: Origin | None


@dataclass(frozen=True, slots=True)
class _Question:
    """Whether the writes of an array reach what one event reads."""

    world: World
    array: Array
    writes: tuple[_Event, ...]

    @property
    def element(self) -> tuple[str, ...]:
        return tuple(f"(element {n})" for n in range(len(self.array.shape)))

    @property
    def outer(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.world.dims, *self.world.scalars)))


def check_written(
    report: Report, world: World, graph: Graph, covered: Covered, lacking: Mapping[str, Mistake]
) -> None:
    """Report every read and every result that may be of an element without a value.

    `lacking` are the mistakes of arrays that one block writes, and not as a whole.
    """
    arrays = graph.arrays()
    events = list(_events(graph.definitions, Scene(), covered))
    writes: dict[str, list[_Event]] = {}
    for e, is_write in events:
        if is_write:
            writes.setdefault(e.array, []).append(e)
    whole = {a.name for a in graph.inputs}
    said: set[str] = set()
    for e in _doubtful(graph, covered, whole):
        if e.array not in arrays or e.array in said:
            continue
        question = _Question(world, arrays[e.array], tuple(writes.get(e.array, ())))
        if _ask(report, question, e, lacking.get(e.array)):
            said.add(e.array)  # the next one has the same cause


def _doubtful(graph: Graph, covered: Covered, whole: set[str]) -> Iterator[_Event]:
    """The reads of arrays that no definition before them writes as a whole."""
    yield from _reads(graph.definitions, Scene(), covered, whole)
    end = Scene(when=(len(graph.definitions),))
    arrays = graph.arrays()
    for name in dict.fromkeys(graph.outputs):
        if name not in whole:
            yield _Event(name, None, end, arrays[name].origin)


def _reads(
    definitions: tuple[Definition, ...], scene: Scene, covered: Covered, whole: set[str]
) -> Iterator[_Event]:
    """The doubtful reads; `whole` grows by what is written as a whole."""
    for n, d in enumerate(definitions):
        here = scene.at(n)
        match d:
            case Repeat():
                inner = set(whole)
                yield from _reads(d.body, _turn(d, here), covered, inner)
            case Equation() | Block():
                for e, is_write in _accessed(d, here):
                    if not is_write and e.array not in whole:
                        yield e
                whole |= set(_wholly(d, covered))
            case _:
                assert_never(d)


def _turn(d: Repeat, scene: Scene) -> Scene:
    return scene.over(Range(d.var, d.start, d.stop)).at(Moment("turn", d.var))


def _events(
    definitions: tuple[Definition, ...], scene: Scene, covered: Covered
) -> Iterator[tuple[_Event, bool]]:
    """Every write, and whether it is one; definitions that write all elements do so at once."""
    for n, d in enumerate(definitions):
        here = scene.at(n)
        match d:
            case Repeat():
                yield from _events(d.body, _turn(d, here), covered)
            case Equation() | Block():
                yield from (x for x in _accessed(d, here) if x[1])
                for name in _wholly(d, covered):
                    yield _Event(name, None, here, None), True
            case _:
                assert_never(d)


def _wholly(d: Equation | Block, covered: Covered) -> Iterator[str]:
    """The arrays of which a definition writes every element."""
    for a in defined(d):
        if isinstance(d, Equation) or (id(d), a.name) in covered:
            yield a.name


def _accessed(d: Equation | Block, scene: Scene) -> Iterator[tuple[_Event, bool]]:
    """The reads and writes of a definition; an update of an element reads it."""
    for a in accesses_of(d, scene):
        event = _Event(a.array, a.index, a.scene, a.origin)
        if a.store is None or a.store.reduce is not None:
            yield event, False
        if a.store is not None:
            yield event, True


def _ask(report: Report, q: _Question, read: _Event, known: Mistake | None) -> bool:
    """Report an element that may have no value; true if there is one."""
    example: Mapping[str, int] | None
    try:
        example = _missing(q, read)
    except affine.EffortError:
        example = {}
    if example is None:
        return False
    if known is not None and read.index is None:
        if known not in report.mistakes:
            report.mistakes.append(known)
        return True
    name = q.array.name
    span = None if read.place is None else read.place.nearest_span()
    element = f"'{name}'"
    if example:
        element = f"{name}[{', '.join(str(example[n]) for n in q.element)}]"
    values = ", ".join(f"{d} = {example[d]}" for d in q.outer if d in example)
    verb = "returned" if read.index is None else "read"
    given = f" ({values})" if values else ""
    said = " ".join(span.text.split()) if span is not None else name
    message = f"{element} is not proved to be written before it is {verb}{given}"
    assert span is not None, "an access has a place"
    a = q.array
    hint = valued(report.source, name, shape_text(a.dtype, a.shape), a.dtype)
    report.wrong(span, message if read.index is None else f"{said}: {message}", hint=hint)
    return True


def _missing(q: _Question, read: _Event) -> Mapping[str, int] | None:
    """An element that is read and not surely written before, with the sizes; None if proved."""
    inner = tuple(r.var for r in read.scene.ranges)
    variables = tuple(dict.fromkeys((*q.outer, *q.element, *inner)))
    reads = _conditions(q, read, variables)
    sure: list[list[Expr]] = []
    waits = False
    for w in q.writes:
        for conditions in _before(q, w, read):
            names = (*variables, *(f"{r.var}'" for r in w.scene.ranges))
            if not any(opaque(e, names) for e in conditions):
                sure.append(conditions)
            else:
                waits = waits or settled_by_literals(q.world, names, conditions)
    primed = [f"{r.var}'" for w in q.writes for r in w.scene.ranges]
    names = tuple(dict.fromkeys((*variables, *primed)))
    f = affine.frame(names, [*reads, *(e for x in sure for e in x)])
    waits = waits or settled_by_literals(q.world, names, reads)
    with affine.bounded(f):
        left: Points = meet(f, reads)
        for conditions in sure:
            written = affine.everywhere(f)
            for e in conditions:
                written = written.intersect(affine.condition(f, e))
            left = left.subtract(affine.freed(written, len(variables), len(names)))
        if left.is_empty() or waits:
            return None
        likes = [
            affine.condition(f, apply("eq", Var(d), integer(size)))
            for size in _LIKED
            for d in q.world.dims
        ]
        return affine.sample(f, left, likes=likes)


def _conditions(q: _Question, e: _Event, variables: Sequence[str]) -> list[Expr]:
    """When an event happens to the element."""
    given = conditions_of(q.world, e.scene)
    conditions, index = tame(q.world, variables, given, e.index or ())
    inside: list[Expr] = []
    for n, extent in zip(q.element, q.array.shape, strict=True):
        inside += [apply("le", integer(0), Var(n)), apply("lt", Var(n), extent)]
    equal = [apply("eq", Var(n), x) for n, x in zip(q.element, index, strict=False)]
    return [*conditions, *inside, *equal]


def _before(q: _Question, write: _Event, read: _Event) -> Iterator[list[Expr]]:
    """The conditions of the write, its own variables primed, for each way to come first."""
    inner = tuple(r.var for r in write.scene.ranges)
    variables = tuple(dict.fromkeys((*q.outer, *q.element, *inner)))
    conditions = [_primed(e, frozenset(inner)) for e in _conditions(q, write, variables)]
    same: list[Expr] = []
    mine, other = write.scene.when, read.scene.when
    for level, (w, r) in enumerate(zip(mine, other, strict=False)):
        match w, r:
            case int(), int():
                if w < r and not any(_early(x) for x in mine[level + 1 :]):
                    yield [*conditions, *same]
                if w != r:
                    return
            case Moment(kind, name), Moment() if w == r:
                if kind in {"turn", "early"} and not any(_early(x) for x in mine[level + 1 :]):
                    yield [*conditions, *same, apply("lt", Var(f"{name}'"), Var(name))]
                if kind in {"turn", "early", "lane"}:
                    same.append(apply("eq", Var(f"{name}'"), Var(name)))
            case _:
                return


def _early(x: int | Moment) -> bool:
    """Whether a part of a time is in a loop that may have ended before."""
    return isinstance(x, Moment) and x.kind in {"early", "while"}


def _primed(e: Expr, names: frozenset[str]) -> Expr:
    """The condition with variables of the write's own."""
    used = {x.name: x.dtype for x in walk(e) if isinstance(x, Var) and x.name in names}
    return substitute(e, {n: Var(f"{n}'", t) for n, t in used.items()}) if used else e
