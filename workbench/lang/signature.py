"""Signatures: parameters, dims, scalars with defaults, results, and annotations in general."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import ALIASES, BOOL, DTYPES, I32, DType, spread
from workbench.ir.expr import Const, Expr, is_arithmetic
from workbench.ir.graph import Array, Scalar
from workbench.lang.expressions import expression
from workbench.lang.extents import Declared
from workbench.lang.names import ArrayName, Broken, Context, Dim, Name, ScalarName
from workbench.lang.report import closest
from workbench.lang.values import fit, holder, holds, whole
from workbench.passes.fold import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.base.source import Span
    from workbench.lang.report import Place


@dataclass(frozen=True, slots=True)
class Signature:
    """What the line of `def` says; `names` are its dims, arrays and scalars."""

    dims: tuple[str, ...]
    inputs: tuple[Array, ...]
    scalars: tuple[Scalar, ...]
    results: tuple[Declared, ...] | None
    names: Mapping[str, Name]


def has_arrays(node: ast.FunctionDef) -> bool:
    """Whether a function is a kernel: an array stands in its signature."""
    annotations = [a.annotation for a in parameters_of(node)]
    annotations += _results(node.returns)
    return any(isinstance(a, ast.Subscript) for a in annotations)


def signature(c: Context, node: ast.FunctionDef) -> Signature:
    """Read the signature; what is wrong is reported and its name broken."""
    _refuse_forms(c, node)
    parameters = parameters_of(node)
    defaults = dict(zip([a.arg for a in parameters][::-1], node.args.defaults[::-1], strict=False))
    names: dict[str, Name] = {}
    scalars = _scalars(c, parameters, defaults, names, _guessed(c, node))
    dims = _dims(c.adding(names), parameters, names)
    inputs: list[Array] = []
    for a in parameters:
        array = _input(c.adding(names), a, names)
        if array is not None:
            inputs.append(array)
            if a.arg in defaults:
                _array_default(c, a, defaults[a.arg])
    results = _declared_results(c.adding(names), node)

    return Signature(tuple(dims), tuple(inputs), tuple(scalars), results, names)


def dtype_of(c: Context, node: ast.expr) -> DType | None:
    """The dtype that a name in an annotation says."""
    match node:
        case ast.Name(id=name) if name in DTYPES:
            return DTYPES[name]
        case ast.Name(id=name) if name in ALIASES:
            hint = c.report.mended(node, ALIASES[name])
            c.wrong(node, f"'{name}' is no dtype; did you mean '{ALIASES[name]}'?", hint=hint)
        case ast.Name(id=name):
            if not c.dunder(node, name):
                close = closest(name, sorted(DTYPES))
                meant = "" if close is None else f"; did you mean '{close}'?"
                hint = c.report.mended(node, close or "f32")
                c.wrong(node, f"dtype '{name}' is not known{meant}", hint=hint)
        case ast.Attribute(attr=name):
            hint = c.report.mended(node, ALIASES.get(name, "f32"))
            c.wrong(node, f"'{c.report.text(node)}': dtypes have short names", hint=hint)
        case ast.Constant(value=str(text)):
            hint = c.report.mended(node, text)
            c.wrong(node, f"{c.report.text(node)} is a string, not a dtype", hint=hint)
        case _:
            hint = c.report.mended(node, "f32")
            c.wrong(node, f"'{c.report.text(node)}' is no dtype", hint=hint)
    return None


def _array_default(c: Context, a: ast.arg, default: ast.expr) -> None:
    """`x: f32[N] = 1.0`: the line without the value."""
    span = c.report.span(a)
    place = replace(span, end=c.report.span(default).end)
    c.wrong(default, f"'{a.arg}' is an array; only scalars have defaults",
            hint=c.report.mended(place, span.text))  # fmt: skip


def declared(c: Context, node: ast.expr) -> Declared | None:
    """What an annotation says: `f32[M, N - 2]`, or `f32` for a 0-d array."""
    span = c.report.span(node)
    if not isinstance(node, ast.Subscript):
        dtype = dtype_of(c, node)
        return None if dtype is None else Declared(dtype, (), span)
    dtype = dtype_of(c, node.value)
    shape = [_extent(c, x) for x in _extents(node)]
    found = tuple(x for x in shape if x is not None)
    if dtype is None or len(found) != len(shape):
        return None
    return Declared(dtype, found, span)


def _refuse_forms(c: Context, node: ast.FunctionDef) -> None:
    """Stars, and parameters that can be given in one way only."""
    for star in (node.args.vararg, node.args.kwarg):
        if star is not None:
            place = starred(c, star)
            hint = c.report.mended(place, f"{star.arg}: f32")
            c.wrong(place, f"'{place.text}': a kernel names its parameters", hint=hint)
    if getattr(node, "type_params", ()):
        head = _head(c, node)
        c.wrong(head, "type parameters are not part of the language",
                hint=f"def {node.name}(...)")  # fmt: skip
    for a in node.args.kwonlyargs[:1]:
        before = [x.end for x in map(c.report.span, (*parameters_of(node), *node.args.defaults))]
        span = c.report.span(a)
        gap = replace(span, start=max(before, default=span.start), end=span.start)
        c.wrong(a, f"'{a.arg}' stands after '*'; every parameter can be given by name anyway",
                hint=c.report.mended(gap, ", " if gap.text else ""))  # fmt: skip


def starred(c: Context, star: ast.arg) -> Span:
    """The place of `*args`, whose stars stand before what Python's tree has."""
    span = c.report.span(star)
    before = span.source.text[: span.start].rstrip()
    return replace(span, start=len(before.rstrip("*")))


def _scalars(
    c: Context,
    parameters: list[ast.arg],
    defaults: Mapping[str, ast.expr],
    names: dict[str, Name],
    types: Mapping[str, str],
) -> list[Scalar]:
    found: list[Scalar] = []
    for a in parameters:
        if isinstance(a.annotation, ast.Subscript):
            continue
        span = c.report.span(a)
        if c.adding(names).clash(a, a.arg, "a parameter"):
            names[a.arg] = Broken(span)
            continue
        names[a.arg] = Broken(span)
        if a.annotation is None:
            hint = c.report.mended(a, f"{a.arg}: {types.get(a.arg, 'f32')}")
            c.wrong(a, f"parameter '{a.arg}' has no type", hint=hint)
            continue
        dtype = dtype_of(c, a.annotation)
        if dtype is None:
            continue
        default = _default(c, a, defaults[a.arg], dtype) if a.arg in defaults else None
        scalar = Scalar(a.arg, dtype, default, origin=c.report.origin(a))
        names[a.arg] = ScalarName(scalar, span)
        found.append(scalar)
    return found


def _default(c: Context, a: ast.arg, node: ast.expr, dtype: DType) -> float | None:
    v = expression(c, node)
    if v is None:
        return None
    if not isinstance(v.expr, Const):
        known = fold(v.expr)
        value = known.value if isinstance(known, Const) else 1
        c.wrong(node, "a default is a literal", hint=c.report.mended(node, _literal(value, dtype)))
        return None
    if (dtype is BOOL) != (v.dtype is BOOL) or (dtype.kind in "iu" and v.dtype.kind == "f"):
        hint = c.report.mended(node, _literal(v.expr.value, dtype))
        c.wrong(node, f"the parameter is {dtype}, the value is {v.dtype}", hint=hint)
        return None
    held = holder(v.expr.value)
    if dtype.kind in "iu" and not holds(dtype, v.expr.value) and held is not None:
        low, high = spread(dtype)
        assert a.annotation is not None, "a dtype has an annotation"
        c.wrong(node, f"{v.expr.value} is outside {dtype}, {low} to {high}",
                hint=c.report.mended(a.annotation, held.name))  # fmt: skip
        return None
    e = fit(c, v, dtype, node, "the parameter")
    return e.value if isinstance(e, Const) else None


def _literal(value: float, dtype: DType) -> str:
    """The literal of a dtype that is next to a number, towards 0; 0 where none is near."""
    if dtype is BOOL:
        return str(bool(value))
    if dtype.kind == "f":
        return str(float(value))
    return str(int(value)) if holds(dtype, value) else "0"


def _dims(c: Context, parameters: list[ast.arg], names: dict[str, Name]) -> list[str]:
    """The symbols that stand alone as an extent of a parameter, in order of appearance."""
    found: list[str] = []
    for a in parameters:
        for x in _extents(a.annotation):
            if not isinstance(x, ast.Name) or x.id in found:
                continue
            if c.clash(x, x.id, "a dim"):
                names[x.id] = Broken(c.report.span(x))
                continue
            names[x.id] = Dim(c.report.span(x))
            found.append(x.id)
    return found


def _input(c: Context, a: ast.arg, names: dict[str, Name]) -> Array | None:
    if not isinstance(a.annotation, ast.Subscript):
        return None
    if c.clash(a, a.arg, "an array"):
        names[a.arg] = Broken(c.report.span(a))
        return None
    span = c.report.span(a)
    said = declared(c, a.annotation)
    if said is None:
        names[a.arg] = Broken(span)
        return None
    array = Array(a.arg, said.dtype, said.shape, origin=c.report.origin(a))
    names[a.arg] = ArrayName(array, span)
    return array


def _index_extents(c: Context, node: ast.FunctionDef) -> dict[str, str]:
    """The extents of the dimensions that stand under each index somewhere in a kernel."""
    shapes = {a.arg: _extents(a.annotation) for a in parameters_of(node)}
    extents: dict[str, str] = {}
    for x in ast.walk(node):
        match x:
            case ast.Subscript(value=ast.Name(name), slice=place) if name in shapes:
                for index, extent in zip(_each(place), shapes[name], strict=False):
                    if isinstance(index, ast.Name):
                        extents.setdefault(index.id, c.report.text(extent))
            case _:
                pass
    return extents


def _guessed(c: Context, node: ast.FunctionDef) -> dict[str, str]:
    """A type for each parameter without one: an array where it has indices somewhere."""
    extents = _index_extents(c, node)
    types: dict[str, str] = {}
    for x in ast.walk(node):
        match x:
            case ast.Subscript(value=ast.Name(name), slice=place):
                sizes = [extents.get(ast.unparse(i), "N") for i in _each(place)]
                types.setdefault(name, f"f32[{', '.join(sizes)}]")
            case _:
                pass
    return types


def _guesses(c: Context, node: ast.FunctionDef) -> list[str]:
    """What a kernel that does not say so returns: the extents that its indices have elsewhere."""
    types = {a.arg: c.report.text(a.annotation) for a in parameters_of(node) if a.annotation}
    extents = _index_extents(c, node)
    for x in ast.walk(node):
        match x:
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(name), slice=place)]):
                shape = [extents.get(ast.unparse(i), "N") for i in _each(place)]
                types.setdefault(name, f"f32[{', '.join(shape)}]")
            case ast.AnnAssign(target=ast.Name(name), annotation=annotation):
                types.setdefault(name, c.report.text(annotation))
            case ast.Assign(targets=[ast.Name(name)]):
                types.setdefault(name, "f32")
            case _:
                pass
    match node.body[-1]:
        case ast.Return(value=ast.expr() as value):
            found = [types.get(ast.unparse(x), "f32[N]") for x in _each(value)]
        case _:
            found = ["f32[N]"]
    return found if len(found) == 1 else [f"({', '.join(found)})"]


def _each(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _declared_results(c: Context, node: ast.FunctionDef) -> tuple[Declared, ...] | None:
    if node.returns is None:
        head = _head(c, node)
        said = f"-> {', '.join(_guesses(c, node))}"
        line = c.report.mended(head, c.report.text(head))
        hint = f"{line[:-1]} {said}:" if line.endswith("):") else said
        c.wrong(head, f"'{node.name}' does not say what it returns", hint=hint)
        return None
    said = [declared(c, x) for x in _results(node.returns)]
    found = tuple(x for x in said if x is not None)
    return found if len(found) == len(said) else None


def _head(c: Context, node: ast.FunctionDef) -> Place:
    """The name in the line of `def`."""
    span = c.report.span(node)
    start = span.text.find(node.name, len("def")) + span.start
    return type(span)(span.source, start, start + len(node.name))


def _extent(c: Context, node: ast.expr) -> Expr | None:
    """An extent: arithmetic on dims, i32 scalars and whole numbers."""
    if _unknown_dims(c, node):
        return None
    for x in _symbols(node):
        if (other := _other_scalar(c, x)) is not None:
            c.wrong(x, f"'{x.id}' is {other.scalar.dtype}, an extent is a whole number",
                    hint=f"{x.id}: i32 as a parameter")  # fmt: skip
            return None
    v = expression(c, node)
    e = None if v is None else whole(c, v, node, "an extent")
    if e is None:
        return None
    if isinstance(e, Const) and e.value < 0:
        hint = c.report.mended(node, _some_dim(c))
        c.wrong(node, f"an extent is at least 0, this is {e.value}", hint=hint)
        return None
    if not is_arithmetic(e):
        hint = c.report.mended(node, _some_dim(c))
        c.wrong(node, "an extent is made of dims, i32 scalars and whole numbers", hint=hint)
        return None
    return e


def _some_dim(c: Context) -> str:
    """A dim of the signature; 1 where it has none."""
    return next((k for k, n in c.names.items() if isinstance(n, Dim)), "1")


def _unknown_dims(c: Context, node: ast.expr) -> bool:
    """Report symbols that no parameter has; true if there are any."""
    unknown = [x for x in _symbols(node) if x.id not in c.names and not c.dunder(x, x.id)]
    if any(isinstance(n, Broken) for n in c.names.values()):
        return bool(unknown)  # it may stand in a parameter that is wrong
    for x in unknown:
        dims = [k for k, n in c.names.items() if isinstance(n, Dim)]
        close = closest(x.id, dims)
        if close is not None:
            c.report.unknown(x, "dim", x.id, dims)
        else:
            c.wrong(x, f"dim '{x.id}' is no extent of a parameter",
                    hint=f"{x.id}: i32 as a parameter")  # fmt: skip
    return bool(unknown)


def _other_scalar(c: Context, node: ast.AST) -> ScalarName | None:
    """The scalar parameter that is no i32, if a name is one."""
    name = c.names.get(node.id) if isinstance(node, ast.Name) else None
    return name if isinstance(name, ScalarName) and name.scalar.dtype is not I32 else None


def parameters_of(node: ast.FunctionDef) -> list[ast.arg]:
    """The parameters in the order of the signature."""
    return [*node.args.posonlyargs, *node.args.args]


def _results(node: ast.expr | None) -> list[ast.expr]:
    if node is None:
        return []
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def _extents(node: ast.expr | None) -> list[ast.expr]:
    if not isinstance(node, ast.Subscript):
        return []
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _symbols(node: ast.AST) -> Iterator[ast.Name]:
    """The names in the extents of an annotation."""
    inside = node.slice if isinstance(node, ast.Subscript) else node
    if isinstance(node, ast.Name):
        return iter((node,))
    return (x for x in ast.walk(inside) if isinstance(x, ast.Name))
