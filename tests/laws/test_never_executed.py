"""Nothing of a cell is ever executed, wherever the text that would do something stands."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

import workbench as wb
from tests.laws.growing import grow
from workbench.base.errors import WorkbenchError
from workbench.base.source import Source
from workbench.lang import parse

CELLS = 400
WATCHED = {"open", "import", "os.system", "subprocess.Popen"}
PLACES = {
    "a value": "    v{n} = {deed}",
    "an index": "    v{n}[i] = a[{deed}]",
    "a fact": "    assert {deed}",
    "a range": "    v{n}[i] = sum(a[k] for k in range({deed}))",
    "a branch": "    v{n}[i] = 1.0 if {deed} else 0.0",
    "an element of a block": "    for i in grid(N):\n        v{n}[i] = {deed}",
    "a grid": "    for i in grid({deed}):\n        v{n}[i] = 1.0",
    "an annotation": "    v{n}: {deed} = 1.0",
    "an extent": "    v{n}: f32[{deed}]",
    "a call": "    v{n} = f32({deed})",
    "a name in a call": "    v{n}[i] = f0(x={deed})",
    "a string": "    v{n}[i] = f'{{{deed}}}'",
    "an assignment inside": "    v{n}[i] = (w := {deed})",
    "a lambda": "    v{n}[i] = (lambda: {deed})()",
    "a list": "    v{n}[i] = [{deed} for _ in range(3)][0]",
    "a statement": "    {deed}",
    "a with": "    with {deed}:\n        v{n}[i] = 1.0",
    "a try": "    try:\n        {deed}\n    finally:\n        {deed}",
    "a class": "    class C{n}(metaclass={deed}):\n        x = {deed}",
}
"""Lines of a kernel's body."""
AROUND = {
    "a decorator": "@{deed}\n{text}",
    "a schedule": "{text}\n@schedule({deed})\ndef fast(T={deed}):\n    split('i', {deed})\n",
    "a knob": "{text}\n@schedule(f)\ndef fast(T={deed}):\n    split('i', T)\n",
    "a step": "{text}\n@schedule(f)\ndef fast(T=4):\n    {deed}\n",
    "a line of its own": "{deed}\n{text}",
    "a line after": "{text}\n{deed}\n",
    "a class around": "class K:\n    x = {deed}\n{text}",
    "a default": "def f0(x={deed}):\n    return x\n{text}",
    "an annotation of a parameter": "def f0(x: {deed}):\n    return x\n{text}",
    "a result": "def f0(x) -> {deed}:\n    return x\n{text}",
    "a default of a kernel": "{head}, z: f32 = {deed}) {rest}",
    "an annotation of a kernel": "{head}, z: {deed}) {rest}",
    "an extent of a kernel": "{head}, z: f32[{deed}]) {rest}",
}
"""Forms around a kernel, or in its first line."""


def deeds(path: Path) -> list[str]:
    """Expressions that write a file or end the process, were they executed."""
    name = str(path)
    return [
        f"open({name!r}, 'w')",
        f"__import__('pathlib').Path({name!r}).touch()",
        f"__import__('os').system('touch {name}')",
        f"exec(\"open({name!r}, 'w')\")",
        f"eval(\"open({name!r}, 'w')\")",
        f"(0).__class__.__base__.__subclasses__()[0](open({name!r}, 'w'))",
        f"print(open({name!r}, 'w'))",
        f"globals()['__builtins__'].open({name!r}, 'w')",
        f"breakpoint() or open({name!r}, 'w')",
        f"np.ones(3).tofile({name!r})",
        f"exit(open({name!r}, 'w'))",
    ]


def planted(rng: random.Random, deed: str) -> str:
    """A grown program with a deed somewhere."""
    text = grow(rng.choice).text
    if rng.random() < 0.4:
        start = text.index("def f(")
        head, _, rest = text[start:].partition(") ")
        form = AROUND[rng.choice(list(AROUND))]
        return text[:start] + form.format(text=text[start:], deed=deed, head=head, rest=rest)
    lines = text.splitlines()
    line = PLACES[rng.choice(list(PLACES))].format(n=rng.randrange(20), deed=deed)
    lines.insert(rng.randrange(lines.index("    assert M > 0"), len(lines)) + 1, line)
    return "\n".join(lines) + "\n"


def read_whole(cell: str) -> None:
    """The kernel of a cell and the steps of its schedules."""
    for schedule in wb.kernel(cell).schedules.values():
        schedule()


def test_no_deed_is_done(tmp_path: Path) -> None:
    """Neither while a cell is read, nor while a kernel that was accepted is compiled and shown."""
    path = tmp_path / "executed_by_mistake"
    happened: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        """What a deed would do, or any run of code that no file of a library holds."""
        home = getattr(arguments[0], "co_filename", ".py") if event == "exec" else ".py"
        foreign = not home.endswith(".py") and not home.startswith("<frozen")
        if foreign or (event in WATCHED and path.name in str(arguments)):
            happened.append(f"{event} {arguments}")

    parse(Source(grow(random.Random(0).choice).text))  # what libraries run when first imported
    sys.addaudithook(watch)
    refused = 0
    for number in range(CELLS):
        rng = random.Random(number)
        text = planted(rng, rng.choice(deeds(path)))
        try:
            for graph in parse(Source(text)).kernels:
                assert repr(graph)
        except WorkbenchError:
            refused += 1
    print(f"\n{CELLS} cells with a deed: {refused} refused")

    assert happened == []
    assert not path.exists()
    assert refused >= 0.9 * CELLS


@pytest.mark.parametrize("place", [*PLACES, *AROUND])
def test_every_place_is_refused_or_read(place: str, tmp_path: Path) -> None:
    path = tmp_path / "executed_by_mistake"
    text = "def f(a: f32[N]) -> f32[N]:\n    y[i] = a[i]\n"
    for deed in deeds(path):
        if place in PLACES:
            cell = text + PLACES[place].format(n=0, deed=deed) + "\n    return y\n"
        else:
            whole = text + "    return y\n"
            head, _, rest = whole.partition(") ")
            cell = AROUND[place].format(text=whole, deed=deed, head=head, rest=rest)
        with pytest.raises(WorkbenchError):
            read_whole(cell)

    assert not path.exists()
