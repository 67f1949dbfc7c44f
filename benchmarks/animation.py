"""The memory animation of a tiled matmul: making its values, and drawing them in a Chromium."""

from __future__ import annotations

import functools
import json
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any

from benchmarks.row import Row
from benchmarks.scheduling import TEXT
from tests.lab import ROOT, chromium, find_chromium
from workbench.base.source import Source
from workbench.session.kernel import kernels
from workbench.session.subject import Subject
from workbench.widget.assemble import compilation_state
from workbench.widget.messages import encode
from workbench.widget.panel import drawn

SIDE, TILE = 64, 8
PLAY = """async ([state, answer]) => {
    const { render } = await import('/workbench/widget/static/workbench.js');
    const heard = new Map();
    const bytes = new TextEncoder().encode(state);
    const model = {
        get: (name) => ({ kind: 'panel', state: new DataView(bytes.buffer) })[name],
        widget_manager: {},
        on: (event, listener) => { heard.set(event, [...heard.get(event) ?? [], listener]); },
        off: () => undefined,
        send: ({ number }) => {
            const message = { ...answer, number };
            queueMicrotask(() => { for (const each of heard.get('msg:custom')) each(message); });
        },
    };
    render({ model, el: document.querySelector('main'), signal: new AbortController().signal });
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const find = (label) => [...document.querySelectorAll('.wb-picture-accesses button')]
        .find((each) => each.textContent === label);
    while (find('play') === undefined) await frame();
    let shown = 0;
    new MutationObserver(() => { shown += 1; }).observe(
        document.querySelector('.wb-picture-accesses .wb-moment'), { childList: true });
    find('play').click();
    const start = performance.now();
    while (find('play') === undefined) await frame();
    return [shown, (performance.now() - start) / 1000];
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def rows() -> list[Row]:
    subject = _subject()
    times: list[float] = []
    answer: Any = None
    for _ in range(7):
        start = time.process_time()
        answer = json.loads(json.dumps(drawn(subject, 1, "accesses", {})))
        times.append(time.process_time() - start)
    count = len(answer["value"]["moments"])
    name = f"matmul {SIDE}, tiles of {TILE}: {count} moments"
    made = Row(name, median(times) * 1e3, "ms", 300.0, "300 ms", "at most 1 x")
    executable = find_chromium()
    if executable is None:
        print("  no Chromium: the drawing is not measured")
        return [made]
    shown, seconds = _played(executable, subject, answer)
    frames = Row("drawn while it plays", shown / seconds, "/s", 30.0, "30 /s", "about 1 x")
    return [made, frames]


def _subject() -> Subject:
    k = kernels(Source(TEXT, "animation"))["matmul"]
    s = k.schedule().parallelize("i", "workgroup.y", TILE).parallelize("j", "workgroup.x", TILE)
    s = s.split("k", TILE).cache("A", "workgroup", at="k_o").cache("B", "workgroup", at="k_o")
    c = k.compile(s, on="native", dims={"M": SIDE, "K": SIDE, "N": SIDE})
    return Subject(c, k, s, "native")


def _played(executable: str, subject: Subject, answer: Any) -> tuple[int, float]:
    """How many moments a page draws while the animation plays, and its seconds."""
    state = encode(compilation_state(subject, ("accesses",))).decode()
    handler = functools.partial(Quiet, directory=ROOT)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with chromium(executable=executable) as browser:
            page = browser.new_page(viewport={"width": 1100, "height": 900})
            page.goto(f"http://127.0.0.1:{server.server_port}/js/dev/index.html")
            shown, seconds = page.evaluate(PLAY, [state, answer])
        server.shutdown()
    return shown, seconds
