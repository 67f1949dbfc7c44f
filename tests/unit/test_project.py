"""The project's own rules: its commands, its locks, its limits of size, and what it never names."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("lab", "dev", "uv")
FILE_LINES, FUNCTION_LINES, COLUMNS = 400, 50, 100
# Hosts that packages come from, and folders of one machine. Written in pieces, for this file is
# searched too.
FOREIGN = [
    *(f"/{folder}/" for folder in ("work", "root", "home", "Users")),
    *(".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))),
]


def tracked() -> list[Path]:
    """Every file that git knows, in order of name."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def sources() -> Iterator[Path]:
    """The Python of the package and the TypeScript of the page."""
    yield from sorted((ROOT / "workbench").rglob("*.py"))
    yield from sorted((ROOT / "js" / "src").rglob("*.ts"))


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_of_a_document_are_in_the_makefile(document: str) -> None:
    named = set(re.findall(r"\bmake ([a-z]+)", (ROOT / document).read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named
    assert named <= targets


def test_continuous_integration_runs_the_tests_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()

    assert "\nmake test\n" in script
    assert "make test" in (ROOT / "README.md").read_text()


def test_the_changelog_names_the_version() -> None:
    version = project()["project"]["version"]

    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_no_file_names_a_machine_or_a_host_of_packages() -> None:
    found = [
        f"{shown(path)}: {foreign}"
        for path in tracked()
        for foreign in FOREIGN
        if foreign.encode() in path.read_bytes()
    ]

    assert found == []


@pytest.mark.parametrize("name", LOCKS)
def test_python_pins_are_exact_hashed_and_without_addresses(name: str) -> None:
    lock = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = [line for line in lock.splitlines() if not line.startswith(" ")]
    bodies = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]

    assert [entry for entry in entries if "==" not in entry] == []
    assert [body for body in bodies if "--hash=sha256:" not in body] == []
    assert "://" not in lock


def test_the_lab_has_the_pins_of_the_developers() -> None:
    lab, dev = (
        set(
            re.findall(
                r"^\S+==\S+", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE
            )
        )
        for name in ("lab", "dev")
    )

    assert lab <= dev


def test_what_the_package_needs_is_pinned() -> None:
    described = project()["project"]
    extras = described["optional-dependencies"]
    wanted = described["dependencies"] + [
        need for extra in ("cpu", "native", "notebook", "tour") for need in extras[extra]
    ]
    names = {re.split(r"[<>=\[ ]", need)[0] for need in wanted}
    pinned = re.findall(r"^(\S+)==", (ROOT / "requirements" / "lab.txt").read_text(), re.MULTILINE)

    assert names <= set(pinned)


def test_large_peers_are_outside_the_locks() -> None:
    locks = [(ROOT / "requirements" / f"{name}.txt").read_text() for name in LOCKS]

    assert [
        lock for lock in locks if re.search(r"^(torch|onnxruntime)==", lock, re.MULTILINE)
    ] == []


def test_page_pins_have_a_hash_and_no_address() -> None:
    packages = json.loads((ROOT / "js" / "package-lock.json").read_text())["packages"]
    others = {name: package for name, package in packages.items() if name}

    assert [name for name, package in others.items() if "integrity" not in package] == []
    assert [name for name, package in others.items() if "resolved" in package] == []


def test_files_are_short() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in sources()}

    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_lines_are_short() -> None:
    found = [
        f"{shown(path)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > COLUMNS
    ]

    assert found == []


def test_functions_are_short() -> None:
    found = [
        f"{shown(path)}:{function.lineno} {function.name} has {lines} lines"
        for path in sources()
        if path.suffix == ".py"
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := lines_of(function)) > FUNCTION_LINES
    ]

    assert found == []


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function from its `def` on, its docstring left out."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)
