"""`import workbench` against `import numpy`, each in a fresh process."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.row import Row, interleaved


def rows() -> list[Row]:
    def process(line: str) -> object:
        return subprocess.run([sys.executable, "-c", line], check=True)

    ours, numpy, nothing = interleaved(
        lambda: process("import workbench"), lambda: process("import numpy"),
        lambda: process("pass"), repeats=11,
    )  # fmt: skip
    used, kernel = interleaved(
        lambda: process("import workbench as wb; wb.kernel"), lambda: process("import numpy"),
        repeats=7,
    )  # fmt: skip
    return [
        Row("import workbench", (ours - nothing) * 1e3, "ms", (numpy - nothing) * 1e3,
            "import numpy", "at most 60 ms above NumPy"),
        Row("import workbench, wb.kernel named", (used - nothing) * 1e3, "ms",
            (kernel - nothing) * 1e3, "import numpy"),
    ]  # fmt: skip
