"""Time loops whose bounds need the turn of a time loop around them."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.base.errors import CodegenError
from workbench.ir.interpret import run_graph, run_loops
from workbench.ir.simt import run_mapped

SORT = """
def sort(x: f32[N], S: i32) -> f32[N]:
    for s in range(1, S):
        for t in range(s):
            far = 1 << (s - 1 - t)
            x[i] = (min(x[i], x[i ^ far]) if (i & far == 0) == ((i >> s) & 1 == 0)
                    else max(x[i], x[i ^ far])) if i ^ far < N else x[i]
    return x
"""
TRIANGLE = """
def triangle(x: f32[N], S: i32) -> f32[N]:
    for s in range(1, S):
        for t in range(s - 2):
            x[i] = x[(i + 1) % N] * 0.5 + t
    return x
"""
THREE = """
def three(x: f32[N], S: i32) -> f32[N]:
    for a in range(S):
        for b in range(a):
            for c in range(b, a):
                x[i] = x[i] * 0.5 + a - b + c
    return x
"""


def sort(x: np.ndarray, S: int) -> np.ndarray:
    i = np.arange(len(x))
    for s in range(1, S):
        for t in range(s):
            far = 1 << (s - 1 - t)
            inside = (i ^ far) < len(x)
            other = x[np.where(inside, i ^ far, i)]
            up = (i & far == 0) == ((i >> s) & 1 == 0)
            x = np.where(inside, np.where(up, np.minimum(x, other), np.maximum(x, other)), x)
    return x


def triangle(x: np.ndarray, S: int) -> np.ndarray:
    for s in range(1, S):
        for t in range(s - 2):
            x = np.roll(x, -1) * 0.5 + t
    return x


def three(x: np.ndarray, S: int) -> np.ndarray:
    for a in range(S):
        for b in range(a):
            for c in range(b, a):
                x = x * 0.5 + a - b + c
    return x


@pytest.mark.parametrize("S", [0, 1, 2, 9])
@pytest.mark.parametrize(("text", "expected"), [(SORT, sort), (TRIANGLE, triangle), (THREE, three)])
def test_inner_bounds_may_need_the_outer_turn(text: str, expected, S: int) -> None:  # noqa: ANN001
    k = wb.kernel(text)
    x = np.random.default_rng(S).random(64, np.float32)
    c = k.compile(on="native", dims={"N": 64, "S": S})
    stages, name, scalars = c.stages, c.program.outputs[0], {"S": S}
    found = [run_graph(stages["specialise"].value, {"x": x}, scalars)["x"]]
    found += [run_loops(stages["loops"].value, {"x": x}, scalars)[name]]
    mapped, findings = run_mapped(stages["kernel"].value, {"x": x}, scalars)
    assert findings.ok
    for y in (*found, mapped[name]):
        np.testing.assert_allclose(np.asarray(y), expected(x, S), rtol=1e-5)


def test_outer_turns_may_be_an_open_dim() -> None:
    k = wb.kernel(THREE)
    c = k.compile(on="cpu", dims={"N": 8, "S": None})
    x = np.random.default_rng(0).random(8, np.float32)
    for S in (0, 3, 7):
        at = c.at({"S": S})
        assert at.program.kernels == c.program.kernels
        assert at.check().ok
    for S in range(8):  # from the fourth value on S is open
        np.testing.assert_allclose(k(x, S, on="cpu"), three(x, S), rtol=1e-5)


def test_turns_share_their_kernels() -> None:
    k = wb.kernel(SORT)
    few, many = (k.compile(on="native", dims={"N": 64, "S": S}).program for S in (5, 9))
    assert len(few.kernels) == len(many.kernels) <= 12


def test_too_many_turns_are_refused_at_the_outer_loop() -> None:
    k = wb.kernel(TRIANGLE)
    with pytest.raises(CodegenError, match=r"'s' .*at most 16384") as refused:
        k.compile(on="cpu", dims={"N": 64, "S": 50_000})
    assert refused.value.mistakes[0].span is not None
    assert "for s in range(1, S)" in str(refused.value)
