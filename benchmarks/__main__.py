"""`python -m benchmarks [NAME]`: each module here has `rows() -> [Row]`; all are printed."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.row import table

NAMES = (
    "animation",
    "comparing",
    "compiling",
    "importing",
    "pages",
    "panels",
    "placing",
    "resizing",
    "running",
    "scanning",
    "scheduling",
    "stepping",
    "wasm",
)


def main(arguments: list[str]) -> int:
    unknown = [a for a in arguments if a not in NAMES]
    if unknown:
        print(f"no benchmark '{unknown[0]}'; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in arguments or NAMES:
        print(f"\n{name}", flush=True)
        print(table(import_module(f"benchmarks.{name}").rows()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
