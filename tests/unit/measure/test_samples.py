"""At real sizes, four workgroups tell a right kernel from one with an operator changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.unit.ir.programs import (
    Change,
    faults,
    matmul as matmul_graph,
    tiled_matmul,
    without_barrier,
)
from workbench.ir.device import Mapped
from workbench.measure.samples import sampled
from workbench.passes.mapping import map_kernels

N = 64
GRAPH = matmul_graph(N, N, N)
MAPPED = map_kernels(tiled_matmul(N, 8))
RNG = np.random.default_rng(1)
INPUTS = {name: RNG.uniform(-1, 1, (N, N)).astype(np.float32) for name in "AB"}


def with_body(change: Change) -> Mapped:
    (kernel,) = MAPPED.kernels
    return replace(MAPPED, kernels=(replace(kernel, body=change.body(kernel.body)),))


def test_a_right_kernel_agrees() -> None:
    ok, words = sampled(MAPPED, GRAPH, INPUTS, {})

    assert ok, words
    assert words == (
        "the first, the last and two random workgroups have no race and no stray, "
        "and 256 elements that they wrote agree"
    )


def test_a_changed_operator_does_not() -> None:
    for faulty in faults(with_body):
        ok, words = sampled(faulty, GRAPH, INPUTS, {})

        assert not ok, words


def test_a_deleted_barrier_is_a_race() -> None:
    (kernel,) = MAPPED.kernels
    body = without_barrier(kernel.body, 1)

    ok, words = sampled(replace(MAPPED, kernels=(replace(kernel, body=body),)), GRAPH, INPUTS, {})

    assert not ok
    assert words.startswith("matmul: race on ")
