"""What a small write on the host sends to a device that is a few versions behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import workbench as wb
from workbench.base.dtypes import DTYPES
from workbench.runtime.changes import KEPT, Changes, touched
from workbench.runtime.null import NullDevice

KEYS = st.one_of(
    st.tuples(st.integers(0, 3), st.integers(0, 4)),
    st.tuples(st.slices(4), st.slices(5)),
    st.tuples(st.just(Ellipsis), st.integers(-5, 4)),
    st.slices(4),
    st.integers(-4, 3),
    st.just(np.array([3, 1])),
)


@given(KEYS)
def test_all_that_a_key_writes_is_in_its_range(key: Any) -> None:
    values = np.zeros((4, 5), np.float32)
    found = touched(values, key)
    values[key] = 1
    written = np.flatnonzero(values)

    assert set(written) <= set(found)


def test_a_row_is_its_own_elements() -> None:
    assert touched(np.zeros((4, 5), np.float32), 2) == range(10, 15)


def test_a_mask_is_everything() -> None:
    assert touched(np.zeros(8), np.zeros(8, bool)) == range(8)


def test_changes_since_a_version_are_joined() -> None:
    changes = Changes().after(1, range(2, 3)).after(2, range(7, 9))

    assert (changes.since(0, 2), changes.since(1, 2)) == (range(2, 9), range(7, 9))


def test_who_is_too_far_behind_takes_everything() -> None:
    changes = Changes()
    for version in range(1, KEPT + 2):
        changes = changes.after(version, range(1))

    assert changes.since(0, KEPT + 1) is None
    assert changes.since(1, KEPT + 1) == range(1)


@pytest.fixture
def device() -> NullDevice:
    return NullDevice()


def sent(device: NullDevice) -> list[int]:
    return [int(c.about) for c in device.calls if c.method == "write"]


def test_only_what_changed_is_sent(device: NullDevice) -> None:
    a = wb.array(np.zeros(1000, np.float32))
    a.on(device)
    a[10:20] = 1.0
    a.on(device)
    a.on(device)

    assert sent(device) == [4000, 40]


def test_a_write_of_nothing_sends_nothing(device: NullDevice) -> None:
    a = wb.array(np.zeros(1000, np.float32))
    a.on(device)
    a[5:5] = 1.0
    a.on(device)

    assert sent(device) == [4000]


def test_a_writable_copy_sends_everything(device: NullDevice) -> None:
    a = wb.array(np.zeros(1000, np.float32))
    a.on(device)
    with a.host() as values:
        values[0] = 1.0
    a.on(device)

    assert sent(device) == [4000, 4000]


@pytest.mark.parametrize("name", ["f32", "i8", "f16", "bool", "i64"])
def test_what_a_device_holds_is_what_the_host_holds(name: str, device: NullDevice) -> None:
    dtype = DTYPES[name]
    a = wb.array(np.zeros(41, dtype.numpy))
    a.on(device)
    for key in (3, slice(5, 8), slice(39, 41), slice(0, 41, 7)):
        a[key] = 1
        memory = a.on(device)
        stored = np.uint32 if name == "bool" else dtype.numpy
        words = np.frombuffer(device.read(memory, a.nbytes), stored)

        np.testing.assert_array_equal(words.astype(dtype.numpy), a.numpy())


def test_a_failed_write_leaves_places_in_step(device: NullDevice) -> None:
    a = wb.array(np.zeros(8, np.float32))
    a.on(device)
    with pytest.raises(ValueError, match="broadcast"):
        a[2:4] = np.ones(3)

    assert np.frombuffer(device.read(a.on(device), 32), np.float32).tolist() == [0.0] * 8
