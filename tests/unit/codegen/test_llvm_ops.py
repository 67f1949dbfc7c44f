"""Every row of the operations table means on the cpu what NumPy says, also at the edges."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from workbench.base.dtypes import BOOL, CORE, F32, I32, U32, DType
from workbench.codegen.llvm import emit
from workbench.ir.expr import Apply, Cast, Const, Expr, Load, Select, Var, apply, integer
from workbench.ir.loops import Buffer, Loops
from workbench.ir.ops import OPS, ROWS, Op
from workbench.ir.stmt import For, LoopKind, Store
from workbench.runtime.device import open_device

INF, NAN = float("inf"), float("nan")
VALUES: dict[str, list[float]] = {
    "f": [0.0, -0.0, 1.0, -1.0, 0.1, -2.5, 3.0, 7.25, -7.25, 1e-3, 88.0, 4096.0, INF, -INF, NAN],
    "i": [0, 1, -1, 2, 3, -3, 7, -7, 31, 32, 33, 65536, 2**31 - 1, -(2**31), -(2**31) + 1],
    "u": [0, 1, 2, 3, 7, 31, 32, 33, 65536, 2**31, 2**32 - 1],
    "b": [0, 1],
}
DTYPE = {t.kind: t for t in CORE}
CASES = [(row, kind) for row in ROWS for kind in row.kinds]


def stored(values: np.ndarray, dtype: DType) -> np.ndarray:
    """Values as a buffer holds them."""
    return values.astype(np.uint32 if dtype is BOOL else dtype.numpy)


def computed(value: Expr, inputs: dict[str, np.ndarray], dtypes: dict[str, DType]) -> np.ndarray:
    """`value` (of `i`) for every element of the inputs, run on the cpu."""
    count = len(next(iter(inputs.values())))
    names = (*inputs, "out")
    types = {**dtypes, "out": value.dtype}
    loops = Loops(
        "op",
        tuple(Buffer(n, types[n], (count,), "output" if n == "out" else "input") for n in names),
        (),
        (
            For(
                "i",
                integer(0),
                integer(count),
                (Store("out", (Var("i"),), value),),
                LoopKind.PARALLEL,
            ),
        ),
        ("out",),
    )
    device = open_device("cpu")
    arrays = {n: stored(a, types[n]) for n, a in inputs.items()}
    memories = {n: device.allocate(4 * count) for n in names}
    for n, a in arrays.items():
        device.write(memories[n], a.data.cast("B"))
    device.enqueue(emit(loops), memories, ()).wait(10)
    raw = bytes(device.read(memories["out"], 4 * count))
    return np.frombuffer(raw, np.uint32 if value.dtype is BOOL else value.dtype.numpy)


def element(name: str, dtype: DType) -> Load:
    return Load(name, (Var("i"),), dtype)


@pytest.mark.parametrize(("row", "kind"), CASES, ids=[f"{r.name}-{k}" for r, k in CASES])
def test_an_operation_means_what_numpy_says(row: Op, kind: str) -> None:
    dtype = DTYPE[kind]
    table = list(itertools.product(VALUES[kind], repeat=row.arity))
    if row.name.endswith("_inside"):
        table = [(a, b) for a, b in table if 0 <= b < 32]
    if row.name in {"quotient", "remainder"} and kind != "f":
        table = [(a, b) for a, b in table if b != 0 and (a, b) != (-(2**31), -1)]
    if row.name in {"sin", "cos", "tan"}:
        table = [t for t in table if abs(t[0]) <= 4096 or math.isnan(t[0])]
    columns = [np.array(c).astype(dtype.numpy) for c in zip(*table, strict=True)]
    names = "ab"[: row.arity]
    with np.errstate(all="ignore"):
        exact = columns if kind != "f" or row.ulp == 0 else [c.astype(np.float64) for c in columns]
        expected = np.asarray(row.numpy(*exact))

    value = apply(row.name, *(element(n, dtype) for n in names))
    found = computed(value, dict(zip(names, columns, strict=True)), dict.fromkeys(names, dtype))

    if kind != "f" or row.compares:
        np.testing.assert_array_equal(found, expected.astype(found.dtype))
    else:
        with np.errstate(over="ignore"):
            rounded = expected.astype(np.float32)
        tolerance = float(row.ulp) * 2.0**-23
        np.testing.assert_allclose(found, rounded, rtol=tolerance, atol=tolerance * 2**-4)


CASTS = list(itertools.permutations(CORE, 2))


@pytest.mark.parametrize(("source", "target"), CASTS, ids=[f"{a}-{b}" for a, b in CASTS])
def test_a_cast_saturates_floats_and_wraps_integers(source: DType, target: DType) -> None:
    values = VALUES[source.kind]
    if source is F32:
        values = [*values, 1e20, -1e20, 2147483520.0, 4294967040.0, -0.9]
    column = np.array(values).astype(source.numpy)

    found = computed(Cast(target, element("a", source)), {"a": column}, {"a": source})

    if source is F32 and target.kind in "iu":
        least, most = (0, 2**32 - 1) if target is U32 else (-(2**31), 2**31 - 1)
        expected = [0 if math.isnan(v) else int(min(max(v, least), most)) for v in column.tolist()]
        np.testing.assert_array_equal(found, np.array(expected, target.numpy))
    else:
        np.testing.assert_array_equal(found, column.astype(target.numpy).astype(found.dtype))


@pytest.mark.parametrize("value", [0.1, -0.0, 1e-45, 3.4e38, 1e39, INF, -INF, NAN, 0.5, 2**20 + 1])
def test_a_float_literal_is_exact(value: float) -> None:
    with np.errstate(over="ignore"):
        expected = np.float32(value)

    found = computed(Const(value, F32), {"a": np.zeros(1, np.float32)}, {"a": F32})

    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("value", "dtype"), [(2**32 - 1, U32), (-(2**31), I32), (True, BOOL)])
def test_an_integer_literal_is_exact(value: int, dtype: DType) -> None:
    found = computed(Const(value, dtype), {"a": np.zeros(1, np.float32)}, {"a": F32})

    assert int(found[0]) == value


def test_the_branch_not_taken_loads_nothing() -> None:
    """The index of the other branch lies far outside; a load there would end the process."""
    i = Var("i")
    outside = Load("a", (apply("mul", i, integer(2**30)),), F32)
    first = apply("eq", i, integer(0))
    value = Select(first, Load("a", (i,), F32), Select(first, outside, Const(2.0, F32)))

    found = computed(value, {"a": np.arange(4, dtype=np.float32) + 1}, {"a": F32})

    np.testing.assert_array_equal(found, [1, 2, 2, 2])


def test_and_reads_its_second_argument_only_if_the_first_is_true() -> None:
    i = Var("i")
    inside = apply("lt", i, integer(4))
    positive = apply("gt", Load("a", (apply("mul", i, integer(2**28)),), F32), Const(0.0, F32))
    never = apply("and", apply("not", inside), positive)
    value = Apply("or", (never, apply("gt", Load("a", (i,), F32), Const(2.0, F32))), BOOL)

    found = computed(value, {"a": np.arange(4, dtype=np.float32) + 1}, {"a": F32})

    np.testing.assert_array_equal(found, [0, 0, 1, 1])


def test_integers_made_of_loop_counters_wrap_like_all_others() -> None:
    i = Var("i")
    square = apply("mul", apply("mul", i, integer(65536)), integer(65537))

    found = computed(square, {"a": np.zeros(9, np.float32)}, {"a": F32})

    with np.errstate(over="ignore"):
        expected = np.arange(9, dtype=np.int32) * np.int32(65536) * np.int32(65537)
    np.testing.assert_array_equal(found, expected)


def test_every_row_says_what_llvm_does() -> None:
    missing = [(r.name, k) for r in ROWS for k in r.kinds if k not in {**r.llvm, **r.define}]

    assert missing == []
    assert len(OPS) == len(ROWS)
