"""Kernels made wrong on purpose, by a step that no schedule has: races, barriers that some miss.

Each is a kernel in the cell language, right steps, and one wrong step among them, whose number
is known: whoever looks for faults has to find one, and to name that step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import workbench as wb
from workbench.base.dtypes import F32
from workbench.ir.expr import Apply, Const, Expr, Load, Var, apply, integer
from workbench.ir.loops import Loops
from workbench.ir.stmt import (
    Alloc,
    Barrier,
    Body,
    For,
    If,
    LoopKind,
    Memory,
    Stmt,
    Store,
    map_bodies,
    map_exprs,
    walk_stmts,
)
from workbench.schedule.blame import Past
from workbench.schedule.nest_steps import Unroll
from workbench.schedule.nests import with_loads
from workbench.schedule.parallel_steps import Parallelize
from workbench.schedule.step import YES, Schedule, Step, Verdict

Change = Callable[[Loops], Loops]
S = Schedule()


@dataclass(frozen=True, slots=True)
class Wrong:
    """A step that changes loops without asking whether it may."""

    name: str
    change: Change = field(compare=False)

    def check(self, loops: Loops) -> Verdict:
        """Whatever the loops are, it says yes."""
        del loops
        return YES

    def apply(self, loops: Loops) -> Loops:
        """The loops after the change."""
        after = self.change(loops)
        assert after != loops, "it changes something"
        return after


@dataclass(frozen=True, slots=True)
class Seeded:
    """A kernel, its sizes, the steps of which number `wrong` (from 1) is the wrong one.

    `finds` is the class of what is found.
    """

    text: str
    dims: dict[str, int]
    steps: tuple[Step, ...]
    wrong: int
    finds: str = "Race"

    @property
    def past(self) -> Past:
        """Every step with the loops after it."""
        past = Past(loops_of(self.text, tuple(self.dims.items())))
        for step in self.steps:
            past = past.then(step, step.apply(past.loops(len(past.taken))), S)
        return past


@cache
def loops_of(text: str, dims: tuple[tuple[str, int], ...]) -> Loops:
    """The loops of a kernel before any step."""
    return wb.kernel(text).loops(dict(dims))


# Kernels ------------------------------------------------------------------------------------

MATMUL = """
def k(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
STENCIL = """
def k(x: f32[N]) -> f32[N - 2]:
    assert N > 2
    y[i] = x[i] + x[i + 1] + x[i + 2]
    return y
"""
TURNED = """
def k(x: f32[M, N]) -> f32[N, M]:
    y[i, j] = x[j, i]
    return y
"""
TOTALS = """
def k(x: f32[M, N]) -> f32[M]:
    y[i] = sum(x[i, j] for j in range(N))
    return y
"""
TWICE = """
def k(x: f32[N]) -> f32[N]:
    a[i] = x[i] * 2.0
    y[i] = a[i] + a[max(i - 1, 0)]
    return y
"""
RUNNING = """
def k(x: f32[N]) -> f32[N]:
    for i in range(N):
        x[i] = x[i] + (x[i - 1] if i > 0 else 0.0)
    return x
"""
COUNTED = """
def k(x: i32[N]) -> i32[4]:
    h: i32[4] = 0
    for i in grid(N):
        h[i % 4] += x[i]
    return h
"""

ON_TILES = S.parallelize("i", "workgroup.y", 4).parallelize("j", "workgroup.x", 4)
TILED = ON_TILES.split("k", 4).cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o")
WINDOW = S.parallelize("i", "workgroup.x", 8).cache("x", "workgroup", at="i_i")
CORNER = ON_TILES.cache("x", "workgroup", at="j_i")
TREE = S.rfactor("j", memory="workgroup").parallelize("i", "workgroup.x")
FILLED = S.parallelize("y.i", "workgroup.x", 4).compute_at("a", "i_1_i", memory="workgroup")

# Changes ------------------------------------------------------------------------------------


def everywhere(loops: Loops, change: Callable[[Stmt], Body]) -> Loops:
    """The loops with each statement, inner ones first, replaced by some others."""

    def body(old: Body) -> Body:
        return tuple(new for s in old for new in change(map_bodies(s, body)))

    return replace(loops, body=body(loops.body))


def by_hand(before: str, after: str) -> Change:
    """Each copy of a workgroup shared out by hand, with barriers before and after those named."""

    def change(loops: Loops) -> Loops:
        ids, sizes = invocations(loops)
        width = 1
        number: Expr = integer(0)
        for name, size in zip(reversed(ids), reversed(sizes), strict=True):
            number = apply("add", apply("mul", Var(name), integer(width)), number)
            width *= size

        def shared(s: Stmt) -> Body:
            if not isinstance(s, For) or s.kind is not LoopKind.COOPERATIVE:
                return (s,)
            loop = replace(s, start=number, step=width, kind=LoopKind.SERIAL)
            first = (Barrier(),) if s.var in before.split() else ()
            last = (Barrier(),) if s.var in after.split() else ()
            return (*first, loop, *last)

        return everywhere(loops, shared)

    return change


def by_lanes(before: str) -> Change:
    """Each stage of a tree done by the first invocations, with barriers before those named."""

    def change(loops: Loops) -> Loops:
        _, (size,) = invocations(loops)

        def shared(s: Stmt) -> Body:
            if not isinstance(s, For) or not s.var.startswith("part"):
                return (s,)
            some = If(apply("lt", Var(s.var), s.stop), s.body)
            loop = replace(s, stop=integer(size), kind=LoopKind.INVOCATION_X, body=(some,))
            return (Barrier(), loop) if s.var in before.split() else (loop,)

        return everywhere(loops, shared)

    return change


def invocations(loops: Loops) -> tuple[list[str], list[int]]:
    """The loops on the axes of invocations, the outermost first, and how often they run."""
    found = [
        s
        for s in walk_stmts(loops.body)
        if isinstance(s, For) and s.kind.on_invocations and isinstance(s.stop, Const)
    ]
    return [s.var for s in found], [int(s.stop.value) for s in found if isinstance(s.stop, Const)]


def moved(var: str, by: int) -> Change:
    """A loop, `by` places further on among the statements beside it."""

    def change(loops: Loops) -> Loops:
        def body(old: Body) -> Body:
            inner = [map_bodies(s, body) for s in old]
            at = next((n for n, s in enumerate(inner) if isinstance(s, For) and s.var == var), None)
            if at is not None:
                loop = inner.pop(at)
                inner.insert(at + by, loop)
            return tuple(inner)

        return replace(loops, body=body(loops.body))

    return change


def without_barrier(number: int) -> Change:
    """The loops without one of the barriers made by hand."""

    def change(loops: Loops) -> Loops:
        barriers = [s for s in walk_stmts(loops.body) if isinstance(s, Barrier)]
        return everywhere(loops, lambda s: () if s is barriers[number] else (s,))

    return change


def barriers_under(wrap: Callable[[Stmt], Stmt]) -> Change:
    """Each barrier inside something that decides whether, or how often, it is reached."""

    def change(loops: Loops) -> Loops:
        return everywhere(loops, lambda s: (wrap(s),) if isinstance(s, Barrier) else (s,))

    return change


def writes_to(array: str, index: Callable[[tuple[Expr, ...]], tuple[Expr, ...]]) -> Change:
    """The stores of an array turned to other elements."""

    def store(s: Stmt) -> Body:
        hit = isinstance(s, Store) and s.array == array
        return (replace(s, index=index(s.index)),) if hit and isinstance(s, Store) else (s,)

    return lambda loops: everywhere(loops, store)


def reads_from(array: str, index: Callable[[tuple[Expr, ...]], tuple[Expr, ...]]) -> Change:
    """The loads of an array turned to other elements."""

    def turned(e: Expr) -> Expr:
        return with_loads(e, array, lambda x: replace(x, index=index(x.index)))

    return lambda loops: replace(loops, body=tuple(map_exprs(s, turned) for s in loops.body))


def unguarded(loops: Loops) -> Loops:
    """The loops without the guards of tails."""
    return everywhere(loops, lambda s: s.then if isinstance(s, If) and s.guard else (s,))


def guarded_by(more: int) -> Change:
    """The guards of tails let through so many iterations more."""

    def looser(s: Stmt) -> Body:
        match s:
            case If(cond=Apply("lt", (a, b)), guard=True):
                return (replace(s, cond=apply("lt", a, apply("add", b, integer(more)))),)
            case _:
                return (s,)

    return lambda loops: everywhere(loops, looser)


def shaped(array: str, shape: tuple[int, ...], memory: Memory = Memory.WORKGROUP) -> Change:
    """An array of another shape, or in other memory."""

    def alloc(s: Stmt) -> Body:
        hit = isinstance(s, Alloc) and s.name == array
        return (replace(s, shape=shape, memory=memory),) if hit and isinstance(s, Alloc) else (s,)

    return lambda loops: everywhere(loops, alloc)


def longer(var: str, stop: int) -> Change:
    """A loop that runs further."""

    def loop(s: Stmt) -> Body:
        hit = isinstance(s, For) and s.var == var
        return (replace(s, stop=integer(stop)),) if hit and isinstance(s, For) else (s,)

    return lambda loops: everywhere(loops, loop)


def plain(loops: Loops) -> Loops:
    """The loops with no atomic update."""

    def store(s: Stmt) -> Body:
        return (replace(s, atomic=False),) if isinstance(s, Store) else (s,)

    return everywhere(loops, store)


# What is seeded -----------------------------------------------------------------------------


def times(e: Expr, number: int) -> Expr:
    """Whole tiles of so many."""
    return apply("mul", apply("floordiv", e, integer(number)), integer(number))


def some_only(s: Stmt) -> Stmt:
    return If(apply("lt", Var("j_i"), integer(2)), (s,))


def by_values(s: Stmt) -> Stmt:
    x = Load("A", (Var("i_i"), Var("j_i")), F32)
    return If(apply("gt", x, Const(0.0, F32)), (s,))


def more_often(s: Stmt) -> Stmt:
    return For("again", integer(0), apply("add", Var("i_i"), integer(1)), (s,))


def in_range(s: Stmt) -> Stmt:
    i = apply("add", apply("mul", Var("i_o"), integer(8)), Var("i_i"))
    return If(apply("lt", i, integer(21)), (s,))


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel and its sizes, with right steps before and after the wrong one."""

    text: str
    dims: dict[str, int]
    before: tuple[Step, ...]
    after: tuple[Step, ...] = ()

    def seeded(self, name: str, change: Change, finds: str = "Race") -> Seeded:
        """The kernel with a wrong step among its own."""
        steps = (*self.before, Wrong(name, change), *self.after)
        return Seeded(self.text, self.dims, steps, len(self.before) + 1, finds)


SIDE = {"M": 8, "N": 8, "K": 8}
BY_HAND = Wrong("by hand", by_hand("fetch", "fetch_1"))
AFTER = (Unroll("k_i"),)
tiles = Kernel(MATMUL, SIDE, (*TILED.steps, BY_HAND), AFTER)
early = Kernel(MATMUL, SIDE, ON_TILES.steps, S.split("k", 4).unroll("k_i").steps)
window = Kernel(STENCIL, {"N": 26}, WINDOW.steps)
ragged = Kernel(STENCIL, {"N": 23}, WINDOW.steps, S.unroll("fetch", 2).steps)
fenced = Kernel(STENCIL, {"N": 23}, (*WINDOW.steps, Wrong("by hand", by_hand("", "fetch"))))
corner = Kernel(TURNED, {"M": 8, "N": 8}, CORNER.steps)
tree = Kernel(TOTALS, {"M": 8, "N": 8}, TREE.steps)
filled = Kernel(TWICE, {"N": 8}, FILLED.steps)
OUTSIDE, MISSED = "OutOfBounds", "Divergence"

SEEDED: dict[str, Seeded] = {
    "no barrier before the loads": tiles.seeded("drop", without_barrier(0)),
    "no barrier after the loads": tiles.seeded("drop", without_barrier(1)),
    "the load of A past the barrier": tiles.seeded("move", moved("fetch", 3)),
    "the load of B past the barrier": tiles.seeded("move", moved("fetch_1", 1)),
    "the load of A before the barrier": tiles.seeded("move", moved("fetch", -1)),
    "the use before the barrier": tiles.seeded("move", moved("k_i", -1)),
    "a barrier for some": tiles.seeded("wrap", barriers_under(some_only), MISSED),
    "a barrier by values": tiles.seeded("wrap", barriers_under(by_values), MISSED),
    "a barrier more often": tiles.seeded("wrap", barriers_under(more_often), MISSED),
    "a tile of too few rows": tiles.seeded("shape", shaped("A_workgroup", (3, 4)), OUTSIDE),
    "a load of too much": tiles.seeded("stop", longer("fetch", 20), OUTSIDE),
    "a use of what is beside": tiles.seeded(
        "turn", reads_from("A_workgroup", lambda e: (e[0], apply("add", e[1], integer(1)))), OUTSIDE
    ),
    "a tile written in one column": tiles.seeded(
        "turn", writes_to("B_workgroup", lambda e: (e[0], integer(0)))
    ),
    "columns in pairs": early.seeded("turn", writes_to("C", lambda e: (e[0], times(e[1], 2)))),
    "one column": early.seeded("turn", writes_to("C", lambda e: (e[0], integer(0)))),
    "rows of the first workgroup": early.seeded(
        "turn", writes_to("C", lambda e: (apply("mod", e[0], integer(4)), e[1]))
    ),
    "rows past the end": early.seeded(
        "turn", writes_to("C", lambda e: (apply("add", e[0], integer(1)), e[1])), OUTSIDE
    ),
    "a window without a barrier": window.seeded("drop", by_hand("", "")),
    "a window with a barrier before it": window.seeded("drop", by_hand("fetch", "")),
    "a window that is short": window.seeded("shape", shaped("x_workgroup", (9,)), OUTSIDE),
    "a window read too far": window.seeded(
        "turn", reads_from("x_workgroup", lambda e: (apply("add", e[0], integer(1)),)), OUTSIDE
    ),
    "a window written shifted": window.seeded(
        "turn", writes_to("x_workgroup", lambda e: (apply("sub", e[0], integer(1)),)), OUTSIDE
    ),
    "results in pairs": window.seeded("turn", writes_to("y", lambda e: (times(e[0], 2),))),
    "results of all workgroups in one place": window.seeded(
        "turn", writes_to("y", lambda e: (apply("mod", e[0], integer(8)),))
    ),
    "no guard": ragged.seeded("drop", unguarded, OUTSIDE),
    "a guard that lets one more through": ragged.seeded("loosen", guarded_by(1), OUTSIDE),
    "a barrier under the guard": fenced.seeded("wrap", barriers_under(in_range), MISSED),
    "a corner without a barrier": corner.seeded("drop", by_hand("", "")),
    "a corner written in one row": corner.seeded(
        "turn", writes_to("x_workgroup", lambda e: (integer(0), e[1]))
    ),
    "a tree without barriers": tree.seeded("drop", by_lanes("")),
    "a tree without its second barrier": tree.seeded("drop", by_lanes("part part_2")),
    "sums that all share": tree.seeded("share", shaped("y_private", ())),
    "filled without a barrier": filled.seeded("drop", by_hand("", "")),
    "filled from outside": filled.seeded("drop", unguarded, OUTSIDE),
    "a recurrence side by side": Kernel(RUNNING, {"N": 8}, ()).seeded(
        "force", Parallelize("i", "workgroup.x", 4).apply
    ),
    "updates that are not atomic": Kernel(
        COUNTED, {"N": 16}, S.parallelize("i", "workgroup.x", 8).steps
    ).seeded("plain", plain),
}  # fmt: skip
