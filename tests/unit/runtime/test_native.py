"""The native device: real programs on a real adapter, Mesa's software one where there is no GPU.

Kernels go through the mapping and the emitter, because a program written by hand would test
the test. Every result is compared with NumPy.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from logging import getLogger
from threading import Event
from unittest.mock import MagicMock

import numpy as np
import pytest

from workbench.base.dtypes import BOOL, F32, I32, U32, DType
from workbench.base.errors import DeviceError
from workbench.base.source import Origin, Source, Span
from workbench.base.text import Mark, Text
from workbench.codegen.wgsl import emit
from workbench.ir.expr import Cast, Const, Expr, Load, Select, Var, apply, integer
from workbench.ir.graph import Scalar
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Body,
    Break,
    Continue,
    For,
    If,
    Local,
    LoopKind,
    Memory,
    Store,
    While,
)
from workbench.passes.mapping import map_kernels
from workbench.program import Copy, Dispatch, Program, Repeat
from workbench.runtime.device import Memory as DeviceMemory, Timing
from workbench.runtime.native import NativeDevice, open_device
from workbench.runtime.native_runs import Submitted, settle

pytestmark = pytest.mark.native

ZERO, ONE = Const(0.0, F32), Const(1.0, F32)
TRUE = Const(value=True, dtype=BOOL)
WORDS: dict[DType, type[np.generic]] = {
    F32: np.float32,
    I32: np.int32,
    U32: np.uint32,
    BOOL: np.uint32,
}


def op(name: str, *args: Expr) -> Expr:
    return apply(name, *args)


def loop(
    var: str, extent: int, body: Body, kind: LoopKind = LoopKind.SERIAL, *, step: int = 1
) -> For:
    return For(var, integer(0), integer(extent), body, kind, step)


def grid(extent: int, body: Body) -> Body:
    """One workgroup for each `i`."""
    return (loop("i", extent, body, LoopKind.WORKGROUP_X),)


def compiled(
    body: Body, outputs: Mapping[str, tuple[DType, tuple[int, ...]]], **arrays: np.ndarray
) -> Program:
    kinds = {"f": F32, "i": I32, "u": U32, "b": BOOL}
    inputs = [Buffer(n, kinds[a.dtype.kind], a.shape, "input") for n, a in arrays.items()]
    results = [Buffer(n, t, shape, "output") for n, (t, shape) in outputs.items()]
    loops = Loops("sample", (*inputs, *results), (), body, tuple(outputs))
    return emit(map_kernels(loops))


@pytest.fixture(scope="module")
def native() -> NativeDevice:
    device = open_device()
    found = device.describe()
    if not found.available:
        pytest.skip(f"native: {found.cause}")
    return device


def upload(device: NativeDevice, array: np.ndarray) -> DeviceMemory:
    words = np.ascontiguousarray(array.astype(np.uint32) if array.dtype == bool else array)
    memory = device.allocate(max(4, words.nbytes))
    device.write(memory, words.reshape(-1).data)
    return memory


def run(
    device: NativeDevice, program: Program, scalars: Sequence[float] = (), **arrays: np.ndarray
) -> dict[str, np.ndarray]:
    """The outputs of a program, by name."""
    memory = {name: upload(device, array) for name, array in arrays.items()}
    memory |= {name: device.allocate(program.buffer(name).size) for name in program.outputs}
    device.enqueue(program, memory, scalars).wait(60.0)
    results: dict[str, np.ndarray] = {}
    for name in program.outputs:
        b = program.buffer(name)
        count = int(np.prod(b.shape))
        raw = device.read(memory[name], 4 * count)
        results[name] = np.frombuffer(raw, WORDS[b.dtype]).reshape(b.shape)
    return results


def values(device: NativeDevice, body: Body, dtype: DType, count: int) -> list[float]:
    """What `body` stores into `out[i]` for each i below `count`."""
    program = compiled(grid(count, body), {"out": (dtype, (count,))})
    return run(device, program)["out"].tolist()


def product(m: int, n: int, k: int) -> Body:
    term = op("mul", Load("A", (Var("i"), Var("k")), F32), Load("B", (Var("k"), Var("j")), F32))
    inner = (
        Store("C", (Var("i"), Var("j")), ZERO),
        loop("k", k, (Store("C", (Var("i"), Var("j")), term, "add"),)),
    )
    columns = loop("j", n, inner, LoopKind.WORKGROUP_X)
    return (loop("i", m, (columns,), LoopKind.WORKGROUP_Y),)


def tiled_product(n: int, tile: int) -> Body:
    """C = A @ B in square tiles: workgroup memory filled together, guards at the edges."""
    groups = -(-n // tile)
    i = op("add", op("mul", Var("i_o"), integer(tile)), Var("i_i"))
    j = op("add", op("mul", Var("j_o"), integer(tile)), Var("j_i"))
    first = op("mul", Var("k_o"), integer(tile))
    rows = op("add", op("mul", Var("i_o"), integer(tile)), Var("r"))
    columns = op("add", op("mul", Var("j_o"), integer(tile)), Var("c"))

    def copied(name: str, tile_name: str, index: tuple[Expr, Expr]) -> For:
        r, c = (
            op("floordiv", Var("copy"), integer(tile)),
            op("mod", Var("copy"), integer(tile)),
        )
        inside = op("and", op("lt", index[0], integer(n)), op("lt", index[1], integer(n)))
        value = Select(inside, Load(name, index, F32), ZERO)
        body = (
            Local("r", r, fixed=True),
            Local("c", c, fixed=True),
            Store(tile_name, (Var("r"), Var("c")), value),
        )
        return loop("copy", tile * tile, body, LoopKind.COOPERATIVE)

    term = op(
        "mul",
        Load("A_tile", (Var("i_i"), Var("k_i")), F32),
        Load("B_tile", (Var("k_i"), Var("j_i")), F32),
    )
    fits = op("and", op("lt", i, integer(n)), op("lt", j, integer(n)))
    body: Body = (
        Alloc("A_tile", F32, (tile, tile), Memory.WORKGROUP),
        Alloc("B_tile", F32, (tile, tile), Memory.WORKGROUP),
        Alloc("acc", F32, (), Memory.PRIVATE),
        Store("acc", (), ZERO),
        loop("k_o", groups, (
            copied("A", "A_tile", (rows, op("add", first, Var("c")))),
            copied("B", "B_tile", (op("add", first, Var("r")), columns)),
            loop("k_i", tile, (Store("acc", (), term, "add"),)),
        )),
        If(fits, (Store("C", (i, j), Load("acc", (), F32)),), guard=True),
    )  # fmt: skip
    axes = (
        ("j_i", tile, LoopKind.INVOCATION_X),
        ("i_i", tile, LoopKind.INVOCATION_Y),
        ("j_o", groups, LoopKind.WORKGROUP_X),
        ("i_o", groups, LoopKind.WORKGROUP_Y),
    )
    for var, extent, kind in axes:
        body = (loop(var, extent, body, kind),)
    return body


def matrices(m: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    return (
        random.standard_normal((m, k), dtype=np.float32),
        random.standard_normal((k, n), dtype=np.float32),
    )


def test_a_product_of_matrices(native: NativeDevice) -> None:
    A, B = matrices(13, 7, 33)
    program = compiled(product(13, 7, 33), {"C": (F32, (13, 7))}, A=A, B=B)
    C = run(native, program, A=A, B=B)["C"]

    np.testing.assert_allclose(C, A.astype(float) @ B, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [16, 21])
def test_a_product_in_tiles_with_workgroup_memory_and_guards(native: NativeDevice, n: int) -> None:
    A, B = matrices(n, n, n)
    program = compiled(tiled_product(n, 8), {"C": (F32, (n, n))}, A=A, B=B)
    C = run(native, program, A=A, B=B)["C"]

    assert program.kernels[0].code.count("workgroupBarrier();") >= 2
    np.testing.assert_allclose(C, A.astype(float) @ B, rtol=1e-4, atol=1e-5)


def test_a_choice_reads_only_what_it_takes(native: NativeDevice) -> None:
    x = np.arange(1, 9, dtype=np.float32)
    left = Load("x", (op("sub", Var("i"), integer(1)),), F32)
    right = Load("x", (op("add", Var("i"), integer(1)),), F32)
    value = op(
        "add",
        Select(op("gt", Var("i"), integer(0)), left, ZERO),
        Select(op("lt", Var("i"), integer(7)), right, Const(100.0, F32)),
    )
    program = compiled(grid(8, (Store("out", (Var("i"),), value),)), {"out": (F32, (8,))}, x=x)
    padded = np.concatenate([[0], x, [100]])

    assert run(native, program, x=x)["out"].tolist() == (padded[:-2] + padded[2:]).tolist()


def collatz() -> Body:
    """Steps until n + 1 comes to 1."""
    n, even = Var("n"), op("eq", op("mod", Var("n"), integer(2)), integer(0))
    step = Select(
        even, op("floordiv", n, integer(2)), op("add", op("mul", n, integer(3)), integer(1))
    )
    return (
        Local("n", op("add", Var("i"), integer(1))),
        Local("steps", integer(0)),
        While(op("ne", n, integer(1)), (
            Assign("n", step),
            Assign("steps", op("add", Var("steps"), integer(1))),
        )),
        Store("out", (Var("i"),), Var("steps")),
    )  # fmt: skip


def test_while_runs_until_its_condition_fails(native: NativeDevice) -> None:
    assert values(native, collatz(), I32, 10) == [0, 1, 7, 2, 5, 8, 16, 3, 19, 6]


def test_break_and_continue(native: NativeDevice) -> None:
    body = (
        Local("total", integer(0)),
        loop("k", 10, (
            If(op("eq", Var("k"), Var("i")), (Continue(),)),
            If(op("gt", Var("k"), integer(6)), (Break(),)),
            Assign("total", op("add", Var("total"), Var("k"))),
        )),
        Store("out", (Var("i"),), Var("total")),
    )  # fmt: skip

    assert values(native, body, I32, 9) == [21 - i if i <= 6 else 21 for i in range(9)]


def test_special_constants_arrive_exactly(native: NativeDevice) -> None:
    constants = [np.inf, -np.inf, -0.0, 0.1, 1e10, 3.4028234663852886e38, 1.1754943508222875e-38]
    body = tuple(
        If(op("eq", Var("i"), integer(n)), (Store("out", (Var("i"),), Const(c, F32)),))
        for n, c in enumerate(constants)
    )
    got = np.array(values(native, body, F32, len(constants)), np.float32)

    assert (got.view(np.uint32) == np.array(constants, np.float32).view(np.uint32)).all()


def test_nan_arrives_as_nan(native: NativeDevice) -> None:
    (got,) = values(native, (Store("out", (Var("i"),), Const(float("nan"), F32)),), F32, 1)

    assert np.isnan(got)


def test_the_least_integer_arrives_exactly(native: NativeDevice) -> None:
    value = op("add", Var("i"), integer(-(2**31)))

    assert values(native, (Store("out", (Var("i"),), value),), I32, 2) == [-(2**31), 1 - 2**31]


@pytest.mark.parametrize("dtype", [I32, U32])
def test_float_to_int_saturates_and_nan_gives_zero(native: NativeDevice, dtype: DType) -> None:
    x = np.array([2.9, -2.9, 3e9, -3e9, 5e9, 1e20, -1e20, np.inf, -np.inf, np.nan, 2147483520.0],
                 np.float32)  # fmt: skip
    least, most = (-(2**31), 2**31 - 1) if dtype is I32 else (0, 2**32 - 1)
    want = [0 if np.isnan(v) else int(max(least, min(most, float(v)))) for v in x]
    body = grid(len(x), (Store("out", (Var("i"),), Cast(dtype, Load("x", (Var("i"),), F32))),))
    program = compiled(body, {"out": (dtype, (len(x),))}, x=x)

    assert run(native, program, x=x)["out"].tolist() == want


def test_bool_arrays_and_0d_arrays(native: NativeDevice) -> None:
    flags = np.array([True, False, True])
    seen = op("and", Load("flags", (integer(0),), BOOL), Load("flags", (integer(1),), BOOL))
    body = (
        *grid(3, (Store("turned", (Var("i"),), op("not", Load("flags", (Var("i"),), BOOL))),)),
        Store("both", (), seen),
    )
    program = compiled(body, {"turned": (BOOL, (3,)), "both": (BOOL, ())}, flags=flags)
    got = run(native, program, flags=flags)

    assert got["turned"].tolist() == [0, 1, 0]
    assert got["both"].tolist() == 0


def test_an_empty_array_is_no_error(native: NativeDevice) -> None:
    program = compiled(grid(0, (Store("out", (Var("i"),), ONE),)), {"out": (F32, (0,))})

    assert run(native, program)["out"].shape == (0,)


def test_names_that_wgsl_keeps_for_itself(native: NativeDevice) -> None:
    target = np.array([1, 2, 3], np.float32)
    value = op("mul", Load("target", (Var("i"),), F32), Const(2.0, F32))
    body = (Local("größe_数", value, fixed=True), Store("max", (Var("i"),), Var("größe_数", F32)))
    program = compiled(grid(3, body), {"max": (F32, (3,))}, target=target)

    assert run(native, program, target=target)["max"].tolist() == [2, 4, 6]


def test_scalars_of_every_dtype_and_again_with_others(native: NativeDevice) -> None:
    scalars = (Scalar("a", F32), Scalar("b", I32), Scalar("c", U32), Scalar("d", BOOL))
    total = op("add", Var("a", F32), Cast(F32, Var("b")))
    total = op("add", total, Cast(F32, Var("c", U32)))
    value = Select(Var("d", BOOL), total, ZERO)
    out = Buffer("out", F32, (1,), "output")
    loops = Loops("sample", (out,), scalars, grid(1, (Store("out", (Var("i"),), value),)), ("out",))
    program = emit(map_kernels(loops))

    assert run(native, program, (0.5, -3, 7, 1))["out"].tolist() == [4.5]
    assert run(native, program, (0.5, -4, 7, 1))["out"].tolist() == [3.5]
    assert run(native, program, (0.5, -4, 7, 0))["out"].tolist() == [0.0]


def forever(count: int = 4) -> Program:
    origin = Origin(Span(Source("x = 0\nwhile True:\n    x += 1"), 6, 17))
    body = (
        Local("x", integer(0)),
        While(TRUE, (Assign("x", op("add", Var("x"), integer(1))),), origin=origin),
        Store("out", (Var("i"),), Var("x")),
    )
    return compiled(grid(count, body), {"out": (I32, (count,))})


def test_an_endless_loop_ends_with_an_error_that_names_it(native: NativeDevice) -> None:
    program = forever(65536 // 256)
    memory = native.allocate(program.buffer("out").size)
    waiting = native.enqueue(program, {"out": memory}, ())

    with pytest.raises(DeviceError, match=r"while at line 2 used up its budget of \d+ iterations"):
        waiting.wait(60.0)
    with pytest.raises(DeviceError, match="used up its budget"):
        native.read(memory, 4)


def test_the_device_lives_on_after_an_endless_loop(native: NativeDevice) -> None:
    with pytest.raises(DeviceError, match="used up its budget"):
        run(native, forever())

    assert values(native, collatz(), I32, 3) == [0, 1, 7]


def plus_one() -> Program:
    value = op("add", Load("x", (Var("i"),), I32), integer(1))
    body = grid(4, (Store("y", (Var("i"),), value),))
    return compiled(body, {"y": (I32, (4,))}, x=np.zeros(4, np.int32))


def test_what_was_computed_from_a_failed_result_raises_its_error(native: NativeDevice) -> None:
    first, second = native.allocate(16), native.allocate(16)
    native.enqueue(forever(), {"out": first}, ())
    native.enqueue(plus_one(), {"x": first, "y": second}, ())

    with pytest.raises(DeviceError, match="'sample': while at line 2"):
        native.read(second, 16)


def test_memory_written_again_forgets_the_failure(native: NativeDevice) -> None:
    memory = native.allocate(16)
    native.enqueue(forever(), {"out": memory}, ())
    native.write(memory, np.arange(4, dtype=np.int32).data)

    assert np.frombuffer(native.read(memory, 16), np.int32).tolist() == [0, 1, 2, 3]


def test_runs_chain_on_the_device(native: NativeDevice) -> None:
    memory = [native.allocate(16) for _ in range(2)]
    native.write(memory[0], np.zeros(4, np.int32).data)
    for n in range(101):
        native.enqueue(plus_one(), {"x": memory[n % 2], "y": memory[1 - n % 2]}, ())

    assert np.frombuffer(native.read(memory[1], 16), np.int32).tolist() == [101] * 4


def test_copies_and_repeats(native: NativeDevice) -> None:
    program = plus_one()
    again = (Dispatch("sample", (4, 1, 1)), Copy("y", "x"))
    repeated = replace(program, body=(Repeat(5, again),))

    assert run(native, repeated, x=np.zeros(4, np.int32))["y"].tolist() == [5] * 4


def test_timings_come_from_the_devices_clock_where_it_has_one(native: NativeDevice) -> None:
    A, B = matrices(32, 32, 32)
    program = compiled(product(32, 32, 32), {"C": (F32, (32, 32))}, A=A, B=B)
    memory = {"A": upload(native, A), "B": upload(native, B), "C": native.allocate(4096)}
    first = native.enqueue(program, memory, ()).wait(60.0)
    second = native.enqueue(program, memory, ()).wait(60.0)
    stamped = "timestamp-query" in native.describe().features

    assert isinstance(first, Timing)
    assert first.compile is not None
    assert second.compile is None
    assert (second.kernel is not None) == stamped
    assert second.total is not None
    assert second.total > 0


def test_a_deadline_that_passes_is_an_error() -> None:
    """On a stand-in whose buffers are never mapped: a real device may be faster than any wait."""
    device = MagicMock()
    device.create_buffer().map_async()._thread_event = Event()
    late = Submitted("late", (), (), None, 1.0)

    with pytest.raises(DeviceError, match=r"'late' did not finish within 0\.1 s"):
        settle(MagicMock(), device, (late,), 0.1, lambda: False)


def test_a_stopped_run_ends_with_an_error() -> None:
    device = MagicMock()
    device.create_buffer().map_async()._thread_event = Event()
    run_to_stop = Submitted("endless", (), (), None, 1.0, stopped=True)

    with pytest.raises(DeviceError, match="'endless' was stopped"):
        settle(MagicMock(), device, (run_to_stop,), None, lambda: False)


def refused_program() -> Program:
    """A program whose code adds an integer to a float, at a place with a known source."""
    program = plus_one()
    (kernel,) = program.kernels
    source = Source("y[i] = x[i] + 1", "cell")
    code = kernel.code.replace("x[i] + 1;", "x[i] + 1.5f;")
    at = code.index("x[i] + 1.5f")
    mark = Mark(at, at + len("x[i] + 1.5f"), Origin(Span(source, 7, 15)))
    return replace(program, kernels=(replace(kernel, code=code, text=Text(code, (mark,))),))


def test_code_the_driver_refuses_is_an_error_at_the_users_expression(
    native: NativeDevice,
) -> None:
    with pytest.raises(DeviceError) as caught:
        native.prepare(refused_program())
    (mistake,) = caught.value.mistakes

    assert "the driver refused kernel 'sample'" in mistake.message
    assert "y[i] = x[i] + 1.5f;" in mistake.message
    assert mistake.span is not None
    assert mistake.span.text == "x[i] + 1"


def test_a_workgroup_over_the_limit_is_refused_with_limit_and_value(native: NativeDevice) -> None:
    limit = native.describe().limits.max_compute_invocations_per_workgroup
    body = (loop("i", 2 * limit, (Store("out", (Var("i"),), ONE),), LoopKind.INVOCATION_X),)
    program = compiled(body, {"out": (F32, (2 * limit,))})

    with pytest.raises(DeviceError, match=rf"is {limit} on this device.*needs {2 * limit}"):
        native.prepare(program)


def test_a_buffer_over_the_limit_is_refused_with_limit_and_value(native: NativeDevice) -> None:
    limit = native.describe().limits.max_buffer_size

    with pytest.raises(DeviceError, match=f"max_buffer_size is {limit}"):
        native.allocate(limit + 4)


def test_a_program_for_another_target_is_refused(native: NativeDevice) -> None:
    with pytest.raises(DeviceError, match="is a program for llvm, native runs wgsl"):
        native.prepare(replace(plus_one(), target="llvm"))


def test_more_iterations_than_llvmpipe_makes_are_refused_there(native: NativeDevice) -> None:
    """It would leave the loop after 65535, and say nothing."""
    body = (
        Local("x", integer(0)),
        loop("k", 70000, (Assign("x", op("add", Var("x"), integer(1))),)),
        Store("out", (Var("i"),), Var("x")),
    )
    program = compiled(grid(1, body), {"out": (I32, (1,))})
    if "llvmpipe" in native.describe().adapter:
        with pytest.raises(DeviceError, match="makes up to 70001 loop iterations"):
            native.prepare(program)
    else:
        assert run(native, program)["out"].tolist() == [70000]


def test_freed_buffers_are_used_again(native: NativeDevice) -> None:
    first = native.allocate(1234560)
    kept = first.handle
    native.free(first)
    second = native.allocate(1234560)

    assert getattr(second.handle, "buffer", None) is getattr(kept, "buffer", None)


def test_a_program_not_used_for_long_is_dropped_and_made_again(
    native: NativeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.runtime.native.KEPT_PROGRAMS", 2)
    body = grid(4, (Store("y", (Var("i"),), op("add", Load("x", (Var("i"),), F32), ONE)),))
    x = np.arange(4, dtype=np.float32)
    made = compiled(body, {"y": (F32, (4,))}, x=x)
    programs = [replace(made, name=name) for name in "abc"]
    opened = native._open()
    opened.prepared.clear()
    memory, result = upload(native, x), native.allocate(16)
    for program in (*programs, programs[0]):
        native.enqueue(program, {"x": memory, "y": result}, []).wait(60)

    assert [p.name for p in opened.prepared] == ["c", "a"]
    assert np.frombuffer(native.read(result, 16), np.float32).tolist() == [1, 2, 3, 4]


def test_closing_kills_memory_and_the_next_call_opens_again() -> None:
    device = open_device()
    if not device.describe().available:
        pytest.skip("no adapter")
    memory = device.allocate(16)
    device.close()

    assert not memory.alive
    with pytest.raises(DeviceError, match="is of generation 0 of 'native', 'native' is at 1"):
        device.read(memory, 16)
    assert values(device, collatz(), I32, 3) == [0, 1, 7]


def test_a_lost_device_is_an_error_once_and_then_opened_again() -> None:
    """wgpu-py says so in its log only."""
    device = open_device()
    if not device.describe().available:
        pytest.skip("no adapter")
    memory = device.allocate(16)
    assert device._opened is not None
    device._opened.device.destroy()
    getLogger("wgpu").error("The WGPU device was lost (Unknown):\nfor a test")

    with pytest.raises(DeviceError, match="the device was lost"):
        device.read(memory, 16)
    assert not memory.alive
    assert values(device, collatz(), I32, 3) == [0, 1, 7]


def test_the_loss_of_another_device_is_none_of_this_one(native: NativeDevice) -> None:
    memory = native.allocate(16)
    native.write(memory, np.arange(4, dtype=np.int32).data)
    getLogger("wgpu").error("The WGPU device was lost (Unknown):\nanother one")

    assert np.frombuffer(native.read(memory, 16), np.int32).tolist() == [0, 1, 2, 3]
    assert memory.alive


def described(prologue: str, environment: Mapping[str, str]) -> str:
    """What a fresh process says of the native device."""
    script = f"{prologue}\nfrom workbench.runtime.native import open_device\n"
    script += "d = open_device().describe()\nprint(d.available, '|', d.cause, '|', d.remedy)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def test_without_wgpu_the_device_says_how_to_install_it() -> None:
    said = described("import sys; sys.modules['wgpu'] = None", {})

    assert said.startswith("False | wgpu cannot be imported")
    assert "pip install 'wgpu-workbench[native]'" in said


@pytest.mark.skipif(sys.platform != "linux", reason="Vulkan's driver list is Linux's")
def test_without_a_driver_the_device_says_which_to_install() -> None:
    pytest.importorskip("wgpu")
    nowhere = {"VK_DRIVER_FILES": "/nowhere", "VK_ICD_FILENAMES": "/nowhere"}
    said = described("", nowhere)

    assert said.startswith("False | no WebGPU adapter")
    assert "mesa-vulkan-drivers" in said
