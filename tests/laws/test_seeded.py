"""Bugs put into the compiler on purpose, one at a time: the laws must find each of them.

Programs are grown until one differs from its direct evaluation or breaks the compiler; a bug that
none of them shows is a hole in the laws.
"""

from __future__ import annotations

import random
from functools import cache

import pytest

from tests.laws.bugs import BUGS
from tests.laws.growing import Program, grow
from tests.laws.opened import opened
from tests.laws.schedules import some_schedule
from tests.laws.trial import Meaning, devices, meaning, trial

PROGRAMS = 500


@cache
def grown(number: int) -> Program:
    return grow(random.Random(number).choice)


@cache
def wanted(number: int) -> Meaning:
    return meaning(grown(number))


EVERYWHERE = ("interpreter", "cpu", "native")


def finds(number: int, on: tuple[str, ...] = EVERYWHERE) -> bool:
    """Whether a program shows that something is wrong; each is right without a bug."""
    chance = random.Random(number)
    here = [n for n in devices() if n in on]
    also = (chance.choice(here),) if here else ()
    try:
        found = trial(
            grown(number),
            lambda loops, device: some_schedule(chance.choice, loops, device),
            on=on, also=also, wanted=wanted(number),
        )  # fmt: skip
    except Exception:  # noqa: BLE001  (a compiler that breaks on a program is found as well)
        return True
    return bool(found.wrong or found.refused)


def finds_at_sizes(number: int, on: tuple[str, ...]) -> bool:
    """Whether a program shows something wrong where its dims are uniforms."""
    try:
        return any(opened(grown(number), device, calls=True).wrong for device in on)
    except Exception:  # noqa: BLE001  (a compiler that breaks on a program is found as well)
        return True


def order(near: str) -> list[int]:
    """The programs, those first that say a word."""
    return sorted(range(PROGRAMS), key=lambda number: near not in grown(number).text)


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_in_the_compiler_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bug = BUGS[name]
    bug.put(monkeypatch)
    look = finds_at_sizes if bug.opened else finds
    number = next((n for n in order(bug.near) if look(n, bug.on)), None)
    print(f"\n{name}: program {number}")

    assert number is not None


def test_without_a_bug_nothing_is_found() -> None:
    assert [n for n in range(20) if finds(n)] == []


def test_there_are_enough() -> None:
    assert len(BUGS) >= 48
