"""Bugs put into the compiler on purpose, one at a time: the laws must find each of them.

A bug is one changed row, constant or function. Programs are grown until one differs from its
direct evaluation or breaks the compiler; a bug that none of them shows is a hole in the laws.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.laws.growing import Program, grow
from tests.laws.schedules import some_schedule
from tests.laws.trial import devices, trial
from workbench.ir import ops
from workbench.ir.expr import Select, apply, integer
from workbench.ir.stmt import For
from workbench.lang import calls, expressions, reductions, values
from workbench.passes import fold, lower, mapping
from workbench.schedule import loop_steps

PROGRAMS = 120
Patch = pytest.MonkeyPatch
Seed = Callable[[Patch], None]


def row(op: str, **changes: Any) -> Seed:
    """A bug in one row of the operations table."""
    return lambda patch: patch.setitem(ops.OPS, op, replace(ops.OPS[op], **changes))


def llvm(op: str, **kinds: str) -> Seed:
    return row(op, llvm={**ops.OPS[op].llvm, **kinds})


def wgsl(op: str, **kinds: str) -> Seed:
    return row(op, wgsl={**ops.OPS[op].wgsl, **kinds})


def meant(op: str, other: str) -> Seed:
    """An operation defined as another one."""
    return row(op, define=dict.fromkeys(ops.OPS[op].define, lambda *args: apply(other, *args)))


def in_place_of(module: Any, name: str, change: Callable[[Any], Any]) -> Seed:
    return lambda patch: patch.setattr(module, name, change(getattr(module, name)))


def swapped(names: dict[str, str]) -> Callable[[Any], Any]:
    """A function of an operation's name that takes one for another."""
    return lambda f: lambda op, *args, **more: f(names.get(op, op), *args, **more)


def _one_less(f: Any) -> Any:
    return lambda var, start, stop, *args, **more: f(
        var, start, apply("sub", stop, integer(1)), *args, **more
    )


BUGS: dict[str, Seed] = {
    "floor division cuts": meant("floordiv", "quotient"),
    "modulo keeps the sign of the dividend": meant("mod", "remainder"),
    "shifts take the width modulo": meant("shl", "shl_inside"),
    "right shifts of ints are logical": llvm("shr_inside", i="lshr"),
    "ints compare as unsigned": llvm("lt", i="ult"),
    "unsigned ints compare as signed": llvm("gt", u="sgt"),
    "at most is less on the cpu": llvm("le", f="olt"),
    "at least is more on the gpu": wgsl("ge", i="{0} > {1}"),
    "the larger is the smaller": llvm("max", f="llvm.minimum"),
    "the smaller of unsigned ints is signed": llvm("min", u="llvm.smin"),
    "or is exclusive on the gpu": wgsl("bitor", i="{0} ^ {1}"),
    "invert negates": wgsl("invert", u="~{0} + 1u"),
    "a ceiling is a floor": llvm("ceil", f="llvm.floor"),
    "a product loses its right side": wgsl("mul", f="{0}"),
    "a difference is a sum": llvm("sub", i="add"),
    "an absolute value is none": wgsl("abs", f="{0}"),
    "not is nothing": wgsl("not", b="{0}"),
    "sums start at one": row("add", unit=1),
    "maxima start at zero": row("max", unit=0),
    "minima start at zero": row("min", unit=0),
    "any starts at true": row("or", unit=1),
    "all starts at false": row("and", unit=0),
    "the last of equals is the best": in_place_of(
        lower, "apply", swapped({"gt": "ge", "lt": "le"})
    ),
    "lowered loops end early": in_place_of(lower, "For", _one_less),
    "split forgets the guard": in_place_of(
        loop_steps, "If", lambda f: lambda cond, *args, **more: f(_always(cond), *args, **more)
    ),
    "a workgroup is one too few": in_place_of(
        mapping, "_mapped_loop", lambda f: lambda s, *args, **more: f(_shorter(s), *args, **more)
    ),
    "x - 0 is 0 - x": in_place_of(
        fold, "_identity", lambda f: lambda e: e.args[1] if e.op == "sub" else f(e)
    ),
    "where is the other way round": in_place_of(
        calls, "Select", lambda f: lambda c, yes, no, **more: f(c, no, yes, **more)
    ),
    "and is or": in_place_of(
        expressions, "both", lambda _: lambda a, b, _late, o: values.either(a, b, o)
    ),
    "filters hold always": in_place_of(reductions, "_joined", lambda _: lambda _tests: None),
}  # fmt: skip


def _always(cond: Any) -> Any:
    return apply("eq", integer(0), integer(0)) if not isinstance(cond, Select) else cond


def _shorter(s: For) -> For:
    return replace(s, stop=apply("sub", s.stop, integer(1)))


@cache
def grown(number: int) -> Program:
    return grow(random.Random(number).choice)


def finds(number: int) -> bool:
    """Whether a program shows that something is wrong."""
    chance = random.Random(number)
    here = devices()
    try:
        found = trial(
            grown(number),
            lambda loops, device: some_schedule(chance.choice, loops, device),
            on=here,
            also=here,
        )
    except Exception:  # noqa: BLE001  (a compiler that breaks on a program is found as well)
        return True
    return bool(found.wrong)


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_in_the_compiler_is_found(name: str, monkeypatch: Patch) -> None:
    BUGS[name](monkeypatch)

    assert any(finds(number) for number in range(PROGRAMS))


def test_without_a_bug_nothing_is_found() -> None:
    assert [n for n in range(20) if finds(n)] == []
