"""The view of an array's values: `a.show()`. A live table, heatmap and histogram, and twins.

What is said of the whole array is computed once, when it is shown, and stands in the twins, too.
The page asks for one plane at a time: of the buffer on its own GPU where the array lives there,
else of Python, which keeps what the array held when it was shown. The reference is Python's.
"""

from __future__ import annotations

import html
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from IPython.display import display

from workbench.measure.summary import Difference, Summary, difference, summary
from workbench.runtime.arrays import Array
from workbench.runtime.browser import BrowserDevice
from workbench.runtime.device import open_device
from workbench.runtime.page_device import PageDevice
from workbench.runtime.transfers import to_words
from workbench.widget.messages import Json, Output
from workbench.widget.states import output_of
from workbench.widget.twinned import Twinned
from workbench.widget.twins import STYLE, aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_PIECE = 8 * 1024 * 1024
"""Bytes of one answer to the page."""
BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class ValuesState:
    """What the view shows: the array, what is said of it, and of it against a reference."""

    output: Output
    places: tuple[str, ...]
    summary: Summary
    difference: Difference | None = None


class Values(Twinned):
    """The widget of `a.show()`; displayed like any other value of a notebook."""

    kind = traitlets.Unicode("values").tag(sync=True)
    state = traitlets.Bytes().tag(sync=True)

    def __init__(self, a: Array, against: Any = None, *, name: str = "") -> None:
        """Read the array back where it is not on the host yet, and make the widget.

        Raises `CallError` where the reference has another shape.
        """
        reference = None if against is None else np.asarray(against)
        held = a.numpy().copy()
        self._held: dict[str, np.ndarray] = {"values": held}
        if reference is not None:
            self._held["reference"] = reference.astype(held.dtype)
        self.shown = ValuesState(
            output_of(name or "array", held, dtype=a.dtype.name),
            a.places,
            summary(held),
            None if reference is None else difference(held, reference),
        )
        self._dtype = a.dtype
        self._array = a  # its buffer in the page stays as long as the view
        super().__init__(state=encode(self.shown, page_buffer(a)))
        self.on_msg(self._answer)

    def _answer(self, _widget: Values, content: object, _buffers: Sequence[memoryview]) -> None:
        """Send a piece of the values or of the reference: `count` elements from `start` on."""
        match content:
            case {"kind": "piece", "of": str(of), "start": int(start), "count": int(count)}:
                values = self._held.get(of)
                if values is None or start < 0 or not 0 <= count <= values.size - start:
                    return
                if count * self._dtype.bits // 8 > LARGEST_PIECE:
                    return
                words = bytes(to_words(values.reshape(-1)[start : start + count], self._dtype))
                self.send({"kind": "piece", "of": of, "start": start}, [words])
            case _:
                return

    def twins(self) -> tuple[str, str]:
        """The values as text, and as HTML without a script."""
        return text_twin(self.shown), html_twin(self.shown)


def show(a: Array, against: Any = None, *, name: str = "") -> None:
    """Draw the values of an array in a notebook; elsewhere print them."""
    display(Values(a, against, name=name))


def page_buffer(a: Array) -> Json:
    """Where the page finds the values on its own GPU: the process's token and the handle."""
    device = open_device("browser")
    assert isinstance(device, BrowserDevice)
    held = [m for m in a.memories if isinstance(m.device, PageDevice) and m.device.target == "wgsl"]
    if not held:
        return None
    # Of several pages the one that is looked at; in the others the view asks this process.
    memory = next((m for m in held if m.device is device.now()), held[0])
    in_order = a.on(memory.device)  # it may have lain in panels
    return {"token": device.serve().token, "handle": int(str(in_order.handle))}


def encode(state: ValuesState, page: Json = None) -> bytes:
    """The state as JSON bytes for `js/src/values.ts`; `page` is where its GPU holds them."""
    output, s, d = state.output, state.summary, state.difference
    message: dict[str, Json] = {
        "name": output.name,
        "dtype": output.dtype,
        "shape": list(output.shape),
        "places": list(state.places),
        "page": page,
        "numbers": [[name, value] for name, value in output.numbers],
        "first_nan": _index(s.first_nan),
        "histogram": None
        if s.histogram is None
        else {"edges": list(s.histogram.edges), "counts": list(s.histogram.counts)},
        "difference": None
        if d is None
        else {"count": d.count, "first": _index(d.first), "largest": _index(d.largest),
              "words": d.words},
    }  # fmt: skip
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def text_twin(state: ValuesState) -> str:
    """The values as lines of text: what is said of all of them, and the corners."""
    output = state.output
    lines = [_title(state), *_facts(state)]
    if state.summary.histogram is not None:
        lines.append(_bars(state))
    return "\n".join([*lines, *(f"  {row}" for row in aligned(output.rows))])


def html_twin(state: ValuesState) -> str:
    """The values as one HTML element without a script."""
    output = state.output
    words = "<br>".join(html.escape(x) for x in (_title(state), *_facts(state)))
    image = ""
    if output.thumbnail is not None:
        words_of = html.escape(f"{output.name} as an image")
        image = f'<img src="{output.thumbnail}" alt="{words_of}" width="168">'
    bars = "" if state.summary.histogram is None else f"<pre>{html.escape(_bars(state))}</pre>"
    rows = html.escape("\n".join(aligned(output.rows)))
    return (
        f'<div class="wb-twin"><style>{STYLE}</style><p>{words}</p>{bars}'
        f'<div class="wb-row">{image}<pre>{rows}</pre></div></div>'
    )


def _title(state: ValuesState) -> str:
    output = state.output
    where = ", ".join(state.places)
    return f"{output.name} {output.dtype}[{', '.join(map(str, output.shape))}] on {where}"


def _facts(state: ValuesState) -> list[str]:
    numbers = " · ".join(f"{name} {value}" for name, value in state.output.numbers)
    lines = [numbers] if numbers else []
    if state.summary.first_nan is not None:
        lines.append(f"first NaN at {list(state.summary.first_nan)}")
    if state.difference is not None:
        lines.append(f"against the reference: {state.difference.words}")
        if state.difference.first is not None:
            lines.append(f"first difference at {list(state.difference.first)}")
    return lines


def _bars(state: ValuesState) -> str:
    """The histogram in one line, between its ends."""
    found = state.summary.histogram
    assert found is not None
    most = max(found.counts)
    heights = (math.ceil(count / most * (len(BARS) - 1)) for count in found.counts)
    return f"{found.edges[0]:.5g} {''.join(BARS[h] for h in heights)} {found.edges[-1]:.5g}"


def _index(index: tuple[int, ...] | None) -> Json:
    return None if index is None else list(index)
