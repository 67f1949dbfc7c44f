"""The processor that Python runs on, as a device: LLVM compiles, a pool of workers runs.

One thread takes what is enqueued in its order and shares the iterations of each dispatch out to
workers; calls into compiled code release Python's lock. Every run has a stop word of its own,
which compiled loops and the sharing out look at. The only file that imports llvmlite.
"""

from __future__ import annotations

import atexit
import ctypes
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, assert_never

import numpy as np

from workbench.base.errors import DeviceError
from workbench.program import (
    OUTSIDE_HINT,
    Action,
    Copy,
    Dispatch,
    Program,
    Repeat,
    While,
    outside,
)
from workbench.runtime.cpu_memory import (
    Bytes,
    aligned,
    bytes_of,
    check_size,
    limits,
    packed,
    processor,
    workers,
)
from workbench.runtime.cpu_pool import Job, Pool, Queue, Share
from workbench.runtime.device import Description, Memory, Run, Target, Timing, check_limits

REMEDY = "pip install llvmlite"
DEADLINE = 60.0
"""Seconds that a read waits for each run before it."""
_ENTRY = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)
_TINY_SECONDS = 50e-6
"""What takes less than this is not shared out."""
_FEATURES = ("neon", "sve", "sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bf16")


# What LLVM does, as functions from text to text.


@cache
def _llvm() -> Any:
    """LLVM, ready for this processor. Raises `DeviceError` where llvmlite is missing."""
    try:
        import llvmlite.binding as llvm  # noqa: PLC0415  (only where something is compiled)
    except ImportError as error:
        raise DeviceError(f"the cpu needs llvmlite: {error}", hint=REMEDY) from error
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _target_machine() -> Any:
    """Code for this processor, in the form that both listings and the linker read well."""
    llvm = _llvm()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
        reloc="pic",
        codemodel="small",
        jit=True,
    )


def _parse(code: str) -> Any:
    try:
        module = _llvm().parse_assembly(code)
        module.verify()
    except RuntimeError as error:
        raise DeviceError(f"LLVM refused the code of a kernel: {error}") from error
    return module


def parsed(code: str) -> str:
    """A module as LLVM prints it."""
    return str(_parse(code))


@lru_cache(maxsize=256)
def optimised(code: str) -> str:
    """A module after LLVM's passes at level 2, as LLVM prints it.

    LLVM unrolls only the loops that the schedule says: code stays as long as it was written.
    Raises `DeviceError` where LLVM refuses the code.
    """
    llvm, module, machine = _llvm(), _parse(code), _target_machine()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_unrolling = False
    options.loop_interleaving = False
    passes = llvm.create_pass_builder(machine, options).getModulePassManager()
    passes.run(module, llvm.create_pass_builder(machine, options))
    return str(module)


@cache
def _show_unknown_lines() -> None:
    """Let listings say where an instruction has no origin; without it, they leave that out."""
    _llvm().set_option("workbench", "--use-unknown-locations=Enable")


@lru_cache(maxsize=256)
def assembled(listing: str) -> str:
    """The assembly of an optimised module, with its debug locations."""
    _show_unknown_lines()
    return _target_machine().emit_assembly(_parse(listing))


_serial = itertools.count()


@cache
def _linker() -> Any:
    return _llvm().create_lljit_compiler(_target_machine())


@dataclass(slots=True, eq=False)
class _Loaded:
    """A kernel in memory: alive as long as `library` is; `pace` is seconds an iteration, or 0."""

    call: Callable[..., None]
    library: Any
    pace: float = 0.0


@lru_cache(maxsize=256)
def _load(name: str, code: str) -> _Loaded:
    llvm = _llvm()
    image = _target_machine().emit_object(_parse(optimised(code)))
    builder = llvm.JITLibraryBuilder().add_object_img(image)
    try:
        library = (
            builder.export_symbol(name)
            .add_current_process()
            .link(_linker(), f"workbench.{next(_serial)}")
        )
    except RuntimeError as error:
        raise DeviceError(f"kernel '{name}' does not link: {error}") from error
    return _Loaded(_ENTRY(library[name]), library)


# The device.


@dataclass(frozen=True, slots=True)
class _Call:
    """A program with all that its run needs."""

    program: Program
    buffers: dict[str, Bytes]
    scalars: np.ndarray
    kernels: dict[str, _Loaded]


class CpuDevice:
    """Runs programs of target "llvm" on this processor."""

    name = "cpu"
    target: Target = "llvm"

    def __init__(self, workers: int) -> None:
        """A device whose threads start when they are needed."""
        self.generation = 0
        self._workers = workers
        self._queue = Queue("workbench-cpu")
        self._pool: Pool | None = None

    def describe(self) -> Description:
        """The processor and LLVM's version, or that llvmlite is missing."""
        try:
            llvm = _llvm()
        except DeviceError as error:
            cause = error.mistakes[0].message
            return Description("cpu", "llvm", available=False, cause=cause, remedy=REMEDY)
        have = llvm.get_host_cpu_features()
        version = ".".join(str(n) for n in llvm.llvm_version_info)
        workers = f"{self._workers} worker{'s' if self._workers > 1 else ''}"
        return Description(
            "cpu",
            "llvm",
            available=True,
            adapter=f"{processor()} ({llvm.get_host_cpu_name()}), LLVM {version}, {workers}",
            hardware=True,
            limits=limits(),
            features=tuple(f for f in _FEATURES if have.get(f)),
        )

    def allocate(self, size: int) -> Memory:
        """Aligned bytes; raises `DeviceError` where the machine has not so many."""
        _llvm()
        most = limits().max_buffer_size
        if size > most:
            raise DeviceError(f"a buffer of {size} bytes: max_buffer_size is {most} on the cpu")
        return Memory(self, size, Bytes(aligned(size)), self.generation)

    def write(self, memory: Memory, content: memoryview) -> None:
        """Copy host bytes to the start of the buffer, after the runs enqueued before."""
        target, source = bytes_of(memory), np.asarray(content).reshape(-1).view(np.uint8)
        check_size("write", source.size, memory)
        if not self._queue.pending():
            target.array[: source.size] = source
            target.error = None
            return
        copy = source.copy()

        def work(_: Job) -> None:
            target.array[: copy.size] = copy
            target.error = None

        self._queue.put(Job("write", work))

    def read(self, memory: Memory, size: int) -> bytearray:
        """The first bytes, after everything enqueued before; raises the error of the run."""
        target = bytes_of(memory)
        check_size("read", size, memory)
        self._queue.wait(None, DEADLINE)
        if target.error is not None:
            raise target.error
        if stuck := self._queue.pending():
            raise _stuck(stuck[0])
        return bytearray(target.array[:size].data)

    def free(self, memory: Memory) -> None:
        """Give the buffer back; runs already enqueued keep it alive."""
        memory.handle = None

    def prepare(self, program: Program) -> None:
        """Compile every kernel. Raises `DeviceError`."""
        self._load(program)

    def enqueue(
        self, program: Program, buffers: dict[str, Memory], scalars: Sequence[float]
    ) -> Run:
        """Run the program after everything enqueued before; returns at once."""
        began = time.perf_counter()
        kernels = self._load(program)
        compiled = time.perf_counter() - began
        given = {b.name: buffers[b.name] for b in program.buffers if b.role in _GIVEN}
        for name, memory in given.items():
            check_size(f"buffer '{name}'", program.buffer(name).size, memory)
        _check_apart(program, given)
        handles = {name: bytes_of(memory) for name, memory in given.items()}
        call = _Call(program, handles, packed(program, scalars), kernels)
        job = Job(program.name, lambda job: self._run(job, call), compile_seconds=compiled)
        self._queue.put(job)

        def wait(deadline: float) -> Timing:
            self._queue.wait(job, deadline)
            if job.error is not None:
                raise job.error
            if not job.finished.is_set():
                raise _stuck(job)
            return Timing(job.compile_seconds, None, job.kernel_seconds, job.seconds)

        return Run(wait, job.finished.is_set)

    def stop(self) -> None:
        """Ask everything enqueued to end."""
        self._queue.stop()

    def close(self) -> None:
        """Stop everything and let the threads end; a later call starts new ones."""
        self._queue.close()
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _load(self, program: Program) -> dict[str, _Loaded]:
        if program.target != self.target:
            raise DeviceError(
                f"'{program.name}' is a program for {program.target}, the cpu runs llvm",
                hint="compile it with on='cpu'",
            )
        check_limits(program, limits())
        return {k.name: _load(k.name, k.code) for k in program.kernels}

    def _run(self, job: Job, call: _Call) -> None:
        """Do a whole program, in the queue's thread."""
        program = call.program
        outputs = [call.buffers[b.name] for b in program.buffers if b.role == "output"]
        try:
            job.check()
            _check_inputs(call)
            for b in program.buffers:
                if b.role not in _GIVEN:
                    call.buffers[b.name] = Bytes(aligned(b.size))
                if b.role == "status":
                    call.buffers[b.name].array[:] = 0
            self._do(job, call, program.body)
            _check_status(call)
        except Exception as error:
            for output in outputs:
                output.error = error
            raise
        for output in outputs:
            output.error = None

    def _do(self, job: Job, call: _Call, actions: tuple[Action, ...]) -> None:
        for action in actions:
            job.check()
            match action:
                case Dispatch(kernel, workgroups):
                    began = time.perf_counter()
                    self._dispatch(job, call, kernel, workgroups[0])
                    job.kernel_seconds += time.perf_counter() - began
                    job.check()
                case Copy(source, target):
                    size = call.program.buffer(target).size
                    call.buffers[target].array[:size] = call.buffers[source].array[:size]
                case Repeat(count, body):
                    for _ in range(count):
                        self._do(job, call, body)
                case While(flag, body):
                    while call.buffers[flag].array[:4].view(np.uint32)[0]:
                        self._do(job, call, body)
                case _:
                    assert_never(action)

    def _dispatch(self, job: Job, call: _Call, kernel: str, count: int) -> None:
        """Run the iterations of a kernel, shared out to the workers where that pays."""
        loaded = call.kernels[kernel]
        arrays = [call.buffers[b.buffer].array for b in call.program.kernel(kernel).bindings]
        pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
        scalars, stop = call.scalars.ctypes.data, job.stop.ctypes.data

        def run(begin: int, end: int) -> None:
            loaded.call(pointers, scalars, stop, begin, end)

        if count < 2 or 0 < loaded.pace * count < _TINY_SECONDS:
            share = Share(run, count, count, 1, job.stop)
            share.run()
        else:
            self._pool = self._pool or Pool(self._workers)
            share = Share(run, count, max(1, count // 256), self._workers, job.stop)
            self._pool.run(share)
        loaded.pace = share.seconds / max(1, count)


def _check_apart(program: Program, given: dict[str, Memory]) -> None:
    """Refuse an output that is another buffer, too: compiled code reads and writes at will."""
    for b in program.buffers:
        same = [n for n in given if n != b.name and given[n] is given.get(b.name)]
        if b.role == "output" and same:
            raise DeviceError(
                f"'{program.name}' writes '{b.name}', and '{same[0]}' is the same memory",
                hint="a buffer of its own for each output",
            )


def _stuck(job: Job) -> DeviceError:
    return DeviceError(f"'{job.name}' does not stop", hint="restart the Python kernel")


def _check_inputs(call: _Call) -> None:
    """Raise the error of the run that was to make an input."""
    for b in call.program.buffers:
        if b.role == "input" and (error := call.buffers[b.name].error) is not None:
            raise error


def _check_status(call: _Call) -> None:
    """Raise `DeviceError` if an access left its array."""
    for b in call.program.buffers:
        if b.role == "status":
            words = tuple(int(x) for x in call.buffers[b.name].array[: b.size].view(np.uint32))
            if (said := outside(call.program.name, call.program.accesses, words)) is not None:
                raise DeviceError(said, hint=OUTSIDE_HINT)


_GIVEN = ("input", "output")
"""The roles of the buffers that a caller gives."""


def open_device() -> CpuDevice:
    """The processor. Where llvmlite is missing its `describe` says so, and all else raises it."""
    device = CpuDevice(workers())
    atexit.register(device.close)
    return device
