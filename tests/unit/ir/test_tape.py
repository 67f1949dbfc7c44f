"""Tapes: what one workgroup reaches, in order, and what memory makes of it."""

from __future__ import annotations

import numpy as np

import workbench as wb
from workbench.ir.device import DeviceKernel
from workbench.ir.stmt import Memory
from workbench.ir.tape import Meeting, Touch, tape_of
from workbench.measure.coalescing import Conflict, Lines, conflict, lines

MATMUL = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""


def tiled() -> DeviceKernel:
    """A matmul of 6 x 9 x 8 in tiles of 4, both inputs fetched into workgroup memory."""
    k = wb.kernel(MATMUL)
    s = k.schedule().parallelize("i", "workgroup.y", 4).parallelize("j", "workgroup.x", 4)
    s = s.split("k", 4).cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o")
    c = k.compile(s, on="native", dims={"M": 6, "N": 9, "K": 8})
    return c.stages["kernel"].value.kernels[0]


def test_a_workgroup_fetches_meets_and_reads_in_that_order() -> None:
    tape = tape_of(tiled(), (1, 0, 0), {})
    order = [e.array if isinstance(e, Touch) else "barrier" for e in tape.events]
    first = order[: order.index("C", 1)]

    assert first == [
        "C", "barrier", "A", "A_workgroup", "B", "B_workgroup", "barrier",
        "A_workgroup", "B_workgroup",
    ]  # fmt: skip
    assert all(e.present.all() for e in tape.events if isinstance(e, Meeting))
    assert tape.whole
    assert tape.memories["A_workgroup"] is Memory.WORKGROUP


def test_the_elements_are_those_that_the_loops_name() -> None:
    tape = tape_of(tiled(), (1, 0, 0), {})
    reads = [e for e in tape.events if isinstance(e, Touch) and e.array == "B"]
    rows, columns = np.arange(16) // 4, np.arange(16) % 4

    assert [e.kind for e in reads] == ["reads", "reads"]
    np.testing.assert_array_equal(reads[0].elements, rows * 9 + 4 + columns)
    np.testing.assert_array_equal(reads[1].elements, (rows + 4) * 9 + 4 + columns)


def test_invocations_beyond_the_edge_reach_nothing() -> None:
    tape = tape_of(tiled(), (2, 1, 0), {})
    (stored, *_) = [e for e in tape.events if isinstance(e, Touch) and e.array == "C"]
    inside = np.zeros((4, 4), bool)
    inside[:2, :1] = True

    np.testing.assert_array_equal(stored.elements.reshape(4, 4) >= 0, inside)


def test_a_long_tape_ends_and_says_so() -> None:
    tape = tape_of(tiled(), (0, 0, 0), {}, most=5)

    assert len(tape.events) == 5
    assert not tape.whole


def test_data_that_are_given_decide_what_is_reached() -> None:
    k = wb.kernel("def take(x: f32[N], p: i32[M]) -> f32[M]:\n    y[i] = x[p[i]]\n    return y\n")
    kernel = k.compile(on="native", dims={"N": 9, "M": 3}).stages["kernel"].value.kernels[0]
    tape = tape_of(kernel, (0, 0, 0), {"p": np.array([7, 2, 5], np.int32)})
    (reads,) = [e for e in tape.events if isinstance(e, Touch) and e.array == "x"]

    assert reads.elements[:3].tolist() == [7, 2, 5]
    assert set(reads.elements[3:].tolist()) == {-1}


def test_cache_lines_are_counted_for_each_subgroup() -> None:
    along, across = np.arange(64), np.arange(64) * 64

    assert lines(along, 4) == Lines(2, 2)
    assert lines(across, 4) == Lines(64, 2)
    assert lines(np.full(64, -1), 4) == Lines(0, 0)


def test_banks_clash_where_different_words_share_one() -> None:
    assert conflict(np.arange(32), 4) == Conflict(1, 0)
    assert conflict(np.arange(32) * 32, 4) == Conflict(32, 0)
    assert conflict(np.arange(32) * 33, 4).answers == 1
    assert conflict(np.zeros(32, np.int64), 4).answers == 1
