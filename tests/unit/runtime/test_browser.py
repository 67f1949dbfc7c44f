"""The device `browser` without a browser: what it says, sends and waits for."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tls import certificate
from tests.unit.runtime.fake_page import GPU, FakePage, wait_until
from workbench.base.dtypes import DTYPES
from workbench.base.errors import DeviceError
from workbench.base.source import Origin, Source, Span
from workbench.base.text import Mark, Text
from workbench.program import Buffer, Dispatch, Kernel, Parameter, Program
from workbench.runtime import connect, page_device, page_peer
from workbench.runtime.arrays import array
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.browser_wasm import PageWasm
from workbench.runtime.device import open_device
from workbench.runtime.enqueue import enqueue
from workbench.runtime.page_device import PageDevice
from workbench.runtime.page_messages import Failure
from workbench.runtime.page_values import device_error, scalar_words
from workbench.runtime.rejected import rejected

F32 = DTYPES["f32"]
PROGRAM = Program(
    name="copy",
    target="wgsl",
    buffers=(Buffer("c", F32, (4,), "output"),),
    scalars=(),
    inputs=(),
    outputs=("c",),
    kernels=(Kernel("k", "fn main() {}", ()),),
    body=(Dispatch("k", (1, 1, 1)),),
)


@pytest.fixture
def device() -> Iterator[BrowserDevice]:
    opened = BrowserDevice()
    yield opened
    opened.close()


@pytest.fixture
def page(device: BrowserDevice) -> Iterator[FakePage]:
    server = device.serve()
    joined = FakePage(server)
    joined.hello()
    wait_until(lambda: server.page is not None)
    yield joined
    joined.close()


def take(page: FakePage) -> dict[str, Any]:
    request = page.take()
    assert isinstance(request, dict)
    return request


def test_without_a_page_it_says_so_at_once(
    device: BrowserDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    device.serve()
    device.expect_page()
    started = time.monotonic()
    description = device.describe()
    with pytest.raises(DeviceError, match="there is no page"):
        device.allocate(16)

    assert time.monotonic() - started < 0.5
    assert not description.available
    assert "no browser shows this process" in description.cause
    assert "%load_ext workbench" in description.remedy


def test_it_waits_for_a_page_that_a_notebook_is_opening(
    device: BrowserDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook.ipynb")
    page = FakePage(device.serve())
    threading.Timer(0.3, page.hello).start()
    device.expect_page()

    assert device.describe().available
    page.close()


def test_a_page_that_cannot_come_leads_to_the_proxy(device: BrowserDevice) -> None:
    device.serve()
    device.expect_page(0.1)
    description = device.describe()

    assert "asked to join and did not come" in description.cause
    assert "jupyter-server-proxy" in description.remedy


def test_a_page_without_a_gpu_gives_cause_and_remedy(device: BrowserDevice) -> None:
    page = FakePage(device.serve())
    page.hello(gpu={"available": False, "cause": "no secure context", "remedy": "use https"})
    device.expect_page(5)
    description = device.describe()

    assert (description.cause, description.remedy) == ("no secure context", "use https")
    with pytest.raises(DeviceError, match="no secure context") as caught:
        device.allocate(16)
    assert caught.value.mistakes[0].hint == "use https"
    page.close()


def test_limits_and_adapter_come_from_the_page(device: BrowserDevice, page: FakePage) -> None:
    description = device.describe()

    assert page.server.page is not None
    assert description.adapter == "a GPU test"
    assert description.hardware
    assert description.limits.max_buffer_size == GPU["adapter"]["limits"]["maxBufferSize"]
    assert description.limits.max_compute_workgroup_size_z == 64


def test_a_buffer_beyond_a_limit_is_refused_here(device: BrowserDevice, page: FakePage) -> None:
    with pytest.raises(DeviceError, match=r"2147483648 bytes: max_buffer_size is 1073741824"):
        device.allocate(1 << 31)
    device.free(device.allocate(16))

    assert take(page) == {
        "kind": "alloc", "id": 1, "engine": "gpu", "buffer": 1, "bytes": 16,
    }  # fmt: skip


def test_calls_return_before_the_page_answers(device: BrowserDevice, page: FakePage) -> None:
    memory = device.allocate(16)
    device.write(memory, memoryview(bytes(16)))
    run = device.enqueue(PROGRAM, {"c": memory}, [])
    kinds = [take(page)["kind"], take(page)["kind"], page.take(), take(page)["kind"]]
    request = take(page)

    assert kinds == ["alloc", "write", bytes([2, *[0] * 31]), "compile"]
    assert (request["kind"], request["buffers"], request["scalars"]) == ("run", {"c": 1}, [])
    assert not run.done()


def test_what_was_written_is_what_was_there_at_the_call(
    device: BrowserDevice, page: FakePage
) -> None:
    memory = device.allocate(4)
    content = bytearray(b"abcd")
    device.write(memory, memoryview(content))
    content[:] = b"wxyz"
    frames = [page.take() for _ in range(3)]

    assert isinstance(frames[2], bytes)
    assert frames[2][16:] == b"abcd"


def test_freed_buffers_travel_with_the_next_request(device: BrowserDevice, page: FakePage) -> None:
    kept, freed = device.allocate(4), device.allocate(4)
    device.free(freed)
    device.write(kept, memoryview(bytes(4)))
    kinds = [take(page) for _ in range(4)]

    assert kinds[2] == {"kind": "free", "id": 3, "engine": "gpu", "buffers": [2]}
    assert kinds[3]["kind"] == "write"


def test_a_program_is_compiled_once_per_page(device: BrowserDevice, page: FakePage) -> None:
    memory = device.allocate(16)
    for _ in range(2):
        device.enqueue(PROGRAM, {"c": memory}, [])
    device.enqueue(replace(PROGRAM), {"c": memory}, [])

    assert [take(page)["kind"] for _ in range(5)] == ["alloc", "compile", "run", "run", "run"]


def test_a_refused_program_is_compiled_anew(device: BrowserDevice, page: FakePage) -> None:
    def refuse() -> None:
        page.send(kind="reply", id=take(page)["id"], error={"kind": "shader", "message": "no"})

    for _ in range(2):
        refusal = threading.Thread(target=refuse)
        refusal.start()
        with pytest.raises(DeviceError, match="no"):
            device.prepare(PROGRAM)
        refusal.join()


def test_a_read_is_put_together_from_pieces(
    device: BrowserDevice, page: FakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.runtime.page_messages.CHUNK_BYTES", 8)
    memory = device.allocate(20)
    take(page)

    def answer() -> None:
        for start in (0, 8, 16):
            request = take(page)
            assert (request["offset"], request["bytes"]) == (start, min(8, 20 - start))
            page.send_frame(request["id"], 0, bytes(range(start, start + request["bytes"])))
            page.send(kind="reply", id=request["id"], ok={})

    answers = threading.Thread(target=answer)
    answers.start()
    content = device.read(memory, 18)
    answers.join()

    assert content == bytes(range(18))


def test_a_buffer_of_a_page_that_is_gone_is_refused_at_once(
    device: BrowserDevice, page: FakePage
) -> None:
    memory = device.allocate(16)
    page.close()
    wait_until(lambda: not memory.alive)
    started = time.monotonic()
    with pytest.raises(DeviceError, match="a page that was closed"):
        device.read(memory, 16)

    assert time.monotonic() - started < 0.5


def test_a_late_answer_stops_the_call(device: BrowserDevice, page: FakePage) -> None:
    memory = device.allocate(16)
    run = device.enqueue(PROGRAM, {"c": memory}, [])
    threading.Thread(target=lambda: page.answer_pings_until("cancel"), daemon=True).start()
    with pytest.raises(DeviceError, match=r"no result within 0\.3 s"):
        run.wait(0.3)


def test_an_interrupt_stops_the_call_in_the_page(
    device: BrowserDevice, page: FakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = device.allocate(16)
    run = device.enqueue(PROGRAM, {"c": memory}, [])

    def interrupted(_future: Future[Any], _timeout: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Future, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.wait(5)
    requests = [take(page) for _ in range(4)]

    # It overtakes: what it ends may arrive after it.
    assert {"kind": "cancel", "id": 0, "through": 3} in requests


def test_a_silent_page_is_reported_in_about_two_seconds(
    device: BrowserDevice, page: FakePage
) -> None:
    assert page.server.page is not None
    memory = device.allocate(16)
    started = time.monotonic()
    with pytest.raises(DeviceError, match="the page has not answered"):
        device.read(memory, 16)

    assert time.monotonic() - started < (page_peer.PINGS_MISSED + 2) * page_peer.PING_SECONDS


def test_an_error_of_the_gpu_that_nobody_awaits_is_reported(
    device: BrowserDevice, page: FakePage
) -> None:
    memory = device.allocate(16)
    run = device.enqueue(PROGRAM, {"c": memory}, [])
    page.send(kind="fault", message="validation went wrong")
    page.send(kind="reply", id=3, ok={"milliseconds": 1})
    with pytest.raises(DeviceError, match="the page's GPU reported: validation went wrong"):
        run.wait(5)


def test_without_tornado_the_remedy_is_its_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "workbench.runtime.page_server", None)
    with pytest.raises(DeviceError, match="not installed") as caught:
        BrowserDevice().serve()

    assert "pip install" in caught.value.mistakes[0].hint


def test_scalars_keep_every_bit() -> None:
    names = ("f32", "f32", "i32", "u32", "bool")
    parameters = tuple(Parameter(f"s{n}", DTYPES[name]) for n, name in enumerate(names))
    program = replace(PROGRAM, scalars=parameters)

    assert scalar_words(program, [1.0, math.inf, -1, 7, True]) == [
        0x3F800000,
        0x7F800000,
        0xFFFFFFFF,
        7,
        1,
    ]


def test_scalars_are_two_words_each_in_webassembly() -> None:
    parameters = tuple(Parameter(name, DTYPES[name]) for name in ("i64", "f64", "i8"))
    program = replace(PROGRAM, target="wasm", scalars=parameters)

    assert scalar_words(program, [2**32 + 5, 1.0, -1]) == [5, 1, 0, 0x3FF00000, 0xFF, 0]


def test_a_shader_error_shows_code_and_source() -> None:
    text = Text("let x = 1;\nlet y = x + ;\n", (Mark(19, 22, Origin(Span(Source("a + b"), 0, 5))),))
    error = rejected(
        Kernel("k", text.value, (), text=text), "expected expression", line=2, column=9
    )

    assert str(error).splitlines() == [
        "the driver refused kernel 'k' at line 2, column 9 of its code: expected expression",
        "    let y = x + ;",
        "    1 | a + b",
        "        ^^^^^",
    ]


def test_a_shader_error_without_a_place_names_the_kernel() -> None:
    failure = Failure("shader", "too complex", kernel="k")

    assert str(device_error(failure, PROGRAM)) == "the driver refused kernel 'k': too complex"


def test_connect_serves_its_page_and_nothing_else() -> None:
    page = connect.content("")
    assert page is not None

    assert page[0].startswith("text/html")
    assert b"joinPage" in page[1]
    assert connect.content("secrets.txt") is None


def test_connect_opens_its_page_and_describes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_device("browser")
    assert isinstance(opened, BrowserDevice)
    pages: list[FakePage] = []

    def open_page(address: str) -> bool:
        assert address == opened.serve().address
        pages.append(FakePage(opened.serve()))
        pages[0].hello()
        return True

    monkeypatch.setattr("webbrowser.open", open_page)
    description = connect.connect()
    pages[0].close()
    opened.close()

    assert description.available


def test_connect_says_when_nobody_came(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DeviceError, match=r"no page came within 0\.1 s to the address"):
        connect.connect(open_browser=False, seconds=0.1)
    open_device("browser").close()

    assert capsys.readouterr().out.startswith("open http://127.0.0.1:")


def test_connect_beyond_this_machine_is_refused_without_tls() -> None:
    with pytest.raises(DeviceError, match=r"without TLS: .* could read the token") as caught:
        connect.connect(host="192.0.2.1")
    assert "certificate=('cert.pem', 'key.pem')" in caught.value.mistakes[0].hint


def test_connect_says_which_certificate_and_which_address_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"certificate 'none\.pem': No such file"):
        connect.connect(host="192.0.2.1", certificate="none.pem")
    with pytest.raises(DeviceError, match=r"connect\(host='192\.0\.2\.1', port=0\): "):
        connect.connect(host="192.0.2.1", certificate=certificate(tmp_path))
    open_device("browser").close()


NO_GPU = {"available": False, "cause": "the browser found no adapter", "remedy": "another one"}
WASM = {"available": True, "workers": 4, "shared": True}


@pytest.fixture
def old_page(device: BrowserDevice) -> Iterator[FakePage]:
    """A page without WebGPU."""
    server = device.serve()
    joined = FakePage(server)
    joined.hello(gpu=NO_GPU, wasm=WASM)
    wait_until(lambda: server.page is not None)
    yield joined
    joined.close()


def test_a_page_without_webgpu_computes_with_wasm_and_says_why(
    device: BrowserDevice, old_page: FakePage
) -> None:
    found = device.describe()
    device.allocate(16)

    assert (found.available, found.target, device.target) == (True, "wasm", "wasm")
    assert not found.hardware
    assert found.adapter == (
        "WebAssembly in the page, 4 workers, as there is no WebGPU: the browser found no adapter"
    )
    assert take(old_page)["engine"] == "wasm"


def test_a_page_with_neither_is_not_there(device: BrowserDevice) -> None:
    server = device.serve()
    joined = FakePage(server)
    joined.hello(gpu=NO_GPU)
    wait_until(lambda: server.page is not None)

    assert device.describe().cause == "the browser found no adapter"
    with pytest.raises(DeviceError, match="found no adapter"):
        device.allocate(16)
    joined.close()


def test_the_wasm_of_a_page_is_a_device_beside_its_gpu(device: BrowserDevice) -> None:
    server = device.serve()
    joined = FakePage(server)
    joined.hello(wasm=WASM)
    wait_until(lambda: server.page is not None)
    beside = PageWasm(device, "wasm", "wasmtime is missing", "install it")
    another = PageWasm(device)
    for each in (device, beside, another):
        each.allocate(16)
    requests = [take(joined) for _ in range(3)]
    engines = [(r["engine"], r["buffer"]) for r in requests]
    targets = device.target, beside.target, another.target
    joined.close()
    wait_until(lambda: server.page is None)

    assert targets == ("wgsl", "wasm", "wasm")
    assert engines == [("gpu", 1), ("wasm", 2), ("wasm", 3)], "no two buffers of one number"
    assert (beside.name, another.name) == ("wasm", "browser-wasm")
    assert beside.describe().cause.startswith("wasmtime is missing; ")
    assert beside.describe().remedy == "install it"


@pytest.fixture
def pages(device: BrowserDevice) -> Iterator[tuple[FakePage, FakePage]]:
    """Two pages; the first is asked until the second says that it showed a panel."""
    server = device.serve()
    opened: list[FakePage] = []
    for count in (1, 2):
        opened.append(FakePage(server))
        opened[-1].hello()
        wait_until(lambda wanted=count: server.count == wanted)
    yield opened[0], opened[1]
    for page in opened:
        page.close()


def turn_to(page: FakePage, device: BrowserDevice, number: int) -> None:
    page.send(kind="shown")
    wait_until(lambda: device.now().peer.number == number)


def test_buffers_stay_in_their_page_when_another_is_asked(
    device: BrowserDevice, pages: tuple[FakePage, FakePage]
) -> None:
    first, second = pages
    old = device.allocate(16)
    turn_to(second, device, 2)
    new = device.allocate(16)
    device.write(old, memoryview(bytes(4)))
    kinds = [(take(page)["kind"], page is first) for page in (first, second, first)]

    assert old.alive
    assert (old.device.name, new.device.name) == ("browser", "browser (page 2)")
    assert old.handle != new.handle, "a page that is asked for another's buffer holds none"
    assert kinds == [("alloc", True), ("alloc", False), ("write", True)]


def test_a_page_that_goes_takes_only_its_own_buffers(
    device: BrowserDevice, pages: tuple[FakePage, FakePage]
) -> None:
    first, second = pages
    old = device.allocate(16)
    turn_to(second, device, 2)
    new = device.allocate(16)
    second.close()
    wait_until(lambda: not new.alive)

    assert old.alive
    assert device.now() is old.device
    assert take(first)["kind"] == "alloc"


def test_an_array_has_a_place_in_each_page(
    device: BrowserDevice, pages: tuple[FakePage, FakePage]
) -> None:
    a = array(np.ones(4, np.float32))
    memory = a.on(device)
    turn_to(pages[1], device, 2)
    there = a.on(device)
    turn_to(pages[0], device, 1)

    assert a.places == ("host", "browser", "browser (page 2)")
    assert there is not memory
    assert a.on(device) is memory


def test_a_call_goes_to_one_page_whatever_is_shown_meanwhile(
    device: BrowserDevice, pages: tuple[FakePage, FakePage], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pages

    def prepared(_page: PageDevice, _program: Program) -> None:
        turn_to(second, device, 2)

    monkeypatch.setattr(PageDevice, "prepare", prepared)
    (result,) = enqueue(PROGRAM, device, [], [], words="copy()")

    assert result.places == ("browser",)
    assert [take(first)["kind"] for _ in range(3)] == ["alloc", "compile", "run"]


def test_what_is_freed_in_another_page_is_given_back_at_the_next_call(
    device: BrowserDevice, pages: tuple[FakePage, FakePage]
) -> None:
    first, second = pages
    memory = device.allocate(16)
    turn_to(second, device, 2)
    device.free(memory)
    device.allocate(16)

    assert [take(first)["kind"] for _ in range(2)] == ["alloc", "free"]


def test_the_table_says_which_of_several_pages_is_asked(
    device: BrowserDevice, pages: tuple[FakePage, FakePage]
) -> None:
    turn_to(pages[1], device, 2)

    assert device.describe().name == "browser"
    assert device.describe().adapter == "a GPU test; page 2 of 2"


def test_a_program_of_another_target_is_refused(device: BrowserDevice, page: FakePage) -> None:
    assert page.server.count == 1
    with pytest.raises(DeviceError, match="'copy' is a program for llvm, browser runs wgsl"):
        device.prepare(replace(PROGRAM, target="llvm"))


def test_a_stream_of_writes_is_two_ahead_of_the_page(
    device: BrowserDevice, page: FakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_device, "_AHEAD_BYTES", 16384)
    memory = device.allocate(8192)
    allocation = take(page)
    written: list[int] = []

    def stream() -> None:
        for number in range(4):
            memory.device.write(memory, memoryview(bytes([number]) * 8192))
            written.append(number)

    streaming = threading.Thread(target=stream, daemon=True)
    streaming.start()
    wait_until(lambda: len(written) == 3)
    streaming.join(0.2)
    assert len(written) == 3
    page.send(kind="reply", id=allocation["id"], ok={})
    write = take(page)
    page.take()
    page.send(kind="received", id=write["id"], bytes=8192)
    page.send(kind="reply", id=write["id"], ok={})
    streaming.join(5)

    assert written == [0, 1, 2, 3]


def test_a_lost_engine_takes_only_its_own_buffers(device: BrowserDevice) -> None:
    server = device.serve()
    joined = FakePage(server)
    joined.hello(wasm=WASM)
    wait_until(lambda: server.page is not None)
    beside = PageWasm(device)
    gpu, wasm = device.allocate(16), beside.allocate(16)
    joined.send(kind="lost", engine="wasm", message="it did not stop")
    wait_until(lambda: not wasm.alive)

    assert gpu.alive
    joined.close()


def test_a_page_without_webassembly_says_why(device: BrowserDevice, page: FakePage) -> None:
    assert page.server.page is not None
    found = PageWasm(device).describe()

    assert (found.name, found.available, found.cause) == ("browser-wasm", False, "it is old")
    assert found.remedy == "a new one"


def test_a_program_not_used_for_long_is_sent_again(
    device: BrowserDevice, page: FakePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_device, "KEPT_PROGRAMS", 2)
    memory = device.allocate(16)
    take(page)
    programs = [replace(PROGRAM, name=name) for name in "abc"]
    sent: list[str] = []
    for program in (*programs, programs[2], programs[1], programs[0]):
        device.enqueue(program, {"c": memory}, [])
        while (request := take(page))["kind"] == "compile":
            sent.append(request["program"]["name"])

    assert "".join(sent) == "abca"


def test_a_program_that_the_page_dropped_is_sent_with_the_next_call(
    device: BrowserDevice, page: FakePage
) -> None:
    memory = device.allocate(16)
    first = device.enqueue(PROGRAM, {"c": memory}, [])
    kinds = [take(page)["kind"] for _ in range(2)]
    run = take(page)
    page.send(kind="reply", id=run["id"], error={"kind": "dropped", "message": "it is not here"})
    with pytest.raises(DeviceError, match="it is not here") as caught:
        first.wait(5)
    device.enqueue(PROGRAM, {"c": memory}, [])

    assert caught.value.mistakes[0].hint.startswith("call the kernel again")
    assert [*kinds, run["kind"]] == ["alloc", "compile", "run"]
    assert [take(page)["kind"] for _ in range(2)] == ["compile", "run"]
