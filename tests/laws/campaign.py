"""`make laws MINUTES=n`: fresh programs and fresh changed cells until the time is over.

The counts are added to docs/laws.md, which also holds the seed to go on from: a run that is
stopped loses its last batch only. Where something is wrong the run ends with 1, and the smallest
such program is in build/laws.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.laws.cells import attempt, changed
from tests.laws.growing import Program, grow, programs
from tests.laws.opened import opened
from tests.laws.schedules import dependent, some_schedule
from tests.laws.smaller import smallest
from tests.laws.trial import Trial, devices, meaning, trial
from workbench.ir.loops import Loops
from workbench.schedule.step import Schedule

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "docs" / "laws.md"
FOUND = ROOT / "build" / "laws"
PROGRAMS, CELLS, SIZED = 100, 400, 10
SECONDS_TO_SHRINK = 30
PATHS = {"native": 2 / 5, "cpu": 1 / 4, "wasm": 1 / 8, "simt": 1 / 5}
"""How often a program is tried on a path; every one is tried directly and in the interpreter.

One with dtypes that some of them cannot hold is tried, or has to be refused, twice as often.
"""
SCHEDULED = {"native": 2, "cpu": 3, "wasm": 1, "simt": 3}
"""How often a path is the one that a program is tried on by a schedule as well."""
SLOW = (HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large)
TITLE = """# Laws: what was tried by chance

Programs are grown as text by `tests/laws/growing`, evaluated directly by `tests/laws/direct`, and
compared with the interpreter at both widths, and by chance with the simulation of workgroups and
with the devices here by the default schedule.
Each is also given a schedule chosen by chance: of its steps most are refused, those that are legal
are applied, and the loops as they are then and one of the other paths give the same.
`scheduled loops` counts those cases; `dependence` the programs in which an iteration of a loop
needs what another one wrote.
Half of them have dtypes that some targets cannot hold: there they have to be refused, with the
place and what to write instead.
Others are run at size after size, primes, one and nothing among them, by code whose dims are open.
A program that is to lead outside an array agrees where every path reports it.
Changed cells are programs with tokens taken out, put in and exchanged: each must be a kernel or
be refused, within a second.
`make laws MINUTES=n` goes on from the seed below and adds to the counts; a seed that shows
something wrong is not passed until it shows nothing any more.

| what | count |
| --- | --- |
"""
FIRST = (
    "next seed", "program", "compared", "wrong", "refused", "vague", "reported", "changed cell",
)  # fmt: skip


class Wrong(Exception):  # noqa: N818  (what a law looks for)
    """A program whose results differ, or that breaks the compiler."""

    def __init__(self, words: str, program: Program | None = None) -> None:
        super().__init__(words)
        self.program = program

    @property
    def kind(self) -> str:
        """Where it is wrong, in a few words."""
        return re.split(r"[,:(]", str(self))[0]


def tried(program: Program, seen: Counter[str] | None = None) -> Trial:
    """A program tried on some paths that its text decides, and by a schedule. Raises `Wrong`.

    `seen` counts the steps that were drawn for it.
    """
    chance, on_hand = random.Random(program.text), (*devices(), "simt")
    often = 2 if program.more else 1
    on = [n for n in on_hand if chance.random() < often * PATHS[n]]
    on = ["wide", "interpreter", *on]
    also = chance.choice(
        [n for n, times in SCHEDULED.items() if n in on_hand for _ in range(times)]
    )
    counted = Counter[str]() if seen is None else seen

    def schedule(loops: Loops, path: str) -> Schedule:
        counted["dependence"] += dependent(loops)
        return some_schedule(chance.choice, loops, path, counted)

    wanted = meaning(program)
    try:
        found = trial(program, schedule, on=tuple(on), also=(also,), wanted=wanted)
    except Exception as error:
        words = f"breaks with {error!r}\n{program.text}{program.inputs}"
        raise Wrong(words, program) from error
    if found.wrong:
        raise Wrong(found.wrong, program)
    return found


def wrongness(program: Program) -> Wrong | None:
    """What is wrong with a program; one that means nothing has nothing wrong."""
    try:
        tried(program)
    except Wrong as error:
        return error
    except Exception:  # noqa: BLE001  (half a program: the direct evaluation knows no such form)
        return None
    return None


def law(examples: int, start: int | None = None) -> Counter[str]:
    """Try programs, the same ones every time without `start`; gives the counts of what they had.

    Raises `Wrong` for a small program whose results differ.
    """
    seen: Counter[str] = Counter()

    def try_one(program: Program) -> None:
        found = tried(program, seen)
        scheduled = [path for path in found.ran if "Schedule" in path]
        seen.update(["program", *program.forms, *(program.more or {"usual dtypes"})])
        seen.update(f"refused on {path.split(',', maxsplit=1)[0]}" for path in found.unheld)
        ran = [path.split(",", maxsplit=1)[0] for path in found.ran if path not in scheduled]
        seen.update(path for path in ran if path not in {"wide", "interpreter"})
        seen.update(f"scheduled {path.split(',', maxsplit=1)[0]}" for path in scheduled)
        seen.update(refused=bool(found.refused), vague=found.vague, scheduled=bool(scheduled))
        seen.update(compared=len(found.ran), reported=found.reported)

    quiet = settings(
        max_examples=examples, deadline=None, derandomize=start is None, database=None,
        suppress_health_check=SLOW, phases=[Phase.generate],
    )(given(programs())(try_one))  # fmt: skip
    try:
        (quiet if start is None else seed(start)(quiet))()
    except Wrong as error:
        raise made_small(error) from error
    return seen


def made_small(error: Wrong) -> Wrong:
    """The same mistake in a smaller program, as far as that is cheap."""
    if error.program is None:
        return error

    def shows(program: Program) -> bool:
        other = wrongness(program)
        return other is not None and other.kind == error.kind

    return wrongness(smallest(error.program, shows, SECONDS_TO_SHRINK)) or error


def read() -> Counter[str]:
    """The counts so far."""
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \|$", RECORD.read_text(), re.MULTILINE)
    return Counter({name: int(count) for name, count in rows})


def write(counts: Counter[str]) -> None:
    """Keep the counts, the seed of the next batch among them."""
    names = [*FIRST, *sorted(set(counts) - set(FIRST))]
    RECORD.write_text(TITLE + "".join(f"| {n} | {counts[n]} |\n" for n in names))


def keep(start: int, words: str) -> None:
    """Write what is wrong where a person finds it, and say so."""
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"seed-{start}.txt"
    path.write_text(f"seed {start}\n{words}\n")
    print(f"seed {start}: {words}\nkept in {path.relative_to(ROOT)}")


def batch(start: int) -> Counter[str]:
    """Programs, some at ever new sizes, and changed cells. Raises `Wrong`."""
    seen = law(PROGRAMS, start)
    here = devices()
    for number in range(SIZED):
        program = grow(random.Random(f"sizes {start} {number}").choice)
        found = opened(program, here[number % len(here)], calls=number % 3 == 0)
        if found.wrong:
            raise Wrong(found.wrong)
        seen += Counter({f"sizes: {name}": count for name, count in found.seen.items()})
    for number in range(CELLS):
        text = changed(random.Random(f"{start} {number}"))
        try:
            seen[f"{attempt(text)} after a change"] += 1
        except Exception as error:
            raise Wrong(f"a changed cell ends with {error!r}\n{text}") from error
    seen["changed cell"] = CELLS
    return seen


def main(minutes: float) -> int:
    """Try batches until the minutes are over; gives the exit status."""
    counts = read() if RECORD.exists() else Counter[str]()
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        start = counts["next seed"]
        try:
            counts.update(batch(start))
        except Wrong as error:
            keep(start, str(error))
            counts["wrong"] = 1
            write(counts)
            return 1
        counts["next seed"] += 1
        counts["wrong"] = 0
        write(counts)
        print(f"seed {start}: {counts['program']} programs, {counts['changed cell']} cells")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
