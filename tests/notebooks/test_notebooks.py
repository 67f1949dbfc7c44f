"""Every notebook, and every Python example of a document, runs from top to bottom headless."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

import workbench

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/glossary.md", "docs/arrays.md",
                                     "docs/live.md", "docs/measuring.md", "docs/schedules.md")]
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODULES = sorted(found.name for found in pkgutil.walk_packages(workbench.__path__, "workbench."))


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Execute all cells in a fresh kernel; raises CellExecutionError at the first that fails."""
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_without_a_page(path: Path) -> None:
    run(nbformat.read(path, as_version=4), path.parent)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells

    assert [cell.source for cell in cells if cell.get("outputs")] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_examples_of_a_document_run(path: Path, tmp_path: Path) -> None:
    examples = EXAMPLE.findall(path.read_text(encoding="utf-8"))
    if not examples:
        pytest.skip(f"{path.name} has no Python examples")
    cells = [nbformat.v4.new_code_cell(example) for example in examples]
    run(nbformat.v4.new_notebook(cells=cells), tmp_path)


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_the_examples_of_a_module_run(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))

    assert failed == 0


def test_the_tour_is_there() -> None:
    assert (ROOT / "notebooks" / "00_tour.ipynb") in NOTEBOOKS
