"""Memory over time: peaks, what came and went, and the calls that did it."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
import pytest

import workbench as wb
from workbench.measure.memory import Look, MemoryHistory
from workbench.runtime import residency
from workbench.widget.charts.memory import memory_chart

KIB = 1024
SCALE = (
    "def scaled(x: f32[N]) -> f32[N]:\n"
    "    m = max(x[i] for i in range(N))\n"
    "    y[i] = x[i] / m\n"
    "    return y\n"
)


@pytest.fixture
def found() -> MemoryHistory:
    return MemoryHistory(
        (
            Look(0.0, "", {"host": 4 * KIB}),
            Look(0.1, "", {"host": 4 * KIB, "cpu": 4 * KIB}),
            Look(0.2, "k(...)", {"host": 4 * KIB, "cpu": 8 * KIB}, {}, {"cpu": 16 * KIB}),
            Look(0.3, "", {"host": 8 * KIB, "cpu": 4 * KIB}, {"cpu": 4 * KIB}),
            Look(0.5, "", {"cpu": 4 * KIB}, {}),
        )
    )


def test_a_history_says_the_peak_of_each_place_and_what_made_it(
    found: MemoryHistory, golden: Callable[[str], None]
) -> None:
    golden(f"{found!r}\n")


def test_temporaries_count_at_their_call_and_are_gone_after_it(found: MemoryHistory) -> None:
    assert found.peak("cpu").held("cpu") == 24 * KIB
    assert found.peak("cpu").words == "k(...)"
    assert found.grown("cpu") == (4 + 20) * KIB
    assert found.shrunk("cpu") == (16 + 4) * KIB
    assert found.grown("cpu") - found.shrunk("cpu") == 4 * KIB
    assert found.shrunk("host") == 8 * KIB


def test_each_place_and_each_call_of_the_chart_says_its_numbers(found: MemoryHistory) -> None:
    chart = memory_chart(found)

    assert 'aria-label="cpu: peak 24.6 kB at 200 ms, k(...)"' in chart
    assert 'aria-label="k(...) at 200 ms: host 4.10 kB, cpu 24.6 kB"' in chart
    assert chart.count('tabindex="0"') == 3
    assert memory_chart(MemoryHistory(())) == ""


def test_calls_transfers_and_frees_are_seen_in_their_places() -> None:
    k = wb.kernel(SCALE)
    x = wb.array(np.arange(1, 257, dtype=np.float32))
    kept = k(x, on="cpu")
    kept.numpy()
    gc.collect()
    with wb.watch_memory() as seen:
        y = k(x, on="cpu")
        y.numpy()
        y.free()
    looks, first = seen.history.looks, seen.history.looks[0]
    (call,) = seen.history.calls
    after = looks[looks.index(call) + 1 :]

    assert call.arrays["cpu"] == first.arrays["cpu"] + KIB
    assert call.temporaries == {"cpu": 4}
    assert max(look.arrays["host"] for look in after) == first.arrays["host"] + KIB
    assert dict(looks[-1].arrays) == dict(first.arrays)
    assert "scaled(...)" in repr(seen)
    assert residency._watching == []


def test_a_failing_block_ends_the_watch() -> None:
    def failing() -> None:
        with wb.watch_memory():
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  (ours)
        failing()

    assert residency._watching == []
