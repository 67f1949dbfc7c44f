"""A million updates of few elements, on every device; what is reported of clashes."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.runtime.device import open_device
from workbench.session.cell import run_cell
from workbench.widget.assemble import cell_state
from workbench.widget.twins import text_twin

COUNT = 1_000_000
DEVICES = ("cpu", "wasm", "native")

HISTOGRAM = """\
def histogram(b: i32[N]) -> i32[256]:
    h: i32[256]
    h[k] = 0
    for i in grid(N):
        h[b[i]] += 1
    return h
"""

WEIGHTED = """\
def weighted(b: i32[N], w: f32[N]) -> f32[16]:
    h: f32[16]
    h[k] = 0.0
    for i in grid(N):
        h[b[i]] += w[i]
    return h
"""

GREATEST = """\
def greatest(b: i32[N], v: f32[N]) -> f32[4]:
    top: f32[4]
    top[k] = -inf
    for i in grid(N):
        top[b[i]] = max(top[b[i]], v[i])
    return top
"""

SCATTER = """\
def scatter(p: i32[N], x: f32[N]) -> f32[N]:
    y: f32[N]
    y[k] = 0.0
    for i in grid(N):
        y[p[i]] = x[i]
    return y
"""


@pytest.fixture(params=DEVICES)
def on(request: pytest.FixtureRequest) -> str:
    description = open_device(request.param).describe()
    if not description.available:
        pytest.skip(f"{request.param}: {description.cause}")
    return request.param


@pytest.mark.parametrize("bins", [256, 1])
def test_no_count_of_a_million_is_lost(bins: int, on: str) -> None:
    text = HISTOGRAM.replace("256", str(bins))
    b = np.random.default_rng(0).integers(0, bins, COUNT).astype(np.int32)

    found = wb.kernel(text)(b, on=on).numpy()

    np.testing.assert_array_equal(found, np.bincount(b, minlength=bins))


def test_no_weight_of_a_million_is_lost(on: str) -> None:
    """Weights that are whole numbers add up exactly, in every order."""
    rng = np.random.default_rng(1)
    b = rng.integers(0, 16, COUNT).astype(np.int32)
    w = rng.integers(-8, 9, COUNT).astype(np.float32)

    found = wb.kernel(WEIGHTED)(b, w, on=on).numpy()

    np.testing.assert_array_equal(found, np.bincount(b, w, minlength=16))


def test_the_greatest_of_a_million_is_exact(on: str) -> None:
    rng = np.random.default_rng(2)
    b = rng.integers(0, 4, COUNT).astype(np.int32)
    v = rng.standard_normal(COUNT).astype(np.float32)

    found = wb.kernel(GREATEST)(b, v, on=on).numpy()

    np.testing.assert_array_equal(found, [v[b == k].max() for k in range(4)])


def test_nan_stays_the_greatest_in_any_order(on: str) -> None:
    b = np.arange(4000, dtype=np.int32) % 4
    v = np.arange(4000, dtype=np.float32)
    v[[8, 2001, 2002]] = np.nan

    found = wb.kernel(GREATEST)(b, v, on=on).numpy()

    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 3999])


def test_an_index_outside_is_reported(on: str) -> None:
    b = np.zeros(1000, np.int32)
    b[777] = 256
    result = wb.kernel(HISTOGRAM)(b, on=on)

    with pytest.raises(
        wb.DeviceError, match=r"h\[b\[i\]\] in line 5 writes outside its extent 256"
    ):
        result.numpy()


def test_arguments_keep_their_values(on: str) -> None:
    text = """\
def add(h: i32[8], b: i32[N]) -> i32[8]:
    for i in grid(N):
        h[b[i]] += 1
    return h
"""
    h, b = np.arange(8, dtype=np.int32), np.array([3, 3, 7], np.int32)

    found = wb.kernel(text)(h, b, on=on).numpy()

    np.testing.assert_array_equal(found, [0, 1, 2, 5, 4, 5, 6, 8])
    np.testing.assert_array_equal(h, np.arange(8))


@pytest.mark.parametrize("name", ["at", "bits", "now", "value", "changed", "tried"])
def test_any_name_of_the_array_is_fine(name: str, on: str) -> None:
    text = WEIGHTED.replace("h: ", f"{name}: ").replace("h[", f"{name}[")
    text = text.replace("return h", f"return {name}")
    b, w = np.arange(64, dtype=np.int32) % 16, np.ones(64, np.float32)

    np.testing.assert_array_equal(wb.kernel(text)(b, w, on=on).numpy(), np.full(16, 4))


@pytest.mark.parametrize("target", ["native", "cpu", "wasm"])
def test_a_clash_of_writes_is_found_by_the_check(target: str) -> None:
    compiled = wb.kernel(SCATTER).compile(on=target, dims={"N": 100})
    p = np.random.default_rng(3).permutation(100).astype(np.int32)
    x = np.arange(100, dtype=np.float32)
    assert compiled.check({"p": p, "x": x}).ok

    p[70] = p[20]
    checks = compiled.check({"p": p, "x": x})

    assert f"the iterations (i = 20) and (i = 70) both write y[{p[20]}]" in repr(checks)
    assert not checks.ok


def test_a_cell_says_which_result_may_differ_from_run_to_run() -> None:
    k = wb.kernel(WEIGHTED)
    namespace = {"b": np.zeros(9, np.int32), "w": np.ones(9, np.float32)}
    words = (
        "h may differ from run to run in its last digits: `h[b[i]] += w[i]` (line 5) adds floats "
        "in the order in which iterations come"
    )

    assert f"  {words}\n" in text_twin(cell_state(run_cell(k, namespace, on="cpu")))
