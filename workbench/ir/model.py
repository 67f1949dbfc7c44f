"""Model graphs: what a model file says, as operators and the values between them, no shape fixed.

A front end makes one; `models/specialise.py` makes tensors of it once a call says the shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.base.source import Origin, Source, origin_field

if TYPE_CHECKING:
    import numpy as np

    from workbench.base.dtypes import DType

Extent = int | str | None
"""An extent of an input: a number, a dim with a name, or anything."""
Operand = tuple["DType", tuple[int, ...]] | None
"""The type of an operand at a call; None where it is left out."""


@dataclass(frozen=True, slots=True)
class ModelInput:
    """An input of a model; `shape` is None where not even the rank is said.

    `dtype` is None in definitions, which hold for several.
    """

    name: str
    dtype: DType | None = None
    shape: tuple[Extent, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """An operator applied to values, by name; "" where an optional operand is left out.

    `kind` is what the file calls the operator, with its version. `body` gives the nodes that
    define it for the types of its operands, where that is how it is meant.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    name: str = ""
    kind: str = ""
    body: Callable[[Sequence[Operand]], ModelGraph] | None = None
    origin: Origin = origin_field()

    @property
    def words(self) -> str:
        """The node, for a reader."""
        return f"{self.kind or self.operator} '{self.name or (self.outputs or ('',))[0]}'"


@dataclass(frozen=True, slots=True, eq=False)
class ModelGraph:
    """A model: `nodes` in an order in which each value is made before it is used.

    `constants` are its weights; `outputs` may name any value. `source` lists the nodes, a line
    each.
    """

    name: str
    inputs: tuple[ModelInput, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray[Any, Any]]
    source: Source = field(default_factory=lambda: Source("", "model"))
