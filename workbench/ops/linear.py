"""Products of matrices: MatMul, Gemm, Einsum, and those of quantised whole numbers."""

from __future__ import annotations

import math

from workbench.base.dtypes import I32, I64, DType
from workbench.ops.elementwise import ROWS
from workbench.ops.formula import (
    at,
    broadcast,
    compute_one,
    letters,
    literal,
    over,
)
from workbench.ops.named import operator
from workbench.ops.tensor import Bounds, Tensor, UnsupportedError, view


def product_bounds(a: Tensor, b: Tensor, terms: int) -> Bounds | None:
    """Bounds of a sum of products of two i64."""
    if a.dtype is not I64 or a.bounds is None or b.bounds is None:
        return None
    most = max(map(abs, a.bounds)) * max(map(abs, b.bounds)) * terms
    return -most, most


@operator("MatMul")
def matmul(a: Tensor, b: Tensor) -> Tensor:
    """The product of matrices, of stacks of them where there are more axes."""
    return product(a, b, "{a} * {b}", a.dtype, {})


def product(a: Tensor, b: Tensor, term: str, dtype: DType, more: dict[str, Tensor]) -> Tensor:
    """The sum of a term over the inner axis; `more` are operands that the term names.

    `{a}` and `{b}` are the elements; the term may use the indices `i`, `j` of the result too.
    """
    if not a.rank or not b.rank:
        raise UnsupportedError("of a scalar")
    left = view(a, (1, *a.shape)) if a.rank == 1 else a
    right = view(b, (*b.shape, 1)) if b.rank == 1 else b
    if right.rank == 2 and left.rank > 2 and "i" not in _named(term):
        left = view(left, (math.prod(left.shape[:-1]), left.shape[-1]))
    (m, k), (inner, n) = left.shape[-2:], right.shape[-2:]
    if k != inner:
        raise UnsupportedError(f"shapes {list(a.shape)} and {list(b.shape)} do not go together")
    stack = broadcast(left.shape[:-2], right.shape[:-2])
    names = letters("s", len(stack))
    x = at("a", [*_stacked(names, left.shape[:-2]), "i", "k"])
    y = at("b", [*_stacked(names, right.shape[:-2]), "k", "j"])
    line = f"{at('y', [*names, 'i', 'j'])} = sum({term.format(a=x, b=y)} for k in range({k}))"
    if dtype.bits < I32.bits and dtype.kind in "iu":
        line = line.replace(" = sum(", f" = {dtype}(sum(") + ")"
    inputs = {"a": left, "b": right, **more}
    bounds = product_bounds(a, b, k)
    made = compute_one("matmul", inputs, line, dtype, (*stack, m, n), bounds=bounds)
    rows = a.shape[:-1] if b.rank <= 2 else (*stack, *([] if a.rank == 1 else [m]))
    return view(made, (*rows, *([] if b.rank == 1 else [n])))


def _named(term: str) -> str:
    return "i" if "[i]" in term or "[i," in term else ""


def _stacked(names: tuple[str, ...], shape: tuple[int, ...]) -> list[str]:
    """The indices of a stack that broadcasts."""
    used = names[len(names) - len(shape) :]
    return [n if e != 1 else "0" for n, e in zip(used, shape, strict=True)]


@operator("Gemm")
def gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Tensor:
    """Alpha A B + beta C, where A and B may be turned over."""
    m, k = a.shape[::-1] if transA else a.shape
    inner, n = b.shape[::-1] if transB else b.shape
    if k != inner:
        raise UnsupportedError(f"shapes {list(a.shape)} and {list(b.shape)} do not go together")
    left, right = ("a[k, i]" if transA else "a[i, k]"), ("b[j, k]" if transB else "b[k, j]")
    words = f"sum({left} * {right} for k in range({k}))"
    if a.dtype.kind == "f" and alpha != 1:
        words = f"{literal(alpha, a.dtype)} * {words}"
    inputs = {"a": a, "b": b}
    if c is not None and beta != 0:
        inputs["c"] = view(c, (1,) * (2 - c.rank) + c.shape)
        index = [
            "i" if inputs["c"].shape[0] != 1 else "0",
            "j" if inputs["c"].shape[1] != 1 else "0",
        ]
        words += (
            f" + {literal(beta, a.dtype)} * {at('c', index)}"
            if beta != 1
            else f" + {at('c', index)}"
        )
    if a.dtype.kind != "f" and (alpha != 1 or beta != 1):
        raise UnsupportedError("of whole numbers with alpha or beta")
    return compute_one("gemm", inputs, f"y[i, j] = {words}", a.dtype, (m, n))


@operator("Einsum")
def einsum(*operands: Tensor, equation: str) -> Tensor:
    """Sums of products as an equation of index letters says."""
    said, arrow, result = equation.replace(" ", "").partition("->")
    terms = said.split(",")
    if len(terms) != len(operands):
        raise UnsupportedError(f"{len(operands)} operands for '{equation}'")
    dots = max(x.rank - len(t.replace("...", "")) for t, x in zip(terms, operands, strict=True))
    spelled = [_spelled(t, x.rank) for t, x in zip(terms, operands, strict=True)]
    if not arrow:
        letters_ = [c for t in terms for c in t.replace("...", "")]
        result = "..." + "".join(sorted(c for c in set(letters_) if letters_.count(c) == 1))
    out = (
        _spelled(result, dots + len(result.replace("...", ""))) if "..." in result else list(result)
    )
    extents: dict[str, int] = {}
    for term, x in zip(spelled, operands, strict=True):
        for name, extent in zip(term, x.shape, strict=True):
            if extents.get(name, 1) not in {1, extent} and extent != 1:
                raise UnsupportedError(f"'{name}' is {extents[name]} and {extent} in '{equation}'")
            extents[name] = max(extents.get(name, 1), extent)
    inputs = {f"x{n}": x for n, x in enumerate(operands)}
    factors = [
        at(n, [_index(c) if e != 1 or extents[c] == 1 else "0"
               for c, e in zip(term, x.shape, strict=True)])
        for (n, x), term in zip(inputs.items(), spelled, strict=True)
    ]  # fmt: skip
    summed = [c for c in extents if c not in out]
    words = " * ".join(factors)
    if summed:
        words = f"sum({words} {over([_index(c) for c in summed], [extents[c] for c in summed])})"
    line = f"{at('y', [_index(c) for c in out] or ['u'])} = {words}"
    return compute_one("einsum", inputs, line, operands[0].dtype, tuple(extents[c] for c in out))


def _spelled(term: str, rank: int) -> list[str]:
    """The letters of a term, those of its dots as numbers counted from the last."""
    before, dots, after = term.partition("...")
    if not dots:
        return list(term)
    count = rank - len(before) - len(after)
    return [*before, *(str(n) for n in range(count, 0, -1)), *after]


def _index(letter: str) -> str:
    return f"d{letter}" if letter.isdigit() else f"l{letter}" if letter.islower() else f"u{letter}"


@operator("MatMulInteger")
def matmul_integer(
    a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None
) -> Tensor:
    """The product of quantised matrices as i32, their zero points taken off."""
    left, more = shifted("{a}", "za", a_zero, "i")
    right, other = shifted("{b}", "zb", b_zero, "j")
    return product(a, b, f"{left} * {right}", I32, {**more, **other})


def shifted(
    element: str, name: str, zero: Tensor | None, index: str
) -> tuple[str, dict[str, Tensor]]:
    """A quantised element without its zero point, which may be one for each row or column."""
    if zero is None:
        return f"i32({element})", {}
    flat = view(zero, (zero.size,))
    return f"(i32({element}) - i32({name}[{index if zero.size > 1 else '0'}]))", {name: flat}


@operator("QLinearMatMul")
def qlinear_matmul(
    a: Tensor, a_scale: Tensor, a_zero: Tensor, b: Tensor, b_scale: Tensor, b_zero: Tensor,
    y_scale: Tensor, y_zero: Tensor,
) -> Tensor:  # fmt: skip
    """The product of quantised matrices, quantised again."""
    from workbench.ops.quantised import requantised  # noqa: PLC0415

    summed = matmul_integer(a, b, a_zero, b_zero)
    scale = ROWS["Mul"](_column(a_scale), b_scale)
    return requantised(summed, scale, y_scale, y_zero)


def _column(scale: Tensor) -> Tensor:
    """Scales of rows, so that they broadcast along them."""
    return view(scale, (*scale.shape, 1)) if scale.size > 1 else scale
