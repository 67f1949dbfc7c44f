"""The threats of docs/security.md name tests, and each of those exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"


def test_every_test_that_the_threats_name_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert len(named) > 20
    assert named - written == set()


def test_every_threat_names_a_test() -> None:
    rows = re.findall(r"^\| (?!threat|---)(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert rows
    assert [row for row in rows if "`test_" not in row] == []
