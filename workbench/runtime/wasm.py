"""WebAssembly in this process, as a device: wasmtime runs the modules, a pool of workers shares.

All buffers lie in one memory that every module imports, so that a call copies nothing. It is
shared between the workers, and never moves. The only file that imports wasmtime.
"""

from __future__ import annotations

import atexit
import base64
import binascii
import ctypes
import importlib.metadata
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np

from workbench.base.errors import DeviceError
from workbench.base.limits import Limits
from workbench.program import Kernel
from workbench.runtime.compiled import CompiledDevice
from workbench.runtime.cpu_memory import workers
from workbench.runtime.device import Description, Device, Target
from workbench.runtime.wasm_memory import FEATURES, LIMITS, MOST, PAGE, Spaces

REMEDY = "pip install 'wgpu-workbench[wasm]'"
STACK_BYTES = 320 * 1024
"""What a call may take for private arrays, of which code has at most 256 KiB, and for spilling."""


@cache
def _wasmtime() -> Any:
    """The engine. Raises `DeviceError` where it is missing."""
    try:
        import wasmtime  # noqa: PLC0415  (only where something is run)
    except ImportError as error:
        raise DeviceError(f"wasmtime, an engine, is missing: {error}", hint=REMEDY) from error
    return wasmtime


@cache
def _engine() -> Any:
    wasmtime = _wasmtime()
    config = wasmtime.Config()
    config.wasm_threads = True
    config.shared_memory = True
    return wasmtime.Engine(config)


@cache
def _shared_memory() -> Any:
    """A shared memory that can be an import.

    wasmtime's own hands on a pointer to a pointer there (wasmtime-py, issue 318).
    """
    wasmtime = _wasmtime()
    from wasmtime import _ffi as ffi  # noqa: PLC0415  (as said above)

    class Shared(wasmtime.SharedMemory):
        def _as_extern(self) -> Any:
            union = ffi.wasmtime_extern_union(sharedmemory=self.ptr())
            return ffi.wasmtime_extern_t(ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)

    limits = wasmtime.Limits(1, MOST // PAGE)
    return Shared(_engine(), wasmtime.MemoryType(limits, shared=True))


class _Memory:
    """The memory of this process's modules; grows as it is taken, up to 4 GiB."""

    def __init__(self) -> None:
        self.shared = _shared_memory()
        self.base: int = ctypes.addressof(self.shared.data_ptr().contents)
        self._spaces = Spaces()
        self._lock = threading.Lock()

    def take(self, size: int) -> int:
        """The address of so many bytes. Raises `DeviceError` where they do not fit."""
        with self._lock:
            start = self._spaces.take(size)
            missing = start + size - int(self.shared.data_len())
            if missing > 0:
                try:
                    self.shared.grow(-(-missing // PAGE))
                except _wasmtime().WasmtimeError as error:
                    self._spaces.give(start, size)
                    raise DeviceError(
                        f"a buffer of {size} bytes: the machine has not so many free"
                    ) from error
            return start

    def give(self, start: int, size: int) -> None:
        """Give bytes back; at any moment, from any thread."""
        self._spaces.give(start, size)

    @property
    def kept(self) -> int:
        """Bytes of it that nothing is in: memory of WebAssembly grows, and never shrinks."""
        with self._lock:
            self._spaces.join()
            return int(self.shared.data_len()) - self._spaces.taken

    def array(self, size: int) -> np.ndarray:
        """So many bytes, given back when nothing refers to them any more."""
        start = self.take(size)
        content = (ctypes.c_ubyte * size).from_address(self.base + start)
        weakref.finalize(content, self.give, start, size)
        return np.ctypeslib.as_array(content)

    def address(self, array: np.ndarray) -> int:
        """Where an array of this memory lies, as the signed number that an i32 argument is."""
        address = array.ctypes.data - self.base
        return address - 2**32 if address >= 2**31 else address


@cache
def _memory() -> _Memory:
    return _Memory()


class _Instance:
    """A module that one thread at a time may call; its stack, if it has one, is its own."""

    def __init__(self, name: str, module: Any) -> None:
        wasmtime, memory = _wasmtime(), _memory()
        self._store = wasmtime.Store(_engine())
        imports: list[Any] = []
        for wanted in module.imports:
            if wanted.name == "memory":
                imports.append(memory.shared)
                continue
            start = memory.take(STACK_BYTES)
            weakref.finalize(self, memory.give, start, STACK_BYTES)
            top = start + STACK_BYTES
            value = wasmtime.Val.i32(top - 2**32 if top >= 2**31 else top)
            imports.append(wasmtime.Global(self._store, wanted.type, value))
        self._call = wasmtime.Instance(self._store, module, imports).exports(self._store)[name]

    def call(self, *arguments: int) -> None:
        self._call(self._store, *arguments)


@dataclass(slots=True, eq=False)
class _Loaded:
    """A module, and instances of it that nobody uses at the moment."""

    name: str
    module: Any
    pace: float = 0.0
    idle: deque[_Instance] = field(default_factory=deque["_Instance"])

    def bound(
        self, arrays: Sequence[np.ndarray], scalars: np.ndarray, stop: np.ndarray
    ) -> Callable[[int, int], None]:
        """What runs a range of iterations. Raises `DeviceError` where the module traps."""
        memory = _memory()
        pointers = memory.array(4 * max(1, len(arrays))).view(np.int32)
        pointers[: len(arrays)] = [memory.address(a) for a in arrays]
        given = (pointers, scalars, stop)
        wasmtime = _wasmtime()

        def run(begin: int, end: int) -> None:
            instance = self._take()
            try:
                instance.call(*(memory.address(a) for a in given), begin, end)
            except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
                raise DeviceError(f"kernel '{self.name}' broke off: {error}") from error
            finally:
                self.idle.append(instance)

        return run

    def _take(self) -> _Instance:
        try:
            return self.idle.pop()
        except IndexError:
            return _Instance(self.name, self.module)


@lru_cache(maxsize=4096)
def _load(name: str, code: str) -> _Loaded:
    try:
        module = _wasmtime().Module(_engine(), base64.b64decode(code, validate=True))
    except (_wasmtime().WasmtimeError, binascii.Error) as error:
        raise DeviceError(f"wasmtime refused the module of '{name}': {error}") from error
    return _Loaded(name, module)


@cache
def _version() -> str:
    """The version of wasmtime: read from its files once, as every call describes the device."""
    return importlib.metadata.version("wasmtime")


@dataclass(frozen=True, slots=True)
class _Wasmtime:
    """Calls modules; bytes lie in the memory that they share."""

    workers: int
    name: str = "wasm"
    target: Target = "wasm"

    def describe(self) -> Description:
        """The engine's version, or that it is missing."""
        try:
            _wasmtime()
        except DeviceError as error:
            cause = error.mistakes[0].message
            return Description("wasm", "wasm", available=False, cause=cause, remedy=REMEDY)
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        return Description(
            "wasm",
            "wasm",
            available=True,
            adapter=f"wasmtime {_version()}, {workers}",
            hardware=True,
            limits=LIMITS,
            features=FEATURES,
        )

    def limits(self) -> Limits:
        """What 32-bit addresses reach."""
        _wasmtime()
        return LIMITS

    def allocate(self, size: int) -> np.ndarray:
        """Bytes of the memory."""
        return _memory().array(size)

    @property
    def kept(self) -> int:
        """What of the memory is free; nothing before there is one."""
        return _memory().kept if _memory.cache_info().currsize else 0

    def load(self, kernel: Kernel) -> _Loaded:
        """The kernel's module, compiled by wasmtime."""
        return _load(kernel.function, kernel.code)


class WasmDevice(CompiledDevice):
    """Runs programs of target "wasm" in this process."""

    def __init__(self, workers: int) -> None:
        """A device of that many workers."""
        super().__init__(_Wasmtime(workers))


def open_device() -> Device:
    """Wasmtime; where that is missing, the WebAssembly of the page that is device `browser`.

    Where there is neither, its `describe` says so, and all else raises it.
    """
    try:
        _wasmtime()
    except DeviceError as error:
        from workbench.runtime.browser_wasm import open_page_wasm  # noqa: PLC0415  (no page)

        return open_page_wasm("wasm", error.mistakes[0].message, REMEDY)
    device = WasmDevice(workers())
    atexit.register(device.close)
    return device


@atexit.register
def _forget() -> None:
    """Let go of everything while wasmtime can still free it, after every device was closed."""
    for made in (_load, _memory, _shared_memory, _engine):
        made.cache_clear()
