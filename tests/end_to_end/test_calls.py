"""Calls: what fits, what is refused and in which words, and arrays that stay where they are."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import workbench as wb
from workbench.runtime.arrays import LONGEST_RECIPE

MATMUL = """
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C
"""
SCALE = "def scale(x: f32[N], a: f32 = 2.0) -> f32[N]:\n    y[i] = a * x[i]\n    return y\n"


@pytest.fixture
def matmul() -> wb.Kernel:
    return wb.kernel(MATMUL)


@pytest.fixture
def scale() -> wb.Kernel:
    return wb.kernel(SCALE)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("A", "B", "words"),
    [
        (ones(2, 3), ones(4, 5), "dim K is 3 in A.shape[1] and 4 in B.shape[0]"),
        (ones(2, 3).astype(np.float64), ones(3, 5), "A is an array of float64"),
        (ones(2, 3), np.ones((3, 5), np.int64), "B is an array of int64"),
        (ones(6), ones(6, 5), "A has 1 dimensions"),
        ("text", ones(3, 5), "A is a str, not an array"),
        ([[1.0], [2.0, 3.0]], ones(3, 5), "A is a list, not an array"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    matmul: wb.Kernel, A: object, B: object, words: str
) -> None:
    with pytest.raises(wb.CallError) as error:
        matmul(A, B, on="cpu")

    assert words in str(error.value)


def test_float64_is_refused_with_the_cast_to_write(matmul: wb.Kernel) -> None:
    with pytest.raises(wb.CallError, match=r"A.astype\(numpy.float32\)"):
        matmul(np.ones((2, 2)), ones(2, 2), on="cpu")


@pytest.mark.parametrize(
    ("args", "named", "words"),
    [
        ((), {}, "no value for A, B"),
        ((ones(2, 2),), {"A": ones(2, 2)}, "'A' is given twice"),
        ((ones(2, 2), ones(2, 2), 3), {}, "takes 2 arguments, 3 were given"),
        ((), {"a": 1}, "has no parameter 'a'"),
    ],
)
def test_arguments_are_bound_like_a_functions(
    matmul: wb.Kernel, args: tuple[object, ...], named: dict[str, object], words: str
) -> None:
    with pytest.raises(wb.CallError) as error:
        matmul(*args, **named, on="cpu")

    assert words in str(error.value)


def test_arguments_stand_in_the_order_of_the_signature() -> None:
    k = wb.kernel("def f(a: f32, x: f32[N], n: i32 = 2) -> f32[N]:\n    y[i] = a * x[i] + f32(n)\n"
                  "    return y\n")  # fmt: skip

    assert np.asarray(k(3.0, ones(2), 4, on="cpu")).tolist() == [7, 7]
    assert k.signature() == "f(a: f32, x: f32[N], n: i32 = 2) -> f32[N]"


def test_unusual_layouts_are_read_as_numpy_reads_them(matmul: wb.Kernel) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((6, 8)).astype(np.float32)
    b = np.asfortranarray(rng.standard_normal((4, 5)).astype(np.float32))
    b.flags.writeable = False
    found = matmul(a[::2, ::2], b, on="cpu")

    assert np.allclose(np.asarray(found), a[::2, ::2] @ b, atol=1e-5)


def test_an_argument_is_copied_at_the_call(scale: wb.Kernel) -> None:
    x = ones(4)
    y = scale(x, on="cpu")
    x[:] = 100

    assert np.asarray(y).tolist() == [2, 2, 2, 2]


def test_nan_and_infinity_pass_through(scale: wb.Kernel) -> None:
    x = np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)
    y = np.asarray(scale(x, on="cpu"))

    assert np.array_equal(y, 2 * x, equal_nan=True)


@pytest.mark.parametrize(
    ("value", "words"), [(True, "a is True"), ("2", "a is '2'"), (None, "a is None")]
)
def test_scalars_are_checked(scale: wb.Kernel, value: object, words: str) -> None:
    with pytest.raises(wb.CallError) as error:
        scale(ones(3), value, on="cpu")

    assert words in str(error.value)


def test_a_scalar_out_of_range_is_refused() -> None:
    k = wb.kernel("def add(x: i32[N], n: i32) -> i32[N]:\n    y[i] = x[i] + n\n    return y\n")
    with pytest.raises(wb.CallError, match="outside i32"):
        k(np.zeros(3, np.int32), 2**31, on="cpu")


def test_zero_dimensional_arrays_work() -> None:
    total = wb.kernel(
        "def total(x: f32[N]) -> f32:\n    s = sum(x[i] for i in range(N))\n    return s\n"
    )
    found = total(ones(5), on="cpu")

    assert found.shape == ()
    assert float(found) == 5.0


def test_results_chain_without_a_read_back(scale: wb.Kernel) -> None:
    first = scale(ones(8), on="cpu")
    second = scale(first, on="cpu")

    assert np.asarray(second).tolist() == [4.0] * 8
    assert first.places == ("cpu",)


def test_a_write_on_the_host_reaches_the_next_call(scale: wb.Kernel) -> None:
    x = wb.array(ones(4))
    scale(x, on="cpu")
    assert x.places == ("host", "cpu")
    x[1] = 7
    assert x.places == ("host",)

    assert np.asarray(scale(x, on="cpu")).tolist() == [2, 14, 2, 2]


def test_reading_gives_a_view_that_cannot_be_written(scale: wb.Kernel) -> None:
    view = scale(ones(4), on="cpu").numpy()
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


def test_an_assert_is_checked_at_the_call() -> None:
    k = wb.kernel(
        "def pairs(x: f32[N]) -> f32[N]:\n    assert N % 4 == 0\n    y[i] = x[i]\n    return y\n"
    )
    with pytest.raises(wb.CallError, match="assert N % 4 == 0 does not hold for N = 6") as e:
        k(ones(6), on="cpu")

    assert e.value.mistakes[0].hint == "N = 8"
    k(ones(8), on="cpu")


def test_the_hint_of_an_assert_names_the_nearest_call_that_fits() -> None:
    k = wb.kernel(
        "def f(x: f32[N], n: i32) -> f32[N]:\n    assert n * n < N\n    y[i] = x[i]\n    return y\n"
    )
    with pytest.raises(wb.CallError) as far:
        k(ones(6), 5, on="cpu")
    with pytest.raises(wb.CallError) as near:
        k(ones(1), 1, on="cpu")

    assert far.value.mistakes[0].hint == "n = 2"
    assert near.value.mistakes[0].hint == "N = 2"


def test_an_argmax_of_nothing_in_the_text_is_mended_in_the_text() -> None:
    text = "def f(x: f32[N]) -> i32:\n    y = argmax(x[k] for k in range({}))\n    return y\n"
    written = wb.kernel("def f(x: f32[N]) -> i32:\n    assert N > 0\n"
                        "    y = argmax(x[k] for k in range(0))\n    return y\n")  # fmt: skip
    with pytest.raises(wb.CodegenError) as literal:
        written(ones(4), on="cpu")
    with pytest.raises(wb.CodegenError) as dim:
        wb.kernel(text.format("N"))(ones(0), on="cpu")

    assert literal.value.mistakes[0].hint == "argmax(... for k in range(0, N)), not empty"
    assert dim.value.mistakes[0].hint == "call it with a dim of at least 1"


def test_an_unknown_device_is_refused(scale: wb.Kernel) -> None:
    with pytest.raises(wb.DeviceError, match="no device 'gpu'"):
        scale(ones(4), on="gpu")


def test_a_page_that_is_not_there_is_said_at_once(scale: wb.Kernel) -> None:
    with pytest.raises(wb.DeviceError, match="device 'browser' is not here"):
        scale(ones(4), on="browser")


def test_too_large_an_array_is_refused_before_it_is_submitted() -> None:
    device = wb.devices()["native"]
    if not device.available:
        pytest.skip(f"native: {device.cause}")
    k = wb.kernel(
        "def fill(n: i32) -> f32[n]:\n    for i in grid(n):\n        y[i] = f32(i)\n    return y\n"
    )
    n = device.limits.max_storage_buffer_binding_size // 4 + 1
    if n > 2**31 - 1:
        pytest.skip(f"this device binds {4 * n} bytes")
    with pytest.raises((wb.DeviceError, wb.CodegenError)) as error:
        np.asarray(k(n, on="native"))

    assert str(4 * n) in str(error.value)


@pytest.mark.parametrize("on", ["cpu", "wasm", "native"])
def test_a_loop_without_end_ends_in_an_error_and_the_device_lives(on: str) -> None:
    if not wb.devices()[on].available:
        pytest.skip(f"{on} is not here")
    k = wb.kernel(
        "def stuck(x: f32[N]) -> f32[N]:\n"
        "    for i in grid(N):\n"
        "        v = x[i]\n"
        "        while True:\n            v = v + 1.0\n"
        "        y[i] = v\n    return y\n"
    )
    result = k(ones(64), on=on)
    assert result.call is not None
    result.call.deadline = 2.0
    with pytest.raises(wb.DeviceError):
        result.numpy()
    after = wb.kernel(SCALE)(ones(4), on=on)

    assert np.asarray(after).tolist() == [2, 2, 2, 2]


def test_a_long_chain_of_calls_keeps_few_of_its_arrays(scale: wb.Kernel) -> None:
    x: wb.Array = wb.array(ones(100))
    made: list[weakref.ref[wb.Array]] = []
    for _ in range(50):
        x = scale(x, 1.0, on="cpu")
        made.append(weakref.ref(x))
    gc.collect()

    assert sum(a() is not None for a in made) <= LONGEST_RECIPE + 2
    assert x[0] == 1.0


def test_an_array_that_was_read_keeps_nothing_else(scale: wb.Kernel) -> None:
    x = scale(ones(100), on="cpu")
    y = scale(x, on="cpu")
    x, before = None, weakref.ref(x)
    scale(ones(3), on="cpu")
    y.numpy()
    gc.collect()

    assert before() is None
