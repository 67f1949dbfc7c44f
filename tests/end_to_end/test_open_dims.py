"""Kernels called with ever new sizes: right, and compiled no more from the fourth value on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end import kernels, kernels_functions, kernels_scans, kernels_steps
from tests.end_to_end.kernels import Case
from workbench.base.errors import CallError, OpenDimError, RunError
from workbench.ir.extents import LARGEST_OPEN
from workbench.measure.checks import random_inputs, random_scalars
from workbench.measure.reference import reference
from workbench.passes.graph import specialise
from workbench.pipeline import check_dims
from workbench.runtime.device import open_device
from workbench.session.kernel import Kernel

CASES = (*kernels.CASES, *kernels_functions.CASES, *kernels_steps.CASES, *kernels_scans.CASES[:14])
SIZES = (5, 8, 3, 67, 1, 0)
"""Values of the first dim in calls in a row; other dims have a few more."""

FLT_MAX = np.finfo(np.float32).max

MATMUL = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
DOUBLE = """
def double(x: f32[N]) -> f32[N]:
    y[i] = x[i] * 2
    return y
"""


@pytest.mark.parametrize("on", ["cpu", "native"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_calls_with_ever_new_sizes_are_right_and_stop_compiling(case: Case, on: str) -> None:
    k = wb.kernel(case.text)
    made: list[int] = []
    for dims in _sizes(k):
        special = specialise(k.graph, dims)
        inputs = random_inputs(special, seed=len(made))
        scalars = random_scalars(k.graph) | {
            s.name: dims[s.name] for s in k.graph.scalars if s.name in dims
        }
        try:
            expected = reference(special, inputs, scalars, names=k.graph.outputs)
        except RunError:
            continue  # nothing to choose from, or outside: `test_outside.py` looks at those
        if any(np.abs(v).max(initial=0) > FLT_MAX for v in expected.values.values()):
            continue  # random numbers that grow beyond f32
        found = k(**inputs, **scalars, on=on)
        outputs = found if isinstance(found, tuple) else (found,)
        values = {n: a.numpy() for n, a in zip(k.graph.outputs, outputs, strict=True)}
        ok, words = expected.compare(values)
        assert ok, f"{dims}: {words}"
        made.append(len(k.compilations))

    kept = k.compilations.words(()) != ""
    assert kept or made[3:] == [min(4, made[-1])] * len(made[3:])


def _sizes(k: Kernel) -> Iterator[dict[str, int]]:
    """Dims for calls in a row, those that keep the kernel's asserts."""
    for size in SIZES:
        dims = {n: size + more for n, more in zip(k.graph.symbols(), (0, 2, 1, 3, 5), strict=False)}
        if not _fits(k, dims):
            dims = dict.fromkeys(k.graph.symbols(), 4 * (size + 2))
        yield dims


def _fits(k: Kernel, dims: dict[str, int]) -> bool:
    try:
        check_dims(k.graph, dims)
    except CallError:
        return False
    return True


def test_a_dim_is_a_literal_three_times_and_then_a_uniform() -> None:
    k = wb.kernel(DOUBLE)
    for size in (1, 2, 3):
        k(np.zeros(size, np.float32), on="cpu")
        assert k.last is not None
        assert k.last.compilation.open == ()
        assert "uniform" not in k.last.reason
    k(np.zeros(4, np.float32), on="cpu")
    assert k.last.compilation.open == ("N",)
    assert k.last.reason.endswith("N is a uniform")


def test_a_size_that_was_a_literal_stays_one() -> None:
    k = wb.kernel(DOUBLE)
    for size in (1, 2, 3, 4, 5, 1):
        k(np.zeros(size, np.float32), on="cpu")
    assert k.last is not None
    assert k.last.compilation.open == ()
    assert len(k.compilations) == 4


def test_only_the_dims_that_change_are_uniforms() -> None:
    k = wb.kernel(MATMUL)
    for n in range(1, 9):
        A, B = np.ones((3, 5), np.float32), np.ones((5, n), np.float32)
        assert np.array_equal(k(A, B, on="cpu").numpy(), A @ B)
    assert k.last is not None
    assert k.last.compilation.open == ("N",)
    assert "[M, " not in k.last.compilation.stages["loops"].text
    assert len(k.compilations) == 4


def test_a_scalar_in_an_extent_becomes_a_uniform_as_a_dim_does() -> None:
    k = wb.kernel("""
def steps(n: i32) -> i32[n]:
    y[i] = i * n
    return y
""")
    for n in (3, 4, 5, 6, 0, 130):
        assert np.array_equal(k(n, on="cpu").numpy(), np.arange(n) * n)
    assert k.last is not None
    assert k.last.compilation.open == ("n",)
    assert len(k.compilations) == 4


def test_a_schedule_that_needs_a_literal_keeps_it() -> None:
    k = wb.kernel(DOUBLE)
    whole = k.schedule().parallelize("i", "invocation.x")
    for n in (1, 2, 3, 4, 5, 6):
        x = np.arange(n, dtype=np.float32)
        assert np.array_equal(k(x, on="native", schedule=whole).numpy(), 2 * x)
    assert k.last is not None
    assert k.last.compilation.open == ()


def test_a_schedule_that_guards_serves_every_size() -> None:
    k = wb.kernel(MATMUL)
    tiled = k.schedule().split("k", 4).parallelize("i", "workgroup.y", 4)
    for n in (1, 2, 3, 5, 4, 9, 33):
        A, B = np.ones((n, n + 1), np.float32), np.ones((n + 1, n), np.float32)
        assert np.array_equal(k(A, B, on="native", schedule=tiled).numpy(), A @ B)
    assert len(k.compilations) == 4


def test_a_scan_keeps_its_length_and_says_so() -> None:
    k = wb.kernel("""
def running(x: f32[N]) -> f32[N]:
    y[i] = sum(x[j] for j in range(i + 1))
    return y
""")
    for n in (1, 2, 3, 4, 5):
        k(np.ones(n, np.float32), on="cpu")
    assert k.last is not None
    assert "N stays a literal: the scan that makes 'y' is cut by its length" in k.last.reason
    assert len(k.compilations) == 5


def test_a_compilation_is_asked_for_with_an_open_dim() -> None:
    c = wb.kernel(MATMUL).compile(on="native", dims={"M": 8, "K": None, "N": None})
    assert c.open == ("K", "N")
    assert dict(c.dims) == {"M": 8, "K": 64, "N": 64}
    assert c.check(sizes={"M": 8, "K": 7, "N": 9}).ok
    other = c.at({"K": 7, "N": 9})
    assert other.check().ok
    assert [x.code for x in other.program.kernels] == [x.code for x in c.program.kernels]
    assert other.program.buffer("C").shape == (8, 9)


def test_another_literal_is_refused() -> None:
    c = wb.kernel(MATMUL).compile(on="cpu", dims={"M": 8, "N": None})
    with pytest.raises(OpenDimError, match="dim M is the literal 8 in this code, not 9"):
        c.at({"M": 9})


@pytest.mark.parametrize("on", ["cpu", "native"])
def test_indices_beyond_i32_are_refused_as_for_literals(on: str) -> None:
    c = wb.kernel("""
def outer(x: f32[M], y: f32[N]) -> f32[M, N]:
    P[i, j] = x[i] * y[j]
    return P
""").compile(on=on, dims={"M": None, "N": None})
    with pytest.raises(OpenDimError, match="has 2147483648 elements"):
        c.at({"M": 2**16, "N": 2**15})


def test_a_value_beyond_the_largest_open_one_is_refused() -> None:
    c = wb.kernel(DOUBLE).compile(on="cpu", dims={"N": None})
    with pytest.raises(OpenDimError, match=f"an open dim ends at {LARGEST_OPEN}"):
        c.at({"N": LARGEST_OPEN + 1})


def test_more_workgroups_than_a_device_has_are_refused() -> None:
    c = wb.kernel(DOUBLE).compile(on="native", dims={"N": None})
    with pytest.raises(OpenDimError, match="65536 workgroups along one axis"):
        c.at({"N": 65535 * 64 + 1})


def test_a_call_beyond_what_open_dims_serve_is_compiled_for_it() -> None:
    k = wb.kernel(DOUBLE)
    for n in (1, 2, 3, 4, 65535 * 64 + 1):
        x = np.ones(n, np.float32)
        assert np.array_equal(k(x, on="native").numpy(), 2 * x)
    assert k.last is not None
    assert k.last.compilation.open == ()


def test_what_waited_for_literals_is_proved_for_every_new_size() -> None:
    k = wb.kernel("""
def flat(x: f32[M, N]) -> f32[M * N]:
    y: f32[M * N]
    for f in grid(M * N):
        y[f] = x[f // N, f % N]
    return y
""")
    for n in (1, 2, 3, 4, 5, 67):
        x = np.arange(n * (n + 1), dtype=np.float32).reshape(n, n + 1)
        assert np.array_equal(k(x, on="cpu").numpy(), x.reshape(-1))
    assert len(k.compilations) == 4


def test_what_is_refuted_for_a_size_is_refused_for_it() -> None:
    k = wb.kernel("""
def far(x: f32[M * N], y: f32[M], z: f32[N]) -> f32[M]:
    assert N > 0
    w[i] = x[i * N + 2] * y[i] * z[0]
    return w
""")
    for n in (3, 4, 5, 6):
        k(np.ones(n * n, np.float32), np.ones(n, np.float32), np.ones(n, np.float32), on="cpu")
    with pytest.raises(wb.SourceError, match="past the end"):
        k(np.ones(4, np.float32), np.ones(2, np.float32), np.ones(2, np.float32), on="cpu")


def test_new_sizes_make_no_new_pipelines() -> None:
    device = open_device("native")
    k = wb.kernel(DOUBLE.replace("* 2", "* 2.25"))
    made: list[int] = []
    for n in range(1, 11):
        k(np.ones(n, np.float32), on="native").numpy()
        made.append(len(device._opened.pipelines))  # pyright: ignore[reportAttributeAccessIssue]
    assert made[3:] == [made[3]] * 7


def test_a_saved_program_keeps_the_dims_it_was_made_for(tmp_path: object) -> None:
    c = wb.kernel(DOUBLE).compile(on="cpu", dims={"N": None}).at({"N": 5})
    path = f"{tmp_path}/double.json"
    c.program.save(path)
    x = np.arange(5, dtype=np.float32)
    assert np.array_equal(np.asarray(wb.run(wb.load(path), x)), 2 * x)
