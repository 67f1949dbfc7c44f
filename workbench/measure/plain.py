"""Comparisons as plain values for JSON, of the form that docs/comparison.schema.json describes.

`SCHEMA` becomes another number when a name, a unit or a meaning changes, not when one is added.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workbench.ir.count import NONE, worse
from workbench.measure.traffic import traffic
from workbench.program import Program
from workbench.schedule.step import step_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.measure.comparison import Comparison, Entry
    from workbench.measure.timing import Series
    from workbench.pipeline import Compilation

SCHEMA = 2


def comparison_dict(c: Comparison) -> dict[str, Any]:
    """Everything that was measured, and what it was measured on; times are seconds."""
    return {
        "schema": SCHEMA,
        "at": c.at,
        "clock": c.clock,
        "rounds": c.rounds,
        "seconds": c.seconds,
        "ended": c.ended,
        "error": c.error,
        "load": c.load,
        "environment": dict(c.environment),
        "devices": {n: dict(d) for n, d in c.devices.items()},
        "entries": [_entry(c, e) for e in c.entries],
        "verdicts": list(c.verdicts),
        "earlier": [
            {
                "label": e.label,
                "device": e.device,
                "at": e.at,
                "interval": _finite(asdict(e.interval)),
                "ratio": _finite(asdict(e.ratio)),
                "changed": list(e.changed),
            }
            for e in c.earlier
        ],
    }


def _entry(c: Comparison, e: Entry) -> dict[str, Any]:
    timed, made = e.timed, e.made
    compiled = None if made is None or isinstance(made, Program) else made
    return {
        "label": e.label,
        "device": e.device,
        "identity": e.identity,
        "tag": "measured",
        "agreed": e.agreed,
        "refused": e.refused,
        "compile_seconds": e.compile,
        "transfer_bytes": e.transfer,
        "wall": None if timed is None else _series(timed.wall),
        "kernel": None if timed is None or timed.kernel is None else _series(timed.kernel),
        "call_seconds": None if timed is None else timed.call,
        "speedup": None if timed is None else _finite(asdict(c.against(e))),
        "schedule": None if compiled is None else [step_text(s) for s in compiled.schedule.steps],
        "traffic": None if compiled is None else _traffic(compiled),
    }


def _series(s: Series) -> dict[str, Any]:
    return {
        "clock": s.clock,
        "clock_step": s.step,
        "batch": s.batch,
        "values": list(s.values),
        "interval": _finite(asdict(s.interval)),
        "outliers": list(s.outliers),
    }


def _finite(interval: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no infinity: the ends of an interval that is not known are null."""
    return {n: v if abs(v) < float("inf") else None for n, v in interval.items()}


def _traffic(c: Compilation) -> dict[str, Any]:
    """Operations, and the bytes of all reads and writes of storage in the loops."""
    nests = traffic(c).nests
    operations = sum((n.operations for n in nests), NONE)
    moved = sum((a.bytes for n in nests for a in n.arrays if a.memory == "storage"), NONE)
    return {
        "tag": worse(operations.tag, moved.tag),
        "operations": operations.value,
        "storage_bytes": moved.value,
    }
