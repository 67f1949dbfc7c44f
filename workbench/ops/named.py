"""How a function becomes an operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


def operator(name: str) -> Callable[[F], F]:
    """Say that a function is the operator of that name."""

    def mark(function: F) -> F:
        function.operator = name  # pyright: ignore[reportFunctionMemberAccess]
        return function

    return mark
