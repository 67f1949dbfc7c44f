"""The results file: what is found again, and what a file that cannot be used costs."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from workbench.base.errors import CallError
from workbench.measure import results
from workbench.measure.comparison import Comparison, Entry
from workbench.measure.results import NAME, UnusableResultsError, earlier, keep, results_file
from workbench.measure.timing import Series, Timed

if TYPE_CHECKING:
    from pathlib import Path


def measured(
    at: str, seconds: float = 1e-3, processor: str = "a", clock: str = "wall"
) -> Comparison:
    times = Series(clock, 1e-7, 1, (seconds,) * 12)
    timed = Timed(times, times if clock != "wall" else None)
    entries = (
        Entry("matmul", "cpu", timed, identity="abc"),
        Entry("wrong", "cpu", refused="differs"),
    )
    return Comparison(entries, {"processor": processor}, 12, 1.0, "narrow", at=at)


def test_the_last_measurement_of_the_same_code_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / NAME
    for day, seconds in (("2026-01-01", 3e-3), ("2026-01-02", 2e-3)):
        keep(path, measured(day, seconds))
    found = earlier(path, measured("2026-01-03", processor="b"))

    assert list(found) == [("matmul", "cpu")]
    kept = found["matmul", "cpu"]
    assert (kept.at, kept.interval.middle) == ("2026-01-02", 2e-3)
    assert kept.environment == {"processor": "a"}


def test_everything_kept_is_read_beside_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / NAME
    for day, seconds in (("2026-01-01", 3e-3), ("2026-01-02", 1.5e-3)):
        keep(path, measured(day, seconds, processor=day[-1]))
    found = results.results(path)
    first, second = found.of("matmul", "cpu")

    assert [k.interval.middle for k in (first, second)] == [3e-3, 1.5e-3]
    assert first.readings == (3e-3,) * 12
    assert second.ratio(first).middle == 0.5
    assert found.rows()[2][6:] == ("0.5x (0.5 to 0.5)", "processor: 1 -> 2")
    assert len(found.of("matmul", "native")) == 0
    assert "not taken side by side" in repr(found)


def test_results_that_are_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no database" * 100)

    with pytest.raises(CallError, match="there is no"):
        results.results(tmp_path / NAME)
    with pytest.raises(CallError, match="broken: file is not a database"):
        results.results(tmp_path / "broken")


def test_times_by_another_clock_are_not_earlier_ones(tmp_path: Path) -> None:
    path = tmp_path / NAME
    keep(path, measured("2026-01-01"))

    assert earlier(path, measured("2026-01-02", clock="timestamp-query")) == {}


def test_other_code_of_the_same_name_is_not_the_same(tmp_path: Path) -> None:
    path = tmp_path / NAME
    keep(path, measured("2026-01-01"))
    now = measured("2026-01-02")
    other = replace(now, entries=(replace(now.entries[0], identity="xyz"),))

    assert earlier(path, other) == {}


def test_a_file_that_another_process_holds_is_said_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "BUSY_SECONDS", 0.05)
    path = tmp_path / NAME
    keep(path, measured("2026-01-01"))
    holder = sqlite3.connect(path)
    holder.execute("begin exclusive")

    with pytest.raises(UnusableResultsError, match="another process holds it"):
        keep(path, measured("2026-01-02"))
    holder.rollback()
    count = holder.execute("select count(*) from measured").fetchone()[0]
    holder.close()
    assert count == 1


@pytest.mark.parametrize("content", [b"no database at all, but a text" * 100, b"SQLite format 3\0"])
def test_a_damaged_file_is_said_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)

    with pytest.raises(UnusableResultsError, match=NAME):
        keep(path, measured("2026-01-01"))
    assert path.read_bytes() == content


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / NAME
    store = sqlite3.connect(path)
    store.execute("pragma user_version = 99")
    store.close()

    with pytest.raises(UnusableResultsError, match="version 99"):
        keep(path, measured("2026-01-01"))


def test_results_lie_beside_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "a.ipynb"))
    assert results_file() == tmp_path / NAME
    monkeypatch.setenv("JPY_SESSION_NAME", "relative/a.ipynb")
    assert results_file().name == NAME
    assert not results_file().is_absolute()
