"""The null device records calls."""

from __future__ import annotations

import pytest

from workbench.base.errors import DeviceError
from workbench.program import Program
from workbench.runtime.null import Call, open_device

EMPTY = Program("nothing", "wgsl", (), (), (), (), (), ())


def test_calls_are_recorded_in_order() -> None:
    device = open_device()
    memory = device.allocate(8)
    device.write(memory, memoryview(b"12345678"))
    device.enqueue(EMPTY, {}, ()).wait(1.0)
    device.free(memory)

    assert device.calls == [
        Call("allocate", 8),
        Call("write", 8),
        Call("prepare", "nothing"),
        Call("enqueue", "nothing"),
        Call("free", 8),
    ]


def test_memory_dies_when_the_device_is_closed() -> None:
    device = open_device()
    memory = device.allocate(8)
    device.close()

    assert not memory.alive
    with pytest.raises(DeviceError, match="generation 0 of 'null', 'null' is at 1"):
        device.read(memory, 8)


def test_memory_of_another_device_is_refused() -> None:
    memory = open_device().allocate(8)

    with pytest.raises(DeviceError, match="give the array again"):
        open_device().read(memory, 8)


def test_a_buffer_over_the_limit_is_refused_with_limit_and_value() -> None:
    with pytest.raises(DeviceError, match="268435460 bytes: max_buffer_size is 268435456"):
        open_device().allocate(268435460)
