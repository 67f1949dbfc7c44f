"""The null device: the page to copy for a new device. It records calls and computes nothing.

To add a device `NAME`: copy this file to `runtime/NAME.py`, keep `open_device`, fill in the
methods, and add the name to `runtime/device.py`'s `NAMES`. A device takes a `Program` and knows
nothing of the compiler. `tests/contract/test_devices.py` says what every device must do, and
asks it of every name.

Which devices compute is for them to say: results here are zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.base.errors import DeviceError
from workbench.program import Program
from workbench.runtime.device import (
    Description,
    Memory,
    Run,
    Single,
    Target,
    Timing,
    check_limits,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made: the method, and what it was about (a size, a program's name)."""

    method: str
    about: str | int = ""


@dataclass(slots=True, eq=False)
class NullDevice(Single):
    """Takes programs of every target; `calls` lists what was asked of it, in order."""

    name: str = "null"
    target: Target = "wgsl"
    generation: int = 0
    calls: list[Call] = field(default_factory=list[Call])

    def describe(self) -> Description:
        """Always there, and never chosen by "auto", because it is no hardware.

        A device that needs a library or a driver looks for it here, and says in `cause` and
        `remedy` what is missing and which command installs it, instead of raising.
        """
        return Description(self.name, self.target, available=True, adapter="records, computes none")

    def allocate(self, size: int) -> Memory:
        """Bytes on the host. A real device checks `size` against its limits first."""
        self.calls.append(Call("allocate", size))
        limit = self.describe().limits.max_buffer_size
        if size > limit:
            raise DeviceError(
                f"a buffer of {size} bytes: max_buffer_size is {limit} on this device",
                hint="smaller arrays, or on='cpu'",
            )
        return Memory(self, size, bytearray(size), self.generation)

    def write(self, memory: Memory, content: memoryview, offset: int = 0) -> None:
        """Copy now: the caller may change the host bytes afterwards."""
        self.calls.append(Call("write", content.nbytes))
        target = self._bytes(memory)
        target[offset : offset + content.nbytes] = content.cast("B") if content.nbytes else b""

    def read(self, memory: Memory, size: int) -> bytearray:
        """The only call that waits; a real device raises here what went wrong before."""
        self.calls.append(Call("read", size))
        return self._bytes(memory)[:size]

    def free(self, memory: Memory) -> None:
        """A real device puts the buffer into a pool: new buffers cost milliseconds.

        Called by the garbage collector too, at any moment, so it must not wait.
        """
        self.calls.append(Call("free", memory.size))

    def prepare(self, program: Program) -> None:
        """Check the limits, then compile what was not compiled before: programs are values."""
        check_limits(program, self.describe().limits)
        self.calls.append(Call("prepare", program.name))

    def enqueue(
        self, program: Program, buffers: dict[str, Memory], scalars: Sequence[float], *,
        traced: bool = False,
    ) -> Run:  # fmt: skip
        """A real device submits the actions of `program.body` and returns without waiting.

        Buffers of role temporary, status and scalars are its own; the others are in `buffers`.
        A device with a clock stamps each action of a run that is `traced`.
        """
        del traced
        self.prepare(program)
        assert len(scalars) == len(program.scalars), "one value for each scalar"
        for name in (*program.inputs, *program.outputs):
            self._bytes(buffers[name])
        self.calls.append(Call("enqueue", program.name))
        return Run(wait=lambda _deadline: Timing(clock="none"))

    def stop(self) -> None:
        """A real device makes what runs now end with an error as soon as it can."""
        self.calls.append(Call("stop"))

    def close(self) -> None:
        """Everything is gone: memory of the old generation is dead."""
        self.calls.append(Call("close"))
        self.generation += 1

    def _bytes(self, memory: Memory) -> bytearray:
        if memory.device is not self or not memory.alive:
            raise DeviceError(
                f"this memory is of generation {memory.generation} of '{memory.device.name}', "
                f"'{self.name}' is at {self.generation}",
                hint="give the array again",
            )
        assert isinstance(memory.handle, bytearray), "allocate makes the handles"
        return memory.handle


def open_device() -> NullDevice:
    """The null device."""
    return NullDevice()
