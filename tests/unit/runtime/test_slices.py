"""Long runs on the native device: a few submits, and an end between two of them where asked."""

from __future__ import annotations

from _thread import interrupt_main
from threading import Timer

import numpy as np
import pytest

import workbench as wb
from workbench.base.errors import DeviceError
from workbench.runtime.device import Device, Timing, open_device
from workbench.runtime.native_runs import Pace

pytestmark = pytest.mark.native

TURNS = """
def turns(x: i32[N], steps: i32) -> i32[N]:
    for t in range(steps):
        x[i] = x[(i + 1) % N] + 1
    return x
"""


@pytest.fixture(scope="module")
def native() -> Device:
    device = open_device("native")
    if not device.describe().available:
        pytest.skip(f"no adapter: {device.describe().cause}")
    return device


def turned(device: Device, steps: int) -> tuple[list[int], Timing]:
    """What 0, 10, 20 are after so many turns, and how the run went."""
    program = wb.kernel(TURNS).compile(on="native", dims={"N": 3, "steps": steps}).program
    x = device.allocate(12)
    y = device.allocate(12)
    device.write(x, np.array([0, 10, 20], np.int32).data)
    run = device.enqueue(program, {"x": x, program.outputs[0]: y}, [steps])
    found = np.frombuffer(device.read(y, 12), np.int32).tolist()
    for memory in (x, y):
        device.free(memory)
    return found, run.wait(60)


def expected(steps: int) -> list[int]:
    return [10 * ((n + steps) % 3) + steps for n in range(3)]


def test_ten_thousand_turns_are_a_few_submits(native: Device) -> None:
    found, first = turned(native, 10_000)
    again, second = turned(native, 10_000)

    assert found == again == expected(10_000)
    assert first.submits is not None
    assert second.submits is not None
    assert 10_000 / 4096 < second.submits <= first.submits < 500


def test_a_short_run_is_one_submit(native: Device) -> None:
    found, timing = turned(native, 50)

    assert found == expected(50)
    assert timing.submits == 1


def test_a_run_of_many_turns_stops_between_two_submits(native: Device) -> None:
    timer = Timer(0.5, native.stop)
    timer.start()
    with pytest.raises(DeviceError, match="'turns' was stopped"):
        turned(native, 50_000_000)
    timer.join()

    assert turned(native, 3)[0] == expected(3)


def test_a_run_of_many_turns_can_be_interrupted(native: Device) -> None:
    timer = Timer(0.5, interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        turned(native, 50_000_000)
    timer.join()

    assert turned(native, 3)[0] == expected(3)


def test_slices_follow_the_time_they_take() -> None:
    pace = Pace()
    pace.learn(64, 1.0)
    slow = pace.slice
    for _ in range(20):
        pace.learn(pace.slice, 0.001)

    assert slow == 6
    assert pace.slice == 4096
