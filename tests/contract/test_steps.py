"""Every registered step explains itself, is a value, and is written as the call that makes it."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

import pytest

from workbench.schedule.step import STEPS, Schedule, make

EXAMPLES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "split": (("k", 8), {}),
    "reorder": (("i", "k", "j"), {}),
    "parallelize": (("i", "workgroup.x", 64), {}),
    "cache": (("C", "private"), {"at": "k"}),
    "tile": (("i", 8, "k", 4), {"tail": "peel"}),
    "fuse": (("k", "l"), {}),
    "unroll": (("k", 4), {}),
    "peel": (("k",), {"first": 1}),
    "vectorize": (("k", 4), {}),
    "specialize": (("k", "K", 64), {}),
    "rfactor": (("k_i",), {"memory": "workgroup"}),
    "transform_layout": (("B", 1, 32), {}),
    "compute_root": (("h",), {}),
    "pad": (("h", 1, 4), {}),
    "set_dtype": (("h", "f16"), {}),
    "decompose": (("j",), {}),
    "online_softmax": (("s.k",), {}),
    "welford": (("k",), {}),
    "inline": (("e",), {}),
    "compute_at": (("top", "y.i"), {"memory": "workgroup"}),
}
"""One call of each step; a new step adds its own."""

dir(Schedule())  # loads every family


@pytest.fixture(params=sorted(STEPS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_step_shows_before_and_after(name: str) -> None:
    doc = STEPS[name].__doc__ or ""
    first, *rest = doc.strip().splitlines()

    assert first.endswith(".")
    assert any(line.strip().startswith("before") for line in rest)
    assert any(line.strip().startswith("after") for line in rest)


def test_a_step_is_a_frozen_value_with_slots(name: str) -> None:
    cls = STEPS[name]

    assert is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
    assert "__slots__" in vars(cls)


def test_a_schedule_is_written_as_the_calls_that_make_it(name: str) -> None:
    args, options = EXAMPLES[name]
    schedule = Schedule((make(name, *args, **options),))

    assert eval(repr(schedule), {"Schedule": Schedule}) == schedule  # noqa: S307  (the claim)


def test_a_step_refuses_a_loop_that_is_not_there(name: str) -> None:
    from tests.unit.schedule.programs import rows

    args, options = EXAMPLES[name]

    assert not make(name, *args, **options).check(rows())


def test_the_laws_draw_a_step(name: str) -> None:
    from tests.laws.schedules import DRAWERS

    assert name in DRAWERS
