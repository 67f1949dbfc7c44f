"""The functions that WebAssembly has no instruction for, against NumPy in f64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("llvmlite")
pytest.importorskip("wasmtime")

import workbench as wb

SPECIAL = np.array(
    [0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38,
     -3.4e38, 1e30, 2.0**24, 2.0**24 + 2, -(2.0**24) - 2, 2.0**31, 0.1, 1e-38, 0.25, 4096.0],
    np.float32,
)  # fmt: skip
CHANCE = np.random.default_rng(3)
ANY = CHANCE.integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
NEAR = CHANCE.uniform(-20, 20, 100_000).astype(np.float32)
ULPS = 0.52
"""A result may be the second nearest only where both are as near, by 0.02 of their distance."""


def computed(call: str, *arguments: np.ndarray) -> np.ndarray:
    parameters = ", ".join(f"{name}: f32[N]" for name in "ab"[: len(arguments)])
    text = f"def f({parameters}) -> f32[N]:\n    y[i] = {call}\n    return y\n"
    return np.asarray(wb.kernel(text)(*arguments, on="wasm"))


def assert_near(found: np.ndarray, exact: np.ndarray, inputs: tuple[np.ndarray, ...]) -> None:
    rounded = exact.astype(np.float32)
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    with np.errstate(invalid="ignore", over="ignore"):
        away = np.abs(found.astype(np.float64) - exact) / np.spacing(np.abs(rounded))
    wrong = ~same & ~(away <= ULPS)
    where = np.flatnonzero(wrong)[:3]
    assert not wrong.any(), [([x[i] for x in inputs], found[i], exact[i]) for i in where]


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("exp", np.exp), ("exp2", np.exp2), ("log", np.log), ("log2", np.log2),
        ("tanh", np.tanh), ("sin", np.sin), ("cos", np.cos),
    ],
)  # fmt: skip
def test_a_function_is_the_nearest_f32(
    name: str, exact: Callable[[np.ndarray], np.ndarray]
) -> None:
    x = np.concatenate([SPECIAL, ANY, NEAR])
    found = computed(f"{name}(a[i])", x)

    with np.errstate(all="ignore"):
        assert_near(found, exact(x.astype(np.float64)), (x,))


@pytest.mark.parametrize(
    ("call", "exact"), [("a[i] ** b[i]", np.power), ("fmod(a[i], b[i])", np.fmod)]
)
def test_a_function_of_two_is_the_nearest_f32(
    call: str, exact: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> None:
    x, y = (v.reshape(-1) for v in np.meshgrid(SPECIAL, SPECIAL))
    a = np.concatenate([x, ANY, NEAR, np.abs(NEAR), NEAR])
    b = np.concatenate([y, ANY[::-1], NEAR[::-1], NEAR[::-1], np.round(NEAR[::-1])])
    found = computed(call, a, b)

    with np.errstate(all="ignore"):
        assert_near(found, exact(a.astype(np.float64), b.astype(np.float64)), (a, b))


def test_the_remainder_is_exact_however_large_the_quotient() -> None:
    b = ANY[::-1]
    found = computed("fmod(a[i], b[i])", ANY, b)

    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found, np.fmod(ANY, b))
