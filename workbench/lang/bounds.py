"""Bounds: every access of a graph is proved inside its array, a mistake, or checked as it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from workbench.base.dtypes import I32
from workbench.ir.expr import Const, Expr, Load, free_names, loads, rebuild
from workbench.ir.graph import Block, Equation, each, expanded
from workbench.ir.show import expr_text
from workbench.ir.stmt import Stmt, Store, expressions, map_bodies, map_exprs, walk_stmts, writes
from workbench.lang.accesses import Access, accesses_of
from workbench.lang.private import private_arrays
from workbench.lang.prove import Proved, Refuted, Unknown, Waits, World, prove_inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.base.source import Span
    from workbench.ir.graph import Array, Definition, Graph
    from workbench.lang.report import Report


ATOMIC = -1


def world_of(graph: Graph) -> World:
    """What holds everywhere in a graph."""
    scalars = tuple(s.name for s in graph.scalars if s.dtype is I32)
    return World(graph.symbols(), scalars, graph.facts)


def check_bounds(report: Report, graph: Graph) -> Graph:
    """Report every access that leaves its array; mark those that may, to be checked as they run.

    Gives the graph with its marks; those of before are gone.
    """
    arrays, world = graph.arrays(), world_of(graph)
    unknown: dict[int, set[int]] = {}
    for d in graph.definitions:
        arrays |= {a.name: a for a in private_arrays(d)}
        found = tuple(accesses_of(d))
        once = {(id(a.origin), id(a.scene)): a for a in found}
        for access in once.values():
            places = _check_access(report, world, access, arrays[access.array])
            unknown.setdefault(id(access.origin), set()).update(places)
    return _marked(graph, {k: tuple(sorted(v)) for k, v in unknown.items() if v})


def checked(graph: Graph) -> bool:
    """Whether an access is to be checked when it runs."""
    return any(place != ATOMIC for places in marks_of(graph).values() for place in places)


def marks_of(graph: Graph) -> dict[int, set[int]]:
    """The dimensions along which accesses are checked, by the identity of their origins.

    `ATOMIC` stands for an update that is made at once.
    """
    found: dict[int, set[int]] = {}
    for d in each(graph.definitions):
        inside = [d.value] if isinstance(d, Equation) else []
        if isinstance(d, Block):
            inside += [e for s in walk_stmts(d.body) for e in expressions(s)]
            for s in writes(d.body):
                found.setdefault(id(s.place), set()).update(s.checked, [ATOMIC] * s.atomic)
        for x in (x for e in inside for x in loads(e)):
            found.setdefault(id(x.origin), set()).update(x.checked)
    return found


def _marked(graph: Graph, unknown: Mapping[int, tuple[int, ...]]) -> Graph:
    """The graph in which exactly these accesses are checked, by the identity of their origins."""

    def mark(e: Expr) -> Expr:
        inner = rebuild(e, mark)
        if not isinstance(inner, Load):
            return inner
        places = unknown.get(id(e.origin), ())
        return inner if inner.checked == places else replace(inner, checked=places)

    def mark_store(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda body: tuple(mark_store(x) for x in body))
        if not isinstance(inner, Store):
            return inner
        return replace(inner, checked=unknown.get(id(inner.place), ()))

    def mark_definition(d: Equation | Block) -> tuple[Definition]:
        if isinstance(d, Block):
            return (replace(d, body=tuple(map_exprs(mark_store(s), mark) for s in d.body)),)
        return (replace(d, value=mark(d.value)),)

    return replace(graph, definitions=expanded(graph.definitions, mark_definition))


def _check_access(report: Report, world: World, access: Access, array: Array) -> Iterator[int]:
    """Report a dimension along which an access leaves its array; yields those not known."""
    for place, (index, extent) in enumerate(zip(access.index, array.shape, strict=True)):
        verdict = prove_inside(world, access.scene, index, extent)
        match verdict:
            case Proved() | Waits():
                pass
            case Refuted():
                _refuted(report, world, access, place, array=array, v=verdict)
            case Unknown():
                yield place
            case _:
                assert_never(verdict)


def _refuted(
    report: Report, world: World, access: Access, place: int, *, array: Array, v: Refuted
) -> None:
    access_span, span = _spans(access, place)
    if access_span is None or span is None:
        return
    text, size = _one_line(access_span), expr_text(array.shape[place])
    names = sorted(free_names(access.index[place]) & set(v.example), key=list(v.example).index)
    values = ", ".join(f"{n} = {v.example[n]}" for n in names)
    verb = "writes" if access.store else "reads"
    where = "before the start" if v.index < 0 else "past the end"
    steps = -v.index if v.index < 0 else v.index - v.extent + 1
    gives = f"{values} gives {v.index}" if values else f"the index is {v.index}"
    shown = f"extent {v.extent}" if size == str(v.extent) else f"extent {size} = {v.extent}"
    report.wrong(
        span,
        f"{text} {verb} {steps} {where}: {gives}, {shown}",
        hint=_hint(report, world, access, place, array=array, v=v),
    )


def _hint(
    report: Report, world: World, access: Access, place: int, *, array: Array, v: Refuted
) -> str:
    """The line that stays inside: a fact, a clamped index, or a condition around a write."""
    _, span = _spans(access, place)
    assert span is not None
    extent = array.shape[place]
    size, index = expr_text(extent), _one_line(span)
    known = access.index[place]
    if isinstance(known, Const):
        if v.index < 0 and known.value < 0:
            return report.mended(span, f"{size} - {-int(known.value)}")
        if isinstance(extent, Const):
            return report.mended(span, str(max(int(extent.value) - 1, 0)))
        return f"assert {size} > {index} as the first line"
    if v.only_empty:
        return f"assert {size} > 0 as the first line"
    test = f"{index} >= 0" if v.index < 0 else f"{index} < {size}"
    if access.store is not None and free_names(access.index[place]) <= {
        *world.dims,
        *world.scalars,
    }:
        return f"assert {test} as the first line"
    if access.store is not None:
        return f"if {test}: {report.mended(span, index)}"
    last = f"{int(extent.value) - 1}" if isinstance(extent, Const) else f"{size} - 1"
    clamped = f"max({index}, 0)" if v.index < 0 else f"min({index}, {last})"
    return report.mended(span, clamped)


def _spans(access: Access, place: int) -> tuple[Span | None, Span | None]:
    """The whole access, and the index at one place."""
    return access.origin.nearest_span(), access.places[place].nearest_span()


def _one_line(span: Span) -> str:
    return " ".join(span.text.split())
