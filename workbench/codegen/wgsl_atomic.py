"""Atomic updates in WGSL: whole numbers by its own functions, floats by trying again and again.

WGSL has no atomic floats. Their bits lie in an `atomic<u32>`: a function of the module's own
reads them, computes, and exchanges them for the new ones unless somebody was faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.base.dtypes import F32, I32, U32
from workbench.base.errors import CodegenError
from workbench.codegen.wgsl_expr import Scope, write_expr, write_flat, write_place
from workbench.ir.stmt import Store, walk_stmts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.base.source import Origin
    from workbench.base.text import Writer
    from workbench.codegen.wgsl_expr import ArrayPlace
    from workbench.ir.stmt import Body

TRIES = 64
"""Turns that a float update is taken to need at most, for drivers that count them: the lanes of
a subgroup may all want one element, and each turn lets one of them through."""

_OWN = {"add": "atomicAdd", "max": "atomicMax", "min": "atomicMin"}
_NEW = {"add": "{now} + {value}", "max": "max({now}, {value})", "min": "min({now}, {value})"}
_WORDS = {"add": "+ {value}", "max": "or {value}, the greater", "min": "or {value}, the smaller"}
_LOCALS = ("at", "value", "bits", "now", "changed", "tried")

_HEAD = """\
// {array}[{at}] = {array}[{at}] WORDS, at once.
fn FUNCTION({at}: i32, {value}: f32) {{
    var {bits} = atomicLoad(&{array}[{at}]);
    loop {{
        let {now} = bitcast<f32>({bits});
        var {changed} = bitcast<u32>(NEW);"""
_KEEP_NAN = """\
        if ((bitcast<u32>({value}) & 0x7fffffffu) > 0x7f800000u) {{ {changed} = 0x7fc00000u; }}
        if (({bits} & 0x7fffffffu) > 0x7f800000u || {changed} == {bits}) {{ return; }}"""
_TAIL = """\
        let {tried} = atomicCompareExchangeWeak(&{array}[{at}], {bits}, {changed});
        if ({tried}.exchanged) {{ return; }}
        {bits} = {tried}.old_value;
    }}
}}"""


def atomic_arrays(body: Body) -> frozenset[str]:
    """The arrays that a body updates atomically."""
    return frozenset(s.array for s in _updates(body))


def exchanges(s: Store) -> bool:
    """Whether an update tries again and again."""
    return s.atomic and s.value.dtype is F32


def function_key(op: str, array: str) -> str:
    """What the names of a kernel call the function that updates the floats of an array."""
    return f"atomic.{op}.{array}"


def functions(body: Body) -> dict[str, tuple[str, str]]:
    """The functions that a body needs, each with its operation and array."""
    found = {(s.reduce or "", s.array): None for s in _updates(body) if exchanges(s)}
    return {function_key(op, array): (op, array) for op, array in found}


def element_type(place: ArrayPlace, origin: Origin) -> str:
    """The type of an element of an array that is updated atomically.

    Raises `CodegenError`, at the origin, for a dtype without one.
    """
    if place.dtype not in {I32, U32, F32}:
        raise CodegenError(
            f"WGSL has no atomic update of {place.dtype} ('{place.name}')",
            span=origin.nearest_span(),
            hint="an array of i32, u32 or f32, or on='cpu'",
        )
    return "atomic<i32>" if place.dtype is I32 else "atomic<u32>"


def write_update(w: Writer, s: Store, scope: Scope) -> None:
    """An atomic update of an element, or the plain store of one of such an array."""
    place = scope.arrays[s.array]
    if s.atomic and place.dtype is F32:
        assert s.reduce is not None, "a plain store is not atomic"
        w.write(f"{scope.names[function_key(s.reduce, s.array)]}(")
        with w.mark(s.place):
            write_flat(w, place.shape, s.index, scope)
        w.write(", ")
        write_expr(w, s.value, scope)
        w.write(")")
        return
    w.write(f"{_OWN[s.reduce or ''] if s.atomic else 'atomicStore'}(&")
    with w.mark(s.place):
        write_place(w, place, s.index, scope)
    w.write(", ")
    w.write("bitcast<u32>(" if place.dtype is F32 else "")
    write_expr(w, s.value, scope)
    w.write("))" if place.dtype is F32 else ")")


def write_functions(w: Writer, body: Body, scope: Scope) -> None:
    """Declare the functions that a body needs."""
    for key, (op, array) in functions(body).items():
        _write_function(w, scope.names[key], op, scope.arrays[array].name)


def _write_function(w: Writer, name: str, op: str, array: str) -> None:
    """Declare the function of an operation and an array.

    NaN is tested by its bits, which no compiler reasons away: the greatest of some floats and
    NaN is NaN in any order. No local is called as the array is.
    """
    names = {word: f"{word}_" if word == array else word for word in _LOCALS}
    head = _HEAD.replace("WORDS", _WORDS[op]).replace("FUNCTION", name).replace("NEW", _NEW[op])
    parts = (head, _TAIL) if op == "add" else (head, _KEEP_NAN, _TAIL)
    w.line()
    for text in "\n".join(parts).format(array=array, **names).splitlines():
        w.line(text)


def _updates(body: Body) -> Iterator[Store]:
    return (s for s in walk_stmts(body) if isinstance(s, Store) and s.atomic)
