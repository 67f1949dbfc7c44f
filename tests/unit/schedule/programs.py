"""Small loop nests for the tests of steps, built by hand: no parser, no pass."""

from __future__ import annotations

from workbench.base.dtypes import BOOL, F32, I32, DType
from workbench.ir.expr import Apply, Cast, Const, Expr, Load, Select, Var, apply, integer
from workbench.ir.loops import Buffer, Loops, Role
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Body,
    For,
    If,
    Local,
    LoopKind,
    Memory,
    Stmt,
    Store,
    While,
)

i, j, k, u = Var("i"), Var("j"), Var("k"), Var("u")


def add(*terms: Expr | int) -> Expr:
    first, *rest = [integer(x) if isinstance(x, int) else x for x in terms]
    for term in rest:
        first = apply("add", first, term)
    return first


def sub(a: Expr, b: Expr | int) -> Expr:
    return apply("sub", a, integer(b) if isinstance(b, int) else b)


def both(*tests: Apply) -> Expr:
    first: Expr = tests[0]
    for test in tests[1:]:
        first = apply("and", first, test)
    return first


def within(e: Expr, stop: int) -> tuple[Apply, Apply]:
    return apply("ge", e, integer(0)), apply("lt", e, integer(stop))


def zero(dtype: DType = F32) -> Const:
    return Const(0.0 if dtype is F32 else 0, dtype)


def load(array: str, *index: Expr, dtype: DType = F32) -> Load:
    return Load(array, index, dtype)


def serial(var: str, stop: int | Expr, *body: Stmt, start: int = 0) -> For:
    end = integer(stop) if isinstance(stop, int) else stop
    return For(var, integer(start), end, body)


def parallel(var: str, stop: int, *body: Stmt) -> For:
    return For(var, integer(0), integer(stop), body, LoopKind.PARALLEL)


def function(
    body: Body, **buffers: tuple[Role, tuple[int, ...]] | tuple[Role, tuple[int, ...], DType]
) -> Loops:
    made = tuple(
        Buffer(name, spec[2] if len(spec) == 3 else F32, spec[1], spec[0])
        for name, spec in buffers.items()
    )
    outputs = tuple(b.name for b in made if b.role == "output")
    return Loops("kernel", made, (), body, outputs)


def matmul(m: int = 12, n: int = 10, p: int = 8) -> Loops:
    """The loops of `C[i, j] = sum(A[i, k] * B[k, j] for k in range(p))`."""
    term = apply("mul", load("A", i, k), load("B", k, j))
    inner = serial("k", p, Store("C", (i, j), term, "add"))
    nest = parallel("i", m, parallel("j", n, Store("C", (i, j), zero()), inner))
    return function(
        (nest,), A=("input", (m, p)), B=("input", (p, n)), C=("output", (m, n))
    )  # fmt: skip


def rows(m: int = 7, n: int = 9) -> Loops:
    """Two nests: `top[i] = max(x[i, j] for j in range(n))`, `y[i, j] = x[i, j] - top[i]`."""
    least = Const(float("-inf"), F32)
    fold = serial("j", n, Store("top", (i,), load("x", i, j), "max"))
    first = parallel("i", m, Store("top", (i,), least), fold)
    row, column = Var("i_1"), Var("j_1")
    rest = sub(load("x", row, column), load("top", row))
    second = parallel("i_1", m, parallel("j_1", n, Store("y", (row, column), rest)))
    return function(
        (first, second), x=("input", (m, n)), top=("temporary", (m,)), y=("output", (m, n))
    )


def blur(m: int = 10, n: int = 6) -> Loops:
    """The loops of `y[i, j] = sum(x[min(max(i + u - 1, 0), m - 1), j] for u in range(3))`."""
    row = apply("min", apply("max", add(i, u, -1), integer(0)), integer(m - 1))
    inner = serial("u", 3, Store("y", (i, j), load("x", row, j), "add"))
    nest = parallel("i", m, parallel("j", n, Store("y", (i, j), zero()), inner))
    return function((nest,), x=("input", (m, n)), y=("output", (m, n)))


def recurrence(up: int, left: int, m: int = 5, n: int = 6) -> Loops:
    """The loops of `T[i, j] = x[i, j] + T[i - up, j - left]`, 0 where that is outside."""
    row, column = sub(i, up), sub(j, left)
    inside = both(*within(row, m), *within(column, n))
    value = add(load("x", i, j), Select(inside, load("T", row, column), zero()))
    clear = serial("i_1", m, serial("j_1", n, Store("T", (Var("i_1"), Var("j_1")), zero())))
    nest = serial("i", m, serial("j", n, Store("T", (i, j), value)))
    return function((clear, nest), x=("input", (m, n)), T=("output", (m, n)))


def chained(back: int, m: int = 5, n: int = 4) -> Loops:
    """`s[i] = s[i - 1] + x[i, 0]` beside `T[i, j] += s[i - back]`, and s changes again."""

    def old(distance: int) -> Expr:
        row = sub(i, distance)
        return Select(both(*within(row, m)), load("s", row), zero())

    clear = serial("i_1", m, Store("s", (Var("i_1"),), zero()))
    nest = serial(
        "i",
        m,
        Store("s", (i,), add(old(1), load("x", i, integer(0)))),
        serial("j", n, Store("T", (i, j), add(old(back), load("x", i, j)))),
        Store("s", (i,), add(load("s", i), load("x", i, integer(n - 1)))),
    )
    return function((clear, nest), x=("input", (m, n)), s=("temporary", (m,)), T=("output", (m, n)))


def strided(step: int, n: int = 6) -> Loops:
    """`y[step * i] += x[i]` after `y[j] = 1`: other elements stay."""
    clear = serial("j", step * n, Store("y", (j,), Const(1.0, F32)))
    place = apply("mul", i, integer(step))
    nest = serial("i", n, Store("y", (place,), load("x", i), "add"))
    return function((clear, nest), x=("input", (n,)), y=("output", (step * n,)))


def mean(m: int = 6, n: int = 5) -> Loops:
    """The loops of `y[i] = sum(x[i, k] for k in range(i + 1)) / n`, in an accumulator."""
    total = serial("k", add(i, 1), Store("acc", (), load("x", i, k), "add"))
    value = apply("div", load("acc"), Const(float(n), F32))
    nest = parallel(
        "i",
        m,
        Alloc("acc", F32, (), Memory.PRIVATE),
        Store("acc", (), zero()),
        total,
        Store("y", (i,), value),
    )
    return function((nest,), x=("input", (m, m)), y=("output", (m,)))


def histogram(n: int = 12, bins: int = 4) -> Loops:
    """The loops of `h[b[i]] += 1`."""
    clear = serial("j", bins, Store("h", (j,), zero(I32)))
    count = serial("i", n, Store("h", (load("b", i, dtype=I32),), integer(1), "add"))
    return function((clear, count), b=("input", (n,), I32), h=("output", (bins,), I32))


def collatz(n: int = 9) -> Loops:
    """The loops of how often `i + 3` can be halved: a while with locals."""
    value, steps = Var("value"), Var("steps")
    even = apply("eq", apply("mod", value, integer(2)), integer(0))
    loop = While(
        even,
        (
            Assign("value", apply("floordiv", value, integer(2))),
            Assign("steps", add(steps, 1)),
        ),
    )
    nest = parallel(
        "i",
        n,
        Local("value", add(i, 3)),
        Local("steps", integer(0)),
        If(Const(value=True, dtype=BOOL), (loop,)),
        Store("y", (i,), steps),
    )
    return function((nest,), y=("output", (n,), I32))


def smoothed(shift: int, m: int = 6, n: int = 5) -> Loops:
    """`h[i, j] = x[i, j] * i`, then `y[i, j] = h[i, j] + h[clamped i + shift, j]`."""
    row, column = Var("i_1"), Var("j_1")
    first = apply("mul", load("x", i, j), Cast(F32, i))
    above = apply("min", apply("max", add(row, shift), integer(0)), integer(m - 1))
    second = add(load("h", row, column), load("h", above, column))
    nests = (
        parallel("i", m, parallel("j", n, Store("h", (i, j), first))),
        parallel("i_1", m, parallel("j_1", n, Store("y", (row, column), second))),
    )
    return function(nests, x=("input", (m, n)), h=("temporary", (m, n)), y=("output", (m, n)))


def sums(m: int = 5, n: int = 4) -> Loops:
    """`r[j] = sum(x[i, j] for i)`, then `y[i, j] = x[i, j] * r[j] + r[min(j + 1, n - 1)]`."""
    total = serial("i", m, Store("r", (j,), load("x", i, j), "add"))
    row, column = Var("i_1"), Var("j_1")
    other = load("r", apply("min", add(column, 1), integer(n - 1)))
    value = add(apply("mul", load("x", row, column), load("r", column)), other)
    nests = (
        parallel("j", n, Store("r", (j,), zero()), total),
        parallel("i_1", m, parallel("j_1", n, Store("y", (row, column), value))),
    )
    return function(nests, x=("input", (m, n)), r=("temporary", (n,)), y=("output", (m, n)))


def stale(shift: int, n: int = 7) -> Loops:
    """`t[i] = 2 * s[i]`, then `s[i] = s[i] + t[clamped i + shift]`, which changes s meanwhile."""
    first, second = Var("i_1"), Var("i_2")
    place = apply("min", apply("max", add(second, shift), integer(0)), integer(n - 1))
    nests = (
        serial("i", n, Store("s", (i,), load("x", i))),
        parallel("i_1", n, Store("t", (first,), add(load("s", first), load("s", first)))),
        serial("i_2", n, Store("s", (second,), add(load("s", second), load("t", place)))),
    )
    return function(nests, x=("input", (n,)), t=("temporary", (n,)), s=("output", (n,)))


def softmax(m: int = 3, n: int = 5) -> Loops:
    """`top[i] = max(x[i, j] for j)`, then `s[i] = sum(exp2(x[i, j] - top[i]) for j)`.

    Of whole numbers that are not far apart both are exact.
    """
    row, column = Var("i_1"), Var("j_1")
    least = Const(float("-inf"), F32)
    greatest = serial("j", n, Store("top", (i,), load("x", i, j), "max"))
    term = apply("exp2", sub(load("x", row, column), load("top", row)))
    total = serial("j_1", n, Store("s", (row,), term, "add"))
    nests = (
        parallel("i", m, Store("top", (i,), least), greatest),
        parallel("i_1", m, Store("s", (row,), zero()), total),
    )
    return function(nests, x=("input", (m, n)), top=("output", (m,)), s=("output", (m,)))


def moments(m: int = 3, n: int = 4) -> Loops:
    """`t[i] = sum(x[i, j] for j)`, then `q[i] = sum((x[i, j] - t[i] / n) ** 2 for j)`."""
    row, column = Var("i_1"), Var("j_1")
    total = serial("j", n, Store("t", (i,), load("x", i, j), "add"))
    mean = apply("div", load("t", row), Const(float(n), F32))
    apart = sub(load("x", row, column), mean)
    squares = serial("j_1", n, Store("q", (row,), apply("mul", apart, apart), "add"))
    nests = (
        parallel("i", m, Store("t", (i,), zero()), total),
        parallel("i_1", m, Store("q", (row,), zero()), squares),
    )
    return function(nests, x=("input", (m, n)), t=("output", (m,)), q=("output", (m,)))


def halves(n: int = 4) -> Loops:
    """`h[i] = x[i] + x[i]` of the first half of x, and `y[i] = h[i] + (x[i + n] + x[i + n])`."""
    row = Var("i_1")
    second = load("x", add(row, n))
    nests = (
        parallel("i", n, Store("h", (i,), add(load("x", i), load("x", i)))),
        parallel("i_1", n, Store("y", (row,), add(load("h", row), add(second, second)))),
    )
    return function(nests, x=("input", (2 * n,)), h=("temporary", (n,)), y=("output", (n,)))
