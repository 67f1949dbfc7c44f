"""What every test folder shares: golden texts, and their update."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the tests show into tests/golden; review the difference",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare a text with tests/golden/MODULE/TEST.txt, or TEST.PART.txt; a missing one fails.

    Call it as `golden(text)` or `golden(text, part="wgsl")`. With --update-golden the file is
    written instead, so that what changed is read as a difference of the commit.
    """
    module = request.path.stem.removeprefix("test_")
    name = re.sub(r"[^\w.=-]+", "-", request.node.name.removeprefix("test_")).strip("-")

    def compare(text: str, *, part: str = "") -> None:
        path = GOLDEN / module / f"{name}{part and '.'}{part}.txt"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists():
            command = f"pytest {request.path} --update-golden"
            pytest.fail(f"no golden {path}; write it with `{command}` and read it", pytrace=False)

        assert path.read_text(encoding="utf-8") == text, (
            f"{path} differs; if the new text is right, run the test with --update-golden"
        )

    return compare
