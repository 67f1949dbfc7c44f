"""The SIMT interpreter computes what loops compute, and finds what is wrong with a kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.ir.programs import (
    Change,
    add,
    at,
    buffers,
    f32,
    faults,
    kernel,
    load,
    loop,
    matmul,
    one_kernel,
    tiled_matmul,
    var,
    without_barrier,
)
from workbench.base.dtypes import BOOL, F32
from workbench.base.errors import RunError
from workbench.ir.compare import agreement
from workbench.ir.device import DeviceKernel, Mapped
from workbench.ir.expr import Const, Expr, apply, integer
from workbench.ir.findings import DivergentBarrier, OutOfBounds, Race
from workbench.ir.interpret import run_graph
from workbench.ir.simt import run_kernel, run_mapped, run_some_workgroups
from workbench.ir.stmt import Alloc, Barrier, Break, For, If, Local, Memory, Store, While
from workbench.passes.mapping import map_kernels

RNG = np.random.default_rng(5)
N = 16
MATMUL = map_kernels(tiled_matmul(N, 8))
INPUTS = {name: RNG.uniform(-1, 1, (N, N)).astype(np.float32) for name in "AB"}
EXPECTED = run_graph(matmul(N, N, N), INPUTS)["C"]
SEEDS = range(6)
NEEDED = (0, 1)
"""The barriers of the tiled matmul: one before its copies, one after."""


def agrees(c: np.ndarray) -> bool:
    return agreement(c, EXPECTED, np.float32, terms=N).ok


def arrays(n: int = 8) -> dict[str, np.ndarray]:
    return {"x": np.arange(n, dtype=np.float32), "y": np.full(n, np.nan, np.float32)}


def vectors(n: int = 8) -> tuple:
    return buffers(x=("input", (n,)), y=("output", (n,)))


I = var("i")  # noqa: E741  (the index of mathematics)
SHARED = Alloc("shared", F32, (8,), Memory.WORKGROUP)


def shifted(index: Expr) -> Expr:
    return apply("mod", add(index, integer(1)), integer(8))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tiled_matmul_is_right_and_without_faults(seed: int) -> None:
    outputs, findings = run_mapped(MATMUL, INPUTS, seed=seed)

    assert findings, findings.words
    assert agrees(outputs["C"])
    assert len(findings.workgroups) == 4


@pytest.mark.parametrize("number", NEEDED)
def test_a_deleted_barrier_is_a_race_at_every_seed(number: int) -> None:
    broken = one_kernel(MATMUL, without_barrier(MATMUL.kernels[0].body, number))

    for seed in SEEDS:
        _, findings = run_mapped(broken, INPUTS, seed=seed)

        assert isinstance(findings.faults[0], Race)


@pytest.mark.parametrize("number", NEEDED)
def test_a_deleted_barrier_gives_wrong_numbers(number: int) -> None:
    broken = one_kernel(MATMUL, without_barrier(MATMUL.kernels[0].body, number))

    assert not all(agrees(run_mapped(broken, INPUTS, seed=s)[0]["C"]) for s in SEEDS)


def test_a_race_names_both_accesses_and_their_lines() -> None:
    broken = one_kernel(MATMUL, without_barrier(MATMUL.kernels[0].body, 1))

    race = run_mapped(broken, INPUTS)[1].faults[-1]

    assert isinstance(race, Race)
    assert race.array == "B_tile"
    assert race.memory is Memory.WORKGROUP
    assert {race.first.kind, race.second.kind} == {"reads", "writes"}
    assert race.first.workgroup == race.second.workgroup
    assert race.first.invocation != race.second.invocation
    assert race.words.startswith(f"race on B_tile{list(race.element)} in workgroup memory: ")
    assert race.words.endswith("in `B[k, j]` (line 1); no barrier stands between them")


def test_a_changed_operator_is_a_fault_or_a_wrong_number() -> None:
    def changed(change: Change) -> Mapped:
        return one_kernel(MATMUL, change.body(MATMUL.kernels[0].body))

    for faulty in faults(changed):
        outputs, findings = run_mapped(faulty, INPUTS)

        assert not (findings.ok and agrees(outputs["C"]))


def test_an_index_off_by_one_is_out_of_bounds() -> None:
    body = Store("y", (I,), load("x", add(I, integer(1))), place=at("C[i, j]"))

    found = run_kernel(kernel(body, arrays=vectors()), arrays())

    (fault,) = found.faults
    assert isinstance(fault, OutOfBounds)
    assert (fault.array, fault.index, fault.extent) == ("x", (8,), (8,))
    assert fault.access.invocation == (7, 0, 0)
    assert "index [8] of 'x' is outside its shape [8]: invocation (7, 0, 0)" in fault.words


def test_a_write_outside_is_left_out() -> None:
    values = arrays()
    body = Store("y", (add(I, integer(1)),), f32(2.0), place=at("C[i, j]"))

    found = run_kernel(kernel(body, arrays=vectors()), values)

    assert found.words == (
        "index [8] of 'y' is outside its shape [8]: invocation (7, 0, 0) of workgroup (0, 0, 0) "
        "writes it in `C[i, j]` (line 1)"
    )
    assert np.isnan(values["y"]).tolist() == [True] + [False] * 7


def test_a_guarded_index_is_inside() -> None:
    guard = If(apply("lt", I, integer(5)), (Store("y", (I,), load("x", I)),), guard=True)
    values = arrays(5)

    found = run_kernel(kernel(guard, arrays=vectors(5)), values)

    assert found, found.words
    assert values["y"].tolist() == values["x"].tolist()


def test_a_neighbour_read_after_a_barrier_is_in_order() -> None:
    values = arrays()
    body = (
        SHARED,
        Store("shared", (I,), load("x", I)),
        Barrier(),
        Store("y", (I,), load("shared", shifted(I))),
    )

    found = run_kernel(kernel(*body, arrays=vectors()), values)

    assert found, found.words
    assert values["y"].tolist() == [1, 2, 3, 4, 5, 6, 7, 0]


def test_a_neighbour_read_without_a_barrier_is_a_race() -> None:
    body = (
        SHARED,
        Store("shared", (I,), load("x", I)),
        Store("y", (I,), load("shared", shifted(I))),
    )

    (race,) = run_kernel(kernel(*body, arrays=vectors()), arrays()).faults

    assert isinstance(race, Race)
    assert race.array == "shared"


def test_one_element_written_by_all_is_a_race() -> None:
    body = Store("y", (integer(0),), load("x", I))

    (race,) = run_kernel(kernel(body, arrays=vectors()), arrays()).faults

    assert isinstance(race, Race)
    assert (race.element, race.memory) == ((0,), Memory.STORAGE)
    assert (race.first.kind, race.second.kind) == ("writes", "writes")


def test_an_update_of_one_element_by_all_is_a_race_and_loses_terms() -> None:
    values = arrays()
    values["y"][:] = 0
    body = Store("y", (integer(0),), load("x", I), "add")

    (race,) = run_kernel(kernel(body, arrays=vectors()), values).faults

    assert isinstance(race, Race)
    assert race.first.kind == "updates"
    assert values["y"][0] != values["x"].sum()


def test_an_update_of_ones_own_element_is_none() -> None:
    values = arrays()
    body = (Store("y", (I,), f32(1.0)), loop("k", 3, Store("y", (I,), load("x", I), "add")))

    found = run_kernel(kernel(*body, arrays=vectors()), values)

    assert found, found.words
    assert values["y"].tolist() == (3 * values["x"] + 1).tolist()


def test_two_workgroups_race_across_a_barrier() -> None:
    there = apply("mod", add(I, integer(8)), integer(16))
    body = (
        Store("y", (I,), load("x", I)),
        Barrier(),
        If(apply("lt", load("y", there), f32(0.0)), (Store("y", (I,), f32(0.0)),)),
    )

    (race, *_) = run_kernel(kernel(*body, arrays=vectors(16), workgroups=2), arrays(16)).faults

    assert isinstance(race, Race)
    assert race.first.workgroup != race.second.workgroup
    assert race.words.endswith("nothing orders two workgroups")


def test_workgroups_have_their_own_workgroup_memory() -> None:
    values = arrays(16)
    here = var("local_id.x")
    body = (
        SHARED,
        Store("shared", (here,), load("x", I)),
        Barrier(),
        Store("y", (I,), load("shared", shifted(here))),
    )

    found = run_kernel(kernel(*body, arrays=vectors(16), workgroups=2), values)

    assert found, found.words
    assert values["y"].tolist() == [1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 15, 8]


def test_a_barrier_under_a_condition_is_divergent() -> None:
    body = If(apply("lt", I, integer(3)), (Barrier(origin=at("sum")),))

    (fault,) = run_kernel(kernel(body, arrays=vectors()), arrays()).faults

    assert isinstance(fault, DivergentBarrier)
    assert (fault.arrived, fault.expected) == (3, 8)
    assert fault.words == (
        "3 of 8 invocations of workgroup (0, 0, 0) reach a barrier (`sum` (line 1)), "
        "the others do not"
    )


def test_two_barriers_are_not_one() -> None:
    body = If(apply("lt", I, integer(3)), (Barrier(),), (Barrier(),))

    found = run_kernel(kernel(body, arrays=vectors()), arrays())

    assert all(isinstance(f, DivergentBarrier) for f in found.faults)
    assert not found


def test_a_barrier_in_a_loop_that_some_leave_is_divergent() -> None:
    leave = If(apply("eq", var("t"), I), (Break(),))

    found = run_kernel(kernel(loop("t", 8, leave, Barrier()), arrays=vectors()), arrays())

    assert [DivergentBarrier] == [type(f) for f in found.faults]


def test_workgroups_may_differ_in_their_barriers() -> None:
    group = var("workgroup_id.x")
    body = loop("t", add(group, integer(1)), SHARED, Barrier(), Store("shared", (I8,), f32(1.0)))

    found = run_kernel(kernel(body, arrays=vectors(24), workgroups=3), arrays(24))

    assert found, found.words


I8 = var("local_id.x")


def test_a_workgroup_that_waits_keeps_its_interval() -> None:
    """Workgroup 1 skips the barrier that workgroup 0 meets at, and races around it."""
    body = (
        SHARED,
        Store("shared", (I8,), load("x", I)),
        If(apply("eq", var("workgroup_id.x"), integer(0)), (Barrier(),)),
        Store("y", (I,), load("shared", shifted(I8))),
    )

    (race,) = run_kernel(kernel(*body, arrays=vectors(16), workgroups=2), arrays(16)).faults

    assert isinstance(race, Race)
    assert race.first.workgroup == (1, 0, 0)


def test_the_copy_loop_of_each_invocation_strides() -> None:
    copy = For("e", I8, integer(20), (Store("shared", (var("e"),), load("x", var("e"))),), step=8)
    total = Alloc("total", F32, (), Memory.PRIVATE)
    body = (
        replace(SHARED, shape=(20,)),
        copy,
        Barrier(),
        total,
        Store("total", (), f32(0.0)),
        loop("k", 20, Store("total", (), load("shared", var("k")), "add")),
        Store("y", (I,), load("total")),
    )
    values = {"x": np.arange(20, dtype=np.float32), "y": np.zeros(8, np.float32)}
    both = buffers(x=("input", (20,)), y=("output", (8,)))

    found = run_kernel(kernel(*body, arrays=both), values)

    assert found, found.words
    assert values["y"].tolist() == [190.0] * 8


def test_some_workgroups_of_a_large_kernel() -> None:
    n = 8 * 5000
    values = arrays(n)
    body = (Local("twice", add(I, I)), Store("y", (I,), load("x", I)))

    found = run_some_workgroups(kernel(*body, arrays=vectors(n), workgroups=5000), values, seed=1)

    written = found.written["y"]
    assert found, found.words
    assert (0, 0, 0) in found.workgroups
    assert (4999, 0, 0) in found.workgroups
    assert len(found.workgroups) == 4
    assert len(written) == 32
    assert values["y"][written].tolist() == values["x"][written].tolist()
    assert np.isnan(values["y"]).sum() == n - 32


def test_an_off_by_one_in_the_last_workgroup_is_found() -> None:
    n = 8 * 5000
    body = Store("y", (I,), load("x", add(I, integer(1))))

    found = run_some_workgroups(kernel(body, arrays=vectors(n), workgroups=5000), arrays(n))

    (fault,) = found.faults
    assert isinstance(fault, OutOfBounds)
    assert fault.access.workgroup == (4999, 0, 0)


def test_a_while_without_end_is_an_error() -> None:
    body = While(Const(value=True, dtype=BOOL), (Store("y", (I,), f32(1.0)),))

    with pytest.raises(RunError, match="used up its budget"):
        run_kernel(kernel(body, arrays=vectors()), arrays(), budget=1 << 20)


def test_what_nobody_wrote_is_not_a_number() -> None:
    values = arrays()
    body = (SHARED, Store("y", (I,), load("shared", I)))

    run_kernel(kernel(*body, arrays=vectors()), values)

    assert np.isnan(values["y"]).all()


def test_the_same_seed_finds_the_same() -> None:
    broken = one_kernel(MATMUL, without_barrier(MATMUL.kernels[0].body, 0))

    first, second = (run_mapped(broken, INPUTS, seed=4)[1] for _ in range(2))

    assert first.words == second.words


def test_kernels_run_in_order_on_the_same_arrays() -> None:
    double = kernel(Store("t", (I,), add(load("x", I), load("x", I))), arrays=())
    negate = kernel(Store("y", (I,), apply("neg", load("t", I))), arrays=())
    every = buffers(x=("input", (8,)), t=("temporary", (8,)), y=("output", (8,)))

    def using(k: DeviceKernel, *names: str) -> DeviceKernel:
        used = tuple(b for b in every if b.name in names)
        return replace(k, buffers=used, written=frozenset(names[1:]))

    mapped = Mapped("two", every, (), (using(double, "x", "t"), using(negate, "t", "y")), ("y",))

    outputs, findings = run_mapped(mapped, {"x": arrays()["x"]})

    assert findings.ok
    assert outputs["y"].tolist() == [-2 * v for v in range(8)]
