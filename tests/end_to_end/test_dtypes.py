"""f16, f64, i8, u8 and i64: right on every target that holds them, refused where one does not."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.end_to_end.kernels import Case, wide
from tests.end_to_end.kernels_dtypes import CASES
from workbench.base.dtypes import DTYPES
from workbench.base.errors import CallError, CodegenError
from workbench.base.limits import lacks
from workbench.ir.compare import agreement
from workbench.runtime.device import open_device

DEVICES = ("cpu", "wasm", "native")

HOLDS = {
    "cpu": {*DTYPES},
    "wasm": {*DTYPES},
    "native": {"f32", "i32", "u32", "bool", "f16"},
}


def on_each(*parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The parameters (dtypes and others) with every device that holds the dtypes."""
    return [
        (*p, on)
        for p in parameters
        for on in DEVICES
        if all(x in HOLDS[on] for x in p if x in DTYPES)
    ]


def here(on: str, *dtypes: str) -> None:
    """Skip a test for a machine without the device, or without its f16."""
    d = open_device(on).describe()
    if not d.available:
        pytest.skip(f"{on}: {d.cause}")
    for cause in filter(None, (lacks(d.target, d.limits, DTYPES[t]) for t in dtypes)):
        pytest.skip(f"{on}: {cause}")


def cause_of_refusal(k: Any, on: str) -> str:
    """Why a device cannot run a kernel; '' where it must."""
    d = open_device(on).describe()
    if not d.available:
        pytest.skip(f"{on}: {d.cause}")
    causes = (lacks(d.target, d.limits, t) for t in k.graph.dtypes())
    return next(filter(None, causes), "")


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_device_gives_what_numpy_gives_or_refuses(case: Case, on: str) -> None:
    values = case.inputs(np.random.default_rng(1))
    k = wb.kernel(case.text)
    if cause := cause_of_refusal(k, on):
        with pytest.raises(CodegenError, match=re.escape(cause)):
            k(**values, on=on)
        return
    found, expected = k(**values, on=on), case.reference(**wide(values))
    arrays = k.graph.arrays()
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for name, (a, e) in zip(k.graph.outputs, pairs, strict=True):
        result = np.asarray(a)
        assert result.dtype == arrays[name].dtype.numpy
        verdict = agreement(result, np.asarray(e), result.dtype, terms=case.terms, scale=case.scale)
        assert verdict.ok, f"{name} {verdict.words}"


@pytest.mark.parametrize("on", DEVICES)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_stage_gives_what_the_graph_gives(case: Case, on: str) -> None:
    values = case.inputs(np.random.default_rng(2))
    k = wb.kernel(case.text)
    if cause_of_refusal(k, on):
        on = "cpu"
    k(**values, on=on)
    assert k.last is not None
    checks = k.last.compilation.check(dict(values))

    assert checks.ok, checks


SOURCES = [*(name for name in DTYPES if name != "bool")]
NUMBERS = np.array(
    [0, 1, -1, 1.5, -1.5, 127.5, 128, -128.9, -129, 255.9, 256, 2049, 65504, 65519.996, 65520, 1e5,
     -1e5, 2**31 - 1, 2**31, -(2**31), 3e9, 2**32, 5e9, -5e9, 2.0**53, 1e19, -1e19, 1e20, 6e-8,
     2.0**-25, 2.0**-25 * (1 + 2.0**-40), 1 + 2.0**-11, 1 + 2.0**-11 + 2.0**-40,
     1 + 3 * 2.0**-11 - 2.0**-40, 1e300, 1e-300, np.inf, -np.inf, np.nan]
)  # fmt: skip


def cast(values: np.ndarray, to: np.dtype[Any]) -> np.ndarray:
    """Float to int saturates and NaN gives 0; ints wrap."""
    if values.dtype.kind != "f" or to.kind == "f":
        return values.astype(to)
    ends = np.iinfo(to)

    def one(x: float) -> int:
        if np.isnan(x):
            return 0
        return int(min(max(int(x), ends.min), ends.max)) if np.isfinite(x) else (
            ends.max if x > 0 else ends.min
        )  # fmt: skip

    return np.array([one(float(x)) for x in values], to)


@pytest.mark.parametrize(
    ("source", "target", "on"), on_each(*((a, b) for a in SOURCES for b in SOURCES))
)
def test_a_cast_is_exact_at_every_width(source: str, target: str, on: str) -> None:
    k = wb.kernel(
        f"def f(x: {source}[N]) -> {target}[N]:\n    y[i] = {target}(x[i])\n    return y\n"
    )
    here(on, source, target)
    with np.errstate(all="ignore"):
        x = cast(NUMBERS, DTYPES[source].numpy)
        if on == "native":
            x = x[np.abs(x.astype(np.float64)) >= 2.0**-14 if x.dtype.kind == "f" else ...]
        expected = cast(x, DTYPES[target].numpy)

    np.testing.assert_array_equal(np.asarray(k(x, on=on)), expected)


@pytest.mark.parametrize("on", ["cpu", "wasm"])
def test_every_f16_widens_exactly(on: str) -> None:
    here(on, "f16")
    k = wb.kernel("def f(x: f16[N]) -> f32[N]:\n    y[i] = f32(x[i])\n    return y\n")
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)

    np.testing.assert_array_equal(k(x, on=on), x.astype(np.float32))


@pytest.mark.parametrize("on", ["cpu", "wasm"])
@pytest.mark.parametrize("source", ["f32", "f64"])
def test_a_number_between_two_f16_is_rounded_to_the_nearer(source: str, on: str) -> None:
    """In the middle to the even one; beyond the largest to infinity."""
    here(on, source)
    k = wb.kernel(f"def f(x: {source}[N]) -> f16[N]:\n    y[i] = f16(x[i])\n    return y\n")
    all_of_them = np.arange(0x7C01, dtype=np.uint16).view(np.float16).astype(np.float64)
    all_of_them[-1] = 2.0**16  # where the next one would stand
    middle = ((all_of_them[1:] + all_of_them[:-1]) / 2).astype(DTYPES[source].numpy)
    near = [np.nextafter(middle, middle.dtype.type(end)) for end in (-np.inf, np.inf)]
    x = np.concatenate([all_of_them.astype(middle.dtype), middle, *near])
    x = np.concatenate([x, np.negative(x)])
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16)

    np.testing.assert_array_equal(np.asarray(k(x, on=on)).view(np.uint16), expected.view(np.uint16))


STEPS = (
    "def f(x: f16[N], s: f16) -> (f16[N], f16):\n"
    "    y[i] = (x[i] * x[i] + s) / 3 - x[N - 1 - i] // s if x[i] < s else x[i] % 2\n"
    "    top = max(x[k] for k in range(N))\n    return y, top\n"
)


COUNTS = (
    "def f(x: f16[N], b: i32[N]) -> (f16[4], f16[4]):\n"
    "    sums: f16[4] = f16(0)\n    tops: f16[4] = f16(-100)\n"
    "    for i in grid(N):\n        sums[b[i]] += x[i]\n"
    "    for i in grid(N):\n        tops[b[i]] = max(tops[b[i]], x[i])\n"
    "    return sums, tops\n"
)


@pytest.mark.parametrize("on", ["cpu", "wasm"])
def test_an_f16_that_many_update_at_once_loses_nothing(on: str) -> None:
    here(on, "f16")
    x = (np.arange(1200) % 7).astype(np.float16)
    b = np.repeat(np.arange(4), 300).astype(np.int32)
    sums, tops = wb.kernel(COUNTS)(x, b, on=on)

    np.testing.assert_array_equal(sums, x.reshape(4, 300).sum(1, np.float32))
    np.testing.assert_array_equal(tops, [6, 6, 6, 6])


LANES = "def f(x: f16[64], s: f16) -> f16[64]:\n    y[i] = (x[i] * s + x[i]) / 3\n    return y\n"


def test_lanes_of_f16_are_rounded_alike_on_the_cpu_and_on_wasm() -> None:
    here("wasm", "f16")
    x = (np.random.default_rng(4).random(64) * 80 - 40).astype(np.float16)
    k = wb.kernel(LANES)
    schedule = k.schedule().split("i", 8).vectorize("i_i")
    on_cpu, on_wasm = (k(x, 1.3, on=on, schedule=schedule).numpy() for on in ("cpu", "wasm"))

    np.testing.assert_array_equal(on_cpu, on_wasm)


def test_each_step_of_f16_is_rounded_alike_on_the_cpu_and_on_wasm() -> None:
    here("wasm", "f16")
    x = (np.random.default_rng(4).random(4097) * 80 - 40).astype(np.float16)
    for schedule in (None, wb.kernel(STEPS).schedule().split("y.i", 16)):
        found = [wb.kernel(STEPS)(x, 1.5, on=on, schedule=schedule) for on in ("cpu", "wasm")]
        (y, top), (again, top_again) = found

        np.testing.assert_array_equal(y, again)
        np.testing.assert_array_equal(top, top_again)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 64, 4095])
@pytest.mark.parametrize(("dtype", "on"), on_each(("f16",), ("i8",), ("u8",), ("i64",), ("f64",)))
def test_any_number_of_elements_comes_back_whole(dtype: str, size: int, on: str) -> None:
    k = wb.kernel(
        f"def f(x: {dtype}[N]) -> ({dtype}[N], {dtype}[N]):\n"
        "    y[i] = x[N - 1 - i] + 1\n    return x, y\n"
    )
    here(on, dtype)
    x = np.resize(np.arange(100), size).astype(DTYPES[dtype].numpy)
    same, y = k(x, on=on)

    np.testing.assert_array_equal(same, x)
    np.testing.assert_array_equal(y, np.add(x[::-1], 1, dtype=x.dtype))


@pytest.mark.parametrize(("dtype", "on"), on_each(("f16",), ("i8",), ("f64",)))
def test_a_write_to_one_element_leaves_its_neighbours(dtype: str, on: str) -> None:
    k = wb.kernel(f"def f(x: {dtype}[N]) -> {dtype}[N]:\n    y[i] = x[i] * 2\n    return y\n")
    here(on, dtype)
    a = wb.array(np.arange(7, dtype=DTYPES[dtype].numpy))
    k(a, on=on).numpy()
    for place in (1, 6):
        a[place] = 50

    assert k(a, on=on).numpy().tolist() == [0, 100, 4, 6, 8, 10, 100]


@pytest.mark.parametrize(
    ("dtype", "value", "on"),
    on_each(("f16", 0.1), ("f16", 1 + 2.0**-11 + 2.0**-30), ("f64", 0.1), ("i64", 2**40 + 1),
            ("i64", -(2**63)), ("i8", -128), ("u8", 255)),
)  # fmt: skip
def test_a_scalar_keeps_its_value(dtype: str, value: float, on: str) -> None:
    k = wb.kernel(
        f"def f(n: i32, b: bool, c: {dtype}) -> {dtype}[n]:\n"
        f"    y[i] = c if b else {dtype}(0)\n    return y\n"
    )
    here(on, dtype)
    found = k(n=2, b=True, c=value, on=on).numpy()

    assert found.tolist() == [DTYPES[dtype].numpy.type(value)] * 2


def test_auto_takes_a_device_that_holds_the_dtypes() -> None:
    k = wb.kernel("def f(x: f64[N]) -> f64[N]:\n    y[i] = x[i] / 3\n    return y\n")
    k(np.ones(3))
    assert k.last is not None

    assert k.last.device == "cpu"
    assert k.last.reason.startswith("auto: f64 needs it (browser: WGSL has no f64; native: ")


@pytest.mark.parametrize(
    ("given", "takes"), [("f64", "f32"), ("i64", "i32"), ("f32", "f64"), ("u8", "i8")]
)
def test_an_array_of_another_dtype_is_refused_with_the_cast(given: str, takes: str) -> None:
    k = wb.kernel(f"def f(x: {takes}[N]) -> {takes}[N]:\n    return x\n")
    with pytest.raises(CallError) as error:
        k(np.ones(3, DTYPES[given].numpy), on="cpu")

    assert f"x.astype(numpy.{DTYPES[takes].numpy.name})" in str(error.value)


PRIVATE = """
def f(x: f32[N]) -> f32[N]:
    for i in grid(N):
        a: i8[2] = 0
        y[i] = x[i] + a[1]
    return y
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(x: f64[N]) -> f64[N]:\n    y[i] = 2 * x[i]\n    return y\n", "'x' is f64"),
        ("def f(x: f32[N]) -> f32[N]:\n    y[i] = f32(f64(x[i]))\n    return y\n", "this is f64"),
        ("def f(x: f32[N], n: i64) -> f32[N]:\n    y[i] = x[i]\n    return y\n", "'n' is i64"),
        ("def f(n: i32) -> u8[n]:\n    y[i] = u8(i)\n    return y\n", "'y' is u8"),
        (PRIVATE, "'a' is i8"),
    ],
)  # fmt: skip
def test_what_wgsl_cannot_hold_is_refused_at_its_line(text: str, message: str) -> None:
    with pytest.raises(CodegenError) as error:
        wb.kernel(text).compile(on="native", dims={} if "n: i32" in text else {"N": 8})
    (mistake,) = error.value.mistakes

    assert mistake.message.startswith(message)
    assert mistake.span is not None
    assert mistake.hint.startswith("on='cpu', or ")


def test_f16_is_refused_without_the_feature_of_the_device() -> None:
    k = wb.kernel("def f(x: f16[N]) -> f16[N]:\n    y[i] = 2 * x[i]\n    return y\n")
    with pytest.raises(CodegenError, match="this device has no shader-f16"):
        k.compile(on="browser", dims={"N": 8})
