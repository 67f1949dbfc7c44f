"""Devices of this process: run in order, stop what does not end, stay usable afterwards.

The same for every engine: machine code on the cpu, WebAssembly in wasmtime.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite")
pytest.importorskip("wasmtime")

from tests.unit.ir.programs import f32, load, loop, mul, var
from workbench.base.dtypes import F32
from workbench.base.errors import DeviceError
from workbench.codegen import llvm, wasm
from workbench.ir.expr import Var, apply, integer
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import Assign, Local, LoopKind, Stmt, Store, While
from workbench.program import Binding, Kernel, Program
from workbench.runtime.compiled import CompiledDevice
from workbench.runtime.cpu import CpuDevice
from workbench.runtime.cpu_memory import Kept, bytes_of
from workbench.runtime.cpu_pool import Job, Queue, Share
from workbench.runtime.device import Memory, Run, Target, open_device
from workbench.runtime.wasm import WasmDevice

COUNT = 1000
LARGE = 1 << 17
"""Bytes that are kept once they are given back."""


@pytest.fixture(params=[CpuDevice, WasmDevice], ids=["cpu", "wasm"])
def device(request: pytest.FixtureRequest) -> Iterator[CompiledDevice]:
    opened = request.param(workers=3)
    yield opened
    opened.close()


def program(
    *body: Stmt, name: str = "program", count: int = COUNT, target: Target = "llvm"
) -> Program:
    """From `x` to `y`, both of `count` elements."""
    buffers = (Buffer("x", F32, (count,), "input"), Buffer("y", F32, (count,), "output"))
    emit = wasm.emit if target == "wasm" else llvm.emit
    return emit(Loops(name, buffers, (), body, ("y",)))


def doubled(target: Target, count: int = COUNT) -> Program:
    value = mul(load("x", var("i")), f32(2.0))
    nest = loop("i", count, Store("y", (var("i"),), value), kind=LoopKind.PARALLEL)
    return program(nest, name="doubled", count=count, target=target)


def spinning(target: Target) -> Program:
    """`while True`, in every iteration."""
    n = Var("n")
    body = (
        Local("n", integer(0)),
        While(apply("ge", n, integer(-1)), (Assign("n", apply("max", n, integer(0))),)),
        Store("y", (var("i"),), f32(0.0)),
    )
    return program(loop("i", COUNT, *body, kind=LoopKind.PARALLEL), name="spin", target=target)


def endless_for(target: Target) -> Program:
    """A serial loop of 2^31 - 1 times 2^31 - 1 iterations whose result is used."""
    most = 2**31 - 1
    update = Store("y", (integer(0),), mul(load("x", integer(0)), f32(1.5)), "add")
    return program(loop("a", most, loop("b", most, update)), name="endless", target=target)


def memories(device: CompiledDevice, count: int = COUNT) -> dict[str, Memory]:
    return {name: device.allocate(4 * count) for name in "xy"}


def filled(device: CompiledDevice, value: float, count: int = COUNT) -> dict[str, Memory]:
    made = memories(device, count)
    device.write(made["x"], np.full(count, value, np.float32).data.cast("B"))
    return made


def result(device: CompiledDevice, made: dict[str, Memory], count: int = COUNT) -> np.ndarray:
    return np.frombuffer(bytes(device.read(made["y"], 4 * count)), np.float32)


def assert_works(device: CompiledDevice) -> None:
    made = filled(device, 21.0)
    device.enqueue(doubled(device.target), made, ()).wait(10)

    np.testing.assert_array_equal(result(device, made), np.full(COUNT, 42.0))


@pytest.mark.parametrize(("name", "words"), [("cpu", "LLVM"), ("wasm", "wasmtime")])
def test_it_describes_what_runs(name: str, words: str) -> None:
    description = open_device(name).describe()

    assert description.available
    assert description.hardware
    assert words in description.adapter


@pytest.mark.parametrize(
    ("name", "library", "command"),
    [
        ("cpu", "llvmlite", "pip install llvmlite"),
        ("wasm", "wasmtime", "pip install 'wgpu-workbench[wasm]'"),
    ],
)
def test_a_missing_library_is_a_cause_and_a_command(name: str, library: str, command: str) -> None:
    """In a process of its own: this one has it already."""
    text = (
        f"import sys; sys.modules['{library}'] = None\n"
        "from workbench.runtime.device import open_device\n"
        f"d = open_device('{name}').describe()\n"
        "print(d.available, '|', d.cause, '|', d.remedy)\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)

    available, cause, remedy = (part.strip() for part in done.stdout.split("|"))
    assert available == "False"
    assert library in cause
    assert remedy == command


def test_buffers_start_where_compiled_code_expects(device: CompiledDevice) -> None:
    for size in (4, 100, 4096):
        memory = device.allocate(size)
        device.write(memory, memoryview(bytes(range(4))))

        assert device.read(memory, 4) == bytearray(range(4))
        assert bytes_of(memory).array.ctypes.data % 64 == 0


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000, 100_003])
def test_every_iteration_is_run_once(device: CompiledDevice, count: int) -> None:
    made = filled(device, 3.0, count)
    for _ in range(3):
        device.enqueue(doubled(device.target, count), made, ()).wait(10)

        np.testing.assert_array_equal(result(device, made, count), np.full(count, 6.0))


def test_iterations_are_taken_once_each_whatever_they_take() -> None:
    taken: list[tuple[int, int]] = []
    lock = threading.Lock()

    def call(begin: int, end: int) -> None:
        with lock:
            taken.append((begin, end))
        time.sleep(0.0001 * (begin % 3))

    share = Share(call, 500, 2, 3, np.zeros(1, np.uint32))
    threads = [threading.Thread(target=share.run) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()

    covered = [i for begin, end in sorted(taken) for i in range(begin, end)]
    assert covered == list(range(500))


def test_runs_are_done_in_their_order(device: CompiledDevice) -> None:
    first, second = filled(device, 1.0), memories(device)
    chain = {"x": first["y"], "y": second["y"]}
    runs = [
        device.enqueue(doubled(device.target), first, ()),
        device.enqueue(doubled(device.target), chain, ()),
    ]
    device.write(first["x"], np.zeros(COUNT, np.float32).data.cast("B"))

    np.testing.assert_array_equal(result(device, second), np.full(COUNT, 4.0))
    assert all(r.done() for r in runs)


def test_a_write_takes_the_bytes_of_the_moment(device: CompiledDevice) -> None:
    made = filled(device, 1.0)
    device.enqueue(doubled(device.target), made, ())
    content = np.full(COUNT, 5.0, np.float32)
    device.write(made["x"], content.data.cast("B"))
    content[:] = 9.0
    device.enqueue(doubled(device.target), made, ())

    np.testing.assert_array_equal(result(device, made), np.full(COUNT, 10.0))


def test_a_timing_says_what_took_how_long(device: CompiledDevice) -> None:
    timing = device.enqueue(doubled(device.target), filled(device, 1.0), ()).wait(10)

    assert timing.kernel is not None
    assert timing.total is not None
    assert 0 < timing.kernel <= timing.total


@pytest.mark.parametrize("make", [spinning, endless_for])
def test_what_does_not_end_is_stopped_at_its_deadline(device: CompiledDevice, make: object) -> None:
    endless = spinning(device.target) if make is spinning else endless_for(device.target)
    run = device.enqueue(endless, filled(device, 1.0), ())

    with pytest.raises(DeviceError, match=r"was stopped after its deadline of 0\.3 s"):
        run.wait(0.3)
    assert run.done()
    assert_works(device)


def test_stop_ends_what_runs_and_what_waits(device: CompiledDevice) -> None:
    runs = [device.enqueue(spinning(device.target), filled(device, 1.0), ()) for _ in range(2)]
    device.stop()

    for run in runs:
        with pytest.raises(DeviceError, match="'spin' was stopped"):
            run.wait(10)
    assert_works(device)


def test_what_was_stopped_before_it_began_leaves_no_wrong_bytes(device: CompiledDevice) -> None:
    spins, stopped = filled(device, 1.0), filled(device, 1.0)
    after = memories(device)
    first = device.enqueue(spinning(device.target), spins, ())
    device.enqueue(doubled(device.target), stopped, ())
    device.write(spins["x"], np.full(COUNT, 3.0, np.float32).data.cast("B"))
    device.stop()
    with pytest.raises(DeviceError, match="was stopped"):
        first.wait(10)
    run = device.enqueue(doubled(device.target), {"x": stopped["y"], "y": after["y"]}, ())
    with pytest.raises(DeviceError, match="was stopped"):
        run.wait(10)

    written = bytes(device.read(spins["x"], 4 * COUNT))
    np.testing.assert_array_equal(np.frombuffer(written, np.float32), np.full(COUNT, 3.0))


def test_a_finished_run_holds_no_bytes(device: CompiledDevice) -> None:
    made = filled(device, 1.0)
    run = device.enqueue(doubled(device.target), made, ())
    run.wait(10)
    held = weakref.ref(bytes_of(made["x"]).array)
    device.free(made["x"])

    assert held() is None


def interrupted(run: Run) -> None:
    """Wait for a run; Ctrl-C comes after a while."""
    import _thread

    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run.wait(30)
    timer.join()


def test_an_interrupt_stops_the_run(device: CompiledDevice) -> None:
    run = device.enqueue(spinning(device.target), filled(device, 1.0), ())

    interrupted(run)

    with pytest.raises(DeviceError, match="'spin' was interrupted"):
        run.wait(10)
    assert_works(device)


def test_an_error_follows_its_arrays(device: CompiledDevice) -> None:
    """What was computed from a result that never came fails with the first error."""
    made = filled(device, 1.0)
    after = {"x": made["y"], "y": device.allocate(4 * COUNT)}
    failed = device.enqueue(spinning(device.target), made, ())
    chained = device.enqueue(doubled(device.target), after, ())
    with pytest.raises(DeviceError):
        failed.wait(0.2)

    with pytest.raises(DeviceError, match="'spin'"):
        chained.wait(10)
    with pytest.raises(DeviceError, match="'spin'"):
        device.read(after["y"], 4)


def test_a_new_write_ends_the_error_of_an_array(device: CompiledDevice) -> None:
    made = filled(device, 1.0)
    with pytest.raises(DeviceError):
        device.enqueue(spinning(device.target), made, ()).wait(0.1)
    device.write(made["y"], np.full(COUNT, 7.0, np.float32).data.cast("B"))

    np.testing.assert_array_equal(result(device, made), np.full(COUNT, 7.0))


def test_a_freed_buffer_is_still_there_for_runs_enqueued_before(device: CompiledDevice) -> None:
    made = filled(device, 4.0)
    device.enqueue(doubled(device.target), made, ())
    device.free(made["x"])

    np.testing.assert_array_equal(result(device, made), np.full(COUNT, 8.0))
    with pytest.raises(DeviceError, match="given back"):
        device.write(made["x"], memoryview(b"0000"))


def test_bytes_that_nothing_refers_to_are_used_again(device: CompiledDevice) -> None:
    memory = device.allocate(LARGE)
    lay = bytes_of(memory).array.ctypes.data
    before = device.kept
    device.free(memory)

    assert device.kept == before + LARGE
    assert bytes_of(device.allocate(LARGE)).array.ctypes.data == lay


@pytest.mark.parametrize("referring", [lambda a: a[7:9], memoryview, lambda a: a.reshape(4, -1).T])
def test_bytes_that_something_refers_to_are_not_used_again(
    device: CompiledDevice, referring: Callable[[np.ndarray], object]
) -> None:
    memory = device.allocate(LARGE)
    device.write(memory, memoryview(bytes(LARGE)))
    view = referring(bytes_of(memory).array)
    device.free(memory)
    others = [device.allocate(LARGE) for _ in range(3)]
    for other in others:
        device.write(other, memoryview(b"\xff" * LARGE))

    assert not np.asarray(view).any()


def test_large_inputs_stay_for_runs_that_were_enqueued_before(device: CompiledDevice) -> None:
    count = LARGE // 4
    made = filled(device, 4.0, count)
    device.enqueue(doubled(device.target, count), made, ())
    device.free(made["x"])
    device.write(device.allocate(LARGE), memoryview(b"\xff" * LARGE))

    np.testing.assert_array_equal(result(device, made, count), np.full(count, 8.0))


def test_no_more_bytes_are_kept_than_asked_for() -> None:
    kept = Kept(most=2 * LARGE)
    arrays = [kept.array(LARGE) for _ in range(3)]
    arrays.clear()

    assert kept.bytes == 2 * LARGE


def test_what_is_kept_is_let_go_where_the_machine_has_no_more() -> None:
    kept = Kept()
    kept.array(LARGE)

    assert kept.bytes == LARGE
    with pytest.raises(DeviceError, match="the machine has not so many free"):
        kept.array(2**60)
    assert kept.bytes == 0


def test_a_buffer_too_small_is_refused_before_anything_runs(device: CompiledDevice) -> None:
    made = filled(device, 1.0)
    made["y"] = device.allocate(16)

    with pytest.raises(DeviceError, match="buffer 'y': 4000 bytes do not fit a buffer of 16"):
        device.enqueue(doubled(device.target), made, ())


def test_an_output_that_is_an_input_is_refused(device: CompiledDevice) -> None:
    made = filled(device, 1.0)
    made["y"] = made["x"]

    with pytest.raises(DeviceError, match="writes 'y', and 'x' is the same memory"):
        device.enqueue(doubled(device.target), made, ())


def test_a_buffer_beyond_the_memory_names_the_limit(device: CompiledDevice) -> None:
    with pytest.raises(DeviceError, match="max_buffer_size"):
        device.allocate(2**60)


@pytest.mark.parametrize(
    ("opened", "code", "words"),
    [
        (CpuDevice, "define void @k( {", "LLVM refused"),
        (WasmDevice, "AGFzbQ==", "wasmtime refused"),
        (WasmDevice, "define void @k", "wasmtime refused"),
    ],
)
def test_code_that_is_refused_is_an_error_with_its_words(
    opened: type[CpuDevice | WasmDevice], code: str, words: str
) -> None:
    device = opened(workers=1)
    kernel = Kernel("k", code, (Binding(0, "x", "read"),))
    broken = Program("broken", device.target, (), (), (), (), (kernel,), ())

    with pytest.raises(DeviceError, match=words):
        device.prepare(broken)


def test_a_program_for_another_target_is_refused(device: CompiledDevice) -> None:
    other = Program("k", "wgsl", (), (), (), (), (), ())
    words = f"a program for wgsl, the {device.name} runs {device.target}"

    with pytest.raises(DeviceError, match=words):
        device.prepare(other)


def test_the_wrong_number_of_scalars_is_refused(device: CompiledDevice) -> None:
    with pytest.raises(DeviceError, match="takes 0 scalars, 1 were given"):
        device.enqueue(doubled(device.target), filled(device, 1.0), (1.0,))


def test_a_closed_device_opens_again(device: CompiledDevice) -> None:
    assert_works(device)
    device.close()

    assert_works(device)


def test_a_saved_program_runs_in_a_fresh_process(device: CompiledDevice, tmp_path: Path) -> None:
    path = doubled(device.target).save(tmp_path / "doubled.json")
    text = (
        "import sys, numpy as np\n"
        "from workbench.program import load\n"
        "from workbench.runtime.device import open_device\n"
        f"p, d = load(sys.argv[1]), open_device('{device.name}')\n"
        "m = {b.name: d.allocate(b.size) for b in p.buffers}\n"
        "d.write(m['x'], np.full(1000, 21.0, 'f').data.cast('B'))\n"
        "d.enqueue(p, m, ()).wait(30)\n"
        "print(set(np.frombuffer(bytes(d.read(m['y'], 4000)), 'f').tolist()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, str(path)], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "{42.0}"


def test_a_process_ends_while_a_kernel_spins(device: CompiledDevice, tmp_path: Path) -> None:
    path = spinning(device.target).save(tmp_path / "spin.json")
    text = (
        "import sys, time\n"
        "from workbench.program import load\n"
        "from workbench.runtime.device import open_device\n"
        f"p, d = load(sys.argv[1]), open_device('{device.name}')\n"
        "r = d.enqueue(p, {b.name: d.allocate(b.size) for b in p.buffers}, ())\n"
        "time.sleep(0.1)\n"
        "print(r.done())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, str(path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "False", "")


def test_a_job_that_fails_does_not_end_the_queue() -> None:
    queue = Queue("test")

    def fail(_: Job) -> None:
        raise ValueError("wrong")

    done: list[str] = []
    bad, good = Job("bad", fail), Job("good", lambda job: done.append(job.name))
    queue.put(bad)
    queue.put(good)
    queue.wait(None, 10)
    queue.close()

    assert isinstance(bad.error, ValueError)
    assert done == ["good"]
