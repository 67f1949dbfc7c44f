"""Long runs, compilations and checks say how far they are; the clock of these tests is fake."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.unit.runtime.fake_page import FakePage, wait_until
from tests.unit.runtime.test_browser import PROGRAM, take
from workbench.base.progress import BOARD
from workbench.program import Copy, Dispatch, Repeat, While, steps
from workbench.runtime import cpu_pool
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.device import open_device
from workbench.runtime.page_device import PageDevice
from workbench.runtime.page_messages import CHUNK_BYTES

TURNS = """
def turns(x: i32[N], steps: i32) -> i32[N]:
    for t in range(steps):
        x[i] = x[(i + 1) % N] + 1
    return x
"""


class Said:
    """A screen that keeps what it was told."""

    stop = "stop it so"

    def __init__(self) -> None:
        self.words: list[str] = []

    def show(self, words: str, share: float | None, number: int) -> None:
        del share, number
        self.words.append(words)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    """What is said where a second goes by between two looks."""
    screen, seconds = Said(), itertools.count()
    monkeypatch.setattr(BOARD, "screen", lambda: screen)
    monkeypatch.setattr(BOARD, "clock", lambda: float(next(seconds)))
    monkeypatch.setattr(cpu_pool, "SLICE", 0.001)
    return screen


@pytest.mark.parametrize(
    ("on", "turns"),
    [("cpu", 3000), ("wasm", 300), pytest.param("native", 3000, marks=pytest.mark.native)],
)
def test_a_run_of_many_turns_says_how_far_it_is(on: str, turns: int, said: Said) -> None:
    if not open_device(on).describe().available:
        pytest.skip(f"no {on}")
    k = wb.kernel(TURNS)
    k(np.arange(3, dtype=np.int32), 3, on=on).numpy()
    said.words.clear()
    total = steps(k.compile(on=on, dims={"N": 3, "steps": turns}).program.body) or 0
    found = k(np.array([0, 10, 20], np.int32), turns, on=on).numpy()

    assert found.tolist() == [turns, 10 + turns, 20 + turns]
    pattern = rf"(?:waiting for|running) 'turns'.*: ([\d,]+) of {total:,} dispatches · \d+ s · stop"
    counted = [int(m[1].replace(",", "")) for w in said.words if (m := re.match(pattern, w))]
    assert counted
    assert counted == sorted(counted)
    assert 0 < counted[-1] <= total
    assert said.words[-1] == ""


@pytest.fixture
def device() -> Iterator[BrowserDevice]:
    opened = BrowserDevice()
    yield opened
    opened.close()


@pytest.fixture
def page(device: BrowserDevice) -> Iterator[FakePage]:
    joined = FakePage(device.serve())
    joined.hello()
    wait_until(lambda: joined.server.page is not None)
    yield joined
    joined.close()


def test_a_page_says_how_far_its_run_is(device: BrowserDevice, page: FakePage, said: Said) -> None:
    program = replace(PROGRAM, body=(Repeat(100, PROGRAM.body),))

    def serve() -> None:
        for _ in range(2):
            page.send(kind="reply", id=take(page)["id"], ok={})
        identity = take(page)["id"]
        page.send(kind="progress", id=identity, steps=42)
        wait_until(lambda: any("42 of 100" in words for words in said.words))
        page.send(kind="reply", id=identity, ok={"submits": 1, "dispatches": 100})

    serving = threading.Thread(target=serve)
    serving.start()
    memory = device.allocate(16)
    device.now().prepare(program)
    run = device.enqueue(program, {"c": memory}, [])
    run.wait(5)
    serving.join()

    assert "waiting for 'copy' in the page: 42 of 100 dispatches" in "".join(said.words)
    assert said.words[-1] == ""


def test_what_takes_long_to_cross_says_how_far_it_is(
    device: BrowserDevice, page: FakePage, said: Said
) -> None:
    def told(words: str) -> None:
        wait_until(lambda: any(words in each for each in said.words))

    def serve() -> None:
        allocation, write = take(page), take(page)
        page.send(kind="reply", id=allocation["id"], ok={})
        for _ in range(2):
            page.take()
            page.send(kind="received", id=write["id"], bytes=CHUNK_BYTES)
            told("waiting for the page: 4 of 8 MB to the page")
        page.send(kind="reply", id=write["id"], ok={})
        for number in range(2):
            read = take(page)
            page.send_frame(read["id"], 0, bytes([number]) * CHUNK_BYTES)
            told("reading an array: 4 of 8 MB from the page")
            page.send(kind="reply", id=read["id"], ok={})

    serving = threading.Thread(target=serve)
    serving.start()
    memory = device.allocate(2 * CHUNK_BYTES)
    memory.device.write(memory, memoryview(bytes(2 * CHUNK_BYTES)))
    assert isinstance(memory.device, PageDevice)
    memory.device._wait_for(memory.device._uploads[0][0])
    content = memory.device.read(memory, 2 * CHUNK_BYTES)
    serving.join()

    assert said.words[-1] == ""
    assert (content[0], content[-1]) == (0, 1)


def test_compiling_and_checking_say_which_stage_is_next(said: Said) -> None:
    c = wb.kernel(TURNS).compile(on="cpu", dims={"N": 3, "steps": 4})
    compiled = said.words[:]
    said.words.clear()
    assert c.check().ok

    assert any(re.match(r"compiling 'turns': 4 stages, now \w+ · \d+ s", w) for w in compiled)
    assert compiled[-1] == ""
    total = len(c.stages)
    assert any(w.startswith(f"checking 'turns': 3 of {total} stages, now") for w in said.words)
    assert said.words[-1] == ""


def test_steps_are_the_dispatches_and_copies_of_a_run() -> None:
    once = Dispatch("k", (1, 1, 1))

    assert steps((once, Repeat(10, (Copy("a", "b"), Repeat(2, (once,)))))) == 31
    assert steps((once, While("go", (once,)))) is None
