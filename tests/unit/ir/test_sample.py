"""Some workgroups of large kernels are simulated and compared without running the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.unit.ir.programs import Change, array, axes, faults, graph, load, matmul, mul, var
from workbench.base.dtypes import F32
from workbench.ir.compare import agreement
from workbench.ir.device import Mapped
from workbench.ir.expr import Const, Var, apply, integer, rebuild
from workbench.ir.graph import Block, Equation, Graph
from workbench.ir.loops import Loops
from workbench.ir.sample import Sample, run_samples
from workbench.ir.stmt import For, LoopKind, Store, map_exprs
from workbench.passes.lower import lower
from workbench.passes.mapping import map_kernels

RNG = np.random.default_rng(11)
TILE = 64


def by_rows(loops: Loops) -> Mapped:
    """Each nest with its outermost loop split by 64 onto workgroups and invocations."""
    body = tuple(tiled(s) for s in loops.body if isinstance(s, For))
    return map_kernels(replace(loops, body=body))


def tiled(s: For) -> For:
    outer, inner = f"{s.var}_o", f"{s.var}_i"
    index = apply("add", mul(Var(outer), integer(TILE)), Var(inner))

    def renamed(e):  # noqa: ANN001, ANN202  (any expression to one of its kind)
        return index if e == Var(s.var) else rebuild(e, renamed)

    assert isinstance(s.stop, Const)
    count = int(s.stop.value) // TILE
    rows = tuple(map_exprs(x, renamed) for x in s.body)
    invocations = For(inner, integer(0), integer(TILE), rows, LoopKind.INVOCATION_X)
    return For(outer, integer(0), integer(count), (invocations,), LoopKind.WORKGROUP_X)


def test_a_large_matmul_is_sampled() -> None:
    program = matmul(1024, 16, 16)
    inputs = {
        "A": RNG.uniform(-1, 1, (1024, 16)).astype(np.float32),
        "B": RNG.uniform(-1, 1, (16, 16)).astype(np.float32),
    }

    (sample,) = run_samples(by_rows(lower(program)), program, inputs)

    assert sample.findings, sample.findings.words
    assert len(sample.points["C"]) == len(sample.found["C"]) == 512
    assert agreement(sample.found["C"], sample.expected["C"], np.float32, terms=16)


def chain(n: int) -> Graph:
    """Two equations, so two kernels; the second reads what the first left."""
    square = Equation("s", F32, axes(i=n), mul(load("x", var("i")), load("x", var("i"))))
    flipped = load("s", apply("sub", integer(n - 1), var("i")))
    y = Equation("y", F32, axes(i=n), apply("add", flipped, load("s", var("i"))))
    return graph(square, y, inputs=(array("x", n),), outputs=("y",))


N = 64 * 300
X = {"x": RNG.uniform(-1, 1, N).astype(np.float32)}


def agrees(sample: Sample) -> bool:
    return sample.findings.ok and all(
        agreement(sample.found[n], sample.expected[n], np.float32).ok for n in sample.found
    )


def test_a_late_kernel_reads_what_an_early_one_would_have_left() -> None:
    samples = run_samples(by_rows(lower(chain(N))), chain(N), X)

    assert [tuple(s.found) for s in samples] == [("s",), ("y",)]
    assert all(agrees(s) for s in samples)


def test_a_changed_operator_in_a_kernel_is_found_in_its_sample() -> None:
    mapped = by_rows(lower(chain(N)))
    for number, kernel in enumerate(mapped.kernels):

        def changed(change: Change, number: int = number, kernel=kernel) -> Mapped:  # noqa: ANN001
            kernels = list(mapped.kernels)
            kernels[number] = replace(kernel, body=change.body(kernel.body))
            return replace(mapped, kernels=tuple(kernels))

        for faulty in faults(changed):
            assert not agrees(run_samples(faulty, chain(N), X)[number])


def test_every_array_keeps_its_own_dtype() -> None:
    sample, _ = run_samples(by_rows(lower(chain(N))), chain(N), X)

    assert sample.found["s"].dtype == np.float32
    assert sample.expected["s"].dtype == np.float64


def test_what_a_block_defines_is_simulated_but_not_compared() -> None:
    program = chain(N)
    square, last = program.definitions
    assert isinstance(square, Equation)
    store = Store("s", (var("i"),), square.value)
    block = Block(
        (For("i", integer(0), integer(N), (store,), LoopKind.PARALLEL),), (array("s", N),)
    )
    blocked = replace(program, definitions=(block, last))

    samples = run_samples(by_rows(lower(blocked)), blocked, X)

    assert [tuple(s.found) for s in samples] == [(), ()]
    assert all(s.findings.ok for s in samples)
