"""Changed cells: grown programs with tokens taken out, put in and exchanged."""

from __future__ import annotations

import random
import re
import time

from tests.laws.growing import grow
from workbench.base.errors import SourceError
from workbench.base.source import Source
from workbench.lang import parse

SECONDS = 1.0
MARK = "executed_by_mistake"
PIECES = (
    "(", ")", "[", "]", ":", ",", "=", "+=", "-", "*", "/", "//", "%", "**", "<<", "@", "~", "not",
    "and", "if", "else", "for", "in", "range", "grid", "while", "break", "return", "sum", "argmax",
    "i", "j", "a", "b", "N", "M", "0", "-1", "2.5", "1e999", "2147483648", "True", "None", "f32",
    "u32", "lambda", "yield", "del", "global i", f"import {MARK}", "{", "}", "'s'", ":=", "...",
    "\n", "\n    ", "\n        ", "#", "\\", "é", "\x00", f"open({MARK!r}, 'w')",
    f"__import__({MARK!r})",
)  # fmt: skip


def changed(rng: random.Random) -> str:
    """A grown program with one to four tokens taken out, put in or exchanged."""
    parts = re.findall(r"\w+|\s+|[^\w\s]", grow(rng.choice).text)
    for _ in range(rng.randint(1, 4)):
        place, other = rng.randrange(len(parts)), rng.randrange(len(parts))
        match rng.choice(["delete", "insert", "swap", "repeat"]):
            case "delete":
                parts[place : place + rng.randint(1, 3)] = []
            case "insert":
                parts.insert(place, rng.choice(PIECES))
            case "swap":
                parts[place], parts[other] = parts[other], parts[place]
            case _:
                parts.insert(place, parts[other])
        parts = parts or [" "]
    return "".join(parts)


def attempt(text: str) -> str:
    """`kernel` or `refused`; anything else that happens is raised.

    The time is that of this process alone, for other tests may run beside it.
    """
    start = time.process_time()
    try:
        parse(Source(text))
        answer = "kernel"
    except SourceError as error:
        answer = "refused" if error.mistakes else "refused without a word"
    assert time.process_time() - start < SECONDS, f"too slow:\n{text}"
    return answer
