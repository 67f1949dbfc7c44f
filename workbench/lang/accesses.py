"""Every access of a graph with what is known where it happens: ranges and conditions.

Blocks are followed symbolically: a local stands for the value that it has at that place, a
fresh name where that is not one expression (after loops, where branches meet).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import TYPE_CHECKING, Literal, assert_never

from workbench.base.dtypes import DType
from workbench.ir.expr import (
    Expr,
    Iterated,
    Load,
    Range,
    Reduce,
    Select,
    Var,
    apply,
    children,
    integer,
    rebuild,
    substitute,
    walk,
)
from workbench.ir.graph import Block, Definition, Equation, Graph, Repeat
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
    walk_stmts,
)

if TYPE_CHECKING:
    from workbench.base.source import Origin

LARGEST_VALUE = 60
"""Nodes of an expression that a local may stand for; a larger one gets a fresh name."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What stands between places of the text in the time of an access: the turn of a loop.

    "early" is a serial loop that may end early, "lane" a parallel loop, whose iterations have no
    order; "branch" is one of the two bodies of an `if`.
    """

    kind: Literal["turn", "early", "lane", "branch", "while"]
    name: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known at a place: ranges of indices, conditions on the way, values of locals.

    `when` is the time: places in the text, and turns of the loops between them. `private` are
    the private arrays: an element of one has a `fresh` name wherever it is read, for it may have
    changed since.
    """

    ranges: tuple[Range, ...] = ()
    path: tuple[Expr, ...] = ()
    values: Mapping[str, Expr] | None = None
    private: frozenset[str] = frozenset()
    fresh: count[int] | None = None
    when: tuple[int | Moment, ...] = ()

    def at(self, moment: int | Moment) -> Scene:
        """The scene at a place inside."""
        return replace(self, when=(*self.when, moment))

    def said(self, e: Expr) -> Expr:
        """The expression with each local replaced by what it stands for."""
        known = e if not self.values else substitute(e, self.values)
        return self._renamed(known) if self.private else known

    def _renamed(self, e: Expr) -> Expr:
        if isinstance(e, Load) and e.array in self.private:
            assert self.fresh is not None, "a block counts its names"
            return _fresh(e.array, e.dtype, self.fresh)
        return rebuild(e, self._renamed)

    def given(self, cond: Expr) -> Scene:
        """The scene where a condition (locals replaced) also holds."""
        return replace(self, path=(*self.path, cond))

    def over(self, r: Range) -> Scene:
        """The scene inside a range."""
        return replace(self, ranges=(*self.ranges, r))

    def setting(self, values: Mapping[str, Expr]) -> Scene:
        """The scene after locals got new values."""
        return replace(self, values={**(self.values or {}), **values})


@dataclass(frozen=True, slots=True)
class Access:
    """A read or write of `array[index]`, locals replaced; `store` where it writes."""

    array: str
    index: tuple[Expr, ...]
    scene: Scene
    origin: Origin
    store: Store | None = None
    places: tuple[Origin, ...] = ()


def accesses(graph: Graph) -> Iterator[Access]:
    """Every access of a graph, in text order."""
    for d in graph.definitions:
        yield from accesses_of(d)


def accesses_of(d: Definition, scene: Scene | None = None) -> Iterator[Access]:
    """Every access of one definition, in text order; `scene` is what is known around it."""
    around = Scene() if scene is None else scene
    match d:
        case Equation():
            ranges = tuple(Range(a.name, integer(0), a.extent) for a in d.axes)
            yield from _reads(d.value, replace(around, ranges=(*around.ranges, *ranges)))
        case Block():
            found: list[Access] = []
            private = frozenset(s.name for s in walk_stmts(d.body) if isinstance(s, Alloc))
            fresh = count()
            _body(d.body, replace(around, private=private, fresh=fresh), found, fresh)
            yield from found
        case Repeat():
            inner = around.over(Range(d.var, d.start, d.stop))
            for x in d.body:
                yield from accesses_of(x, inner)
        case _:
            assert_never(d)


def _reads(e: Expr, scene: Scene) -> Iterator[Access]:
    """The loads of an expression, each under the conditions of the branches around it."""
    match e:
        case Load(array, index):
            said = tuple(scene.said(x) for x in index)
            yield Access(array, said, scene, e.origin, places=tuple(x.origin for x in index))
            for x in index:
                yield from _reads(x, scene)
        case Select(cond, yes, no):
            yield from _reads(cond, scene)
            test = scene.said(cond)
            yield from _reads(yes, scene.given(test))
            yield from _reads(no, scene.given(apply("not", test)))
        case Reduce():
            yield from _reduction_reads(e, scene)
        case _:
            for x in children(e):
                yield from _reads(x, scene)


def _reduction_reads(e: Reduce, scene: Scene) -> Iterator[Access]:
    for r in e.ranges:
        yield from _reads(r.start, scene)
        yield from _reads(r.stop, scene)
        scene = scene.over(Range(r.var, scene.said(r.start), scene.said(r.stop)))
    if e.cond is not None:
        yield from _reads(e.cond, scene)
        scene = scene.given(scene.said(e.cond))
    yield from _reads(e.body, scene)


def _body(body: Body, scene: Scene | None, out: list[Access], fresh: count[int]) -> Scene | None:
    """Follow statements; None once control never arrives."""
    outer = () if scene is None else scene.when
    for n, s in enumerate(body):
        if scene is None:
            return None
        scene = _statement(s, replace(scene, when=(*outer, n)), out, fresh)
    return None if scene is None else replace(scene, when=outer)


def _statement(s: Stmt, scene: Scene, out: list[Access], fresh: count[int]) -> Scene | None:
    match s:
        case For():
            return _for(s, scene, out, fresh)
        case While():
            return _while(s, scene, out, fresh)
        case If():
            return _if(s, scene, out, fresh)
        case Local(name, value) | Assign(name, value):
            out += _reads(value, scene)
            return scene.setting({name: _value(name, scene.said(value), fresh)})
        case Store():
            for x in (*s.index, s.value):
                out += _reads(x, scene)
            said = tuple(scene.said(x) for x in s.index)
            places = tuple(x.origin for x in s.index)
            out.append(Access(s.array, said, scene, s.place, s, places))
            return scene
        case Break() | Continue():
            return None
        case Alloc() | Barrier() | Outside():
            return scene
        case _:
            assert_never(s)


def _value(name: str, value: Expr, fresh: count[int]) -> Expr:
    """What a local stands for: its value if that is small, else a fresh name."""
    small = sum(1 for _ in islice(walk(value), LARGEST_VALUE + 1)) <= LARGEST_VALUE
    if small and not any(isinstance(x, Reduce | Iterated) for x in walk(value)):
        return value
    return _fresh(name, value.dtype, fresh)


def _fresh(name: str, dtype: DType, fresh: count[int]) -> Var:
    return Var(f"{name}@{next(fresh)}", dtype)


def _changed(body: Body, fresh: count[int]) -> dict[str, Expr]:
    """A fresh name for each local that a body assigns."""
    return {
        s.name: _fresh(s.name, s.value.dtype, fresh)
        for s in walk_stmts(body)
        if isinstance(s, Assign | Local)
    }


def _for(s: For, scene: Scene, out: list[Access], fresh: count[int]) -> Scene:
    out += _reads(s.start, scene)
    out += _reads(s.stop, scene)
    bounds = Range(s.var, scene.said(s.start), scene.said(s.stop))
    inner = scene.over(bounds)
    if s.kind is LoopKind.PARALLEL:
        _body(s.body, inner.at(Moment("lane", s.var)), out, fresh)
        return scene
    early = any(isinstance(x, Break) for x in walk_stmts(s.body))
    inner = inner.at(Moment("early" if early else "turn", s.var))
    _body(s.body, inner.setting(_changed(s.body, fresh)), out, fresh)
    return scene.setting(_changed(s.body, fresh))


def _while(s: While, scene: Scene, out: list[Access], fresh: count[int]) -> Scene:
    inner = scene.setting(_changed(s.body, fresh)).at(Moment("while", ""))
    out += _reads(s.cond, inner)
    _body(s.body, inner.given(inner.said(s.cond)), out, fresh)
    return scene.setting(_changed(s.body, fresh))


def _if(s: If, scene: Scene, out: list[Access], fresh: count[int]) -> Scene | None:
    out += _reads(s.cond, scene)
    test = scene.said(s.cond)
    then = _body(s.then, scene.given(test).at(Moment("branch", "then")), out, fresh)
    other = scene.given(apply("not", test)).at(Moment("branch", "else"))
    orelse = _body(s.orelse, other, out, fresh)
    if then is None or orelse is None:
        return orelse if then is None else then
    met: dict[str, Expr] = {}
    for name in {*(then.values or {}), *(orelse.values or {})}:
        a, b = (then.values or {}).get(name), (orelse.values or {}).get(name)
        if a is None or b is None:
            known = a or b
            assert known is not None
            met[name] = _fresh(name, known.dtype, fresh)
        else:
            met[name] = a if a is b else _value(name, Select(test, a, b), fresh)
    return replace(scene, values=met)
