"""Arguments of a call: bound to parameters, as arrays and numbers of the signature's dtypes.

Everything that a call can get wrong before something is compiled is refused here, with the
parameter's name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.base.errors import CallError
from workbench.ir.expr import Const, Var, free_names
from workbench.ir.interpret import evaluate
from workbench.ir.show import expr_text
from workbench.passes.facts import broken_fact
from workbench.runtime.arrays import Array, array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.base.dtypes import DType
    from workbench.ir.graph import Array as GraphArray, Graph


def bind(graph: Graph, args: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name. Raises `CallError` for too many, unknown, doubled or missing ones."""
    names = graph.parameters
    shown = f"{graph.name}({', '.join(names)})"
    if len(args) > len(names):
        raise CallError(
            f"{shown} takes {len(names)} argument{'' if len(names) == 1 else 's'}, "
            f"{len(args)} were given"
        )
    values = dict(zip(names, args, strict=False))
    for name, value in named.items():
        if name not in names:
            raise CallError(f"{shown} has no parameter '{name}'")
        if name in values:
            raise CallError(f"{shown}: '{name}' is given twice")
        values[name] = value
    for s in graph.scalars:
        if s.name not in values and s.default is not None:
            values[s.name] = s.default
    missing = [n for n in names if n not in values]
    if missing:
        raise CallError(f"{shown}: no value for {', '.join(missing)}")
    return values


def infer_dims(graph: Graph, arrays: Mapping[str, Array]) -> dict[str, int]:
    """The dims that the shapes of the arguments give. Raises `CallError` where two disagree."""
    dims: dict[str, int] = {}
    place: dict[str, str] = {}
    for a in graph.inputs:
        for axis, (extent, size) in enumerate(zip(a.shape, arrays[a.name].shape, strict=True)):
            where = f"{a.name}.shape[{axis}]"
            if isinstance(extent, Var):
                if dims.setdefault(extent.name, size) != size:
                    raise CallError(
                        f"{graph.name}: dim {extent.name} is {dims[extent.name]} in "
                        f"{place[extent.name]} and {size} in {where}"
                    )
                place.setdefault(extent.name, where)
            elif isinstance(extent, Const) and extent.value != size:
                raise CallError(
                    f"{graph.name}: {where} is {size}, the signature says {extent.value}"
                )
    _check_compound(graph, arrays, dims)
    return dims


def check_known(graph: Graph, dims: Mapping[str, int]) -> None:
    """Refuse a call whose arguments leave a dim open."""
    unknown = [d for d in graph.symbols() if d not in dims]
    if unknown:
        raise CallError(
            f"{graph.name}: no argument says what {', '.join(unknown)} is",
            span=graph.origin.nearest_span(),
            hint=f"a parameter of shape [{unknown[0]}]",
        )


def check_facts(graph: Graph, dims: Mapping[str, int], scalars: Mapping[str, float]) -> None:
    """Refuse values that break an assert about a scalar; proofs of the kernel rest on these."""
    names = {s.name: s.dtype for s in graph.scalars}
    facts = [f for f in graph.facts if free_names(f) & set(names)]
    if not facts:
        return
    env = {**dims, **{n: np.asarray(scalars[n], t.numpy) for n, t in names.items()}}
    for fact in facts:
        if not evaluate(fact, {n: env[n] for n in free_names(fact)}):
            raise broken_fact(graph.name, fact, {n: env[n] for n in sorted(free_names(fact))})


def _check_compound(graph: Graph, arrays: Mapping[str, Array], dims: dict[str, int]) -> None:
    """Extents such as `N + 2` are compared once the dims are known."""
    from workbench.passes.fold import bind_dims, literal_int  # noqa: PLC0415

    for a in graph.inputs:
        for axis, extent in enumerate(a.shape):
            if not isinstance(extent, Var | Const):
                wanted = literal_int(bind_dims(extent, dims))
                size = arrays[a.name].shape[axis]
                if wanted is not None and wanted != size:
                    raise CallError(
                        f"{graph.name}: {a.name}.shape[{axis}] is {size}, "
                        f"{expr_text(extent)} is {wanted}"
                    )


def fitted(graph: Graph, a: GraphArray, value: Any) -> Array:
    """The argument as an Array of the right dtype and rank."""
    found = value if isinstance(value, Array) else _to_array(graph, a, value)
    if found.dtype != a.dtype:
        raise CallError(
            f"{graph.name}: {a.name} is {found.dtype}, the signature says {a.dtype}",
            hint=f"{a.name}.astype(numpy.{a.dtype.numpy.name})",
        )
    if found.ndim != len(a.shape):
        raise CallError(
            f"{graph.name}: {a.name} has {found.ndim} dimensions (shape {found.shape}), "
            f"the signature says {typed(a)}"
        )
    return found


def _to_array(graph: Graph, a: GraphArray, value: Any) -> Array:
    kind = type(value).__name__
    given: np.dtype[Any] | None = getattr(value, "dtype", None)
    if isinstance(given, np.dtype) and given.newbyteorder("=") != a.dtype.numpy:
        raise CallError(
            f"{graph.name}: {a.name} is an array of {given}, the signature says {a.dtype}",
            hint=f"{a.name}.astype(numpy.{a.dtype.numpy.name})",
        )
    try:
        values: np.ndarray[Any, Any] = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise CallError(f"{graph.name}: {a.name} is a {kind}, not an array: {error}") from error
    if values.dtype.kind not in "fiub":
        raise CallError(f"{graph.name}: {a.name} is a {kind}, not an array")
    try:
        return array(values, a.dtype)
    except CallError as error:
        raise CallError(
            f"{graph.name}: {a.name} is a {kind}: {error.mistakes[0].message}"
        ) from error


def scalar_value(kernel: str, name: str, dtype: DType, value: Any) -> float:
    """The value of a scalar parameter. Raises `CallError` where its dtype does not hold it."""
    number: Any = value.item() if hasattr(value, "item") and np.ndim(value) == 0 else value
    if isinstance(number, bool) != (dtype.kind == "b") or not isinstance(number, int | float):
        raise CallError(f"{kernel}: {name} is {value!r}, the signature says {dtype}")
    if dtype.kind in "iu":
        if not math.isfinite(number) or number != int(number):
            raise CallError(f"{kernel}: {name} is {number}, not a whole number")
        least = 0 if dtype.kind == "u" else -(2 ** (dtype.bits - 1))
        if not least <= number < least + 2**dtype.bits:
            raise CallError(f"{kernel}: {name} is {number}, outside {dtype}")
        return int(number)
    return number


def typed(a: GraphArray) -> str:
    """A parameter as the signature says it."""
    extents = f"[{', '.join(expr_text(x) for x in a.shape)}]" if a.shape else ""
    return f"{a.name}: {a.dtype}{extents}"
