"""Owners: the workgroup said to write an element is the one that writes it when all are run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import workbench as wb
from tests.unit.measure.test_traffic import BLUR, MATMUL, TRIANGLE
from workbench.ir.bound import bound
from workbench.ir.device import DeviceKernel
from workbench.ir.tape import Touch, tape_of
from workbench.measure.owners import owners
from workbench.widget.views.accesses import _boxes


def kernel_of(name: str) -> DeviceKernel:
    """A small device kernel whose tails do not divide."""
    match name:
        case "tiled matmul":
            k = wb.kernel(MATMUL)
            s = k.schedule().parallelize("i", "workgroup.y", 4).parallelize("j", "workgroup.x", 4)
            c = k.compile(s, on="native", dims={"M": 6, "N": 9, "K": 5})
        case "blur":
            k = wb.kernel(BLUR)
            s = k.schedule().split("i", 3).parallelize("j", "workgroup.x", 2)
            c = k.compile(s, on="native", dims={"H": 7, "W": 5})
        case _:
            c = wb.kernel(TRIANGLE).compile(on="native", dims={"N": 11})
    return bound(c.stages["kernel"].value, c.dims).kernels[0]


def walked(kernel: DeviceKernel, array: str, shape: tuple[int, ...]) -> np.ndarray:
    """The owner of each element, from every access that each workgroup makes."""
    found = np.full(shape, -1)
    x, y, z = kernel.counts
    for number, (k, j, i) in enumerate(itertools.product(range(z), range(y), range(x))):
        for event in tape_of(kernel, (i, j, k), {}).events:
            if isinstance(event, Touch) and event.array == array and event.kind != "reads":
                found.reshape(-1)[event.elements[event.elements >= 0]] = number
    return found


@pytest.mark.parametrize("name", ["tiled matmul", "blur", "triangle"])
def test_owners_are_those_of_a_walk(name: str) -> None:
    kernel = kernel_of(name)
    (found,) = owners(kernel, side=128)
    expected = walked(kernel, found.array, found.shape)

    np.testing.assert_array_equal(found.workgroups.reshape(found.shape), expected)
    assert not found.several


def test_only_what_is_drawn_is_looked_at() -> None:
    k = wb.kernel(MATMUL)
    s = k.schedule().parallelize("i", "workgroup.y", 8).parallelize("j", "workgroup.x", 8)
    c = k.compile(s, on="native", dims={"M": 1024, "N": 1024, "K": 4})
    (found,) = owners(bound(c.stages["kernel"].value, c.dims).kernels[0], side=16)

    assert found.workgroups.tolist() == [
        [column // 8 + 128 * (row // 8) for column in range(16)] for row in range(16)
    ]


def test_where_data_decide_there_are_no_owners() -> None:
    k = wb.kernel(
        "def count(b: i32[N]) -> i32[4]:\n"
        "    h: i32[4] = 0\n"
        "    for i in grid(N):\n"
        "        h[b[i]] += 1\n"
        "    return h\n"
    )
    c = k.compile(on="native", dims={"N": 9})
    kernels = bound(c.stages["kernel"].value, c.dims).kernels

    assert owners(kernels[-1], side=8) == ()


def test_boxes_cover_every_element_once() -> None:
    owned = np.array([[0, 0, 1, -1], [0, 0, 1, 1], [2, 2, 1, 1]])
    drawn = np.full(owned.shape, -1)
    for number, row, column, height, width in _boxes(owned):
        assert (drawn[row : row + height, column : column + width] == -1).all()
        drawn[row : row + height, column : column + width] = number

    np.testing.assert_array_equal(drawn, owned)
