"""An open wgpu device and what dies with it: its pool of buffers and its compiled programs.

Works on wgpu objects that `native.py` hands in, and imports no wgpu.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from logging import Handler, LogRecord, getLogger
from typing import Any

from workbench.program import Kernel, Program
from workbench.runtime.native_programs import (
    Pipeline,
    PipelineKey,
    Prepared,
    compile_kernel,
    pipeline_key,
)
from workbench.runtime.native_runs import Submitted

KEPT_BYTES = 1 << 29
"""Bytes of freed buffers kept for the next allocation: a new buffer costs milliseconds."""

KEPT_PIPELINES = 512
_SMALLEST = 16


@dataclass(slots=True, eq=False)
class Block:
    """What `Memory.handle` is here: a wgpu buffer and the run that wrote it last."""

    buffer: Any
    run: Submitted | None = None


@dataclass(slots=True, eq=False)
class Opened:
    """An open device. `period` is nanoseconds per tick of its clock, if `timestamps`.

    `heard` is true after wgpu said that a device of this process was lost, maybe this one.
    """

    wgpu: Any
    device: Any
    timestamps: bool
    period: float
    heard: bool = False
    prepared: OrderedDict[Program, Prepared] = field(default_factory=OrderedDict[Program, Prepared])
    pipelines: OrderedDict[PipelineKey, Pipeline] = field(
        default_factory=OrderedDict["PipelineKey", "Pipeline"]
    )
    _pool: dict[int, list[Any]] = field(default_factory=dict[int, list[Any]])
    kept: int = 0
    _watch: _LossWatch | None = None
    _gone: bool = False

    @property
    def lost(self) -> bool:
        """Whether the driver took the device away; everything here is gone then."""
        if self.heard and not self._gone:
            self.heard = False
            try:
                self.device.create_command_encoder().finish()
            except self.wgpu.GPUError as error:
                self.note(error)
        return self._gone

    def note(self, error: Exception) -> None:
        """Learn from an error of wgpu that the device is lost, if it says so."""
        self._gone = self._gone or "device is lost" in str(error).lower()

    def pipeline(self, kernel: Kernel) -> Pipeline:
        """The pipeline of a kernel; programs for other sizes share it. wgpu's errors pass through.

        The one not used for longest goes first; those of kept programs stay alive with them.
        """
        key = pipeline_key(kernel)
        if key not in self.pipelines:
            self.pipelines[key] = compile_kernel(self.device, kernel)
        self.pipelines.move_to_end(key)
        if len(self.pipelines) > KEPT_PIPELINES:
            self.pipelines.popitem(last=False)
        return self.pipelines[key]

    def take(self, size: int) -> Any:
        """A buffer of at least `size` bytes for any use in programs, contents undefined."""
        size = max(_SMALLEST, -(-size // 4) * 4)
        free = self._pool.get(size)
        if free:
            self.kept -= size
            return free.pop()
        usage = self.wgpu.BufferUsage
        return self.device.create_buffer(
            size=size, usage=usage.STORAGE | usage.COPY_SRC | usage.COPY_DST | usage.UNIFORM
        )

    def give(self, buffer: Any) -> None:
        """Take a buffer back; what was submitted before comes before its next use."""
        if self.kept + buffer.size > KEPT_BYTES:
            buffer.destroy()
            return
        self.kept += buffer.size
        self._pool.setdefault(buffer.size, []).append(buffer)

    def staging(self, size: int) -> Any:
        """A buffer that the host can read."""
        usage = self.wgpu.BufferUsage
        return self.device.create_buffer(size=size, usage=usage.MAP_READ | usage.COPY_DST)

    def watch(self) -> None:
        """Notice from now on when the device is lost."""
        self._watch = _LossWatch(self)
        getLogger("wgpu").addHandler(self._watch)

    def unwatch(self) -> None:
        """The opposite of `watch`."""
        if self._watch is not None:
            getLogger("wgpu").removeHandler(self._watch)


def clock_period(lib: Any, device: Any) -> float:
    """Nanoseconds per tick of the device's clock; wgpu-native hands out raw ticks."""
    return float(lib.wgpuQueueGetTimestampPeriod(device.queue._internal))  # noqa: SLF001


class _LossWatch(Handler):
    """wgpu-py reports a lost device in its log only, and not which; this listens there.

    Gone when wgpu-py implements `GPUDevice.lost_promise`.
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self._opened = opened

    def emit(self, record: LogRecord) -> None:
        """Note that some device was lost."""
        if "device was lost" in record.getMessage().lower():
            self._opened.heard = True
