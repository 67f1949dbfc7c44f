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
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.measure.environment import differences

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_LAST = """
select at, seconds, environment from measured
where identity = ? and clock = ? and at < ? order by at desc limit 1
"""


class UnusableResultsError(Exception):
    """The results file cannot be read or written; the words say why and what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A measurement found in a results file."""

    at: str
    seconds: float
    changed: tuple[str, ...]


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
                before: dict[str, str] = json.loads(row[2])
                changed = differences(before, _environment(found, e.device))
                kept[e.label, e.device] = Kept(row[0], row[1], changed)
    return kept


def _row(found: Comparison, e: Entry) -> tuple[object, ...]:
    series = found.series(e)
    interval, environment = series.interval, _environment(found, e.device)
    return (
        found.at, e.label, e.device, e.identity, found.clock, interval.middle, interval.low,
        interval.high, json.dumps(series.values), json.dumps(environment),
    )  # fmt: skip


def _environment(found: Comparison, device: str) -> Mapping[str, str]:
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
