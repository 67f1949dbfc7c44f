"""What the loops of a reduction keep up to date: one element, or several that change together.

A state knows the statements that take a term in, and those that take in the state of other terms,
so that its reduction can be computed in parts. Statements are read back as the state that writes
them; what a step generated is thus known by what it says, and by no mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from workbench.base.dtypes import DType
from workbench.base.source import Origin
from workbench.ir.expr import Apply, Cast, Const, Expr, Load, Select, Var, apply
from workbench.ir.ops import unit, zero
from workbench.ir.stmt import Body, Local, Store
from workbench.schedule.nests import derived, fresh


@dataclass(frozen=True, slots=True)
class Cell:
    """An element that a reduction keeps up to date, and what it is before the first term."""

    array: str
    index: tuple[Expr, ...]
    unit: Const
    origin: Origin
    place: Origin

    @property
    def dtype(self) -> DType:
        """The dtype of its array."""
        return self.unit.dtype

    @property
    def load(self) -> Load:
        """The element as it is so far."""
        return Load(self.array, self.index, self.dtype, origin=self.origin)

    def store(self, value: Expr) -> Store:
        """A plain store of the element; parts of the value without an origin get its own."""
        whole = derived(value, self.origin)
        return Store(self.array, self.index, whole, origin=self.origin, place=self.place)


class State(Protocol):
    """Elements that are updated together, and how."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The elements."""
        ...

    @property
    def term(self) -> Expr:
        """What an iteration takes in."""
        ...

    def at(self, cells: Sequence[Cell]) -> State:
        """The same of elements elsewhere."""
        ...

    def body(self) -> Body:
        """The statements that take a term in."""
        ...

    def merged(self, other: Sequence[Cell], names: set[str]) -> Body:
        """The statements that take in the state of other terms; their locals are new names."""
        ...


@dataclass(frozen=True, slots=True)
class Fold:
    """`array[index] = op(array[index], term)`."""

    update: Store

    @property
    def op(self) -> str:
        """The operation that combines results."""
        assert self.update.reduce is not None
        return self.update.reduce

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The one element."""
        s = self.update
        first = replace(unit(self.op, s.value.dtype), origin=s.origin)
        return (Cell(s.array, s.index, first, s.origin, s.place),)

    @property
    def term(self) -> Expr:
        """What an iteration takes in."""
        return self.update.value

    def at(self, cells: Sequence[Cell]) -> Fold:
        """The same of an element elsewhere."""
        (cell,) = cells
        return Fold(replace(self.update, array=cell.array, index=cell.index))

    def body(self) -> Body:
        """The update itself."""
        return (self.update,)

    def merged(self, other: Sequence[Cell], names: set[str]) -> Body:
        """The same update, of another result."""
        del names
        (part,) = other
        return (replace(self.update, value=part.load),)


@dataclass(frozen=True, slots=True)
class Exponentials:
    """The greatest term, and the sum of `exp(term - greatest)`: what a softmax needs of a row.

        value = term
        greatest = max(top, value)
        total = (total, as if `greatest` had been the greatest before) + exp(value - greatest)
        top = greatest

    Before a finite term nothing counts: exp(-inf - greatest) is 0, whatever `total` has become.
    `op` is exp or exp2.
    """

    top: Cell
    total: Cell
    op: str
    term: Expr
    value: str
    greatest: str

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The greatest term so far, and the sum."""
        return self.top, self.total

    def at(self, cells: Sequence[Cell]) -> Exponentials:
        """The same of elements elsewhere."""
        top, total = cells
        return replace(self, top=top, total=total)

    def body(self) -> Body:
        """The statements that take a term in."""
        value, greatest = Var(self.value, self.top.dtype), Var(self.greatest, self.top.dtype)
        new = self._power(apply("sub", value, greatest))
        total = apply("add", self._moved(self.total.load, self.top.load, greatest), new)
        return (
            Local(self.value, self.term, fixed=True, origin=self.term.origin),
            self._greatest(self.greatest, value),
            self.total.store(total),
            self.top.store(greatest),
        )

    def merged(self, other: Sequence[Cell], names: set[str]) -> Body:
        """The statements that take in the greatest of other terms and their sum."""
        top, total = other
        greatest = Var(fresh(names, self.greatest), self.top.dtype)
        mine = self._moved(self.total.load, self.top.load, greatest)
        its = self._moved(total.load, top.load, greatest)
        return (
            self._greatest(greatest.name, top.load),
            self.total.store(apply("add", mine, its)),
            self.top.store(greatest),
        )

    def _greatest(self, name: str, other: Expr) -> Local:
        value = derived(apply("max", self.top.load, other), self.top.origin)
        return Local(name, value, fixed=True, origin=self.top.origin)

    def _moved(self, total: Expr, top: Expr, greatest: Expr) -> Expr:
        """A sum that was made for `top`, as it is for `greatest`."""
        fewer = apply("mul", total, self._power(apply("sub", top, greatest)))
        nothing = apply("eq", top, self.top.unit)
        moved = Select(nothing, zero(total.dtype), fewer)
        return Select(apply("eq", top, greatest), total, moved)

    def _power(self, e: Expr) -> Apply:
        return apply(self.op, e)


@dataclass(frozen=True, slots=True)
class Deviations:
    """The sum of terms, that of the squares of their deviations from the mean, and their number.

        value = term
        apart = value - total / max(count, 1)
        count = count + 1
        total = total + value
        squares = squares + abs(apart * (value - total / count))

    `total` is what a loop of its own gives, to the last digit; `squares` is Welford's.
    """

    total: Cell
    squares: Cell
    count: Cell
    term: Expr
    value: str
    apart: str

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The sum, that of the squares, and the number of terms."""
        return self.total, self.squares, self.count

    def at(self, cells: Sequence[Cell]) -> Deviations:
        """The same of elements elsewhere."""
        total, squares, count = cells
        return replace(self, total=total, squares=squares, count=count)

    def body(self) -> Body:
        """The statements that take a term in."""
        dtype = self.total.dtype
        value, apart = Var(self.value, dtype), Var(self.apart, dtype)
        there = apply("sub", value, self._mean(self.total.load, self.count.load))
        beyond = apply("sub", value, apply("div", self.total.load, Cast(dtype, self.count.load)))
        square = apply("abs", apply("mul", apart, beyond))
        return (
            Local(self.value, self.term, fixed=True, origin=self.term.origin),
            self._local(self.apart, there),
            self.count.store(apply("add", self.count.load, self._one)),
            self.total.store(apply("add", self.total.load, value)),
            self.squares.store(apply("add", self.squares.load, square)),
        )

    def merged(self, other: Sequence[Cell], names: set[str]) -> Body:
        """The statements that take in sums of other terms: what lies between the means counts."""
        total, squares, count = other
        dtype = self.total.dtype
        apart = Var(fresh(names, self.apart), dtype)
        both = Var(fresh(names, "both"), self.count.dtype)
        means = apply("sub", self._mean(total.load, count.load),
                      self._mean(self.total.load, self.count.load))  # fmt: skip
        part = apply("div", Cast(dtype, count.load), Cast(dtype, both))
        weight = apply("mul", Cast(dtype, self.count.load), part)
        between = apply("abs", apply("mul", apply("mul", apart, weight), apart))
        none = zero(self.count.dtype)
        one_side = apply("or", apply("eq", self.count.load, none), apply("eq", count.load, none))
        more = Select(one_side, zero(dtype), between)
        summed = apply("add", apply("add", self.squares.load, squares.load), more)
        return (
            self._local(apart.name, means),
            self._local(both.name, apply("add", self.count.load, count.load)),
            self.squares.store(summed),
            self.total.store(apply("add", self.total.load, total.load)),
            self.count.store(both),
        )

    @property
    def _one(self) -> Const:
        return Const(1, self.count.dtype)

    def _mean(self, total: Expr, count: Expr) -> Apply:
        """The mean of the terms, 0 where there are none."""
        return apply("div", total, Cast(self.total.dtype, apply("max", count, self._one)))

    def _local(self, name: str, value: Expr) -> Local:
        origin = self.squares.origin
        return Local(name, derived(value, origin), fixed=True, origin=origin)


def state_of(body: Body) -> State | None:
    """The state that the statements keep up to date, None where they are no such ones."""
    match body:
        case (Store(reduce=str(), atomic=False, unproved=()) as update,):
            return Fold(update)
        case (Local(value, term), Local(name), Store() as total, Store() as top):
            made = [
                Exponentials(cell(top, "max"), cell(total, "add"), op, term, value, name)
                for op in ("exp", "exp2")
            ]
        case (Local(value, term), Local(name), Store() as count, Store() as total, Store() as sq):
            mine, its, number = (cell(s, "add") for s in (total, sq, count))
            made = [Deviations(mine, its, number, term, value, name)]
        case _:
            return None
    return next((s for s in made if s.body() == body), None)


def cell(s: Store, op: str) -> Cell:
    """The element that a store writes, as one that is kept up to date with an operation."""
    first = replace(unit(op, s.value.dtype), origin=s.origin)
    return Cell(s.array, s.index, first, s.origin, s.place)


def named(state: State) -> str:
    """The arrays of a state, for a reader."""
    return " and ".join(dict.fromkeys(c.array for c in state.cells))
