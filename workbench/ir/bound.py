"""Open dims given their values: the same loops and device kernels with literals in their place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from workbench.ir.device import DeviceKernel, Mapped, Turns
from workbench.ir.expr import Expr, integer, substitute
from workbench.ir.extents import Extent, expression, size
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import Outside, map_bodies, map_exprs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.graph import Scalar
    from workbench.ir.stmt import Body, Stmt

S = TypeVar("S", "Loops", "Mapped", "DeviceKernel")


def bound(stage: S, values: Mapping[str, int]) -> S:
    """A stage for these values of its open dims; itself where none is open.

    Raises `OpenDimError` where an extent leaves i32.
    """
    match stage:
        case Loops():
            return _loops(stage, values) if stage.open else stage
        case Mapped():
            return _mapped(stage, values) if stage.open else stage
        case DeviceKernel():
            return _kernel(stage, values)


def _loops(loops: Loops, values: Mapping[str, int]) -> Loops:
    return replace(
        loops,
        buffers=bound_buffers(loops.buffers, values),
        scalars=_closed(loops.scalars, values),
        body=_body(loops.body, values),
        open=(),
    )


def _mapped(mapped: Mapped, values: Mapping[str, int]) -> Mapped:
    return replace(
        mapped,
        buffers=bound_buffers(mapped.buffers, values),
        scalars=_closed(mapped.scalars, values),
        kernels=tuple(_kernel(k, values) for k in mapped.kernels),
        turns=bound_turns(mapped.turns, values),
        open=(),
    )


def bound_buffers(buffers: tuple[Buffer, ...], values: Mapping[str, int]) -> tuple[Buffer, ...]:
    """The buffers with literal shapes."""
    return tuple(replace(b, shape=tuple(size(x, values) for x in b.shape)) for b in buffers)


def bound_turns(
    turns: tuple[int | Turns, ...], values: Mapping[str, int]
) -> tuple[int | Turns, ...]:
    """The turns with literal counts, or counts that need only turns around them."""
    return tuple(t if isinstance(t, int) else _bound(t, values) for t in turns)


def _bound(turns: Turns, values: Mapping[str, int]) -> Turns:
    literals: dict[str, Expr] = {name: integer(number) for name, number in values.items()}
    count, start = (substitute(expression(x), literals) for x in (turns.count, turns.start))
    return replace(turns, count=count, start=start, body=bound_turns(turns.body, values))


def _kernel(kernel: DeviceKernel, values: Mapping[str, int]) -> DeviceKernel:
    x, y, z = (size(n, values) for n in kernel.workgroups)
    return replace(
        kernel,
        buffers=bound_buffers(kernel.buffers, values),
        scalars=_closed(kernel.scalars, values),
        workgroups=(x, y, z),
        body=_body(kernel.body, values),
    )


def _closed(scalars: tuple[Scalar, ...], values: Mapping[str, int]) -> tuple[Scalar, ...]:
    return tuple(s for s in scalars if s.name not in values)


def _body(body: Body, values: Mapping[str, int]) -> Body:
    literals: dict[str, Expr] = {name: integer(number) for name, number in values.items()}

    def extents(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda b: tuple(extents(x) for x in b))
        if not isinstance(inner, Outside):
            return inner
        extent: Extent = size(inner.extent, values)
        return replace(inner, extent=extent)

    return tuple(map_exprs(extents(s), lambda e: substitute(e, literals)) for s in body)
