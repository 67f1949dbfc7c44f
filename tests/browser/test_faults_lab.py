"""Every fault in a real JupyterLab: each ends in recovery, or in an error that says what to do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Worker

from tests.lab import IDLE, Lab, Notebook
from workbench.runtime.page_messages import PROTOCOL_VERSION

START = """
%load_ext workbench
import json, pathlib, time
import numpy as np
import workbench as wb
from workbench.runtime.device import open_device
device = open_device("browser")
k = wb.kernel('''
def double(x: f32[N]) -> f32[N]:
    y[i] = 2.0 * x[i]
    return y
''')
turns = wb.kernel('''
def turns(x: i32[N], steps: i32) -> i32[N]:
    for t in range(steps):
        x[i] = x[(i + 1) % N] + 1
    return x
''')
wide = wb.kernel('''
def wide(x: f32[N]) -> f32[N, N]:
    y[i, j] = x[i] + x[j]
    return y
''')
x = wb.array(np.arange(4, dtype=np.float32))
rest = np.array([0, 10, 20], np.int32)

def said(work):
    try:
        result = work()
        print("gave", getattr(result, "tolist", lambda: result)())
    except wb.DeviceError as error:
        print(type(error).__name__, error)

said(lambda: k(x, on="browser").numpy())
"""
RIGHT = "said(lambda: k(x, on='browser').numpy())"
GAVE = "gave [0.0, 2.0, 4.0, 6.0]"
LONG = """
pathlib.Path("began").touch()
try:
    turns(rest, 10**8, on="browser").numpy()
    said_then = "it ended"
except wb.DeviceError as error:
    said_then = str(error)
after = time.monotonic() - device.pages.parted_at
print(said_then)
"""
JOINED = f"() => globalThis[Symbol.for('workbench.page.v{PROTOCOL_VERSION}')]?.joined.size"
GPU = "globalThis[Symbol.for('workbench.gpu.v1')]"
CLOSED = """([address, frames]) => new Promise((resolve) => {
    const socket = new WebSocket(address);
    let opened = false;
    socket.onopen = () => {
        opened = true;
        for (const frame of frames) {
            if (typeof frame === "string") socket.send(frame);
            else socket.send(new Uint8Array(frame));
        }
        if (frames.length === 0) socket.close();
    };
    socket.onclose = ({ code }) => { resolve([opened, code]); };
})"""


class Shell:
    """A notebook of one cell in a page of JupyterLab, whose kernel has started the workbench."""

    def __init__(self, lab: Lab, context: BrowserContext) -> None:
        self.lab = lab
        self.context = context
        self.began = lab.folder / "began"
        self.page = context.new_page()
        self.notebook: Notebook = lab.open(self.page, [""], name="faults.ipynb")
        assert self.run(START) == GAVE

    def run(self, code: str) -> str:
        """What a cell with this code shows."""
        self.start(code)
        self.notebook.wait()
        return self.notebook.texts()[0]

    def start(self, code: str) -> None:
        """Run a cell with this code without waiting for it."""
        self.notebook.write_cell(0, code)
        self.notebook.start_cell(0)

    def start_long(self) -> None:
        """Start a cell whose call runs for minutes, and return once it runs."""
        self.began.unlink(missing_ok=True)
        self.start(LONG)
        wait_until(self.began.exists)
        self.page.wait_for_timeout(300)

    def come_back(self) -> None:
        """Wait until the notebook is shown again, its kernel idle and its page joined again."""
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.page.wait_for_function(IDLE)
        self.page.wait_for_function(f"({JOINED})() > 0")

    def open_again(self) -> None:
        """Show the notebook in another page."""
        self.page = self.context.new_page()
        self.page.goto(f"{self.lab.url}lab/tree/faults.ipynb?token={self.lab.token}")
        self.notebook = Notebook(self.page, name="faults.ipynb")
        self.come_back()

    def restart(self) -> None:
        """Start the kernel anew."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        self.page.wait_for_function(IDLE)

    def worker(self) -> Worker:
        """The worker that holds the page's GPU."""
        found = [w for w in self.page.workers if w.evaluate(f"() => {GPU} !== undefined")]
        assert len(found) == 1
        return found[0]

    def address(self) -> str:
        """The address of the kernel's socket, with its token."""
        words = self.run("print(device.pages.port, device.pages.token)").split()
        return f"ws://127.0.0.1:{words[0]}/{words[1]}/ws"


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def shell(browser: Browser, lab: Lab) -> Iterator[Shell]:
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    yield Shell(lab, context)
    context.close()
    lab.forget()


def test_what_only_a_page_held_is_computed_again_after_its_reload(shell: Shell) -> None:
    shell.run("y = k(x, on='browser'); y.numpy(); z = k(y, on='browser'); w = k(x, on='browser')")
    shell.page.reload()
    shell.come_back()

    assert shell.run("print(z.places, z.numpy())") == "() [ 0.  4.  8. 12.]"
    words = shell.run("x[0] = 5; said(w.numpy); x[0] = 0")
    assert "double(...) in line 1 of its cell" in words
    assert "was only in a page that is gone, and its inputs have changed since" in words
    assert "try: call the kernel again" in words


def test_a_reload_in_the_midst_of_a_call_is_said_within_two_seconds(shell: Shell) -> None:
    shell.start_long()
    shell.page.reload()
    shell.come_back()
    words = shell.run("print(f'{after:.2f}', said_then)")

    assert float(words.split()[0]) < 2
    assert "turns(...) in line 3 of its cell: " in words
    assert "the page that was connected was closed or reloaded" in words
    assert "try: the cell again, once a browser shows the notebook again" in words
    assert shell.run(RIGHT) == GAVE


def test_a_closed_tab_is_said_within_two_seconds_and_the_next_one_computes(shell: Shell) -> None:
    shell.start_long()
    shell.page.close()
    shell.open_again()
    words = shell.run("print(f'{after:.2f}', said_then)")

    assert float(words.split()[0]) < 2
    assert "turns(...) in line 3 of its cell: " in words
    assert "was closed or reloaded" in words
    assert shell.run(RIGHT) == GAVE


def test_a_page_that_hangs_is_said_within_two_seconds(shell: Shell) -> None:
    hang = "began = time.monotonic()\nsaid(lambda: k(x, on='browser').numpy())\n"
    shell.worker().evaluate("() => { setTimeout(() => { for (;;); }, 100); }")
    shell.page.wait_for_timeout(300)
    words = shell.run(hang + "print(f'{device.pages.parted_at - began:.2f}')")
    shell.page.reload()
    shell.come_back()

    assert "DeviceError" in words
    assert "try: " in words
    assert float(words.split()[-1]) < 2.2
    assert shell.run(RIGHT) == GAVE


def test_an_interrupt_ends_a_call_and_the_next_one_computes(shell: Shell) -> None:
    shell.start_long()
    shell.page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    started = time.monotonic()
    shell.notebook.wait()

    assert time.monotonic() - started < 3
    assert shell.notebook.errors() == ["KeyboardInterrupt: \n"]
    assert shell.run(RIGHT) == GAVE


def test_a_gpu_lost_in_the_midst_of_a_call_gives_the_right_result_all_the_same(
    shell: Shell,
) -> None:
    shell.began.unlink(missing_ok=True)
    shell.start(
        "pathlib.Path('began').touch()\nt = turns(rest, 60_000, on='browser')\nsaid(t.numpy)"
    )
    wait_until(shell.began.exists)
    shell.page.wait_for_timeout(200)
    shell.worker().evaluate(f"async () => (await {GPU}.open()).device.destroy()")
    shell.notebook.wait()

    assert shell.notebook.texts()[0] == "gave [60000, 60010, 60020]"
    assert shell.run(RIGHT) == GAVE


def test_a_gpu_without_room_says_so_and_goes_on(shell: Shell) -> None:
    words = shell.run("""
first = wb.kernel('def first(y: f32[N, N]) -> f32[N]:\\n    s[i] = y[i, 0]\\n    return s\\n')
full = wide(np.ones(16384, np.float32), on="browser")
said(lambda: first(full, on="browser").numpy())
said(full.numpy)
del full""")
    shell.notebook.screenshot("fault-memory", height=600)

    assert words.count("wide(...) in line 2 of its cell: the GPU has no room for a buffer of") == 2
    assert words.count("try: workbench.tidy(), or smaller arrays") == 2
    assert shell.run(RIGHT) == GAVE


MANY = "abcdefghijk"


def test_limits_are_refused_with_their_number(shell: Shell) -> None:
    params = ", ".join(f"{name}: f32[N]" for name in MANY)
    total = " + ".join(f"{name}[n]" for name in MANY)
    words = shell.run(f"""
try:
    said(lambda: wide(np.ones(17000, np.float32), on="browser").numpy())
except wb.WorkbenchError as error:
    print(error)
many = wb.kernel('def many({params}) -> f32[N]:\\n    y[n] = {total}\\n    return y\\n')
try:
    said(lambda: many(*[x] * {len(MANY)}, on="browser").numpy())
except wb.WorkbenchError as error:
    print(error)
huge = k.schedule().parallelize("i", "workgroup.x", 512)
try:
    said(lambda: k(np.ones(1024, np.float32), on="browser", schedule=huge).numpy())
except wb.WorkbenchError as error:
    print(error)
""")
    assert "is 1073741824 on this device" in words
    assert "max_storage_buffers_per_shader_stage" in words
    assert "512" in words
    assert "256" in words
    assert "gave" not in words
    assert shell.run(RIGHT) == GAVE


SHADER = """@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
@compute @workgroup_size(1)
fn main() {
    var s = 0.0;
    for (var n = 0u; n < COUNT; n++) { s = s * 0.5 + a[n % 4u]; }
    c[0] = s;
}
"""


def test_a_shader_that_does_not_compile_is_shown_at_its_line(shell: Shell) -> None:
    code = SHADER.replace("a[n % 4u]", "b[n % 4u]").replace("COUNT", "4u")
    words = shell.run(
        f"said(lambda: wb.from_wgsl({code!r})(x, outputs={{'c': 1}}, workgroups=1, on='browser'))"
    )

    assert "unresolved value 'b'" in words
    assert "6 |     for (var n = 0u; n < 4u; n++) { s = s * 0.5 + b[n % 4u]; }" in words
    assert shell.run(RIGHT) == GAVE


def test_a_shader_that_runs_too_long_is_an_error_and_the_next_call_computes(shell: Shell) -> None:
    code = SHADER.replace("COUNT", "250000000u")
    words = shell.run(f"""
slow = wb.from_wgsl({code!r})(x, outputs={{"c": 1}}, workgroups=1, on="browser")
slow.call.deadline = 0.5
said(slow.numpy)
{RIGHT}""")

    assert "the page gave no result within 0.5 s; the call was stopped" in words
    assert "try: smaller sizes, or a loop that ends" in words
    assert words.endswith(GAVE)


def test_an_error_of_the_gpu_that_belongs_to_no_call_is_said_at_the_next_read(
    shell: Shell,
) -> None:
    shell.worker().evaluate(
        f"async () => {{ (await {GPU}.open()).device.createBuffer({{ size: 4, usage: 0 }}); }}"
    )
    shell.page.wait_for_timeout(200)
    words = shell.run(RIGHT)

    assert "the page's GPU reported: " in words
    assert "try: run the cell again" in words
    assert shell.run(RIGHT) == GAVE


CUT = """
import threading

def cut_after(size):
    peer = device.now().peer
    at = peer.bytes + size
    def cut():
        while peer.bytes < at:
            time.sleep(0.001)
        device.pages.soon(lambda: peer.wire.ws_connection.stream.close())
    threading.Thread(target=cut).start()
    return peer

values = np.random.default_rng(0).random(3 << 20, dtype=np.float32)
first = cut_after(5 << 20)
sent = np.array_equal(k(values, on="browser").numpy(), 2 * values)
y = k(values, on="browser")
y.call.wait()
second = cut_after(5 << 20)
read = np.array_equal(y.numpy(), 2 * values)
print(sent, first.alive, read, second.alive)
"""


def test_a_socket_that_is_cut_in_the_midst_of_a_transfer_changes_no_result(shell: Shell) -> None:
    assert shell.run(CUT).endswith("True False True False")
    assert shell.run(RIGHT) == GAVE


def test_a_wrong_token_and_a_foreign_page_do_not_come_in(shell: Shell) -> None:
    address = shell.address()
    port, token = address.split("/")[2].rpartition(":")[2], address.split("/")[3]
    shell.context.route(
        "http://evil.example/**",
        lambda route: route.fulfill(body="<title>evil</title>", content_type="text/html"),
    )
    foreign = shell.context.new_page()
    foreign.goto("http://evil.example/")
    tries = {
        "here": shell.page.evaluate(CLOSED, [address, []]),
        "token": shell.page.evaluate(CLOSED, [address.replace(token, "x" * len(token)), []]),
        "page": foreign.evaluate(CLOSED, [address, []]),
    }
    foreign.close()

    assert {name: opened for name, (opened, _) in tries.items()} == {
        "here": True, "token": False, "page": False,
    }  # fmt: skip
    assert status(int(port), token, Origin="http://evil.example") == 403
    assert status(int(port), token, Host=f"evil.example:{port}") == 403
    assert shell.run(RIGHT) == GAVE


def status(port: int, token: str, **headers: str) -> int:
    """The status with which a socket is answered."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", f"/{token}/ws", headers={**upgrade, **headers})
    with connection.getresponse() as response:
        connection.close()
        return response.status


def hello(**changes: Any) -> str:
    missing = {"available": False, "cause": "none", "remedy": "none"}
    told = {"kind": "hello", "version": PROTOCOL_VERSION, "where": "page", "user_agent": ""}
    return json.dumps({**told, "gpu": missing, "wasm": missing, **changes})


def test_malformed_oversized_and_replayed_messages_close_their_socket_only(shell: Shell) -> None:
    address = shell.address()
    frames: dict[str, list[Any]] = {
        "malformed": ["{"],
        "wrong types": [hello(gpu=[1])],
        "bytes": [hello(), [1, 2, 3]],
        "replayed": [hello(), hello()],
        "answer to nothing": [hello(), '{"kind": "reply", "id": 1, "ok": {}}'],
        "oversized": [hello(), "x" * (9 << 20)],
    }
    codes = {name: shell.page.evaluate(CLOSED, [address, sent])[1] for name, sent in frames.items()}

    assert codes.pop("oversized") in {1006, 1009}
    assert codes == dict.fromkeys(codes, 1002)
    assert shell.run("print(device.pages.count)") == "1"
    assert shell.run(RIGHT) == GAVE


def test_a_restart_in_the_midst_of_a_call_frees_the_page_for_the_next_kernel(shell: Shell) -> None:
    shell.start_long()
    shell.restart()

    assert shell.run(START) == GAVE
    assert shell.page.evaluate(JOINED) <= 2


TAKEN = """
from workbench.runtime import page_server
import socket
other = socket.create_server(("127.0.0.1", 0))
listening = page_server.listening
page_server.listening = lambda: listening(other.getsockname()[1])
"""


def test_a_port_that_is_taken_is_said_and_the_rest_works(shell: Shell) -> None:
    shell.restart()
    words = shell.run(TAKEN + "%load_ext workbench")
    assert "cannot listen on 127.0.0.1: " in words
    assert "try: %reload_ext workbench once a port is free, or on='cpu'" in words
    words = shell.run(START)
    assert "device 'browser' is not here: cannot listen on 127.0.0.1" in words
    assert shell.run("said(lambda: k(x, on='cpu').numpy())") == GAVE

    shell.run("page_server.listening = listening; other.close()\n%reload_ext workbench")
    assert shell.run(RIGHT) == GAVE
    # By now the page has given up the kernel that ended with the test above, and may yet have
    # to give up the one that ended with this one.
    shell.page.wait_for_function(f"({JOINED})() <= 2")


OTHER = """
from workbench.runtime import page_messages
page_messages.PROTOCOL_VERSION += 1
"""


def test_a_page_of_another_version_says_that_it_wants_a_reload(shell: Shell) -> None:
    shell.restart()
    words = shell.run(OTHER + START)
    shell.run("%%wgpu_kernel --on browser\ndef third(x: f32[N]) -> f32[N]:\n    return x / 3.0")
    shell.notebook.screenshot("fault-version", height=600)
    spoken = f"the page speaks protocol {PROTOCOL_VERSION}, this process {PROTOCOL_VERSION + 1}"
    assert f"device 'browser' is not here: {spoken}" in words
    assert "try: reload the page, and run the cell again" in words

    shell.run("page_messages.PROTOCOL_VERSION -= 1")
    shell.page.reload()
    shell.come_back()
    assert shell.run(RIGHT) == GAVE
