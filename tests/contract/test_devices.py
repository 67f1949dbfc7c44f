"""What every device must do, asked of every name in `runtime.device.NAMES`.

Devices that are not there are asked only what an unavailable device must do. The browser's
round trips need a page, and have tests of their own.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from workbench.base.dtypes import F32
from workbench.base.errors import DeviceError, WorkbenchError
from workbench.base.limits import Limits
from workbench.codegen.wgsl import emit as emit_wgsl
from workbench.ir.expr import Const, Load, Var, apply, integer
from workbench.ir.graph import Scalar
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import For, LoopKind, Store
from workbench.passes.mapping import map_kernels
from workbench.program import Buffer as ProgramBuffer, Program
from workbench.runtime.device import NAMES, Description, Device, Timing, open_device

METHODS = tuple(
    name for name, member in vars(Device).items() if inspect.isfunction(member) and name[0] != "_"
)


def scaled(extent: int = 8) -> Loops:
    """y[i] = x[i] * factor + 1, for every i."""
    x = Load("x", (Var("i"),), F32)
    value = apply("add", apply("mul", x, Var("factor", F32)), Const(1.0, F32))
    loop = For(
        "i", integer(0), integer(extent), (Store("y", (Var("i"),), value),), LoopKind.WORKGROUP_X
    )
    buffers = (Buffer("x", F32, (extent,), "input"), Buffer("y", F32, (extent,), "output"))
    return Loops("scaled", buffers, (Scalar("factor", F32),), (loop,), ("y",))


def program_for(device: Device, loops: Loops | None = None) -> Program:
    if device.target == "llvm":
        llvm = pytest.importorskip("workbench.codegen.llvm")
        return llvm.emit(loops or scaled())
    if device.target == "wasm":
        wasm = pytest.importorskip("workbench.codegen.wasm")
        return wasm.emit(loops or scaled())
    return emit_wgsl(map_kernels(loops or scaled()))


@pytest.fixture(params=NAMES)
def device(request: pytest.FixtureRequest) -> Device:
    return open_device(request.param)


@pytest.fixture
def present(device: Device) -> Device:
    found = device.describe()
    if not found.available:
        pytest.skip(f"{device.name}: {found.cause}")
    return device


def test_a_device_has_every_method_of_the_protocol(device: Device) -> None:
    wanted = {name: list(inspect.signature(getattr(Device, name)).parameters) for name in METHODS}
    found = {
        name: ["self", *inspect.signature(getattr(device, name)).parameters] for name in METHODS
    }

    assert found == wanted


def test_a_device_describes_itself_under_its_own_name(device: Device) -> None:
    found = device.describe()

    assert isinstance(found, Description)
    assert (found.name, found.target) == (device.name, device.target)


def test_an_unavailable_device_says_why_and_what_to_do(device: Device) -> None:
    found = device.describe()

    assert found.available or (found.cause and found.remedy)


def test_a_device_that_is_not_there_raises_its_cause(device: Device) -> None:
    found = device.describe()
    if found.available:
        pytest.skip(f"{device.name} is there")

    with pytest.raises(DeviceError, match=r"\w"):
        device.allocate(16)


def test_bytes_written_are_read_back(present: Device) -> None:
    memory = present.allocate(32)
    content = np.arange(8, dtype=np.float32)
    present.write(memory, content.data)
    content += 1
    back = np.frombuffer(present.read(memory, 20), np.float32)

    assert list(back) == [0, 1, 2, 3, 4]


def test_bytes_are_written_at_an_offset(present: Device) -> None:
    memory = present.allocate(16)
    present.write(memory, memoryview(bytes(16)))
    present.write(memory, memoryview(b"12345678"), 4)

    assert present.read(memory, 16) == b"\0\0\0\x0012345678\0\0\0\0"


def test_memory_knows_its_device_and_is_alive(present: Device) -> None:
    memory = present.allocate(16)

    assert memory.device is present
    assert memory.size == 16
    assert memory.alive


def test_freed_memory_can_be_allocated_again(present: Device) -> None:
    present.free(present.allocate(64))
    again = present.allocate(64)
    present.write(again, memoryview(bytes(range(64))))

    assert present.read(again, 64) == bytes(range(64))


def test_a_run_computes_and_gives_a_timing(present: Device) -> None:
    program = program_for(present)
    buffers = {"x": present.allocate(32), "y": present.allocate(32)}
    present.write(buffers["x"], np.arange(8, dtype=np.float32).data)
    present.prepare(program)
    timing = present.enqueue(program, buffers, (2.0,)).wait(60.0)
    y = np.frombuffer(present.read(buffers["y"], 32), np.float32)

    assert isinstance(timing, Timing)
    assert list(y) == ([0.0] * 8 if present.name == "null" else [2.0 * i + 1 for i in range(8)])


def test_results_chain_into_the_next_run(present: Device) -> None:
    program = program_for(present)
    first, second, third = (present.allocate(32) for _ in range(3))
    present.write(first, np.ones(8, np.float32).data)
    present.enqueue(program, {"x": first, "y": second}, (2.0,))
    present.enqueue(program, {"x": second, "y": third}, (10.0,))
    y = np.frombuffer(present.read(third, 32), np.float32)

    assert list(y) == [0.0 if present.name == "null" else 31.0] * 8


def test_a_program_over_a_limit_is_refused_with_limit_and_value(present: Device) -> None:
    program = program_for(present)
    limits = present.describe().limits
    words = limits.max_storage_buffer_binding_size // 4 + 1
    large = ProgramBuffer("x", F32, (words,), "input")
    too_large = Program(
        program.name, program.target, (large, *program.buffers[1:]), program.scalars,
        program.inputs, program.outputs, program.kernels, program.body,
    )  # fmt: skip
    if (
        present.target == "llvm"
        and limits.max_storage_buffer_binding_size > Limits().max_buffer_size
    ):
        pytest.skip("this device's limits are the machine's memory")

    with pytest.raises(WorkbenchError, match=str(limits.max_storage_buffer_binding_size)):
        present.prepare(too_large)


def test_stop_with_nothing_running_leaves_the_device_usable(present: Device) -> None:
    present.stop()
    memory = present.allocate(16)
    present.write(memory, memoryview(b"still here, fine"))

    assert present.read(memory, 16) == b"still here, fine"


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DeviceError, match="browser, native, cpu"):
        open_device("gpu")
