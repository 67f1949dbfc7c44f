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
    dtype = "f64" if arguments[0].dtype == np.float64 else "f32"
    parameters = ", ".join(f"{name}: {dtype}[N]" for name in "ab"[: len(arguments)])
    text = f"def f({parameters}) -> {dtype}[N]:\n    y[i] = {call}\n    return y\n"
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


SPECIAL_DOUBLES = np.array(
    [0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, np.inf, -np.inf, np.nan, 5e-324, -5e-324,
     1.7e308, -1.7e308, 2.0**53, 2.0**53 + 2, -(2.0**53) - 2, 2.0**63, 0.1, 2e-308, -1e-310, 0.25,
     2.0**20, -(2.0**20), 1e22, 6381956970095103 * 2.0**797],
)  # fmt: skip
"""The last is an angle as near to a quarter turn as any."""
ANY_DOUBLES = CHANCE.integers(0, 2**64, 50_000, dtype=np.uint64).view(np.float64)
NEAR_DOUBLES = CHANCE.uniform(-800, 800, 50_000)


def assert_close(
    found: np.ndarray, exact: np.ndarray, inputs: tuple[np.ndarray, ...], ulps: float
) -> None:
    """Within so many units of the result; of the least normal number where it is smaller."""
    rounded = exact.astype(np.float64)
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    with np.errstate(invalid="ignore", over="ignore"):
        away = np.abs(found - exact) / np.spacing(np.abs(rounded))
    wrong = ~same & ~(away <= ulps)
    where = np.flatnonzero(wrong)[:3]
    assert not wrong.any(), [([x[i] for x in inputs], found[i], exact[i]) for i in where]


@pytest.mark.parametrize(
    ("name", "exact", "ulps"),
    [
        ("exp", np.exp, 1.1), ("exp2", np.exp2, 1.1), ("log", np.log, 0.6),
        ("log2", np.log2, 0.6), ("tanh", np.tanh, 3.5), ("sin", np.sin, 2.5), ("cos", np.cos, 2.5),
    ],
)  # fmt: skip
def test_a_function_of_f64_is_near_for_every_number(
    name: str, exact: Callable[[np.ndarray], np.ndarray], ulps: float
) -> None:
    x = np.concatenate([SPECIAL_DOUBLES, ANY_DOUBLES, NEAR_DOUBLES])
    found = computed(f"{name}(a[i])", x)

    with np.errstate(all="ignore"):
        assert_close(found, exact(x.astype(np.longdouble)), (x,), ulps)


def test_a_power_of_f64_is_near_for_every_number() -> None:
    x, y = (v.reshape(-1) for v in np.meshgrid(SPECIAL_DOUBLES, SPECIAL_DOUBLES))
    positive = np.exp(CHANCE.uniform(-740, 709, 50_000))
    near = 1 + CHANCE.normal(0, 1e-9, 50_000)
    a = np.concatenate([x, ANY_DOUBLES, positive, near, -np.round(positive[:999])])
    reach = CHANCE.uniform(-740, 709, 50_000) / np.log(positive)
    b = np.concatenate([y, ANY_DOUBLES[::-1], reach, NEAR_DOUBLES * 1e8, np.round(reach[:999])])
    found = computed("a[i] ** b[i]", a, b)

    with np.errstate(all="ignore"):
        assert_close(found, np.power(a.astype(np.longdouble), b), (a, b), 1.1)


def test_the_remainder_of_f64_is_exact() -> None:
    x, y = (v.reshape(-1) for v in np.meshgrid(SPECIAL_DOUBLES, SPECIAL_DOUBLES))
    a, b = np.concatenate([x, ANY_DOUBLES]), np.concatenate([y, ANY_DOUBLES[::-1]])
    found = computed("fmod(a[i], b[i])", a, b)

    with np.errstate(all="ignore"):
        expected = np.fmod(a, b)
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(expected)[numbers])
