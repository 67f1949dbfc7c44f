"""Charts: what they draw is the value's numbers, and what they say aloud is the same."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from workbench.measure.comparison import Comparison, Entry, speedup
from workbench.measure.pair import Amount, Pair, changes
from workbench.measure.sweep import Point, Sweep
from workbench.measure.timing import Series, Timed
from workbench.widget.charts.comparison import comparison_chart
from workbench.widget.charts.pair import pair_chart, pair_html
from workbench.widget.charts.svg import Axis, spanning
from workbench.widget.charts.sweep import sweep_chart

SVG = "{http://www.w3.org/2000/svg}"


def entry(label: str, seconds: float, device: str = "cpu") -> Entry:
    values = tuple(seconds * (1 + 0.001 * n) for n in range(-6, 7))
    return Entry(label, device, Timed(Series("wall", 1e-7, 1, values)), agreed="agrees")


def comparison(*entries: Entry) -> Comparison:
    return Comparison(entries, {}, 13, 1.0, "narrow")


def spoken(svg: str) -> list[str]:
    """What the parts say that the keyboard reaches, in order."""
    tree = ET.fromstring(svg)  # noqa: S314  (of our own making)
    return [g.get("aria-label", "") for g in tree.iter(f"{SVG}g") if g.get("tabindex") == "0"]


def test_a_chart_says_of_each_entry_its_time_interval_and_speedup() -> None:
    found = comparison(entry("slow", 2e-3), entry("fast & <small>", 1e-3))
    slow, fast = spoken(comparison_chart(found))

    assert slow.startswith("slow on cpu: median 2.00 ms, 95 % ")
    assert "13 readings; speedup 1" in slow
    assert fast.startswith("fast & <small> on cpu: median 1.00 ms")
    assert speedup(found, found.entries[1]) in fast


def test_a_pair_has_a_bar_for_what_each_moves_and_says_how_they_differ() -> None:
    moved = (Amount("A", 4096.0, 1024.0, "exact"), Amount("B", None, 64.0, "modelled"))
    code = changes(["both", "<old>"], ["both", "new", "newer"])
    found = Pair("slow", "fast", "fast is 2x faster", "wgsl", (), code, moved, moved)
    a, b = spoken(pair_chart(found))
    drawn = pair_html(found)

    assert a == "A: 4.10 kB and 1.02 kB, 4x less (exact)"
    assert b == "B: none and 64 B, only the second (modelled)"
    assert [str(line) for line in code] == ["  both", "- <old>", "+ new", "+ newer"]
    assert "− &lt;old&gt;" in drawn
    assert drawn.index("&lt;old&gt;") < drawn.index("+ new") < drawn.index("+ newer")


def test_lines_that_both_have_are_left_out_and_counted() -> None:
    before = [str(n) for n in range(20)]
    found = changes(before, [*before[:10], "new", *before[10:]])

    assert [str(line) for line in found] == [
        "… 7 lines that both have", "  7", "  8", "  9", "+ new", "  10", "  11", "  12",
        "… 7 lines that both have",
    ]  # fmt: skip
    assert changes(before, before) == ()


def test_what_was_not_timed_is_in_the_table_and_not_in_the_chart() -> None:
    found = comparison(entry("ours", 1e-3), Entry("wrong", "cpu", refused="differs by 3"))

    assert len(spoken(comparison_chart(found))) == 1
    assert "differs by 3" in repr(found)
    assert comparison_chart(comparison(Entry("wrong", "cpu", refused="differs"))) == ""


def test_every_reading_is_a_mark() -> None:
    svg = comparison_chart(comparison(entry("ours", 1e-3), entry("theirs", 2e-3)))
    tree = ET.fromstring(svg)  # noqa: S314  (of our own making)

    assert len(list(tree.iter(f"{SVG}circle"))) == 13
    assert len(list(tree.iter(f"{SVG}path"))) == 13


def test_charts_take_the_colour_of_the_page() -> None:
    svg = comparison_chart(comparison(entry("ours", 1e-3)))

    assert 'fill="currentColor"' in svg
    assert not re.search(r'fill="(black|white|#000|#fff)', svg)


def test_a_sweep_draws_a_curve_for_each_entry_and_leaves_out_what_was_not_timed() -> None:
    points = tuple(
        Point(n, comparison(entry("ours", n * 1e-5), entry("theirs", n * 2e-5)))
        for n in (32, 64, 128)
    )
    gone = replace(points[1], comparison=comparison(Entry("ours", "cpu", refused="too large")))
    found = Sweep("N", (points[0], gone, points[2]))
    ours, theirs = spoken(sweep_chart(found))

    assert ours == "ours on cpu: 32: 320 µs, 128: 1.28 ms"
    assert theirs == "theirs on cpu: 32: 640 µs, 128: 2.56 ms"
    assert "too large" in repr(found)


@pytest.mark.parametrize(("low", "high"), [(1e-6, 2e-6), (1e-6, 1.0), (0.5, 0.5), (3.0, 4000.0)])
def test_an_axis_has_few_round_ticks_inside(low: float, high: float) -> None:
    axis = spanning([low, high], 0, 100)
    ticks = axis.ticks()

    assert 1 <= len(ticks) <= 6 or high / low < 1.5
    assert all(axis.low <= t <= axis.high for t in ticks)
    assert axis(axis.low) == 0
    assert axis(axis.high) == pytest.approx(100)
    assert axis(low) < axis(high) or low == high


def test_an_axis_by_sums_has_round_ticks() -> None:
    assert Axis(0, 10, 0, 100, log=False).ticks() == [0, 2, 4, 6, 8, 10]
