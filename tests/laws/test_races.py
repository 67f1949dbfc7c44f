"""Kernels made wrong on purpose are found: without running them, by running them, and by step."""

from __future__ import annotations

import numpy as np
import pytest

from tests.laws.racy import SEEDED, Seeded, Wrong
from workbench.base.errors import ScheduleError
from workbench.base.limits import GUARANTEED
from workbench.ir.device import Mapped
from workbench.ir.simt import run_mapped
from workbench.passes.legality import illegal
from workbench.schedule.blame import mapped_of, require_legal
from workbench.schedule.step import STEPS

SEEDS = range(4)


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong step has a name as others have."""
    monkeypatch.setitem(STEPS, "wrong", Wrong)


def mapped(seeded: Seeded) -> Mapped:
    """The device kernels of a kernel made wrong."""
    past = seeded.past
    found = mapped_of(past.loops(len(past.taken)))
    assert found is not None
    return found


def test_there_are_enough() -> None:
    assert len(SEEDED) >= 30


@pytest.mark.parametrize("name", SEEDED)
def test_it_is_found_before_it_runs_and_the_step_is_named(name: str) -> None:
    seeded = SEEDED[name]
    kernels = mapped(seeded).kernels
    (found, *_) = [fault for k in kernels if (fault := illegal(k)) is not None]
    with pytest.raises(ScheduleError, match=rf"^step {seeded.wrong}, ") as caught:
        require_legal(mapped(seeded), GUARANTEED, seeded.past)

    assert type(found).__name__ == seeded.finds
    assert found.words in str(caught.value)


@pytest.mark.parametrize("name", SEEDED)
def test_the_simulation_of_workgroups_finds_it_in_a_shuffled_order(name: str) -> None:
    seeded = SEEDED[name]
    wanted = {"Divergence": "DivergentBarrier"}.get(seeded.finds, seeded.finds)
    kernels, rng = mapped(seeded), np.random.default_rng(5)
    inputs = {
        b.name: rng.integers(-9, 10, b.sizes).astype(b.dtype.numpy)
        for b in kernels.buffers
        if b.role == "input"
    }
    found = {
        type(fault).__name__
        for seed in SEEDS
        for fault in run_mapped(kernels, inputs, {}, seed=seed)[1].faults
    }

    assert wanted in found


@pytest.mark.parametrize("name", SEEDED)
def test_up_to_the_wrong_step_everything_is_right(name: str) -> None:
    seeded = SEEDED[name]
    past = seeded.past
    for count in range(seeded.wrong):
        kernels = mapped_of(past.loops(count))
        if kernels is not None:
            assert [illegal(k) for k in kernels.kernels if illegal(k)] == []
