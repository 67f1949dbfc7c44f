"""How an operator writes its formula: parameters, lines of index notation, results.

The text is a kernel of the cell language, with every extent a number: equal layers of a model
have equal texts, and are compiled once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import dedent, indent

import numpy as np

from workbench.base.dtypes import BOOL, DType
from workbench.ops.tensor import (
    WORD,
    Bounds,
    Computed,
    Formula,
    Known,
    Shape,
    Tensor,
    UnsupportedError,
    held,
    view,
)


def compute(
    name: str,
    inputs: Mapping[str, Tensor],
    lines: str,
    results: Mapping[str, tuple[DType, Shape]],
    *,
    bounds: Sequence[Bounds | None] = (),
    functions: str = "",
) -> tuple[Tensor, ...]:
    """Tensors that a kernel computes: its `lines` define the `results` from the `inputs`.

    `bounds` are those of the results, where they are whole numbers. Results without elements are
    known at once, and nothing computes them.
    """
    around = [*bounds, *[None] * len(results)]
    if all(math.prod(shape) == 0 for _, shape in results.values()):
        return tuple(Tensor(t, s, Known(np.zeros(s, t.numpy))) for t, s in results.values())
    parameters = ", ".join(f"{n}: {typed(x.dtype, x.shape)}" for n, x in inputs.items())
    types = [typed(t, s) for t, s in results.values()]
    result = types[0] if len(types) == 1 else f"({', '.join(types)})"
    body = indent(dedent(lines).strip(), "    ")
    helpers = dedent(functions).strip()
    text = f"{helpers}\n\n" if helpers else ""
    text += f"def {name}({parameters}) -> {result}:\n{body}\n    return {', '.join(results)}\n"
    made = Formula(name, tuple(inputs.values()), text, tuple(results.values()))
    return tuple(
        Tensor(t, s, Computed(made, place), around[place])
        for place, (t, s) in enumerate(results.values())
    )


def compute_one(
    name: str,
    inputs: Mapping[str, Tensor],
    lines: str,
    dtype: DType,
    shape: Shape,
    *,
    bounds: Bounds | None = None,
    functions: str = "",
) -> Tensor:
    """As `compute`, for one result, which the lines call `y`."""
    (y,) = compute(
        name, inputs, lines, {"y": (dtype, shape)}, bounds=(bounds,), functions=functions
    )
    return y


def typed(dtype: DType, shape: Shape) -> str:
    """A type of the language."""
    return f"{dtype}[{', '.join(map(str, held(shape)))}]"


def at(name: str, index: Sequence[str]) -> str:
    """An element of an array; that of a scalar is its first."""
    return f"{name}[{', '.join(index) or '0'}]"


def letters(letter: str, count: int) -> tuple[str, ...]:
    """Index names: `i0`, `i1` and so on."""
    return tuple(f"{letter}{n}" for n in range(count))


def over(indices: Sequence[str], extents: Sequence[int]) -> str:
    """The ranges of a reduction."""
    pairs = zip(indices, extents, strict=True)
    return " ".join(f"for {n} in range({e})" for n, e in pairs)


def literal(value: float | np.generic, dtype: DType) -> str:
    """A number as the language writes it, in parentheses where it has a sign."""
    if dtype is BOOL:
        return str(bool(value))
    if dtype.kind in "iu":
        whole = int(value)
        return f"({whole})" if whole < 0 else str(whole)
    number = float(value)
    words = repr(abs(number))
    return f"(-{words})" if math.copysign(1, number) < 0 and not math.isnan(number) else words


def single(x: Tensor) -> str | None:
    """The literal of a tensor that is one number, known before anything runs."""
    values = x.known
    if values is None or values.size != 1:
        return None
    value = values.reshape(-1)[0]
    if x.dtype.kind in "iu" and not WORD[0] < int(value) <= WORD[1]:
        return None
    return literal(value, x.dtype)


def broadcast(*shapes: Shape) -> Shape:
    """The shape that several have together. Raises `UnsupportedError` where they disagree."""
    try:
        return tuple(int(n) for n in np.broadcast_shapes(*shapes))
    except ValueError as error:
        words = " and ".join(map(str, map(list, shapes)))
        raise UnsupportedError(f"shapes {words} do not go together") from error


def pointwise(
    name: str,
    expression: str,
    *operands: Tensor,
    dtype: DType | None = None,
    bounds: Bounds | None = None,
    functions: str = "",
) -> Tensor:
    """`expression` of each element: `{0}`, `{1}` stand for the operands, which broadcast.

    Neighbouring axes that broadcast alike are one: the elements lie in the same order.
    """
    shape = broadcast(*(x.shape for x in operands))
    literals = [single(x) for x in operands]
    if None not in literals:
        literals = [None, *literals[1:]]
    extents, patterns = _merged(shape, [x.shape for x in operands])
    names = letters("i", len(extents))
    inputs: dict[str, Tensor] = {}
    words: list[str] = []
    for number, (x, said) in enumerate(zip(operands, literals, strict=True)):
        if said is not None:
            words.append(said)
            continue
        parameter = "abcdefgh"[number]
        used = [n if own else "0" for n, own in zip(names, patterns[number], strict=True)]
        sizes = tuple(e if own else 1 for e, own in zip(extents, patterns[number], strict=True))
        inputs[parameter] = view(x, sizes)
        words.append(at(parameter, used))
    line = f"y[{', '.join(names)}] = {expression.format(*words)}"
    made = compute_one(
        name, inputs, line, dtype or operands[0].dtype, tuple(extents), bounds=bounds,
        functions=functions,
    )  # fmt: skip
    return view(made, shape)


def _merged(shape: Shape, shapes: Sequence[Shape]) -> tuple[list[int], list[list[bool]]]:
    """The extents of the merged axes, and for each operand along which of them it goes."""
    padded: list[Shape] = [(1,) * (len(shape) - len(s)) + s for s in shapes]
    extents: list[int] = []
    along: list[tuple[bool, ...]] = []
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        own = tuple(s[axis] != 1 for s in padded)
        if along and along[-1] == own:
            extents[-1] *= extent
        else:
            extents.append(extent)
            along.append(own)
    if not extents:
        return [1], [[True]] * len(shapes)
    return extents, [[own[n] for own in along] for n in range(len(shapes))]
