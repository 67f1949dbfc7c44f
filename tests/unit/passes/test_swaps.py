"""Buffers that change places in a repeat: right for every count of turns, and without copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import workbench as wb
from workbench.ir.interpret import run_loops
from workbench.ir.simt import run_mapped
from workbench.pipeline import Compilation
from workbench.program import Action, Dispatch, Repeat

HEAT = """
def heat(u: f32[N], steps: i32) -> f32[N]:
    for t in range(steps):
        u[i] = u[i] + 0.1 * (u[max(i - 1, 0)] - 2 * u[i] + u[min(i + 1, N - 1)])
    return u
"""
GRAY_SCOTT = """
def gray_scott(u: f32[N], v: f32[N], steps: i32) -> (f32[N], f32[N]):
    for t in range(steps):
        r[i] = u[i] * v[i] * v[i]
        u[i] = u[i] + 0.2 * (u[(i - 1) % N] - 2 * u[i] + u[(i + 1) % N]) - r[i]
        v[i] = v[i] + 0.1 * (v[(i - 1) % N] - 2 * v[i] + v[(i + 1) % N]) + r[i] * u[i]
    return u, v
"""
WAVE = """
def wave(u: f32[N], old: f32[N], steps: i32) -> (f32[N], f32[N]):
    for t in range(steps):
        next[i] = 2 * u[i] - old[i] + 0.3 * (u[(i - 1) % N] - 2 * u[i] + u[(i + 1) % N])
        old[i] = u[i]
        u[i] = next[i]
    return u, old
"""
READ_AFTER = """
def read_after(u: f32[N], steps: i32) -> (f32[N], f32[N]):
    total[i] = 0.0 * u[i]
    for t in range(steps):
        u[i] = 0.5 * (u[(i - 1) % N] + u[(i + 2) % N])
        total[i] = total[i] + u[i] * (t + 1)
        u[i] = u[(i + 1) % N] + t
    return u, total
"""
NESTED = """
def nested(u: f32[N], rounds: i32, steps: i32) -> f32[N]:
    for r in range(rounds):
        for t in range(steps):
            u[i] = 0.5 * (u[(i - 1) % N] + u[i]) + 0.25 * r - t
        u[i] = u[(i + 1) % N]
    return u
"""
KEPT = """
def kept(u: f32[N], steps: i32) -> (f32[N], f32[N]):
    w[i] = u[i]
    for t in range(steps):
        w[i] = u[(i + 1) % N] + u[i]
        u[i] = w[i]
        u[i] = u[i] * 0.5
    return u, w
"""
Fields = np.ndarray | tuple[np.ndarray, ...]
COUNTS = (0, 1, 2, 3, 4, 5, 7)


def heat(u: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        u = u + 0.1 * (np.r_[u[:1], u[:-1]] - 2 * u + np.r_[u[1:], u[-1:]])
    return u


def wave(u: np.ndarray, old: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    for _ in range(steps):
        u, old = 2 * u - old + 0.3 * (np.roll(u, 1) - 2 * u + np.roll(u, -1)), u
    return u, old


def gray_scott(u: np.ndarray, v: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    for _ in range(steps):
        r = u * v * v
        u = u + 0.2 * (np.roll(u, 1) - 2 * u + np.roll(u, -1)) - r
        v = v + 0.1 * (np.roll(v, 1) - 2 * v + np.roll(v, -1)) + r * u
    return u, v


def read_after(u: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    total = 0 * u
    for t in range(steps):
        u = 0.5 * (np.roll(u, 1) + np.roll(u, -2))
        total = total + u * (t + 1)
        u = np.roll(u, -1) + t
    return u, total


def nested(u: np.ndarray, rounds: int, steps: int) -> np.ndarray:
    for r in range(rounds):
        for t in range(steps):
            u = 0.5 * (np.roll(u, 1) + u) + 0.25 * r - t
        u = np.roll(u, -1)
    return u


def kept(u: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    w = u
    for _ in range(steps):
        w = np.roll(u, -1) + u
        u = w * 0.5
    return u, w


def compiled(text: str, dims: dict[str, int], on: str = "native") -> Compilation:
    return wb.kernel(text).compile(on=on, dims=dims)


def agrees(text: str, expected: Fields, arrays: dict[str, np.ndarray], **dims: int) -> None:
    """Compares the swapped loops, the device kernels and the cpu with `expected`."""
    c = compiled(text, dims)
    wanted = expected if isinstance(expected, tuple) else (expected,)
    before = {name: a.copy() for name, a in arrays.items()}
    scalars = {k: v for k, v in dims.items() if k != "N"}
    results = [run_loops(c.stages["swap"].value, arrays, scalars)]
    found, findings = run_mapped(c.stages["kernel"].value, arrays, scalars)
    assert findings.ok
    results.append(found)
    answer = wb.kernel(text)(**arrays, **scalars, on="cpu")
    on_cpu = answer if isinstance(answer, tuple) else (answer,)
    results.append(dict(zip(c.program.outputs, on_cpu, strict=True)))
    for found in results:
        for name, want in zip(c.program.outputs, wanted, strict=True):
            np.testing.assert_allclose(np.asarray(found[name]), want, rtol=2e-4, atol=2e-4)
    for name, a in arrays.items():
        np.testing.assert_array_equal(a, before[name])


def dispatched(body: tuple[Action, ...]) -> int:
    """How many dispatches a run makes."""
    total = 0
    for action in body:
        total += isinstance(action, Dispatch)
        if isinstance(action, Repeat):
            total += action.count * dispatched(action.body)
    return total


def field(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(n, np.float32)


@pytest.mark.parametrize("steps", COUNTS)
def test_heat_is_right_after_any_number_of_turns(steps: int) -> None:
    u = field(13, 0)

    agrees(HEAT, heat(u, steps), {"u": u}, N=13, steps=steps)


@pytest.mark.parametrize("steps", COUNTS)
def test_two_fields_change_in_one_turn(steps: int) -> None:
    u, v = field(11, 1), field(11, 2)

    agrees(GRAY_SCOTT, gray_scott(u, v, steps), {"u": u, "v": v}, N=11, steps=steps)


@pytest.mark.parametrize("steps", COUNTS)
def test_three_fields_go_round(steps: int) -> None:
    u, old = field(11, 1), field(11, 2)

    agrees(WAVE, wave(u, old, steps), {"u": u, "old": old}, N=11, steps=steps)


@pytest.mark.parametrize("steps", COUNTS)
def test_an_array_read_after_its_update_has_the_new_values(steps: int) -> None:
    u = field(9, 1)

    agrees(READ_AFTER, read_after(u, steps), {"u": u}, N=9, steps=steps)


@pytest.mark.parametrize(("rounds", "steps"), [(0, 3), (1, 2), (2, 3), (3, 1), (4, 4), (3, 5)])
def test_repeats_in_repeats(rounds: int, steps: int) -> None:
    u = field(7, 1)

    agrees(NESTED, nested(u, rounds, steps), {"u": u}, N=7, rounds=rounds, steps=steps)


@pytest.mark.parametrize("steps", COUNTS)
def test_arrays_that_would_share_a_buffer_while_one_changes_are_copied(steps: int) -> None:
    u = field(7, 1)

    agrees(KEPT, kept(u, steps), {"u": u}, N=7, steps=steps)
    assert "swap" not in list(compiled(KEPT, {"N": 7, "steps": steps}).stages)


@pytest.mark.parametrize("on", ["native", "cpu", "wasm"])
@pytest.mark.parametrize(
    ("text", "each", "after"), [(HEAT, 1, 1), (GRAY_SCOTT, 3, 2), (WAVE, 1, 2)]
)
def test_an_even_number_of_turns_copies_nothing(on: str, text: str, each: int, after: int) -> None:
    program = compiled(text, {"N": 300, "steps": 1200}, on).program

    assert dispatched(program.body) == 1200 * each + after


def test_turns_share_the_kernels_of_what_does_not_move() -> None:
    program = compiled(HEAT, {"N": 300, "steps": 7}).program
    order = [a.kernel for a in program.body if isinstance(a, Dispatch)]
    (repeat,) = (a for a in program.body if isinstance(a, Repeat))

    assert isinstance(repeat.body[0], Dispatch)
    assert order[1] == repeat.body[0].kernel
    assert len(program.kernels) == 4


def test_a_schedule_of_the_update_holds_for_every_turn() -> None:
    schedule = wb.kernel(HEAT).schedule().parallelize("i", "workgroup.x", 32)
    c = wb.kernel(HEAT).compile(schedule, on="native", dims={"N": 100, "steps": 6})

    assert dispatched(c.program.body) == 7
    assert [k.workgroup_size[0] for k in c.program.kernels[1:]] == [32, 32]
    assert c.check().ok


def test_the_order_of_the_turns_is_a_stage(golden: Callable[[str], None]) -> None:
    golden(compiled(WAVE, {"N": 8, "steps": 7}).stages["swap"].text)
