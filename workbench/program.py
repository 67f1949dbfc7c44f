"""Layer 2: `Program`, the one artefact that all code generators make and all devices run.

It holds code, buffers and a tree of actions, and nothing of the IR; a page runs the same JSON.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

import numpy as np

from workbench.base.dtypes import BOOL, DTYPES, F16, DType, stored
from workbench.base.errors import DeviceError
from workbench.base.panels import Panels
from workbench.base.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FORMAT = 2
LOOP_BUDGET = 2**24
"""Iterations that the loops with a budget may make in one invocation, all together."""
OUTSIDE_HINT = (
    "indices that stay inside, ranges that are never empty, or a condition: "
    "x[k] if 0 <= k < N else 0"
)
"""What to do about an access that left its array, and about a best of nothing."""
STATUS_WORDS = 16
"""The words of a report: what a status buffer holds."""
STATUS_ITERATION = 4
"""The word from which on a report has indices; of more than 12 around an access, the last 12."""
Role = Literal["input", "output", "temporary", "constant", "status", "scalars"]
Access = Literal["read", "read_write", "uniform"]


@dataclass(frozen=True, slots=True)
class Buffer:
    """A buffer that the program needs; `shape` in elements, bool elements are 32-bit words.

    `status` holds `STATUS_WORDS` of u32, zeroed before each run. Who has something to report
    exchanges word 0 for 1, and writes the others if it was 0: the first report is whole. After a
    loop used up its iteration budget word 1 is its number in `Program.loops`; a device may put a
    budget of its own into word 2, 0 means `LOOP_BUDGET`. After an access left its array word 1 is
    the complement of its number in `Program.accesses`, word 3 the index, and from
    `STATUS_ITERATION` on stand the values of the indices around it.
    `scalars` holds the scalar parameters, a `Parameter.word` each, padded to 16 bytes.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    role: Role
    panels: Panels | None = None

    @property
    def host_size(self) -> int:
        """Bytes of the same elements in NumPy."""
        return math.prod(self.shape) * self.dtype.numpy.itemsize

    @property
    def change(self) -> str:
        """How its layout differs from that of the same elements on the host, in words."""
        words = (stored(self.dtype, math.prod(self.shape)), self.panels and self.panels.words)
        return ", ".join(filter(None, words))

    @property
    def size(self) -> int:
        """Bytes, a multiple of 4 and at least 4."""
        return max(4, -(-math.prod(self.shape) * self.dtype.bits // 32) * 4)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A scalar parameter; `value` where the program fixes it: the dims its shapes are made for."""

    name: str
    dtype: DType
    value: int | None = None

    def content(self, value: float) -> bytes:
        """A value as bytes of its dtype; a bool is a word."""
        stored = np.dtype(np.uint32) if self.dtype is BOOL else self.dtype.numpy
        with np.errstate(over="ignore"):  # beyond the largest float lies infinity
            return np.asarray(value).astype(stored).tobytes()

    def slot(self, value: float) -> bytes:
        """A value as the 8 bytes that a kernel for llvm or wasm is given."""
        return self.content(value).ljust(8, b"\0")

    def word(self, value: float) -> int:
        """A value as the 32-bit pattern of a block of uniforms, where f16 is the f32 it equals."""
        content = self.content(value)
        if self.dtype is F16:
            content = np.frombuffer(content, np.float16).astype(np.float32).tobytes()
        return int.from_bytes(content, "little")


@dataclass(frozen=True, slots=True)
class Binding:
    """Slot `index` (of group 0) holds the buffer `buffer`."""

    index: int
    buffer: str
    access: Access


@dataclass(frozen=True, slots=True)
class Kernel:
    """Code for one dispatch.

    For wgsl `entry` is the entry point. For llvm it is a function of the kernel's name,
    `void (ptr buffers, ptr scalars, ptr stop, i64 begin, i64 end)`: `buffers` is an array of
    pointers in binding order, `scalars` holds 8 bytes for each scalar, `begin` to `end` are the
    outer parallel iterations to run, and `workgroups[0]` of its dispatch is their number.
    For wasm it is a module, in base64, that exports a function of the kernel's name with the same
    arguments; it imports `workbench.memory`, which is shared and holds them all, and `stack`.
    `iterations` is (fixed, each): an invocation makes at most fixed + each * n loop iterations,
    n taken from the budget; for drivers that leave loops early.
    `text` is the code with its marks (for wasm the LLVM IR that the module was made of); equality
    and saving leave the marks out.
    """

    name: str
    code: str
    bindings: tuple[Binding, ...]
    workgroup_size: tuple[int, int, int] = (1, 1, 1)
    iterations: tuple[int, int] = (0, 0)
    text: Text = field(default=Text(""), compare=False, repr=False)
    entry: str = "main"

    @property
    def function(self) -> str:
        """What code for llvm and wasm calls its function: the kernel's name unless `entry` says."""
        return self.name if self.entry == "main" else self.entry


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Run a kernel on `workgroups` (x, y, z)."""

    kernel: str
    workgroups: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy the whole buffer `source` to `target`, which has the same size."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """Run the actions `count` times."""

    count: int
    body: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class While:
    """Run the actions while the first word of the buffer `flag`, read on the host, is not 0."""

    flag: str
    body: tuple[Action, ...]


Action = Dispatch | Copy | Repeat | While


@dataclass(frozen=True, slots=True)
class CheckedAccess:
    """An access that is checked when it runs; for `finds`, an argmax of nothing, no index is said.

    `text` says which it is, with its line of the source and a caret below. `indices` are the
    names of the indices around it, of which a report has the values.
    """

    text: str
    indices: tuple[str, ...] = ()
    finds: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """All that a device needs to run a kernel: equal programs are interchangeable.

    `inputs` and `outputs` name buffers in the order of the call; `loops` describes the loops
    that have an iteration budget, `accesses` those that are checked when they run.
    """

    name: str
    target: Literal["wgsl", "llvm", "wasm"]
    buffers: tuple[Buffer, ...]
    scalars: tuple[Parameter, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kernels: tuple[Kernel, ...]
    body: tuple[Action, ...]
    loops: tuple[str, ...] = ()
    accesses: tuple[CheckedAccess, ...] = ()

    @property
    def arguments(self) -> tuple[Parameter, ...]:
        """The scalars that a call gives."""
        return tuple(p for p in self.scalars if p.value is None)

    def filled(self, scalars: Sequence[float]) -> tuple[float, ...]:
        """The scalars of a call, with the values that the program fixes in their places."""
        given = iter(scalars)
        return tuple(next(given) if p.value is None else p.value for p in self.scalars)

    def buffer(self, name: str) -> Buffer:
        """The buffer of that name."""
        return next(b for b in self.buffers if b.name == name)

    def kernel(self, name: str) -> Kernel:
        """The kernel of that name."""
        return next(k for k in self.kernels if k.name == name)

    def to_json(self) -> dict[str, Any]:
        """The program as plain JSON values, without marks."""
        return {
            "version": FORMAT,
            "name": self.name,
            "target": self.target,
            "buffers": [_buffer_json(b) for b in self.buffers],
            "scalars": [_parameter_json(p) for p in self.scalars],
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "kernels": [
                {
                    "name": k.name,
                    "code": k.code,
                    "workgroup_size": list(k.workgroup_size),
                    "iterations": list(k.iterations),
                    "entry": k.entry,
                    "bindings": [
                        {"index": b.index, "buffer": b.buffer, "access": b.access}
                        for b in k.bindings
                    ],
                }
                for k in self.kernels
            ],
            "body": [_action_json(a) for a in self.body],
            "loops": list(self.loops),
            "accesses": [
                {"text": a.text, "indices": list(a.indices), "finds": a.finds}
                for a in self.accesses
            ],
        }

    def save(self, path: str | Path) -> Path:
        """Write the program to a file (JSON), whole or not at all; gives the path back."""
        target = Path(path)
        partial = target.with_name(target.name + ".part")
        partial.write_text(json.dumps(self.to_json(), indent=1), encoding="utf-8")
        partial.replace(target)
        return target


def load(path: str | Path) -> Program:
    """Read a program that `Program.save` wrote.

    Raises `DeviceError` if the file is no program or of a newer format.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        return from_json(values)
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        msg = f"'{path}' holds no saved program: {error}"
        raise DeviceError(msg, hint="save one with c.program.save(path)") from error


def from_json(values: dict[str, Any]) -> Program:
    """The program that `Program.to_json` gave."""
    if values["version"] != FORMAT:
        msg = f"the program is of format {values['version']}, this version reads {FORMAT}"
        raise DeviceError(msg, hint="compile and save it again")
    return Program(
        name=values["name"],
        target=values["target"],
        buffers=tuple(_buffer(b) for b in values["buffers"]),
        scalars=tuple(
            Parameter(p["name"], DTYPES[p["dtype"]], p.get("value")) for p in values["scalars"]
        ),
        inputs=tuple(values["inputs"]),
        outputs=tuple(values["outputs"]),
        kernels=tuple(_kernel(k) for k in values["kernels"]),
        body=tuple(_action(a) for a in values["body"]),
        loops=tuple(values["loops"]),
        accesses=tuple(
            CheckedAccess(a["text"], tuple(a["indices"]), a["finds"])
            for a in values.get("accesses", ())
        ),
    )


def outside(name: str, accesses: tuple[CheckedAccess, ...], words: tuple[int, ...]) -> str | None:
    """What the status words of a program say of an access that left its array, if anything."""
    number = ~words[1] & 0xFFFFFFFF
    if not words[0] or number >= len(accesses):
        return None
    access = accesses[number]
    index, *values = (w - 2**32 if w >= 2**31 else w for w in words[STATUS_ITERATION - 1 :])
    around = ", ".join(f"{n} = {x}" for n, x in zip(access.indices, values, strict=False))
    said, *picture = access.text.split("\n")
    said += "" if access.finds else f": the index is {index}"
    said += f" at {around}" if around else ""
    return "\n".join([f"'{name}': {said}", *picture])


def dispatches(body: tuple[Action, ...]) -> Iterator[Dispatch]:
    """Every dispatch in the tree, in text order."""
    for action in body:
        match action:
            case Dispatch():
                yield action
            case Copy():
                pass
            case Repeat() | While():
                yield from dispatches(action.body)
            case _:
                assert_never(action)


def steps(body: tuple[Action, ...]) -> int | None:
    """How many dispatches and copies a run does; None where a `While` decides."""
    total = 0
    for action in body:
        match action:
            case Dispatch() | Copy():
                size = 1
            case Repeat(count, inner):
                each = steps(inner)
                size = None if each is None else count * each
            case While():
                size = None
            case _:
                assert_never(action)
        if size is None:
            return None
        total += size
    return total


def _kernel(k: dict[str, Any]) -> Kernel:
    bindings = tuple(Binding(b["index"], b["buffer"], b["access"]) for b in k["bindings"])
    x, y, z = k["workgroup_size"]
    (fixed, each), text, entry = k["iterations"], Text(k["code"]), k.get("entry", "main")
    return Kernel(k["name"], k["code"], bindings, (x, y, z), (fixed, each), text, entry)


def _buffer_json(b: Buffer) -> dict[str, Any]:
    laid = {"panels": [b.panels.dim, b.panels.size]} if b.panels else {}
    return {"name": b.name, "dtype": b.dtype.name, "shape": list(b.shape), "role": b.role} | laid


def _buffer(b: dict[str, Any]) -> Buffer:
    panels = Panels(*b["panels"]) if "panels" in b else None
    return Buffer(b["name"], DTYPES[b["dtype"]], tuple(b["shape"]), b["role"], panels)


def _parameter_json(p: Parameter) -> dict[str, Any]:
    fixed = {} if p.value is None else {"value": p.value}
    return {"name": p.name, "dtype": p.dtype.name} | fixed


def _action_json(action: Action) -> dict[str, Any]:
    match action:
        case Dispatch(kernel, workgroups):
            return {"op": "dispatch", "kernel": kernel, "workgroups": list(workgroups)}
        case Copy(source, target):
            return {"op": "copy", "source": source, "target": target}
        case Repeat(count, body):
            return {"op": "repeat", "count": count, "body": [_action_json(a) for a in body]}
        case While(flag, body):
            return {"op": "while", "flag": flag, "body": [_action_json(a) for a in body]}
        case _:
            assert_never(action)


def _action(a: dict[str, Any]) -> Action:
    match a["op"]:
        case "dispatch":
            x, y, z = a["workgroups"]
            return Dispatch(a["kernel"], (x, y, z))
        case "copy":
            return Copy(a["source"], a["target"])
        case "repeat":
            return Repeat(a["count"], tuple(_action(x) for x in a["body"]))
        case "while":
            return While(a["flag"], tuple(_action(x) for x in a["body"]))
        case other:
            raise KeyError(other)
