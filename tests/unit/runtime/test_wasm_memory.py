"""The one memory of WebAssembly: parts are apart, aligned, taken again, and end at 4 GiB."""

from __future__ import annotations

import gc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from workbench.base.errors import DeviceError
from workbench.runtime.wasm_memory import ALIGNMENT, LARGEST, MOST, Spaces


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), max_size=60))
@settings(deadline=None)
def test_parts_never_overlap_whatever_is_given_back(orders: list[tuple[bool, int]]) -> None:
    spaces = Spaces()
    taken: list[tuple[int, int]] = []
    for give, number in orders:
        if give and taken:
            spaces.give(*taken.pop(number % len(taken)))
        else:
            taken.append((spaces.take(number), number))
    ordered = sorted(taken)

    assert all(start >= ALIGNMENT and start % ALIGNMENT == 0 for start, _ in ordered)
    assert all(a + size <= b for (a, size), (b, _) in pairwise(ordered))
    assert all(start + size <= spaces.end for start, size in ordered)


def test_what_was_given_back_is_taken_again_as_one_part() -> None:
    spaces = Spaces()
    parts = [(spaces.take(100), 100) for _ in range(4)]
    end = spaces.end
    for part in parts:
        spaces.give(*part)

    assert spaces.take(512) == parts[0][0]
    assert spaces.end == end


def test_more_than_4_gib_is_refused_with_what_is_taken() -> None:
    spaces = Spaces()
    for _ in range(2):
        spaces.take(LARGEST)

    with pytest.raises(DeviceError, match=rf"4 GiB of memory, of which {2 * LARGEST} bytes"):
        spaces.take(LARGEST)
    assert spaces.take(64) + 64 <= MOST


def test_the_device_refuses_more_than_an_address_reaches() -> None:
    pytest.importorskip("wasmtime")
    from workbench.runtime.wasm import WasmDevice

    device = WasmDevice(workers=1)
    with pytest.raises(DeviceError, match=f"max_buffer_size is {LARGEST} on wasm"):
        device.allocate(LARGEST + 4)


def test_memory_grows_and_stays_where_it_was() -> None:
    pytest.importorskip("wasmtime")
    from workbench.runtime.wasm import WasmDevice

    device = WasmDevice(workers=1)
    first = device.allocate(4000)
    device.write(first, np.arange(1000, dtype=np.float32).data.cast("B"))
    large = device.allocate(300 * 2**20)
    device.write(large, np.full(1000, 7.0, np.float32).data.cast("B"))

    assert np.frombuffer(device.read(first, 4000), np.float32).tolist() == list(range(1000))
    device.free(large)
    gc.collect()
    again = device.allocate(300 * 2**20)
    content = np.frombuffer(device.read(again, 4000), np.float32)
    assert content.tolist() == [7.0] * 1000, "the same part of the memory"
