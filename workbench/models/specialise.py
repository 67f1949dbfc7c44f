"""The tensors of a model for one set of inputs: every shape a number, every formula a text.

What operators ask of inputs, shapes mostly, is read on the host and noted: the result is for
these values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.base.dtypes import I64, DType
from workbench.base.errors import Mistake, WorkbenchError
from workbench.ir.model import ModelGraph, Node, Operand
from workbench.ops import operators
from workbench.ops.tensor import (
    WORD,
    Bounds,
    Computed,
    Formula,
    Given,
    Known,
    Shape,
    Tensor,
    UnsupportedError,
    Values,
    View,
    known,
)

FOLDED = 2**16
"""Elements that constants may have for the host to compute what follows of them."""
DEEPEST = 16
"""Definitions of operators inside definitions of others."""


@dataclass(frozen=True, slots=True)
class InputType:
    """What a call gives for an input; `values` where they are on the host."""

    dtype: DType
    shape: Shape
    values: Callable[[], Values] | None = None


@dataclass(frozen=True, eq=False)
class Specialised:
    """The outputs as tensors, the formulas that make them with their nodes, in order.

    `asked` are the inputs whose values decide what is compiled.
    """

    graph: ModelGraph
    inputs: Mapping[str, Tensor]
    outputs: tuple[Tensor, ...]
    formulas: Mapping[Formula, Node]
    asked: Mapping[str, Values]


@dataclass(eq=False)
class _Trace:
    formulas: dict[Formula, Node] = field(default_factory=dict[Formula, Node])
    asked: dict[str, Values] = field(default_factory=dict[str, Values])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    depth: int = 0


def specialise(graph: ModelGraph, given: Mapping[str, InputType]) -> Specialised:
    """The tensors of a model for these inputs.

    Raises `UnsupportedError` with every node that no operator does in this form.
    """
    trace = _Trace()
    inputs = {i.name: _given(i.name, given[i.name], trace) for i in graph.inputs}
    values = _run(graph, inputs, trace)
    if trace.mistakes:
        raise UnsupportedError(*trace.mistakes)
    outputs = tuple(x for name in graph.outputs if (x := values.get(name)) is not None)
    assert len(outputs) == len(graph.outputs), "the checker knows of every output"
    wanted = _needed(outputs)
    formulas = {f: n for f, n in trace.formulas.items() if f in wanted}
    return Specialised(graph, inputs, outputs, formulas, trace.asked)


def _given(name: str, kind: InputType, trace: _Trace) -> Tensor:
    read = None
    if kind.values is not None:
        values = kind.values

        def note() -> Values:
            trace.asked[name] = found = values()
            return found

        read = note
    bounds = WORD if kind.dtype is I64 else None
    return Tensor(kind.dtype, kind.shape, Given(name, read), _bounds(kind.dtype) or bounds)


def _bounds(dtype: DType) -> Bounds | None:
    if dtype.kind not in "iu" or dtype is I64:
        return None
    least = 0 if dtype.kind == "u" else -(2 ** (dtype.bits - 1))
    return least, least + 2**dtype.bits - 1


def _run(
    graph: ModelGraph, inputs: Mapping[str, Tensor | None], trace: _Trace
) -> dict[str, Tensor | None]:
    """Every value of the graph that can be had; nodes that cannot are noted as mistakes."""
    values: dict[str, Tensor | None] = {}
    values |= {name: known(v, name=name) for name, v in graph.constants.items()}
    values |= inputs
    missing: set[str] = set()
    for node in graph.nodes:
        if missing & set(node.inputs):
            missing |= set(node.outputs)
            continue
        operands = [values.get(n) for n in node.inputs]
        try:
            results = _apply(node, operands, trace)
        except (UnsupportedError, WorkbenchError) as error:
            missing |= set(node.outputs)
            trace.mistakes += _said(node, error)
            continue
        made = {n: x for n, x in zip(node.outputs, results, strict=False) if n and x is not None}
        _note(made.values(), node, trace)
        values |= {n: _folded(x) for n, x in made.items()}
    return values


def _said(node: Node, error: WorkbenchError) -> Iterable[Mistake]:
    span = node.origin.nearest_span()
    for m in error.mistakes:
        yield Mistake(f"{node.words}: {m.message}", m.span if span is None else span, m.hint)


def _apply(node: Node, operands: list[Tensor | None], trace: _Trace) -> tuple[Tensor | None, ...]:
    """The results of a node: its operator's, or those of the nodes that define it."""
    operator = operators().get(node.operator)
    if operator is not None:
        try:
            results = operator(*operands, **_taken(operator, node))
        except UnsupportedError:
            if node.body is None:
                raise
        else:
            return results if isinstance(results, tuple) else (results,)
    if node.body is None:
        raise UnsupportedError("no such operator yet")
    if trace.depth >= DEEPEST:
        raise UnsupportedError("its definition uses itself")
    types: list[Operand] = [None if x is None else (x.dtype, x.shape) for x in operands]
    body = node.body(types)
    given = [*operands, *[None] * len(body.inputs)]
    inner = {i.name: x for i, x in zip(body.inputs, given, strict=False)}
    before = len(trace.mistakes)
    trace.depth += 1
    values = _run(body, inner, trace)
    trace.depth -= 1
    if len(trace.mistakes) > before:
        found = trace.mistakes[before:]
        del trace.mistakes[before:]
        raise UnsupportedError(*found)
    return tuple(values.get(name) for name in body.outputs)


def _taken(operator: Callable[..., Any], node: Node) -> dict[str, Any]:
    """The attributes of a node. Raises `UnsupportedError` for one that the operator has not."""
    parameters = inspect.signature(operator).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(node.attributes)
    names = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    unknown = sorted(set(node.attributes) - names)
    if unknown:
        raise UnsupportedError(f"its attribute {', '.join(unknown)}")
    asked = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}
    lacking = sorted(asked - set(node.attributes))
    if lacking:
        raise UnsupportedError(f"without its attribute {', '.join(lacking)}")
    return dict(node.attributes)


def _note(results: Iterable[Tensor], node: Node, trace: _Trace) -> None:
    """Say of which node the formulas are that have none yet; those inside come first."""
    waiting = list(results)
    found: list[Formula] = []
    while waiting:
        match waiting.pop().source:
            case View(of):
                waiting.append(of)
            case Computed(formula, _) if formula not in trace.formulas and formula not in found:
                found.append(formula)
                waiting.extend(formula.inputs)
            case _:
                pass
    order: dict[Formula, None] = {}
    for formula in found:
        _in_order(formula, set(found), order)
    for formula in order:
        trace.formulas.setdefault(formula, node)


def _in_order(formula: Formula, new: set[Formula], order: dict[Formula, None]) -> None:
    """The formulas that one needs, then itself. Operators make chains of a few, so it recurses."""
    if formula in order or formula not in new:
        return
    for x in formula.inputs:
        source = x.source
        while isinstance(source, View):
            source = source.of.source
        if isinstance(source, Computed):
            _in_order(source.formula, new, order)
    order[formula] = None


def _folded(x: Tensor) -> Tensor:
    """The same tensor, known where it is computed of a few constants alone."""
    if not isinstance(x.source, Computed) or x.size > FOLDED:
        return x
    inputs = x.source.formula.inputs
    if any(i.known is None or i.size > FOLDED for i in inputs):
        return x
    value = x.value
    assert value is not None, "what is computed of constants is known"
    return known(value, x.dtype)


def _needed(outputs: Iterable[Tensor]) -> set[Formula]:
    """The formulas that the outputs depend on."""
    found: set[Formula] = set()
    waiting = list(outputs)
    while waiting:
        match waiting.pop().source:
            case View(of):
                waiting.append(of)
            case Computed(formula, _):
                if formula not in found:
                    found.add(formula)
                    waiting.extend(formula.inputs)
            case Given() | Known():
                pass
    return found
