"""Laws of steps: whatever `check` lets pass keeps every element of every result.

The values are small whole numbers, so that float sums are exact in any order.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from tests.laws.illegal import one_by_one
from tests.laws.schedules import some_step
from tests.unit.schedule import programs
from workbench.ir.interpret import run_loops
from workbench.ir.loops import Loops
from workbench.ir.simt import run_mapped
from workbench.ir.stmt import For, LoopKind, walk_stmts
from workbench.passes.legality import illegal, minimal
from workbench.passes.mapping import map_kernels
from workbench.passes.registers import keep_in_registers
from workbench.passes.unrolled import write_out
from workbench.schedule.algebra_steps import OnlineSoftmax, Welford
from workbench.schedule.loop_steps import Reorder, Split
from workbench.schedule.memory_steps import Cache
from workbench.schedule.names import find, shown
from workbench.schedule.nest_steps import Tile, Unroll
from workbench.schedule.nests import declared, loops_in, replace_loop
from workbench.schedule.parallel_steps import Parallelize
from workbench.schedule.step import Schedule, Step
from workbench.schedule.tails import TAILS
from workbench.schedule.vector_steps import Vectorize

sizes = st.integers(1, 7)
shifts = st.integers(-1, 1)
small = st.one_of(
    st.builds(programs.matmul, sizes, sizes, sizes),
    st.builds(programs.rows, sizes, sizes),
    st.builds(programs.blur, sizes, sizes),
    st.builds(programs.recurrence, shifts, shifts, sizes, sizes),
    st.builds(programs.chained, st.integers(-1, 2), sizes, sizes),
    st.builds(programs.strided, st.integers(1, 2), sizes),
    st.builds(programs.mean, sizes, sizes),
    st.builds(programs.histogram, sizes, sizes),
    st.builds(programs.collatz, sizes),
    st.builds(programs.smoothed, shifts, sizes, sizes),
    st.builds(programs.sums, sizes, sizes),
    st.builds(programs.stale, shifts, sizes),
    st.builds(programs.softmax, sizes, sizes),
)
many = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def scheduled(draw: st.DrawFn) -> tuple[Loops, Schedule, Loops]:
    """A program, a legal schedule of it, and the loops after that schedule."""
    program = draw(small)
    loops, steps = program, list[Step]()
    for _ in range(draw(st.integers(1, 6))):
        step = draw(_step(loops))
        if step.check(loops):
            loops = step.apply(loops)
            steps.append(step)
    return program, Schedule(tuple(steps)), loops


@st.composite
def tiled(draw: st.DrawFn) -> tuple[Loops, Loops]:
    """A program and the same on workgroups, with as many caches as are legal."""
    program = draw(
        st.one_of(
            st.builds(programs.matmul, sizes, sizes, sizes), st.builds(programs.blur, sizes, sizes)
        )
    )
    loops, sums = program, "k" if program.buffer("A") else "u"
    size = st.integers(1, 4)
    steps: list[Step] = [
        Parallelize("i", "workgroup.y", draw(size)),
        Parallelize("j", "workgroup.x", draw(size)),
        Split(sums, draw(size)),
    ]
    if draw(st.booleans()):
        steps.append(Reorder(("i_o", "j_o", "i_i", "j_i")))
    if draw(st.booleans()):
        steps.append(Reorder((f"{sums}_o", "i_i", f"{sums}_i")))
    places = st.sampled_from([f"{sums}_o", f"{sums}_i", "j_i", "i_i", "j_o"])
    memory = st.sampled_from(["workgroup", "workgroup", "private"])
    lies = {"transposed": draw(st.booleans()), "pad": draw(st.integers(0, 1))}
    lies["double"] = draw(st.booleans())
    steps += [Cache(b.name, draw(memory), at=draw(places), **lies) for b in program.buffers]
    for step in steps:
        loops = step.apply(loops) if step.check(loops) else loops
    return program, loops


@st.composite
def registered(draw: st.DrawFn) -> tuple[Loops, Loops]:
    """A matmul and the same in tiles that are kept in registers, with the tails drawn."""
    program = draw(st.builds(programs.matmul, sizes, sizes, sizes))
    size, tail = st.integers(1, 4), st.sampled_from(TAILS)
    i, j, k = (draw(size) for _ in range(3))
    steps: list[Step] = [
        Tile(("i", i, "j", j), tail=draw(tail)),
        Split("C.k", k, draw(tail)),
        Reorder(("i_o", "j_o", "k_o", "k_i", "i_i", "j_i")),
        Cache("C", "private", at="j_o"),
        Cache("A", "private", at=draw(st.sampled_from(["k_o", "k_i", "i_i"]))),
        *(Vectorize(x) for x in ("C.j_i", "j_i_1", "keep_1", "fetch_1")),
        *(Unroll(x) for x in ("i_i", "i_i_1", "k_i", "keep_0", "fetch_0", "j_i", "keep_1")),
        Parallelize("i_o", "workgroup.y", draw(size)),
        Parallelize("j_o", "workgroup.x", draw(size)),
    ]
    loops = program
    for step in steps:
        loops = step.apply(loops) if step.check(loops) else loops
    return program, loops


@st.composite
def turned(draw: st.DrawFn) -> tuple[Loops, Reorder]:
    """Loops that need one another, perhaps split, and an order for them."""
    extent = st.integers(2, 6)
    program = draw(
        st.one_of(
            st.builds(programs.recurrence, shifts, shifts, extent, extent),
            st.builds(programs.chained, st.integers(-1, 2), extent, extent),
        )
    )
    loops = program
    for name in ("T.i", "T.j"):
        if draw(st.booleans()):
            loops = Split(name, draw(st.integers(2, 3))).apply(loops)
    names = [x.var for x in loops_in(loops.body[-1:])]
    return loops, Reorder(tuple(draw(st.permutations(names))))


@st.composite
def in_one_pass(draw: st.DrawFn) -> tuple[Loops, Loops]:
    """Two passes, and the same in one pass with legal steps behind it."""
    program, first = draw(
        st.one_of(
            st.tuples(st.builds(programs.softmax, sizes, sizes), st.just(OnlineSoftmax("s.j"))),
            st.tuples(st.builds(programs.moments, sizes, sizes), st.just(Welford("q.j"))),
        )
    )
    loops = first.apply(program)
    for _ in range(draw(st.integers(0, 5))):
        kinds = ("split", "rfactor", "unroll", "peel", "parallelize", "cache", "reorder")
        step = some_step(lambda options: draw(st.sampled_from(options)), loops, kinds=kinds)
        loops = step.apply(loops) if step.check(loops) else loops
    return program, loops


@st.composite
def _step(draw: st.DrawFn, loops: Loops) -> Step:
    return some_step(lambda options: draw(st.sampled_from(options)), loops)


def _inputs(loops: Loops) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    bins = next((b.sizes[0] for b in loops.buffers if b.name == "h"), 9)
    return {
        b.name: rng.integers(0, bins, b.sizes).astype(b.dtype.numpy)
        for b in loops.buffers
        if b.role == "input"
    }


@many
@given(scheduled())
def test_legal_schedules_keep_the_result(case: tuple[Loops, Schedule, Loops]) -> None:
    program, _, loops = case
    inputs = _inputs(program)
    expected = run_loops(program, inputs)

    for lanes in (None, 4):
        written = keep_in_registers(write_out(loops, lanes))
        for name, array in run_loops(written, inputs).items():
            np.testing.assert_array_equal(array, expected[name])
    for name, array in run_loops(loops, inputs).items():
        np.testing.assert_array_equal(array, expected[name])


@many
@given(in_one_pass())
def test_one_pass_gives_what_two_passes_give(case: tuple[Loops, Loops]) -> None:
    program, loops = case
    inputs = _inputs(program)
    expected = run_loops(program, inputs)
    written = keep_in_registers(write_out(_without_workers(loops), 4))
    results, findings = run_mapped(minimal(map_kernels(written)), inputs, {}, seed=2)

    assert findings.ok, findings.faults
    for name, array in (*results.items(), *run_loops(loops, inputs).items()):
        np.testing.assert_allclose(array, expected[name], rtol=1e-5)


@settings(many, max_examples=120)
@given(turned())
def test_legal_orders_keep_the_result(case: tuple[Loops, Reorder]) -> None:
    loops, reorder = case
    assume(reorder.check(loops))
    inputs = _inputs(loops)
    expected = run_loops(loops, inputs)

    for name, array in run_loops(reorder.apply(loops), inputs).items():
        np.testing.assert_array_equal(array, expected[name])


@many
@given(scheduled())
def test_legal_schedules_map_to_kernels_without_faults(
    case: tuple[Loops, Schedule, Loops],
) -> None:
    program, _, loops = case
    inputs = _inputs(program)
    expected = run_loops(program, inputs)
    written = keep_in_registers(write_out(_without_workers(loops), 4))
    mapped = minimal(map_kernels(written))
    results, findings = run_mapped(mapped, inputs, {}, seed=1)

    assert findings.ok, findings.faults
    assert [illegal(k) for k in mapped.kernels if illegal(k)] == []
    for name, array in results.items():
        np.testing.assert_array_equal(array, expected[name])


@many
@given(tiled())
def test_caches_of_workgroups_keep_the_result_without_races(case: tuple[Loops, Loops]) -> None:
    program, loops = case
    inputs = _inputs(program)
    expected = run_loops(program, inputs)
    mapped = minimal(map_kernels(loops))
    results, findings = run_mapped(mapped, inputs, {}, seed=2)

    assert findings.ok, findings.faults
    assert [illegal(k) for k in mapped.kernels if illegal(k)] == []
    for name, array in (*results.items(), *run_loops(one_by_one(loops), inputs).items()):
        np.testing.assert_array_equal(array, expected[name])


@many
@given(registered())
def test_tiles_in_registers_keep_the_result_everywhere(case: tuple[Loops, Loops]) -> None:
    program, loops = case
    inputs = _inputs(program)
    expected = run_loops(program, inputs)
    written = keep_in_registers(write_out(loops, 4))
    mapped = minimal(map_kernels(written))
    results, findings = run_mapped(mapped, inputs, {}, seed=2)

    assert findings.ok, findings.faults
    assert [illegal(k) for k in mapped.kernels if illegal(k)] == []
    for name, array in (*results.items(), *run_loops(loops, inputs).items()):
        np.testing.assert_array_equal(array, expected[name])


def _without_workers(loops: Loops) -> Loops:
    """The schedule as a GPU would see it: what runs on workers is left parallel."""
    for s in list(walk_stmts(loops.body)):
        if isinstance(s, For) and s.kind is LoopKind.WORKER:
            loops = replace_loop(loops, s.var, lambda x: (replace(x, kind=LoopKind.PARALLEL),))
    return loops


@many
@given(scheduled())
def test_the_repr_of_a_schedule_makes_it_again(case: tuple[Loops, Schedule, Loops]) -> None:
    program, schedule, loops = case
    again = eval(repr(schedule), {"Schedule": Schedule})  # noqa: S307  (the claim itself)

    assert again == schedule
    assert again.apply(program) == loops


@many
@given(scheduled())
def test_loop_variables_and_arrays_stay_unique(case: tuple[Loops, Schedule, Loops]) -> None:
    _, _, loops = case
    for after in (loops, keep_in_registers(write_out(loops, 4))):
        names = [b.name for b in after.buffers]
        names += [n for s in walk_stmts(after.body) if (n := declared(s)) is not None]

        assert len(set(names)) == len(names)


@many
@given(scheduled())
def test_every_loop_is_found_by_the_name_it_is_shown_under(
    case: tuple[Loops, Schedule, Loops],
) -> None:
    _, _, loops = case
    for loop in loops_in(loops.body):
        assert find(loops, shown(loops, loop.var)) is loop
