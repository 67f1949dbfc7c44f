"""The tiles of the default rules: the right sums, and in the same order."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("llvmlite")
pytest.importorskip("wasmtime")

import workbench as wb
from workbench.base.device_class import DeviceClass
from workbench.pipeline import compile_graph
from workbench.schedule import rules
from workbench.schedule.rules.tiles import TILES
from workbench.schedule.step import Schedule

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
GRAM = """
def gram(A: f32[M, K], B: f32[N, K]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[j, k] for k in range(K))
    return C
"""
LAYERS = """
def layers(x: f32[B, C, H, W], w: f32[K, C, 3, 3]) -> f32[B, K, H - 2, W - 2]:
    y: f32[B, K, H - 2, W - 2]
    y[b, k, i, j] = sum(x[b, c, i + r, j + s] * w[k, c, r, s]
                        for c in range(C) for r in range(3) for s in range(3))
    z[b, k, i, j] = max(y[b, k, i, j], 0.0)
    return z
"""
CASES = {
    "matmul": (MATMUL, (((64, 96), "f4"), ((96, 48), "f4"))),
    "large": (MATMUL, (((96, 256), "f4"), ((256, 320), "f4"))),
    "gram": (GRAM, (((64, 96), "f4"), ((48, 96), "f4"))),
    "batched": (BATCHED, (((3, 32, 80), "f4"), ((3, 48, 80), "f4"))),
    "conv": (CONV, (((5, 34, 50), "f4"), ((4, 5, 3, 3), "f4"))),
    "layers": (LAYERS, (((2, 5, 18, 42), "f4"), ((12, 5, 3, 3), "f4"))),
    "least": (LEAST, (((64, 96), "i4"), ((96, 48), "i4"))),
}


def random(shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Numbers of either sign."""
    values = np.random.default_rng(7).standard_normal(shape) * 8
    return values.astype(kind)


@pytest.mark.parametrize("on", ["cpu", "wasm", "native"])
@pytest.mark.parametrize("case", CASES, ids=list(CASES))
def test_a_tile_gives_to_the_bit_what_the_plain_rule_gives(
    case: str, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, shapes = CASES[case]
    inputs = [random(*each) for each in shapes]
    k, plain = wb.kernel(text), wb.kernel(text)
    found = k(*inputs, on=on).numpy()
    assert k.last is not None
    steps = [type(s).__name__ for s in k.last.compilation.schedule.steps]
    monkeypatch.setattr(rules, "tiled", lambda _loops, _chain, _on: [])
    expected = plain(*inputs, on=on).numpy()

    assert "Tile" in steps
    assert "Vectorize" in steps
    np.testing.assert_array_equal(found, expected)
    assert plain.last is not None
    assert len(plain.last.compilation.schedule.steps) < len(steps)


@pytest.mark.parametrize("on", ["cpu", "wasm"])
@pytest.mark.parametrize("shape", [(127, 131, 257), (100, 64, 100), (31, 211, 67)])
def test_what_no_tile_holds_is_added_up_beside_the_tiles(
    shape: tuple[int, int, int], on: str
) -> None:
    m, k, n = shape
    a, b = random((m, k), "f4"), random((k, n), "f4")
    kernel = wb.kernel(MATMUL)
    found = kernel(a, b, on=on).numpy()

    assert kernel.last is not None
    assert "tail='peel'" in repr(kernel.last.compilation.schedule)
    np.testing.assert_allclose(found, a.astype("f8") @ b, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("on", list(TILES))
def test_the_steps_of_a_tile_written_out_by_hand_make_the_same_code(on: DeviceClass) -> None:
    dims = {"M": 128, "K": 64, "N": 2048}
    k = wb.kernel(MATMUL)
    made = compile_graph(k.graph, k.source, dims, on=on)
    again = compile_graph(k.graph, k.source, dims, on=on, schedule=eval_schedule(made.schedule))

    assert "tile(" in repr(made.schedule)
    assert [x.code for x in again.program.kernels] == [x.code for x in made.program.kernels]


def eval_schedule(s: Schedule) -> Schedule:
    """The schedule that its own text makes."""
    return eval(repr(s), {"Schedule": Schedule})  # noqa: S307  (our own text)


@pytest.mark.parametrize(
    ("m", "k", "n"),
    [(64, 4, 1600), (16, 16, 16), (64, 96, 12)],
    ids=["terms", "work", "columns"],
)
def test_what_a_tile_does_not_suit_is_left_as_it_was(m: int, k: int, n: int) -> None:
    c = wb.kernel(MATMUL).compile(on="wasm", dims={"M": m, "K": k, "N": n})

    assert repr(c.schedule) == "Schedule().reorder('k', 'j').parallelize('i', 'worker')"


def test_a_gpu_whose_tiles_would_be_too_few_to_keep_it_busy_gets_none() -> None:
    k = wb.kernel(MATMUL)
    few, many = (
        compile_graph(k.graph, k.source, dict.fromkeys("MKN", n), on="gpu") for n in (256, 512)
    )

    assert "tile(" not in repr(few.schedule)
    assert "tile(" in repr(many.schedule)


def test_sums_that_are_scattered_over_what_they_read_are_not_tiled() -> None:
    text = (
        "def f(x: f32[N], at: i32[M, K], w: f32[K, M]) -> f32[M, M]:\n"
        "    y[i, j] = sum(w[k, i] * x[at[j, k] % N] for k in range(K))\n    return y\n"
    )
    c = wb.kernel(text).compile(on="cpu", dims={"N": 50, "M": 64, "K": 64})

    assert "tile(" not in repr(c.schedule)


def test_open_dims_are_not_tiled() -> None:
    c = wb.kernel(MATMUL).compile(on="wasm", dims={"M": 64, "K": 96, "N": None})

    assert "vectorize" not in repr(c.schedule)


def test_a_tiled_kernel_is_checked_at_every_stage_also_at_sizes_that_are_too_large() -> None:
    k = wb.kernel(MATMUL)
    checks = [k.compile(on="wasm", dims=dict.fromkeys("MKN", n)).check() for n in (64, 512)]

    assert [c.state for each in checks for c in each if c.state == "cross"] == []
    assert checks[0]["wasm"].state == "tick"
    assert checks[1]["wasm"].state == "tick"
