"""Operators that read or write where other arrays say: gather, scatter, the greatest few.

An index counts from the end where it is below 0; one outside its axis is reported when it runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from workbench.base.dtypes import I64, DType
from workbench.ops.formula import at, compute, compute_one, letters
from workbench.ops.movement import axis_of, numbers
from workbench.ops.named import operator
from workbench.ops.tensor import Tensor, UnsupportedError, bounds_of, joined, known, view

PLACE = """
    def place(index, extent):
        return i32(max(min(index, 2147483647), -2147483647)) + (extent if index < 0 else 0)
"""
"""An index as the language takes it; one beyond 32 bits stays outside of every axis."""


@operator("Gather")
def gather(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """Slices of an axis, in the order of the indices."""
    axis = axis_of(axis, x.rank)
    before, extent, after = (
        math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
    )  # fmt: skip
    inputs = {"x": view(x, (before, extent, after)), "index": view(indices, (indices.size,))}
    line = f"y[i, j, k] = x[i, place(index[j], {extent}), k]"
    sizes = (before, indices.size, after)
    made = compute_one("gather", inputs, line, x.dtype, sizes, bounds=x.bounds, functions=PLACE)
    return view(made, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


@operator("GatherElements")
def gather_elements(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """For each element an index along one axis, the others being its own."""
    axis = axis_of(axis, x.rank)
    names = letters("i", x.rank)
    index = [*names]
    index[axis] = f"place({at('index', names)}, {x.shape[axis]})"
    line = f"{at('y', names)} = {at('x', index)}"
    inputs = {"x": x, "index": indices}
    return compute_one(
        "gather_elements", inputs, line, x.dtype, indices.shape, bounds=x.bounds, functions=PLACE
    )


@operator("GatherND")
def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0) -> Tensor:
    """Slices, for each row of indices one, of the axes behind the batch's."""
    depth = indices.shape[-1]
    batch = math.prod(x.shape[:batch_dims])
    rows = math.prod(indices.shape[batch_dims:-1])
    axes = x.shape[batch_dims : batch_dims + depth]
    rest = x.shape[batch_dims + depth :]
    inputs = {
        "x": view(x, (batch, *axes, math.prod(rest))),
        "index": view(indices, (batch, rows, depth)),
    }
    places = [f"place(index[b, r, {n}], {e})" for n, e in enumerate(axes)]
    line = f"y[b, r, k] = {at('x', ['b', *places, 'k'])}"
    sizes = (batch, rows, math.prod(rest))
    made = compute_one("gather_nd", inputs, line, x.dtype, sizes, bounds=x.bounds, functions=PLACE)
    return view(made, (*indices.shape[:-1], *rest))


_UPDATES = {
    "none": "{y} = {u}",
    "add": "{y} += {u}",
    "max": "{y} = max({y}, {u})",
    "min": "{y} = min({y}, {u})",
}


def _update(reduction: str, element: str, value: str) -> str:
    if reduction not in _UPDATES:
        raise UnsupportedError(f"with the reduction {reduction}")
    return _UPDATES[reduction].format(y=element, u=value)


def _scatter_bounds(x: Tensor, updates: Tensor, reduction: str) -> tuple[int, int] | None:
    return joined(x, updates) if reduction != "add" else None


@operator("ScatterElements")
def scatter_elements(
    x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0, reduction: str = "none"
) -> Tensor:
    """X with elements changed: for each update an index along one axis."""
    if reduction == "mul":
        return _products(x, indices, updates, axis)
    axis = axis_of(axis, x.rank)
    names = letters("i", x.rank)
    index = [*names]
    index[axis] = f"place({at('index', names)}, {x.shape[axis]})"
    extents = ", ".join(map(str, indices.shape))
    line = _update(reduction, at("y", index), at("u", names))
    lines = f"{at('y', names)} = {at('x', names)}\n"
    lines += f"for {', '.join(names)} in grid({extents}):\n    {line}"
    inputs = {"x": x, "index": indices, "u": updates}
    return compute_one(
        "scatter_elements", inputs, lines, x.dtype, x.shape, functions=PLACE,
        bounds=_scatter_bounds(x, updates, reduction),
    )  # fmt: skip


def _products(x: Tensor, indices: Tensor, updates: Tensor, axis: int) -> Tensor:
    """Each element times the updates that name it: products are not made by many at once."""
    axis = axis_of(axis, x.rank)
    names = letters("i", x.rank)
    taken = [*names]
    taken[axis] = "q"
    own = [
        f"{n} < {e}" for n, e, size in zip(names, indices.shape, x.shape, strict=True)
        if n != names[axis] and e < size
    ]  # fmt: skip
    test = f"place({at('index', taken)}, {x.shape[axis]}) == {names[axis]}"
    product = f"prod({at('u', taken)} for q in range({indices.shape[axis]}) if {test})"
    line = f"{at('y', names)} = {at('x', names)} * "
    line += f"({product} if {' and '.join(own)} else 1)" if own else product
    inputs = {"x": x, "index": indices, "u": updates}
    return compute_one("scatter_products", inputs, line, x.dtype, x.shape, functions=PLACE)


@operator("ScatterND")
def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, reduction: str = "none") -> Tensor:
    """X with slices changed: for each row of indices one."""
    depth = indices.shape[-1]
    axes, rest = x.shape[:depth], math.prod(x.shape[depth:])
    rows = math.prod(indices.shape[:-1])
    inputs = {
        "x": view(x, (*axes, rest)),
        "index": view(indices, (rows, depth)),
        "u": view(updates, (rows, rest)),
    }
    places = [f"place(index[r, {n}], {e})" for n, e in enumerate(axes)]
    names = letters("i", depth)
    if reduction == "mul":
        test = " and ".join(f"{p} == {n}" for p, n in zip(places, names, strict=True))
        lines = f"{at('y', [*names, 'k'])} = {at('x', [*names, 'k'])} * "
        lines += f"prod(u[r, k] for r in range({rows}) if {test})"
    else:
        lines = f"{at('y', [*names, 'k'])} = {at('x', [*names, 'k'])}\n"
        lines += f"for r, k in grid({rows}, {rest}):\n    "
        lines += _update(reduction, at("y", [*places, "k"]), "u[r, k]")
    made = compute_one(
        "scatter_nd", inputs, lines, x.dtype, (*axes, rest), functions=PLACE,
        bounds=_scatter_bounds(x, updates, reduction),
    )  # fmt: skip
    return view(made, x.shape)


@operator("TopK")
def top_k(
    x: Tensor,
    k: Tensor,
    *,
    axis: int = -1,
    largest: int = 1,
    sorted: int = 1,  # noqa: A002
) -> tuple[Tensor, Tensor]:
    """The greatest few along an axis, or the least, in order, and where they were."""
    del sorted
    axis = axis_of(axis, x.rank)
    n, count = x.shape[axis], numbers(k, "number")[0]
    sizes = (math.prod(x.shape[:axis]), n, math.prod(x.shape[axis + 1 :]))
    wins = "a > b" if largest else "a < b"
    tie = "a == b and p < q"
    if x.dtype.kind == "f":
        wins = f"{wins} or (a != a and b == b)" if largest else f"{wins} or (a == a and b != b)"
        tie = "(a == b or (a != a and b != b)) and p < q"
    before = f"""
        def before(a, b, p, q):
            return ({wins}) or ({tie})
    """
    lines = f"""
        rank[i, j, k] = sum(i32(before(x[i, q, k], x[i, j, k], q, j)) for q in range({n}))
        at[i, j, k] = argmax(i32(rank[i, q, k] == j) for q in range({n}))
        y[i, j, k] = x[i, at[i, j, k], k]
        place[i, j, k] = i64(at[i, j, k])
    """
    lines = f"at: i32[{sizes[0]}, {count}, {sizes[2]}]" + lines
    results = {"y": (x.dtype, (sizes[0], count, sizes[2])),
               "place": (I64, (sizes[0], count, sizes[2]))}  # fmt: skip
    values, places = compute(
        "top_k", {"x": view(x, sizes)}, "\n".join(s.strip() for s in lines.splitlines()), results,
        bounds=(x.bounds, (0, max(n - 1, 0))), functions=before,
    )  # fmt: skip
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    return view(values, shape), view(places, shape)


@operator("OneHot")
def one_hot(indices: Tensor, depth: Tensor, values: Tensor, *, axis: int = -1) -> Tensor:
    """One value where an index says, another elsewhere, along a new axis."""
    count = numbers(depth, "depth")[0]
    axis = axis_of(axis, indices.rank + 1)
    before, after = math.prod(indices.shape[:axis]), math.prod(indices.shape[axis:])
    whole = f"i32({'floor(' if indices.dtype.kind == 'f' else '('}index[i, k]))"
    lines = f"""
        at[i, k] = {whole} + ({count} if index[i, k] < 0 else 0)
        y[i, j, k] = v[1] if at[i, k] == j else v[0]
    """
    inputs = {"index": view(indices, (before, after)), "v": values}
    sizes = (before, count, after)
    made = compute_one("one_hot", inputs, lines, values.dtype, sizes, bounds=values.bounds)
    return view(made, (*indices.shape[:axis], count, *indices.shape[axis:]))


@operator("ReverseSequence")
def reverse_sequence(
    x: Tensor, lengths: Tensor, *, batch_axis: int = 1, time_axis: int = 0
) -> Tensor:
    """The first few along the time axis in the opposite order; for each of a batch its number."""
    names = letters("i", x.rank)
    t, b = names[time_axis], names[batch_axis]
    index = [*names]
    index[time_axis] = f"(i32(length[{b}]) - 1 - {t} if {t} < i32(length[{b}]) else {t})"
    line = f"{at('y', names)} = {at('x', index)}"
    inputs = {"x": x, "length": lengths}
    return compute_one("reverse_sequence", inputs, line, x.dtype, x.shape, bounds=x.bounds)


def table(values: Sequence[int] | np.ndarray, dtype: DType) -> Tensor:
    """Numbers that an operator works out from its attributes."""
    array = np.asarray(values, dtype.numpy)
    return Tensor(dtype, array.shape, known(array).source, bounds_of(array))
