"""The native device: WebGPU outside the browser, through wgpu-py (Vulkan, Metal, Direct3D).

The only file that imports wgpu, when a device is first asked for. It knows programs, not the
compiler. Runs are submitted at once and in order; what a run did wrong (a loop out of its
budget) is found when its result is waited for or read. Enqueueing waits for a run of many
dispatches, which is submitted in slices, and for a `While`, whose flag is read on the host.
"""

from __future__ import annotations

import os
import struct
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from workbench.base.errors import DeviceError
from workbench.base.limits import NUMBERS, Limits
from workbench.program import LOOP_BUDGET, STATUS_WORDS, Program
from workbench.runtime.device import (
    Description,
    Memory,
    Run,
    Single,
    Target,
    Timing,
    check_limits,
    is_traceable,
)
from workbench.runtime.native_memory import Block, Opened, clock_period
from workbench.runtime.native_programs import (
    Pipeline,
    Prepared,
    bind_groups,
    loop_budget,
    pack_scalars,
    refused,
)
from workbench.runtime.native_runs import Pace, Recorder, Submitted, settle, wait_mapped

KEPT_PROGRAMS = 256
"""Programs kept compiled; the one not used for longest goes first."""

_STATUS_BYTES = 4 * STATUS_WORDS
_LONGEST_DOUBT = 64
_INSTALL = "pip install 'wgpu-workbench[native]'"
_DRIVERS = {
    "linux": "apt install libvulkan1 mesa-vulkan-drivers (a software GPU), or the GPU's own driver",
    "darwin": "macOS 11 or newer, which has Metal",
}


class NativeDevice(Single):
    """A GPU of this machine, or Mesa's software one; opened on first use."""

    name = "native"
    target: Target = "wgsl"

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self.generation = 0
        self._adapter: Any = None
        self._description: Description | None = None
        self._opened: Opened | None = None
        self._running: list[Submitted] = []

    @property
    def kept(self) -> int:
        """The pool of buffers."""
        return 0 if self._opened is None else self._opened.kept

    def describe(self) -> Description:
        """The adapter that high performance prefers, or why there is none."""
        if self._description is None:
            self._description = self._describe()
        return self._description

    def allocate(self, size: int) -> Memory:
        """A buffer of at least `size` bytes, from the pool where one fits exactly."""
        limit = self.describe().limits.max_buffer_size
        if size > limit:
            raise DeviceError(
                f"a buffer of {size} bytes: max_buffer_size is {limit} on this device",
                hint="smaller arrays, or on='cpu'",
            )
        opened = self._open()
        with self._errors(opened, f"allocating {size} bytes"):
            return Memory(self, size, Block(opened.take(size)), self.generation)

    def write(self, memory: Memory, content: memoryview, offset: int = 0) -> None:
        """Copy host bytes into the buffer."""
        opened, block = self._open(), self._block(memory)
        raw = content.cast("B") if content.nbytes else memoryview(b"")
        if raw.nbytes % 4:
            raw = memoryview(bytes(raw) + bytes(-raw.nbytes % 4))
        block.run = None
        if raw.nbytes:
            with self._errors(opened, "writing a buffer"):
                opened.device.queue.write_buffer(block.buffer, offset, raw)

    def read(self, memory: Memory, size: int) -> bytearray:
        """The first `size` bytes; raises the error of the run that wrote them."""
        opened, block = self._open(), self._block(memory)
        if block.run is not None and block.run.doubtful:
            self._finish(opened, block.run, None)
        if size == 0:
            return bytearray()
        words = -(-size // 4) * 4
        with self._errors(opened, "reading a buffer"):
            staging = opened.staging(words)
            encoder = opened.device.create_command_encoder()
            encoder.copy_buffer_to_buffer(block.buffer, 0, staging, 0, words)
            opened.device.queue.submit([encoder.finish()])
            wait_mapped(staging, None, lambda: opened.lost)
            content = bytearray(staging.read_mapped(0, words, copy=False)[:size])
            staging.unmap()
            staging.destroy()
        self._raise_if_lost(opened)
        return content

    def free(self, memory: Memory) -> None:
        """Put the buffer back into the pool; runs already submitted come before its next use."""
        opened = self._opened
        if opened is not None and memory.alive and isinstance(memory.handle, Block):
            opened.give(memory.handle.buffer)

    def prepare(self, program: Program) -> None:
        """Compile every kernel; raises `DeviceError` for limits and for refused code."""
        self._prepare(self._open(), program)

    def enqueue(
        self, program: Program, buffers: dict[str, Memory], scalars: Sequence[float], *,
        traced: bool = False,
    ) -> Run:  # fmt: skip
        """Encode and submit; errors in the arguments are raised here, others by the run."""
        opened = self._open()
        fresh = program not in opened.prepared
        prepared = self._prepare(opened, program)
        blocks = {name: self._block(memory) for name, memory in buffers.items()}
        doubt = self._doubt(opened, [blocks[name] for name in program.inputs])
        seconds, budget = prepared.seconds if fresh else None, prepared.budget or LOOP_BUDGET
        run = Submitted(
            program.name, program.loops, doubt, seconds, opened.period, budget, program.accesses,
            traced=traced and is_traceable(program),
        )  # fmt: skip
        self._running = [r for r in self._running[-_LONGEST_DOUBT:] if r.timing is None]
        self._running.append(run)
        with self._errors(opened, f"running '{program.name}'"):
            self._submit(opened, (program, prepared, run), blocks, scalars)
        for b in program.buffers:
            if b.role == "output" and b.name in blocks:
                blocks[b.name].run = run
        return Run(
            wait=lambda deadline: self._finish(opened, run, deadline),
            done=lambda: run.timing is not None or run.error is not None,
        )

    def stop(self) -> None:
        """Runs that are waited for end with an error; the GPU itself ends by its loops' budget."""
        for run in self._running:
            run.stopped = run.timing is None

    def close(self) -> None:
        """Release the device; memory of before is gone."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            self.generation += 1
            opened.unwatch()
            opened.device.destroy()

    def _describe(self) -> Description:
        try:
            wgpu, _, extras = _import_wgpu()
        except (ImportError, OSError) as error:
            return _unavailable(f"wgpu cannot be imported ({error})", _INSTALL)
        with suppress(RuntimeError):  # someone else opened wgpu first, with backends of their own
            extras.set_instance_extras(backends=["Primary"])
        try:
            with _quiet_driver():
                adapter = wgpu.gpu.request_adapter_sync(power_preference="high-performance")
        except (RuntimeError, OSError, wgpu.GPUError) as error:
            remedy = _DRIVERS.get(sys.platform, "the GPU's driver")
            return _unavailable(f"no WebGPU adapter ({_first_line(str(error))})", remedy)
        if adapter is None:
            return _unavailable("no WebGPU adapter", _DRIVERS.get(sys.platform, "a GPU driver"))
        self._adapter = adapter
        info = adapter.info
        return Description(
            "native",
            "wgsl",
            available=True,
            adapter=f"{info['device']} ({info['backend_type']}, {info['description']})",
            hardware=info["adapter_type"] != "CPU",
            limits=_limits(adapter),
            features=tuple(sorted(adapter.features)),
        )

    def _open(self) -> Opened:
        """The open device; opens it, again where it was lost."""
        if self._opened is not None:
            self._raise_if_lost(self._opened)
            return self._opened
        description = self.describe()
        if not description.available:
            raise DeviceError(f"native: {description.cause}", hint=description.remedy)
        wgpu, lib, _ = _import_wgpu()
        timestamps = "timestamp-query" in description.features
        limits = {name.replace("_", "-"): getattr(description.limits, name) for name in NUMBERS}
        wanted = ["timestamp-query"] if timestamps else []
        wanted += ["shader-f16"] if description.limits.shader_f16 else []
        try:
            device = self._adapter.request_device_sync(
                required_features=wanted,
                required_limits=limits,
            )
        except (RuntimeError, wgpu.GPUError) as error:
            self._description = None  # an adapter gives one device; ask for a new one next time
            raise DeviceError(
                f"native: the adapter gives no device ({_first_line(str(error))})",
                hint="wb.devices() lists others",
            ) from error
        self._opened = Opened(wgpu, device, timestamps, clock_period(lib, device))
        self._opened.watch()
        return self._opened

    def _raise_if_lost(self, opened: Opened) -> None:
        if not opened.lost:
            return
        if self._opened is opened:
            opened.unwatch()
            self._opened, self._description = None, None
            self.generation += 1
        raise DeviceError(
            "native: the device was lost, and with it what its buffers held",
            hint="call again: the device is opened anew",
        )

    def _note_loss(self, opened: Opened, error: Exception) -> None:
        opened.note(error)
        self._raise_if_lost(opened)

    @contextmanager
    def _errors(self, opened: Opened, doing: str) -> Generator[None]:
        """Errors of wgpu as ours. wgpu-py raises them in the call that caused them."""
        try:
            yield
        except opened.wgpu.GPUError as error:
            self._note_loss(opened, error)
            raise DeviceError(f"native: {doing}: {_reason(str(error))}") from error

    def _block(self, memory: Memory) -> Block:
        if memory.device is not self or not memory.alive or not isinstance(memory.handle, Block):
            raise DeviceError(
                f"this memory is of generation {memory.generation} of '{memory.device.name}', "
                f"'native' is at {self.generation}",
                hint="give the array again",
            )
        return memory.handle

    def _prepare(self, opened: Opened, program: Program) -> Prepared:
        if program in opened.prepared:
            opened.prepared.move_to_end(program)
            return opened.prepared[program]
        if program.target != "wgsl":
            raise DeviceError(
                f"'{program.name}' is a program for {program.target}, native runs wgsl",
                hint="compile(on='native')",
            )
        check_limits(program, self.describe().limits)
        budget = loop_budget(program, self.describe().adapter)
        start = time.perf_counter()
        pipelines: dict[str, Pipeline] = {}
        for kernel in program.kernels:
            try:
                pipelines[kernel.name] = opened.pipeline(kernel)
            except opened.wgpu.GPUError as error:
                self._note_loss(opened, error)
                raise refused(kernel, str(error)) from error
        with self._errors(opened, f"the buffers of '{program.name}'"):
            own = {
                b.name: opened.take(b.size)
                for b in program.buffers
                if b.role in {"temporary", "scalars"}
            }
        prepared = Prepared(pipelines, own, budget, time.perf_counter() - start, Pace())
        opened.prepared[program] = prepared
        if len(opened.prepared) > KEPT_PROGRAMS:
            _, oldest = opened.prepared.popitem(last=False)
            for buffer in oldest.own.values():
                opened.give(buffer)
        return prepared

    def _doubt(self, opened: Opened, blocks: Iterable[Block]) -> tuple[Submitted, ...]:
        """The runs before that may still turn out to have failed and whose results go in."""
        found: dict[int, Submitted] = {}
        for block in blocks:
            if block.run is not None and block.run.doubtful:
                found |= {id(r): r for r in (*block.run.doubt, block.run) if r.doubtful}
        doubt = tuple(found.values())
        if len(doubt) > _LONGEST_DOUBT:
            self._settle(opened, doubt, None)
            return tuple(r for r in doubt if r.error is not None)
        return doubt

    def _submit(
        self,
        opened: Opened,
        what: tuple[Program, Prepared, Submitted],
        blocks: dict[str, Block],
        scalars: Sequence[float],
    ) -> None:
        program, prepared, run = what
        device = opened.device
        found = {**prepared.own, **{name: block.buffer for name, block in blocks.items()}}
        recorder = Recorder(opened, run, prepared.pace)
        for b in program.buffers:
            if b.role == "scalars":
                device.queue.write_buffer(found[b.name], 0, pack_scalars(program, scalars))
            if b.role == "status":
                run.status = found[b.name] = opened.take(_STATUS_BYTES)
                words = [0] * STATUS_WORDS
                words[2] = prepared.budget or 0
                content = struct.pack(f"<{STATUS_WORDS}I", *words)
                device.queue.write_buffer(run.status, 0, content)
        sizes = {b.name: b.size for b in program.buffers}
        groups = bind_groups(device, prepared.pipelines, found, sizes)
        try:
            recorder.record(program.body, groups, found, sizes)
        except DeviceError as error:  # stopped, late or lost: said when a result is read
            run.error = error
            if run.status is not None:
                opened.give(run.status)
            run.status = run.stamps = None

    def _finish(self, opened: Opened, run: Submitted, deadline: float | None) -> Timing:
        """Wait for a run and those it depends on; raises what went wrong in any of them."""
        if run.timing is None and run.error is None:
            self._settle(opened, (*run.doubt, run), deadline)
        if run.error is not None:
            raise DeviceError(*run.error.mistakes)
        assert run.timing is not None, "a settled run has a timing or an error"
        return run.timing

    def _settle(self, opened: Opened, runs: tuple[Submitted, ...], deadline: float | None) -> None:
        with self._errors(opened, f"waiting for '{runs[-1].name}'"):
            buffers = settle(opened.wgpu, opened.device, runs, deadline, lambda: opened.lost)
        for buffer in buffers:
            opened.give(buffer)
        self._raise_if_lost(opened)


def open_device() -> NativeDevice:
    """The native device; `describe()` says whether it is available."""
    return NativeDevice()


def _limits(adapter: Any) -> Limits:
    found = {name: int(adapter.limits[name.replace("_", "-")]) for name in NUMBERS}
    return Limits(**found, shader_f16="shader-f16" in adapter.features)


def _import_wgpu() -> tuple[Any, Any, Any]:
    """The module wgpu, its native library and its extras; ImportError or OSError without them."""
    import wgpu  # noqa: PLC0415  (optional, and slow to import: only when asked for)
    from wgpu.backends.wgpu_native import extras, lib  # noqa: PLC0415

    return wgpu, lib, extras


@contextmanager
def _quiet_driver() -> Generator[None]:
    """Mesa complains on stderr where this variable is not set, though nothing here has a window."""
    name = "XDG_RUNTIME_DIR"
    if sys.platform != "linux" or name in os.environ:
        yield
        return
    os.environ[name] = tempfile.gettempdir()
    try:
        yield
    finally:
        del os.environ[name]


def _unavailable(cause: str, remedy: str) -> Description:
    return Description("native", "wgsl", available=False, cause=cause, remedy=remedy)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")


def _reason(text: str) -> str:
    """The last line of wgpu's chain of causes, which says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
