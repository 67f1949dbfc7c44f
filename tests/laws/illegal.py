"""Illegal steps made by chance, and what comes of each where the answer is forced to be "legal"."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from tests.laws.formulas import cancelling, changed_between, other_mean, other_row, wrong_mean
from tests.laws.schedules import GPU, some_step
from tests.unit.schedule import programs as made
from workbench.base.dtypes import F32, I32
from workbench.base.errors import CodegenError, RunError
from workbench.ir.expr import Const, Load, Var, apply, integer
from workbench.ir.findings import Race
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.ir.simt import run_mapped
from workbench.ir.stmt import (
    Assign,
    Break,
    Continue,
    For,
    If,
    Local,
    LoopKind,
    Stmt,
    Store,
    map_bodies,
    walk_stmts,
)
from workbench.passes.mapping import map_kernels
from workbench.passes.registers import keep_in_registers
from workbench.passes.unrolled import write_out
from workbench.schedule import algebra_steps, memory_steps, root_steps, together
from workbench.schedule.memory_steps import Cache
from workbench.schedule.nests import loops_in, nest_of, replace_loop, with_values
from workbench.schedule.step import YES, Step, Verdict

Arrays = dict[str, np.ndarray]
Patch = pytest.MonkeyPatch
i, j, k = made.i, made.j, made.k


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of refusal: the step, and what its reason says.

    `before` is a step that leads to such a refusal. Mostly the verdict is passed over; some plan
    while they ask, so that it is one `question` in the module `asked` that gets another `answer`.
    `of` makes the programs in which such a step does harm; without it they are of any form.
    """

    step: str
    reason: str
    before: str = ""
    question: str = ""
    asked: Any = memory_steps
    answer: object = YES
    of: Callable[[int, int], Loops] | None = None

    def __str__(self) -> str:
        return f"{self.step}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Illegal:
    """A refused step of a program: the loops as written, and those that it was refused for."""

    kind: Kind
    program: Loops
    loops: Loops
    step: Step


# Programs -----------------------------------------------------------------------------------


def until(m: int, n: int) -> Loops:
    """`y[i]` counts the elements of a row before the first above 3; `z[k]` is left open."""
    leave = If(apply("gt", made.load("x", i, k), Const(4.0, F32)), (Break(),))
    count = Store("y", (i,), made.load("x", i, k), "add")
    nest = made.parallel("i", m, Store("y", (i,), made.zero()), made.serial("k", n, leave, count))
    return made.function((nest,), x=("input", (m, n)), y=("output", (m,)))


def rows_until(m: int, n: int) -> Loops:
    """Adds up the rows of a plane, each up to its first positive element."""
    leave = If(apply("gt", made.load("x", i, k), Const(4.0, F32)), (Break(),))
    count = Store("y", (), made.load("x", i, k), "add")
    nest = made.serial("i", m, made.serial("k", n, leave, count))
    return made.function((Store("y", (), made.zero()), nest), x=("input", (m, n)), y=("output", ()))


def skipping(m: int, n: int) -> Loops:
    """`y[k]` is the last of a column that is not positive, or 0."""
    skip = If(apply("gt", made.load("x", i, k), Const(4.0, F32)), (Continue(),))
    clear = made.serial("j", n, Store("y", (j,), made.zero()))
    keep = Store("y", (k,), made.load("x", i, k))
    nest = made.serial("i", m, made.serial("k", n, skip, keep))
    return made.function((clear, nest), x=("input", (m, n)), y=("output", (n,)))


def running(m: int, n: int) -> Loops:
    """`T[i, j]` is the sum of a row up to there, kept in a local."""
    total = Var("total", F32)
    inner = made.serial(
        "j", n,
        Assign("total", made.add(total, made.load("x", i, j))),
        Store("T", (i, j), total),
    )  # fmt: skip
    nest = made.parallel("i", m, Local("total", made.zero()), inner)
    return made.function((nest,), x=("input", (m, n)), T=("output", (m, n)))


def triangle(m: int) -> Loops:
    """Only what lies below the diagonal is written after the first time."""
    clear = made.parallel("i_1", m, made.parallel("j_1", m, Store("T", CLEAR, Const(1.0, F32))))
    row = made.serial("j", made.add(i, 1), Store("T", (i, j), made.load("x", i, j)))
    return made.function(
        (clear, made.parallel("i", m, row)), x=("input", (m, m)), T=("output", (m, m))
    )


CLEAR = (Var("i_1"), Var("j_1"))


def beside(m: int, n: int) -> Loops:
    """`s[i]` changes beside the loop that reads it."""
    inner = made.parallel("j", n, Store("T", (i, j), made.add(LOAD_S, made.load("x", i, j))))
    first = Store("s", (i,), made.load("x", i, integer(0)))
    nest = made.parallel("i", m, first, inner, Store("s", (i,), made.add(LOAD_S, LOAD_S)))
    clear = made.parallel("i_1", m, Store("s", (Var("i_1"),), made.zero()))
    return made.function(
        (clear, nest), x=("input", (m, n)), s=("output", (m,)), T=("output", (m, n))
    )


LOAD_S = made.load("s", i)


def partly(m: int, n: int) -> Loops:
    """`T[i, j]` gets new elements where they are positive; the others stay as they are."""
    clear = made.parallel("i_1", m, made.parallel("j_1", n, Store("T", CLEAR, Const(1.0, F32))))
    new = If(
        apply("gt", made.load("x", i, j), made.zero()), (Store("T", (i, j), made.load("x", i, j)),)
    )
    nest = made.parallel("i", m, made.parallel("j", n, new))
    return made.function((clear, nest), x=("input", (m, n)), T=("output", (m, n)))


def squared(m: int, n: int) -> Loops:
    """A matmul, both of whose axes every element needs."""
    return made.matmul(m, n, n)


def while_small(m: int, n: int) -> Loops:
    """`T[i, j]` is set while the sum of the column above is small: a condition that changes."""
    clear = made.serial("j_1", n, Store("s", (Var("j_1"),), made.zero(I32)))
    small = apply("lt", made.load("s", integer(0), dtype=I32), integer(1))
    inner = made.serial("j", n, Store("s", (j,), made.load("x", i, j, dtype=I32), "add"))
    nest = made.serial("i", m, If(small, (inner,)))
    return made.function((clear, nest), x=("input", (m, n), I32), s=("output", (n,), I32))


KINDS = (
    Kind("parallelize", "need each other"),
    Kind("parallelize", "is taken by", before="parallelize", of=squared),
    Kind("parallelize", "a break ends"),
    Kind("vectorize", "need each other"),
    Kind("reorder", "change the order"),
    Kind("reorder", "a break or continue belongs"),
    Kind("reorder", "a condition that changes"),
    Kind("tile", "change the order"),
    Kind("split", "a break ends"),
    Kind("peel", "a break ends"),
    Kind("fuse", "a break ends"),
    Kind("fuse", "does not stand alone"),
    Kind("cache", "by the iterations of", question="_collects", before="parallelize", of=squared),
    Kind("cache", "does not write all of a box", question="_fills", of=partly),
    Kind("online_softmax", "differ$", "online_softmax", "_unlike", algebra_steps, of=other_row),
    Kind("online_softmax", "too early", "online_softmax", "reordered", together, None,
         changed_between),
    Kind("compute_root", "may lie outside", "inline", "holds_at", root_steps, None,
         lambda m, _: made.halves(m)),
    Kind("set_dtype", "as f16 it is rounded each time", of=cancelling),
    Kind("welford", "differ$", "welford", "_unlike", algebra_steps, of=other_mean),
    Kind("welford", "not the number", "welford", "_counts", algebra_steps, of=wrong_mean),
)  # fmt: skip


def some_program(pick: Callable[[list[Any]], Any]) -> Loops:
    """A small nest, its sizes by chance."""

    def size() -> int:
        return pick([4, 5, 6, 7])

    shift = pick([-1, 1, 2])
    makers: list[Callable[[], Loops]] = [
        lambda: made.matmul(size(), size(), size()), lambda: made.rows(size(), size()),
        lambda: made.blur(size(), size()), lambda: made.mean(size(), size()),
        lambda: made.recurrence(pick([0, 1]), shift, size(), size()),
        lambda: made.recurrence(1, shift, size(), size()),
        lambda: made.chained(pick([1, 2]), size(), size()), lambda: made.strided(2, size()),
        lambda: made.histogram(3 * size(), 4), lambda: until(size(), size()),
        lambda: rows_until(size(), size()), lambda: skipping(size(), size()),
        lambda: running(size(), size()), lambda: triangle(size()),
        lambda: beside(size(), size()), lambda: partly(size(), size()),
        lambda: while_small(size(), size()),
    ]  # fmt: skip
    return pick(makers)()


def illegal(kind: Kind, tries: int) -> Iterator[Illegal]:
    """Refused steps of a kind, found in so many programs."""
    chance = random.Random(str(kind))
    for _ in range(tries):
        sizes = chance.choice([4, 5, 6, 7]), chance.choice([4, 5, 6, 7])
        program = loops = kind.of(*sizes) if kind.of else some_program(chance.choice)
        for _ in range(chance.choice([1, 2, 3])):
            s = some_step(chance.choice, loops, GPU, kinds=(kind.before or "split",))
            loops = s.apply(loops) if s.check(loops) else loops
        for _ in range(2):
            s = some_step(chance.choice, loops, GPU, kinds=(kind.step,))
            if re.search(kind.reason, s.check(loops).reason):
                yield Illegal(kind, program, loops, s)


# What is noticed ----------------------------------------------------------------------------


def forced(case: Illegal) -> Loops | None:
    """The loops after the step; None where it cannot be applied, or where it would do no harm."""
    if not case.kind.question:
        return case.step.apply(case.loops)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case.kind.asked, case.kind.question, lambda *_, **__: case.kind.answer)
        if not isinstance(case.step, Cache):
            return case.step.apply(case.loops)
        plan = memory_steps._plan(case.step, case.loops)
        if isinstance(plan, Verdict):
            return None
        if plan.fetch:
            return None  # what is not written gets back what was fetched
        nest = nest_of(case.loops, plan.loop.var)
        shared = any(x.kind.value.startswith("invocation") for x in loops_in((nest,)))
        if case.kind.question == "_collects" and not shared:
            return None  # no other invocation is there
        return case.step.apply(case.loops)


def noticed(case: Illegal) -> str | None:
    """What the laws say once the answer is "legal"; None where the step makes no loops to run."""
    try:
        after = forced(case)
        return None if after is None else _noticed(case.program, after)
    except (CodegenError, KeyError, IndexError, AssertionError):
        return None  # names without a declaration, breaks without a loop: nothing to run


def _noticed(program: Loops, after: Loops) -> str:
    for seed in range(5):
        inputs = given(program, seed)
        wanted = run_loops(program, inputs)
        try:
            orders = (side_by_side(after, backwards=b) for b in (False, True))
            for read in (*orders, one_by_one(after)):
                if _other(run_loops(read, inputs), wanted):
                    return "another answer"
        except RunError:
            return "out of bounds"
        on_gpu = keep_in_registers(write_out(without_workers(after), 4))
        results, findings = run_mapped(map_kernels(on_gpu), inputs, {}, seed=1)
        if not findings.ok:
            return "race" if isinstance(findings.faults[0], Race) else "another fault"
        if _other(results, wanted):
            return "another answer of workgroups"
    return ""


def _other(found: Arrays, wanted: Arrays) -> bool:
    return any(not np.array_equal(found[n], wanted[n], equal_nan=True) for n in wanted)


def given(loops: Loops, seed: int) -> Arrays:
    """Small whole numbers, so that float sums are exact in any order; bins for a histogram."""
    rng = np.random.default_rng(seed)
    bins = next((b.sizes[0] for b in loops.buffers if b.name == "h"), 9)
    low = 0 if any(b.name == "h" for b in loops.buffers) else -9
    return {
        b.name: rng.integers(low, bins, b.sizes).astype(b.dtype.numpy)
        for b in loops.buffers
        if b.role == "input"
    }


def side_by_side(loops: Loops, *, backwards: bool) -> Loops:
    """The loops as lanes see them: vectors are iterations at once, updates read and then write.

    What runs side by side may also run `backwards`.
    """

    def stmt(s: Stmt) -> Stmt:
        match map_bodies(s, lambda b: tuple(map(stmt, b))):
            case Store(array, index, value, str(op), atomic=False) as update:
                old = Load(array, index, value.dtype)
                return replace(update, value=apply(op, old, value), reduce=None)
            case For(kind=LoopKind.VECTOR | LoopKind.PARALLEL) as lanes:
                return _backwards(lanes) if backwards else replace(lanes, kind=LoopKind.PARALLEL)
            case other:
                return other

    return replace(loops, body=tuple(map(stmt, loops.body)))


def _backwards(s: For) -> For:
    last = apply("sub", apply("add", s.start, s.stop), integer(1))
    turned = with_values(s.body, {s.var: apply("sub", last, Var(s.var))})
    return replace(s, kind=LoopKind.PARALLEL, body=turned if s.step == 1 else s.body)


def one_by_one(loops: Loops) -> Loops:
    """The loops as one core runs them: every iteration in its turn, with arrays of its own."""

    def stmt(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda b: tuple(map(stmt, b)))
        return replace(inner, kind=LoopKind.SERIAL) if isinstance(inner, For) else inner

    return replace(loops, body=tuple(map(stmt, loops.body)))


def without_workers(loops: Loops) -> Loops:
    """The schedule as a GPU would see it: what runs on workers is left parallel."""
    for s in list(walk_stmts(loops.body)):
        if isinstance(s, For) and s.kind is LoopKind.WORKER:
            loops = replace_loop(loops, s.var, lambda x: (replace(x, kind=LoopKind.PARALLEL),))
    return loops
