"""What one compilation leaves behind at each stage: the value, its text when somebody looks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from workbench.base.panels import plain
from workbench.base.progress import Standing, Task
from workbench.base.text import Text, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workbench.ir.graph import Graph
    from workbench.program import Program

Language = Literal["python", "wgsl", "llvm", "asm", "wasm"]


@dataclass(frozen=True)
class Snapshot:
    """The program at one stage: its value, what made it, and its text when somebody looks.

    `seconds` is the time the stage took; `changed` is false where a pass did nothing.
    """

    name: str
    value: Any = field(repr=False)
    note: str
    seconds: float
    language: Language = "python"
    changed: bool = True
    render: Callable[[Any], Text] = field(default=lambda value: Text(str(value)), repr=False)

    @cached_property
    def marked(self) -> Text:
        """The text with its marks, made at the first look."""
        return self.render(self.value)

    @property
    def text(self) -> str:
        """The text."""
        return self.marked.value


@dataclass(frozen=True)
class Stages:
    """The snapshots of a compilation in order; passes that changed nothing are hidden.

    `stages["wgsl"]`, `list(stages)` gives the names shown, `stages.all` has the hidden ones.
    """

    all: tuple[Snapshot, ...]

    def __iter__(self) -> Iterator[str]:
        return (s.name for s in self.all if s.changed)

    def __len__(self) -> int:
        return sum(s.changed for s in self.all)

    def __getitem__(self, name: str) -> Snapshot:
        for s in self.all:
            if s.name == name:
                return s
        raise KeyError(f"no stage '{name}'; stages: {', '.join(self)}")

    def __contains__(self, name: object) -> bool:
        return any(s.name == name for s in self.all)

    def values(self) -> tuple[Snapshot, ...]:
        """The snapshots shown, in order."""
        return tuple(s for s in self.all if s.changed)

    def diff(self, a: str, b: str) -> str:
        """A unified diff of the texts of two stages."""
        from difflib import unified_diff  # noqa: PLC0415  (only who compares needs it)

        before, after = self[a].text.splitlines(), self[b].text.splitlines()
        return "\n".join(unified_diff(before, after, a, b, lineterm=""))

    def replaced(self, name: str, value: Any) -> Stages:
        """The same stages with another value at one of them; what was made from it stays."""
        new = (
            Snapshot(s.name, value, s.note, s.seconds, s.language, s.changed, s.render)
            if s.name == name
            else s
            for s in self.all
        )
        return Stages(tuple(new))

    def with_each(self, old: Any, new: Any) -> Stages:
        """The same stages with `new` wherever the value is `old`."""
        stages = self
        for s in self.all:
            stages = stages.replaced(s.name, new) if s.value is old else stages
        return stages


class Trace:
    """Runs stages one after the other and keeps a snapshot of each."""

    def __init__(self, task: Task) -> None:
        """`task` is told which stage comes next."""
        self.task = task
        self.snapshots: list[Snapshot] = []

    def stage(
        self, name: str, note: str, f: Callable[[], Any], render: Callable[[Any], Text],
        *, language: Language = "python", before: Any = None,
    ) -> Any:  # fmt: skip
        """The value that `f` gives, kept; `before` is that of a pass that changes nothing."""
        self.task.at(Standing(len(self.snapshots), None, f"stages, now {name}"))
        start = time.perf_counter()
        value = f()
        seconds = time.perf_counter() - start
        changed = value is not before
        self.snapshots.append(Snapshot(name, value, note, seconds, language, changed, render))
        return value


def border_text(graph: Graph, program: Program) -> Text:
    """How each array of the call is stored on the host and on a device, marked with its origin."""
    w = Writer()
    arrays = graph.arrays()
    outputs = ((arrays[n], b) for n, b in zip(graph.outputs, program.outputs, strict=True))
    for way, pairs in (
        ("to", ((a, a.name) for a in graph.inputs if a.name in program.inputs)),
        ("from", outputs),
    ):
        for a, name in pairs:
            b = program.buffer(name)
            size = f"{b.host_size} bytes" + (f", {b.size} there: {b.change}" if b.change else "")
            with w.mark(a.origin):
                w.write(f"{a.name}: {b.dtype}{list(plain(b.shape, b.panels))}")
            w.write(f" {way} the device, {size}")
            w.end()
    return w.text()
