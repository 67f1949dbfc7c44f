"""The results file: every measurement of a notebook, kept beside it, in SQLite.

One table, appended to and never rewritten, so that a later day can compare itself with this one.
A file that is locked or damaged costs nothing but the memory of this measurement: the reason is
said, and the numbers are still shown.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.base.errors import CallError
from workbench.base.units import between, columns, duration
from workbench.measure.environment import differences
from workbench.measure.intervals import Interval, apart_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workbench.measure.comparison import Comparison, Entry

NAME = "workbench-results.sqlite"
VERSION = 1
BUSY_SECONDS = 2.0
"""How long a file that another process writes to is waited for."""

_TABLE = """
create table if not exists measured (
    at text not null,
    label text not null,
    device text not null,
    identity text not null,
    clock text not null,
    seconds real not null,
    low real not null,
    high real not null,
    readings text not null,
    environment text not null
)
"""
_ROW = "insert into measured values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COLUMNS = "at, label, device, identity, clock, seconds, low, high, readings, environment"
_LAST = f"""
select {_COLUMNS} from measured
where identity = ? and clock = ? and at < ? order by at desc limit 1
"""  # noqa: S608  (of names above alone)
_ALL = f"select {_COLUMNS} from measured order by at, rowid"  # noqa: S608  (as above)


class UnusableResultsError(Exception):
    """The results file cannot be read or written; the words say why and what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A measurement found in a results file; `readings` are seconds, in the order of rounds."""

    at: str
    label: str
    device: str
    identity: str
    clock: str
    interval: Interval
    readings: tuple[float, ...]
    environment: Mapping[str, str]

    def ratio(self, before: Kept) -> Interval:
        """How many times this time is that one, by both intervals: not side by side."""
        return apart_interval(self.interval, before.interval)


@dataclass(frozen=True, slots=True)
class Results:
    """What a results file holds, oldest first; prints as a table, each beside the one before.

    The one before is the last of the same code on the same device by the same clock.
    """

    kept: tuple[Kept, ...]

    def __iter__(self) -> Iterator[Kept]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def of(self, label: str, device: str | None = None) -> Results:
        """Those of a label, and of a device."""
        return Results(
            tuple(k for k in self.kept if k.label == label and device in {None, k.device})
        )

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table, its head first."""
        found = [("at", "what", "where", "clock", "time", "95 %", "of the one before", "changed")]
        last: dict[tuple[str, str], Kept] = {}
        for k in self.kept:
            before = last.get((k.identity, k.clock))
            ratio, changed = "-", "-"
            if before is not None:
                r = k.ratio(before)
                ratio = f"{r.middle:.3g}x ({r.low:.3g} to {r.high:.3g})"
                changed = "; ".join(differences(before.environment, k.environment)) or "nothing"
            last[k.identity, k.clock] = k
            sure = between(k.interval.low, k.interval.high)
            time = duration(k.interval.middle)
            found.append((k.at, k.label, k.device, k.clock, time, sure, ratio, changed))
        return found

    def __repr__(self) -> str:
        return "\n".join([*columns(self.rows()), "", _APART])

    def _repr_html_(self) -> str:
        table = import_module("workbench.widget.charts.page").table_html(self.rows())
        return f"{table}<p><small>{_APART}</small></p>"


_APART = (
    "times of different days were not taken side by side: what the machine did differs as well, "
    "and compare() tells two things apart"
)


def results(path: str | Path | None = None) -> Results:
    """Everything that comparisons kept beside this notebook, or in the file at `path`.

    Raises `CallError` where there is no such file, or it cannot be read.
    """
    found = results_file() if path is None else Path(path)
    if not found.exists():
        raise CallError(f"results: there is no {found}", hint="compare(...) keeps its results")
    try:
        with _opened(found) as store:
            return Results(tuple(map(_read, store.execute(_ALL))))
    except UnusableResultsError as error:
        raise CallError(f"results: {error}") from error


def results_file() -> Path:
    """Where results are kept: beside the notebook that runs, else in the current folder."""
    notebook = os.environ.get("JPY_SESSION_NAME", "")
    folder = Path(notebook).parent if notebook and Path(notebook).is_absolute() else Path()
    return (folder if folder.is_dir() else Path()) / NAME


def keep(path: Path, found: Comparison) -> None:
    """Append what was measured, all of it or nothing. Raises `UnusableResultsError`."""
    rows = [_row(found, e) for e in found.measured]
    with _opened(path) as store:
        try:
            with store:
                store.executemany(_ROW, rows)
        except sqlite3.Error as error:
            raise _unusable(path, error) from error


def earlier(path: Path, found: Comparison) -> dict[tuple[str, str], Kept]:
    """The last measurement before, by label and device, of each entry that has one there.

    Only of the same code by the same clock. Raises `UnusableResultsError`.
    """
    if not path.exists():
        return {}
    kept: dict[tuple[str, str], Kept] = {}
    with _opened(path) as store:
        for e in found.measured:
            try:
                row = store.execute(_LAST, (e.identity, found.clock, found.at)).fetchone()
            except sqlite3.Error as error:
                raise _unusable(path, error) from error
            if row is not None:
                kept[e.label, e.device] = _read(row)
    return kept


def _row(found: Comparison, e: Entry) -> tuple[object, ...]:
    series = found.series(e)
    interval, environment = series.interval, environment_of(found, e.device)
    return (
        found.at, e.label, e.device, e.identity, found.clock, interval.middle, interval.low,
        interval.high, json.dumps(series.values), json.dumps(environment),
    )  # fmt: skip


def _read(row: tuple[Any, ...]) -> Kept:
    at, label, device, identity, clock, seconds, low, high, readings, environment = row
    interval = Interval(low, seconds, high)
    told: dict[str, str] = json.loads(environment)
    return Kept(
        at, label, device, identity, clock, interval, tuple(json.loads(readings)), told
    )  # fmt: skip


def environment_of(found: Comparison, device: str) -> Mapping[str, str]:
    """What was measured on: the machine, and of the device what changes measurements."""
    return {**found.environment, **found.devices.get(device, {})}


def _opened(path: Path) -> closing[sqlite3.Connection]:
    try:
        store = sqlite3.connect(path, timeout=BUSY_SECONDS)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    try:
        version = store.execute("pragma user_version").fetchone()[0]
        if version not in {0, VERSION}:
            store.close()
            raise UnusableResultsError(
                f"{path.name} is of version {version}, this package writes {VERSION}: not kept; "
                "move it away to start a new one"
            )
        with store:
            store.execute(_TABLE)
            store.execute(f"pragma user_version = {VERSION}")
    except sqlite3.Error as error:
        store.close()
        raise _unusable(path, error) from error
    return closing(store)


def _unusable(path: Path, error: sqlite3.Error) -> UnusableResultsError:
    told = "another process holds it" if "locked" in str(error) else str(error)
    return UnusableResultsError(
        f"{path.name}: {told}; this measurement was not kept: move the file away, or try again"
    )
