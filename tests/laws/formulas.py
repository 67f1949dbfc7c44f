"""Two passes that are not one: the programs in which an algebraic step would do harm."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.schedule import programs as made
from workbench.base.dtypes import F32
from workbench.ir.expr import Const, Expr, Load, Select, Var, apply, integer, rebuild
from workbench.ir.loops import Loops
from workbench.ir.stmt import Store, map_exprs

i, k = made.i, made.k


def other_row(m: int, n: int) -> Loops:
    """The greatest of a row of x, and the sum of exponentials of one of z."""
    return _other_input(made.softmax(m, n))


def other_mean(m: int, n: int) -> Loops:
    """The sum of a row of x, and the squares of what z is apart from its mean."""
    return _other_input(made.moments(m, n))


def wrong_mean(m: int, n: int) -> Loops:
    """The squares of deviations from half the mean."""

    def half(e: Expr) -> Expr:
        inner = rebuild(e, half)
        return Const(2.0 * n, F32) if inner == Const(float(n), F32) else inner

    program = made.moments(m, n)
    return replace(program, body=tuple(map_exprs(s, half) for s in program.body))


def changed_between(m: int, n: int) -> Loops:
    """The greatest of a row of t, which then doubles, and the sum of exponentials of it."""
    program = _named(made.softmax(m, n), "t")
    row, column = Var("i_2"), Var("j_2")
    element = made.load("t", row, column)
    double = Store("t", (row, column), made.add(element, element))
    between = made.serial("i_2", m, made.serial("j_2", n, double))
    clear = Store("t", CLEAR_2, made.load("x", *CLEAR_2))
    first = made.serial("i_3", m, made.serial("j_3", n, clear))
    top, total = program.body
    x, *rest = program.buffers
    buffers = (replace(x, name="x"), replace(x, role="temporary"), *rest)
    return replace(program, body=(first, top, between, total), buffers=buffers)


CLEAR_2 = (Var("i_3"), Var("j_3"))


def _other_input(program: Loops) -> Loops:
    """The second nest reads an input of its own."""
    first, second = program.body
    (z,) = (b for b in _named(program, "z").buffers if b.name == "z")
    (other,) = _named(replace(program, body=(second,)), "z").body
    return replace(program, body=(first, other), buffers=(*program.buffers, z))


def _named(program: Loops, name: str) -> Loops:
    """The program with another name for `x`."""

    def expr(e: Expr) -> Expr:
        inner = rebuild(e, expr)
        return (
            replace(inner, array=name) if isinstance(inner, Load) and inner.array == "x" else inner
        )

    buffers = tuple(replace(b, name=name) if b.name == "x" else b for b in program.buffers)
    return replace(program, body=tuple(map_exprs(s, expr) for s in program.body), buffers=buffers)


def cancelling(m: int, n: int) -> Loops:
    """Sums that are small at their ends and odd numbers beyond 2048 on the way."""
    first, last = apply("eq", k, integer(0)), apply("eq", k, integer(n - 1))
    more = Select(first, Const(2049.0, F32), Select(last, Const(-2049.0, F32), made.zero()))
    total = made.serial("k", n, Store("t", (i,), made.add(made.load("x", i, k), more), "add"))
    row = Var("i_1")
    nests = (
        made.parallel("i", m, Store("t", (i,), made.zero()), total),
        made.parallel("i_1", m, Store("y", (row,), made.load("t", row))),
    )
    return made.function(nests, x=("input", (m, n)), t=("temporary", (m,)), y=("output", (m,)))
