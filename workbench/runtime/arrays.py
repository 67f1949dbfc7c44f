"""Arrays that live where they were computed: one version per place, bytes cross when read.

A place is the host or a device. Writing on the host makes the other places stale; a call
makes its result on the device and leaves the host stale until somebody reads.
"""

from __future__ import annotations

import itertools
import math
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from workbench.base.dtypes import DTYPES, DType, stored
from workbench.base.errors import CallError, DeviceError
from workbench.runtime.calls import LONGEST_RECIPE, Call, Recipe, named
from workbench.runtime.changes import Changes, touched
from workbench.runtime.device import StoppedError
from workbench.runtime.layouts import laid_out, room
from workbench.runtime.residency import born, happened
from workbench.runtime.transfers import (
    Transfer,
    converted,
    fetched,
    from_words,
    joined,
    taken,
    to_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from workbench.base.panels import Panels
    from workbench.runtime.device import Device, Memory, Raw

_numbers = itertools.count(1)


@dataclass(slots=True, eq=False)
class Place:
    """A copy on a device, the version it holds, what gives it back, once, and its panels if any."""

    memory: Memory
    version: int
    release: Callable[[], object]
    panels: Panels | None = None


@dataclass(eq=False)
class Array:
    """A resident n-dimensional array; made by `wb.array(x)` and by calls of kernels.

    `np.asarray(a)` and `a.numpy()` are read-only views of the host copy, fetched if stale;
    `a[...] = v` and `with a.host() as x:` write, and make the copies on devices stale.
    `transfers` say what went from place to place so far, and how it was converted.
    """

    dtype: DType
    shape: tuple[int, ...]
    version: int = 0
    call: Call | None = None
    recipe: Recipe | None = None
    _host: np.ndarray | None = None
    _host_version: int = -1
    _places: dict[Device, Place] = field(default_factory=dict["Device", "Place"])
    _changes: Changes = field(default_factory=Changes)
    output: int = 0
    made_by: str = ""
    transfers: tuple[Transfer, ...] = ()
    freed: bool = False
    number: int = field(default_factory=lambda: next(_numbers))

    def __post_init__(self) -> None:
        born(self)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes on a device."""
        return max(4, self.size * self.dtype.bits // 8)

    @property
    def places(self) -> tuple[str, ...]:
        """Where a current copy is: "host" and names of devices."""
        found = (memory.device.name for memory in self.memories)
        return (("host",) if self._host_version == self.version else ()) + tuple(found)

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The current copies on devices."""
        return tuple(p.memory for p in self._places.values() if self._current(p))

    def numpy(self) -> np.ndarray:
        """The values on the host, read-only; waits for the call that makes them.

        Raises `DeviceError` if that call failed, was stopped, or its page is gone.
        """
        view = self._current_host().view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001
        values = self.numpy()
        if dtype is not None and np.dtype(dtype) != values.dtype:
            return values.astype(dtype)
        return values.copy() if copy else values

    def __getitem__(self, key: Any) -> Any:
        return self.numpy()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        values = self._current_host()
        changed = touched(values, key)
        try:
            values[key] = value
        finally:
            self._changed(changed)

    @contextmanager
    def host(self) -> Generator[np.ndarray]:
        """The writable host copy; on leaving, copies on devices are stale."""
        values = self._current_host()
        try:
            yield values
        finally:
            self._changed(range(self.size))

    def _changed(self, elements: range) -> None:
        self.version += 1
        self._host_version = self.version
        self._changes = self._changes.after(self.version, elements)
        self.call = self.recipe = None

    def free(self) -> None:
        """Give back every copy, on the host too; reading it afterwards raises `CallError`.

        Runs that were enqueued before still see it.
        """
        for place in self._places.values():
            place.release()
        self._places.clear()
        self._host, self._host_version = None, -1
        self.version += 1
        self.recipe = None
        self.freed = True
        happened()

    def show(self, against: Any = None, *, name: str = "") -> None:
        """Draw the values: table, picture, histogram; what is not finite, what differs.

        `against` is a reference of the same shape. Without a notebook the same is printed.
        Raises `CallError` where the shapes differ, `DeviceError` where drawing is not installed.
        """
        # Drawing is a layer above this one: it is found by name, when somebody looks.
        try:
            import_module("workbench.widget.values").show(self, against, name=name)
        except ModuleNotFoundError as error:
            raise DeviceError(
                f"drawing needs {error.name}", hint="pip install 'wgpu-workbench[notebook]'"
            ) from error

    def __await__(self) -> Generator[Any, None, Self]:
        import asyncio  # noqa: PLC0415  (only those who await need it)

        yield from asyncio.to_thread(self.numpy).__await__()
        return self

    def __len__(self) -> int:
        if not self.shape:
            msg = "len() of a 0-d array"
            raise TypeError(msg)
        return self.shape[0]

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __repr__(self) -> str:
        extents = ", ".join(map(str, self.shape))
        where = ", ".join(self.places) or "being computed"
        return f"<Array {self.dtype}[{extents}] on {where}>"

    def on(self, device: Device, panels: Panels | None = None) -> Memory:
        """The current copy on a device; bytes cross if it has none. Waits only for other devices.

        It lies there in C order, or in `panels`: where it does not, it is laid out anew, there.
        Raises `DeviceError` where the device refuses the size or a read from another fails.
        """
        self._refuse_freed()
        device = device.now()
        place = self._places.get(device)
        if place is None or not self._current(place):
            place = self._brought(device, place)
        if place.panels != panels:
            if place.panels is not None and panels is not None:
                self.on(device)
                place = self._places[device]
            memory = self._laid_out(place, panels)
            place.release()
            place = self.made_on(device, memory, panels)
        return place.memory

    def panels_on(self, device: Device) -> Panels | None:
        """The panels that the current copy on a device lies in, if there is one and it does."""
        laid = {d: p.panels for d, p in self._places.items() if p.panels and self._current(p)}
        return laid.get(device.now()) if laid else None

    def _brought(self, device: Device, place: Place | None) -> Place:
        """Bring a device the current version, in C order; `place` is what it has of another."""
        values = self._current_host()
        if place is not None and place.panels is not None:
            place.release()
            place = None
        if place is None or not place.memory.alive or place.memory.spoilt:
            memory = device.allocate(room(self.nbytes))
            words = to_words(values, self.dtype)
            device.write(memory, words)
            self._crossed("host", device.name, words.nbytes, stored(self.dtype, self.size))
            return self.made_on(device, memory)
        self._refresh(place, values)
        return place

    def _laid_out(self, place: Place, panels: Panels | None) -> Memory:
        """The same values in C order or in panels, in memory of the same device."""
        memory = laid_out(place.memory, self.dtype, self.shape, place.panels, panels)
        old, new = ("C order" if p is None else p.words for p in (place.panels, panels))
        self._crossed(memory.device.name, memory.device.name, self.nbytes, f"{old} to {new}")
        return memory

    def _refresh(self, place: Place, values: np.ndarray) -> None:
        """Bring a copy that is behind up to date by what changed since."""
        changed = self._changes.since(place.version, self.version)
        if changed is None:
            changed = range(self.size)
        whole = max(1, 32 // self.dtype.bits)
        start = changed.start - changed.start % whole
        stop = min(self.size, -(-changed.stop // whole) * whole)
        if start < stop:
            words = to_words(values.reshape(-1)[start:stop], self.dtype)
            device = place.memory.device
            device.write(place.memory, words, start * self.dtype.bits // 8)
            self._crossed("host", device.name, words.nbytes, stored(self.dtype, stop - start))
        place.version = self.version

    def _crossed(self, source: str, target: str, nbytes: int, change: str) -> None:
        self.transfers = joined((*self.transfers, Transfer(source, target, nbytes, change)))
        happened()

    def made_on(self, device: Device, memory: Memory, panels: Panels | None = None) -> Place:
        """Say that the current version is in `memory`, or about to be written there."""
        release = weakref.finalize(self, device.free, memory)
        release.atexit = False
        gone = [d for d, p in self._places.items() if not p.memory.alive]
        for other in gone:
            del self._places[other]
        self._places[device] = Place(memory, self.version, release, panels)
        return self._places[device]

    def copies(self) -> dict[str, bool]:
        """Every place with a copy, and whether it is current: "host" and names of devices."""
        found = {d.name: self._current(p) for d, p in self._places.items() if p.memory.alive}
        host = {} if self._host is None else {"host": self._host_version == self.version}
        return host | found

    @property
    def layouts(self) -> dict[str, str]:
        """How current copies lie on devices, by their names, where that is not C order."""
        found = ((d.name, p.panels) for d, p in self._places.items() if self._current(p))
        return {name: panels.words for name, panels in found if panels is not None}

    def _current_host(self) -> np.ndarray:
        """The host copy, fetched where it is stale."""
        self._refuse_freed()
        if self._host is None or self._host_version != self.version:
            self._fetch()
        assert self._host is not None
        return self._host

    def _refuse_freed(self) -> None:
        if self.freed:
            raise CallError(
                f"this array of {self.dtype}{list(self.shape)} was freed",
                hint="scope.keep(array) inside wb.tidy(), for what is needed after it",
            )

    def _current(self, place: Place) -> bool:
        sound = place.memory.alive and not place.memory.spoilt
        return sound and place.version == self.version

    def _fetch(self) -> None:
        place, asked = self._ask()  # before the call is waited for: both answers come together
        if self.call is not None:
            try:
                self.call.wait()
            except StoppedError:
                raise
            except DeviceError:
                if not self._places or any(p.memory.alive for p in self._places.values()):
                    raise
        if place is None or not self._current(place):
            place, asked = self._ask()
        if place is None:
            self._recompute()
            return
        try:
            raw = asked()
        except DeviceError:
            if place.memory.alive:
                raise
            self._recompute()
            return
        self._host, self._host_version = from_words(raw, self.dtype, self.shape), self.version
        kind = fetched(self.dtype, self.size)
        self._crossed(place.memory.device.name, "host", self._host.nbytes, kind)
        self.recipe = None

    def _ask(self) -> tuple[Place | None, Callable[[], Raw]]:
        """A place with the current values, if there is one, and what waits for them."""
        for place in filter(self._current, self._places.values()):
            if place.panels is not None:
                return place, partial(self._in_order, place)
            try:
                return place, place.memory.device.ask(place.memory, self.nbytes)
            except DeviceError:
                if place.memory.alive:
                    raise
        return None, bytearray

    def _in_order(self, place: Place) -> Raw:
        """The bytes of a copy in panels, laid out in C order on its device; it stays as it is."""
        device, memory = place.memory.device, self._laid_out(place, None)
        try:
            return device.read(memory, self.nbytes)
        finally:
            device.free(memory)

    def _recompute(self) -> None:
        """The page that held the only copy is gone: run the call again if that gives the same."""
        if self.recipe is None or not self.recipe.repeatable:
            words = "an array" if self.call is None else f"the result of {self.call.words}"
            why = "its inputs have changed since"
            if self.recipe is None:
                why = f"more than {LONGEST_RECIPE} calls lead to it from arrays on the host"
            raise DeviceError(
                f"{words} was only in a page that is gone, and {why}",
                hint="call the kernel again",
            )
        try:
            twin = self.recipe.again()[self.output]
        except DeviceError as error:
            if self.call is None:
                raise
            raise named(error, self.call.words) from error
        self._host = np.array(twin.numpy())
        self._host_version = self.version
        self.recipe = None


def array(x: Any, dtype: DType | None = None) -> Array:
    """A resident array with a copy of `x` (anything NumPy reads).

    float64 and int64 values of Python numbers and lists become f32 and i32; a NumPy array
    keeps its dtype and is refused if no target holds it, with the `.astype` to write.
    Raises `CallError` for dtypes that have no name here, and for numbers that are not held.
    """
    if isinstance(x, Array):
        return x
    values = np.asarray(x)
    native = values.dtype.newbyteorder("=")
    if not isinstance(x, np.ndarray | np.generic) and native.kind in "fi":
        native = np.dtype(np.float32 if native.kind == "f" else np.int32)
    found = dtype or next((t for t in DTYPES.values() if t.numpy == native), None)
    if found is None:
        raise CallError(
            f"arrays of {values.dtype} have no dtype here",
            hint=".astype(numpy.float32), or one of " + ", ".join(DTYPES),
        )
    host = converted(values, found)
    made = Array(found, host.shape, _host=host, _host_version=0)
    if change := taken(values, found):
        made.transfers = (Transfer("numpy", "host", host.nbytes, change),)
    return made
