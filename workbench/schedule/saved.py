"""Schedules as JSON: which kernel they are for, and the steps as calls.

What is read was perhaps written by an older version, for another kernel, or by hand: each of
these is refused in words, and never half of a schedule is read.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, cast

from workbench.base.errors import ScheduleError
from workbench.schedule.step import Home, Schedule, make, step_name

VERSION = 1
"""Of the form below; another one is refused."""
_MARK = "workbench schedule"


def to_json(schedule: Schedule) -> str:
    """The text of a schedule of `Kernel.schedule()`; `ScheduleError` where it has no kernel."""
    home = schedule.at_home
    steps = [[step_name(s), *_arguments(s)] for s in schedule.steps]
    value = {
        _MARK: VERSION, "kernel": home.name, "identity": home.identity,
        "exact": schedule.exact, "steps": steps,
    }  # fmt: skip
    return json.dumps(value)


def from_json(text: str, home: Home) -> Schedule:
    """The schedule of a text of `to_json`, for the kernel at home.

    Raises `ScheduleError` for what is no such text, or of another version or another kernel.
    """
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise ScheduleError(f"this text is no JSON: {error}", hint="schedule.to_json()") from error
    if not isinstance(value, dict) or _MARK not in value:
        raise ScheduleError("this JSON is no saved schedule", hint="schedule.to_json()")
    saved = cast("dict[str, Any]", value)
    if saved[_MARK] != VERSION:
        reason = f"a schedule saved in version {saved[_MARK]}; this workbench reads {VERSION}"
        raise ScheduleError(reason, hint="save it again with schedule.to_json()")
    steps = tuple(_step(s) for s in saved.get("steps", ()))
    schedule = Schedule(steps, home=home, exact=bool(saved.get("exact")))
    name = saved.get("kernel")
    if name != home.name:
        raise ScheduleError(f"a schedule of {name}, not of {home.name}", hint=repr(schedule))
    if saved.get("identity") != home.identity:
        reason = f"a schedule of another {name}: its signature or its equations have changed"
        raise ScheduleError(reason, hint=repr(schedule))
    return schedule


def _arguments(s: Any) -> tuple[list[Any], dict[str, Any]]:
    """Arguments by position and by name, as `make` takes them; defaults are left out."""
    given: list[Any] = []
    named: dict[str, Any] = {}
    for f in fields(s):
        value: Any = getattr(s, f.name)
        if value == f.default and type(value) is type(f.default):
            continue
        if isinstance(value, tuple):
            given += cast("tuple[Any, ...]", value)
        else:
            named[f.name] = value
    return given, named


def _step(value: Any) -> Any:
    match value:
        case [str(name), list(), dict()]:
            _, given, named = cast("tuple[str, list[Any], dict[str, Any]]", value)
            return make(name, *given, **named)
        case _:
            reason = f"{value!r} is no step of a saved schedule"
            raise ScheduleError(reason, hint='["split", [], {"loop": "k", "factor": 8}]')
