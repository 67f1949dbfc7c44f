"""Kernels that call kernels: `h = conv(x, w)` puts what `conv` defines before what follows.

Its dims become the extents of the arguments, its scalars their values, its arrays new names;
its facts become facts of the caller. Origins lead to the called line and to the call.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.base.dtypes import I32
from workbench.ir.expr import (
    Apply,
    Const,
    Expr,
    Load,
    Var,
    free_names,
    is_arithmetic,
    substitute,
    walk,
)
from workbench.ir.graph import Array, Definition, Equation, Graph, Scalar, defined, each
from workbench.ir.show import expr_text
from workbench.lang import lines, rewrites
from workbench.lang.expressions import expression
from workbench.lang.extents import Declared, same, shape_text
from workbench.lang.names import ArrayName, Broken, Context, arrays_of
from workbench.lang.private import private_arrays
from workbench.lang.prove import World, prove_fact
from workbench.lang.renaming import Renaming, definition
from workbench.lang.values import fit, plural
from workbench.passes.facts import closest_call
from workbench.passes.fold import fold
from workbench.passes.names import fresh_name, names_of
from workbench.passes.updates import copied

if TYPE_CHECKING:
    from workbench.base.dtypes import DType
    from workbench.ir.expr import Range


@dataclass(frozen=True, slots=True)
class Called:
    """What a call puts into its caller."""

    definitions: tuple[Definition, ...]
    facts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`targets = callee(...)`: where it stands, and what holds there.

    `words` are all names of the caller's text, `turns` the time loops around the call. `used`
    (names that are not new), `made` (scalars computed first) and `origins` grow.
    """

    c: Context
    node: ast.Call
    callee: Graph
    targets: Sequence[ast.Name]
    words: frozenset[str]
    world: World
    turns: tuple[Range, ...]
    used: set[str]
    made: list[Definition] = field(default_factory=list[Definition])

    def fresh(self, name: str) -> str:
        """A new name for something of the called kernel."""
        return fresh_name(f"{self.targets[0].id}_{name}", self.used)


def kernel_call(
    c: Context,
    node: ast.Call,
    callee: Graph,
    targets: Sequence[ast.Name],
    *,
    words: frozenset[str],
    world: World,
    turns: tuple[Range, ...],
    declared: Mapping[str, Declared],
) -> Called | None:
    """What `targets = callee(...)` defines, or mistakes and None."""
    if len(targets) != len(callee.outputs):
        c.wrong(node, f"{plural(len(targets), 'target')}, '{callee.name}' returns "
                f"{plural(len(callee.outputs), 'array')}",
                hint=lines.as_many_targets(c, node, len(callee.outputs)))  # fmt: skip
        return None
    used = {*words, *c.names, *names_of(callee)}
    call = Call(c, node, callee, targets, words, world, turns, used)
    given = _given(c, node, callee)
    values = None if given is None else _values(call, given)
    if given is None or values is None:
        return None
    facts = _facts(call, values)
    if facts is None or not _targets_fit(call, values, declared):
        return None
    names = {a.name: _name(given[a.name]) for a in callee.inputs}
    return Called((*call.made, *_placed(call, names, values)), facts)


def _facts(call: Call, values: Mapping[str, Expr]) -> tuple[Expr, ...] | None:
    """The asserts of the called kernel that are left for calls of the caller."""
    callee, left = call.callee, list[Expr]()
    turns = {r.var for r in call.turns}
    for fact in callee.facts:
        f = fold(substitute(fact, values))
        if isinstance(f, Const) and f.value:
            continue
        if not free_names(f) & turns and not isinstance(f, Const):
            left.append(f)
        elif isinstance(f, Const) or not prove_fact(call.world, call.turns, f):
            _broken_assert(call, fact, values, f)
            return None
    return tuple(left)


def _broken_assert(call: Call, fact: Expr, values: Mapping[str, Expr], f: Expr) -> None:
    """Report an assert of the called kernel that these arguments break, or may break."""
    callee = call.callee
    said = {n: fold(values[n]) for n in sorted(free_names(fact)) if n in values}
    shown = ", ".join(f"{n} = {expr_text(e)}" for n, e in said.items())
    verb = "does not hold" if isinstance(f, Const) else "is not proved to hold"
    numbers = {n: e.value for n, e in said.items() if isinstance(e, Const)}
    hint = f"arguments for which {expr_text(fact)} holds"
    if len(numbers) == len(said):
        hint = f"arguments with {closest_call(fact, numbers)}"
    words = f"assert {expr_text(fact)} of '{callee.name}' {verb} here, with {shown}"
    call.c.wrong(call.node, words, hint=hint)


def _targets_fit(call: Call, values: Mapping[str, Expr], declared: Mapping[str, Declared]) -> bool:
    """Whether targets that have a type take what is returned."""
    every = call.callee.arrays()
    for target, output in zip(call.targets, call.callee.outputs, strict=True):
        a, old = every[output], call.c.names.get(target.id)
        said: Array | Declared | None = declared.get(target.id)
        if isinstance(old, ArrayName):
            said = old.array
        shape = [substitute(x, values) for x in a.shape]
        fits = said is None or (
            said.dtype == a.dtype
            and len(said.shape) == len(shape)
            and all(same(x, y) for x, y in zip(said.shape, shape, strict=True))
        )
        if said is not None and not fits:
            call.c.wrong(target, f"'{target.id}' is {shape_text(said.dtype, said.shape)}, "
                         f"'{call.callee.name}' returns {shape_text(a.dtype, shape)} here",
                         hint=_converted(call, target, a, said))  # fmt: skip
            return False
    return True


def _converted(call: Call, target: ast.Name, a: Array, said: Array | Declared) -> str:
    """The call with a target of its own, whose elements are cast where that is all."""
    c, name = call.c, call.c.another(target.id)
    line = c.report.mended(target, name)
    if len(said.shape) != len(a.shape) or said.dtype == a.dtype:
        return line
    indices = c.free(len(a.shape))
    element = lines.indexed(name, indices)
    return f"{line}\n{lines.indexed(target.id, indices)} = {said.dtype}({element})"


def _placed(call: Call, given: Mapping[str, str], values: Mapping[str, Expr]) -> list[Definition]:
    """The definitions under their new names; `given` names the arrays by the parameters.

    A parameter that is updated is copied first, unless it is the target of its own new values.
    A target that has values already gets its new ones at the end.
    """
    callee, every = call.callee, call.callee.arrays()
    overwritten = {t.id for t in call.targets}
    new = overwritten - set(call.c.names)
    names, written = dict(given), _written(callee)
    first: list[tuple[Array, str]] = []
    last: list[tuple[str, str]] = []
    for p in written & set(given):
        names[p] = given[p] if _in_place(call, given, p) else ""
    for target, output in zip(call.targets, callee.outputs, strict=True):
        if names.get(output) == target.id:
            continue
        kept = output in given and output not in written
        own = target.id in new or (output not in given and _one_equation(call, output))
        if not kept and not names.get(output) and own:
            names[output] = target.id
            continue
        if kept and given[output] in overwritten:
            temporary = call.fresh(output)
            first.append((every[output], temporary))
            last.append((temporary, target.id))
            continue
        names[output] = names.get(output) or call.fresh(output)
        last.append((names[output], target.id))
    for d in callee.definitions:
        for a in defined(d):
            names[a.name] = names.get(a.name) or call.fresh(a.name)
    r = _renaming(call, names, values)
    first += [(every[p], names[p]) for p in sorted(written & set(given)) if names[p] != given[p]]
    shapes = {new: every[p] for p, new in names.items()} | {new: a for a, new in first}
    copies = [_copy(a, given[a.name], to, r) for a, to in first]
    copies_back = [_copy(shapes[a], a, to, r) for a, to in last]
    return [*copies, *(definition(d, r) for d in callee.definitions), *copies_back]


def _renaming(call: Call, names: Mapping[str, str], values: Mapping[str, Expr]) -> Renaming:
    """The names of arrays, and new ones for indices and locals that stand for something here."""
    callee = call.callee
    private = {a.name for d in callee.definitions for a in private_arrays(d)}
    inner = names_of(callee) - set(callee.arrays()) - set(values)
    clashing = {*call.c.names, *names.values()}
    again = (inner & clashing) | (private & call.words)
    variables = {n: call.fresh(n) for n in sorted(again)}
    return Renaming(names, variables, values, call.c.report.origin(call.node), {}, call.c.iteration)


def _written(callee: Graph) -> set[str]:
    return {a.name for d in each(callee.definitions) for a in defined(d)}


def _in_place(call: Call, given: Mapping[str, str], parameter: str) -> bool:
    """`x = step(x)`: whether the parameter that is updated may be `x` itself."""
    name = given[parameter]
    outputs = call.callee.outputs
    back = [t.id for t, o in zip(call.targets, outputs, strict=True) if o == parameter]
    return back == [name] and list(given.values()).count(name) == 1


def _one_equation(call: Call, output: str) -> bool:
    """Whether a target's new values are one equation at the end, which reads the old ones."""
    found = [d for d in each(call.callee.definitions) if output in {a.name for a in defined(d)}]
    last = call.callee.definitions[-1] if call.callee.definitions else None
    only = isinstance(last, Equation) and [d is last for d in found] == [True]
    return only and len(call.targets) == 1


def _copy(a: Array, source: str, target: str, r: Renaming) -> Equation:
    """`target[...] = source[...]`; `a` is the array as the called kernel says it."""
    shape = tuple(r.expression(x) for x in a.shape)
    said = Array(source, a.dtype, shape, origin=r.call)
    return copied(said, target, f"copied for {target}")


def _name(node: ast.expr) -> str:
    assert isinstance(node, ast.Name), "an array is given by its name"
    return node.id


def _given(c: Context, node: ast.Call, callee: Graph) -> dict[str, ast.expr] | None:
    """The arguments by the names of the parameters."""
    names = callee.parameters
    needed = [a.name for a in callee.inputs]
    needed += [s.name for s in callee.scalars if s.default is None]
    every = c.report.called(node, names, _likely(c, callee, needed))
    found = dict(zip(names, node.args, strict=False))
    strange = next((k for k in node.keywords if k.arg not in names or k.arg in found), None)
    if strange is not None or len(node.args) > len(names):
        place = node if strange is None else strange
        words = f"'{callee.name}' takes {', '.join(names)}, each once"
        c.wrong(place, words, hint=every)
        return None
    found |= {k.arg: k.value for k in node.keywords if k.arg is not None}
    missing = [n for n in needed if n not in found]
    if missing:
        c.wrong(node, f"'{callee.name}' is called without '{missing[0]}'", hint=every)
        return None
    return found


def _likely(c: Context, callee: Graph, needed: Sequence[str]) -> dict[str, str]:
    """What a call may give for each parameter: an array of its type, or a plain number."""
    found = {s.name: s.name if s.name in c.names else lines.one(s.dtype) for s in callee.scalars}
    found |= {a.name: rewrites.matching(c, a) or a.name for a in callee.inputs}
    return {n: found[n] for n in needed}


def _values(call: Call, given: Mapping[str, ast.expr]) -> dict[str, Expr] | None:
    """The values of the called kernel's scalars and dims; None where arguments do not fit."""
    c, callee = call.c, call.callee
    values: dict[str, Expr] = {}
    for s in callee.scalars:
        e = _scalar(call, s, given.get(s.name))
        if e is None:
            return None
        values[s.name] = e
    arguments = [(p, given[p.name], _array(c, p, given[p.name])) for p in callee.inputs]
    for parameter, _, array in arguments:
        if array is None:
            return None
        for extent, have in zip(parameter.shape, array.shape, strict=True):
            if isinstance(extent, Var) and extent.name in callee.dims:
                values.setdefault(extent.name, have)
    for parameter, place, array in arguments:
        assert array is not None, "looked at above"
        shape = [substitute(x, values) for x in parameter.shape]
        if not all(same(x, have) for x, have in zip(shape, array.shape, strict=True)):
            c.wrong(place, f"'{array.name}' is {shape_text(array.dtype, array.shape)}, "
                    f"'{callee.name}' takes {shape_text(parameter.dtype, shape)} for "
                    f"'{parameter.name}' here",
                    hint=_of_shape(c, place, parameter.dtype, shape))  # fmt: skip
            return None
    assert all(d in values for d in callee.dims), "a dim is an extent of a parameter"
    return values


def _of_shape(c: Context, place: ast.expr, dtype: DType, shape: Sequence[Expr]) -> str:
    """The line with an array of this type, if there is one."""
    for name, old in arrays_of(c.names).items():
        a = old.array
        if a.dtype == dtype and len(a.shape) == len(shape) and all(map(same, a.shape, shape)):
            return c.report.mended(place, name)
    return f"an array of type {shape_text(dtype, shape)}"


def _array(c: Context, parameter: Array, node: ast.expr) -> Array | None:
    """The array that an argument names."""
    said = shape_text(parameter.dtype, parameter.shape)
    match node:
        case ast.Name(id=text):
            name = c.names.get(text)
        case _:
            name = None
    if isinstance(name, Broken):
        return None
    if not isinstance(name, ArrayName) or name.blocked:
        c.wrong(node, f"'{c.report.text(node)}' is no array; '{parameter.name}' is {said}",
                hint=_named_array(c, parameter, node))  # fmt: skip
        return None
    array = name.array
    if array.dtype != parameter.dtype or len(array.shape) != len(parameter.shape):
        have, name = shape_text(array.dtype, array.shape), c.another(f"{array.name}_1")
        hint = f"an array of {parameter.dtype} with {plural(len(parameter.shape), 'dimension')}"
        if len(array.shape) == len(parameter.shape):
            indices = c.free(len(array.shape))
            element = lines.indexed(array.name, indices)
            cast = f"{lines.indexed(name, indices)} = {parameter.dtype}({element})"
            hint = f"{cast}\n{c.report.mended(node, name)}"
        c.wrong(node, f"'{array.name}' is {have}, '{parameter.name}' is {said}", hint=hint)
        return None
    return array


def _named_array(c: Context, parameter: Array, node: ast.expr) -> str:
    """The line with an array in the place of an expression: one of its own, or one that fits."""
    name = c.another("t")
    line = rewrites.equation(c, name, node) if rewrites.rank(c, node) else None
    if line is not None:
        return f"{line}\n{c.report.mended(node, name)}"
    found = rewrites.matching(c, parameter)
    return "the name of an array" if found is None else c.report.mended(node, found)


def _scalar(call: Call, s: Scalar, node: ast.expr | None) -> Expr | None:
    """The value of a scalar parameter; elements and reductions are computed before the call."""
    c, callee = call.c, call.callee
    if node is None:
        assert s.default is not None, "a scalar that is not given has a default"
        return Const(s.default, s.dtype, origin=s.origin)
    v = expression(c, node)
    e = None if v is None else fit(c, v, s.dtype, node, f"'{s.name}'")
    if e is None:
        return None
    computed = not is_arithmetic(e)
    if s.name in callee.symbols():
        whole = all(isinstance(x, Const | Var | Apply) and x.dtype == I32 for x in walk(e))
        turn = free_names(e) & {r.var for r in call.turns}
        if not whole or turn:
            c.wrong(node, f"'{s.name}' is an extent: made of dims, i32 scalars and whole numbers",
                    hint=f"a parameter of this kernel: {s.name}: i32")  # fmt: skip
            return None
    if computed and any(s.name in free_names(f) for f in callee.facts):
        c.wrong(node, f"'{callee.name}' asserts something of '{s.name}', which is known only when "
                "it runs", hint=f"a parameter of this kernel: {s.name}: {s.dtype}")  # fmt: skip
        return None
    if not computed:
        return e
    name, origin = call.fresh(s.name), c.report.origin(node)
    call.made.append(Equation(name, s.dtype, (), e, origin=origin, place=origin))
    return Load(name, (), s.dtype, origin=origin)
