"""Completion inside `@schedule` functions: steps, and the names that their arguments take.

The loops are those of the kernel after the steps above the cursor, where that much of the cell is
right; else they are read from its equations. Whether a step is legal is not asked here.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from workbench.base.errors import WorkbenchError
from workbench.base.source import Source
from workbench.completion.reading import (
    Cell,
    Function,
    body_of,
    definitions,
    equations,
    in_comment,
    knobs,
    open_call,
    open_text,
)
from workbench.schedule.names import shown
from workbench.schedule.nests import loops_in
from workbench.schedule.parallel_steps import AXES
from workbench.schedule.step import step_classes
from workbench.schedule.storage_steps import FLOATS
from workbench.schedule.tails import TAILS
from workbench.session.kernel import DEFAULT_DIM, kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.completion.reading import Token
    from workbench.ir.loops import Loops

_LOOPS = frozenset({"loop", "loops", "at", "inner", "outer"})
"""Arguments of steps that name loops."""

Found = tuple[str, str]
"""A text and what it is in one word."""


def offer(cell: Cell, f: Function, offset: int) -> tuple[str, list[Found]]:
    """The fragment before the cursor and everything that can stand in its place."""
    if in_comment(f.tokens, offset):
        return "", []
    quoted = open_text(f.tokens, offset)
    fragment = _fragment(cell.text[:offset]) if quoted is None else cell.text[quoted + 1 : offset]
    start = offset - len(fragment)
    if cell.in_signature(f, start):
        decorated = cell.text[f.start : start].replace(" ", "") == "@schedule("
        return fragment, [(n, "kernel") for n in cell.kernels()] if decorated else []
    call = open_call(f.tokens, start)
    if call is None:
        return fragment, [] if quoted is not None else [(n, "step") for n in step_classes()]
    values = [*_arguments(cell, f, call, start)]
    if quoted is not None:
        return fragment, [(text, kind) for text, kind in values if kind not in {"knob", "argument"}]
    plain = {"knob", "argument"}
    return fragment, [(t if kind in plain else f'"{t}"', kind) for t, kind in values]


def loop_names(cell: Cell, f: Function, offset: int) -> list[str]:
    """The loops that schedules can name at an offset, outermost first."""
    loops = _loops(cell, f, offset)
    if loops is not None:
        return list(dict.fromkeys(shown(loops, x.var) for x in loops_in(loops.body)))
    kernel = next((x for x in cell.functions if x.kernel is None and x.name == f.kernel), None)
    if kernel is None:
        return []
    pairs = [(array, index) for array, found in equations(kernel) for index in found]
    short = [index for _, index in pairs]
    return list(dict.fromkeys(i if short.count(i) == 1 else f"{a}.{i}" for a, i in pairs))


def _arguments(
    cell: Cell, f: Function, call: tuple[str, Sequence[Token]], offset: int
) -> list[Found]:
    """What the argument at the cursor can be."""
    name, words = call
    cls = step_classes().get(name)
    if cls is None:
        return [(k, "knob") for k in knobs(f)]
    own = fields(cls)
    comma = max((i for i, t in enumerate(words) if t.text == ","), default=-1)
    current = words[comma + 1 :]
    by_name = [x for x in own if x.kw_only]
    in_order = [x for x in own if not x.kw_only]
    if len(current) > 1 and current[1].text == "=":
        return _values(cell, f, current[0].text, offset)
    position = sum(t.text == "," for t in words)
    repeated = bool(in_order) and "tuple" in str(in_order[0].type)
    if not repeated and position < len(in_order):
        return _values(cell, f, in_order[position].name, offset)
    found = _values(cell, f, in_order[0].name, offset) if repeated else []
    given = {t.text for i, t in enumerate(words[:-1]) if words[i + 1].text == "="}
    return [*found, *((f"{x.name}=", "argument") for x in by_name if x.name not in given)]


def _values(cell: Cell, f: Function, argument: str, offset: int) -> list[Found]:
    if argument in _LOOPS:
        return [(n, "loop") for n in loop_names(cell, f, offset)]
    match argument:
        case "axis":
            return [(n, "axis") for n in AXES]
        case "memory":
            return [(n, "memory") for n in ("private", "workgroup")]
        case "tail":
            return [(tail, "value") for tail in TAILS]
        case "dtype":
            return [(name, "dtype") for name in FLOATS]
        case "array" | "arrays":
            kernel = next((x for x in cell.functions if x.name == f.kernel), None)
            return [] if kernel is None else [(n, "array") for n in _arrays(kernel)]
        case _:
            return [(k, "knob") for k in knobs(f)]


def _arrays(kernel: Function) -> list[str]:
    return [d.name for d in definitions(kernel, kernel.end) if d.kind == "array"]


def _loops(cell: Cell, f: Function, offset: int) -> Loops | None:
    """The loops after the steps above the cursor; None where the kernel cannot be read."""
    kernel_texts = [cell.text[x.start : x.end] for x in cell.functions if x.kernel is None]
    above = [s for s in body_of(f) if s.tokens[-1].end < offset and s.tokens[-1].text == ")"]
    earlier = [s for s in above if cell.text.find("\n", s.tokens[-1].end, offset) >= 0]
    head = cell.text[f.start : earlier[-1].tokens[-1].end] if earlier else ""
    for text in ("\n".join([*kernel_texts, head]), "\n".join(kernel_texts)):
        try:
            k = kernels(Source(text))[f.kernel or ""]
        except (WorkbenchError, KeyError):
            continue
        loops = k.loops(dict.fromkeys(k.graph.symbols(), DEFAULT_DIM))
        return _stepped(k.schedules.get(f.name), loops)
    return None


def _stepped(schedule: Any, loops: Loops) -> Loops:
    """The loops after every step that is legal, up to the first that is not."""
    if schedule is None:
        return loops
    try:
        for state in schedule().states(loops):
            loops = state[1]
    except WorkbenchError:
        return loops
    return loops


def _fragment(before: str) -> str:
    end = len(before)
    while end and (before[end - 1].isalnum() or before[end - 1] == "_"):
        end -= 1
    return before[end:]
