"""A called kernel's definitions as its caller says them: new names, values, origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from workbench.base.source import Origin
from workbench.ir.expr import Expr, Iteration, Load, Reduce, Var, map_iteration, rebuild
from workbench.ir.graph import Array, Axis, Block, Definition, Equation, Repeat
from workbench.ir.stmt import Alloc, Assign, Body, For, If, Local, Stmt, Store, While


@dataclass(frozen=True, slots=True)
class Renaming:
    """New names for arrays and variables, values for dims and scalars, and the call.

    `around` are the indices around the call.
    """

    arrays: Mapping[str, str]
    variables: Mapping[str, str]
    values: Mapping[str, Expr]
    call: Origin
    origins: dict[int, Origin]
    around: Iteration = ()

    def origin(self, old: Origin) -> Origin:
        """The origin of what a called line makes; one for one."""
        new = Origin(old.span, (*old.parents, self.call), old.note)
        return self.origins.setdefault(id(old), new)

    def variable(self, name: str) -> str:
        """An index, a local, a loop's variable or a private array."""
        return self.variables.get(name, name)

    def array(self, name: str) -> str:
        """An array of the kernel, or a private one."""
        return self.arrays.get(name) or self.variable(name)

    def iteration(self, own: Iteration) -> Iteration:
        """The indices around a place of the called kernel: the caller's, then its own."""
        return (*self.around, *own)

    def expression(self, e: Expr) -> Expr:
        """An expression of the called kernel as the caller says it."""
        inner = rebuild(e, self.expression)
        origin = self.origin(e.origin)
        match inner:
            case Var(name) if name in self.values:
                return replace(self.values[name], origin=origin)
            case Var(name):
                return replace(inner, name=self.variable(name), origin=origin)
            case Load(array):
                around = self.iteration(inner.iteration)
                return replace(inner, array=self.array(array), iteration=around, origin=origin)
            case Reduce(_, ranges):
                new = tuple(
                    replace(r, var=self.variable(r.var), origin=self.origin(r.origin))
                    for r in ranges
                )
                around = self.iteration(inner.iteration)
                return replace(inner, ranges=new, iteration=around, origin=origin)
            case _:
                return replace(inner, origin=origin)


def definition(d: Definition, r: Renaming) -> Definition:
    """A definition of the called kernel as the caller says it."""
    match d:
        case Equation():
            axes = tuple(
                Axis(r.variable(a.name), r.expression(a.extent), origin=r.origin(a.origin))
                for a in d.axes
            )
            return replace(
                d, target=r.arrays[d.target], axes=axes, value=r.expression(d.value),
                origin=r.origin(d.origin), place=r.origin(d.place),
            )  # fmt: skip
        case Block():
            defines = tuple(
                Array(r.arrays[a.name], a.dtype, tuple(r.expression(x) for x in a.shape),
                      origin=r.origin(a.origin))
                for a in d.defines
            )  # fmt: skip
            return Block(_body(d.body, r), defines, origin=r.origin(d.origin))
        case Repeat():
            return replace(
                d, var=r.variable(d.var), start=r.expression(d.start), stop=r.expression(d.stop),
                body=tuple(definition(x, r) for x in d.body), origin=r.origin(d.origin),
            )  # fmt: skip
        case _:
            assert_never(d)


def _body(body: Body, r: Renaming) -> Body:
    return tuple(_statement(s, r) for s in body)


def _statement(s: Stmt, r: Renaming) -> Stmt:
    origin = r.origin(s.origin)
    match s:
        case For(var, start, stop, body):
            return replace(
                s, var=r.variable(var), start=r.expression(start), stop=r.expression(stop),
                body=_body(body, r), origin=origin,
            )  # fmt: skip
        case While(cond, body):
            return While(r.expression(cond), _body(body, r), origin=origin)
        case If(cond, then, orelse):
            return replace(s, cond=r.expression(cond), then=_body(then, r),
                           orelse=_body(orelse, r), origin=origin)  # fmt: skip
        case Local(name, value) | Assign(name, value):
            return replace(s, name=r.variable(name), value=r.expression(value), origin=origin)
        case Store(array, index, value):
            place = r.origin(s.place)
            return replace(s, array=r.array(array),
                           index=tuple(r.expression(x) for x in index),
                           value=r.expression(value), origin=origin, place=place,
                           iteration=r.iteration(map_iteration(s.iteration, r.expression)),
                           unproved=tuple(r.expression(x) for x in s.unproved))  # fmt: skip
        case Alloc(name):
            return replace(s, name=r.variable(name), origin=origin)
        case _:
            return replace(s, origin=origin)
