"""The order of dispatch: turns whose bounds need the turn around them, written out and joined."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workbench.base.errors import CodegenError
from workbench.codegen.order import MOST_TURNS, actions
from workbench.ir.device import Turns
from workbench.ir.expr import Expr, Var, apply, integer
from workbench.program import Action, Dispatch, Repeat

KERNELS = [("a", (1, 1, 1)), ("b", (1, 1, 1))]
S, T = Var("s"), Var("t")


def ran(body: tuple[Action, ...]) -> Iterator[str]:
    """The kernels that a program dispatches."""
    for action in body:
        match action:
            case Dispatch(kernel):
                yield kernel
            case Repeat(count, inner):
                for _ in range(count):
                    yield from ran(inner)
            case _:
                raise AssertionError(action)


def size(body: tuple[Action, ...]) -> int:
    """How many actions a program is made of."""
    return sum(1 + size(a.body) if isinstance(a, Repeat) else 1 for a in body)


def nested(count: Expr, outer: int, start: int = 0) -> tuple[Turns]:
    return (Turns(outer, (Turns(count, (0,)), 1), "s", start),)


@pytest.mark.parametrize(
    ("count", "times"),
    [
        (S, lambda s: s),
        (apply("sub", integer(3), S), lambda s: 3 - s),
        (apply("mod", S, integer(3)), lambda s: s % 3),
        (apply("min", S, integer(2)), lambda s: min(s, 2)),
        (apply("eq", apply("bitand", S, integer(6)), integer(2)), lambda s: s & 6 == 2),
    ],
)
@pytest.mark.parametrize(("start", "outer"), [(0, 0), (0, 1), (2, 1), (-3, 7), (1, 40)])
def test_each_turn_has_its_own_count(count: Expr, times, start: int, outer: int) -> None:  # noqa: ANN001
    expected = [k for s in range(start, start + outer) for k in [*["a"] * max(0, times(s)), "b"]]
    assert list(ran(actions(nested(count, outer, start), KERNELS, {}))) == expected


def test_equal_turns_and_periods_become_repeats() -> None:
    period = actions(nested(apply("mod", S, integer(5)), 5000), KERNELS, {})
    assert len(period) == 1
    assert size(period) <= 16
    assert len(list(ran(period))) == 5000 + 1000 * 10
    ends = actions(nested(apply("min", S, integer(2)), 5000), KERNELS, {})
    assert size(ends) <= 8


def test_counts_need_turns_at_any_depth() -> None:
    inner = Turns(apply("sub", T, S), (0,))
    order = (Turns(4, (Turns(S, (Turns(2, (inner,)), 1), "t", S),), "s"),)
    expected = [k for s in range(4) for t in range(s, 2 * s) for k in [*["a"] * (2 * (t - s)), "b"]]
    assert list(ran(actions(order, KERNELS, {}))) == expected


def test_open_dims_are_part_of_a_count() -> None:
    order = nested(apply("sub", Var("N"), S), 3)
    for n in (0, 2, 9):
        found = list(ran(actions(order, KERNELS, {"N": n})))
        assert found.count("a") == sum(max(0, n - s) for s in range(3))


def test_more_turns_than_a_program_holds_are_refused() -> None:
    with pytest.raises(CodegenError, match=f"'s' .*{MOST_TURNS + 1} turns.*at most {MOST_TURNS}"):
        actions(nested(S, MOST_TURNS + 1), KERNELS, {})


def test_a_count_beyond_i32_is_refused() -> None:
    far = apply("shl", integer(1), S)
    with pytest.raises(CodegenError, match="beyond i32"):
        actions(nested(far, 2, 31), KERNELS, {})
