"""The `Device` protocol: what every device does, and how devices are found by name.

A device is a module of this folder that exports `open_device() -> Device`; `null.py` is the
one to copy. Nothing here waits except `read`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, Self

from workbench.base.device_class import DeviceClass, Target, device_class
from workbench.base.errors import DeviceError
from workbench.base.limits import GUARANTEED, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.program import Program

NAMES = ("browser", "native", "cpu", "wasm", "browser-wasm", "null")
"""Every device, in the order in which tables list them."""

Raw = bytearray | memoryview
"""Bytes that a device gave, the taker's to keep and to change."""


class StoppedError(DeviceError):
    """A run was stopped, or ended at its deadline; it is not made again by itself."""


class LaterError(DeviceError):
    """An answer that will come, but that the code which asks for it keeps from coming."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a device says of itself; `cause` and `remedy` are empty where it is available.

    `hardware` is false for software adapters, which "auto" never takes; the cpu counts as
    hardware. `route` says how its page is reached, for devices that have one.
    """

    name: str
    target: Target
    available: bool
    adapter: str = ""
    hardware: bool = False
    limits: Limits = GUARANTEED
    features: tuple[str, ...] = ()
    cause: str = ""
    remedy: str = ""
    route: str = ""

    @property
    def device_class(self) -> DeviceClass:
        """What default schedules know of it; a GPU that is not here counts as one of hardware."""
        hardware = self.hardware or not self.available
        return device_class(self.target, self.features, hardware=hardware)


MOST_TRACED = 256
"""A run of more dispatches and copies, or of so many that only it decides, is not traced."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When one action of a traced run was done: seconds after its first began, by its clock.

    `name` is the kernel that was dispatched, or the buffer that was copied to.
    """

    kind: Literal["dispatch", "copy"]
    name: str
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that parts of one run took, None where they are not known.

    `kernel`: on the device, by its own clock (`clock` names it); `total`: enqueue to finished.
    `submits`: into how many pieces the device cut the run, where it does that.
    `stamps`: of a traced run its actions in order, those that `clock` can tell. It goes on by
    `step` seconds, 0 where the device does not say.
    """

    compile: float | None = None
    transfer: float | None = None
    kernel: float | None = None
    total: float | None = None
    clock: str = "wall"
    submits: int | None = None
    stamps: tuple[Stamp, ...] = ()
    step: float = 0.0


@dataclass(slots=True, eq=False)
class Memory:
    """A buffer on a device: `size` in bytes, `handle` is the device's own.

    `generation` is the generation of the device at allocation; once the device is at another
    (a page was reloaded, an adapter lost) the bytes are gone. `spoilt` is set once a device that
    answers later says that it had no room, or did not take what was written.
    """

    device: Device
    size: int
    handle: object
    generation: int = 0
    spoilt: bool = False

    @property
    def alive(self) -> bool:
        """Whether the bytes are still there."""
        return self.generation == self.device.generation


@dataclass(slots=True, eq=False)
class Run:
    """One enqueued run. `wait` returns its timing or raises its error, once it is finished."""

    wait: Callable[[float], Timing]
    """`wait(deadline_seconds)`; raises DeviceError: failed, stopped, out of iterations, late."""
    done: Callable[[], bool] = field(default=lambda: True)


class Device(Protocol):
    """A place where programs run. Calls are made from one thread at a time."""

    name: str

    @property
    def target(self) -> Target:
        """What it runs."""
        ...

    @property
    def generation(self) -> int:
        """Another number once everything that the device held is gone."""
        ...

    @property
    def kept(self) -> int:
        """Bytes that were given back, and that it keeps here for what is allocated next."""
        ...

    def now(self) -> Device:
        """The device that takes calls at this moment: of one that is several pages, a page."""
        ...

    def describe(self) -> Description:
        """Adapter, limits and features, or the cause and remedy where it is unavailable."""
        ...

    def allocate(self, size: int) -> Memory:
        """A buffer of `size` bytes (a multiple of 4), contents undefined.

        Raises `DeviceError` naming the limit and the value where it is too large.
        """
        ...

    def write(self, memory: Memory, content: memoryview, offset: int = 0) -> None:
        """Copy host bytes into the buffer at `offset`; the host bytes may change afterwards.

        `offset`, in bytes, is a multiple of 4.
        """
        ...

    def read(self, memory: Memory, size: int) -> Raw:
        """The first `size` bytes, after everything enqueued before; raises that run's error."""
        ...

    def ask(self, memory: Memory, size: int) -> Callable[[], Raw]:
        """As `read`, but what it gives waits: a device that answers later is asked now."""
        ...

    def free(self, memory: Memory) -> None:
        """Give the buffer back; runs already enqueued still see it."""
        ...

    def prepare(self, program: Program) -> None:
        """Compile, if it was not before; raises `CodegenError` (limits) or `DeviceError`."""
        ...

    def enqueue(
        self, program: Program, buffers: dict[str, Memory], scalars: Sequence[float], *,
        traced: bool = False,
    ) -> Run:  # fmt: skip
        """Run the program after everything enqueued before; returns at once.

        `buffers` holds every input and output; temporaries, status and scalars are the
        device's own business. `scalars` are in the program's order. Traced, its timing has the
        `stamps` that the device can take, at the price of a slower run.
        """
        ...

    def stop(self) -> None:
        """Ask what runs now to end with an error as soon as it can."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class Single:
    """A device that is one, whenever it is asked."""

    __slots__ = ()

    @property
    def kept(self) -> int:
        """None: what is given back is gone."""
        return 0

    def now(self) -> Self:
        """This one."""
        return self

    def ask(self: Device, memory: Memory, size: int) -> Callable[[], Raw]:
        """What reads, once it is called: there is nothing to ask before."""
        return lambda: self.read(memory, size)


_opened: dict[str, Device] = {}


def open_device(name: str) -> Device:
    """The device of that name, opened once per process.

    Raises `DeviceError` for an unknown name. An unavailable device opens, too: its
    `describe()` says why it is unavailable, and its other methods raise that.
    """
    if name not in NAMES:
        raise DeviceError(f"no device '{name}'", hint="on= one of " + ", ".join(NAMES[:-1]))
    if name not in _opened:
        module = f"workbench.runtime.{name.replace('-', '_')}"
        _opened[name] = import_module(module).open_device()
    return _opened[name]


def opened_devices() -> tuple[Device, ...]:
    """The devices that were opened so far."""
    return tuple(_opened.values())


def is_traceable(program: Program) -> bool:
    """Whether its actions are known, and few enough to be stamped one by one."""
    from workbench.program import steps  # noqa: PLC0415  (a type-only import above)

    count = steps(program.body)
    return count is not None and count <= MOST_TRACED


def default_device(target: Target) -> str:
    """The device that runs programs of a target where none is named."""
    return {"wgsl": "native", "llvm": "cpu", "wasm": "wasm"}[target]


def check_limits(program: Program, limits: Limits) -> None:
    """Refuse a program that exceeds a limit of the device, before anything is submitted.

    Raises `DeviceError` naming the limit, its value and the program's.
    """
    for have, limit, value, what in _demands(program, limits):
        if value > have:
            raise DeviceError(
                f"{what}: {limit} is {have} on this device, the program needs {value}",
                hint="a smaller split, or on='cpu'",
            )


def _demands(program: Program, limits: Limits) -> list[tuple[int, str, int, str]]:
    rows: list[tuple[int, str, int, str]] = []

    def need(limit: str, value: int, what: str) -> None:
        rows.append((int(getattr(limits, limit)), limit, value, what))

    for b in program.buffers:
        need("max_buffer_size", b.size, f"buffer '{b.name}'")
        need("max_storage_buffer_binding_size", b.size, f"buffer '{b.name}'")
    for k in program.kernels:
        storage = sum(b.access != "uniform" for b in k.bindings)
        need("max_storage_buffers_per_shader_stage", storage, f"kernel '{k.name}'")
        for axis, size in zip("xyz", k.workgroup_size, strict=True):
            need(f"max_compute_workgroup_size_{axis}", size, f"kernel '{k.name}'")
        x, y, z = k.workgroup_size
        need("max_compute_invocations_per_workgroup", x * y * z, f"kernel '{k.name}'")
    from workbench.program import dispatches  # noqa: PLC0415  (a type-only import above)

    for d in dispatches(program.body):
        need("max_compute_workgroups_per_dimension", max(d.workgroups), f"dispatch of '{d.kernel}'")
    return rows
