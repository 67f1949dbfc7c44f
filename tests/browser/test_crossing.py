"""What crosses to a page and back: each byte once, in pieces, also where the socket is cut."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

import workbench as wb
from tests.cdp import Chrome, opened
from tests.lab import find_chromium
from workbench.base.errors import DeviceError
from workbench.runtime.arrays import Array
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.connect import page_address
from workbench.runtime.device import open_device
from workbench.runtime.page_peer import Peer

FLIP = wb.kernel("def flip(x: u32[N]) -> u32[N]:\n    y[i] = x[i] ^ 0xffffffff\n    return y\n")
COLUMNS = wb.kernel(
    "def columns(x: u32[M, N]) -> u32[M, N]:\n    y[i, j] = x[i, j] ^ 0xffffffff\n    return y\n"
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts the bytes that cross in a block, in MB."""

    device: BrowserDevice

    def of(self, work: object) -> float:
        before = self.device.traffic()[1]
        assert callable(work)
        work()
        return (self.device.traffic()[1] - before) / 1e6


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    """A browser that mirrors no frames."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("chromium is not installed; sudo apt-get install chromium")
    with opened(executable) as running:
        yield running


@pytest.fixture(scope="module")
def device(chrome: Chrome) -> BrowserDevice:
    """The device `browser` of this process, with a page."""
    found = open_device("browser")
    assert isinstance(found, BrowserDevice)
    chrome.open(page_address(found))
    found.expect_page(30)
    assert found.describe().available
    return found


def flipped(x: Array | np.ndarray) -> Array:
    y = FLIP(x, on="browser")
    assert isinstance(y, Array)
    return y


def test_256_mb_cross_once_each_way(device: BrowserDevice) -> None:
    x = wb.array(np.arange(64 << 20, dtype=np.uint32).reshape(8192, 8192))
    count = Traffic(device)
    results: list[Array] = []

    def call() -> None:
        y = COLUMNS(x, on="browser")
        assert isinstance(y, Array)
        y.call.wait()  # pyright: ignore[reportOptionalMemberAccess]
        results.append(y)

    sent, again = count.of(call), count.of(call)
    came, come = count.of(results[1].numpy), count.of(results[1].numpy)
    right = np.array_equal(results[1].numpy(), ~x.numpy())
    for a in (x, *results):
        a.free()

    assert right
    assert [round(mb) for mb in (sent, again, came, come)] == [268, 0, 268, 0]


def test_what_changed_crosses_and_no_more(device: BrowserDevice) -> None:
    x = wb.array(np.arange(4 << 20, dtype=np.uint32))
    flipped(x).numpy()
    x[1000:3000] = 7
    y = flipped(x)
    sent = Traffic(device).of(y.call.wait)  # pyright: ignore[reportOptionalMemberAccess]
    assert y.numpy()[2000] == ~np.uint32(7)
    assert sent < 0.02


def test_beyond_the_device_s_limit_the_array_is_refused(device: BrowserDevice) -> None:
    limit = device.describe().limits.max_storage_buffer_binding_size
    with pytest.raises(DeviceError, match=rf"max_.* is {limit} on this device") as caught:
        device.allocate(limit + 4)

    assert caught.value.mistakes[0].hint == "smaller arrays, or on='cpu'"


def cut(device: BrowserDevice, after: int) -> threading.Thread:
    """Cut the socket once so many bytes more have crossed; gives the thread that does so."""
    peer = device.now().peer
    at = peer.bytes + after

    def wait_and_cut() -> None:
        while peer.bytes < at:
            time.sleep(0.001)
        device.serve().soon(_cut, peer)

    thread = threading.Thread(target=wait_and_cut)
    thread.start()
    return thread


def _cut(peer: Peer) -> None:
    peer.wire.ws_connection.stream.close()  # pyright: ignore[reportAttributeAccessIssue]


def test_an_upload_that_is_cut_is_sent_again(device: BrowserDevice) -> None:
    x = np.random.default_rng(0).integers(0, 1 << 32, 12 << 20, dtype=np.uint32)
    before = device.now().peer
    cutting = cut(device, 20 << 20)
    y = flipped(x)
    result = y.numpy()
    cutting.join()

    assert not before.alive
    np.testing.assert_array_equal(result, ~x)


def test_a_download_that_is_cut_is_computed_again(device: BrowserDevice) -> None:
    x = np.random.default_rng(1).integers(0, 1 << 32, 12 << 20, dtype=np.uint32)
    y = flipped(x)
    assert y.call is not None
    y.call.wait()
    before = device.now().peer
    cutting = cut(device, 20 << 20)
    result = y.numpy()
    cutting.join()

    assert not before.alive
    np.testing.assert_array_equal(result, ~x)
