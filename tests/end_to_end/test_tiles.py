"""The tiles of WebAssembly's default rule: the right sums, and in the same order."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")
pytest.importorskip("wasmtime")

import workbench as wb
from workbench.schedule import rules

MATMUL = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
BATCHED = """
def batched(A: f32[Z, M, K], B: f32[Z, N, K]) -> f32[Z, M, N]:
    C[z, i, j] = sum(A[z, i, k] * B[z, j, k] for k in range(K))
    return C
"""
CONV = """
def conv(x: f32[C, H, W], w: f32[K, C, 3, 3]) -> f32[K, H - 2, W - 2]:
    y[k, i, j] = sum(x[c, i + r, j + s] * w[k, c, r, s]
                     for c in range(C) for r in range(3) for s in range(3))
    return y
"""
LEAST = """
def least(A: i32[M, K], B: i32[K, N]) -> i32[M, N]:
    C[i, j] = min(A[i, k] + B[k, j] for k in range(K))
    return C
"""
CASES = (
    (MATMUL, (((64, 96), "f4"), ((96, 48), "f4"))),
    (BATCHED, (((3, 32, 80), "f4"), ((3, 48, 80), "f4"))),
    (CONV, (((5, 34, 50), "f4"), ((4, 5, 3, 3), "f4"))),
    (LEAST, (((64, 96), "i4"), ((96, 48), "i4"))),
)


def random(shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Numbers of either sign."""
    values = np.random.default_rng(7).standard_normal(shape) * 8
    return values.astype(kind)


@pytest.mark.parametrize(("text", "shapes"), CASES, ids=["matmul", "batched", "conv", "least"])
def test_a_tile_gives_to_the_bit_what_the_plain_rule_gives(
    text: str, shapes: tuple[tuple[tuple[int, ...], str], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [random(*each) for each in shapes]
    k, plain = wb.kernel(text), wb.kernel(text)
    found = k(*inputs, on="wasm").numpy()
    assert k.last is not None
    steps = [type(s).__name__ for s in k.last.compilation.schedule.steps]
    monkeypatch.setattr(rules, "tiled", lambda _loops, _chain: [])
    expected = plain(*inputs, on="wasm").numpy()

    assert steps.count("Vectorize") == 1
    np.testing.assert_array_equal(found, expected)
    assert plain.last is not None
    assert len(plain.last.compilation.schedule.steps) < len(steps)


@pytest.mark.parametrize(
    ("m", "k", "n"),
    [(65, 96, 48), (64, 96, 40), (64, 4, 1600), (16, 16, 16)],
    ids=["rows", "columns", "terms", "work"],
)
def test_what_a_tile_does_not_suit_is_left_as_it_was(m: int, k: int, n: int) -> None:
    c = wb.kernel(MATMUL).compile(on="wasm", dims={"M": m, "K": k, "N": n})

    assert repr(c.schedule) == "Schedule().reorder('k', 'j').parallelize('i', 'worker')"


def test_open_dims_are_not_tiled() -> None:
    c = wb.kernel(MATMUL).compile(on="wasm", dims={"M": 64, "K": 96, "N": None})

    assert "vectorize" not in repr(c.schedule)


def test_a_tiled_kernel_is_checked_at_every_stage_also_at_sizes_that_are_too_large() -> None:
    k = wb.kernel(MATMUL)
    checks = [k.compile(on="wasm", dims=dict.fromkeys("MKN", n)).check() for n in (64, 512)]

    assert [c.state for each in checks for c in each if c.state == "cross"] == []
    assert checks[0]["wasm"].state == "tick"
    assert checks[1]["wasm"].state == "tick"


def test_only_webassembly_has_the_tile() -> None:
    c = wb.kernel(MATMUL).compile(on="cpu", dims={"M": 64, "K": 96, "N": 48})

    assert "vectorize" not in repr(c.schedule)
