"""Loops: a whole function as loop nests over multidimensional arrays.

Extents are literals, or expressions over the open dims (`ir/extents.py`).

Steps of a schedule see this level only. Barriers and invocation ids do not stand here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.base.source import Origin, origin_field
from workbench.ir.extents import Extent, literals

if TYPE_CHECKING:
    from workbench.base.dtypes import DType
    from workbench.base.panels import Panels
    from workbench.ir.graph import Scalar
    from workbench.ir.stmt import Body, Stmt

Role = Literal["input", "output", "temporary"]


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array in storage: an input (never written), an output, or a temporary between nests.

    `panels` say how an input or an output lies there, where the caller does not have it in C order;
    `shape` is that of the panels.
    """

    name: str
    dtype: DType
    shape: tuple[Extent, ...]
    role: Role
    panels: Panels | None = None
    origin: Origin = origin_field()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape, where no dim is open."""
        return literals(self.shape)


@dataclass(frozen=True, slots=True)
class Root:
    """A nest that a step has put into others: the array that it computed, of which `inputs`."""

    buffer: Buffer
    nest: Stmt
    inputs: tuple[Buffer, ...]


@dataclass(frozen=True, slots=True)
class Loops:
    """A function: its buffers (inputs first), scalar parameters, and its nests in order.

    `open` names the scalars that are open dims.
    `outputs` names what the call returns, in order (an input may stand there: it is copied).
    `inner` names arrays of the source that steps compute inside of loops: in private or workgroup
    memory, as much as the loop needs. `roots` are the nests of those and of arrays whose
    expressions stand where they are read, so that a step can bring them back.
    """

    name: str
    buffers: tuple[Buffer, ...]
    scalars: tuple[Scalar, ...]
    body: Body
    outputs: tuple[str, ...]
    open: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    roots: tuple[Root, ...] = ()
    origin: Origin = origin_field()

    def buffer(self, name: str) -> Buffer | None:
        """The storage buffer of that name, if there is one."""
        return next((b for b in self.buffers if b.name == name), None)
