"""Every scalar operation, run on the native device against its NumPy meaning at edge values.

WGSL promises nothing about NaN: a compiler may assume that there is none. So no NaN goes in,
and where NumPy gives NaN any answer passes. Infinities and signed zeros must come out right.
Subnormal results may be flushed to zero. The trigonometric functions hold up to 4096 rad; tanh
and erf are exact to 2^-22 of their range, not of small results.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from workbench.base.dtypes import BOOL, F32, I32, U32, DType
from workbench.codegen.wgsl import emit
from workbench.ir.expr import Expr, Load, Var, apply, integer
from workbench.ir.loops import Buffer, Loops
from workbench.ir.ops import OPS, Op
from workbench.ir.stmt import For, LoopKind, Store
from workbench.passes.mapping import map_kernels
from workbench.runtime.device import Device, open_device

pytestmark = pytest.mark.native

DTYPES: dict[str, DType] = {"f": F32, "i": I32, "u": U32, "b": BOOL}
LEAST, MOST = -(2**31), 2**31 - 1
EDGES: dict[str, list[Any]] = {
    "f": [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 7.0, -7.75, 0.1, 1e-3, 33.25, 1e10,
          -1e10, 3.0e38, -3.0e38, 1.2e-38, float("inf"), float("-inf")],
    "i": [0, 1, -1, 2, -2, 3, 7, -7, 31, 32, 33, -32, 46341, 65536, MOST, LEAST,
          MOST - 1, LEAST + 1],
    "u": [0, 1, 2, 3, 7, 31, 32, 33, 65536, 2**31 - 1, 2**31, 2**32 - 1],
    "b": [False, True],
}  # fmt: skip
SMALLEST = float(np.finfo(np.float32).tiny)
ROWS = [
    pytest.param(row, kind, id=f"{row.name}-{kind}")
    for row in OPS.values()
    for kind in row.kinds
    if not row.name.endswith("_inside")
]
"""`shl_inside` and `shr_inside` are defined for small shifts only; `shl` and `shr` use them."""


@pytest.fixture(scope="module")
def native() -> Device:
    device = open_device("native")
    found = device.describe()
    if not found.available:
        pytest.skip(f"native: {found.cause}")
    return device


def evaluate(device: Device, value: Expr, inputs: list[np.ndarray], extra: str = "") -> np.ndarray:
    """`value` over `x0[i]`, `x1[i]`, ... for every i, on the device."""
    count = len(inputs[0])
    kinds = [DTYPES[x.dtype.kind] for x in inputs]
    names = [f"x{n}" for n in range(len(inputs))]
    loop = For(
        "i", integer(0), integer(count), (Store("y", (Var("i"),), value),), LoopKind.WORKGROUP_X
    )
    buffers = [Buffer(n, t, (count,), "input") for n, t in zip(names, kinds, strict=True)]
    out = Buffer("y", value.dtype, (count,), "output")
    loops = Loops("evaluate" + extra, (*buffers, out), (), (loop,), ("y",))
    program = emit(map_kernels(loops))
    memory = {n: device.allocate(4 * count) for n in (*names, "y")}
    for name, x in zip(names, inputs, strict=True):
        device.write(memory[name], (x.astype(np.uint32) if x.dtype == bool else x).data)
    device.enqueue(program, memory, ()).wait(60.0)
    raw = device.read(memory["y"], 4 * count)
    if value.dtype is BOOL:
        return np.frombuffer(raw, np.uint32) != 0
    return np.frombuffer(raw, value.dtype.numpy)


def arguments(row: Op, kind: str) -> list[np.ndarray]:
    """All pairs (or singles) of edge values."""
    tuples = list(itertools.product(EDGES[kind], repeat=row.arity))
    return [np.array(column, DTYPES[kind].numpy) for column in zip(*tuples, strict=True)]


def inside_domain(row: Op, inputs: list[np.ndarray]) -> np.ndarray:
    """Where the operation promises what its row says."""
    if inputs[0].dtype.kind != "f":
        return np.ones(len(inputs[0]), bool)
    if row.name in {"sin", "cos", "tan"}:
        return np.abs(inputs[0]) <= 4096
    return np.ones(len(inputs[0]), bool)


def loaded(kinds: str) -> list[Expr]:
    return [Load(f"x{n}", (Var("i"),), DTYPES[k]) for n, k in enumerate(kinds)]


def close(got: np.ndarray, want: np.ndarray, ulp: float, absolute: float) -> np.ndarray:
    """Equal, or within `ulp` units in the last place of f32 or `absolute`; any where NaN is."""
    if want.dtype.kind != "f":
        return got == want
    with np.errstate(all="ignore"):
        near = np.abs(got.astype(float) - want) <= ulp * 2.0**-23 * np.abs(want) + absolute
    return (got == want) | np.isnan(want) | near


@pytest.mark.parametrize(("row", "kind"), ROWS)
def test_an_operation_means_what_numpy_means(row: Op, kind: str, native: Device) -> None:
    inputs = arguments(row, kind)
    value = apply(row.name, *loaded(kind * row.arity))
    got = evaluate(native, value, inputs)
    with np.errstate(all="ignore"):
        wide = [x.astype(float) if row.ulp else x for x in inputs]
        want = row.numpy(*wide).astype(value.dtype.numpy)
    absolute = 2.0**-22 if row.name in {"tanh", "erf"} else SMALLEST
    wrong = inside_domain(row, inputs) & ~close(got, want, row.ulp, absolute)
    shown = [(*(x[n] for x in inputs), got[n], want[n]) for n in np.flatnonzero(wrong)[:8]]

    assert shown == []


def test_the_remainder_is_exact_however_large_the_quotient(native: Device) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 2**32, 20_000, np.uint32).view(np.float32) for _ in range(2))
    plain = np.isfinite(a) & np.isfinite(b) & (np.abs(a) > SMALLEST) & (np.abs(b) > SMALLEST)
    a, b = a[plain], b[plain]
    got = evaluate(native, apply("remainder", *loaded("ff")), [a, b], "_remainder")
    want = np.fmod(a, b)
    wrong = (got != want) & (np.abs(want) >= SMALLEST)

    assert [(x, y) for x, y in zip(a[wrong][:4], b[wrong][:4], strict=True)] == []


def test_powers_hold_over_the_whole_range_of_f32(native: Device) -> None:
    """Near 1 to large powers, near the largest and least results, and of subnormal numbers."""
    rng = np.random.default_rng(3)
    near = 1 + rng.normal(0, 1e-5, 20_000)
    wide = np.exp(rng.uniform(-102, 88, 20_000))
    a = np.concatenate([near, wide]).astype(np.float32)
    b = rng.uniform(-88, 88, a.size) / np.log(a.astype(float), where=a != 1, out=np.ones(a.size))
    b = b.astype(np.float32)
    got = evaluate(native, apply("pow", *loaded("ff")), [a, b], "_powers")
    want = np.power(a.astype(np.longdouble), b)
    tested = (want < np.finfo(np.float32).max) & (want > SMALLEST)
    errors = np.abs(got - want)[tested] / np.spacing(want[tested].astype(np.float32))

    assert tested.sum() > 35_000
    assert errors.max() < 2


def test_a_power_of_two_holds_over_the_whole_range_of_f32(native: Device) -> None:
    x = np.linspace(-125.99, 127.99, 40_001).astype(np.float32)
    got = evaluate(native, apply("exp2", *loaded("f")), [x], "_powers_of_two")
    want = np.exp2(x.astype(np.longdouble))

    assert (np.abs(got - want) / np.spacing(want.astype(np.float32))).max() < 2


def test_a_power_keeps_the_nan_that_is_its_result(native: Device) -> None:
    """As NumPy: 1 to any power and any number to the power 0 are 1."""
    nan, inf = float("nan"), float("inf")
    pairs = [(1.0, nan), (nan, 0.0), (-1.0, inf), (-1.0, -inf), (-8.0, 1 / 3), (inf, 1e-30),
             (0.0, -1e-30), (-0.0, -3.0), (-inf, 3.0), (-inf, 0.5), (-2.0, 16777216.0)]  # fmt: skip
    a, b = (np.array(column, np.float32) for column in zip(*pairs, strict=True))
    got = evaluate(native, apply("pow", *loaded("ff")), [a, b], "_special_powers")
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, np.power(a, b))
