"""The processor that Python runs on, as a device: LLVM compiles, and code runs where it lies."""

from __future__ import annotations

import atexit
import ctypes
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np

from workbench.base.errors import DeviceError
from workbench.base.limits import Limits
from workbench.program import Kernel
from workbench.runtime.compiled import CompiledDevice
from workbench.runtime.cpu_memory import Kept, limits, processor, workers
from workbench.runtime.device import Description, Target
from workbench.runtime.llvm import REMEDY, compiled, llvm, target_machine, version

_ENTRY = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)
_FEATURES = ("neon", "sve", "sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bf16")

_serial = itertools.count()


@cache
def _linker() -> Any:
    """One linker for all kernels: JITLink lays the sections of a kernel side by side.

    LLVM's older one maps each where there is room, and aborts the process where two of them come
    to lie more than 2 GiB apart, as they do beside WebAssembly's reserved memory.
    """
    return llvm().create_lljit_compiler(target_machine("host"), use_jit_link=True)


@dataclass(slots=True, eq=False)
class _Loaded:
    """A kernel in memory: alive as long as `library` is; `pace` is seconds an iteration, or 0."""

    call: Callable[..., None]
    library: Any
    pace: float = 0.0

    def bound(
        self, arrays: Sequence[np.ndarray], scalars: np.ndarray, stop: np.ndarray
    ) -> Callable[[int, int], None]:
        """What runs a range of iterations."""
        pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))

        def run(begin: int, end: int) -> None:
            self.call(pointers, scalars.ctypes.data, stop.ctypes.data, begin, end)

        return run


@lru_cache(maxsize=4096)
def _load(name: str, code: str) -> _Loaded:
    builder = llvm().JITLibraryBuilder().add_object_img(compiled(code))
    try:
        library = (
            builder.export_symbol(name)
            .add_current_process()
            .link(_linker(), f"workbench.{next(_serial)}")
        )
    except RuntimeError as error:
        raise DeviceError(f"kernel '{name}' does not link: {error}") from error
    return _Loaded(_ENTRY(library[name]), library)


@cache
def _host() -> tuple[str, tuple[str, ...]]:
    """What this processor and LLVM are called, and the features of it that matter here.

    LLVM takes half a millisecond to tell, and every call asks.
    """
    have = llvm().get_host_cpu_features()
    name = f"{processor()} ({llvm().get_host_cpu_name()}), LLVM {version()}"
    return name, tuple(f for f in _FEATURES if have.get(f))


@dataclass(frozen=True, slots=True)
class _Processor:
    """Calls machine code; bytes lie in Python's own memory, and are kept for the next results."""

    workers: int
    memory: Kept = field(default_factory=Kept)
    name: str = "cpu"
    target: Target = "llvm"

    def describe(self) -> Description:
        """The processor and LLVM's version, or that llvmlite is missing."""
        try:
            name, features = _host()
        except DeviceError as error:
            cause = error.mistakes[0].message
            return Description("cpu", "llvm", available=False, cause=cause, remedy=REMEDY)
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        return Description(
            "cpu",
            "llvm",
            available=True,
            adapter=f"{name}, {workers}",
            hardware=True,
            limits=limits(),
            features=features,
        )

    def limits(self) -> Limits:
        """The machine's memory."""
        llvm()
        return limits()

    def allocate(self, size: int) -> np.ndarray:
        """Bytes of the machine."""
        return self.memory.array(size)

    @property
    def kept(self) -> int:
        """Bytes that were given back."""
        return self.memory.bytes

    def load(self, kernel: Kernel) -> _Loaded:
        """The kernel as machine code."""
        return _load(kernel.function, kernel.code)


class CpuDevice(CompiledDevice):
    """Runs programs of target "llvm" on this processor."""

    def __init__(self, workers: int) -> None:
        """A device of that many workers."""
        super().__init__(_Processor(workers))


def open_device() -> CpuDevice:
    """The processor. Where llvmlite is missing its `describe` says so, and all else raises it."""
    device = CpuDevice(workers())
    atexit.register(device.close)
    return device
