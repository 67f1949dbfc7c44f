"""Signatures: parameters, dims, scalars with defaults, results, and annotations in general."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL, DTYPES, I32, DType
from workbench.ir.expr import Const, Expr, Load, Reduce, walk
from workbench.ir.graph import Array, Scalar
from workbench.lang.expressions import expression
from workbench.lang.extents import Declared
from workbench.lang.names import ArrayName, Broken, Context, Dim, Name, ScalarName
from workbench.lang.report import closest
from workbench.lang.values import fit, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.lang.report import Place

_ALIASES: Mapping[str, str] = {
    "float": "f32", "float32": "f32", "single": "f32", "int": "i32", "int32": "i32",
    "uint": "u32", "uint32": "u32", "boolean": "bool", "bool_": "bool", "half": "f16",
    "float16": "f16", "double": "f64", "float64": "f64", "int8": "i8", "uint8": "u8",
    "int64": "i64",
}  # fmt: skip


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
    scalars = _scalars(c, parameters, defaults, names)
    dims = _dims(c.adding(names), parameters, names)
    inputs: list[Array] = []
    for a in parameters:
        array = _input(c.adding(names), a, names)
        if array is not None:
            inputs.append(array)
            if a.arg in defaults:
                c.wrong(defaults[a.arg], f"'{a.arg}' is an array; only scalars have defaults")
    results = _declared_results(c.adding(names), node)

    return Signature(tuple(dims), tuple(inputs), tuple(scalars), results, names)


def dtype_of(c: Context, node: ast.expr) -> DType | None:
    """The dtype that a name in an annotation says."""
    match node:
        case ast.Name(id=name) if name in DTYPES:
            return DTYPES[name]
        case ast.Name(id=name) if name in _ALIASES:
            hint = c.report.mended(node, _ALIASES[name])
            c.wrong(node, f"'{name}' is no dtype; did you mean '{_ALIASES[name]}'?", hint=hint)
        case ast.Name(id=name):
            if not c.dunder(node, name):
                close = closest(name, sorted(DTYPES))
                meant = "" if close is None else f"; did you mean '{close}'?"
                hint = c.report.mended(node, close or "f32")
                c.wrong(node, f"dtype '{name}' is not known{meant}", hint=hint)
        case ast.Attribute(attr=name):
            hint = c.report.mended(node, _ALIASES.get(name, "f32"))
            c.wrong(node, f"'{c.report.text(node)}': dtypes have short names", hint=hint)
        case _:
            c.wrong(node, f"'{c.report.text(node)}' is no dtype", hint="f32, i32, u32 or bool")
    return None


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
            c.wrong(star, f"'{star.arg}': a kernel names its parameters", hint="x: f32[N]")
    if getattr(node, "type_params", ()):
        c.wrong(node, "type parameters are not part of the language", hint=f"def {node.name}(...)")
    for a in node.args.kwonlyargs:
        c.wrong(a, f"'{a.arg}' stands after '*'; every parameter can be given by name anyway",
                hint=f"'{a.arg}' before the '*'")  # fmt: skip


def _scalars(
    c: Context,
    parameters: list[ast.arg],
    defaults: Mapping[str, ast.expr],
    names: dict[str, Name],
) -> list[Scalar]:
    found: list[Scalar] = []
    for a in parameters:
        if isinstance(a.annotation, ast.Subscript):
            continue
        span = c.report.span(a)
        if c.adding(names).clash(a, a.arg, "a parameter"):
            continue
        names[a.arg] = Broken(span)
        if a.annotation is None:
            c.wrong(a, f"parameter '{a.arg}' has no type", hint=f"{a.arg}: f32[N]")
            continue
        dtype = dtype_of(c, a.annotation)
        if dtype is None:
            continue
        default = _default(c, defaults[a.arg], dtype) if a.arg in defaults else None
        scalar = Scalar(a.arg, dtype, default, origin=c.report.origin(a))
        names[a.arg] = ScalarName(scalar, span)
        found.append(scalar)
    return found


def _default(c: Context, node: ast.expr, dtype: DType) -> float | None:
    v = expression(c, node)
    if v is None:
        return None
    if not isinstance(v.expr, Const):
        c.wrong(node, "a default is a literal", hint=c.report.mended(node, _literal(1, dtype)))
        return None
    if (dtype is BOOL) != (v.dtype is BOOL) or (dtype.kind in "iu" and v.dtype.kind == "f"):
        hint = c.report.mended(node, _literal(v.expr.value, dtype))
        c.wrong(node, f"the parameter is {dtype}, the value is {v.dtype}", hint=hint)
        return None
    e = fit(c, v, dtype, node, "the parameter")
    return e.value if isinstance(e, Const) else None


def _literal(value: float, dtype: DType) -> str:
    """The literal of a dtype that is next to a number, towards 0; 0 where none is near."""
    if dtype is BOOL:
        return str(bool(value))
    if dtype.kind == "f":
        return str(float(value))
    least = -(2 ** (dtype.bits - 1)) if dtype.kind == "i" else 0
    return str(int(value)) if least <= value < least + 2**dtype.bits else "0"


def _dims(c: Context, parameters: list[ast.arg], names: dict[str, Name]) -> list[str]:
    """The symbols that stand alone as an extent of a parameter, in order of appearance."""
    found: list[str] = []
    for a in parameters:
        for x in _extents(a.annotation):
            if not isinstance(x, ast.Name) or x.id in found:
                continue
            if c.clash(x, x.id, "a dim"):
                names.setdefault(x.id, Broken(c.report.span(x)))
                continue
            names[x.id] = Dim(c.report.span(x))
            found.append(x.id)
    return found


def _input(c: Context, a: ast.arg, names: dict[str, Name]) -> Array | None:
    if not isinstance(a.annotation, ast.Subscript):
        return None
    if c.clash(a, a.arg, "an array"):
        return None
    span = c.report.span(a)
    said = declared(c, a.annotation)
    if said is None:
        names[a.arg] = Broken(span)
        return None
    array = Array(a.arg, said.dtype, said.shape, origin=c.report.origin(a))
    names[a.arg] = ArrayName(array, span)
    return array


def _guesses(c: Context, node: ast.FunctionDef) -> list[str]:
    """What a kernel that does not say so returns: the extents that its indices have elsewhere."""
    types = {a.arg: c.report.text(a.annotation) for a in parameters_of(node) if a.annotation}
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
    v = expression(c, node)
    e = None if v is None else whole(c, v, node, "an extent")
    if e is None:
        return None
    if isinstance(e, Const) and e.value < 0:
        c.wrong(node, f"an extent is at least 0, this is {e.value}", hint="N")
        return None
    strange = any(isinstance(x, Load | Reduce) for x in walk(e))
    if strange or any(_is_other_scalar(c, x) for x in _symbols(node)):
        c.wrong(node, "an extent is made of dims, i32 scalars and whole numbers", hint="n: i32")
        return None
    return e


def _unknown_dims(c: Context, node: ast.expr) -> bool:
    """Report symbols that no parameter has; true if there are any."""
    unknown = [x for x in _symbols(node) if x.id not in c.names and not c.dunder(x, x.id)]
    for x in unknown:
        dims = [k for k, n in c.names.items() if isinstance(n, Dim)]
        close = closest(x.id, dims)
        if close is not None:
            c.report.unknown(x, "dim", x.id, dims)
        else:
            hint = f"x: f32[{x.id}] or {x.id}: i32 as a parameter"
            c.wrong(x, f"dim '{x.id}' is no extent of a parameter", hint=hint)
    return bool(unknown)


def _is_other_scalar(c: Context, node: ast.Name) -> bool:
    name = c.names.get(node.id)
    return isinstance(name, ScalarName) and name.scalar.dtype is not I32


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
