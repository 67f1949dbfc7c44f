"""The default rules: every nest gets workgroups that a device has, whatever its shape."""

from __future__ import annotations

import math

import pytest

import workbench as wb
from workbench.base.limits import GUARANTEED
from workbench.base.source import Source
from workbench.pipeline import Compilation, compile_graph
from workbench.program import dispatches


def doubled(*shape: int) -> Compilation:
    """An array of that shape, each element twice."""
    dims, index = ", ".join("MNPQ"[: len(shape)]), ", ".join("ijkl"[: len(shape)])
    text = (
        f"def double(x: f32[{dims}]) -> f32[{dims}]:\n"
        f"    y[{index}] = sum(x[{index}] for r in range(2))\n    return y\n"
    )
    graph = wb.kernel(text).graph
    return compile_graph(graph, Source(text), dict(zip("MNPQ", shape, strict=False)))


@pytest.mark.parametrize(
    "shape",
    [
        (20_000_000,), (3, 700_001), (4_500_000, 1), (2, 3, 600_000), (2, 700_000, 3),
        (300_000, 2, 3), (1, 1, 5_000_000), (2, 2, 2, 600_000),
    ],
)  # fmt: skip
def test_no_axis_has_more_workgroups_than_every_device_allows(shape: tuple[int, ...]) -> None:
    c = doubled(*shape)
    groups = [n for d in dispatches(c.program.body) for n in d.workgroups]

    assert max(groups) <= GUARANTEED.max_compute_workgroups_per_dimension
    assert 64 * math.prod(groups) >= max(shape), "as many invocations as the longest loop is long"
    assert "y_private" in c.stages["scheduled"].text


def test_a_long_axis_is_checked_at_small_sizes_too() -> None:
    checks = doubled(3, 700_001).check()

    assert checks["kernel"].state == "tick", checks


def test_a_long_total_is_checked_at_small_sizes_where_it_has_no_parts() -> None:
    k = wb.kernel("def f(x: f32[N]) -> f32:\n    s = sum(x[i] for i in range(N))\n    return s\n")
    c = k.compile(on="null", dims={"N": 5_000_000})

    assert c.check()["kernel"].state == "tick"
