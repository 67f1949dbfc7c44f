"""Extents: when two are the same, and which one each axis of an equation has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.ir.expr import Apply, Const, Expr, Load, Var, free_names, loads
from workbench.ir.graph import Array, Axis
from workbench.ir.show import expr_text
from workbench.lang import lines
from workbench.lang.names import Context, arrays_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.base.dtypes import DType
    from workbench.base.source import Span

Polynomial = dict[tuple[str, ...], int]
"""Products of names (sorted) with their factors; the empty product is the literal."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What an annotation says of an array: `f32[M, N]`."""

    dtype: DType
    shape: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class _Claim:
    """One place that gives an axis its extent."""

    extent: Expr
    span: Span


def polynomial(e: Expr) -> Polynomial:
    """An extent multiplied out; what is no sum or product stands as a name of its own."""
    match e:
        case Const(value):
            return {(): int(value)} if value else {}
        case Var(name):
            return {(name,): 1}
        case Apply("neg", (a,)):
            return {k: -v for k, v in polynomial(a).items()}
        case Apply(("add" | "sub") as op, (a, b)):
            total = dict(polynomial(a))
            for key, factor in polynomial(b).items():
                total[key] = total.get(key, 0) + (factor if op == "add" else -factor)
            return {k: v for k, v in total.items() if v}
        case Apply("mul", (a, b)):
            product: Polynomial = {}
            for left, x in polynomial(a).items():
                for right, y in polynomial(b).items():
                    key = tuple(sorted((*left, *right)))
                    product[key] = product.get(key, 0) + x * y
            return {k: v for k, v in product.items() if v}
        case _:
            return {(f"({expr_text(e)})",): 1}


def same(a: Expr, b: Expr) -> bool:
    """Whether two extents are equal for all values of the dims."""
    return a is b or a == b or polynomial(a) == polynomial(b)


def shape_text(dtype: DType, shape: Sequence[Expr]) -> str:
    """`f32[M, N]`."""
    return f"{dtype}[{', '.join(expr_text(x) for x in shape)}]" if shape else str(dtype)


def axes_of(
    c: Context,
    names: Mapping[str, Span],
    value: Expr,
    declared: Declared | None,
    array: str = "",
) -> tuple[Axis, ...] | None:
    """The axes of an equation: each extent from the annotation, else from the reads.

    Where the target is declared, an array that the equation also reads beside the index
    (`x[i]` next to `x[i + 1]`) may be longer than the axis; all else must agree.
    """
    arrays = {k: n.array for k, n in arrays_of(c.names).items()}
    reads = list(loads(value))
    axes: list[Axis] = []
    for place, (name, span) in enumerate(names.items()):
        claims = _claims(name, reads, arrays)
        if declared is not None:
            windows = _windows(name, reads)
            claims = [claim for key, claim in claims if key not in windows]
            claims.insert(0, _Claim(declared.shape[place], declared.span))
        else:
            claims = [claim for _, claim in claims]
        if not claims:
            sizes = [next((expr_text(x.extent) for _, x in _claims(n, reads, arrays)), None)
                     for n in names]  # fmt: skip
            said = f"{array}: {value.dtype}[{', '.join(lines.filled(c, sizes))}]"
            c.wrong(span, f"index '{name}' has no extent: no array is read at '{name}' alone",
                    hint=f"{said} on a line before it")  # fmt: skip
            return None
        first = claims[0]
        other = next((x for x in claims if not same(x.extent, first.extent)), None)
        if other is not None:
            _disagreement(c, name, first, other)
            return None
        axes.append(Axis(name, first.extent, origin=c.report.origin(span)))
    return tuple(axes)


def _claims(
    name: str, reads: Sequence[Load], arrays: Mapping[str, Array]
) -> list[tuple[tuple[str, int], _Claim]]:
    """Every array and dimension that is read at the index alone."""
    found: list[tuple[tuple[str, int], _Claim]] = []
    for load in reads:
        for place, e in enumerate(load.index):
            span = load.origin.nearest_span()
            if isinstance(e, Var) and e.name == name and span is not None:
                key = (load.array, place)
                found.append((key, _Claim(arrays[load.array].shape[place], span)))
    return found


def _windows(name: str, reads: Sequence[Load]) -> set[tuple[str, int]]:
    """Arrays and dimensions that are read at compound subscripts of the index."""
    return {
        (load.array, place)
        for load in reads
        for place, e in enumerate(load.index)
        if not isinstance(e, Var) and name in free_names(e)
    }


def _disagreement(c: Context, name: str, first: _Claim, other: _Claim) -> None:
    place = first.span.position
    c.wrong(
        other.span,
        f"index '{name}' runs over {expr_text(other.extent)} in {other.span.text} and over "
        f"{expr_text(first.extent)} in {first.span.text} (line {place[0]}, column {place[1]})",
        hint=f"the same extent in both places, {expr_text(first.extent)}",
    )
