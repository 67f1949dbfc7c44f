"""Scans: reductions over a range that ends, or begins, at an axis which their terms do not use.

Each is one array of prefixes, in which every element is read at most once more than it has
terms, instead of one loop for each element. How such an array is filled is in
`passes/prefixes.py`; an argmax is said as two scans in `passes/best.py`.
A range whose both ends move, one that ends where data say, and a scan in a branch that reads
what may not be there stay triangular reductions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.ir.expr import (
    Expr,
    Iterated,
    Load,
    Reduce,
    Select,
    Var,
    apply,
    free_names,
    integer,
    loads,
    rebuild,
    rebuild_turns,
    walk,
)
from workbench.ir.graph import Array, Axis, Block, Equation, Graph, expanded
from workbench.ir.ops import WORDS, unit, zero
from workbench.passes.best import records, refuse_empty, reported
from workbench.passes.fold import literal_int
from workbench.passes.names import fresh_name, names_of
from workbench.passes.prefixes import Scan, prefixes
from workbench.passes.ranges import Form, form_of, stays_inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.graph import Definition


def split_scans(graph: Graph) -> Graph:
    """Scans are walked, long ones in blocks at once; this adds floats in another order.

    before:  y[i] = sum(x[k] for k in range(i + 1))
    after:   y_part[b] = sum(x[k] for k in range(b * 256, min(b * 256 + 256, 70000)))
             y_part_sum[p] = y_part[0] + ... + y_part[p], by a walk
             for b in grid(274):
                 acc = y_part_sum[b - 1] if b > 0 else 0.0
                 for k in range(b * 256, min(b * 256 + 256, 70000)):
                     acc = acc + x[k]
                     y[k] = acc
    """
    names = names_of(graph)
    shapes = graph.arrays()

    def split(d: Equation | Block) -> tuple[Definition, ...]:
        return (d,) if isinstance(d, Block) else _Split(d, names, shapes).definitions()

    definitions = expanded(graph.definitions, split)
    return graph if definitions is graph.definitions else replace(graph, definitions=definitions)


class _Split:
    """The scans of one equation; `before` collects what is computed ahead of it."""

    def __init__(self, home: Equation, names: set[str], shapes: Mapping[str, Array]) -> None:
        self.home, self.names, self.shapes = home, names, shapes
        self.extents = {a.name: literal_int(a.extent) or 0 for a in home.axes}
        self.before: list[Definition] = []

    def definitions(self) -> tuple[Definition, ...]:
        """What the equation becomes: itself, where it holds no scan."""
        home = self.home
        if 0 in self.extents.values() or not any(isinstance(e, Reduce) for e in walk(home.value)):
            return (home,)
        if self._is_prefixes(home.value):
            assert isinstance(home.value, Reduce)
            form = form_of(home.value, self.extents)
            assert form is not None
            self._prefixes(home.value, form, home.target)
            return tuple(self.before)
        value = self._split(home.value, frozenset(), sure=True)
        return (home,) if value is home.value else (*self.before, replace(home, value=value))

    def _is_prefixes(self, e: Expr) -> bool:
        """Whether the array of prefixes of `e` is the target itself."""
        if not isinstance(e, Reduce) or e.op in {"argmax", "argmin"}:
            return False
        form = form_of(e, self.extents)
        if form is None or any(x.array == self.home.target for x in loads(e)):
            return False
        every = free_names(e) >= set(self.extents)
        return every and isinstance(form.last, Var) and form.count == self.extents[form.last.name]

    def _split(self, e: Expr, bound: frozenset[str], *, sure: bool) -> Expr:
        """The expression with its scans read from arrays.

        `bound` are the indices of the reductions around it; `sure` is false where it may not be
        evaluated.
        """
        match e:
            case Select():
                cond = self._split(e.cond, bound, sure=sure)
                yes, no = (self._split(x, bound, sure=False) for x in (e.yes, e.no))
                same = cond is e.cond and yes is e.yes and no is e.no
                return e if same else replace(e, cond=cond, yes=yes, no=no)
            case Reduce():
                form = None if free_names(e) & bound else form_of(e, self.extents)
                if form is not None and (sure or stays_inside(e, self.extents, self.shapes)):
                    return self._read(e, form, sure=sure)
                inner = bound | {r.var for r in e.ranges}
                return rebuild(e, lambda x: self._split(x, inner, sure=False))
            case Iterated():
                return rebuild_turns(e, lambda x: self._split(x, bound, sure=sure), lambda x: x)
            case _:
                return rebuild(e, lambda x: self._split(x, bound, sure=sure))

    def _read(self, e: Reduce, form: Form, *, sure: bool) -> Expr:
        """The element of the prefixes that a scan is, after the definitions that fill them."""
        if e.op in {"argmax", "argmin"}:
            return self._best(e, form, sure=sure)
        name = fresh_name(f"{self.home.target}_{WORDS[e.op]}", self.names)
        scan = self._prefixes(e, form, name)
        return _element(scan, form, unit(e.op, e.dtype))

    def _prefixes(self, e: Reduce, form: Form, name: str) -> Scan:
        scan = self._scan(e, form, name)
        self.before += prefixes(scan, self.names)
        return scan

    def _scan(self, e: Reduce, form: Form, name: str) -> Scan:
        """The scan that fills `name`; terms that are reductions are computed once, before it."""
        step = e.ranges[form.place].var
        if form.backward or form.first != 0:
            step = fresh_name("n", self.names)
        cond, term = form.term(e, Var(step))
        used = free_names(term) | free_names(term if cond is None else cond)
        axes = tuple(
            Axis(step, integer(form.count), origin=a.origin) if a.name == form.axes[0] else a
            for a in self.home.axes
            if a.name in used or a.name == form.axes[0]
        )
        if cond is not None:
            cond = self._computed(cond, f"{name}_if", axes)
        if any(isinstance(x, Reduce) for x in walk(term)):
            term = term if cond is None else Select(cond, term, zero(term.dtype))
            term = self._computed(term, f"{name}_term", axes)
        return Scan(e.op, e.dtype, name, axes, step, cond, term, origin=e.origin)

    def _computed(self, e: Expr, name: str, axes: tuple[Axis, ...]) -> Expr:
        """An expression that holds a reduction as an element of an array of its own."""
        if not any(isinstance(x, Reduce) for x in walk(e)):
            return e
        name = fresh_name(name, self.names)
        place = e.origin.derive("the terms of a scan")
        whole = Equation(name, e.dtype, axes, e, origin=e.origin, place=place)
        self.before += _Split(whole, self.names, self.shapes).definitions()
        return Load(name, tuple(Var(a.name) for a in axes), e.dtype, origin=place)

    def _best(self, e: Reduce, form: Form, *, sure: bool) -> Expr:
        """The index that an argmax or argmin finds: the last record of a scan."""
        if sure and form.least < 1:
            refuse_empty(e, form)
        name = fresh_name(f"{self.home.target}_{e.op}", self.names)
        needed, numbers = records(self._scan(e, form, name), self.names, backward=form.backward)
        self.before += (*needed, *prefixes(numbers, self.names))
        found = _element(numbers, form, integer(-1))
        if form.least < 1 or e.cond is not None:
            found = reported(found, e, self.names)
        return form.index(found)


def _element(scan: Scan, form: Form, nothing: Expr) -> Expr:
    """The prefix of as many terms as the form has at its axes; `nothing` where it has none."""
    index = tuple(form.last if a.name == scan.step else Var(a.name) for a in scan.axes)
    element = Load(scan.name, index, scan.dtype, origin=scan.origin)
    if form.least > 0:
        return element
    some = apply("le", integer(0), form.last, origin=scan.origin)
    return Select(some, element, nothing, origin=scan.origin)
