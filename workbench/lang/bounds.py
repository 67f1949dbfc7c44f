"""Bounds: every access of a graph is proved to stay inside its array, or is a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from workbench.base.dtypes import I32
from workbench.ir.expr import Apply, Cast, Const, Expr, Load, Var, free_names, walk
from workbench.ir.show import expr_text
from workbench.lang.accesses import Access, accesses_of
from workbench.lang.private import private_arrays
from workbench.lang.prove import Proved, Refuted, Unknown, Waits, World, prove_inside

if TYPE_CHECKING:
    from workbench.base.source import Span
    from workbench.ir.graph import Array, Graph
    from workbench.lang.report import Report


def world_of(graph: Graph) -> World:
    """What holds everywhere in a graph."""
    scalars = tuple(s.name for s in graph.scalars if s.dtype is I32)
    return World(graph.symbols(), scalars, graph.facts)


def check_bounds(report: Report, graph: Graph) -> None:
    """Report every access that is not proved to stay inside its array."""
    arrays, world = graph.arrays(), world_of(graph)
    for d in graph.definitions:
        arrays |= {a.name: a for a in private_arrays(d)}
        found = tuple(accesses_of(d))
        once = {(id(a.origin), id(a.scene)): a for a in found}
        for access in once.values():
            _check_access(report, world, access, arrays[access.array])


def _check_access(report: Report, world: World, access: Access, array: Array) -> None:
    for place, (index, extent) in enumerate(zip(access.index, array.shape, strict=True)):
        verdict = prove_inside(world, access.scene, index, extent)
        match verdict:
            case Proved() | Waits():
                pass
            case Refuted():
                _refuted(report, access, place, array, verdict)
            case Unknown():
                _unknown(report, access, place, extent, verdict)
            case _:
                assert_never(verdict)


def _refuted(report: Report, access: Access, place: int, array: Array, v: Refuted) -> None:
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
        hint=_hint(access, place, array, v),
    )


def _hint(access: Access, place: int, array: Array, v: Refuted) -> str:
    """A line that stays inside: a fact, a clamped index, or a condition."""
    access_span, span = _spans(access, place)
    assert access_span is not None
    assert span is not None
    extent = array.shape[place]
    size, index = expr_text(extent), _one_line(span)
    if isinstance(access.index[place], Const):
        if isinstance(extent, Const):
            return f"an index from 0 to {int(extent.value) - 1}"
        return f"assert {size} > {index} as the first line"
    if v.only_empty:
        return f"assert {size} > 0 as the first line"
    test = f"{index} >= 0" if v.index < 0 else f"{index} < {size}"
    if access.store is not None:
        return f"if {test}: around it"
    last = f"{int(extent.value) - 1}" if isinstance(extent, Const) else f"{size} - 1"
    clamped = f"max({index}, 0)" if v.index < 0 else f"min({index}, {last})"
    new = _replaced(access_span, span, clamped)
    zero = {"f": "0.0", "b": "False"}.get(array.dtype.kind, "0")
    return f"{new}, or {_one_line(access_span)} if {test} else {zero}"


def _unknown(report: Report, access: Access, place: int, extent: Expr, v: Unknown) -> None:
    access_span, span = _spans(access, place)
    if access_span is None or span is None:
        return
    text, index, size = _one_line(access_span), _one_line(span), expr_text(extent)
    why = _why(v, access.index[place])
    last = f"{int(extent.value) - 1}" if isinstance(extent, Const) else f"{size} - 1"
    clamped = f"min(max({index}, 0), {last})"
    report.wrong(
        span,
        f"{text}: not proved that {index} stays inside 0 to {last}{why}, and checks at run time "
        "are not there yet",
        hint=f"if 0 <= {index} and {index} < {size}: around it"
        if access.store is not None
        else _replaced(access_span, span, clamped),
    )


def _why(v: Unknown, index: Expr) -> str:
    """What stands in the way of a proof, for the reader."""
    if v.gave_up:
        return "; isl gave up"
    inside = set(walk(index))
    for part in v.parts:
        match part:
            case Var(name) if name.startswith("wraps "):
                return "; its arithmetic may leave i32"
            case Load() | Cast() | Var() if part in inside:
                return "; it depends on values known only when it runs"
            case Apply("mul") if part in inside:
                return "; isl has no products of dims and indices"
            case _:
                continue
    return ""


def _spans(access: Access, place: int) -> tuple[Span | None, Span | None]:
    """The whole access, and the index at one place."""
    return access.origin.nearest_span(), access.places[place].nearest_span()


def _replaced(whole: Span, part: Span, new: str) -> str:
    start, end = part.start - whole.start, part.end - whole.start
    return " ".join((whole.text[:start] + new + whole.text[end:]).split())


def _one_line(span: Span) -> str:
    return " ".join(span.text.split())
