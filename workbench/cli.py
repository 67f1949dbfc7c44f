"""Layer 9: `python -m workbench`: compile to a stage, list devices, run the demo."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.base.errors import WorkbenchError
from workbench.base.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; gives the exit status (2 for a mistake of the user)."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except WorkbenchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except UnicodeDecodeError as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename or options.file}: {error.strerror or error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="workbench", description="a compiler to look inside")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    c = commands.add_parser("compile", help="print the program at one stage")
    c.add_argument("file", type=Path, help="a text in the cell language")
    c.add_argument("--emit", default="wgsl", metavar="STAGE", help="a stage (default: wgsl)")
    c.add_argument("--kernel", help="a kernel of the file (default: the last)")
    c.add_argument("--dim", action="append", default=[], metavar="N=64", help="a dim's value")
    c.add_argument("--schedule", help="a schedule of the file (default: the rules)")
    c.add_argument("--json", action="store_true", help="every stage and the program, as JSON")
    c.add_argument("--save", type=Path, help="write the program, for workbench.load")
    c.set_defaults(run=_compile)
    d = commands.add_parser("devices", help="list the devices here")
    d.set_defaults(run=_devices, file="")
    m = commands.add_parser("demo", help="compile, run on every device here, write a report")
    m.add_argument("--out", type=Path, default=Path("build/demo"), help="folder of the report")
    m.set_defaults(run=_demo, file="")
    return parser


_DEVICE = {"llvm": "cpu", "llvm-opt": "cpu", "asm": "cpu", "wasm": "wasm"}
"""Whose compilation has a stage that not all have."""


def _compile(options: argparse.Namespace) -> int:
    from workbench.session.kernel import kernels  # noqa: PLC0415  (--help stays quick)

    found = kernels(Source(options.file.read_text(encoding="utf-8"), options.file.name))
    if options.kernel is not None and options.kernel not in found:
        raise WorkbenchError(f"no kernel '{options.kernel}'", hint=", ".join(found))
    k = found[options.kernel] if options.kernel else list(found.values())[-1]
    on = _DEVICE.get(options.emit, "native")
    c = k.compile(schedule=options.schedule, on=on, dims=_dims(options.dim))
    if options.save:
        c.program.save(options.save)
    if options.json:
        stages = [
            {"name": s.name, "note": s.note, "seconds": s.seconds, "text": s.text}
            for s in c.stages.values()
        ]
        values = {
            "kernel": c.name, "dims": dict(c.dims), "schedule": repr(c.schedule),
            "stages": stages, "program": c.program.to_json(),
        }  # fmt: skip
        print(json.dumps(values, indent=1))
    elif options.emit not in c.stages:
        raise WorkbenchError(f"no stage '{options.emit}'", hint=", ".join(c.stages))
    else:
        print(c.stages[options.emit].text, end="")
    return 0


def _dims(settings: Sequence[str]) -> dict[str, int]:
    dims: dict[str, int] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if not value.isdigit():
            raise WorkbenchError(f"--dim {setting}: not a dim and its value", hint="--dim N=64")
        dims[name] = int(value)
    return dims


def _devices(_: argparse.Namespace) -> int:
    from workbench.session.devices import devices  # noqa: PLC0415

    print(devices())
    return 0


def _demo(options: argparse.Namespace) -> int:
    from workbench.demo import demo  # noqa: PLC0415

    return demo(options.out)
