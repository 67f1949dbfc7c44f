"""Timelines: what they say in words, and the trace files that are made of them."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest

from workbench.measure.timeline import LANES, SHOWN, Span, Timeline, lane_of
from workbench.widget.charts.timeline import timeline_chart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

GPU = "timestamps of a GPU"


def traced(dispatches: Sequence[tuple[str, float, float]]) -> Timeline:
    spans = (
        Span("compile", "graph", 0.0, 2e-3),
        Span("compile", "wgsl", 2e-3, 1e-3),
        Span("prepare", "k", 3e-3, 4e-3),
        Span("upload", "x, 4 KiB", 7e-3, 0.5e-3),
        Span("run", "k", 7.5e-3, 2e-3),
        *(Span("dispatch", name, 7.5e-3 + at, took, GPU) for name, at, took in dispatches),
        Span("read", "y, 4 KiB", 9.5e-3, 0.25e-3),
    )
    return Timeline("k", "browser", spans, {"wall": 4e-8, GPU: 65536e-9}, ("a note",))


@pytest.fixture
def found() -> Timeline:
    return traced([("k_sum", 0.0, 0.262144e-3), ("k_y", 0.3e-3, 0.131072e-3)])


def read(trace: Mapping[str, Any]) -> dict[str, list[tuple[str, float, float]]]:
    """The complete events by the name of their thread, as the format's description says.

    Fails where an event lacks a field, or overlaps another of its thread without being inside.
    """
    names: dict[tuple[int, int], str] = {}
    found: dict[tuple[int, int], list[tuple[str, float, float]]] = {}
    for event in trace["traceEvents"]:
        thread = event["pid"], event["tid"]
        match event["ph"]:
            case "M" if event["name"] == "thread_name":
                names[thread] = event["args"]["name"]
            case "M":
                assert event["name"] == "process_name"
            case "X":
                assert event["dur"] >= 0
                found.setdefault(thread, []).append((event["name"], event["ts"], event["dur"]))
            case other:
                pytest.fail(f"an event of phase {other}")
    for events in found.values():
        for (_, start, seconds), (_, after, _) in pairwise(sorted(events, key=lambda e: e[1])):
            assert after >= start + seconds - 1e-6
    by_name: dict[str, list[tuple[str, float, float]]] = {}
    for thread, events in found.items():
        by_name.setdefault(names[thread], []).extend(events)
    return by_name


def test_a_timeline_says_which_clock_took_which_time(
    found: Timeline, golden: Callable[[str], None]
) -> None:
    golden(f"{found!r}\n")


def test_many_dispatches_are_summed_for_each_kernel() -> None:
    many = traced([("k_y", 1e-6 * n, 1e-6) for n in range(SHOWN + 1)])

    assert many.by_kernel == {"k_y": (SHOWN + 1, pytest.approx(1e-6 * (SHOWN + 1)))}
    assert f"{SHOWN + 1} dispatches k_y" in repr(many)
    assert len(many.rows()) == 1 + 6 + 1


def test_a_saved_trace_has_the_sums_of_the_timeline(found: Timeline, tmp_path: Path) -> None:
    path = found.save(tmp_path / "trace.json")
    lanes = read(json.loads(path.read_text(encoding="utf-8")))

    assert list(lanes) == list(LANES)
    for lane in LANES:
        mine = [s for s in found if lane_of(s.kind) == lane]
        assert [name for name, _, _ in lanes[lane]] == [f"{s.kind} {s.name}" for s in mine]
        total = sum(seconds for _, _, seconds in lanes[lane])
        assert total == pytest.approx(1e6 * sum(s.seconds for s in mine), abs=2e-3 * len(mine))


def test_dispatches_that_overlap_are_on_tracks_of_their_own() -> None:
    found = traced([("a", 0.0, 2e-4), ("b", 1e-4, 2e-4), ("c", 2e-4, 1e-4)])
    device = [e for e in found.to_trace()["traceEvents"] if e.get("cat") == "dispatch"]

    assert [len({e["tid"] for e in device if e["name"] == f"dispatch {n}"}) for n in "abc"] == [
        1
    ] * 3
    assert device[0]["tid"] != device[-1]["tid"]
    assert len(read(found.to_trace())["device"]) == 3


def test_perfetto_reads_the_same_sums(found: Timeline, tmp_path: Path) -> None:
    shell = shutil.which("trace_processor_shell")
    if shell is None:
        pytest.skip("trace_processor_shell is not here: perfetto loads it from a server when run")
    missing = "pip install perfetto"
    processor = cast("Any", pytest.importorskip("perfetto.trace_processor", reason=missing))
    path = found.save(tmp_path / "trace.json")
    config = processor.TraceProcessorConfig(bin_path=shell)
    with processor.TraceProcessor(trace=str(path), config=config) as trace:
        asked = "select category, sum(dur) as total from slice group by category"
        sums = {row.category: row.total for row in trace.query(asked)}
        (errors,) = trace.query("select sum(value) as n from stats where severity = 'error'")

    assert errors.n == 0
    kinds = found.kinds
    expected = {k: pytest.approx(1e9 * found.seconds(k), abs=2.0 * len(found.of(k))) for k in kinds}
    assert sums == expected


def test_every_span_of_the_chart_can_be_reached_and_says_its_numbers(found: Timeline) -> None:
    chart = timeline_chart(found)

    for s in found:
        assert f'aria-label="{s.words}"' in chart
    assert chart.count('tabindex="0"') == len(found.spans) + 3  # the run is drawn again
    assert timeline_chart(Timeline("k", "cpu", ())) == ""
