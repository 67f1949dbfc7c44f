"""The golden fixture: equal passes, different fails, missing fails and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile("def test_text(golden):\n    golden('new')\n")
    return pytester


def write_golden(project: pytest.Pytester, name: str, text: str) -> Path:
    module = next(iter(project.path.glob("test_*.py"))).stem.removeprefix("test_")
    path = project.path / "golden" / module / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_a_missing_golden_fails_and_says_how_to_write_it(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no golden*text.txt*--update-golden*"])


def test_a_different_golden_fails(project: pytest.Pytester) -> None:
    write_golden(project, "text.txt", "old")

    project.runpytest_inprocess().assert_outcomes(failed=1)


def test_an_equal_golden_passes(project: pytest.Pytester) -> None:
    write_golden(project, "text.txt", "new")

    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_an_update_writes_the_golden(project: pytest.Pytester) -> None:
    path = write_golden(project, "text.txt", "old")
    project.runpytest_inprocess("--update-golden").assert_outcomes(passed=1)

    assert path.read_text() == "new"
