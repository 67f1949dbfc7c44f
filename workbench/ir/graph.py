"""Graphs: what a kernel computes, as equations and loop blocks, before any order is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.base.source import Origin, origin_field
from workbench.ir.expr import free_names, walk
from workbench.ir.stmt import For, LoopKind, expressions, walk_stmts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workbench.base.dtypes import DType
    from workbench.ir.expr import Expr
    from workbench.ir.stmt import Body


@dataclass(frozen=True, slots=True)
class Array:
    """A named array; extents are i32 expressions over the dims (literals once specialised)."""

    name: str
    dtype: DType
    shape: tuple[Expr, ...]
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar parameter; `default` is None where the call must give it."""

    name: str
    dtype: DType
    default: float | None = None
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Axis:
    """A free index of an equation: `name` runs over `range(extent)`, in parallel."""

    name: str
    extent: Expr
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Equation:
    """`target[axes] = value` for all values of the axes; defines the whole array at once.

    The target's shape is the extents of the axes. `place` is the origin of the left-hand side.
    """

    target: str
    dtype: DType
    axes: tuple[Axis, ...]
    value: Expr
    origin: Origin = origin_field()
    place: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Block:
    """A loop block: statements whose parallel loops have `LoopKind.PARALLEL`.

    `defines` are the arrays that it writes; every element of them is proved written.
    """

    body: Body
    defines: tuple[Array, ...]
    origin: Origin = origin_field()


@dataclass(frozen=True, slots=True)
class Repeat:
    """`for var in range(start, stop)` around definitions: each turn runs them in order.

    An equation of an array that is defined already gives it new values; it reads the old ones.
    Arrays that only the body defines are new in each turn.
    """

    var: str
    start: Expr
    stop: Expr
    body: tuple[Definition, ...]
    origin: Origin = origin_field()


Definition = Equation | Block | Repeat


@dataclass(frozen=True, slots=True)
class Graph:
    """A kernel as the language says it.

    `dims` are the symbols of the signature in order of appearance; `facts` are the asserts
    (bool expressions over dims and scalars); `outputs` name parameters or defined arrays.
    `open` are the scalars that stand for dims which have no literal value when compiled.
    `order` are the parameters as the signature has them, where scalars stand between arrays.
    """

    name: str
    dims: tuple[str, ...]
    inputs: tuple[Array, ...]
    scalars: tuple[Scalar, ...]
    facts: tuple[Expr, ...]
    definitions: tuple[Definition, ...]
    outputs: tuple[str, ...]
    doc: str = ""
    order: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    origin: Origin = origin_field()

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters in the order of a call."""
        return self.order or (*(a.name for a in self.inputs), *(s.name for s in self.scalars))

    def arrays(self) -> dict[str, Array]:
        """Every array by name: the inputs, then what the definitions define, in order."""
        found = {a.name: a for a in self.inputs}
        for d in each(self.definitions):
            for a in defined(d):
                found[a.name] = a
        return found

    def dtypes(self) -> tuple[DType, ...]:
        """Every dtype that something here has, in order of appearance."""
        found = [a.dtype for a in self.arrays().values()] + [s.dtype for s in self.scalars]
        for d in each(self.definitions):
            found += (e.dtype for x in _values(d) for e in walk(x))
        return tuple(dict.fromkeys(found))

    def symbols(self) -> tuple[str, ...]:
        """What must have a value before lowering: the dims, then the i32 scalars in extents."""
        used: set[str] = set()
        for a in self.arrays().values():
            used |= _names(a.shape)
        for r in repeats(self.definitions):
            used |= _names((r.start, r.stop))
        for d in each(self.definitions):
            if isinstance(d, Block):
                used |= _names(x for s in _grids(d.body) for x in (s.start, s.stop))
        return self.dims + tuple(s.name for s in self.scalars if s.name in used)


def _names(extents: Iterable[Expr]) -> set[str]:
    return {name for x in extents for name in free_names(x)}


def _values(d: Equation | Block) -> Iterator[Expr]:
    """The expressions that a definition computes."""
    if isinstance(d, Equation):
        yield d.value
    else:
        yield from (e for s in walk_stmts(d.body) for e in expressions(s))


def _grids(body: Body) -> Iterator[For]:
    """The parallel loops of a block."""
    for s in walk_stmts(body):
        if isinstance(s, For) and s.kind is LoopKind.PARALLEL:
            yield s


def each(definitions: Iterable[Definition]) -> Iterator[Equation | Block]:
    """The equations and blocks, those inside repeats too, in text order."""
    for d in definitions:
        if isinstance(d, Repeat):
            yield from each(d.body)
        else:
            yield d


def repeats(definitions: Iterable[Definition]) -> Iterator[Repeat]:
    """The repeats at every depth, outermost first."""
    for d in definitions:
        if isinstance(d, Repeat):
            yield d
            yield from repeats(d.body)


def expanded(
    definitions: tuple[Definition, ...],
    change: Callable[[Equation | Block], tuple[Definition, ...]],
) -> tuple[Definition, ...]:
    """Each equation and block replaced by what `change` gives; the same object if unchanged."""
    new: list[Definition] = []
    for d in definitions:
        if isinstance(d, Repeat):
            body = expanded(d.body, change)
            new.append(d if body is d.body else replace(d, body=body))
        else:
            new += change(d)
    same = len(new) == len(definitions)
    same = same and all(a is b for a, b in zip(new, definitions, strict=True))
    return definitions if same else tuple(new)


def defined(d: Definition) -> tuple[Array, ...]:
    """The arrays that a definition defines, once or again."""
    if isinstance(d, Repeat):
        return tuple({a.name: a for x in each(d.body) for a in defined(x)}.values())
    if isinstance(d, Block):
        return d.defines
    shape = tuple(a.extent for a in d.axes)
    return (Array(d.target, d.dtype, shape, origin=d.place),)
