"""What an example of a refusal is, and kernels with one wrong line."""

from __future__ import annotations

import re
from dataclasses import dataclass

PARAMETERS = {
    "x": "x: f32[N]",
    "A": "A: f32[N, K]",
    "B": "B: f32[K, N]",
    "m": "m: i32[N]",
    "n": "n: i32",
    "b": "b: bool",
}
"""What the lines of an example may use; a signature has those that they name, and `x`."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text that `wb.kernel` refuses."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A kernel's text that is accepted, bound to `k`, and the Python that is refused then."""

    text: str
    python: str


@dataclass(frozen=True, slots=True)
class Group:
    """Examples that belong together under one heading; `error` names their class."""

    error: str
    title: str
    examples: tuple[Cell | Call, ...]


def signature(*lines: str) -> str:
    """The line of `def` of a kernel with these lines."""
    words = set(re.findall(r"\w+", " ".join(lines))) | {"x"}
    words |= {"A"} if "K" in words and not words & {"A", "B"} else set[str]()
    given = ", ".join(p for name, p in PARAMETERS.items() if name in words)
    return f"def f({given}) -> f32[N]:\n"


def lines(*text: str) -> Cell:
    """Lines of a kernel that returns `y`."""
    body = "".join(f"    {x}\n" for x in text)
    return Cell(f"{signature(*text)}{body}    return y\n")


def block(*text: str) -> Cell:
    """Lines of a loop block in a kernel that returns `y`."""
    return lines("for i in grid(N):", *(f"    {x}" for x in text))


def kernel(*text: str) -> Cell:
    """A whole kernel, line by line."""
    return Cell("".join(f"{x}\n" for x in text))


def calling(function: str, line: str = "") -> Cell:
    """A function that kernels inline, and a kernel with a line that calls it."""
    return Cell(f"{function}\n\n{lines(line or 'y[i] = g(x[i])').text}")
