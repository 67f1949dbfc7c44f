"""What a GPU gives in place of a NaN is called unspecified; a NaN in place of a number is wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

import workbench as wb
from workbench.measure import checks
from workbench.measure.checks import Check, check
from workbench.measure.reference import Reference
from workbench.runtime.device import open_device

NAN = float("nan")
ROOTS = """
def roots(x: f32[N]) -> f32[N]:
    y[i] = sqrt(x[i])
    return y
"""
X = np.array([4, -1, 9, -4, np.inf], np.float32)


def checked(found: list[float], monkeypatch: pytest.MonkeyPatch, device: str = "native") -> Check:
    """The check of the last stage, where the device gives these numbers."""

    def given(*_: object) -> Mapping[str, np.ndarray]:
        return {"y": np.array(found, np.float32)}

    monkeypatch.setattr(checks, "_outputs", given)
    c = wb.kernel(ROOTS).compile(dims={"N": 5}, on=device)
    return list(check(c, {"x": X}))[-1]


@pytest.fixture
def native() -> None:
    description = open_device("native").describe()
    if not description.available:
        pytest.skip(f"native: {description.cause}")


@pytest.mark.usefixtures("native")
def test_a_number_in_place_of_a_nan_is_unspecified_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = checked([2, 0, 3, 7, np.inf], monkeypatch)

    assert one.state == "tick"
    assert (
        "2 of 5 elements of 'y', the first at [1], unspecified: NaN here, which WGSL does not "
        "promise" in one.words
    )


@pytest.mark.usefixtures("native")
def test_a_nan_that_is_one_is_not_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    one = checked([2, NAN, 3, NAN, np.inf], monkeypatch)

    assert one.state == "tick"
    assert "unspecified" not in one.words


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize(
    "found", [[NAN, 0, 3, 0, np.inf], [2, 0, 3, 0, 3e38], [2, 0, NAN, NAN, np.inf]]
)
def test_a_wrong_number_beside_them_is_a_cross(
    found: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A NaN in place of a number, and a number in place of an infinity."""
    assert checked(found, monkeypatch).state == "cross"


@pytest.mark.parametrize("device", ["cpu", "wasm"])
def test_cpu_and_wasm_promise_nan(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not open_device(device).describe().available:
        pytest.skip(f"{device} is not here")

    assert checked([2, 0, 3, 7, np.inf], monkeypatch, device).state == "cross"


@pytest.mark.native
@pytest.mark.usefixtures("native")
def test_a_real_gpu_is_checked_with_nan() -> None:
    """NaN gets lost in WGSL's max, and inf does not."""
    k = wb.kernel("def f(x: f32[N]) -> f32[N]:\n    y[i] = max(x[i], 2.0)\n    return y\n")
    x = np.array([1, NAN, 3, np.inf, -np.inf], np.float32)

    one = list(check(k.compile(dims={"N": 5}, on="native"), {"x": x}))[-1]
    found = np.asarray(k(x, on="native"))

    assert one.state == "tick"
    assert ("unspecified" in one.words) == (not np.isnan(found[1]))


def test_selected_elements_are_named_by_their_own_index() -> None:
    points = {"y": np.array([[7, 1], [3, 2]])}
    made = Reference({"y": np.array([1.0, NAN])}, None, points, {"y": 1.0}, 1)
    y = np.ones((8, 8), np.float32)

    ok, words = made.compare({"y": y}, "wgsl")

    assert ok
    assert words.endswith(
        "1 of 2 elements of 'y', the first at [3, 2], unspecified: NaN here, which WGSL does not "
        "promise"
    )
    assert not made.compare({"y": y}, "llvm")[0]
